"""Work in processes that can be ended: what takes too long, too much, or ends the process is refused, and the next
picture is decoded."""

from __future__ import annotations

import io
import os
import pickle
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import psutil
import pytest
from PIL import Image

from fittingroom.errors import HostUnavailable, ImageRejected, InputError, MissingInputError, SettingError
from fittingroom.images import read_rgb
from fittingroom.workers import Workers


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """The clock's limit is out of the way: on a crowded machine the first picture's imports take many seconds."""
    monkeypatch.setattr("fittingroom.workers.PATIENCE", 600.0)


@pytest.fixture
def workers() -> Iterator[Workers]:
    workers = Workers(1, seconds=1.0, memory=1_500_000_000)
    yield workers
    pids = workers.processes()
    workers.close()
    assert not any(psutil.pid_exists(pid) for pid in pids)


def png(side: int) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (side, side), (10, 20, 30)).save(buffer, "PNG")
    return buffer.getvalue()


def assert_at_work(workers: Workers) -> None:
    assert (workers.run(read_rgb, png(9)) == (10, 20, 30)).all()


def test_a_picture_comes_back_whole_and_the_process_stays(workers: Workers) -> None:
    assert_at_work(workers)
    first = workers.processes()
    assert_at_work(workers)
    assert workers.processes() == first
    assert os.getpid() not in first


def test_refusals_come_back_as_they_were_raised(workers: Workers, tmp_path: Path) -> None:
    with pytest.raises(ImageRejected, match="this is a text file") as refused:
        workers.run(read_rgb, b"not a picture")
    assert refused.value.reason == "format_not_allowed"
    with pytest.raises(MissingInputError, match=r"image not found: .*none\.png"):
        workers.run(read_rgb, tmp_path / "none.png")
    with pytest.raises(RuntimeError, match="ZeroDivisionError"):
        workers.run(divmod, 1, 0)
    assert_at_work(workers)


@pytest.mark.parametrize(
    ("work", "argument", "reason"),
    [
        pytest.param(sum, range(10**12), "too_slow", id="it computes without end"),
        pytest.param(time.sleep, 1000, "too_slow", id="it waits without end"),
        pytest.param(bytearray, 10**10, "too_much_memory", id="it wants ten gigabytes"),
        pytest.param(os._exit, 3, "unreadable", id="it ends the process"),
        pytest.param(os.abort, None, "unreadable", id="it crashes the process"),
    ],
)
def test_what_is_too_much_is_refused(
    workers: Workers, work, argument: object, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert_at_work(workers)
    with monkeypatch.context() as clock:
        if work is time.sleep:  # which takes no processor time
            clock.setattr("fittingroom.workers.PATIENCE", 0.5)
        with pytest.raises(ImageRejected) as refused:
            workers.run(work, *([] if argument is None else [argument]))
    assert refused.value.reason == reason
    assert reason in ImageRejected.REASONS
    assert_at_work(workers)


def test_a_slow_decoder_is_ended_in_the_middle() -> None:
    workers = Workers(1, seconds=0.02)
    with pytest.raises(ImageRejected, match=r"decoded within 0\.02 s") as refused:
        workers.run(read_rgb, png(6000))
    assert refused.value.reason == "too_slow"
    workers.close()


def test_a_picture_larger_than_the_memory_for_it_is_refused() -> None:
    workers = Workers(1, memory=500_000_000)
    assert_at_work(workers)
    with pytest.raises(ImageRejected) as refused:
        workers.run(read_rgb, png(7000))
    assert refused.value.reason == "too_much_memory"
    assert_at_work(workers)
    workers.close()


def test_a_slow_one_does_not_end_what_others_do() -> None:
    workers = Workers(2, seconds=2.0)
    with ThreadPoolExecutor(2) as threads:
        slow = threads.submit(workers.run, sum, range(10**12))
        shapes = [workers.run(read_rgb, png(9)).shape for _ in range(20)]
        assert isinstance(slow.exception(), ImageRejected)
    assert shapes == [(9, 9, 3)] * 20
    assert len(workers.processes()) == 1
    workers.close()


def test_closed_while_at_work(workers: Workers) -> None:
    with ThreadPoolExecutor(1) as threads:
        work = threads.submit(workers.run, time.sleep, 1000)
        while not workers.processes():
            time.sleep(0.01)
        workers.close()
        assert isinstance(work.exception(), ImageRejected)
    with pytest.raises(ImageRejected, match="the program is ending"):
        workers.run(read_rgb, png(9))


def test_a_process_that_closed_its_pipe_and_stays_is_ended(workers: Workers, monkeypatch: pytest.MonkeyPatch) -> None:
    """As one whose interpreter hangs at its end: nobody waits for that."""
    monkeypatch.setattr("fittingroom.workers._END_SECONDS", 0.2)
    assert_at_work(workers)
    with pytest.raises(ImageRejected, match="decoding it ended the process"):
        workers.run(exec, "import os, time; os.closerange(3, 100); time.sleep(40)")
    assert workers.processes() == []
    assert_at_work(workers)


def test_a_process_ends_with_the_one_that_started_it() -> None:
    program = (
        "import time; from fittingroom.workers import Workers; w = Workers(1); w.run(abs, 1);"
        "print(*w.processes(), flush=True); time.sleep(60)"
    )
    parent = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    worker = psutil.Process(int(parent.stdout.readline()))
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    worker.wait(20)


@pytest.mark.parametrize(
    "error",
    [
        ImageRejected("too_slow", "a.png", "why"),
        MissingInputError("photo", "b.png", "hint"),
        SettingError("size", 3, "4"),
        HostUnavailable("busy", retry_after=3.0),
        InputError("wrong"),
    ],
)
def test_errors_pass_between_processes_whole(error: Exception) -> None:
    arrived = pickle.loads(pickle.dumps(error))  # noqa: S301
    assert type(arrived) is type(error)
    assert str(arrived) == str(error)
    assert vars(arrived) == vars(error)


def test_arrays_keep_their_kind(workers: Workers) -> None:
    assert workers.run(np.zeros, (2, 3), "uint8").dtype == np.uint8


@pytest.mark.parametrize(
    ("program", "is_said"),
    [
        ("import fittingroom.images, fittingroom.translation.kid", True),
        ("from fittingroom.workers import quiet_decoders; quiet_decoders()", False),
        ("from fittingroom.cli import run; run(['--version'])", False),
        ("from fittingroom.entrypoints import try_on", False),
    ],
)
def test_the_library_leaves_warnings_to_the_program_and_ours_say_none_of_pillow(program: str, is_said: bool) -> None:
    warning = "warnings.warn_explicit('damaged EXIF', UserWarning, 'a.py', 1, module='PIL.TiffImagePlugin')"
    code = f"import warnings\n{program}\n{warning}"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stderr
    assert ("damaged EXIF" in said) is is_said
