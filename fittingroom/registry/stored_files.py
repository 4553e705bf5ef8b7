"""The weights of registered versions: where they lie, fetched where they lie elsewhere, and whether they are intact."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from fittingroom.errors import Damaged, MissingInputError
from fittingroom.registry.intact import check_intact, known_digest
from fittingroom.registry.mlflow_store import log_file
from fittingroom.registry.versions import ModelVersion, shown_name
from fittingroom.workspace import atomic_path, digest_file

if TYPE_CHECKING:
    from mlflow.tracking import MlflowClient

WEIGHTS_NAME = "weights.safetensors"


class StoredFiles:
    """Weights of versions as local files.

    Args:
        artifacts: where a registry in a file keeps artifacts; None where a server does.
        downloads: where those of a server are kept.
        ask: runs an action with MLflow's client.
    """

    def __init__(
        self, artifacts: Path | None, downloads: Path, ask: Callable[[Callable[[MlflowClient], Any]], Any]
    ) -> None:
        self._artifacts, self._downloads, self._ask = artifacts, downloads, ask

    def weights(self, version: ModelVersion) -> Path:
        """As `fittingroom.registry.registry.Registry.weights_path`."""
        path = self._local(version)
        if self._place(version) is None and known_digest(path) != version.weights_sha256:
            path.unlink()  # a copy: the server has the file itself
            path = self._local(version)
        check_intact(path, version.weights_sha256, _named(version), _ways_out(version))
        return path

    def are_intact(self, version: ModelVersion) -> bool:
        """Whether the version's weights are there and what was registered."""
        try:
            self.weights(version)
        except (MissingInputError, Damaged):
            return False
        return True

    def _local(self, version: ModelVersion) -> Path:
        place = self._place(version)
        if place is None:
            return self._download(version)
        if not place.is_file():
            raise MissingInputError("registered file", place, f"{_named(version)}; {_ways_out(version)}")
        return place

    def read(self, version: ModelVersion, name: str) -> bytes | None:
        """A further file of the version; None where it is gone."""
        place = self._place(version)
        if place is not None:
            return place.with_name(name).read_bytes() if place.with_name(name).is_file() else None
        with tempfile.TemporaryDirectory(prefix="fittingroom-") as folder, contextlib.suppress(OSError):
            return Path(self._ask(lambda client: client.download_artifacts(version.run_id, name, folder))).read_bytes()
        return None

    def put_back(self, version: ModelVersion, weights: Path) -> None:
        """Store the weights of a version anew where they are gone or damaged.

        Raises:
            StorageUnavailable: no room, or a server that does not answer.
        """
        if self.are_intact(version):
            return
        place = self._place(version)
        if place is None:
            self._ask(lambda client: log_file(client, version.run_id, WEIGHTS_NAME, weights))
            return
        with atomic_path(place) as temporary:
            shutil.copyfile(weights, temporary)

    def _place(self, version: ModelVersion) -> Path | None:
        """Where the weights lie on this machine; None where it has to be fetched.

        In a registry of ours by place, not by the URI that MLflow recorded: a workspace may have been moved, and a copy
        must not serve the files of the workspace that it was copied from.
        """
        if self._artifacts is not None:
            return self._artifacts / version.run_id / "artifacts" / WEIGHTS_NAME
        if version.source.startswith("file://"):
            return Path(unquote(version.source.removeprefix("file://"))) / WEIGHTS_NAME
        return None

    def _download(self, version: ModelVersion) -> Path:
        path = self._downloads / version.model / f"{version.version}-{version.run_id[:12]}" / WEIGHTS_NAME
        if path.is_file():
            return path
        with atomic_path(path) as temporary:
            parts = temporary.with_suffix(".parts")
            parts.mkdir(parents=True, exist_ok=True)
            try:
                fetched = self._ask(lambda client: client.download_artifacts(version.run_id, WEIGHTS_NAME, str(parts)))
                if (sent := digest_file(Path(fetched))) != version.weights_sha256:
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
