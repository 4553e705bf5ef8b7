"""The index of perceptual hashes answers as comparing each with each does."""

from __future__ import annotations

import random

import pytest

from fittingroom.crawl.images.hashes import HashIndex

ALL = 2**64 - 1


def near_by_hand(held: dict[str, int], value: int, bits: int) -> list[str]:
    return [key for key, other in held.items() if (value ^ other).bit_count() <= bits]


def turned(value: int, count: int, random_: random.Random) -> int:
    """``value`` with ``count`` of its bits turned over."""
    for place in random_.sample(range(64), count):
        value ^= 1 << place
    return value


@pytest.mark.parametrize("bits", [-1, 0, 4, 31, 64])
def test_the_same_as_comparing_each(bits: int) -> None:
    random_ = random.Random(bits)
    index, held = HashIndex(), dict[str, int]()
    centres = [0, ALL, 1 << 63, 0xAAAAAAAAAAAAAAAA, random_.getrandbits(64)]
    for number in range(3000):
        key = f"k{random_.randrange(900)}"  # many are put again, or dropped and put again
        if number % 5 == 4:
            index.drop(key)
            held.pop(key, None)
            continue
        # half at random; half at just under, at and just over the limit from a few hashes, wherever the bits lie
        off = min(max(bits + random_.randint(-1, 1), 0), 64)
        value = random_.getrandbits(64) if number % 2 else turned(random_.choice(centres), off, random_)
        index.put(key, value)
        held[key] = value
        if number % 10 == 0:
            for asked in (*centres, value, random_.getrandbits(64)):
                assert index.within(asked, bits) == near_by_hand(held, asked, bits)
    assert len(held) > 500


def test_none_held() -> None:
    index = HashIndex()
    index.drop("a")
    assert index.within(0, 64) == []
