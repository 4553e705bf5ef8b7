"""What a person fills in to start a run: each flow's parameters, with their meaning, choices, ranges and defaults."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, field_validator

from fittingroom.catalog import load_catalog
from fittingroom.categories import Category
from fittingroom.checks.settings import CheckSettings
from fittingroom.errors import MissingInputError, SettingError
from fittingroom.fields import Method, People, Seconds, Seed, Share, Side, Some
from fittingroom.names import not_known
from fittingroom.served import check_overrides
from fittingroom.settings import Device, Preset, get_settings
from fittingroom.style_card import Pattern, StyleCard
from fittingroom.workspace import Workspace

StylePreset = Literal[Preset, "recipe"]
PRESET_WORDS = "Size of network and training; auto is cpu where there is no GPU and standard where there is one"
SETTINGS_WORDS = 'Single settings over the preset\'s, such as {"epochs": 10}'
LOOKED_UP = "left empty, as its crawl, the catalog or its last version says"
Words = Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[a-z0-9]([a-z0-9-]*[a-z0-9])?$")]
"""A name that is a folder and a registry name too."""

P = TypeVar("P", bound="Parameters")


class Parameters(BaseModel):
    """What every flow asks."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)

    workspace: Path = Field(
        default_factory=lambda: get_settings().workspace,
        description="Folder that everything is written under",
    )

    @classmethod
    def asked(cls) -> list[str]:
        """Names of the parameters in a form's order: what has to be filled in first, what most leave alone last."""
        fields, last = cls.model_fields, ("force", "seed", "device", "workspace")
        return sorted(fields, key=lambda name: (name in last and 1 + last.index(name), not fields[name].is_required()))

    @property
    def place(self) -> Workspace:
        """The workspace's paths."""
        return Workspace(self.workspace)

    def check(self) -> None:
        """Refuse what no run on this machine could use; called before a server is started.

        A run form does not call it: the files may lie on another machine, where the flow itself looks for them.

        Raises:
            MissingInputError: a file or folder named is not there.
            CatalogError, SettingError: the catalog, or a setting of a training, cannot be used.
            InputError: the workspace cannot be written.
        """
        self.place.check_writable()
        for name, value in self:
            for path in value if isinstance(value, list) else [value]:
                if isinstance(path, Path) and name != "workspace" and not path.exists():
                    raise MissingInputError(f"parameter {name}", path)
        if isinstance(catalog := getattr(self, "catalog", None), Path):
            load_catalog(catalog)
        self.check_trainings()

    def check_trainings(self) -> None:
        """Refuse settings that no training accepts."""

    def part(self, model: type[P], **others: Any) -> P:
        """The parameters of a flow that this one runs: groups that both ask are the same, ``others`` its own."""
        groups = [group for group in model.__mro__ if issubclass(group, Parameters) and isinstance(self, group)]
        same = {name: getattr(self, name) for group in groups for name in group.model_fields}
        return model.model_validate(same | others)


# Groups of parameters that several flows ask.


class Crawling(Parameters):
    """Which styles to fetch pictures of, and how politely."""

    catalog: Path = Field(
        description="Styles and where their pictures come from: a YAML file, or a folder of such files"
    )
    styles: list[str] = Field([], description="Styles of the catalog; leave empty for all")
    per_host_delay: Seconds = Field(1.0, description="Seconds between two requests to one host")
    max_images: Some | None = Field(
        None,
        description="Pictures taken from one source at most, the others are skipped and counted; left empty, all of a "
        "folder or a list and 5,000 of pages or a search",
    )
    max_age_hours: float = Field(
        24.0, gt=0, le=8760, description="Do not crawl a style again before its pictures are this old"
    )
    allow_loopback: bool = Field(
        default_factory=lambda: get_settings().allow_loopback,
        description="Let the crawler fetch from this machine (only the sample shop needs it)",
    )


class Seeded(Parameters):
    """What is left to chance."""

    seed: Seed = Field(0, description="Every random choice follows from it")


class Drawing(Seeded):
    """How many annotated photos are drawn."""

    train: Some = Field(296, description="Annotated photos to learn from")
    validation: Some = Field(54, description="Annotated photos to be judged on, never learnt from")


class OnDevice(Parameters):
    """Where the work is done."""

    device: Device = Field(
        default_factory=lambda: get_settings().device, description="Where the models are trained, or run"
    )


class LearningFromOthers(OnDevice, Seeded):
    """What a style learns to change."""

    domain_a: Literal["people", "all-others"] = Field(
        "people",
        description="Garments a style learns to change: those cut from the segmenter's photos (people), which no other "
        "style alters, or these and the other styles' (all-others), so that a new style has the others trained anew",
    )


class LearningStyles(LearningFromOthers):
    """How styles are trained."""

    preset: StylePreset = Field("auto", description=PRESET_WORDS)
    settings: dict[str, Any] = Field({}, description=SETTINGS_WORDS)
    from_nearest: bool = Field(False, description="Start from the weights of the serving style that looks most alike")

    def check_trainings(self) -> None:
        """Refuse settings that no training accepts."""
        check_overrides(self.preset, self.device, style=self.settings)


