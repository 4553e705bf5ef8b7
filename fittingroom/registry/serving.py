"""What serves: of each model the registry's champion, else the starter that comes with the package.

The one place that is asked: command line, page, flows and trainings all take their models from here.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from fittingroom.appearance.choose import AvailableStyle, choose_by_name, listing, wanted_name
from fittingroom.domain import PHOTO, RENDERED, WORDS
from fittingroom.errors import Damaged, FittingroomError, MissingInputError, WeightsRejected
from fittingroom.registry.intact import known_digest
from fittingroom.registry.records import Damage
from fittingroom.registry.registry import SEGMENTER, ModelVersion, Registry
from fittingroom.registry.starters import WAY_OUT, StarterModels, style_of
from fittingroom.registry.versions import STYLE_PREFIX
from fittingroom.registry.weights_card import read_card
from fittingroom.workspace import Workspace


@dataclass(frozen=True)
class Served:
    """A model that serves.

    Attributes:
        model: ``segmenter`` or ``style-<name>``.
        version: of the registry; None for a starter.
        style: name, colour, pattern and category; None for a segmenter.
        domain: what it learnt from, ``photo`` or ``rendered``; empty where nobody knows.
        recipe: the settings it was trained with. metrics: its figures.
    """

    model: str
    version: int | None
    style: AvailableStyle | None
    domain: str
    recipe: dict[str, Any] = field(repr=False)
    metrics: dict[str, float] = field(repr=False)
    champion: ModelVersion | None = field(repr=False)
    file: Path | None = field(repr=False)
    """A starter's weights; a champion's may have to be fetched: `Serving.weights`."""

    @property
    def starter(self) -> bool:
        """Whether it came with the package."""
        return self.champion is None

    @property
    def name(self) -> str:
        """The style's name, or ``segmenter``."""
        return self.style.name if self.style else self.model

    @property
    def title(self) -> str:
        """For a sentence: ``style red-solid``, ``segmenter``."""
        return f"style {self.style.name}" if self.style else self.model

    def words(self) -> str:
        """For a person: ``style red-solid (red, solid): version 2, trained on photos``."""
        what = f"style {self.style.words()}" if self.style else self.model
        which = "starter model" if self.starter else f"version {self.version}"
        return f"{what}: " + ", ".join(part for part in (which, WORDS.get(self.domain, "")) if part)

    def to_json(self) -> dict[str, Any]:
        """As a JSON value: a champion as its registered version says it, a starter in the same fields."""
        own: dict[str, Any] = {
            "model": self.model,
            "version": None,
            "champion": False,
            "metrics": self.metrics,
            "recipe": self.recipe,
            "tags": self.style.to_tags() if self.style else {},
        }
        said = self.champion.to_json() if self.champion else own
        return {**said, "starter": self.starter, "domain": self.domain}


