"""Shards: every file in exactly one, one new file changes one, and the plan depends on content alone."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fittingroom.errors import SettingError
from fittingroom.shards import Shard, plan_shards, shard_count

names = st.sets(st.text("abcdef0123456789/.", min_size=1, max_size=12), max_size=60)


def digests_of(files: set[str]) -> dict[str, str]:
    return {name: hashlib.sha256(name.encode()).hexdigest() for name in files}


@pytest.mark.parametrize(("files", "size", "count"), [(0, 4, 1), (4, 4, 1), (5, 4, 2), (9, 4, 4), (33, 4, 16)])
def test_the_count_is_a_power_of_two(files: int, size: int, count: int) -> None:
    assert shard_count(files, size) == count


def test_a_size_below_one_is_refused() -> None:
    with pytest.raises(SettingError, match="shard_size"):
        shard_count(3, 0)


@given(names, st.integers(1, 8))
def test_every_file_is_in_exactly_one_shard(files: set[str], size: int) -> None:
    shards = plan_shards(digests_of(files), size)
    placed = [name for shard in shards for name in shard.names]
    assert sorted(placed) == sorted(files)
    assert all(shard.names for shard in shards)


@given(names)
def test_order_does_not_matter(files: set[str]) -> None:
    digests = digests_of(files)
    assert plan_shards(digests, 4) == plan_shards(dict(reversed(digests.items())), 4)


def test_one_new_file_changes_one_shard() -> None:
    files = {f"{number}.jpg" for number in range(100)}
    before = {shard.index: shard.digest for shard in plan_shards(digests_of(files), 16)}
    after = {shard.index: shard.digest for shard in plan_shards(digests_of(files | {"new.jpg"}), 16)}
    assert len(before) == 8
    assert sum(before[index] != digest for index, digest in after.items()) == 1


def test_a_changed_file_changes_its_shard_and_a_renamed_one_too() -> None:
    digests = digests_of({"a", "b"})
    assert plan_shards(digests)[0].digest != plan_shards(digests | {"a": "0" * 64})[0].digest
    renamed = {"c" if name == "a" else name: digest for name, digest in digests.items()}
    assert plan_shards(digests)[0].digest != plan_shards(renamed)[0].digest


def test_the_label_counts_from_one() -> None:
    assert Shard(0, 8, ("a",), "d").label == "1 of 8"
