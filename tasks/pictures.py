"""From crawled photos to training pictures, a shard at a time: cut out, then square, 256 and mirrored."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from fittingroom.errors import MissingInputError, NothingProduced
from fittingroom.garment import GarmentFinder
from fittingroom.manifest import ImageRow, Manifest
from fittingroom.shards import Shard
from fittingroom.style_card import STYLE_FILE, StyleCard
from fittingroom.workspace import Workspace
from tasks.artifacts import (
    MOST_PICTURES,
    SHEET_SIDE,
    artifact_key,
    data_uri,
    picture_rows,
    show_markdown,
    show_rejected,
)
from tasks.caching import CachedResult, Content, StepResult, Summary, step
from tasks.crawling import some_of_each
from tasks.fingerprints import folder_content, output_paths, pictures_of, prune_stale
from tasks.telling import run_logger

PEOPLE = "people-garments"
"""The folder of prepared pictures cut from dressed people: what people wear is what a style has to change."""
OVERRIDES = "overrides.yaml"
"""In a style's folder of cut-outs: a person's word against the tests."""


class PreparedStyle(NamedTuple):
    """What preparing one style did, shard by shard."""

    cut: list[Summary]
    prepared: list[Summary]


@step("cut out", version=4, run_name="cut out {style}, shard {shard.label}")
def cut_out_shard(
    workspace: str,
    style: str,
    shard: Shard,
    settings: dict[str, Any],
    finder: Content | None = None,
    colour: str = "",
    pattern: str = "",
    by_hand: dict[str, list[str]] | None = None,
) -> StepResult:
    """Cut the garments out of one shard of crawled pictures.

    ``finder`` is a segmenter's weights, ``colour`` and ``pattern`` what the garments must look like, ``by_hand`` what a
    person said: digests to ``keep`` and to ``drop``.
    """
    from fittingroom.appearance.colour_filter import style_test
    from fittingroom.cutout import CutoutSettings, Overrides, cut_out_files

    place = Workspace(Path(workspace))
    folder = place.cutouts(style)
    said = {name: tuple(digests) for name, digests in (by_hand or {}).items()}
    made_with = {"finder": finder.digest[:12] if finder else "", "colour": colour, "pattern": pattern}
    rows = cut_out_files(
        [place.root / name for name in shard.names],
        folder,
        CutoutSettings(**settings),
        _segmenter(finder),
        accept=style_test(colour, pattern),
        overrides=Overrides(**said),
        recipe=" ".join(f"{name}={word}" for name, word in made_with.items() if word),
    )
    return _shard_done(place, folder, shard.label, rows, "cut-out", f"Photos of {style} that were not cut out")


@step("prepare", version=1, run_name="prepare {style}, shard {cut[value][label]}")
def prepare_shard(workspace: str, style: str, cut: CachedResult, size: int, flip: bool) -> StepResult:
    """Square, resize and mirror the cut-outs of one shard."""
    from fittingroom.preparing.square import PrepareSettings, prepare_files

    place = Workspace(Path(workspace))
    folder = place.prepared(style)
    files = output_paths(place, cut["outputs"])
    rows = prepare_files(files, folder, PrepareSettings(size=size, flip=flip))
    label = cut["value"]["label"]
    return _shard_done(place, folder, label, rows, "prepare", f"Cut-outs of {style} that gave no picture")


def prepared_pictures(workspace: Workspace, name: str) -> Content:
    """The folder of prepared pictures called ``name`` (a style, or people's garments).

    Raises:
        MissingInputError: it is not there, or empty.
    """
    folder = workspace.prepared(name)
    names = pictures_of(folder)
    if not names:
        raise MissingInputError(f"prepared pictures of {name}", folder, "prepare them first")
    return folder_content(workspace, folder, (f"{folder}/{name}" for name in names))


def source_folders(
    workspace: Workspace, style: str, domain_a: str, least: int, others: Iterable[str] | None = None
) -> list[str]:
    """Names of the prepared folders whose garments a style learns to change.

    Args:
        domain_a: ``people``, for what people wear, which no other style alters; or ``all-others``, for that and the
            other styles' garments, as also where fewer than ``least`` garments of people are there.
        others: names of the other styles; None for all that were prepared.

    Raises:
        MissingInputError: there is none.
    """
    prepared = sorted(path.name for path in (workspace.root / "prepared").glob("*") if any(path.glob("*.png")))
    worn = sum(not name.endswith("_flip.png") for name in pictures_of(workspace.prepared(PEOPLE)))
    if domain_a == "people" and worn >= least:
        return [PEOPLE]
    found = [name for name in prepared if name != style and (others is None or name in {PEOPLE, *others})]
    if not found:
        raise MissingInputError("garments to change", workspace.root / "prepared", "prepare other styles, or people's")
    if domain_a == "people":
        words = "%s learns to change the garments of %s: of people's there are %d, and a training wants %d"
        run_logger().warning(words, style, ", ".join(found), worn, least)
    return found


def prune_folder(folder: Path, records: Iterable[CachedResult], what: str) -> list[Summary]:
    """Remove pictures these steps do not speak of; refuse an empty folder. Takes one record at a time.

    Raises:
        NothingProduced: the steps wrote nothing at all.
    """
    names: set[str] = set()
    done = []
    for record in records:
        names.update(name.rpartition("/")[2] for name in record["outputs"])
        done.append(Summary.of(record))
    if not names:
        reasons = sum((Counter(summary.value["counts"]) for summary in done), Counter())
        raise NothingProduced(f"{what}: expected usable pictures, got none ({_in_words(reasons) or 'no input'})")
    prune_stale(folder, names)
    return done


def show_before_after(workspace: Workspace, style: str, done: list[Summary]) -> None:
    """A grid of crawled photos next to their cut-outs."""
    pairs = [pair for summary in done for pair in summary.value["pairs"]][: MOST_PICTURES // 2]
    rows = [[workspace.root / before, workspace.cutouts(style) / after] for before, after in pairs]
    if rows:
        show_markdown(
            artifact_key("cutouts", style),
            picture_rows(["photo", "cut-out"], rows),
            f"Photos and cut-outs of {style}, in {workspace.cutouts(style)}",
        )


def show_contact_sheet(workspace: Workspace, style: str, digests: Mapping[str, str]) -> Path:
    """All that was kept and refused of the pictures with these digests, with how to overrule it; also as a file."""
    sheet = _write_contact_sheet(workspace, style, set(digests.values()))
    file = workspace.relative(workspace.cutouts(style) / OVERRIDES)
    words = f"To overrule, list digests under `keep:` or `drop:` in `{file}` and run again."
    show_markdown(
        artifact_key("contact-sheet", style),
        f"{words}\n\n![{style}]({data_uri(sheet, SHEET_SIDE)})",
        f"Kept and refused pictures of {style}: {sheet}",
    )
    return sheet


def _write_contact_sheet(workspace: Workspace, style: str, wanted: set[str]) -> Path:
    from fittingroom.cutout.sheet import cutout_sheet
    from fittingroom.images import write_picture

    folder = workspace.cutouts(style)
    rows = Manifest.read(folder / "manifest.jsonl", lambda values: values.get("source_sha256") in wanted).rows
    sheet = workspace.reports / f"cutouts-{style}.jpg"
    write_picture(sheet, cutout_sheet(style, folder, rows, workspace.root))
    return sheet


def manual_overrides(workspace: Workspace, style: str, digests: Mapping[str, str]) -> dict[str, list[str]]:
    """What a person said of these pictures (name -> digest) in the style's file of overrides, digest by digest.

    Raises:
        InputError: the file says something else.
    """
    from fittingroom.cutout import load_overrides

    file = workspace.cutouts(style) / OVERRIDES
    if not file.is_file():
        return {}
    said = load_overrides(file)
    return {
        "keep": sorted(digest for digest in digests.values() if said.keeps(digest)),
        "drop": sorted(digest for digest in digests.values() if said.drops(digest)),
    }


def wanted_look(workspace: Workspace, style: str) -> tuple[str, str]:
    """The style's colour and pattern as its catalog says them, left by the crawl; empty where no flow crawled it."""
    card = StyleCard.read(style, workspace.crawl(style) / STYLE_FILE) or StyleCard(style)
    return card.colour, card.pattern


def _segmenter(weights: Content | None) -> GarmentFinder | None:
    if weights is None:
        return None
    from fittingroom.segmentation.predict import Segmenter

    return Segmenter.load(Path(weights.path))


def _shard_done(
    place: Workspace, folder: Path, label: str, rows: list[ImageRow], step_name: str, words: str
) -> StepResult:
    """What became of a shard's pictures; ``words`` are what those are that were lost, shown in a table."""
    kept, lost = ([row for row in rows if (row.status == "kept") is side] for side in (True, False))
    told = [
        {"status": row.status, "reason": row.reason or row.status, "picture": Path(row.key).name, "detail": row.detail}
        for row in lost
    ]
    shown = [one | {"shown": place.portable(row.key)} for one, row in zip(told, lost, strict=True)]
    key = artifact_key(step_name, folder.name, label, "rejected")
    show_rejected(key, told, f"{words}, of {folder}/manifest.jsonl")
    value = {
        "label": label,
        "counts": dict(Counter("kept" if r.status == "kept" else f"{r.status}: {r.reason or r.status}" for r in rows)),
        "pairs": [[place.portable(row.key), row.path] for row in kept][:MOST_PICTURES],
        "rejected": some_of_each(shown),
    }
    return StepResult(value, [folder / row.path for row in kept])


def _in_words(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {name}" for name, count in sorted(counts.items()))