class Serving:
    """What serves out of a registry, and out of ``starter`` (None: nothing) while that has no champion of its kind.

    Starter styles serve until the first style of one's own does, the starter segmenter until a segmenter does.
    """

    def __init__(self, registry: Registry, starter: StarterModels | None = None) -> None:
        self.registry, self._starter = registry, starter

    @classmethod
    def from_settings(cls, workspace: Workspace | None = None) -> Serving:
        """Out of the installation's registry (`Registry.from_settings`), with the starters of the package."""
        return cls(Registry.from_settings(workspace), StarterModels())

    def damaged(self) -> list[Damage]:
        """What cannot be read of what is registered, and of starters that would serve; all else serves without."""
        _, starters = self._starters()
        return [*self.registry.damaged(), *(each for each in starters if self._lets_serve(each.model))]

    def segmenter(self) -> Served:
        """The segmenter.

        Raises:
            MissingInputError: none serves. Damaged: the record of the one that was to serve cannot be read.
        """
        self._refuse_damaged(SEGMENTER)
        found = next((served for served in self.all() if served.model == SEGMENTER), None)
        if found is None:
            raise MissingInputError(SEGMENTER, "no champion in the registry", "train one: fittingroom train segmenter")
        return found

    def styles(self) -> list[Served]:
        """Every style that serves, by name."""
        return [served for served in self.all() if served.style]

    def style(self, name: str) -> Served:
        """The style of that name.

        Raises:
            MissingInputError: it does not serve; the message lists what does.
            Damaged: the record of the version that was to serve cannot be read.
        """
        self.refuse_damaged(name)
        serving = {served.name: served for served in self.styles()}
        available = [served.style for served in serving.values() if served.style]
        versions = self.registry.versions(f"{STYLE_PREFIX}{name}") if name not in serving else []
        if versions:
            hint = f"{len(versions)} registered, none passed its gate; {listing(available)}"
            raise MissingInputError("style", name, hint)
        return serving[choose_by_name(name, available).style.name]

    def find(self, model: str) -> Served | None:
        """The registered model of that name (``segmenter``, ``style-red-solid``) as it serves, or None."""
        return next((served for served in self.all() if served.model == model), None)

    def starters(self) -> list[Served]:
        """Those that come with the package and can be read, whether they serve or not."""
        return self._starters()[0]

    def incumbent(self, model: str) -> Served | None:
        """What a new version of ``model`` is measured next to: its champion, else the starter of that name, even where
        the starter styles stand back because another style of one's own serves.
        """
        if any(damage.champion for damage in self.registry.damaged(model)):
            return None  # it serves no more, and there is nothing to measure
        champion = self.registry.champion(model)
        if champion is not None:
            return self._of_champion(champion)
        return next((served for served in self._starters()[0] if served.model == model), None)

    def all(self) -> list[Served]:
        """Everything that serves, by model. A retired style does not, its starter neither."""
        starters, _ = self._starters()
        found = [self._of_champion(version) for version in self.registry.champions()]
        found += [starter for starter in starters if self._lets_serve(starter.model)]
        return sorted(found, key=lambda served: served.model)

    def _lets_serve(self, model: str) -> bool:
        """Whether the registry leaves it to the starter: nothing of one's own of its kind serves, or should and is
        damaged (a person would not notice that a starter took its place).
        """
        own = {version.model for version in self.registry.champions()}
        own |= {damage.model for damage in self.registry.damaged() if damage.champion}
        kind = {SEGMENTER} if model == SEGMENTER else own - {SEGMENTER}
        return not own & kind and model not in self.registry.retired()

    def _starters(self) -> tuple[list[Served], list[Damage]]:
        """Those that can be read, and those that cannot."""
        found: list[Served] = []
        damaged: list[Damage] = []
        for path in self._starter.files() if self._starter else []:
            try:
                found.append(_of_starter(path))
            except WeightsRejected as error:
                damaged.append(Damage(path.stem, None, True, str(error), WAY_OUT))
        return found, damaged

    def weights(self, served: Served) -> Path:
        """Its weights as a local file; a remote registry's are downloaded once.

        Raises:
            MissingInputError: the file is gone. Damaged: it is not what was registered, or shipped.
        """
        if served.champion is not None:
            return self.registry.weights_path(served.champion)
        assert served.file is not None
        if self._starter is not None:
            self._starter.check(served.file)
        return served.file

    def digest(self, served: Served) -> str:
        """SHA-256 of its weights."""
        return served.champion.weights_sha256 if served.champion else known_digest(self.weights(served))

    def version(self, served: Served) -> str:
        """Which weights exactly: ``version 2, sha256 1f0c...``."""
        return f"{'starter' if served.starter else f'version {served.version}'}, sha256 {self.digest(served)}"

    def sound_styles(self) -> tuple[list[Served], list[FittingroomError]]:
        """Every style that serves and whose weights are whole, and what is wrong with the others.

        Raises:
            MissingInputError, Damaged: nothing is left.
        """
        failed: list[FittingroomError] = [damage.error() for damage in self.damaged() if damage.champion]
        found = []
        for served in self.styles():
            try:
                self.weights(served)
            except (Damaged, MissingInputError) as error:
                failed.append(error)
            else:
                found.append(served)
        if failed and not found:
            raise failed[0]
        return found, failed

    def domain_of(self, version: ModelVersion) -> str:
        """What a registered version learnt from: its tag, or the demo's world where that is known of an older one."""
        if said := version.tags.get("domain", ""):
            return said
        return RENDERED if self._beside_the_sample_world() and _is_demos(version) else ""

    def refuse_damaged(self, name: str) -> None:
        """Say of a style that was to serve, and cannot be read, that it is damaged.

        Raises:
            Damaged: it is.
        """
        self._refuse_damaged(f"{STYLE_PREFIX}{wanted_name(name)}")

    def _refuse_damaged(self, model: str) -> None:
        for damage in self.damaged():
            if damage.champion and damage.model == model:
                raise damage.error()

    def _of_champion(self, version: ModelVersion) -> Served:
        return Served(
            version.model,
            version.version,
            _dyeable(AvailableStyle.from_tags(version.style, version.tags), version.recipe) if version.style else None,
            self.domain_of(version),
            version.recipe,
            version.metrics,
            version,
            None,
        )

    def _beside_the_sample_world(self) -> bool:
        """Whether the registry lies in a workspace that a demo of an earlier version rendered its world into."""
        folder = self.registry.folder
        return folder is not None and (folder.parent / "sample" / "world.json").is_file()


def _is_demos(version: ModelVersion) -> bool:
    """Whether it has the network of preset ``demo``."""
    if version.style is None:
        return version.recipe.get("backbone") == "small"
    return (version.recipe.get("filters"), version.recipe.get("blocks")) == (16, 4)


def _dyeable(style: AvailableStyle, recipe: dict[str, Any]) -> AvailableStyle:
    """The style, saying whether its generator chooses among the colours of a palette, which may be any."""
    return replace(style, takes_dyes=recipe.get("skip") == "palette")


def _of_starter(path: Path) -> Served:
    card = read_card(path)
    domain = card.domain or PHOTO  # what is shipped learnt from photos: its model card says which
    style = None if path.stem == SEGMENTER else _dyeable(style_of(path, card), card.settings)
    return Served(path.stem, None, style, domain, card.settings, card.info.get("metrics", {}), None, path)
