"""How commands speak: results to stdout, progress and remarks to stderr, one JSON document where it is asked for."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fittingroom.names import printable

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


def print_named(lines: Iterable[str], more: str, most: int = 20, stderr: bool = False) -> None:
    """At most so many lines; of the rest their number, and where they stand (``more``)."""
    several, stream = list(lines), sys.stderr if stderr else sys.stdout
    shown = several if len(several) <= most + 1 else several[:most]
    for line in shown:
        print(printable(line), file=stream)
    if len(several) > len(shown):
        print(f"... and {len(several) - len(shown)} more: {more}", file=stream)


@contextmanager
def progress_bar(title: str, quiet: bool = False) -> Iterator[Listener]:
    """A `training.progress.Listener` that draws a bar on stderr; silent when ``quiet`` or when nobody watches.

    The total need not be known. A terminal that cannot move its cursor gets a line now and then.
    """
    if quiet or not sys.stderr.isatty():
        yield _silent
        return
    screen = console(stderr=True)
    if not screen.is_interactive:
        yield _lines(title)
        return
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
    from rich.progress import Progress as Bars
    from rich.table import Column

    wide = screen.width >= _WIDE
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=24 if wide else 10),
        MofNCompleteColumn(),
        *((TimeElapsedColumn(),) if wide else ()),
        TimeRemainingColumn(),
        TextColumn("{task.fields[values]}", markup=False, table_column=Column(no_wrap=True, overflow="ellipsis")),
    )
    with Bars(*columns, console=screen, transient=True) as bars:
        task = bars.add_task(title, total=None, values="")

        def listen(progress: Progress) -> None:
            bars.update(
                task,
                completed=progress.step,
                total=progress.total_steps or None,
                values=_values(progress, 4 if wide else 1),
            )

        yield listen


_WIDE = 100
"""Columns from which a bar has room for all it can say."""
_LINE_SECONDS = 20.0


def _values(progress: Progress, most: int) -> str:
    return progress.message or " ".join(f"{name} {value:.3g}" for name, value in list(progress.values.items())[:most])


def _lines(title: str) -> Listener:
    said = time.monotonic()

    def listen(progress: Progress) -> None:
        nonlocal said
        if time.monotonic() - said >= _LINE_SECONDS:
            said = time.monotonic()
            of = f"/{progress.total_steps}" if progress.total_steps else ""
            remark(f"{title}: {progress.step}{of} {_values(progress, 4)}".rstrip())

    return listen


@contextmanager
def pictures_bar(title: str, quiet: bool = False) -> Iterator[Callable[[int, int], None]]:
    """`progress_bar` for work that says how many pictures are done and how many there are."""
    with progress_bar(title, quiet) as listener:
        yield lambda done, total: listener(bar_at(done, total))


def bar_at(done: int, total: int = 0) -> Progress:
    """So many are done; a ``total`` of 0 is not known."""
    from fittingroom.training.progress import Progress

    return Progress(done, total, 0, 1)


def _silent(_: Progress) -> None:
    return None


def counter(listener: Listener, total: int) -> Callable[[object], None]:
    """A listener for stages that say each row: it counts them up to ``total`` (0: not known)."""
    done = 0

    def count(_: object) -> None:
        nonlocal done
        done += 1
        listener(bar_at(done, max(total, done) if total else 0))

    return count


def parse_settings(pairs: list[str]) -> dict[str, str]:
    """``name=value`` pairs to a dictionary; the fields know what their text means.

    Raises:
        InputError: a pair without an equals sign.
    """
    from fittingroom.errors import InputError

    found = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals or not name:
            raise InputError(f"expected name=value, got {pair!r}")
        found[name.strip()] = value
    return found


def parse_parameters(pairs: list[str]) -> dict[str, Any]:
    """The same for a flow's parameters: values are JSON where they parse as it, else text."""
    found: dict[str, Any] = dict(parse_settings(pairs))
    for name, value in found.items():
        with suppress(ValueError):
            found[name] = json.loads(value)
    return found
