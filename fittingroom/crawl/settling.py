"""What becomes of one candidate: settled by an earlier run, or fetched, checked and stored now."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

from fittingroom.crawl.candidates import RETRYABLE, Candidate
from fittingroom.crawl.http.failures import FetchFailed
from fittingroom.crawl.http.fetcher import Fetcher
from fittingroom.crawl.http.opt_out import OF_A_PICTURE
from fittingroom.crawl.images.check import TooSmall, checked
from fittingroom.crawl.settings import CrawlSettings
from fittingroom.crawl.store import Store, as_before
from fittingroom.crawl.withdrawn import tombstone
from fittingroom.errors import ImageRejected, MissingInputError
from fittingroom.manifest import ImageRow, Manifest, is_whole
from fittingroom.workspace import digest_file

_ACCEPT_IMAGE = "image/webp,image/png,image/jpeg,image/*;q=0.8,*/*;q=0.5"


def settled(
    candidate: Candidate, row: ImageRow | None, known: Manifest, store: Store, settings: CrawlSettings
) -> ImageRow | None:
    """The row of a candidate that needs no work, or None."""
    if candidate.status:
        return store.note(_base_row(candidate, candidate.status, reason=candidate.reason, detail=candidate.detail))
    if not candidate.is_file and (gone := store.withdrawals.of_address(candidate.url)) is not None:
        return store.note(tombstone(row or _base_row(candidate, "withdrawn"), gone))
    if row is None or row.reason in RETRYABLE or {row.reason, row.status} & set(settings.retry):
        return None
    if row.status == "duplicate":
        keeper = known.get(row.duplicate_of)
        if candidate.is_file or keeper is None or keeper.status != "kept" or not (store.folder / keeper.path).is_file():
            return None
        same = keeper.sha256 == row.sha256 or keeper.source_sha256 == row.source_sha256
        return row if same or row.reason == "near" else None
    if row.status in ("kept", "gone"):
        if candidate.is_file or settings.refresh or not is_whole(store.folder, row):
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


def settle(
    candidate: Candidate, old: ImageRow | None, fetcher: Fetcher, store: Store, settings: CrawlSettings
) -> ImageRow:
    """Fetch, check and store one picture; whatever goes wrong with it becomes its row."""
    row = _base_row(candidate, "kept")
    try:
        if candidate.is_file:
            path = Path(candidate.url)
            if old is not None and old.status == "kept" and is_whole(store.folder, old) and _same_bytes(old, path):
                return old
            with _opened_file(path) as stream, checked(stream, settings) as picture:
                return store.keep(picture, row, careful=False)
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
    return new if given_up or not store.is_usable(old) else as_before(old, f"{new.reason}: {new.detail}")


def _download(
    candidate: Candidate, old: ImageRow | None, fetcher: Fetcher, store: Store, settings: CrawlSettings
) -> tuple[BinaryIO, dict[str, str | int]] | ImageRow:
    """The picture's bytes and what the answer says of them; or the old row, where the host says that it still holds.

    Raises:
        FetchFailed: for the row.
    """
    conditions: dict[str, str] = {}
    if old is not None and store.is_usable(old):
        if old.etag:
            conditions["If-None-Match"] = old.etag
        if old.last_modified:
            conditions["If-Modified-Since"] = old.last_modified
    answer = fetcher.get(candidate.url, max_bytes=settings.max_image_bytes, accept=_ACCEPT_IMAGE, headers=conditions)
    if answer.http_status == 304:
        if old is None or not conditions:
            raise FetchFailed("http_status", "expected HTTP 200, got 304", http_status=304)
        return store.note(replace(old, status="kept", detail=""))
    answer.check_opt_out(OF_A_PICTURE)
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
