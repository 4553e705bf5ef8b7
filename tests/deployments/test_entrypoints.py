"""Served flows are ours, whatever the current folder holds, and so is all that our processes import."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from prefect.types.entrypoint import EntrypointType

from deployments.definitions import DEFINITIONS
from fittingroom import entrypoints
from flows.catalogue import FLOWS

ROOT = Path(__file__).resolve().parents[2]
FOREIGN = "raise ImportError('this is another project')\n"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Another project, with packages of the same names."""
    for package in ("flows", "deployments"):
        (tmp_path / package).mkdir()
        (tmp_path / package / "__init__.py").write_text(FOREIGN)
    (tmp_path / "tasks.py").write_text(FOREIGN)
    (tmp_path / "theirs.py").write_text("")
    return tmp_path


@pytest.mark.parametrize("name", [definition.flow for definition in DEFINITIONS])
def test_each_deployed_flow_is_found_by_its_name(name: str) -> None:
    flow = FLOWS[name].load()
    module, _, function = flow.to_deployment(
        name=name, entrypoint_type=EntrypointType.MODULE_PATH
    ).entrypoint.rpartition(".")
    assert module == entrypoints.__name__
    assert getattr(entrypoints, function) is flow


def test_a_flow_is_ours_where_the_current_folder_comes_first(project: Path) -> None:
    code = "import sys; sys.path.insert(0, sys.argv[1]); before = list(sys.path)\n"
    code += "from fittingroom import entrypoints\n"
    code += "print(entrypoints.clean_up.fn.__module__, sys.path == before)"
    told = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-P", "-c", code, str(project)]
    done = subprocess.run(command, env=told, cwd=project, capture_output=True, text=True)
    assert done.stdout.split() == ["flows.clean_up", "True"], done.stderr


def test_processes_of_a_command_import_nothing_from_the_current_folder(project: Path) -> None:
    code = "import subprocess, sys\nfrom fittingroom.cli import run\nrun(['--version'])\n"
    code += "print(subprocess.run([sys.executable, '-m', 'theirs'], capture_output=True).returncode)"
    told = {name: value for name, value in os.environ.items() if name != "PYTHONSAFEPATH"} | {"PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-P", "-c", code]
    done = subprocess.run(command, env=told, cwd=project, capture_output=True, text=True)
    assert done.stdout.splitlines()[-1] == "1", done.stderr
    assert subprocess.run([sys.executable, "-m", "theirs"], cwd=project, env=told).returncode == 0
