"""Which addresses are fetched together: whole hosts, so that a shard's pace is its own, and large hosts in parts.

A host's pace is kept over all threads of a process (`pace.shared_pace`). Where several processes or machines fetch, no
two may ask a host at once: `FetchShard.hosts` says which a shard needs to itself.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import urlsplit

from fittingroom.crawl.candidates import Candidate
from fittingroom.shards import plan_shards, shard_count
from fittingroom.workspace import digest_bytes

SHARD_SIZE = 256


@dataclass(frozen=True)
class FetchShard:
    """Addresses by name; ``digest`` covers them and nothing else. ``hosts`` is empty for files of this machine."""

    label: str
    hosts: tuple[str, ...]
    names: tuple[str, ...]
    digest: str


def plan_fetches(candidates: Iterable[Candidate], size: int = SHARD_SIZE) -> list[FetchShard]:
    """Split addresses by host: a host of more than ``size`` in several shards, small hosts together in one.

    The plan depends on the addresses alone, never on their order; one new address changes one shard.
    """
    by_host: dict[str, list[str]] = defaultdict(list)
    for candidate in candidates:
        by_host["" if candidate.is_file else urlsplit(candidate.url).netloc.lower()].append(candidate.url)
    large = {host: urls for host, urls in by_host.items() if len(urls) * 2 > size or not host}
    small = {host: urls for host, urls in by_host.items() if host not in large}
    count = shard_count(sum(map(len, small.values())), size)
    groups: dict[str, list[str]] = {host or "files": urls for host, urls in large.items()}
    for host, urls in small.items():
        place = int(digest_bytes(host.encode())[:8], 16) % count
        groups.setdefault(f"small hosts {place + 1} of {count}", []).extend(urls)
    return [
        FetchShard(
            name if part.count == 1 else f"{name}, {part.label}",
            tuple(sorted({urlsplit(url).netloc.lower() for url in part.names} - {""})) if name != "files" else (),
            part.names,
            part.digest,
        )
        for name, urls in sorted(groups.items())
        for part in plan_shards({url: digest_bytes(url.encode()) for url in urls}, size)
    ]
