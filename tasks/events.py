"""Events of ours on the Prefect server: what automations listen to."""

from __future__ import annotations

from collections.abc import Sequence

from prefect.events import emit_event

GATE_FAILED = "fittingroom.gate.failed"


def gate_failed(model: str, version: int, reasons: Sequence[str]) -> None:
    """Say that a version was registered and does not serve. Never fails: events are sent by a thread of their own."""
    emit_event(
        GATE_FAILED,
        resource={"prefect.resource.id": f"fittingroom.model.{model}", "prefect.resource.name": model},
        payload={"version": version, "reasons": "; ".join(reasons)},
    )