class LearningSegmenter(OnDevice, Seeded):
    """How the segmenter is trained."""

    preset: Preset = Field("auto", description=PRESET_WORDS)
    backbone_weights: Path | None = Field(
        default_factory=lambda: get_settings().backbone_weights,
        description="ImageNet backbone weights (safetensors) where they cannot be downloaded",
    )


class Checked(Parameters):
    """What has to hold between the stages."""

    checks: dict[str, Any] = Field(
        {},
        description="What the checks between stages allow, over the settings' own: "
        '{"crawl_kept": 20, "warning": ["cut_out_colours"]}',
    )

    def check(self) -> None:
        """Refuse settings that no check has, before a run starts."""
        super().check()
        self.check_settings()

    def check_settings(self) -> CheckSettings:
        """The defaults, the installation's over them, and this run's over these.

        Raises:
            SettingError: an unknown name, or a value that is not allowed.
        """
        return CheckSettings().with_overrides({**get_settings().checks, **self.checks})


class Registering(Parameters):
    """What becomes of a trained model."""

    force: bool = Field(
        False, description="Let it serve even where its gate says that it is worse than what serves, or too poor"
    )


class Wearing(OnDevice):
    """Which styles to try on, and in which colours."""

    styles: list[str] = Field(
        [],
        description="Styles to try on: names, or pictures (paths) of what is wanted; leave empty for all that serve",
    )
    colours: list[str] = Field(
        [],
        description="Paint named styles so: #2f6b3a, a CSS name, or lab(L a b); the ground, then the figures",
    )
    house_colours: bool = Field(False, description="Where a style is a picture: keep the style's own colours")
    cloth: bool = Field(False, description="Pictures of styles show nothing but cloth, from edge to edge")
    nearest: bool = Field(False, description="Take the nearest style where none has a picture's pattern")
    garment: Literal["", "upper", "lower", "full", "all"] | Category = Field(
        "", description="Which garment to change; left empty, the one of the style's own kind"
    )
    person: Literal["", "all", "1", "2", "3", "4", "5", "6", "7", "8", "9"] = Field(
        "", description="Of several people on a photo whose, counted from the left; left empty, the one in the middle"
    )
    strict: bool = Field(False, description="Refuse a garment whose outline may be wrong instead of warning of it")
    detail: Share = Field(0.8, description="How much of the garment's own fine detail is kept")

    def look(self) -> dict[str, Any]:
        """Fields of `fittingroom.tryon.settings.TryOnSettings`; which garment and whose where they are chosen."""
        asked = {"garment": self.garment, "person": self.person, "strict": self.strict}
        return {"detail": self.detail, **{name: value for name, value in asked.items() if value}}

    def wish(self) -> dict[str, Any]:
        """How the styles are to be taken, for `tasks.serving.models_for`."""
        return {
            "colours": self.colours,
            "house_colours": self.house_colours,
            "nearest": self.nearest,
            "cloth": self.cloth,
        }

    def check(self) -> None:
        """Refuse colours that are none, and wishes that contradict each other, before a run starts."""
        from fittingroom.appearance.cloth import parse_dye
        from fittingroom.tryon.wanted import Wish  # brings what few flows need

        super().check()
        Wish(**self.wish())
        for colour in self.colours:
            parse_dye(colour)


class Photos(Parameters):
    """Whom to dress."""

    persons: list[Path] = Field(min_length=1, description="Photos of people: files, or folders of them")


# The flows.


class CrawlParameters(Crawling):
    """Which styles to fetch pictures of, and how politely."""

    retry_failed: list[str] = Field(
        [], description="Reasons or statuses to try again though they do not pass by themselves, such as not_found"
    )

    def crawl_settings(self) -> dict[str, Any]:
        """As `fittingroom.crawl.CrawlSettings` arguments."""
        return {
            "contact": get_settings().contact or "",
            "allow_loopback": self.allow_loopback,
            "per_host_delay": self.per_host_delay,
            "max_images": self.max_images,
            "retry": self.retry_failed,
        }


class PrepareParameters(Parameters):
    """How crawled photos become training pictures."""

    styles: list[Words] = Field([], description="Styles to prepare; leave empty for all that were crawled")
    method: Method = Field(
        "auto", description="How garments are cut out: by a plain background, by the segmenter, or by what fits"
    )
    people: People = Field(
        "allow", description="Refuse pictures of people where a style's sources should show garments only"
    )
    check_colour: bool = Field(True, description="Refuse garments that are plainly not of their style's colour")
    check_pattern: bool = Field(True, description="Refuse garments that are plainly not of their style's pattern")
    use_segmenter: bool = Field(False, description="Let the registered segmenter help with photos that are not plain")
    size: Side = Field(256, description="Side of the training pictures, in pixels")
    flip: bool = Field(True, description="Also make a mirrored twin of every picture")
    shard_size: int = Field(256, ge=1, le=10_000, description="Pictures one task works on at most, on average")


