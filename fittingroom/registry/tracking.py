"""A training's curves, sheets and settings in MLflow while it learns: one run a training, resumed after a stop.

The process that starts a training listens to its progress and writes in a thread of its own: a slow, silent or broken
tracking server costs the curves, never the training.
"""

from __future__ import annotations

import contextlib
import json
import logging
import math
import queue
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fittingroom.redaction import redacted
from fittingroom.registry.mlflow_store import flat
from fittingroom.registry.registry import Registry
from fittingroom.training.progress import Listener, Progress
from fittingroom.workspace import write_json

if TYPE_CHECKING:
    from mlflow.tracking import MlflowClient

WRITE_SECONDS = 10.0
"""Between writes: each is a commit of the store, and a step may take milliseconds."""
CLOSE_SECONDS = 60.0
"""Waited at most for the last write once a training has ended."""
MOST_WAITING = 20_000
"""Values kept for a store that does not answer; the oldest go first, and are in ``progress.jsonl`` anyway."""
MOST_IN_BATCH = 1000
"""MLflow's own limit of values a call."""
PLACE = "mlflow.json"
"""The file next to a training's checkpoints that says which run is its own."""

log = logging.getLogger(__name__)


@contextmanager
def tracked(name: str, folder: Path, settings: Mapping[str, Any], registry: Registry | None) -> Iterator[Listener]:
    """A listener that writes the training in ``folder`` to the registry's MLflow; None: to nothing.

    The run is made with the first values, so a training that had ended before leaves none. It ends as finished, failed
    or killed with the block; that of a killed process stays as running until the training goes on in it.

    Args:
        name: the model's (``segmenter``, ``style-<name>``).
        folder: where the training writes ``samples`` and says in ``run.json`` or ``training.json`` which one it is.
        settings: a JSON value; shown as the run's parameters.
    """
    if registry is None:
        yield lambda _: None
        return
    training = _Tracked(name, folder, settings, registry)
    try:
        yield training.listen
    except BaseException as error:
        training.close("FAILED" if isinstance(error, Exception) else "KILLED")
        raise
    training.close("FINISHED")


class _Tracked:
    """One training's run, written from a thread of its own."""

    def __init__(self, name: str, folder: Path, settings: Mapping[str, Any], registry: Registry) -> None:
        self.name, self.folder, self.settings, self.registry = name, Path(folder), settings, registry
        self._events: queue.SimpleQueue[Progress | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._run_id: str | None = None
        self._status = "RUNNING"
        self._sheets: dict[Path, int] = {}
        self._said = False

    def listen(self, progress: Progress) -> None:
        """Take note of an event; returns at once."""
        if not progress.values:
            return
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name=f"mlflow {self.name}", daemon=True)
            self._thread.start()
        self._events.put(progress)

    def close(self, status: str) -> None:
        """Write what is left and end the run."""
        if self._thread is None:
            return
        self._status = status
        self._events.put(None)
        self._thread.join(CLOSE_SECONDS)
        if self._thread.is_alive():
            self._say(f"no answer within {CLOSE_SECONDS:.0f} s")

    def _work(self) -> None:
        waiting: list[Progress] = []
        ended = False
        while not ended:
            ended = self._take(waiting)
            try:
                self._write(waiting)
                waiting.clear()
                if ended and self._run_id:
                    self.registry.track(self._end)
            except Exception as error:  # noqa: BLE001  whatever it is, the training is worth more than its curves
                self._say(redacted(str(error)))
                del waiting[:-MOST_WAITING]

    def _end(self, client: MlflowClient, _: str) -> None:
        assert self._run_id is not None
        client.set_terminated(self._run_id, self._status)

    def _take(self, waiting: list[Progress]) -> bool:
        """Collect events for `WRITE_SECONDS`, or to the end of the training (True)."""
        until = time.monotonic() + WRITE_SECONDS
        while (left := until - time.monotonic()) > 0:
            with contextlib.suppress(queue.Empty):
                event = self._events.get(timeout=left)
                if event is None:
                    return True
                waiting.append(event)
        return False

    def _write(self, events: list[Progress]) -> None:
        from mlflow.entities import Metric

        values = [
            Metric(name, value, int(event.time * 1000), event.step)
            for event in events
            for name, value in event.values.items()
            if math.isfinite(value)
        ]
        sheets = self._new_sheets()
        if not values and not sheets:
            return

        def write(client: MlflowClient, experiment: str) -> None:
            run_id = self._run_id or self._open_run(client, experiment)
            for start in range(0, len(values), MOST_IN_BATCH):
                client.log_batch(run_id, metrics=values[start : start + MOST_IN_BATCH])
            for sheet in sheets:
                client.log_artifact(run_id, str(sheet), "samples")

        self.registry.track(write)
        self._sheets |= sheets

    def _open_run(self, client: MlflowClient, experiment: str) -> str:
        """Go on with this very training's run, or make one."""
        from mlflow.entities import Param
        from mlflow.exceptions import MlflowException

        training, place = _training_in(self.folder), self.folder / PLACE
        known = _json(place)
        if training and (known.get("uri"), known.get("training")) == (redacted(self.registry.uri), training):
            with contextlib.suppress(MlflowException):  # the store was emptied since
                if client.get_run(known["run_id"]).info.status != "FINISHED":
                    client.update_run(known["run_id"], status="RUNNING")
                    self._run_id = str(known["run_id"])
                    return self._run_id
        run = client.create_run(experiment, run_name=f"training {self.name}", tags={"fittingroom.model": self.name})
        self._run_id = str(run.info.run_id)
        write_json(place, {"uri": redacted(self.registry.uri), "training": training, "run_id": self._run_id})
        params = [Param(key[:250], value[:6000]) for key, value in flat(self.settings).items()]
        for start in range(0, len(params), 100):
            client.log_batch(self._run_id, params=params[start : start + 100])
        return self._run_id

    def _new_sheets(self) -> dict[Path, int]:
        """Sample sheets that were not written yet, or changed since, and when they were made."""
        found = {}
        for path in [*sorted((self.folder / "samples").glob("*.png")), self.folder / "samples.png"]:
            with contextlib.suppress(OSError):
                made = path.stat().st_mtime_ns
                if self._sheets.get(path) != made:
                    found[path] = made
        return found

    def _say(self, why: str) -> None:
        """In the log, once: a server that is away stays away for a while."""
        if not self._said:
            log.warning("%s: its curves are not in MLflow for now, the training goes on: %s", self.name, why)
        self._said = True


def training_run(folder: Path) -> str:
    """Id of MLflow's run of the training in a folder; empty where it has none, or that of an earlier training."""
    place = _json(folder / PLACE)
    return str(place.get("run_id", "")) if place.get("training") == _training_in(folder) else ""


def _training_in(folder: Path) -> str:
    """The digest of settings and data that the training in ``folder`` goes by; empty where there is none."""
    return str(_json(folder / "run.json").get("identity") or _json(folder / "training.json").get("identity") or "")


def _json(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}
