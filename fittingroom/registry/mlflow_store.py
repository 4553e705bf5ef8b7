"""MLflow as the registry uses it: opened quietly and late, one writer at a time, its errors told apart."""

from __future__ import annotations

import json
import logging
import math
import os
import shutil
import sqlite3
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fittingroom.errors import FittingroomError
from fittingroom.locks import locked
from fittingroom.redaction import redact_logs, redacted
from fittingroom.registry.database import check_whole
from fittingroom.registry.versions import DIGEST_TAG, RECORD_TAG

if TYPE_CHECKING:
    from mlflow.entities import Experiment
    from mlflow.tracking import MlflowClient

EXPERIMENT = "fittingroom"


def open_client(uri: str, database: Path | None) -> MlflowClient:
    """A client, the tables made where they are not there yet; quiet, and asking no one but ``uri`` for anything.

    Args:
        uri: MLflow's tracking URI.
        database: the file behind it, where it is one.

    Raises:
        Damaged: the file is no registry.
    """
    redact_logs()
    if database is not None:
        check_whole(database)
        # A connection for each session: one that is kept would go on reading a file that a backup took the place of.
        os.environ.setdefault("MLFLOW_SQLALCHEMYSTORE_POOLCLASS", "NullPool")
    # MLflow reads these when it is imported or first used; a user's own values win.
    for name, value in (
        ("MLFLOW_DISABLE_TELEMETRY", "true"),
        ("DO_NOT_TRACK", "true"),
        ("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2"),
        ("MLFLOW_HTTP_REQUEST_TIMEOUT", "20"),
        ("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false"),
        ("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true"),  # stdout is for `--json`
    ):
        os.environ.setdefault(name, value)
    for name in ("mlflow", "alembic"):
        logging.getLogger(name).setLevel(logging.WARNING)
    from mlflow.tracking import MlflowClient

    for name in ("mlflow", "mlflow.store.db.utils", "alembic"):
        logging.getLogger(name).setLevel(logging.WARNING)
    if database is None:
        return MlflowClient(uri, uri)
    with locked(database.parent / "open.lock"):  # two processes must not create the tables at once
        client = MlflowClient(uri, uri)
        client.search_registered_models(max_results=1)
        return client


def create_once(create: Callable[[], object]) -> None:
    """Run ``create``; that somebody else was first is no error."""
    from mlflow.exceptions import MlflowException

    try:
        create()
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise


def experiment_in(client: MlflowClient, artifacts: Path | None) -> str:
    """The experiment that new versions go to. MLflow fixes an experiment's folder when it is made: in a workspace that
    was moved since, a second one is made for the place where the workspace is now.
    """
    location = artifacts.as_uri() if artifacts else None
    experiment = _experiment(client, EXPERIMENT, location)
    if location is not None and experiment.artifact_location != location:
        experiment = _experiment(client, f"{EXPERIMENT} in {location}", location)
    return str(experiment.experiment_id)


def _experiment(client: MlflowClient, name: str, location: str | None) -> Experiment:
    from mlflow.exceptions import MlflowException

    experiment = client.get_experiment_by_name(name)
    if experiment is None:
        try:
            experiment = client.get_experiment(client.create_experiment(name, artifact_location=location))
        except MlflowException:  # of which not every MLflow says that somebody else was first
            if (experiment := client.get_experiment_by_name(name)) is None:
                raise
    if experiment.lifecycle_stage != "active":
        raise FittingroomError(f"registry: the experiment {name!r} was deleted; restore it in MLflow")
    return experiment


def flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    """A JSON value as MLflow's parameters: ``{"optimizer": {"lr": 0.1}}`` gives ``optimizer.lr``."""
    found: dict[str, str] = {}
    for key, value in values.items():
        if isinstance(value, Mapping):
            found |= flat(value, f"{prefix}{key}.")
        else:
            found[f"{prefix}{key}"] = value if isinstance(value, str) else json.dumps(value)
    return found