class ConvertParameters(Drawing):
    """Which annotated photos the segmenter learns from."""

    source: Path = Field(description="DeepFashion2 folder (with annos and image in it)")
    name: Words = Field("garments", description="Name of the dataset that is written")
    conditions: dict[str, Any] = Field(
        {}, description='What photos must meet, over the defaults: {"categories": [1, 2], "viewpoint": [1, 2, 3]}'
    )
    shard_size: int = Field(2000, ge=1, le=100_000, description="Annotation files one task reads at most, on average")

    @field_validator("conditions")
    @classmethod
    def _sound(cls, value: dict[str, Any]) -> dict[str, Any]:
        from fittingroom.annotations.select import SelectionSettings  # brings NumPy, which few flows need

        known = [each.name for each in fields(SelectionSettings) if each.name not in ("train", "validation", "seed")]
        for name in value:
            if name not in known:
                raise ValueError(not_known("condition", name, known))
        try:
            SelectionSettings(**value)
        except (SettingError, TypeError) as error:
            raise ValueError(str(error)) from None
        return value

    def selection_settings(self) -> dict[str, Any]:
        """All that decides which photos are drawn, as JSON."""
        drawn = {"train": self.train, "validation": self.validation, "seed": self.seed}
        return {**drawn, **self.conditions}


class TrainSegmenterParameters(Registering, LearningSegmenter):
    """How the segmenter is trained."""

    dataset: Words = Field("garments", description="A dataset that convert-annotations wrote")
    settings: dict[str, Any] = Field({}, description=SETTINGS_WORDS)

    def check_trainings(self) -> None:
        """Refuse settings that no training accepts."""
        check_overrides(self.preset, self.device, segmenter=self.settings)


class TrainStyleParameters(Registering, LearningStyles):
    """How one style is trained."""

    style: Words = Field(description="Name of the style; its prepared pictures are learnt from")
    category: Category | None = Field(None, description=f"Category of its garments; {LOOKED_UP}")
    colour: str = Field("", max_length=40, description=f"Its colour, in words; {LOOKED_UP}")
    pattern: Literal["", Pattern] = Field("", description=f"Its pattern; {LOOKED_UP}")
    digest: str = Field("", description="Digest of what it is trained for; left empty, of what its crawl found")
    sources: list[Words] = Field(
        [], description="Prepared folders of other garments to change; empty for those of domain_a"
    )

    @property
    def card(self) -> StyleCard:
        """What was said of the style."""
        return StyleCard(self.style, self.colour, self.pattern, self.category or "", catalog_digest=self.digest)


class RegisterStyleParameters(Registering):
    """A trained style to register and, when its gate passes, to serve."""

    style: Words = Field(description="Name of the style, as it was trained")
    preset: StylePreset = Field("auto", description=f"Whose limits the gate takes. {PRESET_WORDS}")


class TryOnParameters(Wearing, Photos):
    """Which styles on which photos."""


class TryOnBatchParameters(Wearing):
    """Which styles on which folder of photos."""

    persons: Path | None = Field(
        None, description="Folder with photos of people; the workspace's own (persons) if left empty"
    )
    name: Words = Field("batch", description="Name of the manifest that is written")
    shard_size: int = Field(64, ge=1, le=10_000, description="Photos one task works on at most, on average")


class CleanUpParameters(Parameters):
    """How old personal pictures and artifacts may get."""

    days: float = Field(
        default_factory=lambda: get_settings().retention_days,
        gt=0,
        le=3650,
        description="Photos of people, try-ons, reports and artifacts older than this many days are deleted",
    )
    only_say: bool = Field(False, description="Delete nothing, only say what would be deleted")


class RunAgainParameters(Parameters):
    """Which crashed run to start once more."""

    run: UUID = Field(description="Id of the run that crashed")


class LifecycleParameters(Drawing, LearningSegmenter, LearningFromOthers, Checked, Photos, Crawling):
    """The whole way from a shop's pages and annotated photos to try-on pictures."""

    dataset: Path = Field(description="DeepFashion2 folder (with annos and image in it)")
    segmenter: dict[str, Any] = Field({}, description="Single settings of the segmenter over the preset's")
    style: dict[str, Any] = Field({}, description="Single settings of the style trainings over the preset's")
    trainings_at_once: int = Field(2, ge=1, le=8, description="Trainings that share this machine at once")

    def check_trainings(self) -> None:
        """Refuse settings that no training accepts."""
        check_overrides(self.preset, self.device, self.segmenter, self.style)


class RetrainParameters(LearningStyles, Checked, Crawling):
    """Which new and changed styles to train."""

    left_catalog: Literal["keep", "retire"] = Field(
        "keep",
        description="Styles trained from a catalog that it does not name any more: let them serve, or retire them",
    )
    max_age_hours: float = Field(
        20.0, gt=0, le=8760, description="Do not crawl a style again before its pictures are this old"
    )
