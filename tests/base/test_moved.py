"""Modules that moved answer under their old names: the very same ones, with a warning."""

from __future__ import annotations

import importlib
import subprocess
import sys

import pytest

from fittingroom.moved import MOVED


def test_every_old_name_is_the_module_of_the_new_one() -> None:
    for old, new in MOVED.items():
        sys.modules.pop(old, None)
        with pytest.warns(DeprecationWarning, match=f"{old} is {new} now"):
            found = importlib.import_module(old)
        assert found is importlib.import_module(new)
        assert found.__spec__ is not None
        assert found.__spec__.name == new


def test_old_imports_as_people_wrote_them() -> None:
    code = (
        "from fittingroom.crawl import addresses\n"
        "from fittingroom.styles.registry import Registry\n"
        "import fittingroom.crawl.pages as pages\n"
        "import fittingroom.crawl.html.pages, fittingroom.registry.registry\n"
        "assert Registry is fittingroom.registry.registry.Registry\n"
        "assert pages is fittingroom.crawl.html.pages and addresses.__name__ == 'fittingroom.crawl.http.addresses'\n"
    )
    found = subprocess.run([sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stderr


def test_a_name_that_never_was_is_not_found() -> None:
    with pytest.raises(ModuleNotFoundError, match=r"fittingroom\.crawl\.nothing"):
        importlib.import_module("fittingroom.crawl.nothing")
