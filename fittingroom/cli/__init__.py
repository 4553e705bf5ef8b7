"""The command line: names, ``--json`` and exit codes are a contract.

Exit codes: 0 done; 1 ran, and something failed or fell short; 2 wrong usage or input, refused before work began.
Errors are one readable line on stderr, a traceback only with ``--debug``. ``--json`` prints one JSON document on stdout
and nothing else. This module owns that behaviour; the commands stand next to it, and load their stage when called.
"""

from __future__ import annotations

import errno
import os
import sys
import traceback
from pathlib import Path
from typing import Annotated

import typer

from fittingroom import __version__
from fittingroom.cli import data, lineage, models, running
from fittingroom.cli.annotations import app as annotations_app
from fittingroom.cli.helping import Group
from fittingroom.cli.styles import app as styles_app
from fittingroom.errors import FittingroomError
from fittingroom.redaction import redacted
from fittingroom.workers import quiet_decoders
from fittingroom.workspace import FULL, full_folder

INTERRUPTED = 130
_NO_NAMES = (errno.ENAMETOOLONG, errno.ELOOP)
"""What the system says of paths that nothing can have: a matter of what was typed."""

app = typer.Typer(
    name="fittingroom",
    cls=Group,
    context_settings={"max_content_width": 120},
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
for part in (data, models, lineage, running):
    part.register(app)
app.add_typer(annotations_app, name="annotations")
app.add_typer(styles_app, name="styles")


def _print_version(asked: bool) -> None:
    if asked:
        print(f"fittingroom {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Virtual try-on as a pipeline: crawl, cut out, prepare, train, register, try on."""


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and end the process with its exit code."""
    raise SystemExit(run(sys.argv[1:] if arguments is None else arguments))


def run(arguments: list[str]) -> int:
    """Run one command and return its exit code. ``--debug`` is understood anywhere among the arguments."""
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # before torch is loaded, here or in a process of ours
    os.environ.setdefault("PYTHONSAFEPATH", "1")  # our processes import nothing from the current folder
    quiet_decoders()
    debug = "--debug" in arguments
    arguments = [argument for argument in arguments if argument != "--debug"]
    for before, argument in zip(["", *arguments], arguments, strict=False):
        name, _, value = argument.partition("=") if argument.startswith("--") else (before, "", argument)
        if not value.strip() and (value != "" or argument in ("", f"{name}=")):
            after = f" for {name}" if name.startswith("-") else ""
            return _fail(f"expected a value{after}, got an empty one (the current folder is .)", debug, 2)
    try:
        result = app(args=arguments, prog_name="fittingroom", standalone_mode=False)
        if result == INTERRUPTED:  # what typer makes of Ctrl-C, in silence
            return _fail("stopped", debug, INTERRUPTED)
        return result if isinstance(result, int) else 0
    except typer.Exit as ending:
        return ending.exit_code
    except (typer.Abort, KeyboardInterrupt):
        return _fail("stopped", debug, INTERRUPTED)
    except FittingroomError as error:
        return _fail(str(error), debug, error.exit_code)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except OSError as error:
        named = error.filename or (full_folder(Path()) if error.errno in FULL else None)
        where = f": {named}" if named else ""
        return _fail(f"{error.strerror or error}{where}", debug, 2 if error.errno in _NO_NAMES else 1)
    except Exception as error:  # noqa: BLE001  the last line of defence: one readable line, never a wall of text
        if hasattr(error, "format_message"):  # wrong usage, found by typer
            context = getattr(error, "ctx", None)
            command = context.command_path if context else "fittingroom"
            return _fail(f"{error.format_message()} (see {command} --help)", debug, 2)
        return _fail(f"unexpected {type(error).__name__}: {error} (--debug shows where)", debug, 1)


def _fail(message: str, debug: bool, code: int) -> int:
    if debug:
        print(redacted(traceback.format_exc()), end="", file=sys.stderr)
    print("error: " + redacted(" ".join(message.split())), file=sys.stderr)
    return code
