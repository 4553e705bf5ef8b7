"""Training as a job in a process of its own.

A pipeline may train two models at once, and torch's random state, thread count and memory belong to a process: a job
of its own keeps a training repeatable, lets it be killed without loss, and is what ``accelerate launch`` starts too.

A training module is run as ``python -m <module> job.json``; it writes ``progress.jsonl`` and ``result.json`` next to
the job file. When the parent dies the job is killed too (Linux), so no orphan trains on.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from fittingroom import errors
from fittingroom.cores import thread_variables
from fittingroom.errors import FittingroomError, StorageUnavailable
from fittingroom.training.locks import own_folder, own_gpu
from fittingroom.training.progress import Listener, Progress, ProgressFile
from fittingroom.workers import quiet_decoders
from fittingroom.workspace import is_full, no_space, write_json

POLL_SECONDS = 0.25
log = logging.getLogger(__name__)
_PR_SET_PDEATHSIG = 1
_RANKS = ("RANK", "PMI_RANK", "OMPI_COMM_WORLD_RANK", "MV2_COMM_WORLD_RANK")
"""Variables by which torchrun, Accelerate or MPI say which of a training's processes this is, in Accelerate's order."""


def run_job(
    module: str, folder: Path, job: Mapping[str, Any], listener: Listener | None = None, threads: int | None = None
) -> dict[str, Any]:
    """Run ``python -m module folder/job.json`` to its end and return its result.

    Another training in the same folder, or on the only GPU, is waited for (`fittingroom.training.locks`).

    Args:
        module: a module that ends in ``main_of_job(run)`` (see below).
        folder: where job, progress, result and log lie; made if missing.
        job: what to do, a JSON value.
        listener: called with each new `Progress`, about four times a second at most.
        threads: CPU threads the job may use; None leaves torch's own choice.

    Raises:
        FittingroomError: the job failed; the same class and message as in the job. A job killed by a signal or ended
            without a result raises `FittingroomError` naming the log file.
        StorageUnavailable: the disk is full.
    """
    folder = Path(folder)

    def say(message: str) -> None:
        log.info("%s: %s", folder.name, message)
        if listener is not None:
            listener(Progress(0, 0, 0, 0, message=message))

    with own_folder(folder, say), own_gpu(str(job.get("device") or "auto"), say) as gpu:
        return _run(module, folder, job, listener, threads, gpu)


def _run(
    module: str,
    folder: Path,
    job: Mapping[str, Any],
    listener: Listener | None,
    threads: int | None,
    gpu: Mapping[str, str],
) -> dict[str, Any]:
    result_path, log_path, progress_path = folder / "result.json", folder / "job.log", folder / "progress.jsonl"
    write_json(folder / "job.json", dict(job))
    result_path.unlink(missing_ok=True)
    environment = {**os.environ, **gpu}
    if threads is not None:
        environment |= thread_variables(threads)
    start = progress_path.stat().st_size if progress_path.exists() else 0
    with log_path.open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", module, str(folder / "job.json")],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            env=environment,
            preexec_fn=_die_with(os.getpid()) if sys.platform == "linux" else None,
        )
    try:
        position = start
        while process.poll() is None:
            time.sleep(POLL_SECONDS)
            position = _report(progress_path, position, listener)
        _report(progress_path, position, listener)
    finally:
        if process.poll() is None:
            process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(10)
            if process.poll() is None:
                process.kill()
                process.wait()
    return _outcome(result_path, log_path, process.returncode)


def _die_with(parent: int) -> Callable[[], None]:
    libc = ctypes.CDLL(None, use_errno=True)

    def set_death_signal() -> None:
        libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # it died in between
            os._exit(1)

    return set_death_signal


def _report(path: Path, position: int, listener: Listener | None) -> int:
    if not path.exists():
        return position
    with path.open("rb") as file:
        file.seek(position)
        data = file.read()
    complete, newline, _ = data.rpartition(b"\n")
    if not newline:
        return position
    if listener is not None:
        for line in complete.splitlines():
            with contextlib.suppress(ValueError, TypeError):
                listener(Progress(**json.loads(line)))
    return position + len(complete) + 1


def _outcome(result_path: Path, log_path: Path, code: int) -> dict[str, Any]:
    if not result_path.exists():
        if is_full(log_path.parent):
            raise StorageUnavailable(f"{no_space(log_path.parent)}: the training stopped at its last checkpoint")
        how = f"was killed by signal {-code}" if code < 0 else f"ended with code {code} and no result"
        raise FittingroomError(f"training {how}; its log is {log_path}")
    outcome: dict[str, Any] = json.loads(result_path.read_text(encoding="utf-8"))
    if "error" in outcome:
        raise _error_of(outcome["error"], outcome["message"], log_path)
    return dict(outcome["result"])


def _error_of(name: str, message: str, log_path: Path) -> FittingroomError:
    found = getattr(errors, name, None)
    if not (isinstance(found, type) and issubclass(found, FittingroomError)):
        return FittingroomError(f"training failed with {name}: {message}; its log is {log_path}")
    error = FittingroomError.__new__(found)  # some classes take parts, not a message
    Exception.__init__(error, message)
    return error


def main_of_job(run: Callable[[dict[str, Any], Listener], Mapping[str, Any]]) -> None:
    """What a training module calls under ``if __name__ == "__main__"``: read the job, run it, write the outcome.

    Raises:
        SystemExit: ``run`` raised a `FittingroomError`, which stands in ``result.json``.
    """
    quiet_decoders()
    job_path = Path(sys.argv[1])
    folder = job_path.parent
    job = json.loads(job_path.read_text(encoding="utf-8"))
    # Under `accelerate launch` every process runs this; the first one, or the only one, reports.
    main = next((os.environ[name] for name in _RANKS if name in os.environ), "0") == "0"

    def silent(_: Progress) -> None:
        return None

    try:
        result = run(job, ProgressFile(folder / "progress.jsonl") if main else silent)
    except FittingroomError as error:
        if main:
            write_json(folder / "result.json", {"error": type(error).__name__, "message": str(error)})
        raise SystemExit(error.exit_code) from None
    if main:
        write_json(folder / "result.json", {"result": dict(result)})
