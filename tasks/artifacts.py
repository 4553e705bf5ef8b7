"""What a person sees of a run in the Prefect UI: live progress, before/after pictures, tables of figures and reasons.

Pictures are put into markdown as ``data:`` URIs (small JPEGs), which the UI shows with no image host. Artifacts never
fail a step: outside a run, or when the server does not answer, they are skipped with a line in the log.
"""

from __future__ import annotations

import base64
import logging
import math
import re
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any
from uuid import UUID

from prefect.artifacts import (
    create_markdown_artifact,
    create_progress_artifact,
    create_table_artifact,
    update_progress_artifact,
)
from prefect.context import FlowRunContext, TaskRunContext

from fittingroom.training.progress import Progress

PICTURE_SIDE = 256
"""Pixels of the longer side of a picture inside markdown."""
SHEET_SIDE = 1600
"""The same of a sheet of many pictures."""
MOST_PICTURES = 24
"""Pictures in one artifact: each is some 12 kB, and the server keeps artifacts in its database."""
MOST_ROWS = 500

_log = logging.getLogger("fittingroom.artifacts")


def artifact_key(*parts: str) -> str:
    """A key Prefect accepts: lower case, digits and dashes."""
    return re.sub(r"[^a-z0-9]+", "-", "-".join(parts).lower()).strip("-")


def data_uri(picture: Path, side: int = PICTURE_SIDE) -> str:
    """A small JPEG of a picture file, as a ``data:`` URI."""
    from fittingroom.images import at_most, encode_jpeg, read_rgb

    small = encode_jpeg(at_most(read_rgb(picture), side), quality=82)
    return "data:image/jpeg;base64," + base64.b64encode(small).decode("ascii")


def picture_rows(headings: Sequence[str], rows: Iterable[Sequence[Path | str]], side: int = PICTURE_SIDE) -> str:
    """A markdown table whose `Path` cells are pictures, ``side`` pixels at most, and whose text cells are text."""
    shown = list(rows)[: max(1, MOST_PICTURES // max(1, len(headings)))]
    cells = [
        [f"![{heading}]({data_uri(cell, side)})" if isinstance(cell, Path) else cell for heading, cell in pairs]
        for pairs in (zip(headings, row, strict=False) for row in shown)
    ]
    return markdown_table(headings, cells)


def markdown_table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A markdown table whose text stays in its cells."""
    lines = ["| " + " | ".join(map(_plain, cells)) + " |" for cells in (headings, *rows)]
    return "\n".join([lines[0], "|" + " --- |" * len(headings), *lines[1:]])


def _plain(text: str) -> str:
    return str(text).replace("|", "\\|").replace("\n", " ")


def show_markdown(key: str, markdown: str, description: str) -> None:
    """A markdown artifact of the current run."""
    _create(lambda: create_markdown_artifact(markdown=markdown, key=key, description=description))


def show_table(key: str, rows: Sequence[Mapping[str, Any]], description: str) -> None:
    """A table artifact of the current run; nothing for no rows."""
    if rows:
        table = [dict(row) for row in rows[:MOST_ROWS]]
        _create(lambda: create_table_artifact(table=table, key=key, description=description))


def show_figures(key: str, figures: Mapping[str, float], description: str) -> None:
    """A table of named numbers."""
    show_table(key, [{"figure": name, "value": round(value, 4)} for name, value in figures.items()], description)


def show_rejected(key: str, rows: Iterable[Mapping[str, Any]], description: str) -> None:
    """A table of pictures that were not kept: how many of each reason first, then each picture."""
    listed = [dict(row) for row in rows]
    counts = Counter((row["status"], row["reason"]) for row in listed)
    summary = [
        {"status": status, "reason": reason, "picture": f"{count} in all", "detail": ""}
        for (status, reason), count in counts.most_common()
    ]
    show_table(key, summary + listed, description)


def show_verdict(
    key: str,
    model: str,
    passed: bool,
    reasons: Sequence[str],
    promoted: bool,
    figures: Mapping[str, float],
    weights: Path,
) -> None:
    """A gate's decision in words, the figures it had, and the file that it judged."""
    word = "passed the gate and serves" if promoted else ("passed the gate" if passed else "did not pass the gate")
    lines = [f"## {model} {word}", "", *(f"- {reason}" for reason in reasons), ""]
    if figures:
        lines.append(markdown_table(("figure", "value"), ((name, f"{value:.4g}") for name, value in figures.items())))
    lines += ["", f"Weights: `{weights}`"]
    show_markdown(key, "\n".join(lines), f"Gate of {model}")


class ProgressBar:
    """A listener that keeps a progress artifact up to date, at most every ``every`` seconds."""

    def __init__(self, key: str, title: str, every: float = 2.0) -> None:
        self.key, self.title, self.every = key, title, every
        self._artifact: UUID | None = None
        self._last = -math.inf
        self._given_up = False

    def __call__(self, progress: Progress) -> None:
        done = progress.fraction >= 1.0
        if self._given_up or (time.monotonic() - self._last < self.every and not done):
            return
        self._last = time.monotonic()
        percent, words = round(progress.fraction * 100, 1), self.describe(progress)
        if self._artifact is None:
            self._artifact = _create(lambda: create_progress_artifact(percent, self.key, words))
            self._given_up = self._artifact is None
        else:
            artifact = self._artifact
            _create(lambda: update_progress_artifact(artifact, percent, words))

    def describe(self, progress: Progress) -> str:
        """Epoch, step, losses and time left in one line; or what the training waits for."""
        if progress.message and not progress.total_steps:
            return f"{self.title}: {progress.message}"
        parts = [
            f"{self.title}: epoch {progress.epoch} of {progress.total_epochs}",
            f"step {progress.step} of {progress.total_steps}",
        ]
        parts += [f"{name} {value:.3g}" for name, value in list(progress.values.items())[:4]]
        if progress.seconds_left is not None:
            parts.append(f"{progress.seconds_left:.0f} s left")
        return ", ".join(parts)


def _create(create: Callable[[], Any]) -> UUID | None:
    if TaskRunContext.get() is None and FlowRunContext.get() is None:
        return None
    try:
        found = create()
        return found if isinstance(found, UUID) else None
    except Exception as error:  # noqa: BLE001  a picture in the UI is not worth a training
        _log.warning("artifact skipped: %s", error)
        return None
