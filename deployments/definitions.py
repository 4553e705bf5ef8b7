"""The deployments, in one place: `serve` offers them, and ``prefect.yaml`` says the same for work pools."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from fittingroom.workspace import Workspace
from flows.catalogue import FLOWS

STYLE_ARRIVED = "fittingroom.style.arrived"
"""The event that says a style was added or changed; whoever sends it need not say which."""
EVERY_NIGHT = "30 3 * * *"
EVERY_MORNING = "0 6 * * *"
EVERY_EVENING = "0 22 * * *"
DEBOUNCE = timedelta(seconds=60)
"""Styles that arrive within this time make one run: it lists all that are pending by itself."""

_CATALOG = "catalog.yaml"


@dataclass(frozen=True)
class Definition:
    """One deployment of a flow. ``concurrency`` is how many of its runs may be under way; a further one waits."""

    flow: str
    description: str
    tags: tuple[str, ...]
    concurrency: int | None = None
    cron: str | None = None
    on_event: str | None = None
    needs: tuple[str, ...] = field(default=())
    """Parameters a person has to fill in."""
    queue: str = "default"
    """Queue of the work pool: workers with a GPU take ``training``, see docs/operations.md."""

    @property
    def all_tags(self) -> list[str]:
        """Its tags, and the one that finds everything of ours."""
        return ["fittingroom", *self.tags]

    def parameters(self, workspace: Workspace) -> dict[str, Any]:
        """The defaults the run form starts from; what has to be filled in is left out, a catalog is guessed."""
        model = FLOWS[self.flow].parameters
        values: dict[str, Any] = {
            name: info.get_default(call_default_factory=True)
            for name, info in model.model_fields.items()
            if not info.is_required()
        }
        values["workspace"] = workspace.root
        if "catalog" in model.model_fields:
            values["catalog"] = workspace.root / _CATALOG
        return {name: _plain(value) for name, value in values.items()}


def _plain(value: Any) -> Any:
    return value if value is None or isinstance(value, str | int | float | bool | list | dict) else str(value)


DEFINITIONS = (
    Definition("try-on", "Show styles on photos.", ("try-on",), concurrency=4, needs=("persons",)),
    Definition(
        "try-on-batch",
        "Show the wanted styles on every photo of a folder; pictures and a manifest come out.",
        ("try-on", "scheduled"),
        concurrency=1,
        cron=EVERY_MORNING,
    ),
    Definition(
        "lifecycle",
        "From a catalog and annotated photos to registered models and try-on pictures.",
        ("training",),
        concurrency=1,
        needs=("dataset", "persons"),
        queue="training",
    ),
    Definition("crawl-garments", "Fetch the pictures of a catalog's styles.", ("data",), concurrency=1),
    Definition("prepare-garments", "Cut garments out and make training pictures of them.", ("data",), concurrency=1),
    Definition(
        "convert-annotations",
        "DeepFashion2 to COCO and VIA, selected and split.",
        ("data",),
        concurrency=1,
        needs=("source",),
    ),
    Definition(
        "train-segmenter",
        "Train, judge and register the segmenter; one training on a GPU at a time, a second one waits.",
        ("training",),
        concurrency=1,
        queue="training",
    ),
    Definition(
        "train-style",
        "Train, judge and register one style; one training on a GPU at a time, a second one waits.",
        ("training",),
        concurrency=4,
        needs=("style",),
        queue="training",
    ),
    Definition("register-style", "Register a style that was trained.", ("registry",), needs=("style",)),
    Definition(
        "retrain-styles",
        "Train the styles that are new in the catalog, or changed; each once per content.",
        ("training", "scheduled"),
        concurrency=1,
        cron=EVERY_NIGHT,
        on_event=STYLE_ARRIVED,
        queue="training",
    ),
    Definition(
        "clean-up",
        "Delete personal pictures and artifacts that are older than the retention allows.",
        ("retention", "scheduled"),
        concurrency=1,
        cron=EVERY_EVENING,
    ),
    Definition(
        "run-again",
        "Start a crashed run once more; an automation asks for it.",
        ("automation",),
        needs=("run",),
    ),
)


def trigger_of(definition: Definition) -> Mapping[str, Any] | None:
    """The event trigger of a deployment as Prefect spells it, also in YAML; None where it has none."""
    if definition.on_event is None:
        return None
    return {
        "name": f"{definition.flow} on {definition.on_event}",
        "enabled": True,
        "expect": [definition.on_event],
        "threshold": 1,
        "within": DEBOUNCE.total_seconds(),
        "schedule_after": DEBOUNCE.total_seconds(),
    }
