"""Every path the pipeline writes, from one root; atomic writes; content digests."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import re
import secrets
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from fittingroom.errors import InputError, StorageUnavailable
from fittingroom.names import is_utf8
from fittingroom.outputs import check_output_folder

FULL = (errno.ENOSPC, errno.EDQUOT)
"""The system's words for a disk or a quota that is full."""
LEAST_ROOM = 1_048_576
"""With fewer free bytes than this a disk counts as full."""
_NAME = re.compile(r"^[a-z0-9](?:[a-z0-9-]{0,62}[a-z0-9])?$")


def check_name(name: str, what: str = "name") -> str:
    """``name`` if it is safe as a folder and registry name: a-z, 0-9 and inner hyphens, at most 64 characters.

    Raises:
        InputError: it is not.
    """
    if not _NAME.fullmatch(name):
        raise InputError(f"{what}: expected a-z, 0-9 and hyphens (at most 64 characters), got {name!r}")
    return name


@dataclass(frozen=True)
class Workspace:
    """The data layout. Nothing outside ``root`` is ever written by the pipeline.

    ::

        root/crawl/<style>/         pictures by digest, manifest.jsonl
        root/cutouts/<style>/       RGBA PNG: garment on white, alpha is the mask
        root/prepared/<style>/      RGBA PNG at 256 x 256
        root/datasets/<name>/       selection.json, train.json, validation.json (COCO), via/
        root/training/<model>/      checkpoints/, weights.safetensors, progress.jsonl, samples/
        root/registry/              MLflow's SQLite file and artifact folder
        root/persons/               photos of people that wait for a batch of try-ons
        root/tryon/                 pictures asked for
        root/reports/               contact sheets and HTML reports
        root/cache/                 results of cached tasks (JSON), digests.sqlite3
        root/prefect/               Prefect's own home when we start the server
        root/demo/                  the demo's own workspace, laid out like this one
        root/withdrawn.jsonl        pictures that were withdrawn, by digest
        root/checks.jsonl           what the checks between stages saw last
    """

    root: Path

    def __post_init__(self) -> None:
        object.__setattr__(self, "root", Path(self.root).expanduser().absolute())

    @property
    def catalog(self) -> Path:
        """The catalog, where no setting names another."""
        return self.root / "catalog.yaml"

    def crawl(self, style: str) -> Path:
        """Crawled pictures and manifest of one style."""
        return self.root / "crawl" / check_name(style, "style")

    def cutouts(self, style: str) -> Path:
        """Garment-only pictures of one style."""
        return self.root / "cutouts" / check_name(style, "style")

    def prepared(self, style: str) -> Path:
        """256 x 256 training pictures of one style."""
        return self.root / "prepared" / check_name(style, "style")

    def dataset(self, name: str) -> Path:
        """A selected, converted and split annotation set."""
        return self.root / "datasets" / check_name(name, "dataset")

    def training(self, model: str) -> Path:
        """One training: checkpoints, progress, weights, sample sheets."""
        return self.root / "training" / check_name(model, "model")

    @property
    def registry(self) -> Path:
        """MLflow's files."""
        return self.root / "registry"

    @property
    def persons(self) -> Path:
        """Photos of people that the batch of try-ons takes."""
        return self.root / "persons"

    @property
    def tryon(self) -> Path:
        """Try-on results."""
        return self.root / "tryon"

    @property
    def reports(self) -> Path:
        """Reports and contact sheets."""
        return self.root / "reports"

    @property
    def cache(self) -> Path:
        """Results of cached tasks."""
        return self.root / "cache"

    @property
    def withdrawn(self) -> Path:
        """Which pictures were withdrawn, for all crawls to come."""
        return self.root / "withdrawn.jsonl"

    @property
    def checks(self) -> Path:
        """What the checks between stages saw in earlier runs."""
        return self.root / "checks.jsonl"

    @property
    def demo(self) -> Path:
        """The demo's own workspace: its models know the rendered sample world only, so they serve nowhere else."""
        return self.root / "demo"

    @property
    def prefect_home(self) -> Path:
        """Prefect's home when Fittingroom starts the server itself."""
        return self.root / "prefect"

    def check_writable(self) -> None:
        """Refuse a workspace that nothing can be written to, before any work is done.

        Raises:
            InputError: it is on a read-only file system, belongs to somebody else, or is a file.
        """
        check_output_folder(self.root, "workspace")

    def relative(self, path: Path) -> str:
        """``path`` as written into manifests: relative to the root, with forward slashes.

        Raises:
            InputError: the path is not under the root.
        """
        try:
            return Path(path).absolute().relative_to(self.root).as_posix()
        except ValueError:
            raise InputError(f"path outside the workspace {self.root}: {path}") from None

    def portable(self, path: str | Path) -> str:
        """``path`` as records say it: relative to the root where it lies there, as it is where it does not."""
        return Path(path).relative_to(self.root).as_posix() if Path(path).is_relative_to(self.root) else str(path)


