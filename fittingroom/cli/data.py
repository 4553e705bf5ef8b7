"""``crawl``, ``cutout`` and ``prepare``: pictures in, pictures and a manifest out."""

from __future__ import annotations

from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Annotated

import typer

from fittingroom.cli.output import (
    JsonOption,
    counter,
    pictures_bar,
    print_counts,
    print_json,
    print_named,
    progress_bar,
    remark,
)
from fittingroom.style_card import PATTERNS

if TYPE_CHECKING:
    from collections.abc import Callable

    from fittingroom.crawl.run import CrawlProgress
    from fittingroom.manifest import ImageRow, Manifest


def register(app: typer.Typer) -> None:
    """Put this module's commands on the command line."""
    app.command("crawl")(crawl)
    app.command("cutout")(cutout)
    app.command("prepare")(prepare)


def crawl(
    catalog_file: Annotated[Path, typer.Argument(metavar="CATALOG.yaml", help="Styles and their sources.")],
    style: Annotated[str | None, typer.Option(help="Only this style.")] = None,
    retry_failed: Annotated[
        list[str] | None,
        typer.Option(
            metavar="CLASS",
            help="Also try again what ended with this reason or status, such as not_found or failed; may be repeated.",
        ),
    ] = None,
    refresh: Annotated[
        bool, typer.Option("--refresh", help="Ask again for pictures that are here, by ETag and Last-Modified.")
    ] = False,
    max_images: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Pictures taken from a source at most; if left out, all of a folder or list, 5,000 of a page.",
        ),
    ] = None,
    as_json: JsonOption = False,
) -> int:
    """Fetch the pictures of a catalog's styles into the workspace; exit 1 when a style ends with none, or a source of
    one cannot be reached."""
    from fittingroom.catalog import load_catalog
    from fittingroom.crawl import CrawlSettings, crawl_style
    from fittingroom.errors import HostUnavailable, InputError
    from fittingroom.manifest import Manifest
    from fittingroom.settings import get_settings
    from fittingroom.workspace import Workspace

    settings = get_settings()
    catalog = load_catalog(catalog_file)
    wanted = [s for s in catalog.styles if style in (None, s.name)]
    if not wanted:
        raise InputError(f"--style: expected one of {', '.join(s.name for s in catalog.styles)}, got {style!r}")
    retry = [reason for given in retry_failed or () for reason in given.split(",")]
    crawl_settings = CrawlSettings.from_installation(
        settings, retry=tuple(retry), refresh=refresh, max_images=max_images
    )
    place = Workspace(settings.workspace)
    place.check_writable()
    found: dict[str, Manifest] = {}
    unreachable: dict[str, str] = {}
    for each in wanted:
        folder = place.crawl(each.name)
        try:
            with pictures_bar(f"crawl {each.name}", quiet=as_json) as tell:
                found[each.name] = crawl_style(each, folder, crawl_settings, _told(tell))
        except HostUnavailable as error:  # the other styles' shops may be well
            unreachable[each.name] = str(error)
            found[each.name] = Manifest.read(folder / "manifest.jsonl")
        if not as_json:
            print(f"{each.name}: ", end="")
            print_counts(found[each.name].counts())
    empty = [name for name, manifest in found.items() if not manifest.kept() and name not in unreachable]
    if as_json:
        errors = {name: {"error": message} for name, message in unreachable.items()}
        print_json({name: {"counts": m.counts(), **errors.get(name, {})} for name, m in found.items()})
    for name, message in unreachable.items():
        remark(f"error: style {name}: {message}")
    for name in empty:
        reasons = ", ".join(sorted({row.reason for row in found[name].rows if row.reason})) or "nothing was offered"
        remark(f"error: style {name}: expected pictures, its sources gave none that could be kept ({reasons})")
    return 1 if empty or unreachable else 0


