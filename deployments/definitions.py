"""The deployments, in one place: `serve` offers them, and `deployments.prefect_yaml` writes them for work pools.

When they run stands in `fittingroom.settings.Schedules`, which events start them in `deployments.automations`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from fittingroom.settings import Settings
from fittingroom.workspace import Workspace
from flows.catalogue import FLOWS

STYLE_ARRIVED = "fittingroom.style.arrived"
"""The event that says a style was added or changed; whoever sends it need not say which."""
DEBOUNCE = timedelta(seconds=60)
"""Styles that arrive within this time make one run: it lists all that are pending by itself."""


@dataclass(frozen=True)
class Definition:
    """One deployment of a flow. ``concurrency`` is how many of its runs may be under way; a further one waits."""

    flow: str
    description: str
    tags: tuple[str, ...]
    concurrency: int | None = None
    needs: tuple[str, ...] = field(default=())
    """Parameters a person has to fill in."""
    queue: str = "default"
    """Queue of the work pool: workers with a GPU take ``training``, see docs/operations.md."""

    @property
    def all_tags(self) -> list[str]:
        """Its tags, and the one that finds everything of ours."""
        return ["fittingroom", *self.tags]

    @property
    def limit(self) -> dict[str, Any] | None:
        """As Prefect wants `concurrency`; a further run waits."""
        return {"limit": self.concurrency, "collision_strategy": "ENQUEUE"} if self.concurrency else None

    def parameters(self, workspace: Workspace, settings: Settings) -> dict[str, Any]:
        """What the run form, schedules and events start from; what a person has to fill in is left out."""
        model = FLOWS[self.flow].parameters
        values: dict[str, Any] = {
            name: info.get_default(call_default_factory=True)
            for name, info in model.model_fields.items()
            if not info.is_required()
        }
        served = {
            "workspace": workspace.root,
            "catalog": (settings.catalog or workspace.catalog).absolute(),
            "preset": settings.preset,
            "segmenter": settings.segmenter_settings,
            "style": settings.style_settings,
            "settings": settings.segmenter_settings if self.flow == "train-segmenter" else settings.style_settings,
        }
        values |= {
            name: value for name, value in served.items() if name in model.model_fields and name not in self.needs
        }
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
        queue="training",
    ),
    Definition(
        "clean-up",
        "Delete personal pictures and artifacts that are older than the retention allows.",
        ("retention", "scheduled"),
        concurrency=1,
    ),
    Definition(
        "run-again",
        "Start a crashed run once more; an automation asks for it.",
        ("automation",),
        needs=("run",),
    ),
)
