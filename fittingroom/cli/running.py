"""``try-on``, ``verify``, ``run``, ``demo``, ``serve``, ``app`` and ``doctor``."""

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
    app.command("verify")(verify)
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
    person: Annotated[
        list[Path], typer.Argument(metavar="PERSON...", help="Photos of people; of a folder, the pictures in it.")
    ],
    output: Annotated[
        Path,
        typer.Option(
            "-o",
            "--output",
            metavar="OUT",
            help="For one photo and one style the PNG or JPEG to write, in a folder that is there; else a folder, made "
            "if missing.",
        ),
    ],
    style: Annotated[
        list[str] | None,
        typer.Option(
            metavar="IMAGE_OR_NAME", help="A style's name, or a picture of the very garment; may be repeated."
        ),
    ] = None,
    all_styles: Annotated[bool, typer.Option("--all-styles", help="Every style that serves.")] = False,
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
    cloth: Annotated[
        bool, typer.Option("--cloth", help="The picture shows nothing but cloth, from edge to edge.")
    ] = False,
    nearest: Annotated[
        bool, typer.Option("--nearest", help="Take the nearest style where none has the picture's pattern.")
    ] = False,
    garment: Annotated[
        str,
        typer.Option(
            metavar="WHICH",
            help="Which garment to change: upper, lower, full, all, a category (trousers), or a number of --json or "
            "--explain.",
        ),
    ] = "",
    whose: Annotated[
        str, typer.Option("--person", metavar="N", help="Of several people whose: a number, from the left, or all.")
    ] = "",
    explain: Annotated[
        Path | None, typer.Option(metavar="STEPS.png", help="Also write the ten steps as one picture (PNG or JPEG).")
    ] = None,
    strict: Annotated[
        bool, typer.Option("--strict", help="Refuse a garment whose outline may be wrong, instead of warning of it.")
    ] = False,
    exact: Annotated[bool, typer.Option("--exact", help="Refuse a style that is only near the wanted one.")] = False,
    segmenter: Annotated[Path | None, typer.Option(help="Segmenter weights instead of those that serve.")] = None,
    as_json: JsonOption = False,
) -> int:
    """Show a garment on a person in another style. No garment found, or no style with the picture's pattern: exit 1 and
    no picture.

    Several photos or styles, or a folder of photos: OUT is a folder, and gets a picture for each photo and style,
    manifest.jsonl with a row for each, and contact sheets. What is there already is not made again. A photo that gives
    no picture is a row, and the end is exit 1.
    """
    from fittingroom.cli.trying import is_batch, report_batch, try_on_batch, try_on_files
    from fittingroom.errors import InputError
    from fittingroom.tryon.wanted import Wish

    styles = style or []
    if bool(styles) == all_styles:
        raise InputError("--style and --all-styles: expected one of them, got " + ("both" if styles else "neither"))
    wish = Wish(exact=exact, nearest=nearest, house_colours=house_colours, colours=tuple(colour or ()), cloth=cloth)
    if is_batch(person, styles, output):
        summary = try_on_batch(person, styles, output, wish, segmenter, garment, whose, explain, strict, as_json)
        report_batch(summary, output, as_json)
        return 1 if summary.without else 0
    outcome = try_on_files(person[0], styles[0], output, wish, segmenter, garment, whose, explain, strict)
    for message in outcome.messages:
        remark(message)
    if as_json:
        print_json(outcome.to_json())
    else:
        print(f"{outcome.sentence}: {output}")
    return 0


def verify(
    result: Annotated[Path, typer.Argument(metavar="OUT.png", help="A picture that try-on wrote.")],
    original: Annotated[Path, typer.Option(metavar="IN.jpg", help="The photo it was made of.")],
    as_json: JsonOption = False,
) -> int:
    """Check that a result says that AI changed it, and that all it does not name as changed is the photo's own. Exit 1
    where it does not, or is not."""
    from fittingroom.cli.trying import report_verification
    from fittingroom.tryon.verify import verify as compare

    found = compare(result, original)
    report_verification(found, result, as_json)
    return 0 if found.verified else 1


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
    from fittingroom.cli.output import parse_parameters

    return int(command_above("run-flow")(flow, parse_parameters(param or []), explain_cache))


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
    open_it: Annotated[
        bool, typer.Option("--open/--no-open", help="Open it in a browser, where there is a terminal and a screen.")
    ] = True,
    api_keys: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Keys of the HTTP API (docs/api.md); the setting app_api_keys if left out. Without keys it answers "
            "programs on this machine alone.",
        ),
    ] = None,
) -> int:
    """Serve the try-on page for a browser, and the HTTP API for programs, until stopped."""
    from fittingroom.extras import need_extra

    need_extra("app", "the try-on page")
    from fittingroom.app import serve_app
    from fittingroom.settings import get_settings
    from fittingroom.tryon.signing import signer
    from fittingroom.workspace import Workspace

    signer()  # what cannot sign is refused now, not to a visitor
    settings = get_settings()
    serve_app(
        Workspace(settings.workspace),
        host=host,
        port=port,
        say=remark,
        open_it=open_it,
        api_keys=api_keys or settings.app_api_keys,
        json_logs=settings.app_log == "json",
    )
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
