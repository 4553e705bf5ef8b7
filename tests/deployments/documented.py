"""Whether a command line names a command that is there, with options and parameters that it takes."""

from __future__ import annotations

import importlib.util
import re
from itertools import pairwise
from pathlib import Path
from typing import Any

import typer

from fittingroom.cli import app
from flows.catalogue import FLOWS

ROOT = Path(__file__).resolve().parents[2]
PROGRAMS = ("fittingroom", "prefect", "make", "python")
TARGETS = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))


def fault(words: list[str]) -> str:
    """What is wrong with a command line that begins with one of `PROGRAMS`; empty where nothing is.

    Words in capitals stand for what a person types there.
    """
    program, *rest = words
    return {"fittingroom": _of_ours, "prefect": fault_of_prefect, "make": _of_make, "python": _of_python}[program](rest)


def options(words: list[str]) -> set[str]:
    return {word.partition("=")[0] for word in words if word.startswith("-") and word != "-"}


def _of_ours(words: list[str]) -> str:
    command: Any = typer.main.get_command(app)
    while words and words[0] in getattr(command, "commands", {}):
        command, words = command.commands[words[0]], words[1:]
    if words and hasattr(command, "commands") and not words[0].startswith("-"):
        return f"no command {words[0]}"
    known = {option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)}
    if unknown := options(words) - known - {"--help"}:
        return f"no option {min(unknown)}"
    return _of_flow(words) if command.name == "run" and words and not words[0].startswith("-") else ""


def _of_flow(words: list[str]) -> str:
    flow, given = words[0], [after for before, after in pairwise(words) if before == "--param"]
    if flow.isupper():
        return ""
    if flow not in FLOWS:
        return f"no flow {flow}"
    unknown = {value.partition("=")[0] for value in given} - set(FLOWS[flow].parameters.model_fields)
    return f"{flow}: no parameter {min(unknown)}" if unknown else ""


def fault_of_prefect(words: list[str]) -> str:
    """What is wrong with the words after ``prefect``."""
    from prefect.cli._app import _app as prefect

    words = [word for word in words if word != "--no-prompt"]  # Prefect reads it before it looks for the command
    try:
        command, _, _ = prefect.parse_args(words, print_error=False, exit_on_error=False)
    except Exception as error:  # noqa: BLE001  whatever its parser raises
        return str(error)
    if not command.__module__.startswith("prefect.cli."):
        return "only prints help"
    return _of_flow([words[2].partition("/")[0], *words[3:]]) if words[:2] == ["deployment", "run"] else ""


def _of_make(words: list[str]) -> str:
    return ", ".join(f"no target {word}" for word in words if word not in TARGETS)


def _of_python(words: list[str]) -> str:
    if words[0] == "-m":
        found = importlib.util.find_spec(words[1])
        script, rest = Path(found.origin) if found and found.origin else None, words[2:]
    else:
        script, rest = ROOT / words[0], words[1:]
    if script is None or not script.is_file():
        return "no such program"
    text = script.read_text(encoding="utf-8")
    names = {option: option.removeprefix("--").replace("-", "_") for option in options(rest)}
    unknown = [option for option, name in names.items() if option not in text and not re.search(rf"\b{name}\b", text)]
    return f"no option {min(unknown)}" if unknown else ""
