"""The registry: versions of every trained model, kept by MLflow, and which of them serves (the champion).

One registered model per style (``style-<name>``) and one ``segmenter``. A version carries its weights file, metrics,
data digests and recipe. By default MLflow's SQLite file and artifact folder lie in the workspace's ``registry``
folder; any other tracking URI (a server's, say) works the same.

MLflow is slow to import and to open (some 2 s), and a try-on only wants one path: from the SQLite file everything is
read directly (`fittingroom.registry.database`); MLflow writes, and reads what a server has.
"""

from __future__ import annotations

import math
import sqlite3
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from fittingroom.errors import FittingroomError, InputError, MissingInputError, StorageUnavailable
from fittingroom.locks import locked
from fittingroom.redaction import redacted
from fittingroom.registry import database, history
from fittingroom.registry.mlflow_store import (
    add_version,
    experiment_in,
    is_damage,
    is_storage_error,
    one_line,
    open_client,
)
from fittingroom.registry.records import Damage, Found, read_all
from fittingroom.registry.stored_files import WEIGHTS_NAME, StoredFiles
from fittingroom.registry.versions import (
    PASSED,
    REASONS_TAG,
    REFUSED,
    SEGMENTER,
    VERDICT_TAG,
    WITHDRAWN_TAG,
    ModelVersion,
    content_digest,
    shown_name,
    style_model,
)
from fittingroom.settings import get_settings
from fittingroom.workspace import Workspace, check_name, digest_file, sqlite_url

if TYPE_CHECKING:
    from mlflow.tracking import MlflowClient

__all__ = ["SEGMENTER", "ModelVersion", "Registry", "content_digest", "style_model"]

Result = TypeVar("Result")


