"""Admission and measured styles: what is registered serves only through its gate, under the colour it really has."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from fittingroom import images
from fittingroom.appearance.choose import AvailableStyle
from fittingroom.appearance.measured import measured_style
from fittingroom.errors import InputError, MissingInputError
from fittingroom.registry.admission import Admission, Trained, admit_segmenter, admit_style
from fittingroom.registry.registry import SEGMENTER, Registry
from fittingroom.registry.serving import Serving
from fittingroom.registry.starters import StarterModels
from fittingroom.training.weights import save_weights
from fittingroom.workspace import Workspace, digest_file

GOOD = {"mask_ap50": 0.8, "largest_iou": 0.85}
POOR = {"mask_ap50": 0.1, "largest_iou": 0.2}
MIDDLING = {"mask_ap50": 0.618, "largest_iou": 0.7}
STYLE = AvailableStyle("navy-striped", "blue", "striped", "short sleeve top", (20.0, 5.0, -30.0))
PAINTED = {"ciede2000_median": 4.0, "luminance_ssim": 0.8, "leak": 0.0}


@dataclass(frozen=True)
class Same:
    """A model with the same figures on any pictures."""

    values: dict[str, float]
    pictures: int = 12

    def figures(self, picked: Sequence[int] | None = None) -> dict[str, float]:  # noqa: ARG002
        """Those."""
        return self.values


@dataclass
class Shop:
    """A real registry, weights with known figures, and a starter folder."""

    root: Path
    figures: dict[str, dict[str, float]] = field(default_factory=dict)

    @property
    def registry(self) -> Registry:
        """In the folder."""
        return Registry(Workspace(self.root / "w"))

    @property
    def serving(self) -> Serving:
        """With the starter models of the folder."""
        return Serving(self.registry, StarterModels(self.root / "starter"))

    def weights(self, figures: dict[str, float], name: str = "", **info: Any) -> Path:
        """A weights file that measures so."""
        path = self.root / (name or f"{len(self.figures)}.safetensors")
        save_weights(path, "segmenter", {"w": torch.full((1,), float(len(self.figures)))}, {}, info)
        self.figures[digest_file(path)] = figures
        return path

    def measure(self, weights: Path) -> Same:
        """By its content."""
        return Same(self.figures[digest_file(weights)])

    def admit(self, figures: dict[str, float], force: bool = False, **info: Any) -> Admission:
        """Register a segmenter that measures so, and ask its gate."""
        weights = self.weights(figures, **info)
        recipe = {"number": len(self.figures)}
        return admit_segmenter(self.serving, Trained(weights, figures, "standard", {}, recipe), self.measure, force)

    def admit_style(self, figures: dict[str, float], style: AvailableStyle = STYLE, force: bool = False) -> Admission:
        """Likewise a style."""
        weights = self.weights(figures)
        recipe = {"number": len(self.figures)}
        return admit_style(self.serving, style, Trained(weights, figures, "demo", {}, recipe), self.measure, force)

    def champion(self, model: str = SEGMENTER) -> int | None:
        """The version that serves."""
        version = self.registry.champion(model)
        return version.version if version else None


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    (tmp_path / "starter").mkdir()
    return Shop(tmp_path)


def test_a_poor_version_is_registered_but_does_not_serve(shop: Shop) -> None:
    admission = shop.admit(POOR)
    assert (admission.version, admission.passed, shop.champion()) == (1, False, None)
    assert any("0.1 is not at least" in reason for reason in admission.reasons)
    assert shop.registry.version(SEGMENTER, 1).verdict == "refused"
    assert "0.1 is not at least" in shop.registry.version(SEGMENTER, 1).verdict_reasons


def test_a_version_above_the_floors_does_not_replace_a_better_one_unless_forced(shop: Shop) -> None:
    assert shop.admit(GOOD).passed
    second = shop.admit(MIDDLING)
    assert (second.passed, second.compared_with, shop.champion()) == (False, 1, 1)
    assert second.trial is not None
    assert second.trial["defended"] == GOOD
    assert any("0.618 is worse than the champion (version 1)'s 0.8" in reason for reason in second.reasons)
    forced = shop.admit(MIDDLING | {"largest_iou": 0.71}, force=True)
    assert (forced.passed, forced.forced, shop.champion()) == (False, True, 3)
    assert "force" in forced.reasons[-1]


def test_figures_of_the_day_it_was_trained_do_not_count(shop: Shop) -> None:
    """The champion was measured on easier pictures then."""
    flattering = shop.weights(MIDDLING)
    admit_segmenter(shop.serving, Trained(flattering, GOOD, "standard", {}, {}), shop.measure)
    assert shop.registry.champion(SEGMENTER).metrics == GOOD  # type: ignore[union-attr]
    better = shop.admit(MIDDLING | {"mask_ap50": 0.7})
    assert better.passed
    assert shop.champion() == better.version


def test_a_first_segmenter_displaces_the_starter_only_when_it_is_better(shop: Shop) -> None:
    shop.weights({"mask_ap50": 0.818, "largest_iou": 0.8}, "starter/segmenter.safetensors")
    refused = shop.admit(MIDDLING)
    assert (refused.passed, refused.compared_with, shop.champion()) == (False, None, None)
    assert any("0.618 is worse than the starter's 0.818" in reason for reason in refused.reasons)
    equal = shop.admit({"mask_ap50": 0.818, "largest_iou": 0.8})
    assert not equal.passed
    assert shop.admit({"mask_ap50": 0.84, "largest_iou": 0.8}).passed
    assert shop.champion() == 3


def test_a_starter_is_no_rival_in_the_rendered_world(shop: Shop) -> None:
    shop.weights({"mask_ap50": 0.95, "largest_iou": 0.95}, "starter/segmenter.safetensors")
    assert shop.admit(GOOD, domain="rendered").passed
    assert not shop.admit(MIDDLING, domain="rendered").passed, "its own champion is"


def test_a_starter_style_counts_for_its_own_name_even_while_it_stands_back(shop: Shop) -> None:
    tags = {"tags": AvailableStyle("red-solid", "red", "solid").to_tags()}
    shop.weights(PAINTED | {"ciede2000_median": 2.0}, "starter/style-red-solid.safetensors", **tags)
    assert shop.admit_style(PAINTED).passed, "no starter of that name"
    assert [served.name for served in shop.serving.styles()] == ["navy-striped"]
    red = AvailableStyle("red-solid", "red", "solid")
    worse = shop.admit_style(PAINTED, red)
    assert not worse.passed
    assert any("4 is worse than the starter's 2" in reason for reason in worse.reasons)
    assert shop.admit_style(PAINTED | {"ciede2000_median": 1.0}, red).passed


def test_what_cannot_be_measured_beside_the_champion_does_not_pass(shop: Shop) -> None:
    shop.admit(GOOD)

    def gone(weights: Path) -> Same:
        raise MissingInputError("held-out picture", weights)

    better = {"mask_ap50": 0.9, "largest_iou": 0.9}
    weights = shop.weights(better)
    admission = admit_segmenter(shop.serving, Trained(weights, better, "standard", {}, {"n": 1}), gone)
    assert not admission.passed
    assert "could not be measured next to the champion (version 1): held-out picture not found" in admission.reasons[0]


def test_a_version_that_serves_already_is_not_judged_against_itself(shop: Shop) -> None:
    weights = shop.weights(GOOD)
    first, again = (
        admit_segmenter(shop.serving, Trained(weights, GOOD, "standard", {"d": "1"}, {}), shop.measure)
        for _ in range(2)
    )
    assert (first.version, first.passed) == (again.version, again.passed) == (1, True)
    assert again.reasons == ["it serves already"]
    with pytest.raises(InputError, match="expected a previous champion"):
        shop.registry.rollback(SEGMENTER)


def test_a_retired_style_stays_retired_until_a_person_says_so(shop: Shop) -> None:
    model = "style-navy-striped"
    shop.admit_style(PAINTED)
    assert shop.registry.retire(model).version == 1  # type: ignore[union-attr]
    again = shop.admit_style(PAINTED | {"ciede2000_median": 3.0})
    assert (again.passed, shop.champion(model)) == (True, None)
    assert "`fittingroom styles promote navy-striped 2`" in again.reasons[-1]
    shop.registry.promote(model, 2)
    assert (shop.champion(model), shop.registry.retired()) == (2, {})


def test_a_style_is_registered_with_what_it_looks_like(shop: Shop) -> None:
    assert shop.admit_style(PAINTED).passed
    version = shop.registry.version("style-navy-striped", 1)
    assert AvailableStyle.from_tags("navy-striped", version.tags) == STYLE


def garment(colour: tuple[int, int, int]) -> np.ndarray:
    picture = np.full((96, 96, 4), 255, np.uint8)
    picture[..., 3] = 0
    picture[20:80, 25:70] = (*colour, 255)
    return picture


def test_the_colour_is_the_one_most_pictures_show_not_the_shops_word(tmp_path: Path) -> None:
    for number, colour in enumerate([(20, 30, 90), (22, 33, 95), (18, 28, 85), (200, 30, 30)]):
        images.write_png(tmp_path / f"{number}.png", garment(colour))
        images.write_png(tmp_path / f"{number}_flip.png", garment((200, 30, 30)))  # mirrored twins are not counted
    (tmp_path / "broken.png").write_bytes(b"\x89PNG")
    style = measured_style("navy-solid", images.list_images(tmp_path), "vest", "")
    assert (style.colour, style.pattern, style.category) == ("blue", "solid", "vest")
    assert style.lab is not None
    assert style.lab[2] < -20


def test_a_white_surround_without_alpha_is_understood(tmp_path: Path) -> None:
    images.write_png(tmp_path / "a.png", images.flatten_on_white(garment((200, 30, 30))))
    assert measured_style("red", [tmp_path / "a.png"]).colour == "red"


def test_no_garment_at_all_is_an_error(tmp_path: Path) -> None:
    images.write_png(tmp_path / "white.png", np.full((40, 40, 3), 255, np.uint8))
    with pytest.raises(InputError, match="none of 1"):
        measured_style("red", [tmp_path / "white.png"])
