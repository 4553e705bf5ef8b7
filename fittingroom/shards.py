"""Splitting many files into shards by content, so that one new picture changes one shard.

A shard is the unit of work and of caching. Which shard a file falls into depends on its own digest and on the number
of shards, which is a power of two: it changes only when the set doubles, and then each shard splits in two.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from fittingroom.errors import SettingError
from fittingroom.workspace import digest_value

SHARD_SIZE = 256
"""Files a shard holds at most on average: a task run costs tens of milliseconds, a picture about one."""

_HEX_DIGITS = 8


@dataclass(frozen=True)
class Shard:
    """Files that are worked on together. ``digest`` covers their names and contents, nothing else."""

    index: int
    count: int
    names: tuple[str, ...]
    digest: str

    @property
    def label(self) -> str:
        """For people: ``2 of 8``."""
        return f"{self.index + 1} of {self.count}"


def shard_count(files: int, size: int = SHARD_SIZE) -> int:
    """The smallest power of two that keeps shards at ``size`` files or fewer on average; 1 for no files.

    Raises:
        SettingError: ``size`` under 1.
    """
    if size < 1:
        raise SettingError("shard_size", size, "1 or more")
    count = 1
    while files > count * size:
        count *= 2
    return count


def plan_shards(digests: Mapping[str, str], size: int = SHARD_SIZE) -> list[Shard]:
    """Split files, given as name -> SHA-256 in hexadecimal, into shards; empty shards are left out.

    The plan depends on the files alone, never on their order.
    """
    count = shard_count(len(digests), size)
    members: dict[int, list[str]] = {}
    for name, digest in digests.items():
        members.setdefault(int(digest[:_HEX_DIGITS], 16) % count, []).append(name)
    return [
        Shard(index, count, tuple(sorted(names)), digest_value({name: digests[name] for name in names}))
        for index, names in sorted(members.items())
    ]
