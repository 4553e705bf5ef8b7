"""``fittingroom styles``: what serves, what a garment's style is called, and moving the champion."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fittingroom.cli.champions import load_segmenter, open_marked_registry, open_registry, open_serving
from fittingroom.cli.figures import versions_table
from fittingroom.cli.helping import Group
from fittingroom.cli.output import JsonOption, console, print_json

if TYPE_CHECKING:
    from fittingroom.registry.serving import Served

app = typer.Typer(help="Registered styles and the garments they come from.", cls=Group)

NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="A style's name, or: segmenter.")]


def _model(name: str) -> str:
    return name if name == "segmenter" or name.startswith("style-") else f"style-{name}"


@app.command("list")
def list_styles(as_json: JsonOption = False) -> int:
    """What serves, and every registered model: its champion, or a starter model while there is none. What is damaged is
    marked.
    """
    serving = open_serving()
    damaged: dict[str, list[str]] = {}
    for damage in serving.damaged():
        damaged.setdefault(damage.model, []).append(damage.words())
    models = dict.fromkeys([*serving.registry.models(), *damaged]) | {each.model: each for each in serving.all()}
    if as_json:
        document: dict[str, Any] = {model: served.to_json() if served else None for model, served in models.items()}
        for model, lines in damaged.items():
            document[model] = {**(document[model] or {}), "damaged": lines}
        print_json(dict(sorted(document.items())))
        return 0
    if all(served and served.starter for served in models.values()):
        print("no model of your own serves yet (fittingroom train style, or fittingroom run lifecycle); until then:")
    for model, served in sorted(models.items()):
        if served or model not in damaged:
            print(served.words().removeprefix("style ") if served else f"{model.removeprefix('style-')}: no champion")
        for words in damaged.get(model, []):
            print(words)
    return 0


@app.command()
def show(name: NameArgument, as_json: JsonOption = False) -> int:
    """Every version of a style with its figures."""
    serving = open_serving()
    versions, served = serving.registry.versions(_model(name)), serving.find(_model(name))
    damaged = [damage.words() for damage in serving.damaged() if damage.model == _model(name)]
    if not versions and served is None:
        serving.style(name)  # which says what there is
    document = {
        "champion": served.version if served else None,
        "versions": [v.to_json() | {"domain": serving.domain_of(v)} for v in versions],
        "serves": served.to_json() if served else None,
        **({"damaged": damaged} if damaged else {}),
    }
    if as_json:
        print_json(document)
        return 0
    _print_versions(name, served, document)
    for words in damaged:
        print(words)
    return 0


@app.command()
def describe(
    image: Annotated[Path, typer.Argument(metavar="IMAGE", help="A picture of a garment.")],
    segmenter: Annotated[Path | None, typer.Option(help="Segmenter weights instead of those that serve.")] = None,
    as_json: JsonOption = False,
) -> int:
    """Name the colour and the pattern of the garment in a picture."""
    from fittingroom.appearance.describe import describe_garment
    from fittingroom.cutout import CutoutSettings, cut_out
    from fittingroom.images import read_rgb

    picture = read_rgb(image)
    cutout = cut_out(picture, CutoutSettings().without_tests(), load_segmenter(segmenter))
    description = describe_garment(cutout.rgba[..., :3], cutout.rgba[..., 3] > 0)
    if as_json:
        print_json(description.to_json())
    else:
        shown = [f"{name} {share:.0%}" for name, share in description.colours if round(share * 100) > 0]
        print(f"{description.colour} {description.pattern} ({', '.join(shown)})")
    return 0


@app.command()
def promote(
    name: NameArgument,
    version: Annotated[int, typer.Argument(metavar="VERSION", help="The version that shall serve.")],
    force: Annotated[
        bool,
        typer.Option("--force", help="Also one that its gate refused, or that learnt from a withdrawn picture."),
    ] = False,
) -> int:
    """Make a version the champion. A version that its gate refused wants --force."""
    from fittingroom.errors import InputError

    registry = open_marked_registry()
    found = registry.version(_model(name), version)
    if found.withdrawn and not force:
        raise InputError(
            f"{name} version {version}: it learnt from a picture that was withdrawn at {found.withdrawn}, --force lets"
            " it serve all the same"
        )
    if found.verdict == "refused" and not force:
        raise InputError(
            f"{name} version {version}: its gate refused it, --force lets it serve all the same:"
            f" {found.verdict_reasons}"
        )
    promoted = registry.promote(found.model, version, "by hand")
    print(f"{name}: version {promoted.version} serves")
    return 0


@app.command()
def rollback(name: NameArgument) -> int:
    """Go back to the champion before this one."""
    previous = open_marked_registry().rollback(_model(name))
    print(f"{name}: version {previous.version} serves")
    return 0


@app.command()
def retire(
    name: NameArgument,
    undo: Annotated[bool, typer.Option("--undo", help="Let it serve again, by the version that served last.")] = False,
) -> int:
    """Take a style out of service; its versions stay registered, and new ones do not serve until --undo or promote."""
    registry = open_marked_registry() if undo else open_registry()
    if undo:
        print(f"{name}: version {registry.reinstate(_model(name)).version} serves again")
        return 0
    served = registry.retire(_model(name))
    what = f"version {served.version} does not serve any more" if served else "none of its versions served; none will"
    print(f"{name}: {what}; fittingroom styles retire {name} --undo takes that back")
    return 0


def _print_versions(name: str, served: Served | None, document: Mapping[str, Any]) -> None:
    """What `show` found, for a person: what serves, then its versions side by side."""
    screen = console()
    if served is None:
        print(f"{name}: no version serves")
    elif served.starter:
        print(f"{served.words()}, until one of your own serves")
        starter = {"version": "starter", "metrics": served.metrics, "domain": served.domain}
        screen.print(versions_table([starter], width=screen.width), highlight=False)
    else:
        print(f"{name}: version {served.version} serves")
    if document["versions"]:
        screen.print(versions_table(document["versions"], document["champion"], screen.width), highlight=False)
