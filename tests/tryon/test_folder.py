"""A folder of results: a row for each photo and style, made once, and made again only where it no longer stands."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from fittingroom.cli import run as command_line
from fittingroom.errors import MissingInputError
from fittingroom.images import read_rgb, write_png
from fittingroom.locks import locked
from fittingroom.manifest import append_line
from fittingroom.tryon.batch import Look
from fittingroom.tryon.folder import LOCK, MANIFEST, ResultFolder, Summary, WantedLook, pictures_in
from fittingroom.tryon.provenance import MadeBy, read_mark
from fittingroom.tryon.settings import TryOnSettings
from fittingroom.tryon.verify import verify
from fittingroom.workspace import digest_file
from tests.tryon.stand_ins import Dyer, Finder

RED = WantedLook("red", MadeBy("red", {"segmenter": "version 1", "style red": "version 1"}), TryOnSettings(), None, {})
GREEN_DYE = ((60.0, -60.0, 50.0),)
GREEN = WantedLook("green", MadeBy("green"), TryOnSettings(dyes=GREEN_DYE, cloth=GREEN_DYE, pattern="solid"), None, {})


class Models:
    """Loads stand-ins and says how often."""

    def __init__(self, looks: list[WantedLook]) -> None:
        self.looks, self.loaded, self.painted = looks, 0, 0

    def __call__(self) -> tuple[Finder, list[Look]]:
        self.loaded += 1
        outer = self

        class Counting(Dyer):
            def translate(self, *arguments: Any) -> np.ndarray:
                outer.painted += 1
                return super().translate(*arguments)

        made = [Look(o.name, Counting(), o.made_by, o.settings, o.category, o.domains) for o in self.looks]
        return Finder(), made


def photo(path: Path, grey: int = 120) -> Path:
    path.parent.mkdir(exist_ok=True)
    write_png(path, np.full((80, 70, 3), grey, np.uint8))
    return path


def run(out: Path, photos: list[Path], *looks: WantedLook) -> tuple[Summary, Models]:
    models = Models(list(looks))
    out.mkdir(exist_ok=True)
    return ResultFolder(out).try_on(photos, looks, models), models


def rows(out: Path) -> dict[str, dict[str, Any]]:
    return {row["key"]: row for row in map(json.loads, (out / MANIFEST).read_text().splitlines())}


def test_a_row_says_all_that_came_of_a_photo_and_a_style(tmp_path: Path) -> None:
    good, empty, broken = photo(tmp_path / "in" / "good.png"), photo(tmp_path / "in" / "e.png", 0), tmp_path / "b.jpg"
    broken.write_bytes(b"no picture")
    out = tmp_path / "out"
    summary, _ = run(out, [good, empty, broken], RED, GREEN)
    assert (summary.photos, summary.styles, summary.sheets) == (3, ["red", "green"], ["contact-sheet-001.jpg"])
    assert summary.counts == {
        "done": 2, "refused": 2, "refused: no_garment": 2, "failed": 2, "failed: format_not_allowed": 2,
    }  # fmt: skip
    assert [row["key"] for row in summary.without] == [
        "../in/e.png#red", "../in/e.png#green", "../b.jpg#red", "../b.jpg#green",
    ]  # fmt: skip
    row = rows(out)["../in/good.png#green"]
    assert (row["status"], row["path"], row["style"]) == ("kept", "good-green.png", "green")
    assert row["sha256"] == digest_file(out / "good-green.png")
    assert row["source_sha256"] == digest_file(good)
    assert [(each["category"], each["changed"]) for each in row["garments"]] == [("vest", True)]
    assert (row["garment"], row["score"], row["box_xyxy"]) == ("vest", 0.9, [20, 20, 50, 60])
    assert row["colour"][0]["ciede2000"] < 1
    assert "only 0% of its outline follows an edge" in row["doubt"] or row["doubt"] == ""
    assert "no garment was found" in rows(out)["../in/e.png#red"]["error"]
    assert verify(out / "good-red.png", good).verified
    mark = read_mark(out / "contact-sheet-001.jpg")
    assert mark is not None
    assert (mark.style, mark.box_xyxy, mark.mask) == ("red, green", None, None), "it shows results"
    sheet = read_rgb(out / "contact-sheet-001.jpg").astype(int)
    assert (np.abs(sheet - (200, 30, 40)).sum(2) < 60).any(), "the red result is on the sheet"


def test_what_stands_is_not_made_again_and_no_model_is_loaded(tmp_path: Path) -> None:
    photos = [photo(tmp_path / f"{name}.png", grey) for name, grey in (("a", 90), ("b", 0))]
    out = tmp_path / "out"
    run(out, photos, RED)
    before = {path.name: (path.stat().st_mtime_ns, path.read_bytes()) for path in out.iterdir()}
    summary, models = run(out, photos, RED)
    assert models.loaded == 0
    assert summary.counts == {"done before": 1, "refused": 1, "refused: no_garment": 1}
    assert len(summary.without) == 1, "what was refused before is still without a result"
    assert {path.name: (path.stat().st_mtime_ns, path.read_bytes()) for path in out.iterdir()} == before
    more = photo(tmp_path / "c.png")
    summary, models = run(out, [*photos, more], RED, GREEN)
    assert summary.counts["done before"] == 1
    assert (summary.counts["done"], models.loaded, models.painted) == (3, 1, 3)


@pytest.mark.parametrize("what", ["deleted", "damaged", "photo", "settings", "version", "row"])
def test_what_no_longer_stands_is_made_again(tmp_path: Path, what: str) -> None:
    one, other = photo(tmp_path / "a.png", 90), photo(tmp_path / "b.png", 100)
    out, look = tmp_path / "out", RED
    run(out, [one, other], look)
    result = out / "a-red.png"
    whole = result.read_bytes()
    if what == "deleted":
        result.unlink()
    elif what == "damaged":
        result.write_bytes(whole[:-1])
    elif what == "photo":
        photo(one, 95)
    elif what == "settings":
        look = replace(RED, settings=TryOnSettings(detail=0.5))
    elif what == "version":
        look = replace(RED, made_by=MadeBy("red", {"segmenter": "version 1", "style red": "version 2"}))
    else:
        text = (out / MANIFEST).read_text().splitlines(keepends=True)
        (out / MANIFEST).write_text(text[1] + text[0][:40])
    summary, models = run(out, [one, other], look)
    again = 2 if what in ("settings", "version") else 1
    assert (summary.counts["done"], models.painted) == (again, again)
    assert (result.read_bytes() == whole) == (what in ("deleted", "damaged", "row", "settings"))
    assert summary.counts.get("done before", 0) == 2 - again
    assert sorted(path.name for path in out.glob("*.png")) == ["a-red.png", "b-red.png"]
    assert run(out, [one, other], look)[0].counts == {"done before": 2}


def test_a_batch_that_was_stopped_goes_on(tmp_path: Path) -> None:
    photos, out = [photo(tmp_path / f"{number}.png", 90 + number) for number in range(5)], tmp_path / "out"
    out.mkdir()
    said: list[Any] = []

    def stop(row: Any) -> None:
        said.append(row)
        if len(said) == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ResultFolder(out).try_on(photos, [RED, GREEN], Models([RED, GREEN]), stop)
    assert len(rows(out)) == 3
    summary, models = run(out, photos, RED, GREEN)
    assert (summary.counts, models.painted) == ({"done before": 3, "done": 7}, 7)
    assert not list(out.glob(".*")), "nothing half-written is left"


def test_a_photo_that_gives_no_result_any_more_leaves_none(tmp_path: Path) -> None:
    one, out = photo(tmp_path / "a.png"), tmp_path / "out"
    run(out, [one], RED)
    photo(one, 0)
    assert run(out, [one], RED)[0].counts == {"refused": 1, "refused: no_garment": 1}
    assert not (out / "a-red.png").exists()


def test_photos_of_one_name_do_not_overwrite_each_other(tmp_path: Path) -> None:
    photos = [photo(tmp_path / folder / name, grey) for folder, name, grey in (
        ("a", "me.png", 90), ("b", "me.png", 100), ("b", "ME.png", 110),
    )]  # fmt: skip
    long = photo(tmp_path / ("é" * 125 + ".png"))
    out = tmp_path / "out"
    run(out, [*photos, long], RED)
    made = {row["photo"]: row["path"] for row in rows(out).values()}
    assert made["../a/me.png"] == "me-red.png"
    assert made["../b/me.png"] == f"me-{digest_file(photos[1])[:8]}-red.png"
    assert len({path.lower() for path in made.values()}) == 4
    assert (read_rgb(out / made["../b/ME.png"])[0, 0] == 110).all()
    assert run(out, photos[::-1], RED)[0].counts == {"done before": 3}, "whatever the order"


def test_moved_together_or_named_otherwise_they_stand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    photo(tmp_path / "one" / "me.png")
    run(tmp_path / "one" / "out", [tmp_path / "one" / "me.png"], RED)
    shutil.move(tmp_path / "one", tmp_path / "two")
    monkeypatch.chdir(tmp_path / "two")
    assert run(Path("out"), [Path("me.png")], RED)[0].counts == {"done before": 1}


def test_a_manifest_leads_nowhere_else(tmp_path: Path) -> None:
    one = photo(tmp_path / "a.png")
    out = tmp_path / "out"
    run(out, [one], RED)
    row = rows(out)["../a.png#red"]
    for path in ("../stolen.png", str(tmp_path / "stolen.png")):
        append_line(out / MANIFEST, {**row, "path": path, "sha256": "0"})
    (out / "a-red.png").unlink()
    run(out, [one], RED)
    assert (out / "a-red.png").exists()
    assert not (tmp_path / "stolen.png").exists()


def test_contact_sheets_hold_twenty_photos_and_old_ones_go(tmp_path: Path) -> None:
    photos = [photo(tmp_path / "in" / f"{number:02}.png", 60 + number) for number in range(21)]
    out = tmp_path / "out"
    assert run(out, photos, RED)[0].sheets == ["contact-sheet-001.jpg", "contact-sheet-002.jpg"]
    with Image.open(out / "contact-sheet-001.jpg") as sheet:
        first = sheet.size
    with Image.open(out / "contact-sheet-002.jpg") as sheet:
        assert sheet.size[1] < first[1] / 10
    before = (out / "contact-sheet-001.jpg").read_bytes()
    assert run(out, photos[:20], RED)[0].sheets == ["contact-sheet-001.jpg"]
    assert not (out / "contact-sheet-002.jpg").exists()
    assert (out / "contact-sheet-001.jpg").read_bytes() == before
    run(out, photos[:2], RED)
    with Image.open(out / "contact-sheet-001.jpg") as sheet:
        assert sheet.size[1] < first[1] / 5, "what was there before is drawn from its files"
    assert (np.abs(read_rgb(out / "contact-sheet-001.jpg").astype(int) - (200, 30, 40)).sum(2) < 60).any()


def test_the_pictures_of_a_folder(tmp_path: Path) -> None:
    place = tmp_path / "in"
    for name in ("b.jpg", "a.PNG", "phone", "x.heic"):
        photo(place / "p.png").rename(place / name)
    (place / "notes.txt").write_text("no picture")
    (place / ".hidden.png").write_bytes(b"")
    (place / "inner").mkdir()
    one = photo(tmp_path / "one.png")
    found = pictures_in([place, one, place / "b.jpg"], tmp_path / "out")
    assert [path.name for path in found] == ["a.PNG", "b.jpg", "phone", "x.heic", "one.png"]
    for person in (tmp_path / "nowhere.png", place / "inner"):
        with pytest.raises(MissingInputError, match=person.name):
            pictures_in([person], tmp_path / "out")
    run(place, [place / "b.jpg"], RED)
    assert [path.name for path in pictures_in([place], place)] == ["a.PNG", "b.jpg", "phone", "x.heic"]


def test_photos_of_one_name_and_one_content_have_a_result_each(tmp_path: Path) -> None:
    """Else they would take turns to overwrite the one that they share."""
    photos = [photo(tmp_path / folder / "me.png") for folder in "abcd"]
    run(tmp_path / "out", photos, RED)
    kept = rows(tmp_path / "out").values()
    assert len({row["path"] for row in kept}) == 4
    photo(photos[2], 90)
    run(tmp_path / "out", photos, RED)
    for number, each in enumerate(photos):
        row = rows(tmp_path / "out")[f"../{'abcd'[number]}/me.png#red"]
        assert verify(tmp_path / "out" / row["path"], each).verified
    assert run(tmp_path / "out", photos, RED)[1].loaded == 0


def test_nothing_of_a_persons_is_overwritten_or_removed(tmp_path: Path) -> None:
    """The results go into the folder of the photos, where files have the names that results would have."""
    photos = [photo(tmp_path / "me.png"), photo(tmp_path / "me-red.png", 90), photo(tmp_path / "me-red-red.png", 60)]
    own = [*photos, photo(tmp_path / "contact-sheet-001.jpg"), photo(tmp_path / "contact-sheet-party.jpg")]
    (tmp_path / "you-red.png").write_text("no picture")
    photos.append(photo(tmp_path / "you.png", 30))
    before = {path: path.read_bytes() for path in [*own, tmp_path / "you-red.png"]}
    for sheets in (["contact-sheet-002.jpg"], ["contact-sheet-002.jpg"]):
        summary, _ = run(tmp_path, photos, RED)
        assert summary.sheets == sheets
        assert {path: path.read_bytes() for path in before} == before
    for each in photos:
        row = rows(tmp_path)[f"{each.name}#red"]
        assert verify(tmp_path / row["path"], each).verified


def test_two_batches_do_not_write_into_one_folder(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ResultFolder, "try_on", lambda *_: pytest.fail("it is not to begin"))
    (tmp_path / "out").mkdir()
    with locked(tmp_path / "out" / LOCK):
        words = ["try-on", str(photo(tmp_path / "me.png")), "--all-styles", "-o", str(tmp_path / "out")]
        assert command_line(words) == 2
    assert capsys.readouterr().err.splitlines()[-1] == (
        f"error: {tmp_path / 'out'}: another batch writes into it; wait for its end, or name another folder"
    )


def test_a_result_without_its_row_is_a_killed_batchs_and_is_made_again(tmp_path: Path) -> None:
    photos = [photo(tmp_path / "me.png")]
    run(tmp_path / "out", photos, RED)
    (tmp_path / "out" / MANIFEST).unlink()
    run(tmp_path / "out", photos, RED)
    assert sorted(path.name for path in (tmp_path / "out").glob("me*")) == ["me-red.png"]
