"""The walk from a result, a style or a model to the addresses that its pictures came from."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from fittingroom.catalog import Style, load_catalog
from fittingroom.errors import FittingroomError, InputError, MissingInputError
from fittingroom.lineage.learnt import NOT_NOTED, Listed, Use, pictures_of
from fittingroom.lineage.pictures import Picture, Pictures
from fittingroom.registry.registry import SEGMENTER, ModelVersion, Registry
from fittingroom.registry.serving import Served, Serving
from fittingroom.registry.starters import FOLDER
from fittingroom.registry.versions import STYLE_PREFIX, shown_name
from fittingroom.settings import get_settings
from fittingroom.tryon.provenance import Mark, read_mark
from fittingroom.workspace import Workspace, digest_file

MODEL_CARD = FOLDER / "MODEL_CARD.md"
_MARKED = re.compile(r"(?:style )?([a-z0-9-]+): (?:[^;]*, )?sha256 ([0-9a-f]{64})")
"""Of each model in a result's mark (`fittingroom.tryon.provenance.Mark.models`) its name and its weights."""
_ASKED = re.compile(r"([a-z0-9-]+?)(?:@([0-9]{1,9}))?")


@dataclass(frozen=True)
class Learnt:
    """A picture that a training listed, and what became of it there."""

    domain: str
    use: Use
    picture: Picture


@dataclass(frozen=True)
class ModelTrace:
    """One model's way down.

    Attributes:
        model: ``segmenter`` or ``style-<name>``. title: for a person.
        serves: whether it is what serves now.
        weights_sha256: of its weights.
        version: None for a starter.
        pictures: all of its training; None where it was not noted, and ``not_noted`` says why.
        started_from: the weights that its training began with: ``style-red version 2``, else their SHA-256.
        entry: of the catalog as it is now; None for a segmenter, and where the catalog has no such style.
        card: what the model card of a starter says of its data.
    """

    model: str
    title: str
    serves: bool
    weights_sha256: str
    version: ModelVersion | None = None
    pictures: tuple[Learnt, ...] | None = None
    not_noted: str = ""
    started_from: str = ""
    entry: Style | None = None
    card: str = ""

    @property
    def starter(self) -> bool:
        """Whether it came with the package."""
        return self.version is None

    def of(self, use: Use, domain: str) -> list[Picture]:
        """The pictures of one domain that it learnt from, or was judged on."""
        return [each.picture for each in self.pictures or () if (each.use, each.domain) == (use, domain)]


@dataclass(frozen=True)
class Trace:
    """What was asked for, down to the addresses.

    Attributes:
        mark, picture_sha256: of a result; None and empty for a model.
        lost: what a result says it was made by and this registry does not have, in words.
    """

    asked: str
    models: tuple[ModelTrace, ...]
    mark: Mark | None = None
    picture_sha256: str = ""
    lost: tuple[str, ...] = ()


