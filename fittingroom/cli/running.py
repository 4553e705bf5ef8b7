"""``try-on``, ``run``, ``demo``, ``serve``, ``app`` and ``doctor``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from fittingroom.cli.helping import FlowCommand
from fittingroom.cli.layers import command_above
from fittingroom.cli.output import JsonOption, console, print_json, remark


def register(app: typer.Typer) -> None:
    """Put this module's commands on the command line."""
    app.command("demo")(demo)
    app.command("try-on")(try_on)
    app.command("run", cls=FlowCommand)(run)
    app.command("serve")(serve)
    app.command("app")(page)
    app.command("doctor")(doctor)


def demo(
    workspace: Annotated[
        Path | None, typer.Option(help="The demo's own workspace; the folder demo in the installation's if left out.")
    ] = None,
) -> int:
    """Run the whole lifecycle on the sample world, offline."""
    from fittingroom.settings import get_settings
    from fittingroom.workspace import Workspace

    return int(command_above("demo")(workspace or Workspace(get_settings().workspace).demo))


def try_on(
    person: Annotated[Path, typer.Argument(metavar="PERSON", help="A photo of a person.")],
    style: Annotated[
        str, typer.Option(metavar="IMAGE_OR_NAME", help="A style's name, or a picture of the very garment.")
    ],
    output: Annotated[
        Path, typer.Option("-o", "--output", metavar="OUT.png", help="PNG or JPEG to write, in a folder that is there.")
    ],
    colour: Annotated[
        list[str] | None,
        typer.Option(
            help="Paint a named style in this colour: #2f6b3a, a CSS name, or lab(L a b). Repeated: its ground, then "
            "its figures (stripes, checks, dots).",
        ),
    ] = None,
    house_colours: Annotated[
        bool, typer.Option("--house-colours", help="With a picture: keep the style's own colours, not the picture's.")
    ] = False,
    nearest: Annotated[
        bool, typer.Option("--nearest", help="Take the nearest style where none has the picture's pattern.")
    ] = False,
    exact: Annotated[bool, typer.Option("--exact", help="Refuse a style that is only near the wanted one.")] = False,
    segmenter: Annotated[Path | None, typer.Option(help="Segmenter weights instead of those that serve.")] = None,
    as_json: JsonOption = False,
) -> int:
    """Show a garment on a person in another style. No garment found, or no style with the picture's pattern: exit 1 and
    no picture."""
    from fittingroom.cli.trying import try_on_files
    from fittingroom.tryon.wanted import Wish

    wish = Wish(exact=exact, nearest=nearest, house_colours=house_colours, colours=tuple(colour or ()))
    outcome = try_on_files(person, style, output, wish, segmenter)
    for message in outcome.messages:
        remark(message)
    if as_json:
        print_json(outcome.to_json())
    else:
        print(f"{outcome.sentence}: {output}")
    return 0


def run(
    flow: Annotated[str, typer.Argument(metavar="FLOW", help="A flow's name, such as lifecycle or try-on.")],
    param: Annotated[
        list[str] | None, typer.Option("--param", metavar="k=v", help="A parameter; may be repeated.")
    ] = None,
    explain_cache: Annotated[
        bool, typer.Option("--explain-cache", help="List each step at the end: done before, or why it ran.")
    ] = False,
) -> int:
    """Run one flow now, with or without a server."""
    from fittingroom.cli.output import parse_settings

    return int(command_above("run-flow")(flow, parse_settings(param or []), explain_cache))


def serve(
    port: Annotated[
        int | None,
        typer.Option(min=1, max=65535, help="Port of the Prefect UI; 4200, or any free one, if left out."),
    ] = None,
) -> int:
    """Serve the deployments, with schedules and triggers, until stopped."""
    return int(command_above("serve")(port) or 0)


def page(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[
        int | None, typer.Option(min=1, max=65535, help="Port to listen on; 7860, or any free one, if left out.")
    ] = None,
) -> int:
    """Serve the try-on page for a browser, until stopped."""
    from fittingroom.extras import need_extra

    need_extra("app", "the try-on page")
    from fittingroom.app import serve_app
    from fittingroom.settings import get_settings
    from fittingroom.workspace import Workspace

    serve_app(Workspace(get_settings().workspace), host=host, port=port, say=remark)
    return 0


def doctor(as_json: JsonOption = False) -> int:
    """Say what is installed, reachable and missing; exit 1 when something is broken."""
    from dataclasses import asdict

    from fittingroom.doctor import examine
    from fittingroom.settings import get_settings

    findings = list(examine(get_settings()))
    if as_json:
        print_json([asdict(finding) for finding in findings])
    else:
        from rich.table import Table

        table = Table("", "what", "found", box=None)
        marks = {"ok": "[green]ok[/]", "note": "[yellow]note[/]", "broken": "[red]broken[/]"}
        for finding in findings:
            table.add_row(marks[finding.state], finding.name, finding.detail)
        console().print(table)
    return 1 if any(finding.state == "broken" for finding in findings) else 0
