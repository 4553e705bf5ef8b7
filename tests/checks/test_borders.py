"""The checks between stages: each planted fault is caught by the check that is for it, and by no other."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fittingroom.appearance.colours import ciede2000, srgb_to_lab
from fittingroom.catalog import Style, load_catalog
from fittingroom.checks.borders import (
    TrainingSet,
    annotation_checks,
    catalog_checks,
    crawl_checks,
    cut_out_checks,
    finding_rates,
    gate_check,
    refused_share,
    training_set_checks,
)
from fittingroom.checks.check import STAGES, Check, blocked_by, in_order
from fittingroom.checks.looks import colour_spread, near_duplicates
from fittingroom.checks.settings import CHECKS, CheckSettings, Severity
from fittingroom.cutout import CutoutSettings, cut_out_files
from fittingroom.errors import SettingError
from fittingroom.images import RGB, encode_jpeg, write_png
from fittingroom.sample.deepfashion2_set import render_deepfashion2_set
from fittingroom.sample.shop import build_shop
from fittingroom.sample.shop_server import write_catalog
from fittingroom.workspace import write_bytes

SETTINGS = CheckSettings()


def style(name: str, *sources: Mapping[str, Any], colour: str = "navy") -> Style:
    facts = {"name": name, "category": "short sleeve top", "colour": colour, "pattern": "striped"}
    return Style.model_validate({**facts, "sources": list(sources) or [page(name)]})


def page(name: str, licence: str = "with the shop's leave", **more: Any) -> dict[str, Any]:
    return {"kind": "page", "url": f"https://shop.example/{name}", "licence": licence, **more}


def folder(path: str, licence: str = "ours", **more: Any) -> dict[str, Any]:
    return {"kind": "folder", "path": path, "relative_to": "/shop", "licence": licence, **more}


def search(query: str, **more: Any) -> dict[str, Any]:
    return {"kind": "search", "query": query, **more}


def in_catalog(*styles: Style) -> list[Check]:
    return catalog_checks(styles, SETTINGS)


def after_crawl(kept: int, lost: int = 0, before: float | None = None, offered: int | None = None) -> list[Check]:
    counts = {"kept": kept, "refused": lost, "refused: too_small": lost, "duplicate": 3, "gone": 9}
    value = {"offered": kept + lost if offered is None else offered, "counts": counts}
    return crawl_checks("navy", value, None if before is None else {"share": before}, SETTINGS)


def after_cut_out(spread: float | None = 4.0, **counts: int) -> list[Check]:
    told = {name.replace("refused_", "refused: ").replace("failed_", "failed: "): n for name, n in counts.items()}
    return cut_out_checks("navy", told, spread, SETTINGS)


def annotated(found: Mapping[str, int], before: Mapping[str, int] | None, photos: int = 100) -> list[Check]:
    last = None if before is None else finding_rates(before, photos)
    return annotation_checks("garments", finding_rates(found, photos), last, SETTINGS)


def to_learn(leaks: int = 0, garments: Mapping[str, int] | None = None, asked: int = 13) -> list[Check]:
    pairs = [["7.jpg", "3.jpg"]] if leaks else []
    seen = TrainingSet(leaks, pairs, dict(garments or {"1": 200, "2": 96}))
    return training_set_checks("garments", seen, 54, asked, SETTINGS)


def judged(passed: bool) -> list[Check]:
    reasons = ["leak 0.01, at most 0.05", "colour 60, at most 12"]
    verdict = {"model": "style-navy", "version": 3, "passed": passed, "reasons": reasons, "failures": reasons[1:]}
    return [gate_check(verdict)]


FAULTS: dict[str, tuple[Callable[[], list[Check]], str, str]] = {
    "a name with another hyphen": (
        lambda: in_catalog(style("navy-tee"), style("navytee")), "catalog_names", "in hyphens only from navytee",
    ),
    "three names alike": (
        lambda: in_catalog(style("na-vy"), style("navy"), style("n-avy")), "catalog_names", "navy, n-avy; allowed is",
    ),
    "one page for two styles": (
        lambda: in_catalog(style("navy", page("blue")), style("teal", page("blue"))), "catalog_sources",
        "1 source also of teal: page https://shop.example/blue",
    ),
    "one page, read otherwise": (
        lambda: in_catalog(style("navy", page("blue")), style("teal", page("blue", max_pages=3, images="structured"))),
        "catalog_sources", "also of teal",
    ),
    "one page twice in a style": (
        lambda: in_catalog(style("navy", page("blue"), page("blue"))), "catalog_sources",
        "2 sources of this style twice",
    ),
    "one folder by two paths": (
        lambda: in_catalog(style("navy", folder("a")), style("teal", folder("/shop/a", recursive=True))),
        "catalog_sources", "folder a",
    ),
    "one search for two styles": (
        lambda: in_catalog(style("navy", search("blue", limit=5)), style("teal", search("blue"))),
        "catalog_sources", "search blue",
    ),
    "a page without a licence": (
        lambda: in_catalog(style("navy", page("navy", licence=""))), "catalog_licences",
        "1 source without a licence: page",
    ),
    "a folder without a licence": (
        lambda: in_catalog(style("navy", page("navy"), folder("a", licence=""))), "catalog_licences", "folder a",
    ),
    "a list of addresses without a licence": (
        lambda: in_catalog(style("navy", {"kind": "urls", "path": "a.txt"})), "catalog_licences", "urls a.txt",
    ),
    "a search that states none": (
        lambda: in_catalog(style("navy", search("q", provider="google"))), "catalog_licences", "search q",
    ),
    "three pictures offered": (
        lambda: [check for check in after_crawl(4, offered=3) if check.name != "crawl_kept"], "catalog_offered",
        "its sources offer 3 pictures; allowed is at least 4",
    ),
    "one picture offered": (lambda: after_crawl(4, offered=1), "catalog_offered", "offer 1 picture;"),
    "three pictures kept": (lambda: after_crawl(3, 9), "crawl_kept", "3 pictures kept; allowed is at least 4"),
    "none kept": (lambda: after_crawl(0, 9), "crawl_kept", "0 pictures kept"),
    "nothing there at all": (
        lambda: crawl_checks("navy", {"counts": {}}, None, SETTINGS), "crawl_kept", "0 pictures kept",
    ),
    "half refused after a clean crawl": (
        lambda: after_crawl(10, 10, before=0.0), "crawl_refused",
        "50% of its pictures were refused or failed (0% in its last crawl); allowed is at most a rise of 30%",
    ),
    "most refused after some": (lambda: after_crawl(10, 30, before=0.4), "crawl_refused", "75% of its pictures"),
    "failed count as refused": (
        lambda: crawl_checks("navy", {"offered": 20, "counts": {"kept": 10, "failed": 10}}, {"share": 0.1}, SETTINGS),
        "crawl_refused", "(10% in its last crawl)",
    ),
    "one cut-out of ten": (
        lambda: after_cut_out(kept=10, refused_person=80, refused_blurred=10), "cut_out_kept",
        "10% of its pictures gave a cut-out, most others are person; allowed is at least 20%",
    ),
    "no cut-out": (lambda: after_cut_out(refused_doubtful_mask=5), "cut_out_kept", "most others are doubtful mask"),
    "pictures that cannot be read": (lambda: after_cut_out(kept=1, failed_unreadable=9), "cut_out_kept", "unreadable"),
    "no picture to cut": (lambda: after_cut_out(), "cut_out_kept", "0% of its pictures"),
    "two colours in a style": (
        lambda: after_cut_out(25.4, kept=9), "cut_out_colours",
        "its garments' colours lie 25.4 (CIEDE2000) from the most typical one's; allowed is at most 15",
    ),
    "findings of a kind that was not there": (
        lambda: annotated({"out_of_bounds": 6}, {}), "annotation_findings",
        "out of bounds: 0.060 a photo, 0.000 before; allowed is at most 0.05 more a photo",
    ),
    "findings of a kind that doubled": (
        lambda: annotated({"zero_area": 20, "turned": 3}, {"zero_area": 10, "turned": 2}), "annotation_findings",
        "zero area: 0.200 a photo, 0.100 before",
    ),
    "warnings count too": (
        lambda: annotated({"self_intersection": 40}, {"self_intersection": 1}), "annotation_findings",
        "self intersection",
    ),
    "several kinds at once": (
        lambda: annotated({"bad_box": 9, "bad_field": 8, "zero_area": 7, "turned": 6}, {}), "annotation_findings",
        "zero area: 0.070 a photo, 0.000 before and 1 more; allowed",
    ),
    "a kind that nobody knows": (lambda: annotated({"new_kind": 9}, {}), "annotation_findings", "new kind: 0.090"),
    "what is judged on was learnt from": (
        lambda: to_learn(leaks=2), "training_leak",
        "2 of 54 validation photos learnt from: 7.jpg is nearly 3.jpg; allowed is at most 2%",
    ),
    "all of it was": (lambda: to_learn(leaks=54), "training_leak", "54 of 54"),
    "nearly all of one category": (
        lambda: to_learn(garments={"1": 95, "8": 5}), "training_balance",
        "95% of the garments to learn from are short sleeve top; allowed is at most 90%",
    ),
    "all of one, where all were asked for": (lambda: to_learn(garments={"8": 5}), "training_balance", "trousers"),
    "a gate that refused": (lambda: judged(False), "gate", "version 3: colour 60, at most 12"),
}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
def test_a_planted_fault_is_caught_by_its_check_alone(fault: str) -> None:
    plant, name, said = FAULTS[fault]
    short = [check for check in plant() if not check.passed]
    assert {check.name for check in short} == {name}
    assert said in short[0].sentence
    if name != "gate":
        assert short[0].severity == SETTINGS.severity(name)
        assert short[0].stage == STAGES[name]


@pytest.mark.parametrize(
    "found",
    [
        in_catalog(style("navy"), style("navy-blue"), style("teal", folder("b"), folder("a"))),
        in_catalog(style("navy", {"kind": "urls", "path": "a.csv"}, search("navy"))),
        after_crawl(4),
        after_crawl(10, 10),
        after_crawl(10, 10, before=0.2),
        after_crawl(20, 0, before=0.9),
        after_cut_out(kept=2, refused_person=8),
        after_cut_out(None, kept=9, refused_dropped_by_hand=90),
        annotated({"zero_area": 90}, None),
        annotated({"zero_area": 15}, {"zero_area": 10}),
        annotated({}, {"zero_area": 10}),
        annotated({"foreign_id": 500}, {}),
        to_learn(leaks=1),
        to_learn(garments={"1": 5}, asked=1),
        to_learn(garments={"1": 90, "2": 10}),
        judged(True),
    ],
)
def test_what_is_sound_passes_and_is_said_all_the_same(found: list[Check]) -> None:
    assert found
    assert [check.sentence for check in found if not check.passed] == []
    assert all(check.sentence and "allowed" not in check.sentence for check in found)


def test_the_sample_shops_catalog_has_no_finding(tmp_path: Path) -> None:
    catalog = load_catalog(write_catalog(tmp_path / "catalog.yaml", "http://127.0.0.1:8000"))
    assert len(catalog.styles) == 5
    assert [check for check in catalog_checks(catalog.styles, SETTINGS) if not check.passed] == []


@pytest.mark.slow
def test_the_sample_worlds_pictures_have_no_finding(tmp_path: Path) -> None:
    shop = build_shop(tmp_path / "shop", 0, per_style=5, workers=1)
    for name, pictures in shop.photos.items():
        rows = cut_out_files(pictures, tmp_path / "cut" / name, CutoutSettings())
        kept = [tmp_path / "cut" / name / row.path for row in rows if row.status == "kept"]
        counts = Counter("kept" if row.status == "kept" else f"{row.status}: {row.reason}" for row in rows)
        found = cut_out_checks(name, counts, colour_spread(kept), SETTINGS)
        assert [check.sentence for check in found if not check.passed] == []
        assert len(found) == 2
    photos = sorted((render_deepfashion2_set(tmp_path / "df2", 16, 0, height=344, width=256) / "image").glob("*.jpg"))
    assert near_duplicates(photos[:4], photos[4:]) == {}


def test_a_check_can_block_warn_or_be_left_out() -> None:
    def verdicts(**settings: Any) -> list[str]:
        counts = {"kept": 2, "refused": 8}
        value = {"offered": 10, "counts": counts}
        return [check.verdict for check in crawl_checks("navy", value, {"share": 0.0}, CheckSettings(**settings))]

    assert verdicts() == ["passed", "blocked", "blocked"]
    assert verdicts(warning=["crawl_kept"], off=["crawl_refused"]) == ["passed", "warning"]
    assert verdicts(crawl_kept=2, crawl_refused=0.8, catalog_offered=11) == ["blocked", "passed", "passed"]
    strict = CheckSettings(blocking=("catalog_licences",))
    (check,) = (c for c in catalog_checks([style("navy", page("a", ""))], strict) if not c.passed)
    assert (check.blocks, check.verdict) == (True, "blocked")


def test_a_blocked_style_is_told_why_and_stands_first_in_the_table() -> None:
    found = [*after_crawl(9), *after_crawl(3, 30, before=0.0), *in_catalog(style("navy", page("a", "")))]
    assert blocked_by(found) == (
        "crawl_kept: 3 pictures kept; allowed is at least 4; crawl_refused: 91% of its pictures were refused or failed "
        "(0% in its last crawl); allowed is at most a rise of 30%"
    )
    verdicts = [check.verdict for check in in_order(found)]
    assert verdicts == ["blocked"] * 2 + ["warning"] + ["passed"] * 6
    assert blocked_by(after_crawl(9)) == ""
    row = found[0].row()
    assert row["verdict"] == "passed"
    assert (row["name"], row["of"], row["observed"], row["allowed"]) == ("catalog_offered", "navy", 9, 4)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"crawl_kept": -1}, "setting crawl_kept: expected a whole number of at least 0, got -1"),
        ({"off": ["crawl"]}, "setting off: expected a list, each one of catalog_names, "),
        (
            {"off": ["crawl_kept"], "warning": ["crawl_kept"]},
            "setting off: expected crawl_kept once in blocking, warning and off",
        ),
        ({"crawl_keep": 3}, "did you mean crawl_kept?"),
    ],
)
def test_wrong_settings_are_one_line(values: dict[str, Any], said: str) -> None:
    with pytest.raises(SettingError) as caught:
        CheckSettings().with_overrides(values)
    assert said in str(caught.value)


def test_every_check_has_its_setting_a_stage_and_a_fault_here() -> None:
    assert set(CHECKS) == set(vars(SETTINGS)) - {"blocking", "warning", "off"} == set(STAGES)
    assert {name for _, name, _ in FAULTS.values()} == {*CHECKS, "gate"}
    assert len(FAULTS) > 30
    hard: set[Severity | None] = {SETTINGS.severity(name) for name in CHECKS}
    assert hard == {"blocking", "warning"}


def test_the_page_says_what_each_check_allows_and_how_hard_it_is() -> None:
    page = (Path(__file__).parents[2] / "docs" / "lifecycle.md").read_text(encoding="utf-8")
    rows = {name: line for line in page.splitlines() for name in CHECKS if line.startswith(f"| `{name}` |")}
    assert set(rows) == set(CHECKS)
    for name, row in rows.items():
        _, _, stage, _, allowed, severity, _ = (cell.strip() for cell in row.split("|"))
        assert (stage, severity) == (STAGES[name], SETTINGS.severity(name))
        assert f"{getattr(SETTINGS, name):g}" in allowed.split(), name


def test_duplicates_and_what_is_gone_are_no_part_of_what_was_refused() -> None:
    assert refused_share({"kept": 6, "refused": 1, "failed": 1, "duplicate": 50, "gone": 9, "skipped": 4}) == 0.25
    assert refused_share({}) == 0.0


def garment(colour: tuple[int, int, int]) -> RGB:
    picture = np.full((64, 64, 4), 255, np.uint8)
    picture[..., 3] = 0
    picture[10:54, 16:48] = (*colour, 255)
    return picture


def test_the_spread_of_colours_is_the_mean_difference_to_the_most_typical_garment(tmp_path: Path) -> None:
    for number in range(6):
        write_png(tmp_path / f"{number}.png", garment((180, 30, 40)))
    write_png(tmp_path / "0_flip.png", garment((0, 0, 255)))
    (tmp_path / "torn.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    assert colour_spread(list(tmp_path.glob("*.png"))) == 0.0
    for number in range(6, 10):
        write_png(tmp_path / f"{number}.png", garment((30, 40, 180)))
    mixed = colour_spread(list(tmp_path.glob("*.png")))
    difference = ciede2000(*(srgb_to_lab(np.array(rgb, np.uint8)) for rgb in ((180, 30, 40), (30, 40, 180))))
    assert mixed == pytest.approx(4 / 9 * float(difference)), "six of one colour, four of another"
    assert mixed > SETTINGS.cut_out_colours
    assert colour_spread([tmp_path / "0.png"]) == 0.0


def photo(number: int) -> RGB:
    random = np.random.default_rng(number)
    blocks = random.integers(0, 255, (8, 8, 3)).astype(np.uint8)
    return blocks.repeat(40, axis=0).repeat(30, axis=1)


def test_near_duplicates_are_found_under_another_name_size_and_quality(tmp_path: Path) -> None:
    train = [tmp_path / f"train-{number}.jpg" for number in range(5)]
    for number, path in enumerate(train):
        write_bytes(path, encode_jpeg(photo(number)))
    smaller, other, lost = tmp_path / "smaller.jpg", tmp_path / "other.jpg", tmp_path / "lost.jpg"
    write_bytes(smaller, encode_jpeg(np.ascontiguousarray(photo(3)[::2, ::2]), quality=60))
    write_bytes(other, encode_jpeg(photo(9)))
    assert near_duplicates([other, smaller, lost], [*train, tmp_path / "none.jpg"]) == {smaller: train[3]}
