"""Which addresses are fetched together: whole hosts, each asked once for its robots.txt, and large ones in parts."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from fittingroom.crawl.candidates import Candidate
from fittingroom.shards import SHARD_SIZE, plan_shards, shard_count
from fittingroom.workspace import digest_bytes


@dataclass(frozen=True)
class FetchShard:
    """Addresses by name; ``digest`` covers them and the bytes of files."""

    label: str
    names: tuple[str, ...]
    digest: str


def plan_fetches(
    candidates: Iterable[Candidate], size: int = SHARD_SIZE, digest_of: Callable[[Path], str] | None = None
) -> list[FetchShard]:
    """Split addresses by host: a host of more than ``size`` in several shards, small hosts together in one.

    The plan depends on the addresses alone, never on their order; one new address changes one shard. A file of this
    machine counts with its bytes too, where ``digest_of`` tells them: it may change and keep its name.
    """
    by_host: dict[str, dict[str, str]] = defaultdict(dict)
    for candidate in candidates:
        content = digest_of(Path(candidate.url)) if digest_of and candidate.is_file and not candidate.status else ""
        told = digest_bytes(f"{candidate.url}{content}{candidate.status}".encode())
        by_host[candidate.host][candidate.url] = told
    small = {host: urls for host, urls in by_host.items() if host and len(urls) * 2 <= size}
    groups = {host or "files": urls for host, urls in by_host.items() if host not in small}
    count = shard_count(sum(map(len, small.values())), size)
    for host, urls in small.items():
        place = int(digest_bytes(host.encode())[:8], 16) % count
        groups.setdefault(f"small hosts {place + 1} of {count}", {}).update(urls)
    return [
        FetchShard(name if part.count == 1 else f"{name}, {part.label}", part.names, part.digest)
        for name, urls in sorted(groups.items())
        for part in plan_shards(urls, size)
    ]
