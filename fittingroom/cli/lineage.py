"""``trace`` and ``withdraw``: what a model learnt from, which models learnt from a picture, and taking one out."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fittingroom.cli.output import JsonOption, console, print_json, print_named
from fittingroom.names import printable

if TYPE_CHECKING:
    from fittingroom.lineage.uses import VersionUse
    from fittingroom.lineage.withdraw import Withdrawn
    from fittingroom.workspace import Workspace

AllOption = Annotated[bool, typer.Option("--all", help="List every picture, where there is a count otherwise.")]
FILES_SHOWN = 8


def register(app: typer.Typer) -> None:
    """Put this module's commands on the command line."""
    app.command("trace")(trace)
    app.command("withdraw")(withdraw)


def trace(
    what: Annotated[
        str | None,
        typer.Argument(
            metavar="PICTURE.png|MODEL|STYLE",
            help="A result of a try-on; segmenter or style-NAME, with @VERSION that version; or a style's name.",
        ),
    ] = None,
    uses: Annotated[
        str | None,
        typer.Option(
            metavar="ADDRESS|DIGEST|PATH",
            help="Which model versions learnt from this picture, or were judged on it.",
        ),
    ] = None,
    everything: AllOption = False,
    as_json: JsonOption = False,
) -> int:
    """Where a result or a model comes from: its training, the pictures it learnt from, their addresses and licences,
    the catalog. --json speaks OpenLineage. With --uses the other way."""
    from fittingroom.cli.champions import open_serving
    from fittingroom.errors import InputError
    from fittingroom.settings import get_settings
    from fittingroom.workspace import Workspace

    if (what is None) == (uses is None):
        raise InputError("trace: expected PICTURE.png|MODEL|STYLE or --uses, got " + ("both" if what else "neither"))
    place = Workspace(get_settings().workspace)
    if uses is not None:
        return _trace_uses(place, uses, as_json)
    from fittingroom.cli.lineage_tree import tree_of
    from fittingroom.lineage.openlineage import document
    from fittingroom.lineage.trace import Tracer

    tracer = Tracer(place, open_serving())
    found = tracer.trace(str(what))
    if as_json:
        print_json(document(found, place, tracer.registry.uri))
    else:
        console().print(tree_of(found, place, everything), highlight=False, soft_wrap=False)
    return 1 if found.lost else 0


def withdraw(
    what: Annotated[
        list[str],
        typer.Argument(
            metavar="ADDRESS|DIGEST|PATH...",
            help="Crawled pictures, or anything that was made of them in the workspace.",
        ),
    ],
    why: Annotated[str, typer.Option(metavar="TEXT", help="Kept with the pictures' digests.")] = "withdrawn by hand",
    stop_serving: Annotated[
        bool,
        typer.Option(
            "--stop-serving",
            help="Take models that learnt from them out of service now; otherwise they serve until retrain-styles has "
            "trained others.",
        ),
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be done.")] = False,
    as_json: JsonOption = False,
) -> int:
    """Take pictures out: they and all that was made of them are removed, no crawl keeps them again, and the styles that
    learnt from them are trained anew by the next retrain-styles."""
    from fittingroom.cli.champions import open_registry
    from fittingroom.lineage.withdraw import withdraw as take_out
    from fittingroom.settings import get_settings
    from fittingroom.workspace import Workspace

    place = Workspace(get_settings().workspace)
    if not dry_run:
        place.check_writable()
    done = take_out(place, open_registry(), what, why, stop_serving, dry_run)
    if as_json:
        print_json(done.to_json(place))
    else:
        _print_withdrawn(done, place.root)
    return 0


def _trace_uses(place: Workspace, what: str, as_json: bool) -> int:
    from fittingroom.cli.champions import open_registry
    from fittingroom.crawl.withdrawn import Withdrawals
    from fittingroom.lineage.pictures import Pictures
    from fittingroom.lineage.uses import Index, standings

    pictures, index = Pictures(place), Index(open_registry())
    origins = pictures.find(what)
    addresses, uses = pictures.addresses_of(origins), index.uses(pictures, origins)
    withdrawn = Withdrawals.read(place)
    at = min((one.at for one in withdrawn.all if one.digests & origins.crawled), default="")
    models = standings(index, uses, at)
    serving = [standing for standing in models if not standing.clean]
    unknown = [use for use in uses if use.serves and use.not_noted and not use.learnt]
    if as_json:
        print_json(
            {
                "asked": what,
                "pictures": sorted(origins.crawled | origins.photos),
                "addresses": [one.to_json() for one in addresses],
                "withdrawn_at": at,
                "versions": [use.to_json() for use in uses],
                "models": [standing.to_json() for standing in models],
                "serving_model_learnt": bool(serving),
                "serving_models_unknown": [use.model for use in unknown],
            }
        )
        return 0
    for one in addresses:
        licence = one.licence or "no licence stated"
        _say(f"{one.style}: {one.address} ({licence}, fetched {one.fetched_at[:10]}, {one.status})")
    for digest in sorted(origins.photos):
        _say(f"annotated photo, sha256 {digest}")
    _print_uses(uses)
    for standing in models if at else []:
        _say(standing.words())
    if not serving:
        names = ", ".join(use.model.removeprefix("style-") for use in unknown)
        _say("no serving model learnt from it" + (f", as far as can be told: {names} cannot" if unknown else ""))
    return 0


def _print_uses(uses: list[VersionUse]) -> None:
    for use in uses:
        serves = ", which serves," if use.serves else ""
        named = f"{use.model.removeprefix('style-')} version {use.version}{serves}"
        if use.learnt_from:
            _say(f"{named} learnt from it: {', '.join(use.learnt_from)}")
        elif use.started_from:
            _say(f"{named} began with the weights of {use.started_from}, which learnt from it")
        if use.held_out:
            _say(f"{named} has it among its held-out pictures: {', '.join(use.held_out)}")
        if use.not_noted and not use.learnt:
            _say(f"{named} cannot be told: {use.not_noted}")


def _print_withdrawn(done: Withdrawn, root: Path) -> None:
    """What was done, or would be."""
    plan, would = done.plan, done.dry_run
    count = len(plan.origins.crawled)
    what = f"{count} picture{'s' if count != 1 else ''}"
    _say(f"{what} would be withdrawn" if would else f"{what} withdrawn at {done.at}")
    print_named((f"  {one.style}: {one.address}" for one in plan.addresses), "--json names them all", FILES_SHOWN)
    _say(f"files {'that would be removed' if would else 'removed'}: {len(plan.files)}")
    print_named((f"  {path.relative_to(root)}" for path in plan.files), "--json names them all", FILES_SHOWN)
    for address in plan.others:
        _say(f"left where it is, and not taken again: {address}")
    _print_uses(plan.uses)
    for standing in done.standings:
        model = standing.model.removeprefix("style-")
        if standing.model in done.stopped:
            taken = "would be taken" if would else "taken"
            _say(f"{model}: {taken} out of service until another version passes its gate")
        elif would and not standing.clean:
            _say(f"{model}: would be pending; version {standing.serving} serves on until another passes its gate")
        elif not would:
            _say(standing.words())
    if not would and any(not standing.clean or standing.serving is None for standing in done.standings):
        _say("next: fittingroom run retrain-styles --param catalog=CATALOG.yaml")
    if not done.standings:
        _say("no version learnt from it: nothing is to be trained anew")


def _say(line: str) -> None:
    """A line, whatever is in the names of others' pictures and in what they state."""
    print(printable(line))
