"""Every threshold of the cut-out step, by name."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated

from fittingroom.fields import CheckedSettings, Method, People, Range, Share
from fittingroom.workspace import digest_value


@dataclass(frozen=True)
class CutoutSettings(CheckedSettings):
    """How garments are cut out and what is refused."""

    method: Method = "auto"
    """``plain`` never asks the finder, ``model`` trusts only the finder, ``auto`` takes the plain-background mask where
    it is sure or the finder agrees, unless what stands out is a person."""
    people: People = "allow"
    """``refuse`` when a style's sources should show garments only. Where no finder tells garment from person, a figure
    is refused in any case: what stands out from the background is then all of the person."""
    maximum_side: Annotated[int, Range(64, 8192)] = 1024
    """Longest side of the picture that is worked on, in pixels; larger pictures are shrunk first."""
    working_side: Annotated[int, Range(48, 1024)] = 128
    """Shorter side at which background and garment are told apart, in pixels; edges are refined at full size."""
    rounds: Annotated[int, Range(1, 20)] = 3
    """Of telling garment and background apart by their colours (see `colour_split`)."""
    border_share: Annotated[float, Range(0.005, 0.25)] = 0.04
    """Width of the border strip taken for background, of the shorter side."""
    border_colours: Annotated[int, Range(1, 16)] = 4
    """Colours that the background may have."""
    margin: Annotated[float, Range(0, 0.5)] = 0.04
    """White space around the garment, of its longer side."""
    minimum_area: Share = 0.08
    """Garment pixels of all pixels."""
    minimum_side: Annotated[int, Range(1, 8192)] = 96
    """Shorter side of the garment's box in the source picture, in pixels."""
    minimum_solidity: Share = 0.62
    """Mask area of its convex hull; trousers and spread sleeves reach about 0.65."""
    maximum_border_contact: Share = 0.06
    """Part of the picture's border that the garment may cover."""
    maximum_second_area: Share = 0.3
    """Area of the second largest thing in the picture, of the largest."""
    minimum_sharpness: Share = 0.12
    """See `judge.sharpness`. Real product photos have 0.17 and more; blurred by 3 px (sigma, at 400 px) about 0.115."""
    minimum_confidence: Share = 0.8
    """How sure the plain-background mask must be (see `plain.confidence`), and how much of the outline of a finder's
    mask must follow an edge in the picture (see `plain.edge_support`)."""
    maximum_covered: Share = 0.12
    """Skin and hair across the garment, of its area (see `people.covered_share`)."""
    finder_score: Share = 0.5
    """Score a found garment must reach."""
    agreement: Share = 0.75
    """Overlap (IoU) above which the plain-background mask and the finder's mean the same garment."""

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
        return digest_value(self.to_json())[:12]
