"""The wanted style by name or by picture."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fittingroom.appearance.choose import AvailableStyle
from fittingroom.errors import ImageRejected, InputError, MissingInputError, NothingNear
from fittingroom.images import write_png
from fittingroom.tryon.settings import TryOnSettings
from fittingroom.tryon.wanted import Wanted, Wish, find_wanted, is_picture
from tests.tryon.stand_ins import Finder

STYLES = [
    AvailableStyle("red-solid", "red", "solid", "short sleeve top", (43.0, 60.0, 38.0), True),
    AvailableStyle("navy-solid", "blue", "solid", "short sleeve top", (15.0, 10.0, -30.0), True),
    AvailableStyle("old-dotted", "yellow", "dotted", "skirt", (85.0, 5.0, 80.0)),
]


class Serving:
    """Some styles, and a segmenter that finds the middle of a picture."""

    def __init__(self, available: list[AvailableStyle]) -> None:
        self.available = available

    def styles(self) -> list[AvailableStyle]:
        """All."""
        return self.available

    def segmenter(self) -> Finder:
        """A stand-in."""
        return Finder()


def look(wanted: Path | str, styles: list[AvailableStyle] = STYLES, **wish: Any) -> Wanted:
    champions: Any = Serving(styles)
    return find_wanted(str(wanted), champions, Wish(**wish))


def find(wanted: Path | str) -> str:
    return look(wanted).style.name


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


def striped(path: Path) -> Path:
    rows = np.where(
        (np.arange(200) % 10 < 5)[:, None, None], np.array([20, 30, 90], np.uint8), np.array([235, 235, 230], np.uint8)
    )
    write_png(path, np.repeat(rows, 160, 1))
    return path


def test_a_picture_brings_its_own_colours(tmp_path: Path) -> None:
    wanted = look(plain(tmp_path / "green.png", (47, 107, 58)))
    assert (wanted.style.name, wanted.choice.exact, wanted.dyed) == ("navy-solid", True, True)
    assert [dye.code for dye in wanted.cloth] == ["#2f6b3a"]
    assert wanted.painting() == {
        "dyes": [[40.29, -31.12, 21.67]],
        "cloth": [[40.29, -31.12, 21.67]],
        "pattern": "solid",
    }
    assert (wanted.label, wanted.words()) == ("navy-solid-in-2f6b3a", "navy-solid in #2f6b3a")
    assert wanted.described is not None
    assert (wanted.described["colour"], wanted.described["pattern"]) == ("green", "solid")


@pytest.mark.parametrize(("rows", "vector"), [(True, (0.0, 10.0)), (False, (10.0, 0.0))])
def test_a_picture_brings_its_own_repeat(tmp_path: Path, rows: bool, vector: tuple[float, float]) -> None:
    image = np.full((200, 160, 3), (20, 40, 110), np.uint8)
    places = np.arange(200 if rows else 160) % 20 < 8
    image[places if rows else (slice(None), places)] = (235, 235, 230)
    write_png(tmp_path / "stripes.png", image)
    style = AvailableStyle("striped", "", "striped", takes_dyes=True)
    wanted = look(tmp_path / "stripes.png", cloth=True, styles=[*STYLES, style])
    assert (wanted.style.name, wanted.choice.exact, wanted.dyed) == ("striped", True, True)
    assert wanted.repeat is not None
    assert np.allclose(wanted.repeat.vectors, [vector], atol=0.6)
    assert wanted.label == "striped-in-14286e-ebebe6-" + ("10at90" if rows else "10at0")
    assert np.allclose(TryOnSettings(**wanted.painting()).repeat, [vector], atol=0.6)


def test_house_colours_keep_the_styles_and_still_know_what_was_wanted(tmp_path: Path) -> None:
    wanted = look(plain(tmp_path / "green.png", (47, 107, 58)), house_colours=True)
    assert (wanted.choice.exact, wanted.dyed, wanted.label) == (False, False, wanted.style.name)
    assert wanted.choice.distance > 20
    assert wanted.painting()["dyes"] is None
    assert wanted.painting()["cloth"] == [[40.29, -31.12, 21.67]]


def test_a_name_keeps_its_colours_or_takes_those_that_are_named() -> None:
    own = look("red-solid")
    assert (own.painting(), own.label, own.words()) == ({}, "red-solid", "red-solid (red, solid)")
    dyed = look("red-solid", colours=("#2f6b3a", "white"))
    assert [dye.code for dye in dyed.cloth] == ["#2f6b3a", "#ffffff"]
    assert dyed.dyed
    assert dyed.label == "red-solid-in-2f6b3a-ffffff"
    with pytest.raises(InputError, match="colour: expected #rrggbb"):
        look("red-solid", colours=("reddish",))
    with pytest.raises(InputError, match="style old-dotted has no colours but its own"):
        look("old-dotted", colours=("red",))


def test_a_pattern_that_no_style_has_is_refused_unless_the_nearest_is_asked_for(tmp_path: Path) -> None:
    picture = striped(tmp_path / "striped.png")
    with pytest.raises(NothingNear) as caught:
        look(picture)
    assert caught.value.exit_code == 1
    said = r"no style is \w+ striped; the nearest is \S+-solid \(\w+, solid\), solid instead of striped"
    said = r"no style is \w+ striped; the nearest is \S+-solid \(\w+, solid\), solid instead of striped"
    assert re.match(said, str(caught.value))
    assert "--nearest" in str(caught.value)
    assert "--nearest" not in caught.value.what
    with pytest.raises(NothingNear):
        look(picture, house_colours=True)
    with pytest.raises(InputError, match="no style is"):
        look(picture, exact=True)
    taken = look(picture, nearest=True)
    assert (taken.choice.exact, taken.style.pattern, taken.dyed) == (False, "solid", True)
    assert len(taken.cloth) == 2


def test_wishes_that_contradict_each_other(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="exact and nearest"):
        Wish(exact=True, nearest=True)
    with pytest.raises(InputError, match="colour and house colours"):
        Wish(house_colours=True, colours=("red",))
    with pytest.raises(InputError, match="a picture brings its own colours"):
        look(plain(tmp_path / "red.png", (190, 30, 40)), colours=("blue",))
