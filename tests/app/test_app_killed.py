"""The page as a process of its own, killed while a photo arrives: nothing of the photo stays on the disk."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

from tests.app.serving import form, head, photo

SPOOLED = 3_000_000
"""Bytes of a photo that the form's parser keeps in a file: more than one megabyte."""


def spools(pid: int, folder: Path) -> list[str]:
    """The files in a folder that a process has open."""
    found = (str(descriptor.readlink()) for descriptor in Path(f"/proc/{pid}/fd").iterdir())
    return [name for name in found if name.startswith(f"{folder}/")]


def test_killed_in_the_middle_of_an_upload_it_leaves_nothing_behind(tmp_path: Path) -> None:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    command = [sys.executable, "-c", "from fittingroom.cli import main; main(['app'])"]
    told = {**os.environ, "FITTINGROOM_WORKSPACE": str(tmp_path / "w"), "TMPDIR": str(temporary)}
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=told) as page:
        assert page.stderr is not None
        address = re.search(r"http://([\d.]+):(\d+)", page.stderr.readline())
        if address is None:
            page.kill()
        assert address, page.stderr.read()
        where = (address[1], int(address[2]))
        body = form(photo(1200))
        assert len(body) > SPOOLED
        with socket.create_connection(where, 60) as visitor:
            visitor.sendall(head(f"{where[0]}:{where[1]}", len(body)) + body[:SPOOLED])
            deadline = time.monotonic() + 60
            while not (spooled := spools(page.pid, temporary)) and time.monotonic() < deadline:
                time.sleep(0.02)
            page.send_signal(signal.SIGKILL)
            page.wait(30)
    assert spooled, "the photo was on its way into a file"
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
    assert list(temporary.iterdir()) == []
