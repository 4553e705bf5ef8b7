"""Every flow by name, with the model of its parameters: what the command line and the deployments choose from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any, cast

from fittingroom.errors import InputError
from fittingroom.names import not_known
from flows import parameters as models
from flows.filling_in import fill_in
from flows.parameters import Parameters

if TYPE_CHECKING:
    from flows.stories import Story


@dataclass(frozen=True)
class Entry:
    """One flow. `load` imports it, and with it Prefect; listing does not."""

    name: str
    parameters: type[Parameters]

    def load(self) -> Story[Any, Any]:
        """The flow itself."""
        function = self.name.replace("-", "_")
        return cast("Story[Any, Any]", getattr(import_module(f"flows.{function}"), function))

    def fill_in(self, values: Mapping[str, Any]) -> Parameters:
        """Its parameters from plain values, as a command line or a file gives them.

        Raises:
            InputError: naming the field, what is allowed and what came.
        """
        return fill_in(self.name, self.parameters, values)


FLOWS = {
    entry.name: entry
    for entry in (
        Entry("crawl-garments", models.CrawlParameters),
        Entry("prepare-garments", models.PrepareParameters),
        Entry("convert-annotations", models.ConvertParameters),
        Entry("train-segmenter", models.TrainSegmenterParameters),
        Entry("train-style", models.TrainStyleParameters),
        Entry("register-style", models.RegisterStyleParameters),
        Entry("try-on", models.TryOnParameters),
        Entry("try-on-batch", models.TryOnBatchParameters),
        Entry("lifecycle", models.LifecycleParameters),
        Entry("retrain-styles", models.RetrainParameters),
        Entry("clean-up", models.CleanUpParameters),
        Entry("run-again", models.RunAgainParameters),
    )
}
"""In the order in which they build on one another."""


def find_flow(name: str) -> Entry:
    """The flow of that name.

    Raises:
        InputError: there is none.
    """
    if name not in FLOWS:
        raise InputError(not_known("flow", name, FLOWS))
    return FLOWS[name]
