"""``try-on`` where a person says which garment is meant, and whose; and the ten steps as one picture."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import fittingroom.segmentation.predict
from fittingroom.categories import CATEGORY_IDS
from fittingroom.garment import Garment
from fittingroom.images import read_rgb, write_png
from fittingroom.tryon.provenance import read_mark
from tests.cli.test_try_on_colours import place, try_on

__all__ = ["place"]  # the fixture
BOXES = {"short sleeve top": (5, 30, 5, 30), "trousers": (8, 28, 32, 70), "vest": (42, 62, 10, 40)}


class Two:
    """Finds a top and trousers on the left, and a vest on the right."""

    def find(self, image: np.ndarray, score_threshold: float | None = None) -> list[Garment]:
        assert score_threshold is None
        found = []
        for category, (x1, x2, y1, y2) in BOXES.items():
            mask = np.zeros(image.shape[:2], bool)
            mask[y1:y2, x1:x2] = True
            found.append(Garment(CATEGORY_IDS[category], 0.9, mask))
        return found


@pytest.fixture(autouse=True)
def _two(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: ARG001  after what it replaces
    monkeypatch.setattr(fittingroom.segmentation.predict.Segmenter, "load", staticmethod(lambda *_, **__: Two()))


def changed(folder: Path) -> set[str]:
    before, after = read_rgb(folder / "me.png").astype(int), read_rgb(folder / "out.png").astype(int)
    touched = np.abs(before - after).sum(2) > 30
    return {name for name, (x1, x2, y1, y2) in BOXES.items() if touched[y1:y2, x1:x2].mean() > 0.9}


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ([], {"trousers"}),
        (["--garment", "upper"], {"short sleeve top"}),
        (["--garment", "trousers"], {"trousers"}),
        (["--garment", "2"], {"short sleeve top"}),
        (["--garment", "all"], {"short sleeve top", "trousers"}),
        (["--person", "2"], {"vest"}),
        (["--garment", "upper", "--person", "all"], {"short sleeve top", "vest"}),
        (["--garment", "all", "--person", "all"], set(BOXES)),
    ],
)
def test_the_garment_that_was_meant(
    place: Path, capsys: pytest.CaptureFixture[str], options: list[str], expected: set[str]
) -> None:
    assert try_on(place, "plain", "--json", *options) == 0
    said = json.loads(capsys.readouterr().out)
    assert changed(place) == expected
    assert {each["category"] for each in said["garments"] if each["changed"]} == expected
    assert [(each["number"], each["person"], each["category"]) for each in said["garments"]] == [
        (1, 1, "trousers"),
        (2, 1, "short sleeve top"),
        (3, 2, "vest"),
    ]


def test_what_is_not_on_the_photo_ends_with_1_and_no_picture(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert try_on(place, "plain", "--garment", "full") == 1
    error = capsys.readouterr().err
    assert "no garment of the kind full was found" in error
    assert "1 probably trousers, 2 probably a short sleeve top, 3 probably a vest" in error
    assert not (place / "out.png").exists()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--garment", "trouser"], "did you mean trousers?"),
        (["--person", "left"], "expected a number, counted from the left, or all"),
        (["--explain", "steps.gif"], "--explain"),
        (["--explain", "nowhere/steps.png"], "--explain"),
    ],
)
def test_wrong_usage_is_one_line_and_2(
    place: Path, capsys: pytest.CaptureFixture[str], options: list[str], words: str
) -> None:
    assert try_on(place, "plain", *options) == 2
    error = capsys.readouterr().err
    assert words in error
    assert error.count("\n") == 1


def test_the_ten_steps_as_one_picture(place: Path) -> None:
    assert try_on(place, str(place / "green.png"), "--explain", str(place / "steps.png")) == 0
    steps = read_rgb(place / "steps.png")
    assert steps.shape[0] > 2 * 480
    green = np.abs(steps.astype(int) - (47, 107, 58)).sum(2) < 30
    assert green[:500].mean() > 0.05, "the style's picture stands above"
    assert green[500:].mean() > 0.05, "what was painted stands below"
    write_png(place / "alpha.png", np.full((80, 70, 4), 90, np.uint8))
    assert try_on(place, "plain", "--explain", str(place / "steps.jpg")) == 0
    assert read_rgb(place / "steps.jpg").shape[0] == steps.shape[0]
    mark = read_mark(place / "steps.jpg")
    assert mark is not None
    assert mark.style == "plain", "it is made by AI, too"
