"""What was set up last on a Prefect server, so that what a person changed there since is seen, and kept.

Of a deployment or an automation each part is settled by itself: where the server still says what was set up last, the
settings hold; where it says something else, a person changed it, and that stays until the settings say something new.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from uuid import UUID

from pydantic import TypeAdapter, ValidationError
from typing_extensions import TypedDict

from fittingroom.workspace import Workspace, write_json

FILE = "served.json"
"""In the workspace's Prefect home."""
_SHOWN = 120
"""Characters of a value that a line shows."""


class _Part(TypedDict):
    wanted: Any
    applied: Any
    """How the server gave it back: it fills in what was left out."""


class _Memory(TypedDict):
    parts: dict[str, dict[str, _Part]]
    paused: list[str]


class Applied:
    """What was set up last, by the server's ids; kept in the workspace, so a server is told from another by its ids.

    Args:
        workspace: where it is remembered.
        say: told what of a person's is kept or replaced, a line each.
    """

    def __init__(self, workspace: Workspace, say: Callable[[str], None] = print) -> None:
        self._path, self._say = workspace.prefect_home / FILE, say
        memory = _read(self._path)
        self._known, self._paused = memory["parts"], memory["paused"]

    def reconcile(
        self, key: UUID, title: str, present: Mapping[str, Any], wanted: Mapping[str, Any], own: tuple[str, ...] = ()
    ) -> dict[str, Any]:
        """What to set up, part by part.

        Args:
            key: the server's id of it.
            title: what a person calls it.
            present: what the server says now; JSON values.
            wanted: what the settings say; JSON values.
            own: parts that are a person's where nothing is remembered of them.
        """
        known = self._known.get(str(key), {})
        found: dict[str, Any] = {}
        for part in dict.fromkeys((*wanted, *present)):
            if part not in known:  # never set up from here
                found[part] = present[part] if part not in wanted or part in own else wanted[part]
                continue
            was, wished, is_now = known[part], wanted.get(part), present.get(part)
            same = wished == was["wanted"]
            if is_now != was["applied"] and is_now != wished:
                if same:
                    self._say(f"{title}: {part} {_shown(is_now)}, set in Prefect, is kept; settings: {_shown(wished)}")
                else:
                    self._say(f"{title}: {part} is {_shown(wished)} now; {_shown(is_now)}, set in Prefect, is replaced")
            holds = present if same else wanted
            if part in holds:
                found[part] = holds[part]
        return found

    def remember(
        self, key: UUID, wanted: Mapping[str, Any], effective: Mapping[str, Any], present: Mapping[str, Any]
    ) -> None:
        """After it was set up: what the settings said, what was set up, and what the server makes of it."""
        known = self._known.setdefault(str(key), {})
        for part, value in wanted.items():
            if effective.get(part) == value:
                known[part] = {"wanted": value, "applied": present.get(part)}
            else:  # a person's
                known.setdefault(part, {"wanted": value, "applied": value})
        for part in set(known) - set(wanted):
            del known[part]

    def pause(self, key: UUID) -> None:
        """It was paused until it is served again."""
        self._paused.append(str(key))

    def resume(self, key: UUID) -> bool:
        """It is served again; whether `pause` was what paused it."""
        paused = str(key) in self._paused
        self._paused = [each for each in self._paused if each != str(key)]
        return paused

    def save(self) -> None:
        """Write it down."""
        write_json(self._path, {"parts": self._known, "paused": self._paused})


def _read(path: Path) -> _Memory:
    try:
        return TypeAdapter(_Memory).validate_json(path.read_bytes())
    except (OSError, ValidationError):
        return {"parts": {}, "paused": []}  # none, or damaged: the settings hold


def _shown(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _SHOWN else text[: _SHOWN - 3] + "..."
