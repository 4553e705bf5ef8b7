"""Taking a picture out: its files, all that was made of them, and at last what was learnt from it.

What is to be known for good is written first, so a run that was killed is completed by the same command.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from fittingroom.crawl.settings import CrawlSettings
from fittingroom.crawl.store import Store
from fittingroom.crawl.withdrawn import Withdrawal, Withdrawals, note_withdrawal, tombstone
from fittingroom.errors import InputError
from fittingroom.lineage.pictures import MANIFEST, NAME, Crawled, Origins, Pictures, original_of
from fittingroom.lineage.uses import Index, Standing, VersionUse, seconds, standings
from fittingroom.manifest import ImageRow, Manifest, append
from fittingroom.names import printable
from fittingroom.registry.registry import Registry
from fittingroom.registry.versions import BY_WITHDRAWAL
from fittingroom.workspace import Workspace

_SUFFIXES = (".jpg", ".png", ".webp")


@dataclass(frozen=True)
class Plan:
    """What a withdrawal takes away.

    Attributes:
        origins: digests of the pictures. addresses: every one that they had.
        files: under the workspace, that go. others: files elsewhere that are crawled from, and stay.
        uses: what versions have to do with them.
    """

    origins: Origins
    addresses: list[Crawled]
    files: list[Path]
    others: list[str]
    uses: list[VersionUse]

    @property
    def marked(self) -> list[VersionUse]:
        """Versions that learnt from them."""
        return [use for use in self.uses if use.learnt]


@dataclass(frozen=True)
class Withdrawn:
    """What was done, or with ``dry_run`` would be.

    Attributes:
        at: when they were withdrawn, first; ISO 8601 in UTC.
        stopped: models that do not serve any more. standings: of each model that learnt from them.
    """

    plan: Plan
    at: str
    stopped: list[str]
    standings: list[Standing]
    dry_run: bool

    def to_json(self, workspace: Workspace) -> dict[str, Any]:
        """As a JSON value; files relative to the workspace."""
        plan = self.plan
        return {
            "dry_run": self.dry_run,
            "withdrawn_at": self.at,
            "pictures": sorted(plan.origins.crawled),
            "addresses": [one.to_json() for one in plan.addresses],
            "files_removed": [workspace.relative(path) for path in plan.files],
            "files_left": plan.others,
            "versions": [use.to_json() for use in plan.uses],
            "stopped": self.stopped,
            "models": [standing.to_json() for standing in self.standings],
        }


def withdraw(
    workspace: Workspace,
    registry: Registry,
    what: Sequence[str],
    why: str,
    stop_serving: bool = False,
    dry_run: bool = False,
) -> Withdrawn:
    """Withdraw pictures: no crawl keeps them again, their files and all made of them go, and every version that learnt
    from them is marked, which makes its style pending.

    Args:
        what: addresses, digests or paths (`Pictures.find`).
        why: kept with their tombstones.
        stop_serving: take champions that learnt from them out of service now; else they serve until another does.
        dry_run: change nothing.

    Raises:
        MissingInputError: one of ``what`` is not known, before anything is changed.
        InputError: an annotated photo, which is not the crawl's.
        StorageUnavailable: the registry does not answer.
    """
    pictures, index, before = Pictures(workspace), Index(registry), Withdrawals.read(workspace)
    plan = _plan(pictures, index, what)
    known = [gone for one in plan.addresses if (gone := before.of_bytes(one.sha256)) is not None]
    at = min((gone.at for gone in known), default=datetime.now(UTC).isoformat(timespec="seconds"))
    plan = replace(plan, files=_reports(workspace, plan, at) + plan.files)
    champions = [use.model for use in plan.marked if use.serves]
    if not dry_run:
        _note(workspace, plan.addresses, before, printable(why), at)
        later = Pictures(workspace)  # with what a crawl kept meanwhile, which knows it from now on
        plan = replace(plan, addresses=later.addresses_of(plan.origins), files=_merged(plan.files, later, plan.origins))
        _note(workspace, plan.addresses, Withdrawals.read(workspace), printable(why), at)
        _bury(workspace, plan)
        for path in plan.files:
            path.unlink(missing_ok=True)
        mark_versions(workspace, registry)
        for model in champions if stop_serving else []:
            registry.retire(model, by=BY_WITHDRAWAL)
        index = Index(registry)
    uses = index.uses(pictures, plan.origins)
    stopped = sorted(champions) if stop_serving else []
    return Withdrawn(plan, at, stopped, standings(index, uses, at), dry_run)


def mark_versions(workspace: Workspace, registry: Registry) -> int:
    """Mark every version that learnt from a picture that was withdrawn, one that was registered since too; returns how
    many were not marked yet. Where nothing was ever withdrawn, nothing is read.
    """
    withdrawn = Withdrawals.read(workspace)
    if not withdrawn.all:
        return 0
    pictures, index = Pictures(workspace), Index(registry)
    first: dict[tuple[str, int], str] = {}
    for at in sorted({one.at for one in withdrawn.all}):
        origins = Origins(frozenset(digest for one in withdrawn.all if one.at == at for digest in one.digests))
        for use in index.uses(pictures, origins):
            if use.learnt:
                first.setdefault((use.model, use.version), at)
    todo = [
        version for version in index.versions if not version.withdrawn and (version.model, version.version) in first
    ]
    for version in todo:
        registry.note_withdrawn(version, first[version.model, version.version])
    return len(todo)


def _plan(pictures: Pictures, index: Index, what: Sequence[str]) -> Plan:
    origins = Origins()
    for each in what:
        found = pictures.find(each)
        if not found.crawled:
            raise InputError(
                f"picture {each}: expected a crawled one, it is an annotated photo: take it out of its folder, and run "
                "convert-annotations and the trainings again"
            )
        origins |= Origins(found.crawled)
    addresses = pictures.addresses_of(origins)
    others = sorted(
        {one.address for one in addresses if Path(one.address).is_absolute() and Path(one.address).exists()}
    )
    return Plan(origins, addresses, _files(pictures, origins), others, index.uses(pictures, origins))


def _files(pictures: Pictures, origins: Origins) -> list[Path]:
    """Those of the workspace that show them: as crawled, cut out and prepared, and contact sheets."""
    place = pictures.workspace
    crawled = {f"{digest}{suffix}" for digest in origins.crawled for suffix in _SUFFIXES}
    cut, prepared = {digest[:NAME] for digest in origins.crawled}, pictures.names_of(origins)
    found = [path for path in (place.root / "crawl").glob("*/*") if path.name in crawled]
    found += [path for path in (place.root / "cutouts").glob("*/*.png") if path.stem in cut]
    found += [path for path in (place.root / "prepared").glob("*/*.png") if original_of(path.name) in prepared]
    # Sheets go first: once nothing else is found, a sheet that lies there was drawn without it.
    styles = sorted({path.parent.name for path in found})
    sheets = [sheet for style in styles if (sheet := place.reports / f"cutouts-{style}.jpg").is_file()]
    return sheets + sorted(found)


def _merged(files: list[Path], pictures: Pictures, origins: Origins) -> list[Path]:
    return list(dict.fromkeys([*files, *_files(pictures, origins)]))


def _reports(workspace: Workspace, plan: Plan, at: str) -> list[Path]:
    """Reports that are older than the withdrawal: they hold pictures themselves, and nobody knows which."""
    written = sorted(workspace.reports.rglob("*.html")) if plan.origins.crawled else []
    return [path for path in written if path.stat().st_mtime < seconds(at) + 1]


def _note(workspace: Workspace, addresses: Iterable[Crawled], before: Withdrawals, why: str, at: str) -> None:
    noted = {(one.style, one.address, digest) for one in before.all for digest in one.digests}
    for one in addresses:
        if not {(one.style, one.address, digest) for digest in (one.sha256, one.source_sha256)} & noted:
            note_withdrawal(workspace, Withdrawal(one.style, one.address, one.sha256, one.source_sha256, why, at))


def _bury(workspace: Workspace, plan: Plan) -> None:
    """Put tombstones into the manifests: of the crawl, of the cut-outs and of the prepared pictures."""
    withdrawn = Withdrawals.read(workspace)
    for style in {one.style for one in plan.addresses}:
        store = Store(workspace.crawl(style), CrawlSettings())
        for row in store.manifest().rows:
            if row.status != "withdrawn" and (gone := withdrawn.of_bytes(row.sha256, row.source_sha256)) is not None:
                store.note(tombstone(row, gone))
    for stage in ("cutouts", "prepared"):
        for manifest in sorted((workspace.root / stage).glob(f"*/{MANIFEST}")):
            removed = {path.name for path in plan.files if path.parent == manifest.parent}
            for row in Manifest.read(manifest).rows if removed else []:
                if row.path in removed:
                    append(manifest, _buried(row, plan, withdrawn))


def _buried(row: ImageRow, plan: Plan, withdrawn: Withdrawals) -> ImageRow:
    gone = withdrawn.of_bytes(row.source_sha256) or withdrawn.of_bytes(*plan.origins.crawled)
    assert gone is not None  # it was noted before
    return replace(row, status="withdrawn", reason="withdrawn", path="", detail=f"{gone.at}: {gone.why}")