class Tracer:
    """Walks in one workspace."""

    def __init__(self, workspace: Workspace, serving: Serving) -> None:
        self.workspace, self.serving = workspace, serving
        self.pictures = Pictures(workspace)

    @property
    def registry(self) -> Registry:
        """Whose versions are walked from."""
        return self.serving.registry

    def trace(self, what: str) -> Trace:
        """From a result's file, a style (its model, and the segmenter that serves next to it), or a model
        (``segmenter``, ``style-red``, with ``@2`` that version).

        Raises:
            MissingInputError: no such file, model or version. InputError: a picture that says nothing of who made it.
            StorageUnavailable: the registry does not answer.
        """
        if Path(what).is_file():
            return self._of_result(Path(what))
        asked = _ASKED.fullmatch(what)
        if asked is None:
            raise MissingInputError("picture or model", what, "expected a file, segmenter, or a style's name")
        name, number = asked[1], asked[2]
        model = name if name == SEGMENTER or name.startswith(STYLE_PREFIX) else f"{STYLE_PREFIX}{name}"
        found = [self._version(model, int(number)) if number else self._serving(model)]
        if model not in (name, SEGMENTER) and (segmenter := self.serving.find(SEGMENTER)):
            found.append(self._of_served(segmenter))
        return Trace(what, tuple(found))

    def _of_result(self, path: Path) -> Trace:
        mark = read_mark(path)
        if mark is None:
            raise InputError(f"{path}: expected a result of a try-on, it does not say that AI changed it")
        made_by = _MARKED.findall(mark.models)
        found, lost = [], []
        for name, sha256 in made_by:
            model = name if name == SEGMENTER else f"{STYLE_PREFIX}{name}"
            traced = self._with_weights(model, sha256)
            if traced is None:
                lost.append(f"{name}: no model here has its weights, sha256 {sha256}")
            else:
                found.append(traced)
        if not made_by:
            lost.append(f"its mark names no weights: {mark.models or 'nothing'}")
        found.sort(key=lambda model: model.model == SEGMENTER)
        return Trace(str(path), tuple(found), mark, digest_file(path), tuple(lost))

    def _serving(self, model: str) -> ModelTrace:
        served = self.serving.find(model)
        if served is not None:
            return self._of_served(served)
        versions = self.registry.versions(model)
        if not versions:
            self.serving.style(shown_name(model))  # which says what there is
        return self._of_version(versions[0])

    def _version(self, model: str, number: int) -> ModelTrace:
        return self._of_version(self.registry.version(model, number))

    def _with_weights(self, model: str, sha256: str) -> ModelTrace | None:
        same = [version for version in self.registry.versions(model) if version.weights_sha256 == sha256]
        if same:
            return self._of_version(next((version for version in same if version.champion), same[0]))
        starters = (served for served in self.serving.starters() if served.model == model)
        return next((self._of_served(one) for one in starters if self.serving.digest(one) == sha256), None)

    def _of_served(self, served: Served) -> ModelTrace:
        if served.champion is not None:
            return self._of_version(served.champion)
        serves = self.serving.find(served.model) is not None and self.registry.champion(served.model) is None
        card = card_of(served.model, MODEL_CARD)
        return ModelTrace(served.model, served.title, serves, self.serving.digest(served), card=card)

    def _of_version(self, version: ModelVersion) -> ModelTrace:
        listed = pictures_of(self.registry, version)
        return ModelTrace(
            version.model,
            f"style {version.style}" if version.style else version.model,
            version.champion,
            version.weights_sha256,
            version,
            None if listed is None else tuple(map(self._learnt, listed)),
            NOT_NOTED if listed is None else "",
            self._named_weights(version.tags.get("warm_start", "")),
            self._entry(version.style) if version.style else None,
        )

    def _learnt(self, listed: Listed) -> Learnt:
        if listed.domain == "photos":
            return Learnt(listed.domain, listed.use, Picture(listed.name, "", listed.name, photo=listed.name))
        return Learnt(listed.domain, listed.use, self.pictures.made_of(listed.name, listed.folder, listed.sha256))

    def _named_weights(self, sha256: str) -> str:
        versions = (version for version in self.registry.all_versions() if version.weights_sha256 == sha256)
        found = next(versions, None) if sha256 else None
        return f"{found.model} version {found.version}" if found else sha256

    def _entry(self, style: str) -> Style | None:
        return next((each for each in self._catalog if each.name == style), None)

    @cached_property
    def _catalog(self) -> list[Style]:
        with contextlib.suppress(FittingroomError):  # none, or one that cannot be read: not what was asked for
            return load_catalog(get_settings().catalog or self.workspace.catalog).styles
        return []


def card_of(model: str, path: Path) -> str:
    """What a model card says of the data of a starter, in the list whose entries begin with the names of those that
    they speak of; empty where it says nothing."""
    text = path.read_text(encoding="utf-8") if path.is_file() else ""
    data = re.search(r"^## Data\n(.*?)^## ", text, re.MULTILINE | re.DOTALL)
    told: dict[str, str] = {}
    for part in re.split(r"^- ", data[1] if data else "", flags=re.MULTILINE)[1:]:
        head, _, words = " ".join(part.split("\n\n")[0].split()).partition(": ")
        said = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", words)
        told |= dict.fromkeys(head.lower().split(" and "), said)
    return told.get(shown_name(model), "")


def pairs(pictures: Iterable[Picture]) -> dict[str, list[Picture]]:
    """Pictures by their original, each with its mirrored twin if that is among them."""
    found: dict[str, list[Picture]] = {}
    for picture in pictures:
        found.setdefault(picture.original, []).append(picture)
    return found
