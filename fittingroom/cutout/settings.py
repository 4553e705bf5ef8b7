"""Every threshold of the cut-out step, by name."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Literal

from fittingroom.errors import SettingError
from fittingroom.workspace import digest_value

Method = Literal["auto", "plain", "model"]
People = Literal["allow", "refuse"]


@dataclass(frozen=True)
class CutoutSettings:
    """How garments are cut out and what is refused. Shares are 0 to 1.

    ``method``: ``plain`` never asks the finder, ``model`` trusts only the finder, ``auto`` takes the plain-background
    mask where it is sure or the finder agrees, unless what stands out is a person.
    """

    method: Method = "auto"
    people: People = "allow"
    """``refuse`` when a style's sources should show garments only. Where no finder tells garment from person, a figure
    is refused in any case: what stands out from the background is then all of the person."""
    maximum_side: int = 1024
    """Longest side of the picture that is worked on, in pixels; larger pictures are shrunk first."""
    working_side: int = 128
    """Shorter side at which background and garment are told apart, in pixels; edges are refined at full size."""
    rounds: int = 3
    """Of telling garment and background apart by their colours (see `colour_split`)."""
    border_share: float = 0.04
    """Width of the border strip taken for background, of the shorter side."""
    border_colours: int = 4
    margin: float = 0.04
    """White space around the garment, of its longer side."""
    minimum_area: float = 0.08
    """Garment pixels of all pixels."""
    minimum_side: int = 96
    """Shorter side of the garment's box in the source picture, in pixels."""
    minimum_solidity: float = 0.62
    """Mask area of its convex hull; trousers and spread sleeves reach about 0.65."""
    maximum_border_contact: float = 0.06
    """Part of the picture's border that the garment may cover."""
    maximum_second_area: float = 0.3
    """Area of the second largest thing in the picture, of the largest."""
    minimum_sharpness: float = 0.12
    """See `judge.sharpness`. Real product photos have 0.17 and more; blurred by 3 px (sigma, at 400 px) about 0.115."""
    minimum_confidence: float = 0.8
    """How sure the plain-background mask must be (see `plain.confidence`), and how much of the outline of a finder's
    mask must follow an edge in the picture (see `plain.edge_support`)."""
    maximum_covered: float = 0.12
    """Skin and hair across the garment, of its area (see `people.covered_share`)."""
    finder_score: float = 0.5
    """Score a found garment must reach."""
    agreement: float = 0.75
    """Overlap (IoU) above which the plain-background mask and the finder's mean the same garment."""

    def __post_init__(self) -> None:
        self._one_of("method", ("auto", "plain", "model"))
        self._one_of("people", ("allow", "refuse"))
        self._within("maximum_side", 64, 8192)
        self._within("working_side", 48, 1024)
        self._within("rounds", 1, 20)
        self._within("border_share", 0.005, 0.25)
        self._within("border_colours", 1, 16)
        self._within("margin", 0.0, 0.5)
        self._within("minimum_side", 1, 8192)
        for name in (
            "minimum_area",
            "minimum_solidity",
            "maximum_border_contact",
            "maximum_second_area",
            "minimum_sharpness",
            "minimum_confidence",
            "maximum_covered",
            "finder_score",
            "agreement",
        ):
            self._within(name, 0.0, 1.0)

    def _one_of(self, name: str, allowed: tuple[str, ...]) -> None:
        value = getattr(self, name)
        if value not in allowed:
            raise SettingError(name, value, "one of " + ", ".join(allowed))

    def _within(self, name: str, low: float, high: float) -> None:
        value: int | float = getattr(self, name)
        whole = isinstance(low, int) and isinstance(high, int)
        kinds: tuple[type, ...] = (int,) if whole else (int, float)
        if isinstance(value, bool) or not isinstance(value, kinds) or not low <= float(value) <= high:
            raise SettingError(name, value, f"{'a whole number' if whole else 'a number'} from {low} to {high}")

    def without_tests(self) -> CutoutSettings:
        """These settings with every test passed, for pictures that a person has chosen."""
        return replace(
            self,
            people="allow",
            minimum_area=0.0,
            minimum_side=1,
            minimum_solidity=0.0,
            maximum_border_contact=1.0,
            maximum_second_area=1.0,
            minimum_sharpness=0.0,
            minimum_confidence=0.0,
            maximum_covered=1.0,
        )

    def digest(self) -> str:
        """Names these settings in manifests and cache keys: the same settings, the same digest."""
        return digest_value(asdict(self))[:12]
