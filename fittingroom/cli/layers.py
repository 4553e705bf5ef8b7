"""How the command line reaches the layers above the library, which it never imports: by their entry points."""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from fittingroom.errors import FittingroomError


def command_above(name: str) -> Callable[..., Any]:
    """A command of the layers above.

    Raises:
        FittingroomError: only the library is installed.
    """
    found: list[EntryPoint] = [e for e in entry_points(group="fittingroom.commands") if e.name == name]
    if not found:
        raise FittingroomError(
            f"{name}: the pipeline is not installed; install the whole package: pip install fittingroom"
        )
    command: Callable[..., Any] = found[0].load()
    return command