@contextlib.contextmanager
def full_disk_named(where: Path) -> Iterator[None]:
    """Say of a full disk whose it is, in one line.

    Raises:
        StorageUnavailable: something in the block met a full disk.
    """
    try:
        yield
    except OSError as error:
        if error.errno in FULL:
            raise StorageUnavailable(no_space(error.filename or full_folder(where) or where)) from error
        raise


def no_space(where: Path | str) -> str:
    """The sentence for a full disk."""
    return f"no space left on the disk of {where}"


def full_folder(workspace: Path) -> Path | None:
    """The one of the folders that are written to, ``workspace`` and the temporary folder, whose disk is full."""
    return next((folder for folder in (workspace, Path(tempfile.gettempdir())) if is_full(folder)), None)


def is_full(folder: Path) -> bool:
    """Whether nothing more of any size fits on the disk of ``folder``, or of the folder it would be made in."""
    existing = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    return shutil.disk_usage(existing).free < LEAST_ROOM


@contextlib.contextmanager
def temporary_beside(path: Path) -> Iterator[Path]:
    """An empty, hidden file next to ``path``, to be written and renamed; it vanishes with the block if it was not.

    Raises:
        StorageUnavailable: the disk is full.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f"{_prefix(path)}{secrets.token_hex(8)}.tmp")
    try:  # around the opening too: Ctrl-C comes while the system works, and is raised when the file is there already
        # The system applies the umask to the mode: asking for it would change it, for every thread, for a moment.
        os.close(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o666))
        yield temporary
    except OSError as error:
        if error.errno in FULL:
            raise StorageUnavailable(no_space(path)) from error
        if _is_temporary(error.filename, path):
            error.filename, error.filename2 = str(path), None  # nobody knows the temporary name
        raise
    finally:
        with contextlib.suppress(OSError):  # it was renamed; or what kept it from being made is told
            temporary.unlink()


def _prefix(path: Path) -> str:
    return f".{path.name[:80]}."


def _is_temporary(name: object, path: Path) -> bool:
    return isinstance(name, str) and Path(name).name.startswith(_prefix(path))


@contextlib.contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """A temporary name next to ``path`` that becomes ``path`` when the block ends well, and vanishes when it does not.

    Raises:
        StorageUnavailable: the disk is full.
    """
    with temporary_beside(path) as temporary:
        yield temporary
        temporary.replace(path)


def sqlite_url(path: Path, scheme: str = "sqlite") -> str:
    """The database URL (SQLAlchemy's, MLflow's, Prefect's) of an SQLite file.

    A question mark in the path would begin the URL's options, and cannot be written otherwise but in SQLite's own kind
    of file URI (https://sqlite.org/uri.html).
    """
    if "?" not in str(path):
        return f"{scheme}:///{path}"
    # With the driver named, for MLflow makes folders for what it takes for the path of a bare "sqlite:///".
    driver = scheme if "+" in scheme else f"{scheme}+pysqlite"
    return f"{driver}:///file:{quote(str(Path(path).absolute()))}?uri=true"


def write_durably(path: Path, data: bytes) -> None:
    """Write ``data`` into an existing file and wait until it is on the disk."""
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def write_bytes(path: Path, data: bytes) -> None:
    """Write ``data`` atomically: readers see the old file or the new one, never a part.

    Raises:
        StorageUnavailable: the disk is full.
    """
    with atomic_path(path) as temporary:
        write_durably(temporary, data)


def write_text(path: Path, text: str) -> None:
    """`write_bytes` of UTF-8 text."""
    write_bytes(path, text.encode("utf-8"))


def write_json(path: Path, value: Any, indent: int | None = 2) -> None:
    """`write_bytes` of JSON: UTF-8, keys in the order given, NaN refused; a path that is not UTF-8 comes back whole."""
    text = json.dumps(value, ensure_ascii=False, indent=indent, allow_nan=False)
    if not is_utf8(text):
        text = json.dumps(value, indent=indent, allow_nan=False)
    write_text(path, text + "\n")


_CANONICAL = json.JSONEncoder(sort_keys=True, separators=(",", ":"))


def digest_bytes(data: bytes) -> str:
    """SHA-256 in lower-case hexadecimal."""
    return hashlib.sha256(data).hexdigest()


def digest_file(path: Path) -> str:
    """SHA-256 of a file's bytes."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def digest_value(value: Any) -> str:
    """SHA-256 of a JSON value in canonical form (sorted keys, no spaces): the same value, the same digest."""
    return digest_bytes(_CANONICAL.encode(value).encode())


def digest_files(paths: Iterable[Path], root: Path) -> str:
    """One digest for a set of files: their names under ``root`` and their contents, in any order given."""
    rows: Mapping[str, str] = {Path(p).relative_to(root).as_posix(): digest_file(p) for p in paths}
    return digest_value(rows)
