"""Write docs/settings.md: every setting, what it takes, its default and its meaning, as they stand at the fields.

python docs/write_settings.py
"""

from __future__ import annotations

import ast
import inspect
import json
from itertools import pairwise
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from fittingroom.annotations.formats import ConvertSettings
from fittingroom.annotations.select import SelectionSettings
from fittingroom.checks.settings import CheckSettings
from fittingroom.crawl.settings import CrawlSettings
from fittingroom.cutout.settings import CutoutSettings
from fittingroom.fields import CheckedSettings, kinds, words
from fittingroom.preparing.square import PrepareSettings
from fittingroom.segmentation import settings as segmenter
from fittingroom.settings import Settings
from fittingroom.translation import settings as style
from fittingroom.tryon.settings import TryOnSettings

PATH = Path(__file__).with_name("settings.md")
HEAD = """# Settings

Written by `python docs/write_settings.py` from the classes that hold the settings and check them. Settings of trainings
are changed with `--set name=value` of `fittingroom train`, with the `settings` of the flows, and in `fittingroom.toml`
([operations.md](operations.md#settings)), where those of the installation may stand too; those of checks there
and with `checks` of the flows; the others are arguments in Python, some of them options and parameters too.
"""
PARTS: dict[str, tuple[type[CheckedSettings], dict[str, Any]]] = {
    "Segmenter": (segmenter.SegmenterSettings, segmenter.PRESETS),
    "Style": (style.StyleSettings, style.PRESETS),
    "Crawl": (CrawlSettings, {}),
    "Cut-out": (CutoutSettings, {}),
    "Preparation": (PrepareSettings, {}),
    "Checks": (CheckSettings, {}),
    "Conversion": (ConvertSettings, {}),
    "Selection": (SelectionSettings, {}),
    "Try-on": (TryOnSettings, {}),
}


def document() -> str:
    """The whole page."""
    return "\n".join([HEAD, _installation(), *(_part(title, *part) for title, part in PARTS.items())])


def _installation() -> str:
    lines = ["## Installation", "", f"`{Settings.__module__}.{Settings.__name__}`: {inspect.getdoc(Settings)}", ""]
    lines += ["| setting | default | |", "|---|---|---|"]
    for name, field in Settings.model_fields.items():
        default = field.default.model_dump(by_alias=True) if isinstance(field.default, BaseModel) else field.default
        shown = str(default) if isinstance(default, Path) else _shown(default)
        lines.append(f"| `{name}` | {shown} | {field.description} |")
    return "\n".join([*lines, ""])


def _part(title: str, settings: type[CheckedSettings], presets: dict[str, Any]) -> str:
    meanings, defaults = meanings_of(settings), {name: getattr(settings, name) for name in kinds(settings)}
    lines = [f"## {title}", "", f"`{settings.__module__}.{settings.__name__}`: {inspect.getdoc(settings)}", ""]
    lines += ["| setting | takes | default | |", "|---|---|---|---|"]
    for name, kind in kinds(settings).items():
        lines.append(f"| `{name}` | {words(kind)} | {_shown(defaults[name])} | {meanings[name]} |")
    for preset, chosen in presets.items():
        others = [f"`{n}` {_shown(v)}" for n, v in vars(chosen).items() if v != defaults[n]]
        lines += ["", f"Preset `{preset}`: {', '.join(others) or 'the defaults'}."]
    return "\n".join([*lines, ""])


def meanings_of(settings: type[CheckedSettings]) -> dict[str, str]:
    """The docstring of each field, on one line."""
    body = ast.parse(inspect.getsource(settings)).body[0]
    assert isinstance(body, ast.ClassDef)
    found = {}
    for field, text in pairwise(body.body):
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name) and isinstance(text, ast.Expr):
            found[field.target.id] = " ".join(ast.literal_eval(text.value).split())
    return found


def _shown(value: Any) -> str:
    if value in ("", (), None):
        return "none" if value is None else "empty"
    return value if isinstance(value, str) else json.dumps(value)


if __name__ == "__main__":
    PATH.write_text(document(), encoding="utf-8")