def log_file(client: MlflowClient, run_id: str, name: str, path: Path) -> None:
    """Keep a file as an artifact under a name of ours (`log_artifact` keeps the file's own)."""
    if path.name == name:
        client.log_artifact(run_id, str(path))
        return
    with tempfile.TemporaryDirectory(prefix="fittingroom-") as folder:
        renamed = Path(folder) / name
        try:
            os.link(path, renamed)
        except OSError:
            shutil.copyfile(path, renamed)
        client.log_artifact(run_id, str(renamed))


def add_version(
    client: MlflowClient,
    experiment: str,
    model: str,
    record: Mapping[str, Any],
    digest: str,
    artifacts: Mapping[str, Path],
    curves: Mapping[str, Sequence[tuple[int, float]]],
) -> int:
    """Make a version of a model, and the run that holds its files, figures and settings; returns its number.

    Args:
        record: what `fittingroom.registry.records` reads again.
        artifacts: files by the names they get.
        curves: figures by name, (step, value) each; values that are not finite are left out.

    Raises:
        MlflowException: what MLflow or its storage raised (`is_storage_error`); the run is marked as failed.
    """
    from mlflow.entities import Metric, Param

    create_once(lambda: client.create_registered_model(model))
    run = client.create_run(experiment, run_name=model)
    run_id = run.info.run_id
    try:
        now = int(time.time() * 1000)
        figures = [Metric(k, v, now, 0) for k, v in record["metrics"].items()]
        figures += [Metric(k, v, now, s) for k, line in curves.items() for s, v in line if math.isfinite(v)]
        for start in range(0, len(figures), 1000):
            client.log_batch(run_id, metrics=figures[start : start + 1000])
        params = {**flat(record["recipe"]), **{f"digest.{k}": v for k, v in record["digests"].items()}}
        client.log_batch(run_id, params=[Param(k[:250], v[:6000]) for k, v in list(params.items())[:100]])
        for name, path in artifacts.items():
            log_file(client, run_id, name, path)
        made = client.create_model_version(
            model,
            source=run.info.artifact_uri,
            run_id=run_id,
            tags={**record["tags"], RECORD_TAG: json.dumps(record, sort_keys=True), DIGEST_TAG: digest},
        )
    except BaseException:
        client.set_terminated(run_id, "FAILED")
        raise
    client.set_terminated(run_id)
    return int(made.version)


def is_storage_error(error: BaseException) -> bool:
    """Whether an error (or what it came from) means that the storage does not answer for now."""
    for cause in _causes(error):
        module = type(cause).__module__.partition(".")[0]
        name = type(cause).__name__
        if module in ("requests", "urllib3") or isinstance(cause, ConnectionError | TimeoutError):
            return True
        if module == "sqlalchemy" and name in ("OperationalError", "TimeoutError"):
            return True
        if isinstance(cause, OSError) and cause.errno in (28, 122):  # no space, over quota
            return True
        if getattr(cause, "error_code", "") in ("TEMPORARILY_UNAVAILABLE", "REQUEST_LIMIT_EXCEEDED"):
            return True
        if module == "mlflow" and "API request to" in str(cause):
            return True
    return False


def is_damage(error: BaseException) -> bool:
    """Whether an error (or what it came from) means that an SQLite file is not what was written."""
    return any(
        "no such table" in str(cause) or "no such column" in str(cause)
        if isinstance(cause, sqlite3.OperationalError)  # locked, no room, not to be opened: may be retried
        else isinstance(cause, sqlite3.DatabaseError) and not isinstance(cause, sqlite3.IntegrityError)
        for cause in _causes(error)
    )


def _causes(error: BaseException) -> list[BaseException]:
    chain: list[BaseException] = []
    current: BaseException | None = error
    while current is not None and current not in chain:
        chain.append(current)
        current = current.__cause__ or current.__context__
    return chain


def one_line(error: BaseException) -> str:
    """An error's message without line breaks and passwords, not too long."""
    return redacted(" ".join(str(error).split()))[:200]
