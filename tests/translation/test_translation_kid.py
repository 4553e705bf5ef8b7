"""KID: near 0 for pictures of one kind, larger for others; which features it took, and what it refuses."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torchmetrics.image.kid import poly_mmd
from torchvision.models import mobilenet_v2

from fittingroom.errors import MissingInputError, WeightsRejected
from fittingroom.images import RGB
from fittingroom.translation import kid
from fittingroom.translation.dataset import original_pictures
from fittingroom.translation.kid import FEWEST, SUBSET_SIZE, KernelDistance, kernel_distance
from tests.translation.style_builders import GREYS, REDS, garment, write_garments


class MeanColour(torch.nn.Module):
    """Three features: the mean of each channel."""

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        return pictures.float().mean((2, 3)) / 255


@pytest.fixture
def no_inception(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path / "hub"))


@pytest.fixture(scope="module")
def mobilenet(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("weights") / "mobilenet_v2.safetensors"
    torch.manual_seed(0)
    save_file(mobilenet_v2().state_dict(), str(file))
    return file


def pictures(colours: list[tuple[int, int, int]], count: int = 12) -> list[RGB]:
    return [garment(number, colours[number % len(colours)])[0] for number in range(count)]


def test_pictures_of_one_kind_are_nearer_than_others() -> None:
    distance = KernelDistance("kid", MeanColour(), pictures(REDS))
    near, far = distance(pictures([(180, 28, 38)])), distance(pictures(GREYS))
    assert near is not None
    assert far is not None
    assert near < far / 3


def test_it_is_the_mean_over_small_subsets_of_the_papers_estimate() -> None:
    both = pictures(REDS, SUBSET_SIZE), pictures(GREYS, SUBSET_SIZE)  # all subsets are the whole then
    features = [MeanColour()(torch.from_numpy(np.stack(some)).permute(0, 3, 1, 2)) for some in both]
    assert KernelDistance("kid", MeanColour(), both[0])(both[1]) == pytest.approx(float(poly_mmd(*features)), rel=1e-3)


def test_it_repeats_and_leaves_the_random_state_of_a_training_alone() -> None:
    distance = KernelDistance("kid", MeanColour(), pictures(REDS, 20))
    torch.manual_seed(5)
    first, drawn = distance(pictures(GREYS)), torch.rand(1)
    torch.manual_seed(5)
    assert torch.equal(torch.rand(1), drawn)
    assert distance(pictures(GREYS)) == first


def test_it_warns_of_nothing_and_leaves_the_filters_of_warnings_alone() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        before = list(warnings.filters)
        assert KernelDistance("kid", MeanColour(), pictures(REDS))(pictures(GREYS)) is not None
        assert list(warnings.filters) == before


def test_too_few_pictures_give_no_figure() -> None:
    assert KernelDistance("kid", MeanColour(), pictures(REDS))(pictures(GREYS, FEWEST - 1)) is None


@pytest.mark.usefixtures("no_inception")
def test_the_name_says_whose_features_saw_the_pictures(mobilenet: Path) -> None:
    distance, said = kernel_distance(pictures(REDS, 5), backbone=mobilenet)
    assert distance is not None
    assert distance.name == "kid_mobilenet_v2"
    assert "not comparable" in said
    assert distance(pictures(GREYS, 5)) is not None


@pytest.mark.usefixtures("no_inception")
def test_without_weights_it_is_left_out_and_says_what_is_missing(tmp_path: Path) -> None:
    distance, said = kernel_distance(pictures(REDS, 5))
    assert distance is None
    assert "Inception" in said
    other = tmp_path / "other.safetensors"
    save_file({"weight": torch.zeros(1)}, str(other))
    distance, said = kernel_distance(
        pictures(REDS, 5), backbone=other
    )  # a backbone of another kind is no reason to stop
    assert distance is None
    assert "MobileNetV2" in said
    with pytest.raises(WeightsRejected, match="MobileNetV2"):
        kernel_distance(pictures(REDS, 5), other)
    with pytest.raises(MissingInputError, match=r"gone\.safetensors"):
        kernel_distance(pictures(REDS, 5), tmp_path / "gone.safetensors")


def test_inception_is_taken_where_it_was_downloaded_and_refused_when_it_is_something_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    cached = tmp_path / "checkpoints" / kid.INCEPTION_FILE
    cached.parent.mkdir()
    torch.save({"weight": torch.zeros(1)}, cached)
    distance, said = kernel_distance(pictures(REDS, 5))
    assert distance is None
    assert str(cached) in said
    with pytest.raises(WeightsRejected, match="Inception"):
        kernel_distance(pictures(REDS, 5), cached)


def test_mirrored_twins_and_broken_pictures_are_not_the_styles_own(tmp_path: Path) -> None:
    paths = write_garments(tmp_path, 3, REDS)
    twin = paths[0].with_name(paths[0].stem + "_flip.png")
    twin.write_bytes(paths[0].read_bytes())
    paths[1].write_bytes(b"no picture")
    assert len(original_pictures([*paths, twin], 64)) == 2
