"""The crawl itself: find candidates, fetch a shard of them, or do the whole of one style."""

from __future__ import annotations

import contextlib
import queue
import threading
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO
from urllib.parse import urlsplit

from fittingroom.catalog import Style
from fittingroom.crawl.candidates import HEALABLE, Candidate
from fittingroom.crawl.check import TooSmall, checked
from fittingroom.crawl.fetcher import Fetcher, FetchFailed
from fittingroom.crawl.opt_out import OF_A_PICTURE, opts_out
from fittingroom.crawl.pace import shared_pace
from fittingroom.crawl.search import SearchKeys
from fittingroom.crawl.settings import CrawlSettings
from fittingroom.crawl.sources import check_sources, discover_source, without_repeats
from fittingroom.crawl.store import MANIFEST, Store
from fittingroom.errors import HostUnavailable, ImageRejected, MissingInputError
from fittingroom.manifest import ImageRow, Manifest
from fittingroom.settings import get_settings
from fittingroom.workspace import digest_file

_ACCEPT_IMAGE = "image/webp,image/png,image/jpeg,image/*;q=0.8,*/*;q=0.5"


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
    check_sources(style)
    keys = keys or SearchKeys.from_installation(get_settings())
    found: list[Candidate] = []
    unreachable: HostUnavailable | None = None
    with Fetcher(settings) as fetcher:
        for index, source in enumerate(style.sources):
            try:
                found += discover_source(source, index, fetcher, settings, keys)
            except HostUnavailable as error:
                unreachable = error
    return without_repeats(found), unreachable


