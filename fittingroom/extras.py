"""Parts of the installation that only some commands need: asked for before such a command begins its work."""

from __future__ import annotations

import importlib.metadata

from packaging.requirements import Requirement

from fittingroom.errors import InputError


def need_extra(extra: str, purpose: str) -> None:
    """Refuse to begin where a package of an extra of ours is missing.

    Args:
        extra: its name in ``pyproject.toml``.
        purpose: what needs it, as the message's first words.

    Raises:
        InputError: the message has the command that installs what is missing.
    """
    missing = []
    for requirement in map(Requirement, importlib.metadata.requires("fittingroom") or ()):
        if requirement.marker is None or not requirement.marker.evaluate({"extra": extra}):
            continue
        if requirement.marker.evaluate({"extra": ""}):  # needed by all
            continue
        try:
            importlib.metadata.version(requirement.name)
        except importlib.metadata.PackageNotFoundError:
            missing.append(requirement.name)
    if missing:
        raise InputError(
            f"{purpose} needs what is not installed: {', '.join(missing)}; in the folder of the sources: "
            f"pip install -c constraints.txt '.[{extra}]'"
        )
