"""The crawl itself: find candidates, fetch a shard of them, or do the whole of one style."""

from __future__ import annotations

import queue
import threading
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

from fittingroom.catalog import Style
from fittingroom.crawl.candidates import Candidate, without_repeats
from fittingroom.crawl.http.fetcher import Fetcher
from fittingroom.crawl.settings import CrawlSettings
from fittingroom.crawl.settling import settle, settled
from fittingroom.crawl.sources import ask, sources_of
from fittingroom.crawl.sources.source import SearchKeys
from fittingroom.crawl.store import MANIFEST, Store
from fittingroom.errors import HostUnavailable, MissingInputError
from fittingroom.manifest import ImageRow, Manifest
from fittingroom.settings import get_settings


@dataclass(frozen=True)
class CrawlProgress:
    """Where a crawl stands: ``row`` was just settled, the ``done``-th of ``total`` in its call."""

    done: int
    total: int
    row: ImageRow


Listener = Callable[[CrawlProgress], None]


def discover(style: Style, settings: CrawlSettings, keys: SearchKeys | None = None) -> list[Candidate]:
    """Ask every source of ``style`` what it offers; no picture is fetched. ``keys``: the installation's if None.

    Raises:
        MissingInputError, CatalogError: a file or folder of a source is missing or unusable, before any request.
        HostUnavailable: a source that cannot be reached for now.
    """
    found, unreachable = _discover(style, settings, keys)
    if unreachable is not None:
        raise unreachable
    return found


def _discover(
    style: Style, settings: CrawlSettings, keys: SearchKeys | None
) -> tuple[list[Candidate], HostUnavailable | None]:
    """What could be found, and the last source that could not be reached."""
    sources = sources_of(style)
    keys = keys or SearchKeys.from_installation(get_settings())
    found: list[Candidate] = []
    unreachable: HostUnavailable | None = None
    with Fetcher(settings) as fetcher:
        for source in sources:
            try:
                found += ask(source, fetcher, settings, keys)
            except HostUnavailable as error:
                unreachable = error
    return without_repeats(found), unreachable


def fetch(
    candidates: Sequence[Candidate], out_dir: Path, settings: CrawlSettings, listener: Listener | None = None
) -> list[ImageRow]:
    """Fetch one shard into ``out_dir``: pictures as ``<sha256>.<ext>``, a row each in ``manifest.jsonl``.

    What an earlier run settled is not asked for again; what failed in a way that may pass is. Shards of one style may
    run at the same time, in threads or processes, with the same ``out_dir``. Returned are the rows of ``candidates``,
    in their order.
    """
    store = Store(out_dir, settings)
    known = store.manifest()
    rows: dict[str, ImageRow] = {}
    todo: list[Candidate] = []
    for candidate in without_repeats(candidates):
        row = settled(candidate, known.get(candidate.url), known, store, settings)
        if row is None:
            todo.append(candidate)
        else:
            rows[candidate.url] = row
    try:
        with Fetcher(settings) as fetcher:
            for row in _work(todo, lambda one: settle(one, known.get(one.url), fetcher, store, settings), settings):
                rows[row.key] = row
                if listener is not None:
                    listener(CrawlProgress(len(rows), len(rows.keys() | {c.url for c in todo}), row))
    finally:
        store.give_back()
        store.sync()
    latest = store.manifest()  # a larger one that came later may have taken a picture's place
    return [latest.get(url) or rows[url] for url in (candidate.url for candidate in without_repeats(candidates))]


def crawl_style(
    style: Style,
    out_dir: Path,
    settings: CrawlSettings,
    listener: Listener | None = None,
    keys: SearchKeys | None = None,
) -> Manifest:
    """Crawl one style wholly; running it again fetches only what is new or may be retried.

    What every source was asked for and no longer offers is marked ``gone``, its file kept.

    Raises:
        MissingInputError, CatalogError: before any request. HostUnavailable: after all else was done, a source that
        could not be reached.
    """
    found, unreachable = _discover(style, settings, keys)
    if unreachable is None:
        mark_gone(found, out_dir, settings)
    fetch(found, out_dir, settings, listener)
    tidy(out_dir)
    if unreachable is not None:
        raise unreachable
    return Store(out_dir, settings).manifest()


def tidy(out_dir: Path) -> None:
    """Remove pictures whose places larger ones took, when every shard of a style is done."""
    Store(out_dir, CrawlSettings()).tidy()


def mark_gone(candidates: Iterable[Candidate], out_dir: Path, settings: CrawlSettings) -> list[ImageRow]:
    """Mark kept pictures that are not among ``candidates``, all that a style's sources offer now, and what was over a
    limit and is not offered any more; returns those rows.

    Nothing is marked when a page could not be read: its pictures may still be there.
    """
    candidates = list(candidates)
    if any(candidate.status == "failed" for candidate in candidates):
        return []
    offered = {candidate.url for candidate in candidates}
    store = Store(out_dir, settings)
    known = store.manifest()
    missing = [row for row in known.kept() if row.key not in offered]
    missing += [row for row in known.rows if row.reason == "limit" and row.key not in offered]
    return [store.note(replace(row, status="gone", reason="")) for row in missing]


def refuse_damaged(out_dir: Path, digest_of: Callable[[Path], str]) -> list[ImageRow]:
    """Compare every kept picture with the digest that it was stored with; those that are lost or have other bytes end
    as ``failed: damaged``, which the next crawl mends. ``digest_of`` may remember, and raises MissingInputError.

    Returns:
        the rows of whole pictures, sorted by key.
    """
    whole: list[ImageRow] = []
    store: Store | None = None
    for row in Manifest.read(out_dir / MANIFEST, lambda values: values.get("status") == "kept").kept():
        try:
            found = digest_of(out_dir / row.path)
        except (MissingInputError, OSError):
            found = ""
        if found == row.sha256:
            whole.append(row)
            continue
        store = store or Store(out_dir, CrawlSettings())
        detail = f"{row.path}: expected the bytes that were stored, the file {'has others' if found else 'is lost'}"
        store.note(replace(row, status="failed", reason="damaged", path="", etag="", last_modified="", detail=detail))
    return whole


def _work(
    todo: Sequence[Candidate], settle: Callable[[Candidate], ImageRow], settings: CrawlSettings
) -> Iterator[ImageRow]:
    """Settle each candidate, several at once, giving rows as they come. A host that is slow or asks for a long pause
    holds up its own queue only: it never has more threads than connections."""
    hosts: dict[str, deque[Candidate]] = defaultdict(deque)
    for candidate in todo:
        hosts[candidate.host].append(candidate)
    done: queue.SimpleQueue[ImageRow | Exception] = queue.SimpleQueue()
    stop = threading.Event()

    def run(waiting: deque[Candidate]) -> None:
        while not stop.is_set():
            try:
                candidate = waiting.popleft()
            except IndexError:
                return
            try:
                done.put(settle(candidate))
            except Exception as error:  # noqa: BLE001  handed over, and raised by the thread that waits below
                done.put(error)

    with ThreadPoolExecutor(settings.workers, thread_name_prefix="crawl") as pool:
        for turn in range(settings.connections_per_host):
            for host, waiting in hosts.items():
                if host or turn == 0:  # files go one after another: which of two duplicates is kept is then no chance
                    pool.submit(run, waiting)
        try:
            for _ in todo:
                result = done.get()
                if isinstance(result, Exception):
                    raise result
                yield result
        finally:
            stop.set()
