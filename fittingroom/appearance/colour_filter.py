"""Whether a garment is of its style's colour and pattern: the test that `fittingroom.cutout` asks on a style's behalf.

A catalog's colour is any words ("navy", "light blue"), photos are lit as they come, and prints have colours of their
own; patterns are guessed from one picture: refused is only what is plainly something else.
"""

from __future__ import annotations

from collections.abc import Callable

from fittingroom.appearance.colours import COLOUR_NAMES
from fittingroom.appearance.describe import colour_shares
from fittingroom.appearance.patterns import pattern_probabilities
from fittingroom.images import RGB
from fittingroom.masks import Mask
from fittingroom.style_card import PATTERNS, Pattern

_BASIC = {
    "navy": "blue", "denim": "blue", "indigo": "blue", "azure": "blue", "turquoise": "blue green",
    "teal": "blue green", "mint": "green", "olive": "green brown", "khaki": "green beige brown",
    "burgundy": "red purple", "wine": "red purple", "maroon": "red brown", "crimson": "red",
    "coral": "orange pink", "salmon": "pink orange", "rose": "pink", "magenta": "pink purple",
    "fuchsia": "pink purple", "violet": "purple", "lilac": "purple pink", "lavender": "purple",
    "gold": "yellow brown", "mustard": "yellow brown", "cream": "white beige", "ivory": "white beige",
    "ecru": "beige white", "tan": "brown beige", "camel": "brown beige", "sand": "beige",
    "taupe": "brown grey beige", "charcoal": "grey black", "silver": "grey", "gray": "grey",
    "anthracite": "grey black",
}  # fmt: skip
"""Words of fashion to the names of `colours.COLOUR_NAMES`."""
_NEAR = {
    "black": "grey blue brown", "white": "grey beige", "grey": "black white blue beige",
    "red": "pink orange brown purple", "orange": "red yellow brown", "yellow": "orange beige green",
    "green": "blue yellow brown grey", "purple": "blue pink red", "blue": "purple grey black green",
    "pink": "red purple beige orange", "brown": "beige red orange black",
    "beige": "white brown yellow pink grey",
}  # fmt: skip
"""What light and shadow make of each name."""
_ENOUGH = 0.1
_ENOUGH_NEAR = 0.5

_NEAR_PATTERNS: dict[Pattern, tuple[Pattern, ...]] = {
    "solid": (),
    "striped": ("checked",),
    "checked": ("striped",),
    "dotted": ("floral", "graphic"),
    "floral": ("dotted", "graphic"),
    "graphic": ("dotted", "floral"),
}
"""What each pattern is taken for in a single picture."""
_UNLIKELY = 0.1
"""Probability of a pattern and its near ones below which a garment has another: of 227 garments that the network was
never fitted on this refuses 7 that are of their pattern, 3 of 83 plain ones among them, and 102 of 144 patterned ones
as solid."""

GarmentTest = Callable[[RGB, Mask], str | None]


def basic_colours(words: str) -> frozenset[str]:
    """The basic names that a catalog's colour stands for; none for words that are not known."""
    last = [word for word in words.lower().replace("-", " ").split() if word in _BASIC or word in COLOUR_NAMES][-1:]
    return frozenset(name for word in last for name in _BASIC.get(word, word).split())


def colour_test(words: str) -> GarmentTest | None:
    """A test of (picture, garment's mask) against the colour ``words``: None, or what was found instead.

    There is no test (None) for words that stand for no basic colour, such as *multicoloured*.
    """
    wanted = basic_colours(words)
    if not wanted:
        return None
    near = wanted | {other for name in wanted for other in _NEAR[name].split()}

    def test(image: RGB, mask: Mask) -> str | None:
        shares: dict[str, float] = dict(colour_shares(image, mask))
        if sum(shares.get(name, 0.0) for name in wanted) >= _ENOUGH:
            return None
        if sum(shares.get(name, 0.0) for name in near) >= _ENOUGH_NEAR:
            return None
        found, share = next(iter(shares.items()))
        return f"{share:.0%} {found}, expected {words}"

    return test


def pattern_test(pattern: str) -> GarmentTest | None:
    """A test of (picture, garment's mask) against one of `PATTERNS`; None for any other word."""
    wanted = next((name for name in PATTERNS if name == pattern), None)
    if wanted is None:
        return None

    def test(image: RGB, mask: Mask) -> str | None:
        probabilities = pattern_probabilities(image, mask)
        if sum(probabilities[name] for name in (wanted, *_NEAR_PATTERNS[wanted])) >= _UNLIKELY:
            return None
        found = max(probabilities, key=lambda name: probabilities[name])
        return f"{found} ({probabilities[found]:.0%} sure), expected {wanted}"

    return test


def style_test(colour: str, pattern: str) -> GarmentTest | None:
    """The tests of both together; None where neither says anything."""
    tests = [test for test in (colour_test(colour), pattern_test(pattern)) if test]
    if not tests:
        return None
    return lambda image, mask: next((why for test in tests if (why := test(image, mask))), None)