class Registry:
    """Versions and champions at one MLflow tracking URI.

    Args:
        workspace: it, or its root folder: where the default, an SQLite file, lies, and weights of a remote registry are
            kept.
        tracking_uri: an MLflow tracking URI, where the workspace shall not keep the registry itself.

    Every method raises `StorageUnavailable` when the registry does not answer, and `Damaged` when its database cannot
    be read. A single damaged record is not among the versions, but in `damaged`.
    """

    def __init__(self, workspace: Workspace | Path, tracking_uri: str | None = None) -> None:
        folder = (workspace if isinstance(workspace, Workspace) else Workspace(workspace)).registry
        self.uri = tracking_uri or sqlite_url(folder / "mlflow.db")
        in_file = self.uri.startswith("sqlite:///")
        named = Path(self.uri.removeprefix("sqlite:///")).absolute() if in_file else None
        self._database = named if tracking_uri else folder / "mlflow.db"
        self._files = StoredFiles(self._artifacts, folder / "downloads", self._do)
        self._client: MlflowClient | None = None
        self._opening = threading.Lock()
        self._kept: tuple[str, dict[str | None, Found]] = ("", {})

    @classmethod
    def from_settings(cls, workspace: Workspace | None = None) -> Registry:
        """The installation's registry: at its tracking URI if one is set, else in ``workspace`` (None: its own)."""
        settings = get_settings()
        return cls(workspace or settings.workspace, settings.tracking_uri)

    # Reading

    def models(self) -> list[str]:
        """Names of the registered models that have a version, sorted."""
        return sorted({version.model for version in self._all().versions})

    def all_versions(self) -> list[ModelVersion]:
        """Every version of every model, read once; in no order."""
        return self._all().versions

    def damaged(self, model: str | None = None) -> list[Damage]:
        """What cannot be read, of one model or of all."""
        return [damage for damage in self._all(model).damaged if model in (None, damage.model)]

    def versions(self, model: str) -> list[ModelVersion]:
        """All versions of a model, newest first; empty for a model that is not there."""
        found = [version for version in self._all(model).versions if version.model == model]
        return sorted(found, key=lambda version: version.version, reverse=True)

    def version(self, model: str, version: int) -> ModelVersion:
        """One version.

        Raises:
            MissingInputError: there is none. Damaged: its record cannot be read.
        """
        known = self.versions(model)
        for found in known:
            if found.version == version:
                return found
        for damage in self.damaged(model):
            if damage.version == version:
                raise damage.error()
        hint = "there are " + ", ".join(str(v.version) for v in known) if known else "the model has no versions"
        raise MissingInputError("model version", f"{model} {version}", hint)

    def champion(self, model: str) -> ModelVersion | None:
        """The version in use, or None.

        Raises:
            Damaged: there is one, and its record cannot be read.
        """
        for damage in self.damaged(model):
            if damage.champion:
                raise damage.error()
        return next((version for version in self.versions(model) if version.champion), None)

    def champions(self) -> list[ModelVersion]:
        """Every version in use whose record can be read, sorted by model."""
        return sorted(
            (version for version in self._all().versions if version.champion), key=lambda version: version.model
        )

    def retired(self) -> dict[str, str]:
        """Models that were taken out of service, and who did it: ``hand`` or ``catalog``."""
        return {version.model: version.retired for version in self._all().versions if version.retired}

    def weights_path(self, version: ModelVersion) -> Path:
        """The version's weights as a local file, downloaded once where the registry is remote.

        Raises:
            MissingInputError: the file is gone. Damaged: it is not what was registered.
        """
        return self._files.weights(version)

    def artifact(self, version: ModelVersion, name: str) -> bytes | None:
        """One of the version's further files, as bytes; None where it has none of that name, or has lost it."""
        return self._files.read(version, name) if name in version.files else None

    def has_intact(self, model: str, sha256: str) -> bool:
        """Whether no version with these weights has lost them: they are gone, or not what was registered."""
        return all(self._files.are_intact(each) for each in self.versions(model) if each.weights_sha256 == sha256)

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

        The same content with the same weights is registered once: the version that is there is returned. Where the file
        of a version with these weights was gone or damaged it is put back.

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
            same = [each for each in self.versions(model) if each.weights_sha256 == record["weights_sha256"]]
            for known in same:
                self._files.put_back(known, weights)
            for known in same:
                if known.content_digest == digest:
                    return known
            artifacts = {WEIGHTS_NAME: weights, **(files or {})}
            number = self._do(
                lambda client: add_version(
                    client, experiment_in(client, self._artifacts), model, record, digest, artifacts, curves or {}
                )
            )
            return self.version(model, number)

    def promote(self, model: str, version: int, reason: str = "") -> ModelVersion:
        """Make a version the champion; its predecessor is remembered for `rollback`. Only the gate's step calls this.

        Raises:
            MissingInputError: no such version. Damaged: its record cannot be read.
        """
        with self._writing():
            retired = self.version(model, version).retired
            self._do(lambda client: history.promote(client, model, version, reason, bool(retired)))
            return self.version(model, version)

    def rollback(self, model: str) -> ModelVersion:
        """Make the previous champion the champion again; one that learnt from a withdrawn picture is passed over.

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
            clean = [version for version in versions if not version.withdrawn]
            return self.version(model, self._do(lambda client: history.roll_back(client, model, clean)))

    def retire(self, model: str, by: str = "hand") -> ModelVersion | None:
        """Take a model out of service: it has no champion until `reinstate` or a promotion by hand.

        Returns:
            the version that served; None where it was retired before, or none served.

        Raises:
            MissingInputError: no such model.
        """
        with self._writing():
            self._known_versions(model)
            champion = next((version for version in self.versions(model) if version.champion), None)
            serves = champion is not None or any(damage.champion for damage in self.damaged(model))
            self._do(lambda client: history.retire(client, model, by, serves))
            return champion

    def reinstate(self, model: str) -> ModelVersion:
        """Undo `retire`: the version that served last is the champion again; one that learnt from a withdrawn picture
        is passed over.

        Raises:
            MissingInputError: no such model. InputError: it is not retired, or no version of it ever served.
        """
        with self._writing():
            versions = self._known_versions(model)
            name = shown_name(model)
            if not versions[0].retired:
                raise InputError(f"{name}: expected a retired style, it is not retired")
            clean = [version for version in versions if not version.withdrawn]
            return self.version(model, self._do(lambda client: history.reinstate(client, model, clean)))

    def note_verdict(self, version: ModelVersion, passed: bool, reasons: str) -> None:
        """Keep with a version what its gate said."""

        def note(client: MlflowClient) -> None:
            for name, value in ((VERDICT_TAG, PASSED if passed else REFUSED), (REASONS_TAG, reasons)):
                client.set_model_version_tag(version.model, str(version.version), name, value)

        with self._writing():
            self._do(note)

    def note_withdrawn(self, version: ModelVersion, at: str) -> None:
        """Keep with a version that a picture that it learnt from was withdrawn ``at`` that time (ISO 8601)."""
        with self._writing():
            self._do(
                lambda client: client.set_model_version_tag(version.model, str(version.version), WITHDRAWN_TAG, at)
            )

    def _known_versions(self, model: str) -> list[ModelVersion]:
        versions = self.versions(model)
        if not versions:
            for damage in self.damaged(model):
                raise damage.error()
            known = ", ".join(shown_name(known) for known in self.models()) or "none"
            raise MissingInputError("registered model", shown_name(model), f"registered: {known}")
        return versions

    def track(self, action: Callable[[MlflowClient, str], Result]) -> Result:
        """Run ``action`` with MLflow's client and the experiment's id (`fittingroom.registry.tracking`)."""
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

    def _all(self, model: str | None = None) -> Found:
        """Everything there is (of one model, where reading less is quicker: a second model is asked for by who asks
        for all of them, one after another)."""
        if self._database is None:
            return self._do(lambda client: read_all(client, model))
        if not self._database.exists():
            return Found([], [])
        state = database.state_of(self._database)
        kept_state, kept = self._kept
        if kept_state != state:
            kept = {}
        known = kept.get(None) or kept.get(model)
        if known is not None:
            return known
        wanted = None if kept else model
        try:
            found = database.read(self._database, wanted)
        except sqlite3.OperationalError:  # another process is making the tables, say
            return self._do(lambda client: read_all(client, None))
        self._kept = (state, kept | {wanted: found})
        return found

    def _do(self, action: Callable[[MlflowClient], Result]) -> Result:
        """Run ``action`` with the client; errors of MLflow and of its storage come out as ours."""
        try:
            return action(self._connect())
        except FittingroomError:
            raise
        except Exception as error:
            if self._database is not None and is_damage(error):
                raise database.damaged(self._database, one_line(error)) from None
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
