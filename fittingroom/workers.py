"""Work on pictures from outside in processes that can be ended, so that a hostile one costs seconds and no more.

A thread inside a decoder cannot be stopped, and what it allocates stays with the process. A worker has a limit of
processor time that the kernel keeps, one of wall-clock time, and one of memory; it ends with the process that
started it, whatever becomes of that, and the next picture gets a new one. Work is a module's own function.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import resource
import signal
import subprocess
import sys
import threading
import warnings
from collections.abc import Callable
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from typing import Any, TypeVar

from fittingroom.errors import FittingroomError, ImageRejected

T = TypeVar("T")

SECONDS = 10.0
"""Processor time for one picture: the slowest honest ones, of 50 million pixels, take some three."""
PATIENCE = 3.0
"""By how much the clock on the wall may run ahead of that, on a machine that is busy."""
MEMORY = 3_000_000_000
"""Address space of a worker in bytes: the largest pictures take a third of it."""
_START_SECONDS = 60.0
_END_SECONDS = 5.0


class Workers:
    """So many processes at most, started when they are needed. Safe to share between threads.

    Args:
        most: pictures under way at once; further ones wait.
        seconds: of processor time for one picture.
        memory: bytes of address space for each process.
    """

    def __init__(self, most: int, seconds: float = SECONDS, memory: int = MEMORY) -> None:
        self.seconds, self.memory = seconds, memory
        self._places = threading.Semaphore(most)
        self._change = threading.Lock()
        self._all: set[_Worker] = set()
        self._idle: list[_Worker] = []
        self._closed = False

    def run(self, work: Callable[..., T], *arguments: object) -> T:
        """``work(*arguments)`` in a worker; both, and the result, must be picklable.

        Raises:
            ImageRejected: it took too long, took too much memory, or ended the process; and what ``work`` raises.
        """
        with self._places:
            worker = self._take()
            try:
                answer = worker.ask(work, arguments)
            except BaseException:
                worker.end()
                with self._change:
                    self._all.discard(worker)
                raise
            with self._change:
                self._idle.append(worker)
        if isinstance(answer, Exception):
            raise answer
        result: T = answer
        return result

    def close(self) -> None:
        """End all processes, those at work too; what they were asked for is refused."""
        with self._change:
            self._closed = True
            for worker in self._all:
                worker.end()
            self._all.clear()
            self._idle.clear()

    def processes(self) -> list[int]:
        """The ids of the processes there are."""
        with self._change:
            return [worker.process.pid for worker in self._all]

    def _take(self) -> _Worker:
        with self._change:
            if self._closed:
                raise _ended("the program is ending")
            while self._idle:
                if (worker := self._idle.pop()).process.poll() is None:
                    return worker
                self._all.discard(worker)  # somebody else ended it
            worker = _Worker(self.seconds, self.memory)
            self._all.add(worker)
            return worker


_AT_ONCE = 2
"""Pictures that `run_here` has under way at once."""
_shared: dict[int, Workers] = {}
"""By process: one that was forked off another must not talk to that one's workers."""
_inside = False


def run_here(work: Callable[..., T], *arguments: object) -> T:
    """``work(*arguments)`` in a worker that all of this process share; a worker itself, which can be ended, does it.

    Raises:
        ImageRejected: as `Workers.run`; and what ``work`` raises.
    """
    if _inside:
        return work(*arguments)
    return _shared.setdefault(os.getpid(), Workers(_AT_ONCE)).run(work, *arguments)


class _Worker:
    """One process, and the pipe to it."""

    def __init__(self, seconds: float, memory: int) -> None:
        self._seconds = seconds
        self._pipe, theirs = Pipe()
        with theirs:
            number = theirs.fileno()
            self.process = subprocess.Popen(
                [sys.executable, "-P", "-m", "fittingroom.workers", str(number), str(seconds), str(memory)],
                pass_fds=[number],
                stdin=subprocess.DEVNULL,
                env={**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
            )
        self._ready = False

    def ask(self, work: Callable[..., object], arguments: tuple[object, ...]) -> Any:
        """The result, or the exception that the work ended in."""
        try:
            if not self._ready:
                if not self._pipe.poll(_START_SECONDS):
                    raise _ended(f"the process that decodes pictures did not start within {_START_SECONDS:g} s")
                self._ready = bool(self._pipe.recv())
            self._pipe.send((work, arguments))
            if not self._pipe.poll(self._seconds * PATIENCE):
                raise self._too_slow()
            return self._pipe.recv()
        except (EOFError, OSError):
            if self._ended_by() == -signal.SIGPROF:
                raise self._too_slow() from None
            raise _ended("decoding it ended the process that did; save it again as a plain JPEG or PNG") from None

    def _ended_by(self) -> int:
        """What ended the process, which has closed its side of the pipe; one that does not get to its end is ended."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            return self.process.wait(_END_SECONDS)
        self.end()
        return self.process.returncode

    def end(self) -> None:
        self.process.kill()
        self.process.wait()

    def _too_slow(self) -> ImageRejected:
        return ImageRejected(
            "too_slow",
            "image",
            f"expected a picture that is decoded within {self._seconds:g} s, this one takes longer; "
            "save it again as a plain JPEG or PNG",
        )


def _ended(why: str) -> ImageRejected:
    return ImageRejected("unreadable", "image", why)


def quiet_decoders() -> None:
    """For a program of ours that is starting: no warnings of Pillow's, since a picture it cannot use is an error that
    names it. Filters belong to the program, not to the library: they are the whole process's."""
    warnings.filterwarnings("ignore", module=r"PIL\.")


def _main(pipe: Connection, seconds: float, memory: int) -> None:
    """The worker's side: one piece of work after another, until the other side is gone."""
    global _inside
    _inside = True
    quiet_decoders()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the program that started this one
    with contextlib.suppress(ValueError, OSError):  # not everywhere there is
        resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    pipe.send(True)
    while True:
        try:
            work, arguments = pipe.recv()
            signal.setitimer(signal.ITIMER_PROF, seconds)  # its signal ends this process, decoder and all
            answer = _answer(work, arguments)
            signal.setitimer(signal.ITIMER_PROF, 0)
            pipe.send(answer)
            del work, arguments, answer
            give_memory_back()
        except (EOFError, BrokenPipeError, ConnectionResetError):
            return


def _answer(work: Callable[..., object], arguments: tuple[object, ...]) -> object:
    try:
        return work(*arguments)
    except MemoryError:
        return ImageRejected(
            "too_much_memory", "image", "decoding it takes more memory than a picture may have; make it smaller"
        )
    except FittingroomError as error:
        return error
    except Exception as error:  # noqa: BLE001  it may not be picklable; the other side says it
        return RuntimeError(f"{type(error).__name__}: {error}")


def give_memory_back() -> None:
    """To the system, what was freed: glibc keeps it, by thread, and a process that serves for days grows by that."""
    if _trim is not None:
        _trim(0)


_trim = getattr(ctypes.CDLL(None), "malloc_trim", None)

if __name__ == "__main__":
    from fittingroom.workers import _main  # as others know this module, which is another one by now

    _main(Connection(int(sys.argv[1])), float(sys.argv[2]), int(sys.argv[3]))
