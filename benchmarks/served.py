"""Commands of ours in processes of their own, and the try-on page served by one of them."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any

import psutil

BOUNDARY = "----breaking"
FITTINGROOM = (sys.executable, "-c", "from fittingroom.cli import main; main()")


def started(command: list[str], workspace: Path, **streams: Any) -> subprocess.Popen[Any]:
    """``fittingroom`` with this command, in a process and a workspace of its own."""
    own = {**os.environ, "FITTINGROOM_WORKSPACE": str(workspace)}
    return subprocess.Popen([*FITTINGROOM, *command], env=own, **streams)


def form(picture: bytes, style: str) -> bytes:
    """The body of a try-on."""
    return (
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="style"\r\n\r\n{style}\r\n--{BOUNDARY}\r\n'
        'Content-Disposition: form-data; name="photo"; filename="me"\r\n\r\n'
    ).encode() + picture + f"\r\n--{BOUNDARY}--\r\n".encode()  # fmt: skip


@dataclass(frozen=True)
class Answer:
    """What came back; nothing where the connection broke."""

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""


@dataclass
class Page:
    """A page that is served, as a stranger and its owner see it."""

    address: tuple[str, int]
    process: psutil.Process
    answers: Counter[int] = field(default_factory=Counter)
    seconds: list[float] = field(default_factory=list)

    def memory(self) -> int:
        """Resident megabytes of the server and of its workers together."""
        all_of_it = [self.process, *self.process.children(recursive=True)]
        return int(sum(process.memory_info().rss for process in all_of_it) / 1e6)

    def post(self, picture: bytes, source: str = "127.0.0.1", style: str = "red-solid") -> int:
        """The status of one try-on; 0 where the connection broke."""
        body = form(picture, style)
        begun, status = time.monotonic(), 0
        connection = HTTPConnection(*self.address, timeout=150, source_address=(source, 0))
        with contextlib.suppress(OSError), contextlib.closing(connection):
            connection.request("POST", "/try-on", body, {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"})
            answer = connection.getresponse()
            answer.read()
            status = answer.status
        if status == 200:
            self.seconds.append(time.monotonic() - begun)
        self.answers[status] += 1
        return status

    def ask(self, method: str, path: str, picture: bytes = b"", source: str = "127.0.0.1", **headers: str) -> Answer:
        """One request to the API; status 0 where the connection broke."""
        body = form(picture, "red-solid") if picture else None
        sent = headers | ({"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"} if picture else {})
        connection, answer = HTTPConnection(*self.address, timeout=150, source_address=(source, 0)), Answer()
        with contextlib.suppress(OSError, HTTPException), contextlib.closing(connection):
            connection.request(method, path, body, sent)
            came = connection.getresponse()
            answer = Answer(came.status, dict(came.headers), came.read())
        self.answers[answer.status] += 1
        return answer

    def told(self) -> str:
        """The answers since the last time, and forget them."""
        told = ", ".join(f"{count} x {status or 'broken'}" for status, count in sorted(self.answers.items()))
        self.answers.clear()
        return told

    def median(self) -> str:
        """The median time of what was served since the last time, and forget it."""
        told = f"median {statistics.median(self.seconds):.1f} s" if self.seconds else ""
        self.seconds.clear()
        return told


@contextlib.contextmanager
def served_page() -> Iterator[Page]:
    """``fittingroom app`` with the starter models, in a workspace of its own."""
    with tempfile.TemporaryDirectory() as folder:
        process = started(["app"], Path(folder), stderr=subprocess.PIPE, text=True)
        assert process.stderr is not None
        said: list[str] = []
        for line in process.stderr:
            said.append(line)
            if found := re.search(r"http://([^:]+):(\d+)", line):
                break
        else:
            raise SystemExit("the page did not start: " + "".join(said))
        threading.Thread(target=said.extend, args=(process.stderr,), daemon=True).start()
        try:
            yield Page((found[1], int(found[2])), psutil.Process(process.pid))
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(60)
