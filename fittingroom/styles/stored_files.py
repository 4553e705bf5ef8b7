"""The files of registered versions: where they lie, fetched where they lie elsewhere, and whether they are intact."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from fittingroom.errors import Damaged, MissingInputError
from fittingroom.styles.intact import check_intact, known_digest
from fittingroom.styles.mlflow_store import log_file
from fittingroom.styles.versions import ModelVersion, shown_name
from fittingroom.workspace import atomic_path, digest_file

if TYPE_CHECKING:
    from mlflow.tracking import MlflowClient

WEIGHTS_NAME = "weights.safetensors"


class StoredFiles:
    """Artifacts of versions as local files.

    Args:
        artifacts: where a registry in a file keeps them; None where a server does.
        downloads: where those of a server are kept.
        ask: runs an action with MLflow's client.
    """

    def __init__(
        self, artifacts: Path | None, downloads: Path, ask: Callable[[Callable[[MlflowClient], Any]], Any]
    ) -> None:
        self._artifacts, self._downloads, self._ask = artifacts, downloads, ask

    def weights(self, version: ModelVersion) -> Path:
        """As `fittingroom.styles.registry.Registry.weights_path`."""
        path = self.path(version, WEIGHTS_NAME)
        if self._place(version, WEIGHTS_NAME) is None and known_digest(path) != version.weights_sha256:
            path.unlink()  # a copy: the server has the file itself
            path = self.path(version, WEIGHTS_NAME)
        check_intact(path, version.weights_sha256, _named(version), _ways_out(version))
        return path

    def are_intact(self, version: ModelVersion) -> bool:
        """Whether the version's weights are there and what was registered."""
        try:
            self.weights(version)
        except (MissingInputError, Damaged):
            return False
        return True

    def path(self, version: ModelVersion, name: str) -> Path:
        """As `fittingroom.styles.registry.Registry.file_path`."""
        if name != WEIGHTS_NAME and name not in version.files:
            raise MissingInputError("registered file", f"{_named(version)}: {name}")
        local = self._place(version, name)
        if local is None:
            return self._download(version, name)
        if not local.is_file():
            raise MissingInputError("registered file", local, f"{_named(version)}; {_ways_out(version)}")
        return local

    def put_back(self, version: ModelVersion, weights: Path) -> None:
        """Store the weights of a version anew where they are gone or damaged."""
        if self.are_intact(version):
            return
        place = self._place(version, WEIGHTS_NAME)
        if place is None:
            self._ask(lambda client: log_file(client, version.run_id, WEIGHTS_NAME, weights))
            return
        with atomic_path(place) as temporary:
            shutil.copyfile(weights, temporary)

    def _place(self, version: ModelVersion, name: str) -> Path | None:
        """Where an artifact lies on this machine; None where it has to be fetched.

        In a registry of ours by place, not by the URI that MLflow recorded: a workspace may have been moved, and a copy
        must not serve the files of the workspace that it was copied from.
        """
        if self._artifacts is not None:
            return self._artifacts / version.run_id / "artifacts" / name
        if version.source.startswith("file://"):
            return Path(unquote(version.source.removeprefix("file://"))) / name
        return None

    def _download(self, version: ModelVersion, name: str) -> Path:
        path = self._downloads / version.model / f"{version.version}-{version.run_id[:12]}" / name
        if path.is_file():
            return path
        with atomic_path(path) as temporary:
            parts = temporary.with_suffix(".parts")
            parts.mkdir(parents=True, exist_ok=True)
            try:
                fetched = self._ask(lambda client: client.download_artifacts(version.run_id, name, str(parts)))
                if name == WEIGHTS_NAME and (sent := digest_file(Path(fetched))) != version.weights_sha256:
                    raise Damaged(
                        f"{_named(version)}: damaged: expected weights of SHA-256 {version.weights_sha256}, "
                        f"the registry sent {sent}; {_ways_out(version)}"
                    )
                Path(fetched).replace(temporary)
            finally:
                shutil.rmtree(parts, ignore_errors=True)
        return path


def _named(version: ModelVersion) -> str:
    return f"{shown_name(version.model)} version {version.version}"


def _ways_out(version: ModelVersion) -> str:
    """What to do about a version whose weights are gone or damaged."""
    name = shown_name(version.model)
    again = f"register-style --param style={name}" if version.style else "train-segmenter"
    return (
        f"`fittingroom styles rollback {name}` lets the champion before it serve, `fittingroom run {again}` registers "
        "it again where its training is still there"
    )
