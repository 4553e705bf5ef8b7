"""The report and the contact sheet: everything in them, nothing executed or loaded, everything escaped."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from fittingroom.categories import CATEGORY_IDS
from fittingroom.errors import NothingProduced
from fittingroom.garment import Garment
from fittingroom.images import write_png
from fittingroom.segmentation.overlay import garment_overlay, mask_overlay
from fittingroom.sheets import side_by_side
from fittingroom.training.progress import Progress, ProgressFile
from fittingroom.tryon.charts import figure, round_ticks, svg_chart
from fittingroom.tryon.report import (
    DataRow,
    FigureRow,
    ModelRow,
    PictureRow,
    RejectedRow,
    ReportData,
    StageRow,
    TryOnRow,
    curves_of,
    duration,
    persons_sheet,
    picture_uri,
    render_report,
    write_report,
)

HOSTILE = '<script>alert("x")</script>&\'"'


def plain(path: Path, colour: tuple[int, int, int], height: int = 90, width: int = 60) -> Path:
    write_png(path, np.full((height, width, 3), colour, np.uint8))
    return path


@pytest.fixture
def pictures(tmp_path: Path) -> dict[str, Path]:
    colours = {"photo": (200, 200, 210), "overlay": (90, 160, 90), "red": (200, 20, 30), "navy": (20, 30, 90)}
    return {name: plain(tmp_path / f"{name}.png", colour) for name, colour in colours.items()}


@pytest.fixture
def data(pictures: dict[str, Path], tmp_path: Path) -> ReportData:
    return ReportData(
        title="Lifecycle " + HOSTILE,
        subtitle="sample world",
        facts={"machine": HOSTILE, "commit": "abc"},
        command="fittingroom run lifecycle --param train=4",
        problems=["style-dull: no"],
        data=[DataRow("red-solid", "what the style looks like", 1024, "0123456789abcdef", "prepared garments")],
        stages=[
            StageRow("crawl", 12.4, "Completed", "96 pictures"),
            StageRow("train style", 185.0, "Cached", HOSTILE),
            StageRow("broken", 0.0, "Failed"),
        ],
        tryons=[
            TryOnRow(
                HOSTILE,
                str(pictures["photo"]),
                str(pictures["overlay"]),
                {"red-solid": str(pictures["red"]), "navy-striped": str(pictures["navy"])},
                "the vest",
            ),
            TryOnRow("second", str(pictures["photo"]), "", {"red-solid": str(tmp_path / "lost.png")}),
        ],
        models=[
            ModelRow(
                "style-red-solid", 3, True, ["8 is at most 12"],
                [
                    FigureRow("leak", 0.012, "0 is none; at most 0.05 passes", True),
                    FigureRow("folds", 0.7, "1 is perfect"),
                ],
                {"cycle": [(1, 3.0), (9, 1.5)], "val_once": [(9, 0.5)]},
                [str(pictures["navy"])], "before above, after below",
            ),
            ModelRow("segmenter", 1, False, [HOSTILE], [FigureRow("IoU", 0.61, "at least 0.7 passes", False)]),
            ModelRow("style-new"),
        ],
        masks=[PictureRow(str(pictures["overlay"]), "000297: annotated, predicted")],
        rejected=[RejectedRow("cut out", "too_small", 4, [HOSTILE], [str(pictures["photo"])])],
    )  # fmt: skip


class Reader(HTMLParser):
    """Checks that tags are closed and collects what there is."""

    VOID = ("meta", "img", "path", "br", "link", "input", "polyline", "circle", "rect")

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def read(document: str) -> Reader:
    reader = Reader()
    reader.feed(document)
    assert reader.open == []
    return reader


def test_the_report_shows_everything_and_loads_nothing(data: ReportData) -> None:
    document = render_report(data)
    reader = read(document)
    assert not [tag for tag, _ in reader.tags if tag in ("script", "link", "iframe", "object")]
    for _, attributes in reader.tags:
        assert not [name for name in attributes if name.startswith("on")]
        for name in ("src", "href", "action"):
            assert (attributes.get(name) or "#").startswith(("data:image/webp;base64,", "#"))
    assert not re.search(r"https?://|url\(|@import", document)
    for words in (
        "sample world", "96 pictures", "12 s", "3 min 05 s", "Cached", "passed, serves", "did not pass, does not serve",
        "not judged", "falls short", "0 is none; at most 0.05 passes", "before above, after below", "What fell short",
        "style-dull: no", "fittingroom run lifecycle --param train=4", "1,024", "0123456789ab", "photo: ",
        "garment found", "in all", "3 min 17 s",
        "8 is at most 12", "0.012", "too_small", "the vest", "000297: annotated, predicted", "picture not readable",
        "no result", "navy-striped", "cycle loss",
    ):  # fmt: skip
        assert words in reader.text, words
    assert sum(tag == "img" for tag, _ in reader.tags) == 8
    assert sum(tag == "svg" for tag, _ in reader.tags) == 1


def test_hostile_words_are_shown_as_words(data: ReportData) -> None:
    document = render_report(data)
    assert "<script>" not in document
    assert read(document).text.count(HOSTILE) == 7  # title twice (head and page), fact, stage, person, reason, example


def test_a_report_is_written_as_it_is_rendered(data: ReportData, tmp_path: Path) -> None:
    path = write_report(tmp_path / "deep" / "report.html", data)
    assert path.read_text(encoding="utf-8") == render_report(data)


def test_an_empty_report_is_a_report() -> None:
    reader = read(render_report(ReportData("Nothing yet")))
    assert "Nothing yet" in reader.text
    assert not [tag for tag, _ in reader.tags if tag == "section"]


def test_large_pictures_are_made_smaller(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (1500, 1000, 3), np.uint8)
    write_png(tmp_path / "large.png", noise)
    assert len(picture_uri(tmp_path / "large.png", 200)) < 40_000
    assert picture_uri(tmp_path / "none.png") == ""


def test_curves_of_a_training_are_thinned_by_means(tmp_path: Path) -> None:
    file = ProgressFile(tmp_path / "progress.jsonl")
    for step in range(1, 1201):
        file(Progress(step, 1200, 1, 1, {"cycle": step % 2, "identity": float("nan")}))
    file(Progress(1200, 1200, 1, 1, {"cycle": 0.0, "eval": 5.0}))
    curves = curves_of(tmp_path / "progress.jsonl")
    assert set(curves) == {"cycle", "eval"}
    assert len(curves["cycle"]) == 300
    assert curves["cycle"][-1][0] == 1200
    assert curves["cycle"][0][1] == pytest.approx(0.5)
    assert curves["eval"] == [(1200, 5.0)]
    assert curves_of(tmp_path / "none.jsonl") == {}


def test_a_chart_draws_its_points_where_they_belong() -> None:
    chart = str(svg_chart([(0, 0.0), (50, 10.0), (100, 5.0)], HOSTILE))
    assert "<script" not in chart
    assert 'points="46.0,152.0 186.0,30.0 326.0,91.0"' in chart
    assert "polyline" in svg_chart([(1, 2.0), (2, 2.0)], "flat")


@pytest.mark.parametrize("curve", [[], [(3, 1.0)], [(1, float("nan")), (2, 1.0)], [(5, 1.0), (5, 2.0)]])
def test_what_is_no_line_is_not_drawn(curve: list[tuple[float, float]]) -> None:
    assert str(svg_chart(curve, "one")) == ""


@pytest.mark.parametrize(
    ("low", "high", "ticks"),
    [
        (0, 10, [0, 5, 10]),
        (0, 1.7, [0, 0.5, 1, 1.5, 2]),
        (0.83, 0.91, [0.8, 0.85, 0.9, 0.95]),
        (3, 3, [1, 2, 3, 4, 5]),
        (-2e-4, 3e-4, [-2e-4, 0, 2e-4, 4e-4]),
    ],
)
def test_axes_have_round_numbers_that_enclose_the_values(low: float, high: float, ticks: list[float]) -> None:
    found = round_ticks(low, high)
    assert found == pytest.approx(ticks)
    assert found[0] <= low
    assert found[-1] >= high


def test_a_chart_names_its_ends_and_what_it_counts() -> None:
    chart = str(svg_chart([(10, 0.9), (200, 0.4), (437, 0.3)], "mask_ap50"))
    words = re.findall(r">([^<]+)</text>", chart)
    assert words[0] == "mask AP50 on held-out photos"
    assert words[-1] == "step"
    assert {"0", "437", "200"} <= set(words)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.42, "0.4 s"), (12.4, "12 s"), (59.6, "1 min 00 s"), (185, "3 min 05 s"), (3725, "1 h 02 min")],
)
def test_durations(seconds: float, words: str) -> None:
    assert duration(seconds) == words


@pytest.mark.parametrize(
    ("value", "words"),
    [(0.61234, "0.612"), (12345.6, "12,346"), (0.00012, "1.20e-04"), (0.0, "0"), (float("nan"), "–")],
)
def test_figures(value: float, words: str) -> None:
    assert figure(value) == words


def test_the_contact_sheet_has_a_row_a_person_and_a_column_a_style(pictures: dict[str, Path]) -> None:
    drawn = {name: str(path) for name, path in pictures.items()}
    both = {"red-solid": drawn["red"], "navy": drawn["navy"]}
    rows = [TryOnRow("a", drawn["photo"], drawn["overlay"], both), TryOnRow("b", drawn["photo"], "", {"navy": "gone"})]
    sheet = persons_sheet(rows)
    assert sheet.shape == (34 + 2 * 332, 12 + 4 * 332, 3)
    assert (sheet[:34, :332] < 100).any(), "a title"
    assert (sheet[34:, :12] == 255).all()

    def middle(row: int, column: int) -> tuple[int, ...]:
        return tuple(int(v) for v in sheet[34 + row * 332 + 100, 12 + column * 332 + 160])

    assert [middle(0, c) for c in range(4)] == [(200, 200, 210), (90, 160, 90), (200, 20, 30), (20, 30, 90)]
    assert middle(1, 0) == (200, 200, 210)
    assert [middle(1, c) for c in (1, 2, 3)] == [(244, 245, 247)] * 3, "no overlay, no red one, a file that is gone"
    with pytest.raises(NothingProduced):
        persons_sheet([])


def test_overlays_tint_the_mask_and_leave_the_rest() -> None:
    image = np.full((120, 100, 3), 100, np.uint8)
    mask = np.zeros((120, 100), bool)
    mask[30:90, 20:80] = True
    tinted = mask_overlay(image, [mask])
    assert tuple(tinted[60, 50]) == (55, 126, 107)  # 0.55 * 100 + 0.45 * (0, 158, 115)
    assert (tinted[:25] == 100).all()
    named = garment_overlay(image, [Garment(CATEGORY_IDS["vest"], 0.97, mask)])
    assert named.shape == image.shape
    assert (named != tinted).any()
    assert (mask_overlay(image, []) == image).all()


def test_side_by_side() -> None:
    sheet = side_by_side([("a", np.zeros((50, 100, 3), np.uint8)), ("b", np.zeros((80, 40, 3), np.uint8))], height=100)
    assert sheet.shape == (100 + 34 + 12, 200 + 50 + 3 * 12, 3)
