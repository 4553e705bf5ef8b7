"""``try-on`` with several photos or styles, and ``verify``: results in a folder, a row for each, and exit codes."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import fittingroom.segmentation.predict
from fittingroom.cli import run
from fittingroom.images import read_rgb, write_png
from fittingroom.tryon.provenance import read_mark
from tests.cli.test_try_on_colours import place

__all__ = ["place"]  # the fixture


def people(place: Path, **greys: int) -> Path:
    for name, grey in greys.items():
        write_png(place / "people" / f"{name}.png", np.full((80, 70, 3), grey, np.uint8))
    return place / "people"


def rows(place: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in (place / "out" / "manifest.jsonl").read_text().splitlines()]


def test_photos_and_styles_make_a_folder(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = people(place, anna=90, ben=100)
    wanted = ["--style", "plain", "--style", str(place / "green.png")]
    out = ["-o", str(place / "out")]
    assert run(["try-on", str(folder), str(place / "me.png"), *wanted, *out, "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert (said["photos"], said["styles"]) == (3, ["plain", "plain-in-2f6b3a"])
    assert (said["counts"], said["without"], said["sheets"]) == ({"done": 6}, [], ["contact-sheet-001.jpg"])
    assert said["manifest"] == str(place / "out" / "manifest.jsonl")
    assert sorted(path.name for path in (place / "out").iterdir()) == [
        ".batch.lock", "anna-plain-in-2f6b3a.png", "anna-plain.png", "ben-plain-in-2f6b3a.png", "ben-plain.png",
        "contact-sheet-001.jpg", "manifest.jsonl", "me-plain-in-2f6b3a.png", "me-plain.png",
    ]  # fmt: skip
    assert [row["key"] for row in rows(place)][:2] == ["../people/anna.png#plain", "../people/anna.png#plain-in-2f6b3a"]
    green = read_rgb(place / "out" / "ben-plain-in-2f6b3a.png")
    assert green[40, 35].tolist() == pytest.approx([47, 107, 58], abs=3)
    assert (green[0, 0] == 100).all()
    mark = read_mark(place / "out" / "ben-plain-in-2f6b3a.png")
    assert mark is not None
    assert mark.style == "plain-in-2f6b3a"
    assert mark.models.startswith("segmenter: version 1, sha256 ")
    assert "; style plain: version 1, sha256 " in mark.models
    assert run(["try-on", str(folder), str(place / "me.png"), *wanted, *out]) == 0
    assert capsys.readouterr().out.startswith("done before 6\n")


def test_the_single_form_gives_the_same_picture(place: Path) -> None:
    assert run(["try-on", str(people(place, anna=90)), "--style", "plain", "-o", str(place / "out")]) == 0
    one = place / "one.png"
    assert run(["try-on", str(place / "people" / "anna.png"), "--style", "plain", "-o", str(one)]) == 0
    assert one.read_bytes() == (place / "out" / "anna-plain.png").read_bytes()


def test_a_bad_photo_is_a_row_and_exit_1(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = people(place, anna=90, empty=0)
    (folder / "broken.jpg").write_bytes(b"no picture")
    assert run(["try-on", str(folder), "--all-styles", "-o", str(place / "out")]) == 1
    said = capsys.readouterr()
    assert "../people/broken.jpg: plain: expected JPEG" in said.err
    assert "../people/empty.png: plain: no garment was found" in said.err
    assert said.out.startswith("done 1, failed 1 (format_not_allowed 1), refused 1 (no_garment 1)\n")
    assert {row["style"]: row["status"] for row in rows(place) if row["photo"] == "../people/anna.png"} == {
        "plain": "kept"
    }
    assert run(["try-on", str(folder), "--all-styles", "-o", str(place / "out"), "--json"]) == 1
    said = json.loads(capsys.readouterr().out)
    assert said["counts"]["done before"] == 1
    assert sorted(row["reason"] for row in said["without"]) == ["format_not_allowed", "no_garment"]


def test_a_folder_that_is_there_takes_one_photo_too(place: Path) -> None:
    (place / "out").mkdir()
    assert run(["try-on", str(place / "me.png"), "--style", "plain", "-o", str(place / "out")]) == 0
    assert (place / "out" / "me-plain.png").exists()


def test_garment_colours_and_strict_hold_for_all(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder, out = people(place, anna=90), ["-o", str(place / "out")]
    assert run(["try-on", str(folder), "--style", "plain", "--colour", "#2f6b3a", "--garment", "upper", *out]) == 0
    assert (place / "out" / "anna-plain-in-2f6b3a-upper.png").exists()
    capsys.readouterr()
    assert run(["try-on", str(folder), "--style", "plain", "--garment", "lower", *out]) == 1
    assert "no garment of the kind lower" in capsys.readouterr().err


WRONG = [
    (["{t}/people"], "--style and --all-styles: expected one of them, got neither"),
    (["{t}/people", "--style", "plain", "--all-styles"], "expected one of them, got both"),
    (["{t}/people", "--style", "plane"], "plane"),
    (["{t}/people", "--style", "plain", "--style", "{t}/nowhere.png"], "picture of the style not found"),
    (["{t}/people", "{t}/nowhere.png", "--style", "plain"], "photo not found"),
    (["{t}/none", "--style", "plain"], "the folder has no picture"),
    (["{t}/people", "--style", "plain", "--explain", "{t}/steps.png"], "--explain"),
    (["{t}/people", "--style", "plain", "-o", "{t}/out.png"], "out.png: expected a folder"),
    (["{t}/people", "--style", "plain", "-o", "{t}/me.png/out"], "me.png"),
    (["{t}/people", "--style", "plain", "--garment", "trouser"], "did you mean trousers"),
]


def test_wrong_usage_is_one_line_and_2_and_no_model_is_loaded(
    place: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fittingroom.segmentation.predict.Segmenter, "load", staticmethod(lambda *_, **__: 1 / 0))
    people(place, anna=90)
    (place / "none").mkdir()
    for arguments, words in WRONG:
        given = [argument.format(t=place) for argument in arguments]
        assert run(["try-on", *given, *([] if "-o" in given else ["-o", str(place / "out")])]) == 2
        said = capsys.readouterr()
        assert words in said.err
        assert len(said.err.strip().splitlines()) == 1, said.err
        assert not (place / "out").exists()


def test_verify_says_what_differs_and_ends_with_0_or_1(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    photo, out = str(place / "me.png"), str(place / "out.png")
    assert run(["try-on", photo, "--style", "plain", "-o", out]) == 0
    capsys.readouterr()
    assert run(["verify", out, "--original", photo]) == 0
    said = capsys.readouterr()
    assert "marked as changed by AI: Fittingroom " in said.out
    assert "21.4% of the pixels differ from the photo, within (20, 20, 50, 60)" in said.out
    assert said.out.endswith("every pixel outside the changed region is the photo's\n")
    assert run(["verify", out, "--original", photo, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["verified"], found["marked"], found["untouched"], found["outside_pixels"]) == (True, True, True, 0)
    assert (found["changed_share"], found["changed_box_xyxy"]) == (0.214286, [20, 20, 50, 60])
    assert run(["verify", photo, "--original", photo]) == 1
    assert "me.png: it is not marked as changed by AI" in capsys.readouterr().err
    assert run(["verify", out, "--original", str(place / "green.png"), "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["reasons"] == ["it has 70 x 80 pixels, the photo 160 x 200"]
    assert run(["verify", out, "--original", str(place / "nowhere.png")]) == 2
