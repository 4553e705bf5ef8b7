"""What is installed, reachable and missing, in words: the checks behind ``fittingroom doctor``."""

from __future__ import annotations

import importlib.metadata
import json
import os
import platform
import shutil
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

from packaging.version import Version

from fittingroom.errors import FittingroomError
from fittingroom.redaction import redacted
from fittingroom.served import check_served, known_settings
from fittingroom.settings import Settings, settings_file
from fittingroom.workspace import Workspace

State = Literal["ok", "note", "broken"]

PACKAGES = (
    "prefect",
    "torch",
    "torchvision",
    "accelerate",
    "mlflow",
    "opencv-python-headless",
    "numpy",
    "pillow",
    "requests",
    "beautifulsoup4",
    "lxml",
    "pycocotools",
    "torchmetrics",
    "safetensors",
    "pydantic",
    "typer",
    "rich",
)
OPTIONAL = {"prefect-dask": "several machines (extra: dask)", "python-multipart": "the try-on page (extra: app)"}


@dataclass(frozen=True)
class Trap:
    """A version known not to work with the others."""

    package: str
    bad: Callable[[Version], bool]
    why: str


TRAPS = (
    Trap("fastapi", lambda v: v >= Version("0.155"), "Prefect 3.8's server does not start with 0.155 and later"),
    Trap("sqlalchemy", lambda v: v >= Version("2.1"), "2.1 brings 'database is locked' to Prefect's SQLite"),
    Trap("starlette", lambda v: v < Version("1.0.1"), "Prefect's server needs 1.0.1 or later"),
    Trap("prefect", lambda v: not Version("3.8") <= v < Version("3.9"), "the pipeline is proven with Prefect 3.8"),
)


@dataclass(frozen=True)
class Finding:
    """One line of the doctor's report."""

    name: str
    state: State
    detail: str


def examine(settings: Settings) -> Iterator[Finding]:
    """Every check, one after another. Nothing is changed and no check raises."""
    yield _python()
    yield from _packages()
    yield from _traps()
    yield _torch(settings)
    yield _workspace(settings)
    yield from _settings(settings)
    yield _registry(settings)
    yield _prefect()


def _python() -> Finding:
    version = platform.python_version()
    enough = sys.version_info >= (3, 11)
    return Finding(
        "python", "ok" if enough else "broken", version if enough else f"expected 3.11 or later, got {version}"
    )


def _version(package: str) -> Version | None:
    try:
        return Version(importlib.metadata.version(package))
    except importlib.metadata.PackageNotFoundError:
        return None


def _packages() -> Iterator[Finding]:
    for package in PACKAGES:
        version = _version(package)
        yield Finding(package, "ok" if version else "broken", str(version or "not installed"))
    for package, purpose in OPTIONAL.items():
        version = _version(package)
        yield Finding(
            package, "ok" if version else "note", str(version) if version else f"not installed; for {purpose}"
        )


def _traps() -> Iterator[Finding]:
    for trap in TRAPS:
        version = _version(trap.package)
        if version is None:
            yield Finding(trap.package, "broken", "not installed")
        elif trap.bad(version):
            yield Finding(trap.package, "broken", f"{version}: {trap.why}; install with -c constraints.txt")


def _torch(settings: Settings) -> Finding:
    try:
        import torch
        from torchvision.ops import nms

        from fittingroom.training.device import choose_device, choose_precision

        nms(torch.tensor([[0.0, 0, 1, 1]]), torch.tensor([1.0]), 0.5)  # a mismatched pair has no operators
        device = choose_device(settings.device)
        precision = {"bf16": "bfloat16", "no": "float32"}[choose_precision("auto", device)]
        name = torch.cuda.get_device_name() if device.type == "cuda" else f"{os.cpu_count()} cores"
        return Finding("compute", "ok", f"{device.type} ({name}), trains in {precision}")
    except FittingroomError as error:
        return Finding("compute", "broken", str(error))
    except (ImportError, RuntimeError, OSError) as error:
        return Finding("compute", "broken", f"torch and torchvision do not work together: {error}")


def _workspace(settings: Settings) -> Finding:
    root = Workspace(settings.workspace).root
    existing = next(path for path in (root, *root.parents) if path.exists())
    if not os.access(existing, os.W_OK):
        return Finding("workspace", "broken", f"{root} cannot be written")
    free = shutil.disk_usage(existing).free / 1e9
    where = str(root) if root.exists() else f"{root} (not made yet)"
    return Finding("workspace", "ok" if free > 2 else "note", f"{where}, {free:.0f} GB free")


def _settings(settings: Settings) -> Iterator[Finding]:
    path = settings_file(settings.workspace)
    yield Finding("settings file", "ok" if path.exists() else "note", str(path) if path.exists() else f"none at {path}")
    for name, value, found in known_settings(settings):
        yield Finding(f"setting {name}", "ok", f"{value} ({', '.join(found) or 'default'})")
    try:
        check_served(settings)
    except FittingroomError as error:
        yield Finding("settings", "broken", str(error))


def _registry(settings: Settings) -> Finding:
    place = Workspace(settings.workspace)
    if settings.tracking_uri is None and not place.registry.exists():
        return Finding("registry", "note", "empty: no model has been registered yet; the starter models serve")
    try:
        from fittingroom.registry.serving import Serving

        whole = Serving.from_settings(place)
        serving = whole.all()
        broken = [damage.words() for damage in whole.damaged()]
        for served in serving if whole.registry.folder is not None else []:  # a server's would have to be fetched
            try:
                whole.weights(served)
            except FittingroomError as error:
                broken.append(str(error))
        if broken:
            return Finding("registry", "broken", "; ".join(broken))
        own = any(not served.starter for served in serving)
        names = ", ".join(served.model + (" (starter)" if served.starter else "") for served in serving)
        return Finding("registry", "ok" if own else "note", "serving: " + (names or "nothing yet"))
    except FittingroomError as error:
        return Finding("registry", "broken", str(error))


def _prefect() -> Finding:
    url = os.environ.get("PREFECT_API_URL")
    if not url:
        return Finding("prefect server", "note", "none set (PREFECT_API_URL): a run starts a temporary one by itself")
    try:
        with urllib.request.urlopen(url.rstrip("/") + "/admin/version", timeout=3) as answer:
            return Finding("prefect server", "ok", f"{redacted(url)}, version {json.load(answer)}")
    except (urllib.error.URLError, ValueError, OSError) as error:
        return Finding("prefect server", "broken", redacted(f"{url} does not answer: {error}"))
