"""The registry: versions of every trained model, kept by MLflow, and which of them serves (the champion).

One registered model per style (``style-<name>``) and one ``segmenter``. A version carries its weights file, metrics,
data digests and recipe. By default MLflow's SQLite file and artifact folder lie in the workspace's ``registry``
folder; any other tracking URI (a server's, say) works the same.

MLflow is slow to import and to open (some 2 s), and a try-on only wants one path: for the SQLite file, everything
read is kept in ``snapshot.json`` beside it, valid for as long as the file's own change counter stands still.
"""

from __future__ import annotations

import json
import math
import shutil
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import unquote

from fittingroom.errors import FittingroomError, InputError, MissingInputError, StorageUnavailable
from fittingroom.locks import locked
from fittingroom.redaction import redacted
from fittingroom.settings import get_settings
from fittingroom.styles.mlflow_store import (
    create_once,
    experiment_in,
    flat,
    is_storage_error,
    log_file,
    one_line,
    open_client,
    state_of,
)
from fittingroom.styles.versions import (
    CHAMPION,
    DIGEST_TAG,
    HISTORY_TAG,
    PASSED,
    REASONS_TAG,
    RECORD_TAG,
    REFUSED,
    RETIRED_TAG,
    SEGMENTER,
    VERDICT_TAG,
    ModelVersion,
    champions_in_turn,
    content_digest,
    read_versions,
    shown_name,
    style_model,
)
from fittingroom.workspace import Workspace, atomic_path, check_name, digest_file, sqlite_url, write_json

if TYPE_CHECKING:
    from mlflow.tracking import MlflowClient

__all__ = ["SEGMENTER", "ModelVersion", "Registry", "content_digest", "style_model"]

WEIGHTS_NAME = "weights.safetensors"

_HISTORY_KEPT = 50
_SNAPSHOT_FORMAT = 2

Result = TypeVar("Result")


