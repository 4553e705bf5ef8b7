"""A contact sheet of one style: what was kept and what was refused, each with the digest to overrule it by."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from fittingroom.images import RGB
from fittingroom.manifest import ImageRow
from fittingroom.sheets import Cell, contact_sheet, wrapped

MOST = 48
"""Pictures of each kind on one sheet."""
DIGITS = 12
"""Characters of the digest that are shown: enough for the file of overrides."""


def cutout_sheet(title: str, folder: Path, rows: Sequence[ImageRow], root: Path | None = None) -> RGB:
    """Kept pictures first, as they were cut, then the refused by reason, as the photos they came from; (H, W, 3).

    At most `MOST` of each are shown.

    Args:
        folder: of the cut-outs.
        rows: of the folder's manifest.
        root: what relative keys of the rows are relative to.
    """
    kept = [row for row in rows if row.status == "kept"]
    refused = sorted((row for row in rows if row.status != "kept"), key=_reason)
    drawn = []
    for word, colour, group in (("kept", (30, 120, 60), kept), ("refused", (170, 40, 40), refused)):
        shown = f", {MOST} shown" if len(group) > MOST else ""
        cells = [
            Cell(
                os.path.join(folder, row.path) if row.status == "kept" else os.path.join(root or "", row.key),  # noqa: PTH118
                notes=(row.source_sha256[:DIGITS], _reason(row)),
            )
            for row in group[:MOST]
        ]
        drawn += wrapped(cells, 8, f"{title}: {len(group)} {word}{shown}", colour)
    return contact_sheet(drawn, height=132, square=True, gap=8)


def _reason(row: ImageRow) -> str:
    return "" if row.status == "kept" else row.reason or row.status
