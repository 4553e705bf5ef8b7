"""The package itself: light to import, free of Prefect."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from docs import draw_imports

ROOT = Path(__file__).resolve().parents[2]


def loaded_by(statement: str) -> set[str]:
    code = f"{statement}; import sys, json; print(json.dumps(sorted({{m.split('.')[0] for m in sys.modules}})))"
    return set(json.loads(subprocess.run([sys.executable, "-c", code], check=True, capture_output=True).stdout))


def test_import_is_light() -> None:
    assert not loaded_by("import fittingroom") & {"torch", "numpy", "prefect", "cv2", "mlflow", "pydantic"}


def test_the_command_line_loads_no_torch_until_it_is_needed() -> None:
    assert not loaded_by("import fittingroom.cli") & {"torch", "prefect", "mlflow", "torchvision"}


def test_the_map_in_the_docstring_names_every_part() -> None:
    import pkgutil

    import fittingroom

    parts = {module.name for module in pkgutil.iter_modules(fittingroom.__path__)}
    missing = {part for part in parts if part not in (fittingroom.__doc__ or "")}
    assert not missing


def test_packages_import_each_other_one_way_as_the_page_draws_it() -> None:
    page = draw_imports.PATH.read_text(encoding="utf-8")
    assert draw_imports.document(page) == page, "draw it anew: python docs/draw_imports.py"


PACKAGES = ("fittingroom", "flows", "tasks", "deployments")
FROM_OTHERS = {"annotated-types", "pydantic-core", "pyarrow"}
"""Parts of pydantic, in the versions it asks for; and what reading Parquet says that it wants."""


def imported_by(path: Path) -> set[str]:
    """The first part of each module's name."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        names += [node.module] if isinstance(node, ast.ImportFrom) and node.module and not node.level else []
        found |= {name.partition(".")[0] for name in names}
    return found


def test_what_is_imported_is_declared() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    lines = [*project["dependencies"], *(line for extra in project["optional-dependencies"].values() for line in extra)]
    declared = {canonicalize_name(Requirement(line).name) for line in lines} | FROM_OTHERS
    imported = set().union(*(imported_by(path) for package in PACKAGES for path in (ROOT / package).rglob("*.py")))
    known = packages_distributions()
    others = {name: known.get(name, [name]) for name in imported - sys.stdlib_module_names - set(PACKAGES)}
    missing = {name for name, owners in others.items() if not declared & {canonicalize_name(each) for each in owners}}
    assert not missing, "each goes when the library goes that brings it: declare it in pyproject.toml"
    assert {"numpy", "prefect"} <= others.keys()


@pytest.mark.slow
def test_every_module_can_be_imported() -> None:
    code = f"""
import importlib, pkgutil
for package in {PACKAGES!r}:
    for module in pkgutil.walk_packages(importlib.import_module(package).__path__, package + "."):
        importlib.import_module(module.name)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