class Registry:
    """Versions and champions at one MLflow tracking URI.

    Args:
        where: a workspace or its root folder (its SQLite file is the default), or an MLflow tracking URI.
        tracking_uri: the MLflow tracking URI where ``where`` is a workspace that shall not keep the registry itself.
        downloads: where weights of a remote registry are kept; by default in the workspace.

    Every method raises `StorageUnavailable` when the registry does not answer.
    """

    def __init__(
        self, where: Workspace | Path | str, tracking_uri: str | None = None, *, downloads: Path | None = None
    ) -> None:
        workspace: Workspace | None = None
        if isinstance(where, str) and ("://" in where or where == "databricks"):
            tracking_uri = tracking_uri or where
        else:
            workspace = where if isinstance(where, Workspace) else Workspace(Path(where))
        folder = (workspace or Workspace(get_settings().workspace)).registry
        self.uri = tracking_uri or sqlite_url(folder / "mlflow.db")
        in_file = self.uri.startswith("sqlite:///")
        named = Path(self.uri.removeprefix("sqlite:///")).absolute() if in_file else None
        self._database = named if tracking_uri else folder / "mlflow.db"
        self._downloads = downloads or folder / "downloads"
        self._client: MlflowClient | None = None
        self._opening = threading.Lock()

    @classmethod
    def from_settings(cls) -> Registry:
        """The installation's registry: its tracking URI if one is set, else its workspace."""
        settings = get_settings()
        return cls(settings.workspace, settings.tracking_uri)

    # Reading

    def models(self) -> list[str]:
        """Names of the registered models that have a version, sorted."""
        return sorted({version.model for version in self._all()})

    def all_versions(self) -> list[ModelVersion]:
        """Every version of every model, read once; in no order."""
        return self._all()

    def versions(self, model: str) -> list[ModelVersion]:
        """All versions of a model, newest first; empty for a model that is not there."""
        found = [version for version in self._all(model) if version.model == model]
        return sorted(found, key=lambda version: version.version, reverse=True)

    def version(self, model: str, version: int) -> ModelVersion:
        """One version.

        Raises:
            MissingInputError: there is none.
        """
        known = self.versions(model)
        for found in known:
            if found.version == version:
                return found
        hint = "there are " + ", ".join(str(v.version) for v in known) if known else "the model has no versions"
        raise MissingInputError("model version", f"{model} {version}", hint)

    def champion(self, model: str) -> ModelVersion | None:
        """The version in use, or None."""
        return next((version for version in self.versions(model) if version.champion), None)

    def champions(self) -> list[ModelVersion]:
        """Every version in use, sorted by model."""
        return sorted((version for version in self._all() if version.champion), key=lambda version: version.model)

    def retired(self) -> dict[str, str]:
        """Models that were taken out of service, and who did it: ``hand`` or ``catalog``."""
        return {version.model: version.retired for version in self._all() if version.retired}

    def find_by_digest(self, model: str, digest: str) -> ModelVersion | None:
        """The newest version of ``model`` with that content, or None: what is there need not be trained again."""
        return next((version for version in self.versions(model) if version.content_digest == digest), None)

    def champion_history(self, model: str) -> list[int]:
        """Versions that were promoted and not rolled back, oldest first; the last is the champion."""
        if not self.versions(model):
            return []
        return self._do(lambda client: champions_in_turn(client, model))

    def weights_path(self, version: ModelVersion) -> Path:
        """The version's weights as a local file, downloaded once where the registry is remote.

        Raises:
            MissingInputError: the file is gone. FittingroomError: what was downloaded is not what was registered.
        """
        path = self.file_path(version, WEIGHTS_NAME)
        if path.stat().st_size != version.weights_bytes:
            raise FittingroomError(
                f"{path}: expected the {version.weights_bytes:,} bytes of {version.model} version {version.version}, "
                f"got {path.stat().st_size:,}"
            )
        return path

    def file_path(self, version: ModelVersion, name: str) -> Path:
        """Any artifact of a version as a local file.

        Raises:
            MissingInputError: there is none of that name.
        """
        if name != WEIGHTS_NAME and name not in version.files:
            raise MissingInputError("registered file", f"{version.model} version {version.version}: {name}")
        if self._artifacts is not None:  # by place, not by the URI that was recorded: a moved workspace still works
            local = self._artifacts / version.run_id / "artifacts" / name
            if local.is_file():
                return local
        if version.source.startswith("file://"):
            local = Path(unquote(version.source.removeprefix("file://"))) / name
            if not local.is_file():
                raise MissingInputError("registered file", local, f"{version.model} version {version.version}")
            return local
        return self._download(version, name)

    def _download(self, version: ModelVersion, name: str) -> Path:
        path = self._downloads / version.model / f"{version.version}-{version.run_id[:12]}" / name
        if path.is_file():
            return path
        with atomic_path(path) as temporary:
            parts = temporary.with_suffix(".parts")
            try:
                fetched = self._do(
                    lambda client: client.download_artifacts(version.run_id, name, str(_made(parts))),
                )
                if name == WEIGHTS_NAME and digest_file(Path(fetched)) != version.weights_sha256:
                    raise FittingroomError(
                        f"{version.model} version {version.version}: expected weights of SHA-256 "
                        f"{version.weights_sha256}, the registry sent others"
                    )
                Path(fetched).replace(temporary)
            finally:
                shutil.rmtree(parts, ignore_errors=True)
        return path

    # Writing

    def register(
        self,
        model: str,
        weights: Path,
        metrics: Mapping[str, float],
        digests: Mapping[str, str],
        recipe: Mapping[str, Any],
        tags: Mapping[str, str] | None = None,
        *,
        files: Mapping[str, Path] | None = None,
        curves: Mapping[str, Sequence[tuple[int, float]]] | None = None,
        digest: str | None = None,
    ) -> ModelVersion:
        """Add a version; it does not serve until it is promoted.

        The same content with the same weights is registered once: the version that is there is returned.

        Args:
            model: ``segmenter`` or ``style-<name>``.
            weights: the safetensors file.
            metrics: figures on held-out images; those that are not finite are left out.
            digests: of the data it was trained on.
            recipe: the settings it was trained with, a JSON value.
            tags: free words (category, colour, pattern, ...).
            files: further artifacts (sample sheet, progress file) by the name they get.
            curves: ``{name: [(step, value), ...]}``, shown as plots in MLflow's own pages.
            digest: the content digest to be found by; `content_digest` of digests and recipe by default.

        Raises:
            MissingInputError: no such weights file. InputError: a model name that is not allowed.
        """
        check_name(model, "model")
        weights = Path(weights)
        for path in (weights, *(files or {}).values()):
            if not Path(path).is_file():
                raise MissingInputError("file to register", path)
        for name in files or {}:
            if name == WEIGHTS_NAME or Path(name).name != name or name.startswith("."):
                raise InputError(f"file name: expected a plain name other than {WEIGHTS_NAME}, got {name!r}")
        record = {
            "metrics": {k: float(v) for k, v in metrics.items() if math.isfinite(v)},
            "digests": dict(digests),
            "recipe": dict(recipe),
            "tags": dict(tags or {}),
            "weights_sha256": digest_file(weights),
            "weights_bytes": weights.stat().st_size,
            "files": sorted(files or {}),
        }
        digest = digest or content_digest(digests, recipe)
        with self._writing():
            for known in self.versions(model):
                if known.content_digest == digest and known.weights_sha256 == record["weights_sha256"]:
                    return known
            artifacts = {WEIGHTS_NAME: weights, **(files or {})}
            number = self._do(lambda client: self._add(client, model, record, digest, artifacts, curves or {}))
            return self.version(model, number)

    def promote(self, model: str, version: int, reason: str = "") -> ModelVersion:
        """Make a version the champion; its predecessor is remembered for `rollback`. Only the gate's step calls this.

        Raises:
            MissingInputError: no such version.
        """
        with self._writing():
            retired = self.version(model, version).retired

            def move(client: MlflowClient) -> None:
                history = champions_in_turn(client, model)
                if not history or history[-1] != version:
                    history.append(version)
                self._set_champion(client, model, history)
                client.set_model_version_tag(model, str(version), "fittingroom.promoted_at", f"{time.time():.0f}")
                if reason:
                    client.set_model_version_tag(model, str(version), "fittingroom.promoted_because", reason)
                if retired:
                    client.delete_registered_model_tag(model, RETIRED_TAG)

            self._do(move)
            return self.version(model, version)

    def rollback(self, model: str) -> ModelVersion:
        """Make the previous champion the champion again.

        Raises:
            MissingInputError: no such model. InputError: it was retired, or there is no previous champion.
        """
        with self._writing():
            versions = self._known_versions(model)
            name = shown_name(model)
            if versions[0].retired:
                raise InputError(
                    f"{name}: it is retired; `fittingroom styles retire {name} --undo` lets it serve again"
                )

            def move(client: MlflowClient) -> int:
                history = champions_in_turn(client, model)
                if len(history) < 2:
                    raise InputError(_no_way_back(name, history, versions))
                self._set_champion(client, model, history[:-1])
                return history[-2]

            return self.version(model, self._do(move))

    def retire(self, model: str, by: str = "hand") -> ModelVersion | None:
        """Take a model out of service: it has no champion until `reinstate` or a promotion by hand.

        Returns:
            the version that served; None where it was retired before, or none served.

        Raises:
            MissingInputError: no such model.
        """
        with self._writing():
            self._known_versions(model)
            champion = self.champion(model)

            def move(client: MlflowClient) -> None:
                # The mark first: a kill between the two leaves a retired model that serves; retiring it again ends it.
                client.set_registered_model_tag(model, RETIRED_TAG, by)
                if champion is not None:
                    client.set_registered_model_tag(model, HISTORY_TAG, json.dumps(champions_in_turn(client, model)))
                    client.delete_registered_model_alias(model, CHAMPION)

            self._do(move)
            return champion

    def reinstate(self, model: str) -> ModelVersion:
        """Undo `retire`: the version that served last is the champion again.

        Raises:
            MissingInputError: no such model. InputError: it is not retired, or no version of it ever served.
        """
        with self._writing():
            versions = self._known_versions(model)
            name = shown_name(model)
            if not versions[0].retired:
                raise InputError(f"{name}: expected a retired style, it is not retired")

            def move(client: MlflowClient) -> int:
                history = champions_in_turn(client, model)
                if not history:
                    raise InputError(
                        f"{name}: none of its versions ever served; `fittingroom styles promote {name} VERSION`"
                    )
                self._set_champion(client, model, history)
                client.delete_registered_model_tag(model, RETIRED_TAG)
                return history[-1]

            return self.version(model, self._do(move))

    def note_verdict(self, version: ModelVersion, passed: bool, reasons: str) -> None:
        """Keep with a version what its gate said."""
        with self._writing():

            def note(client: MlflowClient) -> None:
                for name, value in ((VERDICT_TAG, PASSED if passed else REFUSED), (REASONS_TAG, reasons)):
                    client.set_model_version_tag(version.model, str(version.version), name, value)

            self._do(note)

    def _known_versions(self, model: str) -> list[ModelVersion]:
        versions = self.versions(model)
        if not versions:
            known = ", ".join(shown_name(known) for known in self.models()) or "none"
            raise MissingInputError("registered model", shown_name(model), f"registered: {known}")
        return versions

    def tag(self, version: ModelVersion, name: str, value: str) -> None:
        """Put a note on a version in MLflow (a verdict's reasons, say)."""
        with self._writing():
            self._do(lambda client: client.set_model_version_tag(version.model, str(version.version), name, value))

    def track(self, action: Callable[[MlflowClient, str], Result]) -> Result:
        """Run ``action`` with MLflow's client and the experiment's id: for trainings (`fittingroom.tracking`)."""
        with self._writing():
            return self._do(lambda client: action(client, experiment_in(client, self._artifacts)))

    # How

    @property
    def folder(self) -> Path | None:
        """Where the registry lies, when it is a file; None for a server's."""
        return self._database.parent if self._database else None

    @property
    def _artifacts(self) -> Path | None:
        return self._database.parent / "artifacts" if self._database else None

    def _add(
        self,
        client: MlflowClient,
        model: str,
        record: dict[str, Any],
        digest: str,
        artifacts: Mapping[str, Path],
        curves: Mapping[str, Sequence[tuple[int, float]]],
    ) -> int:
        from mlflow.entities import Metric, Param

        create_once(lambda: client.create_registered_model(model))
        run = client.create_run(experiment_in(client, self._artifacts), run_name=model)
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

    @staticmethod
    def _set_champion(client: MlflowClient, model: str, history: list[int]) -> None:
        # The history first: a kill between the two leaves a history whose last is put right by the next promote.
        client.set_registered_model_tag(model, HISTORY_TAG, json.dumps(history[-_HISTORY_KEPT:]))
        client.set_registered_model_alias(model, CHAMPION, str(history[-1]))

    def _all(self, model: str | None = None) -> list[ModelVersion]:
        """Every version (of one model, where asking a server for less is quicker)."""
        if self._database is None:
            return self._do(lambda client: list(read_versions(client, model)))
        if not self._database.exists():
            return []
        snapshot = self._database.parent / "snapshot.json"
        state = state_of(self._database)
        try:
            kept = json.loads(snapshot.read_text(encoding="utf-8"))
            if kept["format"] == _SNAPSHOT_FORMAT and kept["state"] == state:
                return [ModelVersion(**values) for values in kept["versions"]]
        except (OSError, ValueError, TypeError, KeyError):
            pass  # none yet, or a torn or older one: read the registry itself
        found = self._do(lambda client: list(read_versions(client, None)))
        if state_of(self._database) == state:
            values = {"format": _SNAPSHOT_FORMAT, "state": state, "versions": [asdict(v) for v in found]}
            write_json(snapshot, values, indent=None)
        return found

    def _do(self, action: Callable[[MlflowClient], Result]) -> Result:
        """Run ``action`` with the client; errors of MLflow and of its storage come out as ours."""
        try:
            return action(self._connect())
        except FittingroomError:
            raise
        except Exception as error:
            if is_storage_error(error):
                # without the cause, which a traceback would print, password and all
                raise StorageUnavailable(f"registry {redacted(self.uri)} does not answer: {one_line(error)}") from None
            if type(error).__module__.partition(".")[0] in ("mlflow", "sqlalchemy", "requests", "urllib3"):
                raise FittingroomError(f"registry {redacted(self.uri)}: {one_line(error)}") from None
            raise

    def _connect(self) -> MlflowClient:
        with self._opening:
            if self._client is None:
                self._client = open_client(self.uri, self._database)
            return self._client

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """One writer at a time where the registry is a file of ours; a server takes care of itself."""
        if self._database is None:
            yield
            return
        with locked(self._database.parent / "write.lock"):
            yield


def _no_way_back(name: str, history: list[int], versions: list[ModelVersion]) -> str:
    others = sorted(version.version for version in versions if version.version not in history)
    first = f"version {history[0]} is the first that served" if history else "no version has served yet"
    ways = [f"`fittingroom styles retire {name}` takes it out of service"] if history else []
    if others:
        there = ", ".join(map(str, others))
        ways.insert(0, f"`fittingroom styles promote {name} VERSION` takes another (there is {there})")
    said = f"{name}: expected a previous champion to go back to, there is none: {first}"
    return f"{said}; {', '.join(ways)}" if ways else said


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder
