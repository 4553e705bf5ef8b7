"""Try-ons that are answered later, or more than once: in memory, few enough and for minutes only.

A job is seen by its owner alone. Lives on the event loop.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import secrets
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from starlette.datastructures import FormData, UploadFile
from starlette.exceptions import HTTPException

from fittingroom.api_keys import MOST_AT_ONCE
from fittingroom.app.codes import CODES, Problem, code_of
from fittingroom.app.room import Answer, Picture
from fittingroom.app.service import Told
from fittingroom.errors import FittingroomError

MOST = 128
"""Jobs that are under way or kept."""
MOST_OF_ONE = MOST_AT_ONCE
"""Of them one owner's."""
MOST_BYTES = 256_000_000
"""Of photos that wait and results that are kept."""
KEEP_SECONDS = 600.0
"""For a result to be fetched."""
PATIENCE_SECONDS = 600.0
"""The longest wait for a turn."""

Work = Callable[[Told], Awaitable[Answer]]
log = logging.getLogger("fittingroom.app")


@dataclass(eq=False)
class Job:
    """One try-on. ``state`` is what it was told last; ``answer`` or ``error`` is there when it is finished."""

    owner: str
    request_id: str
    size: int
    id: str = field(default_factory=lambda: secrets.token_urlsafe(24))
    created: datetime = field(default_factory=lambda: datetime.now(UTC))
    expires: datetime | None = None
    state: dict[str, Any] = field(default_factory=dict)
    answer: Answer | None = None
    error: Exception | None = None

    def __post_init__(self) -> None:
        self._ended = asyncio.Event()

    @property
    def finished(self) -> bool:
        """Whether nothing more is done for it."""
        return self._ended.is_set()

    def tell(self, state: dict[str, Any]) -> None:
        """What `Service.try_on` says of it."""
        self.state = state

    def end(self, answer: Answer | None = None, error: Exception | None = None) -> None:
        """It has come to its end; who waits for it goes on."""
        self.answer, self.error = answer, error
        self._ended.set()

    async def result(self) -> Answer:
        """The answer, as soon as it is there.

        Raises:
            Exception: what the work ended in; Problem: it was deleted.
        """
        await self._ended.wait()
        if self.error is not None:
            raise self.error
        if self.answer is None:
            raise Problem("cancelled")
        return self.answer


class Jobs:
    """All jobs there are. ``on_failure`` hears the codes of those that failed."""

    def __init__(self, on_failure: Callable[[str], None] = lambda _: None) -> None:
        self._on_failure = on_failure
        self._jobs: dict[str, Job] = {}
        self._tasks: dict[Job, asyncio.Task[None]] = {}
        self._by_key: dict[tuple[str, str], tuple[str, Job]] = {}

    def __iter__(self) -> Iterator[Job]:
        return iter(self._jobs.values())

    async def start(self, job: Job, work: Work, key: tuple[str, str] | None = None) -> Job:
        """Begin a job, or give the one that was begun for the same ``key``: an owner's word, and a digest of what is
        asked for.

        Raises:
            Problem: the word was used for something else (422), too many jobs of this owner (429) or at all (503).
            HTTPException: what the work is refused with before it waits for anything (429, 503).
        """
        if key is not None and (known := self._by_key.get((job.owner, key[0]))):
            if known[0] != key[1]:
                raise Problem("idempotency_mismatch")
            return known[1]
        gone = self._to_forget(job)
        self._jobs[job.id] = job
        if key is not None:
            self._by_key[job.owner, key[0]] = key[1], job
        self._tasks[job] = asyncio.create_task(self._run(job, work))
        await asyncio.sleep(0)  # it is in the line now, or was refused a place
        if isinstance(job.error, HTTPException) and job.error.status_code in (429, 503):
            self.drop(job)
            raise job.error
        for each in gone:  # not for one that was refused
            self.drop(each)
        return job

    def find(self, owner: str, job_id: str) -> Job:
        """An owner's job.

        Raises:
            Problem: there is none.
        """
        job = self._jobs.get(job_id)
        if job is None or job.owner != owner:
            raise Problem("unknown_job")
        return job

    def drop(self, job: Job) -> None:
        """End it where it is under way, and keep nothing of it."""
        if self._jobs.pop(job.id, None) is None:
            return
        self._forget_keys(job)
        if (task := self._tasks.pop(job, None)) is not None:
            task.cancel()
        if not job.finished:
            job.end()

    def close(self) -> None:
        """End all."""
        for job in list(self):
            self.drop(job)

    async def _run(self, job: Job, work: Work) -> None:
        try:
            answer = await work(job.tell)
            answer = replace(answer, before=Picture(answer.before.media_type, b""))  # nobody asks for it
            job.size = len(answer.after.data)
            job.end(answer)
        except (HTTPException, FittingroomError) as error:
            if CODES[code_of(error)].status >= 500 and isinstance(error, FittingroomError):
                log.error("request %s: %s", job.request_id, error)
            self._failed(job, error)
        except Exception:
            log.exception("request %s: a try-on failed", job.request_id)
            self._failed(job, Problem("internal"))
        self._tasks.pop(job, None)
        job.expires = datetime.now(UTC) + timedelta(seconds=KEEP_SECONDS)
        asyncio.get_running_loop().call_later(KEEP_SECONDS, self.drop, job)
        while self.bytes > MOST_BYTES and (oldest := self._oldest_of_greediest()):
            self.drop(oldest)

    def _failed(self, job: Job, error: Exception) -> None:
        job.size, code = 0, code_of(error)
        self._on_failure(code)
        if CODES[code].status >= 500:
            self._forget_keys(job)  # asked again, it is tried again
        job.end(error=error)

    def _forget_keys(self, job: Job) -> None:
        for key in [key for key, (_, known) in self._by_key.items() if known is job]:
            del self._by_key[key]

    def _to_forget(self, job: Job) -> list[Job]:
        """Finished jobs that have to go where a new one comes.

        Raises:
            Problem: there are too few.
        """
        own = [each for each in self if each.owner == job.owner]
        gone = [each for each in own if each.finished][: max(len(own) - MOST_OF_ONE + 1, 0)]
        if len(own) - len(gone) >= MOST_OF_ONE:
            raise Problem("too_many_at_once", headers={"Retry-After": "10"})
        while len(self._jobs) - len(gone) >= MOST or self.bytes + job.size - sum(j.size for j in gone) > MOST_BYTES:
            if (oldest := self._oldest_of_greediest(gone)) is None:
                raise Problem("busy")
            gone.append(oldest)
        return gone

    @property
    def bytes(self) -> int:
        """Of photos that wait and results that are kept."""
        return sum(job.size for job in list(self))

    def _oldest_of_greediest(self, but: Sequence[Job] = ()) -> Job | None:
        """Of the owner whose finished jobs take most memory."""
        kept: dict[str, list[Job]] = {}
        for job in self:
            if job.finished and job not in but:
                kept.setdefault(job.owner, []).append(job)
        return max(kept.values(), key=lambda jobs: (sum(job.size for job in jobs), len(jobs)))[0] if kept else None


async def digest_of(fields: FormData) -> str:
    """Of what is asked for; how it was sent, and what its files were called, is not in it."""
    digest = hashlib.sha256()
    for name, value in sorted(fields.multi_items(), key=lambda item: item[0]):
        data = await value.read() if isinstance(value, UploadFile) else value.encode("utf-8", "surrogatepass")
        if isinstance(value, UploadFile):
            await value.seek(0)
        digest.update(f"{name} {len(data)} ".encode() + data)
    return digest.hexdigest()
