"""The wanted style by name or by picture."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fittingroom.errors import ImageRejected, MissingInputError
from fittingroom.images import write_png
from fittingroom.styles.choose import AvailableStyle
from fittingroom.tryon.wanted import find_wanted, is_picture
from tests.tryon.stand_ins import Finder

STYLES = [
    AvailableStyle("red-solid", "red", "solid", "short sleeve top", (43.0, 60.0, 38.0)),
    AvailableStyle("navy-solid", "blue", "solid", "short sleeve top", (15.0, 10.0, -30.0)),
]


class Serving:
    """Two styles, and a segmenter that finds the middle of a picture."""

    def styles(self) -> list[AvailableStyle]:
        """Both."""
        return STYLES

    def segmenter(self) -> Finder:
        """A stand-in."""
        return Finder()


def find(wanted: Path | str) -> str:
    champions: Any = Serving()
    return find_wanted(str(wanted), champions).style.name


def plain(path: Path, colour: tuple[int, int, int]) -> Path:
    write_png(path, np.full((200, 160, 3), colour, np.uint8))
    return path


def test_a_name_is_no_picture_and_a_path_is_one() -> None:
    assert [is_picture(name) for name in ("red-solid", "Red Solid", "red_solid")] == [False] * 3
    assert [is_picture(name) for name in ("me.jpg", "/a/me", "folder/me.png")] == [True] * 3
    assert find("Red_Solid") == "red-solid"


def test_a_picture_chooses_the_style_that_looks_most_alike(tmp_path: Path) -> None:
    assert find(plain(tmp_path / "red.png", (190, 30, 40))) == "red-solid"
    assert find(plain(tmp_path / "blue.png", (20, 30, 90))) == "navy-solid"


def test_what_cannot_be_used_is_named(tmp_path: Path) -> None:
    with pytest.raises(MissingInputError, match=r"style picture not found: .*gone\.png"):
        find(tmp_path / "gone.png")
    with pytest.raises(MissingInputError, match="style not found: red-sollid"):
        find("red-sollid")
    (tmp_path / "no.png").write_text("no picture")
    with pytest.raises(ImageRejected, match=r"no\.png"):
        find(tmp_path / "no.png")
