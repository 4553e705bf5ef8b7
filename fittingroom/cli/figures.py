"""Figures as a person reads them: one by one, by category or degree, and a model's versions side by side."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.table import Table

_COUNTS = ("pictures", "photos", "garments", "steps", "best_step", "best_epoch", "seconds", "epochs", "merged", "split")
_COLUMN = 12
"""Characters a version takes in its table."""


def figure(name: str, value: object) -> str:
    """A figure in as many characters as it is worth: counts whole, the rest with three digits."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return "" if value is None else str(value)
    return f"{value:,.0f}" if name in _COUNTS else f"{value:.3f}"


def figures_table(title: str, rows: Mapping[str, Mapping[str, float]]) -> Table:
    """One row a category, degree or figure; a count's name is that of its column or of its row."""
    from rich.table import Table

    columns = list(dict.fromkeys(name for figures in rows.values() for name in figures))
    table = Table(title, box=None)
    for column in columns:
        table.add_column(column, justify="right")
    for name, figures in rows.items():
        cells = (figure(name if name in _COUNTS else column, figures.get(column)) for column in columns)
        table.add_row(name, *cells)
    return table


def versions_table(versions: Sequence[Mapping[str, Any]], champion: object = None, width: int = 80) -> Table:
    """A model's versions as columns, newest first, as many as ``width`` characters hold and always the one that serves.

    Args:
        versions: each as `fittingroom.registry.versions.ModelVersion.to_json` writes it; what is missing is left blank.
        champion: the version that serves.
    """
    from rich.table import Table

    shown = _fitting(versions, champion, width)
    rows: dict[str, list[str]] = {"made": [_made(each.get("created_at")) for each in shown]}
    rows["preset"] = [str((each.get("tags") or {}).get("preset", "")) for each in shown]
    rows["learnt from"] = [str(each.get("domain") or "") for each in shown]
    names = sorted({name for each in shown for name in each.get("metrics") or {}})
    for name in names:
        rows[name] = [figure(name, (each.get("metrics") or {}).get(name)) for each in shown]
    table = Table("version", box=None, pad_edge=False)
    for each in shown:
        serves = each.get("version") == champion and champion is not None
        table.add_column(f"{each.get('version', '')}{', serves' if serves else ''}", justify="right")
    for name, cells in rows.items():
        if any(cells):
            table.add_row(name, *cells)
    older = [str(each.get("version")) for each in versions if each not in shown]
    if older:
        table.caption, table.caption_justify = f"also: {', '.join(older)} (--json has all)", "left"
    return table


def _fitting(versions: Sequence[Mapping[str, Any]], champion: object, width: int) -> list[Mapping[str, Any]]:
    newest = sorted(versions, key=lambda each: each.get("version") or 0, reverse=True)
    names = [len(name) for each in versions for name in each.get("metrics") or {}]
    count = max((width - max([10, *names])) // _COLUMN, 1)
    shown = newest[:count]
    serving = [each for each in newest[count:] if champion is not None and each.get("version") == champion]
    return [*shown[: count - 1], *serving] if serving else shown


def _made(seconds: object) -> str:
    return time.strftime("%Y-%m-%d", time.localtime(seconds)) if isinstance(seconds, int | float) else ""
