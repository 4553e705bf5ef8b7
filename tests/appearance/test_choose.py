"""The style a style image gets: its own, else the nearest with a plain sentence, else a listing."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import pytest

from fittingroom.appearance.choose import PATTERN_PENALTY, AvailableStyle, choose_by_name, choose_style
from fittingroom.errors import InputError, MissingInputError

RED, DARK_RED, NAVY, WHITE = (45.0, 60.0, 40.0), (33.0, 48.0, 28.0), (20.0, 10.0, -35.0), (95.0, 0.0, 2.0)
STYLES = [
    AvailableStyle("navy-striped", "navy", "striped", "long sleeve top", NAVY),
    AvailableStyle("red-checked", "red", "checked", "long sleeve top", RED),
    AvailableStyle("red-solid", "red", "solid", "short sleeve top", RED),
    AvailableStyle("white-dotted", "white", "dotted", "skirt", WHITE),
]


def described(colour: str, lab: tuple, pattern: str, confidence: float = 0.9) -> SimpleNamespace:
    return SimpleNamespace(colour=colour, lab=lab, pattern=pattern, confidence=confidence)


def test_exact_match_by_colour_and_pattern() -> None:
    choice = choose_style(described("red", DARK_RED, "checked"), STYLES)
    assert (choice.style.name, choice.exact) == ("red-checked", True)
    assert "red-checked" in choice.message


def test_a_catalogs_own_colour_word_matches_by_what_was_measured() -> None:
    """The catalog says navy, the description's basic name for it is blue."""
    choice = choose_style(described("blue", (25.0, 12.0, -40.0), "striped"), STYLES, exact=True)
    assert (choice.style.name, choice.exact) == ("navy-striped", True)


def test_nearest_keeps_the_pattern_between_like_colours() -> None:
    choice = choose_style(described("orange", (58.0, 45.0, 50.0), "checked"), STYLES)
    assert (choice.style.name, choice.exact) == ("red-checked", False)
    assert choice.message == "no style is orange checked; the nearest is red-checked (red, checked)"


def test_nearest_keeps_the_colour_when_the_pattern_is_only_on_another_one() -> None:
    choice = choose_style(described("red", RED, "dotted"), STYLES)
    assert choice.style.colour == "red"
    assert not choice.exact
    assert "instead of dotted" in choice.message


def test_an_unsure_pattern_weighs_less() -> None:
    """Halfway in colour from red and from a checked style: sure of checks takes those, unsure goes by colour."""
    styles = [
        AvailableStyle("red-solid", "red", "solid", lab=RED),
        AvailableStyle("far", "pink", "checked", lab=(60, 50, 5)),
    ]
    lab = (46.0, 56.0, 36.0)
    assert choose_style(described("brown", lab, "checked", 0.95), styles).style.name == "far"
    assert choose_style(described("brown", lab, "checked", 0.1), styles).style.name == "red-solid"


def test_exact_refuses_and_lists_what_there_is() -> None:
    with pytest.raises(InputError) as caught:
        choose_style(described("green", (50, -50, 40), "floral"), STYLES, exact=True)
    message = str(caught.value)
    assert "no style is green floral" in message
    assert all(style.name in message for style in STYLES)
    assert caught.value.exit_code == 2


def test_the_category_decides_between_equals() -> None:
    twins = [AvailableStyle(n, "red", "solid", c, RED) for n, c in (("a", "skirt"), ("b", "trousers"))]
    assert choose_style(described("red", RED, "solid"), twins, category="trousers").style.name == "b"
    assert choose_style(described("red", RED, "solid"), twins).style.name == "a"


def test_no_style_at_all() -> None:
    with pytest.raises(InputError, match="no style is registered yet"):
        choose_style(described("red", RED, "solid"), [])


def test_a_style_never_measured_is_matched_by_its_words() -> None:
    styles = [AvailableStyle("x", "green", "solid"), AvailableStyle("y", "red", "solid")]
    assert choose_style(described("red", RED, "solid"), styles).style.name == "y"
    assert choose_style(described("red", RED, "dotted"), styles).style.name == "y"


@pytest.mark.parametrize("name", ["red-solid", "Red Solid", " red_solid "])
def test_by_name(name: str) -> None:
    choice = choose_by_name(name, STYLES)
    assert (choice.style.name, choice.exact) == ("red-solid", True)


def test_by_an_unknown_name_lists_what_there_is() -> None:
    with pytest.raises(MissingInputError, match="red-checked"):
        choose_by_name("tartan", STYLES)


def test_tags_round_trip() -> None:
    for style in (*STYLES, AvailableStyle("plain", "red", "solid")):
        assert AvailableStyle.from_tags(style.name, style.to_tags()) == style


@pytest.mark.parametrize("lab", ["", "[1, 2]", "null", '[1, 2, "x"]', "{"])
def test_damaged_tags_lose_the_colour_and_nothing_else(lab: str) -> None:
    assert AvailableStyle.from_tags("x", {"lab": lab, "colour": "red"}) == AvailableStyle("x", "red", "")


DYEABLE = [replace(style, takes_dyes=True) for style in STYLES]


def test_painted_in_its_own_colours_a_picture_needs_a_pattern_alone() -> None:
    choice = choose_style(described("green", (50, -50, 40), "checked"), DYEABLE, exact=True, own_colours=True)
    assert (choice.style.name, choice.exact, choice.distance) == ("red-checked", True, 0.0)
    assert choice.message == (
        "the style image is green checked: style red-checked (red, checked), in the picture's own colours"
    )
    undyed = choose_style(described("green", (50, -50, 40), "checked"), STYLES, own_colours=True)
    assert (undyed.exact, undyed.distance > 50) == (False, True), "these weights have their own colours alone"


def test_of_styles_of_one_pattern_the_nearest_in_colour_gives_the_weights() -> None:
    two = [AvailableStyle(name, "", "solid", "", lab, True) for name, lab in (("a-dark", NAVY), ("b-light", WHITE))]
    assert choose_style(described("grey", (80, 0, 0), "solid"), two, own_colours=True).style.name == "b-light"
    assert choose_style(described("black", (5, 0, 0), "solid"), two, own_colours=True).style.name == "a-dark"


def test_a_pattern_that_no_style_has_is_so_far_off_whatever_the_colours() -> None:
    choice = choose_style(described("green", (50, -50, 40), "floral"), DYEABLE, own_colours=True)
    assert (choice.exact, choice.distance) == (False, PATTERN_PENALTY)
    assert "instead of floral" in choice.message
