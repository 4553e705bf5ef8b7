"""Commands that need an extra say so before they begin, with the command that installs it."""

from __future__ import annotations

import importlib.metadata

import pytest

from fittingroom.cli import run
from fittingroom.errors import InputError
from fittingroom.extras import need_extra
from fittingroom.settings import get_settings
from tasks.runners import task_runner


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
