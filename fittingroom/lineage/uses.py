"""From a picture to the models: every version that learnt from it, and those that were judged on it."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any

from fittingroom.lineage.learnt import NOT_NOTED, Listed, pictures_of
from fittingroom.lineage.pictures import Origins, Pictures, original_of
from fittingroom.registry.registry import ModelVersion, Registry
from fittingroom.registry.versions import shown_name

HOUR = 3600.0


@dataclass(frozen=True)
class VersionUse:
    """What one version has to do with a picture.

    Attributes:
        serves: whether it is the champion.
        learnt_from, held_out: its training's files that were made of the picture.
        started_from: where it learnt nothing of it, but began with weights that had: ``style-red version 2``.
        not_noted: why it cannot be told; empty where it can.
    """

    model: str
    version: int
    serves: bool
    learnt_from: list[str] = field(default_factory=list)
    held_out: list[str] = field(default_factory=list)
    started_from: str = ""
    not_noted: str = ""

    @property
    def learnt(self) -> bool:
        """Whether the picture is in its weights."""
        return bool(self.learnt_from or self.started_from)

    def to_json(self) -> dict[str, Any]:
        """As a JSON value."""
        return {**asdict(self), "learnt": self.learnt}


class Index:
    """Which files each registered version learnt from and was judged on: read once, for any number of pictures."""

    def __init__(self, registry: Registry) -> None:
        self.versions = sorted(registry.all_versions(), key=lambda version: (version.model, version.version))
        self._listed = {_key(version): pictures_of(registry, version) for version in self.versions}

    def uses(self, pictures: Pictures, origins: Origins) -> list[VersionUse]:
        """Every version that has anything to do with any of these pictures, or does not know; by model and version."""
        names = pictures.names_of(origins)
        direct = [self._direct(version, names, origins) for version in self.versions]
        return [use for use in self._through_weights(direct) if use.learnt or use.held_out or use.not_noted]

    def _direct(self, version: ModelVersion, names: set[str], origins: Origins) -> VersionUse:
        listed = self._listed[_key(version)]
        use = VersionUse(version.model, version.version, version.champion)
        if listed is None:
            return VersionUse(version.model, version.version, version.champion, not_noted=NOT_NOTED)
        for each in listed:
            if _is_of(each, names, origins) and each.name not in getattr(use, each.use):
                getattr(use, each.use).append(each.name)  # once, where both domains have it
        return use

    def _through_weights(self, direct: Iterable[VersionUse]) -> list[VersionUse]:
        """Those too whose training began with weights that had learnt from the picture, at any remove."""
        found = {(use.model, use.version): use for use in direct}
        weights = {_key(version): version.weights_sha256 for version in self.versions}
        changed = True
        while changed:
            tainted = {weights[key]: key for key, use in found.items() if use.learnt}
            changed = False
            for version in self.versions:
                began, use = tainted.get(version.tags.get("warm_start", "")), found[_key(version)]
                if began and not use.learnt:
                    named = f"{began[0]} version {began[1]}"
                    found[_key(version)] = VersionUse(
                        use.model, use.version, use.serves, [], use.held_out, named, use.not_noted
                    )
                    changed = True
        return list(found.values())


@dataclass(frozen=True)
class Standing:
    """Where one model stands towards a picture that was withdrawn.

    Attributes:
        withdrawn_at: ISO 8601; empty where it was not.
        learnt: versions that learnt from it. serving: the champion; None where none serves.
        clean: whether the champion, if there is one, learnt nothing from it.
        since: when the champion was promoted, seconds since 1970.
        hours: from the withdrawal to the promotion of a clean champion, or until now where none serves yet.
    """

    model: str
    withdrawn_at: str
    learnt: list[int]
    serving: int | None
    clean: bool
    since: float
    hours: float | None

    def words(self) -> str:
        """One line for a person."""
        name, learnt = shown_name(self.model), ", ".join(map(str, self.learnt))
        if self.serving is None:
            return f"{name}: no version serves; version {learnt} learnt from it"
        if not self.withdrawn_at:
            return f"{name}: version {self.serving} serves" + ("" if self.clean else ", and learnt from it")
        told = f"{name}: withdrawn at {self.withdrawn_at}; champion version {self.serving} since {stamp(self.since)}"
        if self.clean:
            return f"{told}, which did not learn from it: {self.hours:.1f} hours"
        return f"{told}, which learnt from it: {self.hours:.1f} hours so far"

    def to_json(self) -> dict[str, Any]:
        """As a JSON value."""
        return asdict(self)


def standings(index: Index, uses: Iterable[VersionUse], withdrawn_at: str) -> list[Standing]:
    """Of each model that has a version that learnt from a picture, where it stands now."""
    learnt: dict[str, list[int]] = {}
    for use in uses:
        if use.learnt:
            learnt.setdefault(use.model, []).append(use.version)
    champions = {version.model: version for version in index.versions if version.champion}
    return [
        _standing(model, versions, champions.get(model), withdrawn_at) for model, versions in sorted(learnt.items())
    ]


def _standing(model: str, learnt: list[int], champion: ModelVersion | None, withdrawn_at: str) -> Standing:
    clean = champion is None or champion.version not in learnt
    since, hours = champion.promoted_at if champion else 0.0, None
    if withdrawn_at:
        until = since if champion and clean else time.time()
        hours = round(max(until - seconds(withdrawn_at), 0.0) / HOUR, 2)
    return Standing(model, withdrawn_at, learnt, champion.version if champion else None, clean, since, hours)


def _key(version: ModelVersion) -> tuple[str, int]:
    return version.model, version.version


def _is_of(listed: Listed, names: set[str], origins: Origins) -> bool:
    return listed.name in origins.photos if listed.domain == "photos" else original_of(listed.name) in names


def stamp(at: float) -> str:
    """Seconds since 1970 as ISO 8601 in UTC, to the second; a dash for 0."""
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="seconds") if at else "-"


def seconds(at: str) -> float:
    """ISO 8601 as seconds since 1970; 0 for what is no time."""
    try:
        return datetime.fromisoformat(at).timestamp()
    except ValueError:
        return 0.0
