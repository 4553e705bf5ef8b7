"""How commands speak: results to stdout, progress and remarks to stderr, one JSON document where it is asked for."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from rich.console import Console

    from fittingroom.training.progress import Listener, Progress

JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON document and nothing else.")]


def print_json(document: object) -> None:
    """One JSON document on stdout."""
    sys.stdout.write(json.dumps(document, indent=2, ensure_ascii=False, default=str) + "\n")


def remark(text: str) -> None:
    """A line on stderr, for a person."""
    print(text, file=sys.stderr)


def console(stderr: bool = False) -> Console:
    """Rich's console, made only when a person is to see something."""
    from rich.console import Console

    return Console(stderr=stderr)


def print_counts(counts: Mapping[str, int]) -> None:
    """``kept 21, refused 3 (too_small 2, blurred 1)`` from a manifest's counts."""
    parts = []
    for status in (name for name in counts if ": " not in name):
        reasons = ", ".join(f"{k.split(': ', 1)[1]} {v}" for k, v in counts.items() if k.startswith(status + ": "))
        parts.append(f"{status} {counts[status]}" + (f" ({reasons})" if reasons else ""))
    print(", ".join(parts) or "nothing")


@contextmanager
def progress_bar(title: str, quiet: bool = False) -> Iterator[Listener]:
    """A `training.progress.Listener` that draws a bar on stderr; silent when ``quiet`` or when nobody watches."""
    if quiet or not sys.stderr.isatty():
        yield _silent
        return
    from rich.progress import BarColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
    from rich.progress import Progress as Bars

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed:.0f}/{task.total:.0f}"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[values]}"),
    )
    with Bars(*columns, console=console(stderr=True), transient=True) as bars:
        task = bars.add_task(title, total=None, values="")

        def listen(progress: Progress) -> None:
            values = " ".join(f"{name} {value:.3g}" for name, value in list(progress.values.items())[:4])
            bars.update(task, completed=progress.step, total=progress.total_steps, values=progress.message or values)

        yield listen


@contextmanager
def pictures_bar(title: str, quiet: bool = False) -> Iterator[Callable[[int, int], None]]:
    """`progress_bar` for work that says how many pictures are done and how many there are."""
    from fittingroom.training.progress import Progress

    with progress_bar(title, quiet) as listener:
        yield lambda done, total: listener(Progress(done, total, 0, 1))


def _silent(_: Progress) -> None:
    return None


def counter(listener: Listener, total: int) -> Callable[[object], None]:
    """A listener for stages that say each row: it counts them up to ``total`` (0: not known)."""
    from fittingroom.training.progress import Progress

    done = 0

    def count(_: object) -> None:
        nonlocal done
        done += 1
        listener(Progress(done, max(total, done), 0, 1))

    return count


def parse_settings(pairs: list[str]) -> dict[str, Any]:
    """``name=value`` pairs to a dictionary; values are JSON where they parse as it, else text.

    Raises:
        InputError: a pair without an equals sign.
    """
    from fittingroom.errors import InputError

    found: dict[str, Any] = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals or not name:
            raise InputError(f"expected name=value, got {pair!r}")
        try:
            found[name.strip()] = json.loads(value)
        except ValueError:
            found[name.strip()] = value
    return found
