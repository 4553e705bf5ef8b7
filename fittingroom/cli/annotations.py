"""``fittingroom annotations``: convert and check."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from fittingroom.cli.output import JsonOption, console, pictures_bar, print_json

WorkersOption = Annotated[int, typer.Option(min=0, help="Processes that read; 0 for one a core.")]

app = typer.Typer(help="DeepFashion2, COCO and VIA annotations.", no_args_is_help=True)


@app.command()
def convert(
    source: Annotated[Path, typer.Argument(metavar="SRC", help="Folder or file; its format is detected.")],
    target: Annotated[Path, typer.Argument(metavar="DST", help="Where to write.")],
    to: Annotated[Literal["coco", "via", "deepfashion2"], typer.Option(help="The format to write.")],
    workers: WorkersOption = 0,
    as_json: JsonOption = False,
) -> int:
    """Convert annotations; nothing is dropped in silence, and exit 1 says that something had to be."""
    from fittingroom.annotations.convert import convert as convert_annotations
    from fittingroom.cores import available_cores

    with pictures_bar("convert", quiet=as_json) as listener:
        report = convert_annotations(source, target, to=to, workers=workers or available_cores(), on_progress=listener)
    if as_json:
        print_json(report.to_json())
    else:
        console().print(report.table())
    return 1 if report.fell_short else 0


@app.command()
def check(
    source: Annotated[Path, typer.Argument(metavar="SRC", help="Folder or file; its format is detected.")],
    workers: WorkersOption = 0,
    as_json: JsonOption = False,
) -> int:
    """Report what is wrong; exit 1 when something is broken."""
    from fittingroom.annotations.check import check as check_annotations
    from fittingroom.cores import available_cores

    with pictures_bar("check", quiet=as_json) as listener:
        report = check_annotations(source, workers=workers or available_cores(), on_progress=listener)
    if as_json:
        print_json(report.to_json())
    else:
        console().print(report.table())
    return 1 if report.broken else 0
