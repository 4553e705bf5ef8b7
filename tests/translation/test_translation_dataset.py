"""Unpaired pictures: reading, refusing, holding out, cropping, and drawing the same for the same seed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from fittingroom.errors import InputError, MissingInputError
from fittingroom.images import write_png
from fittingroom.translation.dataset import (
    Domain,
    Unpaired,
    choose_pictures,
    hold_out,
    list_pictures,
    read_prepared,
)
from tests.translation.style_builders import GREYS, REDS, garment, write_garments

CPU = torch.device("cpu")


def test_alpha_is_the_mask_and_a_picture_without_it_is_taken_as_cut_out_on_white(tmp_path: Path) -> None:
    image, mask = garment(1, (200, 30, 40))
    write_png(tmp_path / "a.png", np.dstack([image, mask.astype(np.uint8) * 255]))
    write_png(tmp_path / "b.png", image)
    for name in ("a.png", "b.png"):
        read, read_mask = read_prepared(tmp_path / name, 64)
        assert np.array_equal(read, image)
        assert np.array_equal(read_mask, mask)


def test_a_missing_or_poor_folder_is_refused_before_any_work(tmp_path: Path) -> None:
    with pytest.raises(MissingInputError, match="source folder"):
        list_pictures(tmp_path / "none", "source", 4)
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match=r"expected at least 4 pictures .* got 0"):
        list_pictures(tmp_path / "empty", "target", 4)
    write_garments(tmp_path / "few", 3, REDS)
    with pytest.raises(InputError, match="got 3"):
        list_pictures([tmp_path / "few", tmp_path / "empty"], "target", 4)
    assert len(list_pictures([tmp_path / "few", tmp_path / "empty"], "target", 3)) == 3


def domain_of(paths: list[Path], size: int, crop: int | None = None, cover: float = 0.7) -> Domain:
    return Domain([read_prepared(path, size) for path in paths], crop, cover, CPU)


def test_a_domain_without_pictures_is_refused() -> None:
    with pytest.raises(InputError, match="none that can be used"):
        Domain([], None, 0.7, CPU)


def test_twins_are_not_parted_by_holding_out(tmp_path: Path) -> None:
    names = [f"{n:032x}" for n in range(40)]
    paths = [tmp_path / f"{name}{end}.png" for name in names for end in ("", "_flip")]
    training, held_out = hold_out(paths, 16)
    assert len(held_out) == 4  # at most a tenth
    assert not any(path.stem.endswith("_flip") for path in held_out)
    held_names = {path.stem for path in held_out}
    assert not held_names & {path.stem.removesuffix("_flip") for path in training}
    assert len(training) == 80 - 2 * 4
    assert hold_out(paths[::-1], 16)[1] == held_out[::-1]  # by name, whatever the order
    assert hold_out(paths, 0) == (paths, [])


def test_at_most_so_many_pictures(tmp_path: Path) -> None:
    paths = [tmp_path / f"{n}.png" for n in (3, 1, 2)]
    assert choose_pictures(paths, 5) == paths
    assert [path.name for path in choose_pictures(paths, 2)] == ["1.png", "2.png"]


def test_crops_lie_on_the_garment_and_know_where_they_began(tmp_path: Path) -> None:
    paths = write_garments(tmp_path, 4, GREYS, size=128)
    domain = domain_of(paths, 128, 48, 0.8)
    for seed in range(20):
        batch = domain.batch([0, 1, 2, 3], np.random.default_rng(seed))
        assert batch.image.shape == (4, 3, 48, 48)
        assert batch.mask.shape == (4, 1, 48, 48)
        for n in range(4):
            x, y = (int(v) for v in batch.origin[n])
            image, mask = read_prepared(paths[n], 128)
            assert np.array_equal(batch.mask[n, 0].numpy() > 0.5, mask[y : y + 48, x : x + 48])
            shown = ((batch.image[n].permute(1, 2, 0).numpy() + 1) * 127.5).round().astype(np.uint8)
            assert np.array_equal(shown, image[y : y + 48, x : x + 48])
            assert mask[y : y + 48, x : x + 48].mean() >= 0.8 - 1e-6  # these garments hold a whole crop


def test_batches_follow_from_seed_epoch_and_step_alone(tmp_path: Path) -> None:
    a = domain_of(write_garments(tmp_path / "a", 7, GREYS), 64, 32)
    b = domain_of(write_garments(tmp_path / "b", 5, REDS), 64, 32)
    first, again, other = Unpaired(a, b, 2, 1), Unpaired(a, b, 2, 1), Unpaired(a, b, 2, 2)
    first.batches(0, 0)  # what was drawn before does not matter
    for epoch, step in ((3, 4), (0, 0), (3, 5)):
        for one, two in zip(first.batches(epoch, step), again.batches(epoch, step), strict=True):
            assert torch.equal(one.image, two.image)
            assert torch.equal(one.origin, two.origin)
    same_step = (first.batches(0, 1)[0].image, other.batches(0, 1)[0].image, first.batches(1, 1)[0].image)
    assert not torch.equal(same_step[0], same_step[1])
    assert not torch.equal(same_step[0], same_step[2])


def test_every_picture_is_shown_once_a_round_and_processes_share_it(tmp_path: Path) -> None:
    a = domain_of(write_garments(tmp_path / "a", 8, GREYS), 64)
    data = Unpaired(a, a, 2, 0)
    picks = [data._pick(a, 0, 0, (step * 2 + rank) * 2 + i) for step in range(2) for rank in range(2) for i in range(2)]
    assert sorted(picks) == list(range(8))


def test_mean_colour_counts_the_garment_only(tmp_path: Path) -> None:
    image = np.full((64, 64, 4), 255, np.uint8)
    image[..., 3] = 0
    image[10:30, 10:30] = (200, 40, 60, 255)
    write_png(tmp_path / "a.png", image)
    domain = domain_of([tmp_path / "a.png"], 64)
    assert (domain.mean_colour() * 255).round().tolist() == [200, 40, 60]
