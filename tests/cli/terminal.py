"""A terminal to run the command line in: a pty of a given width, and the screen that a person would see in it."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import select
import signal
import struct
import sys
import termios
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pyte

SETTINGS = {
    "120 columns": (120, {"TERM": "xterm-256color"}),
    "60 columns, no colour": (60, {"TERM": "xterm-256color", "NO_COLOR": "1"}),
    "60 columns, dumb": (60, {"TERM": "dumb"}),
}


@dataclass(frozen=True)
class Seen:
    """How a command ended, every byte it wrote, and the lines of its screen that are not empty."""

    code: int
    raw: bytes
    lines: list[str]

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
    seconds: float = 120,
) -> Seen:
    """Run the command line in a pty. As soon as ``interrupt`` says so of what was written, Ctrl-C is typed, or the
    signal ``by`` sent to the process.
    """
    environment = {k: v for k, v in os.environ.items() if k not in ("COLUMNS", "LINES", "NO_COLOR", "PREFECT_API_URL")}
    environment |= {"FITTINGROOM_WORKSPACE": str(workspace), "OMP_NUM_THREADS": "1"} | (more or {})
    pid, terminal = pty.fork()
    if pid == 0:
        command = [sys.executable, "-c", "from fittingroom.cli import main; main()", *arguments]
        os.execve(sys.executable, command, environment)
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 200, columns, 0, 0))
    raw, until = b"", time.monotonic() + seconds
    while time.monotonic() < until:
        if select.select([terminal], [], [], 0.05)[0]:
            try:
                part = os.read(terminal, 65536)
            except OSError:  # the other end is closed
                break
            if not part:
                break
            raw += part
        if interrupt is not None and interrupt(raw):
            interrupt = None
            if by is None:
                os.write(terminal, b"\x03")
            else:
                os.kill(pid, by)
    else:
        os.kill(pid, signal.SIGKILL)
    os.close(terminal)
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    with contextlib.suppress(ProcessLookupError):  # what is left of its session would be a stray child
        os.killpg(pid, 0)
        raise AssertionError("a child is left behind")
    screen = pyte.Screen(columns, 200)
    pyte.ByteStream(screen).feed(raw)
    return Seen(code, raw, [line.rstrip() for line in screen.display if line.strip()])
