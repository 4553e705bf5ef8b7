"""Automations, in code: arrived styles are trained; runs whose process died are marked Crashed and run once more; what
fails is told to people.

``fittingroom serve`` sets them up. With work pools: ``python -m deployments.automations`` after ``prefect deploy``.
"""

from __future__ import annotations

import sys
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

from deployments.applied import Applied
from deployments.definitions import DEBOUNCE, DEFINITIONS, STYLE_ARRIVED
from deployments.environment import HEARTBEAT_SECONDS, set_defaults
from fittingroom.settings import get_settings
from fittingroom.workspace import Workspace

if TYPE_CHECKING:
    from prefect.automations import AutomationCore, EventTrigger
    from prefect.client.orchestration import SyncPrefectClient

RUN_AGAIN = "run-again"
"""The flow that starts a crashed run once more; it is not run again itself."""
RETRAIN = "retrain-styles"
"""The flow that trains the styles that arrived."""
ALERTS = "fittingroom-alerts"
"""Name of the notification block (Slack, e-mail, ...) that alerts go to; none are sent where there is no such block."""
BEATS_MISSED = 3
"""Heartbeats that have to be missing before a run counts as dead."""
_FLOW_RUN = "prefect.flow-run.*"
_ENDED = tuple(f"prefect.flow-run.{state}" for state in ("Completed", "Failed", "TimedOut", "Cancelled", "Crashed"))


def automations(
    run_again: UUID, retrain: UUID, alerts: UUID | None, heartbeat_seconds: float = HEARTBEAT_SECONDS
) -> list[AutomationCore]:
    """What should be set up.

    Args:
        run_again: the deployment that starts a crashed run once more.
        retrain: the deployment that trains what is new in the catalog.
        alerts: the notification block that alerts go to.
        heartbeat_seconds: how often runs say that they live; ``PREFECT_FLOWS_HEARTBEAT_FREQUENCY`` of the workers.
    """
    from prefect.automations import AutomationCore, EventTrigger, Posture
    from prefect.client.schemas.objects import StateType
    from prefect.events.actions import ChangeFlowRunState, RunDeployment, SendNotification

    from tasks.events import GATE_FAILED

    beat = "prefect.flow-run.heartbeat"
    found = [
        AutomationCore(  # styles that arrive within `DEBOUNCE` make one run, with the deployment's own parameters
            name=f"{RETRAIN} on {STYLE_ARRIVED}",
            trigger=EventTrigger(expect={STYLE_ARRIVED}, posture=Posture.Reactive, threshold=1, within=DEBOUNCE),
            actions=[RunDeployment(source="selected", deployment_id=retrain, schedule_after=DEBOUNCE)],
        ),
        AutomationCore(
            name="Fittingroom: mark runs whose process died as Crashed",
            description="A run that sent heartbeats and sends none any more, and did not end.",
            trigger=EventTrigger(
                after={beat},
                expect={beat, *_ENDED},
                match={"prefect.resource.id": _FLOW_RUN},
                for_each={"prefect.resource.id"},
                posture=Posture.Proactive,
                threshold=1,
                within=timedelta(seconds=BEATS_MISSED * heartbeat_seconds),
            ),
            actions=[ChangeFlowRunState(state=StateType.CRASHED, message="no heartbeat: the process died")],
        ),
        AutomationCore(
            name="Fittingroom: run crashed runs once more",
            description="Steps that were complete come from the cache, trainings resume from their last checkpoint.",
            trigger=_each_run_that_sent({"prefect.flow-run.Crashed"}),
            actions=[
                RunDeployment(
                    source="selected",
                    deployment_id=run_again,
                    parameters={"run": {"__prefect_kind": "jinja", "template": "{{ flow_run.id }}"}},
                )
            ],
        ),
    ]
    if alerts is None:
        return found
    return [
        *found,
        AutomationCore(
            name="Fittingroom: tell of a model that did not pass its gate",
            trigger=EventTrigger(expect={GATE_FAILED}, posture=Posture.Reactive, threshold=1),
            actions=[
                SendNotification(
                    block_document_id=alerts,
                    subject="Fittingroom: {{ event.resource.name }} did not pass its gate",
                    body="Version {{ event.payload.version }} does not serve: {{ event.payload.reasons }}",
                )
            ],
        ),
        AutomationCore(
            name="Fittingroom: tell of a run that failed",
            trigger=_each_run_that_sent({"prefect.flow-run.Failed", "prefect.flow-run.TimedOut"}),
            actions=[
                SendNotification(
                    block_document_id=alerts,
                    subject="Fittingroom: {{ flow_run.name }} failed",
                    body="{{ flow_run.state.message }} {{ flow_run|ui_url }}",
                )
            ],
        ),
    ]


