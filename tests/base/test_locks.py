"""Locks: one holder at a time, between threads and processes; a killed holder holds nothing."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from fittingroom.locks import locked, locked_if_free

HOLD = "import sys, time; from pathlib import Path; from fittingroom.locks import locked\n"
HOLD += "with locked(Path(sys.argv[1])):\n    print('held', flush=True); time.sleep(60)"


def test_a_second_holder_waits_and_is_told_so(tmp_path: Path) -> None:
    order: list[str] = []
    waiting = threading.Event()

    def second() -> None:
        with locked(tmp_path / "lock", waiting.set):
            order.append("second")

    with locked(tmp_path / "lock", lambda: order.append("waited")):
        thread = threading.Thread(target=second)
        thread.start()
        assert waiting.wait(10)
        order.append("first")
    thread.join()
    assert order == ["first", "second"]


def test_a_killed_process_gives_its_lock_back(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "lock"
    with subprocess.Popen([sys.executable, "-c", HOLD, str(path)], stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        with locked_if_free(path) as held:
            assert not held
        holder.kill()
        holder.wait()
    with locked_if_free(path) as held:
        assert held


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to be two users")
def test_a_lock_of_another_user_that_can_only_be_read_is_held_too() -> None:
    with TemporaryDirectory() as folder:  # pytest's own is barred to others
        Path(folder).chmod(0o755)
        path = Path(folder) / "lock"
        path.touch(0o644)
        with acting_as(54321):
            with pytest.raises(PermissionError):
                path.open("a")
            with locked_if_free(path) as held:
                assert held
                with locked_if_free(path) as twice:
                    assert not twice


@contextmanager
def acting_as(user: int) -> Iterator[None]:
    """This process as a user without rights of its own."""
    os.seteuid(user)
    try:
        yield
    finally:
        os.seteuid(0)
