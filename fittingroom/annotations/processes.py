"""Many independent jobs in several processes, of which this one is one."""

from __future__ import annotations

import multiprocessing
import signal
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

T = TypeVar("T")
OnProgress = Callable[[int, int], None]
"""Called with the pictures done and the pictures in all."""


def run_jobs(jobs: Sequence[Callable[[], T]], workers: int, on_done: Callable[[int], None]) -> list[T]:
    """The results of ``jobs``, in their order; ``on_done`` hears how many are done.

    This process works from the end of the list, while the others start and work from its beginning. They are spawned,
    not forked: the caller may hold threads (a GUI, Prefect, torch) that do not survive a fork. So a script that asks
    for more than one worker needs the usual ``if __name__ == "__main__":``.
    """
    others = min(workers, len(jobs)) - 1
    if others < 1:
        results = []
        for job in jobs:
            results.append(job())
            on_done(len(results))
        return results
    pool = ProcessPoolExecutor(others, mp_context=multiprocessing.get_context("spawn"))
    heard = 0

    def tell() -> None:
        nonlocal heard
        done = sum(future.done() for future in futures)
        if done > heard:
            heard = done
            on_done(done)

    try:
        with _without_ctrl_c():
            futures = [pool.submit(job) for job in jobs]
        own: dict[int, T] = {}
        for index in reversed(range(len(jobs))):
            if futures[index].cancel():  # no other process has begun it
                own[index] = jobs[index]()
                tell()
        found = []
        for index, future in enumerate(futures):
            found.append(own[index] if index in own else future.result())
            tell()
        return found
    finally:
        pool.shutdown(cancel_futures=True)


@contextmanager
def _without_ctrl_c() -> Iterator[None]:
    """Processes started in here never hear Ctrl-C, which a terminal sends to all of them: this one ends them."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
