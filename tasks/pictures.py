"""From crawled photos to training pictures, a shard at a time: cut out, then square, 256 and mirrored."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from fittingroom.errors import MissingInputError, NothingProduced
from fittingroom.garment import GarmentFinder
from fittingroom.manifest import ImageRow
from fittingroom.shards import Shard, plan_shards
from fittingroom.workspace import Workspace
from tasks.artifacts import MOST_PICTURES, artifact_key, picture_rows, show_markdown, show_rejected
from tasks.caching import Content, Made, Record, step
from tasks.contents import folder_content, output_digests, output_paths, settle

REJECTED_KEPT = 200
"""Rows about pictures not kept that a record carries; the manifest has all."""


class PreparedStyle(NamedTuple):
    """What preparing one style did, shard by shard."""

    cut: list[Record]
    prepared: list[Record]


@step("cut out", version=1, run_name="cut out {style}, shard {shard.label}")
def cut_out_shard(
    workspace: str, style: str, shard: Shard, settings: dict[str, Any], finder: Content | None = None
) -> Made:
    """Cut the garments out of one shard of crawled pictures; ``finder`` is a segmenter's weights."""
    from fittingroom.cutout import CutoutSettings, cut_out_files

    place = Workspace(Path(workspace))
    folder = place.cutouts(style)
    rows = cut_out_files(
        [place.root / name for name in shard.names],
        folder,
        CutoutSettings(**settings),
        _segmenter(finder),
        recipe=f"finder={finder.digest[:12]}" if finder else "",
    )
    show_rejected(
        artifact_key("cut-out", style, shard.label, "rejected"),
        _rejected(rows),
        f"Photos of {style} that were not cut out",
    )
    return Made(
        {"label": shard.label, **_fates(place, rows)}, [folder / row.path for row in rows if row.status == "kept"]
    )


@step("prepare", version=1, run_name="prepare {style}, shard {cut[value][label]}")
def prepare_shard(workspace: str, style: str, cut: Record, size: int, flip: bool) -> Made:
    """Square, resize and mirror the cut-outs of one shard."""
    from fittingroom.prepare import PrepareSettings, prepare_files

    place = Workspace(Path(workspace))
    folder = place.prepared(style)
    files = output_paths(place, cut["outputs"])
    rows = prepare_files(files, folder, PrepareSettings(size=size, flip=flip))
    label = cut["value"]["label"]
    show_rejected(
        artifact_key("prepare", style, label, "rejected"), _rejected(rows), f"Cut-outs of {style} that gave no picture"
    )
    return Made({"label": label, **_fates(place, rows)}, [folder / row.path for row in rows if row.status == "kept"])


def plan(digests: Mapping[str, str], size: int) -> list[Shard]:
    """Shards of files given as name -> digest."""
    return plan_shards(digests, size)


def prepared_pictures(workspace: Workspace, name: str) -> Content:
    """The folder of prepared pictures called ``name`` (a style, or people's garments).

    Raises:
        MissingInputError: it is not there, or empty.
    """
    folder = workspace.prepared(name)
    files = sorted(folder.glob("*.png"))
    if not files:
        raise MissingInputError(f"prepared pictures of {name}", folder, "prepare them first")
    return folder_content(workspace, folder, files)


def source_folders(workspace: Workspace, style: str, wanted: list[str]) -> list[str]:
    """Names of the prepared folders a style learns to change: those wanted, else all but its own.

    Raises:
        MissingInputError: there is none.
    """
    found = sorted(path.name for path in (workspace.root / "prepared").glob("*") if any(path.glob("*.png")))
    chosen = wanted or [name for name in found if name != style]
    if not chosen:
        raise MissingInputError("garments to change", workspace.root / "prepared", "prepare other styles, or people's")
    return chosen


def settle_folder(folder: Path, records: list[Record], what: str) -> None:
    """Remove pictures these steps do not speak of; refuse an empty folder.

    Raises:
        NothingProduced: the steps wrote nothing at all.
    """
    names = {Path(name).name for name in output_digests(records)}
    if not names:
        reasons = _sum(record["value"]["counts"] for record in records)
        raise NothingProduced(f"{what}: expected usable pictures, got none ({_in_words(reasons) or 'no input'})")
    settle(folder, names)


def show_before_after(workspace: Workspace, style: str, records: list[Record]) -> None:
    """A grid of crawled photos beside their cut-outs."""
    pairs = [pair for record in records for pair in record["value"]["pairs"]][: MOST_PICTURES // 2]
    rows = [[workspace.root / before, workspace.cutouts(style) / after] for before, after in pairs]
    if rows:
        show_markdown(
            artifact_key("cutouts", style), picture_rows(["photo", "cut-out"], rows), f"Photos and cut-outs of {style}"
        )


def _segmenter(weights: Content | None) -> GarmentFinder | None:
    if weights is None:
        return None
    from fittingroom.segmentation.predict import Segmenter

    return Segmenter.load(Path(weights.path))


def _fates(place: Workspace, rows: list[ImageRow]) -> dict[str, Any]:
    counts: dict[str, int] = {}
    for row in rows:
        fate = row.status if row.status == "kept" else f"{row.status}: {row.reason or row.status}"
        counts[fate] = counts.get(fate, 0) + 1
    return {
        "counts": counts,
        "pairs": [[_portable(place, row.key), row.path] for row in rows if row.status == "kept"][:MOST_PICTURES],
        "rejected": _rejected(rows)[:REJECTED_KEPT],
    }


def _rejected(rows: list[ImageRow]) -> list[dict[str, str]]:
    return [
        {"status": row.status, "reason": row.reason or row.status, "picture": Path(row.key).name, "detail": row.detail}
        for row in rows
        if row.status != "kept"
    ]


def _portable(place: Workspace, key: str) -> str:
    path = Path(key)
    return path.relative_to(place.root).as_posix() if path.is_relative_to(place.root) else key


def _sum(parts: Any) -> dict[str, int]:
    total: dict[str, int] = {}
    for part in parts:
        for name, count in part.items():
            total[name] = total.get(name, 0) + count
    return total


def _in_words(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {name}" for name, count in sorted(counts.items()))