def _each_run_that_sent(events: set[str]) -> EventTrigger:
    """One action for each run of our deployments that comes to one of these states."""
    from prefect.automations import EventTrigger, Posture

    ours = [definition.flow for definition in DEFINITIONS if definition.flow != RUN_AGAIN]
    return EventTrigger(
        expect=events,
        match={"prefect.resource.id": _FLOW_RUN},
        match_related={"prefect.resource.role": "deployment", "prefect.resource.name": ours},
        for_each={"prefect.resource.id"},
        posture=Posture.Reactive,
        threshold=1,
    )


def set_up(applied: Applied) -> list[str]:
    """Create the automations on the configured server, and update those that should say something else; their names.

    What a person changed or switched off stays so while the rest says the same.

    Raises:
        FittingroomError: the deployments are not there yet.
    """
    from prefect.automations import AutomationCore
    from prefect.client.orchestration import get_client
    from prefect.settings import get_current_settings

    with get_client(sync_client=True) as client:
        known = {automation.name: automation for automation in client.read_automations()}
        beats = get_current_settings().flows.heartbeat_frequency or HEARTBEAT_SECONDS
        ids = {name: _deployment(client, name) for name in (RUN_AGAIN, RETRAIN)}
        wanted = automations(ids[RUN_AGAIN], ids[RETRAIN], _alerts(client), beats)
        for automation in wanted:
            says, present = _says(automation), known.get(automation.name)
            if present is None:
                made, settled = client.create_automation(automation), says
            else:
                made = present.id
                settled = applied.reconcile(made, automation.name, _says(present), says, own=("enabled",))
                if settled != _says(present):
                    client.update_automation(made, AutomationCore.model_validate(settled))
            now = client.read_automation(made)
            applied.remember(made, says, settled, _says(now) if now else settled)
        applied.save()
    return [automation.name for automation in wanted]


def _deployment(client: SyncPrefectClient, name: str) -> UUID:
    from prefect.exceptions import ObjectNotFound

    from fittingroom.errors import FittingroomError

    try:
        return client.read_deployment_by_name(f"{name}/{name}").id
    except ObjectNotFound:
        raise FittingroomError(f"deployment {name}: expected it on the server; deploy first") from None


def _says(automation: AutomationCore) -> dict[str, Any]:
    """What an automation does, part by part, without the ids that the server gave it.

    An update would give its trigger a new id, and what the old one waits for, such as the next heartbeat of a run that
    died with the machine, would be waited for by nobody.
    """
    from prefect.automations import AutomationCore

    found = AutomationCore.model_validate(automation.model_dump()).model_dump(mode="json", exclude={"owner_resource"})
    trigger = {name: value for name, value in found["trigger"].items() if name != "id"}
    # Sets, of which each process makes lists in an order of its own.
    found["trigger"] = trigger | {name: sorted(trigger[name]) for name in ("after", "expect", "for_each")}
    return found


def _alerts(client: SyncPrefectClient) -> UUID | None:
    """The notification block called `ALERTS`, of whatever kind, or None."""
    offset = 0
    while page := client.read_block_documents(offset=offset, limit=100, include_secrets=False):
        for block in page:
            if block.name == ALERTS:
                return UUID(str(block.id))
        offset += len(page)
    return None


if __name__ == "__main__":
    set_defaults()
    for name in set_up(Applied(Workspace(get_settings().workspace), lambda line: print(line, file=sys.stderr))):
        print(name)
