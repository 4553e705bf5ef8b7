"""Which addresses are fetched together: whole hosts, so that a shard's pace is its own, and large hosts in parts.

A host's pace is kept over all threads of a process (`pace.shared_pace`). Where several processes or machines fetch, no
two may ask a host at once: `FetchShard.hosts` says which a shard needs to itself.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from fittingroom.crawl.candidates import Candidate
from fittingroom.shards import plan_shards, shard_count
from fittingroom.workspace import digest_bytes

SHARD_SIZE = 256


@dataclass(frozen=True)
class FetchShard:
    """Addresses by name; ``digest`` covers them and the bytes of files. ``hosts`` is empty for this machine's files."""

    label: str
    hosts: tuple[str, ...]
    names: tuple[str, ...]
    digest: str


def plan_fetches(
    candidates: Iterable[Candidate], size: int = SHARD_SIZE, digest_of: Callable[[Path], str] | None = None
) -> list[FetchShard]:
    """Split addresses by host: a host of more than ``size`` in several shards, small hosts together in one.

    The plan depends on the addresses alone, never on their order; one new address changes one shard. A file of this
    machine counts with its bytes too, where ``digest_of`` tells them: it may change and keep its name.
    """
    told: dict[str, str] = {}
    by_host: dict[str, list[str]] = defaultdict(list)
    for candidate in candidates:
        content = digest_of(Path(candidate.url)) if digest_of and candidate.is_file and not candidate.status else ""
        told[candidate.url] = digest_bytes(f"{candidate.url}{content}{candidate.status}".encode())
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
        for part in plan_shards({url: told[url] for url in urls}, size)
    ]