def fetch(
    candidates: Sequence[Candidate], out_dir: Path, settings: CrawlSettings, listener: Listener | None = None
) -> list[ImageRow]:
    """Fetch one shard into ``out_dir``: pictures as ``<sha256>.<ext>``, a row each in ``manifest.jsonl``.

    What an earlier run settled is not asked for again; what failed in a way that can heal is. Shards of one style may
    run at the same time, in threads or processes, with the same ``out_dir``. Returned are the rows of ``candidates``,
    in their order.
    """
    store = Store(out_dir, settings)
    known = store.manifest()
    rows: dict[str, ImageRow] = {}
    todo: list[Candidate] = []
    for candidate in without_repeats(candidates):
        row = known.get(candidate.url)
        settled = _settled(candidate, row, known, store, settings)
        if settled is None:
            todo.append(candidate)
        else:
            rows[candidate.url] = settled
    try:
        with Fetcher(settings) as fetcher:
            for row in _work(todo, lambda one: _settle(one, known.get(one.url), fetcher, store, settings), settings):
                rows[row.key] = row
                if listener is not None:
                    listener(CrawlProgress(len(rows), len(rows.keys() | {c.url for c in todo}), row))
    finally:
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
    """Crawl one style wholly; running it again fetches only what is new or may have healed.

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


def rest_hosts(settings: CrawlSettings) -> None:
    """Wait until another process may ask every host that this one has asked: its delay and its Retry-After are over."""
    shared_pace(settings.connections_per_host).rest()


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
    as ``failed: damaged``, which the next crawl heals. ``digest_of`` may remember, and raises MissingInputError.

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


def _settled(
    candidate: Candidate, row: ImageRow | None, known: Manifest, store: Store, settings: CrawlSettings
) -> ImageRow | None:
    """The row of a candidate that needs no work, or None."""
    if candidate.status:
        return store.note(_base_row(candidate, candidate.status, reason=candidate.reason, detail=candidate.detail))
    if row is None or row.reason in HEALABLE or {row.reason, row.status} & set(settings.retry):
        return None
    if row.status == "duplicate":
        keeper = known.get(row.duplicate_of)
        if candidate.is_file or keeper is None or keeper.status != "kept" or not store.has_file(keeper):
            return None
        same = keeper.sha256 == row.sha256 or keeper.source_sha256 == row.source_sha256
        return row if same or row.reason == "near" else None
    if row.status in ("kept", "gone"):
        if candidate.is_file or settings.refresh or not store.is_whole(row):
            return None
        return row if row.status == "kept" else store.note(replace(row, status="kept"))
    if row.reason in ("robots", "opt_out", "crawl_delay", "address", "limit"):
        return None  # decided by what others, or the settings, say today, and cheap to ask
    return row


def _base_row(candidate: Candidate, status: str, **values: str | int) -> ImageRow:
    row = ImageRow(
        key=candidate.url,
        status=status,
        page=candidate.page,
        licence=candidate.licence,
        http_status=candidate.http_status,
        fetched_at=datetime.now(UTC).isoformat(timespec="seconds"),
    )
    return replace(row, **values)  # type: ignore[arg-type]  # each caller names fields of the row


def _settle(
    candidate: Candidate, old: ImageRow | None, fetcher: Fetcher, store: Store, settings: CrawlSettings
) -> ImageRow:
    """Fetch, check and store one picture; whatever goes wrong with it becomes its row."""
    row = _base_row(candidate, "kept")
    try:
        if candidate.is_file:
            path = Path(candidate.url)
            if old is not None and old.status == "kept" and store.is_whole(old) and _same_bytes(old, path):
                return old
            with _opened_file(path) as stream, checked(stream, settings) as picture:
                return store.keep(picture, row)
        got = _download(candidate, old, fetcher, store, settings)
        if isinstance(got, ImageRow):
            return got
        row = replace(row, **got[1])  # type: ignore[arg-type]  # `_download` names fields of the row
        with got[0] as stream, checked(stream, settings) as picture:
            return store.keep(picture, row)
    except FetchFailed as failure:
        row = replace(
            row,
            status=failure.status,
            reason=failure.reason,
            detail=failure.detail,
            http_status=failure.http_status,
            final_url=failure.final_url if failure.final_url != candidate.url else "",
            attempts=failure.attempts,
        )
    except TooSmall as error:
        row = replace(row, status="refused", reason="too_small", detail=str(error))
    except ImageRejected as error:
        row = replace(row, status="failed", reason=error.reason, detail=error.detail)
    except MissingInputError:
        row = replace(row, status="failed", reason="not_found", detail="no such file")
    return store.note(row if old is None else _no_worse(candidate, old, row, store))


def _no_worse(candidate: Candidate, old: ImageRow, new: ImageRow, store: Store) -> ImageRow:
    """The row of a picture that could not be fetched anew: the old one where its file is whole. What the host wants
    no machine to learn from is given up all the same, and a file of a folder is what lies there now."""
    given_up = candidate.is_file or new.reason in ("opt_out", "address")
    if given_up or old.status not in ("kept", "gone") or not store.is_whole(old):
        return new
    return replace(old, detail=f"as fetched before; asked again: {new.reason}: {new.detail}"[:300])


def _download(
    candidate: Candidate, old: ImageRow | None, fetcher: Fetcher, store: Store, settings: CrawlSettings
) -> tuple[BinaryIO, dict[str, str | int]] | ImageRow:
    """The picture's bytes and what the answer says of them; or the old row, where the host says that it still holds.

    Raises:
        FetchFailed: for the row.
    """
    conditions: dict[str, str] = {}
    if old is not None and old.status in ("kept", "gone") and store.is_whole(old):
        if old.etag:
            conditions["If-None-Match"] = old.etag
        if old.last_modified:
            conditions["If-Modified-Since"] = old.last_modified
    answer = fetcher.get(candidate.url, max_bytes=settings.max_image_bytes, accept=_ACCEPT_IMAGE, headers=conditions)
    if answer.http_status == 304:
        if old is None or not conditions:
            raise FetchFailed("http_status", "expected HTTP 200, got 304", http_status=304)
        return store.note(replace(old, status="kept", detail=""))
    if opts_out(answer.robots_tags, OF_A_PICTURE):
        raise FetchFailed("opt_out", "X-Robots-Tag", http_status=answer.http_status, final_url=answer.final_url)
    return answer.content, {
        "final_url": answer.final_url if answer.final_url != candidate.url else "",
        "http_status": answer.http_status,
        "attempts": answer.attempts,
        "etag": answer.headers.get("ETag", "")[:200],
        "last_modified": answer.headers.get("Last-Modified", "")[:100],
    }


def _opened_file(path: Path) -> BinaryIO:
    try:
        return path.open("rb")
    except FileNotFoundError:
        raise MissingInputError("image", path) from None
    except OSError as error:
        raise ImageRejected("unreadable", str(path), f"cannot be read: {error.strerror}") from None


def _same_bytes(row: ImageRow, path: Path) -> bool:
    with contextlib.suppress(OSError):
        return row.source_sha256 == digest_file(path)
    return False


def _work(
    todo: Sequence[Candidate], settle: Callable[[Candidate], ImageRow], settings: CrawlSettings
) -> Iterator[ImageRow]:
    """Settle each candidate, several at once, giving rows as they come. A host that is slow or asks for a long pause
    holds up its own queue only: it never has more threads than connections."""
    hosts: dict[str, deque[Candidate]] = defaultdict(deque)
    for candidate in todo:
        hosts["" if candidate.is_file else urlsplit(candidate.url).netloc.lower()].append(candidate)
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
