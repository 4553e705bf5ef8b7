"""A terminal to run the command line in: a pty of a given width, and the screen that a person would see in it."""

from __future__ import annotations

import fcntl
import multiprocessing
import os
import pty
import runpy
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pyte

SETTINGS = {
    "120 columns": (120, {"TERM": "xterm-256color"}),
    "60 columns, no colour": (60, {"TERM": "xterm-256color", "NO_COLOR": "1"}),
    "60 columns, dumb": (60, {"TERM": "dumb"}),
}

BEGIN = Path(__file__).with_name("begin.py")
LIBRARIES = [
    "torch", "torch._dynamo", "torchvision", "torchmetrics", "accelerate", "cv2", "scipy.ndimage", "pydantic_settings",
    "requests", "bs4", "rich",
]  # fmt: skip
"""What `warm` commands find imported, none of it ours: most of a command's time is theirs."""


@dataclass(frozen=True)
class Seen:
    """How a command ended, every byte it wrote, and the lines of its screen that are not empty.

    ``out`` is its stdout alone where that was not the terminal; ``left`` the processes of its session that outlived it.
    """

    code: int
    raw: bytes
    lines: list[str]
    out: bytes = b""
    left: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """The screen as one string."""
        return "\n".join(self.lines)


def run_in_terminal(
    arguments: list[str],
    workspace: Path,
    columns: int = 120,
    more: dict[str, str] | None = None,
    interrupt: Callable[[bytes], bool] | None = None,
    by: int | None = None,
    seconds: float = 1000,
    warm: bool = False,
    out: Path | None = None,
) -> Seen:
    """Run the command line in a pty, as the leader of its own session; ``out``: with stdout in that file.

    As soon as ``interrupt`` says so of what was written, Ctrl-C is typed, or the signal ``by`` sent to the process.
    ``warm`` forks a process that has `LIBRARIES` imported, which spares seconds; otherwise a new interpreter starts.
    """
    environment = {k: v for k, v in os.environ.items() if k not in ("COLUMNS", "LINES", "NO_COLOR", "PREFECT_API_URL")}
    environment |= {"FITTINGROOM_WORKSPACE": str(workspace), "OMP_NUM_THREADS": "1"} | (more or {})
    terminal, theirs = pty.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 200, columns, 0, 0))
    with _started(arguments, environment, os.ttyname(theirs), theirs, str(out or ""), warm) as (pid, wait):
        raw = _read_to_the_end(terminal, pid, interrupt, by, seconds)
        code = wait()
        left = tuple(_settled(pid))
    os.close(terminal)
    screen = pyte.Screen(columns, 200)
    pyte.ByteStream(screen).feed(raw)
    lines = [line.rstrip() for line in screen.display if line.strip()]
    return Seen(code, raw, lines, out.read_bytes() if out else b"", left)


@contextmanager
def _started(
    arguments: list[str], environment: dict[str, str], name: str, theirs: int, out: str, warm: bool
) -> Iterator[tuple[int, Callable[[], int]]]:
    """The command in a process of its own, whose end of the pty is closed here once it has it."""
    if warm:
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(LIBRARIES)
        ready = context.Event()
        given = {"environment": environment, "name": name, "out": out, "ready": ready, "arguments": arguments}
        process = context.Process(target=runpy.run_path, args=(str(BEGIN), given, "a fork"))
        process.start()
        assert process.pid is not None
        assert ready.wait(120), "the process did not start"
        os.close(theirs)

        def ended() -> int:
            process.join()
            return int(process.exitcode or 0)

        yield process.pid, ended
        process.close()
        return
    command = [sys.executable, str(BEGIN), name, out, *arguments]
    started = subprocess.Popen(command, env=environment, start_new_session=True, stdout=subprocess.PIPE)
    assert started.stdout is not None
    assert started.stdout.read(1) == b"."  # it has the terminal
    os.close(theirs)
    started.stdout.close()
    yield started.pid, started.wait


def _read_to_the_end(
    terminal: int, pid: int, interrupt: Callable[[bytes], bool] | None, by: int | None, seconds: float
) -> bytes:
    """All that is written until nobody has the other end any more; what lasts longer is killed, with its session."""
    raw, until = b"", time.monotonic() + seconds
    while time.monotonic() < until:
        if select.select([terminal], [], [], 0.05)[0]:
            try:
                part = os.read(terminal, 65536)
            except OSError:  # the other end is closed
                return raw
            if not part:
                return raw
            raw += part
        if interrupt is not None and interrupt(raw):
            interrupt = None
            if by is None:
                os.write(terminal, b"\x03")
            else:
                os.kill(pid, by)
    for process in session(pid):
        os.kill(int(process.split()[0]), signal.SIGKILL)
    return raw + f"\r\nkilled after {seconds:g} s".encode()


def session(leader: int) -> list[str]:
    """``PID COMMAND`` of every living process of a session, also of those that changed their process group."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            fields = (entry / "stat").read_text().rpartition(")")[2].split()
            words = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except (OSError, NotADirectoryError):
            continue
        if fields[3] == str(leader) and fields[0] not in "ZX":
            found.append(f"{entry.name} {words[:200]}")
    return found


def _settled(leader: int, seconds: float = 15) -> list[str]:
    """What is left of a session, after a while for helpers that end when they see their parent gone."""
    until = time.monotonic() + seconds
    while (left := session(leader)) and time.monotonic() < until:
        select.select([], [], [], 0.1)
    for process in left:
        os.kill(int(process.split()[0]), signal.SIGKILL)
    return left