def cutout(
    source: Annotated[Path, typer.Argument(metavar="SRC_DIR", help="A folder of photos.")],
    target: Annotated[
        Path, typer.Argument(metavar="DST_DIR", help="Where garment-only pictures are written; made if missing.")
    ],
    segmenter: Annotated[Path | None, typer.Option(help="Segmenter weights instead of those that serve.")] = None,
    method: Annotated[str, typer.Option(help="auto, plain (needs no segmenter) or model (trusts only it).")] = "auto",
    people: Annotated[str, typer.Option(help="allow or refuse pictures of people.")] = "allow",
    colour: Annotated[str, typer.Option(help="Refuse garments that are plainly of another colour.")] = "",
    pattern: Annotated[
        str,
        typer.Option(help=f"Refuse garments that are plainly not so: {', '.join(PATTERNS)}."),
    ] = "",
    overrides: Annotated[
        Path | None, typer.Option(help="YAML file with keep: and drop: lists of digests, which overrule every test.")
    ] = None,
    sheet: Annotated[
        Path | None, typer.Option(help="Write a contact sheet of kept and refused pictures (PNG or JPEG).")
    ] = None,
    as_json: JsonOption = False,
) -> int:
    """Cut the garment out of every photo, on white, or say why not."""
    from fittingroom.appearance.colour_filter import colour_test, style_test
    from fittingroom.cli.champions import load_segmenter, segmenter_weights
    from fittingroom.cutout import CutoutSettings, Overrides, cut_out_files, load_overrides
    from fittingroom.cutout.sheet import cutout_sheet
    from fittingroom.errors import InputError
    from fittingroom.images import write_picture
    from fittingroom.outputs import PICTURE_SUFFIXES, check_output_file, check_output_folder
    from fittingroom.workspace import digest_file

    settings = CutoutSettings(method=method, people=people)  # type: ignore[arg-type]  # it checks itself
    if colour and colour_test(colour) is None:
        raise InputError(f"--colour: expected a colour such as red, navy or light grey, got {colour!r}")
    if pattern and pattern not in PATTERNS:
        raise InputError(f"--pattern: expected one of {', '.join(PATTERNS)}, got {pattern!r}")
    said = load_overrides(overrides) if overrides else Overrides()
    files = _pictures(source)
    check_output_folder(target, "DST_DIR")
    if sheet is not None:
        check_output_file(sheet, "--sheet", PICTURE_SUFFIXES)
    finder = None
    recipe = [f"{name}={word}" for name, word in (("colour", colour), ("pattern", pattern)) if word]
    if method != "plain":
        weights = segmenter_weights(segmenter)
        finder = load_segmenter(weights)
        recipe.insert(0, f"finder={digest_file(weights)[:12]}")
    with progress_bar("cut out", quiet=as_json) as listener:
        rows = cut_out_files(
            files,
            target,
            settings,
            finder,
            counter(listener, len(files)),
            accept=style_test(colour, pattern),
            overrides=said,
            recipe=" ".join(recipe),
        )
    if sheet is not None:
        write_picture(sheet, cutout_sheet(source.name, target, rows))
    return _finish(rows, target, as_json)


def prepare(
    source: Annotated[Path, typer.Argument(metavar="SRC_DIR", help="A folder of garment-only pictures.")],
    target: Annotated[
        Path, typer.Argument(metavar="DST_DIR", help="Where training pictures are written; made if missing.")
    ],
    size: Annotated[int, typer.Option(help="Side of the square pictures, in pixels.")] = 256,
    flip: Annotated[bool, typer.Option(help="Write a mirrored twin of every picture.")] = True,
    as_json: JsonOption = False,
) -> int:
    """Make square pictures of one size, and their mirrored twins."""
    from fittingroom.outputs import check_output_folder
    from fittingroom.preparing.square import PrepareSettings, prepare_files

    settings = PrepareSettings(size=size, flip=flip)
    files = _pictures(source)
    check_output_folder(target, "DST_DIR")
    with progress_bar("prepare", quiet=as_json) as listener:
        rows = prepare_files(files, target, settings, counter(listener, len(files) * (2 if flip else 1)))
    return _finish(rows, target, as_json)


def _told(tell: Callable[[int, int], None]) -> Callable[[CrawlProgress], None]:
    return lambda at: tell(at.done, at.total)


def _pictures(folder: Path) -> list[Path]:
    from fittingroom.errors import InputError
    from fittingroom.images import IMAGE_SUFFIXES, list_images

    files = list_images(folder)
    if not files:
        raise InputError(f"{folder}: expected pictures ({', '.join(IMAGE_SUFFIXES)}), the folder has none")
    return files


def _finish(rows: list[ImageRow], target: Path, as_json: bool) -> int:
    """Print what happened, with the name of every file that gave nothing; exit 1 when one failed or none is left."""
    from dataclasses import asdict

    from fittingroom.manifest import Manifest

    manifest = Manifest(rows)
    where = f"{target / 'manifest.jsonl'} names them all"
    if as_json:
        print_json({"counts": manifest.counts(), "rows": [asdict(row) for row in rows]})
    else:
        print_counts(manifest.counts())
        print_named((_fate(row) for row in rows if row.status not in ("kept", "failed")), where)
        print(f"written to {target}")
    failed = [row for row in rows if row.status == "failed"]
    print_named((f"error: {row.key}: {row.reason}: {row.detail}" for row in failed), where, stderr=True)
    if not manifest.kept():
        remark(f"error: none of {len(rows)} pictures could be used")
        return 1
    return 1 if failed else 0


def _fate(row: ImageRow) -> str:
    """Why a picture was not kept; a manifest's row ends with its settings, which say nothing to a person."""
    name = PurePath(row.key).name
    if row.duplicate_of:
        return f"{row.status} {name}: the same picture as {PurePath(row.duplicate_of).name}"
    detail = row.detail.partition("settings=")[0].strip()
    return f"{row.status} {name}: {row.reason}" + (f" ({detail})" if detail else "")
