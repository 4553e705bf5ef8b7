"""Admission and measured styles: what is registered serves only through its gate, under the colour it really has."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest

from fittingroom import images
from fittingroom.errors import InputError
from fittingroom.styles.admission import admit_segmenter, admit_style
from fittingroom.styles.choose import AvailableStyle
from fittingroom.styles.measured import measured_style
from fittingroom.styles.registry import Registry

GOOD = {"mask_ap50": 0.8, "largest_iou": 0.85}
POOR = {"mask_ap50": 0.1, "largest_iou": 0.2}


@dataclass(frozen=True)
class Version:
    model: str
    version: int
    metrics: dict[str, float]
    tags: dict[str, str] | None = None


@dataclass
class Shelf:
    """A registry in memory."""

    versions: list[Version] = field(default_factory=list)
    promoted: list[tuple[str, int, str]] = field(default_factory=list)

    def register(self, model: str, _weights: Path, metrics: dict[str, float], *rest: Any, **_: Any) -> Version:
        tags = rest[2] if len(rest) > 2 else None
        version = Version(model, len(self.versions) + 1, dict(metrics), tags)
        self.versions.append(version)
        return version

    def champion(self, model: str) -> Version | None:
        serving = [number for name, number, _ in self.promoted if name == model]
        return self.versions[serving[-1] - 1] if serving else None

    def promote(self, model: str, version: int, reason: str) -> None:
        self.promoted.append((model, version, reason))


def admit(shelf: Shelf, metrics: dict[str, float]) -> Any:
    return admit_segmenter(cast(Registry, shelf), Path("w"), metrics, "standard", {"data": "1"}, {"epochs": 1})


def test_a_poor_version_is_registered_but_does_not_serve() -> None:
    shelf = Shelf()
    admission = admit(shelf, POOR)
    assert (admission.version, admission.passed) == (1, False)
    assert any("0.1 is not at least" in reason for reason in admission.reasons)
    assert shelf.promoted == []


def test_a_good_version_serves_and_a_poorer_one_does_not_replace_it() -> None:
    shelf = Shelf()
    assert admit(shelf, GOOD).passed
    second = admit(shelf, POOR)
    assert not second.passed
    assert second.compared_with == 1
    assert [number for _, number, _ in shelf.promoted] == [1]
    assert "0.8 is at least" in shelf.promoted[0][2]


def test_a_version_that_serves_already_is_not_judged_against_itself() -> None:
    shelf = Shelf()
    admit(shelf, GOOD)
    same = shelf.versions[0]
    shelf.register = lambda *_, **__: same  # type: ignore[method-assign]  the registry knows the content again
    again = admit(shelf, GOOD)
    assert again.passed
    assert len(shelf.promoted) == 1


def test_a_style_is_registered_with_what_it_looks_like() -> None:
    shelf = Shelf()
    style = AvailableStyle("navy-striped", "blue", "striped", "short sleeve top", (20.0, 5.0, -30.0))
    metrics = {"ciede2000_median": 4.0, "luminance_ssim": 0.8, "leak": 0.0}
    assert admit_style(cast(Registry, shelf), style, Path("w"), metrics, "demo", {}, {}).passed
    assert shelf.versions[0].model == "style-navy-striped"
    assert AvailableStyle.from_tags("navy-striped", shelf.versions[0].tags or {}) == style


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
