"""The image pool, the learning-rate rule and the rare identity loss, against plain rewrites."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from fittingroom.translation.image_pool import ImagePool
from fittingroom.translation.step import has_identity_loss, learning_rate


def batch_of(*values: int) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float32).view(-1, 1, 1, 1)


def test_learning_rate_is_inverse_time_per_epoch() -> None:
    rates = [learning_rate(2e-4, 0.009, epoch) for epoch in range(50)]
    slow = []
    for epoch in range(50):
        denominator = 1.0
        for _ in range(epoch):
            denominator += 0.009
        slow.append(2e-4 / denominator)
    assert rates == pytest.approx(slow, rel=1e-12)
    assert rates[0] == 2e-4
    assert rates[49] == pytest.approx(2e-4 / 1.441)


def test_identity_loss_once_in_twenty_steps() -> None:
    assert [step for step in range(1, 101) if has_identity_loss(step, 20)] == [20, 40, 60, 80, 100]
    assert not any(has_identity_loss(step, 0) for step in range(1, 101))
    assert all(has_identity_loss(step, 1) for step in range(1, 101))


def test_pool_returns_what_comes_in_until_it_is_full() -> None:
    pool = ImagePool(3)
    for value in range(3):
        assert torch.equal(pool.query(batch_of(value)), batch_of(value))


def test_pool_against_a_plain_rewrite() -> None:
    pool = ImagePool(5, seed=9)
    held: list[int] = []
    for value in range(200):
        if len(held) < 5:
            held.append(value)
            expected = value
        else:
            chance = np.random.default_rng([9, value + 1])
            expected = value
            if chance.random() >= 0.5:
                place = int(chance.integers(5))
                expected, held[place] = held[place], value
        assert int(pool.query(batch_of(value))) == expected
        assert sorted(int(p) for p in pool.pictures) == sorted(held)


def test_a_full_pool_returns_older_pictures_about_half_of_the_time() -> None:
    pool = ImagePool(50)
    older = sum(int(pool.query(batch_of(value))) != value for value in range(2050))
    assert 0.45 < older / 2000 < 0.55


def test_pool_of_size_zero_and_detachment() -> None:
    fake = torch.ones(2, 3, 4, 4, requires_grad=True) * 2
    assert not ImagePool(0).query(fake).requires_grad
    assert not ImagePool(5).query(fake).requires_grad


def test_pool_goes_on_from_its_state() -> None:
    pool = ImagePool(4, seed=1)
    for value in range(20):
        pool.query(batch_of(value))
    twin = ImagePool(4, seed=1)
    twin.load_state_dict(pool.state_dict())
    for value in range(20, 60):
        assert torch.equal(pool.query(batch_of(value)), twin.query(batch_of(value)))


def test_pictures_in_the_pool_do_not_change_with_the_batch() -> None:
    pool = ImagePool(2)
    batch = batch_of(7)
    pool.query(batch)
    batch.fill_(0)
    assert float(pool.pictures[0]) == 7
