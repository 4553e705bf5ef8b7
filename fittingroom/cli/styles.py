"""``fittingroom styles``: what serves, what a garment's style is called, and moving the champion."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from fittingroom.cli.champions import find_segmenter_if_any, open_registry
from fittingroom.cli.figures import versions_table
from fittingroom.cli.helping import Group
from fittingroom.cli.output import JsonOption, console, print_json

app = typer.Typer(help="Registered styles and the garments they come from.", cls=Group)

NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="A style's name, or: segmenter.")]


def _model(name: str) -> str:
    return name if name == "segmenter" or name.startswith("style-") else f"style-{name}"


@app.command("list")
def list_styles(as_json: JsonOption = False) -> int:
    """Every registered model and its champion."""
    from fittingroom.starter import StarterModels

    registry = open_registry()
    champions = {model: registry.champion(model) for model in registry.models()}
    if as_json:
        print_json({model: champion.to_json() if champion else None for model, champion in champions.items()})
        return 0
    if not champions:
        print("no model is registered yet: fittingroom train style, or fittingroom demo")
        for style in StarterModels().styles():
            print(f"{style.words()}: starter model, until a style of your own serves")
    for model, champion in champions.items():
        serving = f"version {champion.version}" if champion else "no champion"
        print(f"{model.removeprefix('style-')}: {serving}")
    return 0


@app.command()
def show(name: NameArgument, as_json: JsonOption = False) -> int:
    """Every version of a style with its figures."""
    from fittingroom.errors import MissingInputError

    registry = open_registry()
    versions = registry.versions(_model(name))
    if not versions:
        raise MissingInputError("style", name, "registered: " + (", ".join(_names(registry.models())) or "none"))
    champion = registry.champion(_model(name))
    document = {"champion": champion.version if champion else None, "versions": [v.to_json() for v in versions]}
    if as_json:
        print_json(document)
        return 0
    _print_versions(name, document)
    return 0


@app.command()
def describe(
    image: Annotated[Path, typer.Argument(metavar="IMAGE", help="A picture of a garment.")],
    segmenter: Annotated[Path | None, typer.Option(help="Segmenter weights instead of the champion.")] = None,
    as_json: JsonOption = False,
) -> int:
    """Name the colour and the pattern of the garment in a picture."""
    from fittingroom.cutout import CutoutSettings, cut_out
    from fittingroom.images import read_rgb
    from fittingroom.styles.describe import describe_garment

    picture = read_rgb(image)
    cutout = cut_out(picture, CutoutSettings().without_tests(), find_segmenter_if_any(segmenter))
    description = describe_garment(cutout.rgba[..., :3], cutout.rgba[..., 3] > 0)
    if as_json:
        print_json(description.to_json())
    else:
        shown = [f"{name} {share:.0%}" for name, share in description.colours if round(share * 100) > 0]
        print(f"{description.colour} {description.pattern} ({', '.join(shown)})")
    return 0


@app.command()
def promote(name: NameArgument, version: Annotated[int, typer.Argument(help="The version that shall serve.")]) -> int:
    """Make a version the champion."""
    promoted = open_registry().promote(_model(name), version)
    print(f"{name}: version {promoted.version} serves")
    return 0


@app.command()
def rollback(name: NameArgument) -> int:
    """Go back to the champion before this one."""
    previous = open_registry().rollback(_model(name))
    print(f"{name}: version {previous.version} serves")
    return 0


def _names(models: list[str]) -> list[str]:
    return [model.removeprefix("style-") for model in models]


def _print_versions(name: str, document: Mapping[str, Any]) -> None:
    """What `show` found, for a person: whatever is said of the model as a whole, then its versions side by side."""
    screen, champion = console(), document.get("champion")
    versions = document.get("versions") or []
    print(f"{name}: " + (f"version {champion} serves" if champion is not None else "no version serves"))
    for key, value in document.items():
        if key not in ("champion", "versions") and isinstance(value, str | int | float):
            print(f"{key}: {value}")
    if versions:
        screen.print(versions_table(versions, champion, screen.width), highlight=False)
