"""What photos of people are called where it is kept: by the start of their digest, for a file's name may be a person's.

Logs, records and artifacts say ids. The name to an id lies next to the photo's results, in the workspace alone, where a
clean-up finds it; a terminal, which keeps nothing, shows names.
"""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Iterable
from pathlib import Path

from fittingroom.names import printable
from fittingroom.workspace import Workspace, write_json
from tasks.caching import Content

NAME_FILE = "photo.json"
_ID = re.compile(r"\bphoto-[0-9a-f]{10}\b")


def photo_id(photo: Content) -> str:
    """``photo-`` and ten digits; also the name of the folder of its results."""
    return f"photo-{photo.digest[:10]}"


def note_names(workspace: Workspace, photos: Iterable[Content]) -> None:
    """Write down what each photo's file is called."""
    for photo in photos:
        name = printable(Path(photo.path).name)
        if _name_of(workspace, photo_id(photo)) != name:
            write_json(workspace.tryon / photo_id(photo) / NAME_FILE, {"name": name})


def with_names(workspace: Workspace, text: str) -> str:
    """``text`` with the names of the photos in place of their ids, where these are known."""
    return _ID.sub(lambda found: _name_of(workspace, found[0]) or found[0], text)


def _name_of(workspace: Workspace, known_as: str) -> str:
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        return str(json.loads((workspace.tryon / known_as / NAME_FILE).read_text(encoding="utf-8"))["name"])
    return ""
