"""``fittingroom annotations``: convert and check."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from fittingroom.cli.helping import Group
from fittingroom.cli.output import JsonOption, console, pictures_bar, print_json

WorkersOption = Annotated[int, typer.Option(min=0, help="Processes that read; 0 for one a core.")]
ImagesOption = Annotated[
    Path | None,
    typer.Option(
        "--images",
        metavar="DIR",
        help="Where the pictures are, when they are not in image/ or images/ next to the annotations.",
    ),
]

app = typer.Typer(help="DeepFashion2, COCO and VIA annotations; LabelMe's are read.", cls=Group)


@app.command()
def convert(
    source: Annotated[Path, typer.Argument(metavar="SRC", help="Folder or file; its format is detected.")],
    target: Annotated[
        Path, typer.Argument(metavar="DST", help="A .json file to write, or a folder, which is made if missing.")
    ],
    to: Annotated[Literal["coco", "via", "deepfashion2"], typer.Option(help="The format to write.")],
    images: ImagesOption = None,
    clip: Annotated[bool, typer.Option("--clip", help="Cut polygons at the edges of their picture.")] = False,
    without_polygons: Annotated[
        Literal["keep", "skip"], typer.Option(help="What becomes of garments that have no polygon.")
    ] = "keep",
    via_plain: Annotated[
        bool, typer.Option("--via-plain", help="With --to via: the plain region list that Mask R-CNN loaders read.")
    ] = False,
    workers: WorkersOption = 0,
    as_json: JsonOption = False,
) -> int:
    """Convert annotations; nothing is dropped in silence. Exit 1 when something in SRC is broken, as in check."""
    from fittingroom.annotations.convert import convert as convert_annotations
    from fittingroom.annotations.formats import ConvertSettings
    from fittingroom.cores import available_cores
    from fittingroom.errors import InputError
    from fittingroom.outputs import check_output_file, check_output_folder

    if via_plain and to != "via":
        raise InputError(f"--via-plain: expected --to via next to it, got --to {to}")
    if to == "deepfashion2" or target.is_dir() or not target.suffix:
        check_output_folder(target, "DST")
    else:
        check_output_file(target, "DST", (".json",))
    with pictures_bar("convert", quiet=as_json) as listener:
        report = convert_annotations(
            source,
            target,
            to=to,
            settings=ConvertSettings(clip=clip, without_polygons=without_polygons, via_plain=via_plain),
            images_dir=images,
            workers=workers or available_cores(),
            on_progress=listener,
        )
    if as_json:
        print_json(report.to_json())
    else:
        console().print(report.table())
    return 1 if report.fell_short else 0


@app.command()
def check(
    source: Annotated[Path, typer.Argument(metavar="SRC", help="Folder or file; its format is detected.")],
    images: ImagesOption = None,
    workers: WorkersOption = 0,
    as_json: JsonOption = False,
) -> int:
    """Report what is wrong; exit 1 when something is broken."""
    from fittingroom.annotations.check import check as check_annotations
    from fittingroom.cores import available_cores

    with pictures_bar("check", quiet=as_json) as listener:
        report = check_annotations(
            source, images_dir=images, workers=workers or available_cores(), on_progress=listener
        )
    if as_json:
        print_json(report.to_json())
    else:
        console().print(report.table())
    return 1 if report.broken else 0
