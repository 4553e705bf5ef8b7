"""Commands that need an extra say so before they begin, with the command that installs it."""

from __future__ import annotations

import importlib.metadata
import os
import subprocess
import sys
from pathlib import Path

import pytest

from fittingroom.cli import run
from fittingroom.errors import InputError
from fittingroom.extras import need_extra
from fittingroom.settings import get_settings
from tasks.runners import task_runner

ROOT = Path(__file__).parents[2]


@pytest.fixture
def missing(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """Packages that are as if they were not installed."""
    names: set[str] = set()
    version = importlib.metadata.version

    def look(name: str) -> str:
        if name in names:
            raise importlib.metadata.PackageNotFoundError(name)
        return version(name)

    monkeypatch.setattr(importlib.metadata, "version", look)
    return names


def test_the_page_is_refused_without_its_extra(missing: set[str], capsys: pytest.CaptureFixture[str]) -> None:
    missing.add("python-multipart")
    assert run(["app", "--host", "no such host"]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err == (
        "error: the try-on page needs what is not installed: python-multipart; in the folder of the sources: "
        "pip install -c constraints.txt '.[app]'\n"
    )
    missing.clear()
    assert run(["app", "--host", "no such host"]) == 2
    assert "--host: expected an address" in capsys.readouterr().err


@pytest.mark.parametrize(
    "without", [["prometheus-client"], ["python-multipart"], ["prometheus-client", "python-multipart"]]
)
def test_an_installation_without_the_extra_refuses_to_serve_the_page(tmp_path: Path, without: list[str]) -> None:
    """All that is installed but these, in a folder of links that is the interpreter's only one."""
    gone = {file.parts[0] for name in without for file in importlib.metadata.files(name) or ()}
    assert {"prometheus_client", "multipart", "python_multipart"} & gone
    installed = Path(str(importlib.metadata.distribution("fastapi").locate_file("")))
    for entry in installed.iterdir():
        if entry.name not in gone and entry.suffix != ".pth":
            (tmp_path / entry.name).symlink_to(entry)
    code = f"import sys; sys.path[:0] = [{str(ROOT)!r}, {str(tmp_path)!r}]; from fittingroom.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-S", "-c", code, "app", "--no-open"],
        env={name: value for name, value in os.environ.items() if name != "PYTHONPATH"},
        capture_output=True, text=True, check=False, cwd=tmp_path,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        f"error: the try-on page needs what is not installed: {', '.join(without)}; in the folder of the sources: "
        "pip install -c constraints.txt '.[app]'\n"
    )


def test_dask_is_refused_without_its_extra(missing: set[str], monkeypatch: pytest.MonkeyPatch) -> None:
    missing.add("prefect-dask")
    monkeypatch.setenv("FITTINGROOM_DASK", "local:2")
    get_settings.cache_clear()
    try:
        with pytest.raises(InputError, match=r"FITTINGROOM_DASK needs .* prefect-dask; .*'\.\[dask\]'"):
            task_runner()
    finally:
        monkeypatch.undo()
        get_settings.cache_clear()


def test_what_is_installed_is_enough_and_other_extras_are_not_asked_for(missing: set[str]) -> None:
    missing.update({"boto3", "prefect-dask"})
    need_extra("app", "the page")
    with pytest.raises(InputError, match="boto3"):
        need_extra("production", "the bucket")
