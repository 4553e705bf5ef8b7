"""Figures of the page and the API for Prometheus."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily

from fittingroom.errors import FittingroomError

if TYPE_CHECKING:
    from fittingroom.app.room import Models

MEDIA_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_SECONDS = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 60.0)


class Metrics:
    """The figures of one server."""

    def __init__(self, models: Models) -> None:
        self._registry = CollectorRegistry()
        self._registry.register(_Serving(models))
        self._steps = Histogram(
            "fittingroom_step_seconds", "Of each step of a try-on, its wait too.", ["step"],
            registry=self._registry, buckets=_SECONDS,
        )  # fmt: skip
        self._try_ons = Counter("fittingroom_try_ons", "Try-ons with a result.", ["style"], registry=self._registry)
        self._refusals = Counter("fittingroom_refusals", "By their codes.", ["code"], registry=self._registry)

    def watch(self, name: str, meaning: str, figure: Callable[[], float]) -> None:
        """A figure that is looked up each time."""
        Gauge(f"fittingroom_{name}", meaning, registry=self._registry).set_function(figure)

    def clock(self) -> StepClock:
        """For a try-on, which begins with its wait."""
        return StepClock(self._steps)

    def made(self, style: str) -> None:
        """A try-on has a result."""
        self._try_ons.labels(style).inc()

    def refused(self, code: str) -> None:
        """A request was refused."""
        self._refusals.labels(code).inc()

    def text(self) -> bytes:
        """All of them (`MEDIA_TYPE`)."""
        return generate_latest(self._registry)


class StepClock:
    """Measures the steps of one try-on."""

    def __init__(self, steps: Histogram) -> None:
        self._steps = steps
        self._step, self._since = "waiting", time.perf_counter()

    def begin(self, step: str) -> None:
        """A step begins, and the one before it ends."""
        if step != self._step:
            self.end()
            self._step = step

    def end(self) -> None:
        """The last step ends."""
        now = time.perf_counter()
        self._steps.labels(self._step).observe(now - self._since)
        self._since = now


class _Serving:
    """Which models serve, looked up in the registry each time."""

    def __init__(self, models: Models) -> None:
        self._models = models

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """The families of samples, as the library asks for them."""
        serving = GaugeMetricFamily("fittingroom_model", "1 for each model that serves.", labels=["model", "version"])
        answers = 1.0
        try:
            versions = self._models.versions()
            for style, version in versions.items():
                serving.add_metric([f"style {style}", str(version or "starter")], 1.0)
            for style in list(versions)[:1]:
                serving.add_metric(["segmenter", self._models.weights_of(style)["segmenter"]], 1.0)
        except FittingroomError:
            answers = 0.0
        yield GaugeMetricFamily("fittingroom_registry_answers", "Whether the registry does.", value=answers)
        yield serving
