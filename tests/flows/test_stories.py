"""A flow out of a story: parameters at the top level, and an end that is said in one line."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from prefect import Flow, State, get_client
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterId, LogFilter, LogFilterFlowRunId
from prefect.client.schemas.objects import FlowRun
from prefect.settings import get_current_settings
from prefect.states import Pending
from prefect.utilities.callables import parameter_schema
from pydantic import Field

from fittingroom.errors import FittingroomError, InputError, MissingInputError
from flows.catalogue import find_flow
from flows.parameters import Parameters
from flows.retrain_styles import retrain_styles
from flows.stories import Story, named, story
from flows.try_on import try_on
from flows.try_on_batch import try_on_batch
from tasks.caching import CachedResult
from tasks.telling import nothing_to_do

pytestmark = pytest.mark.usefixtures("prefect_server")


class Order(Parameters):
    """What these tests ask."""

    styles: list[str] = Field([], description="Which")
    how: str = Field("well", description="How it ends")
    limit: int = Field(3, ge=1, le=9, description="How many")


GATE: dict[str, Any] = {
    "model": "style-navy",
    "version": 2,
    "passed": False,
    "reasons": ["bright enough", "too dull"],
    "failures": ["too dull"],
    "metrics": {},
}
REFUSED = {"person": "a.jpg", "style": "navy", "status": "refused", "message": "no garment"}
DONE = {"person": "b.jpg", "style": "navy", "status": "done", "message": "vest changed", "image": "tryon/b/navy.png"}
ENDS: dict[str, Callable[[], Any]] = {
    "well": lambda: {"navy": record(rows=[DONE, REFUSED])},
    "nothing": lambda: nothing_to_do("no photo in persons", {}),
    "gate": lambda: {"navy": record(**GATE)},
    "refused": lambda: {"navy": record(rows=[REFUSED])},
}


def record(**value: Any) -> CachedResult:
    return CachedResult(value=value, outputs={}, seconds=0.1)


@story(Order, name="order", run_name=lambda parameters: f"order {named(parameters.styles)}")
def order(parameters: Order) -> Any:
    """End as asked."""
    if parameters.how == "missing":
        raise MissingInputError("style", "navvy", "there is navy")
    if parameters.how == "broken":
        raise ZeroDivisionError("a mistake of ours")
    return ENDS[parameters.how]()


@pytest.fixture
def said(caplog: pytest.LogCaptureFixture) -> Iterator[Callable[[], str]]:
    """What the runs' loggers said, tracebacks too."""
    loggers = [logging.getLogger(name) for name in ("prefect.flow_runs", "prefect.task_runs", "prefect.engine")]
    for logger in loggers:
        logger.addHandler(caplog.handler)
    yield lambda: caplog.text
    for logger in loggers:
        logger.removeHandler(caplog.handler)


def ended(**values: Any) -> State[Any]:
    state: State[Any] = order(return_state=True, **values)
    return state


@pytest.mark.parametrize("how", ["well", "nothing", "gate"])
def test_what_a_story_gives_is_not_lost_with_the_servers_answer(how: str, tmp_path: Path, monkeypatch: Any) -> None:
    called = Flow.__call__

    def forgetful(self: Any, **values: Any) -> Any:
        """As where a busy server took the last state twice: it answers with its own record, without the data."""
        state = called(self, **values)
        return state.model_copy(update={"data": None})

    expected = order(workspace=tmp_path, how=how)
    monkeypatch.setattr(Flow, "__call__", forgetful)
    assert order(workspace=tmp_path, how=how) == expected


def run_of(state: State[Any]) -> FlowRun:
    run_id = state.state_details.flow_run_id
    assert run_id is not None
    with get_client(sync_client=True) as client:
        return client.read_flow_run(run_id)


def artifacts_of(run: UUID) -> dict[str, str]:
    with get_client(sync_client=True) as client:
        found = client.read_artifacts(flow_run_filter=FlowRunFilter(id=FlowRunFilterId(any_=[run])))
        return {str(artifact.key): str(artifact.data) for artifact in found}


def test_every_field_of_the_model_is_a_parameter_with_meaning_range_and_default() -> None:
    form = order.parameters.properties
    assert list(form) == ["styles", "how", "limit", "workspace"]
    assert (form["limit"]["minimum"], form["limit"]["maximum"], form["limit"]["default"]) == (1, 9, 3)
    assert form["limit"]["description"] == "How many"
    assert order.description == "End as asked."
    assert find_flow("try-on").load().parameters.required == ["persons"]


def test_what_can_be_chosen_is_offered_and_other_values_are_taken_too() -> None:
    offering: Story[Order, Any] = Story(order.fn, Order, "order", lambda _: "order")
    offering.offer("styles", ["navy", "red"])
    form = parameter_schema(offering).properties["styles"]
    known, others = form["anyOf"]
    assert known["items"] == {"enum": ["navy", "red"], "type": "string"}
    assert others["items"] == {"type": "string"}
    assert form["description"] == "Which"
    offering.offer("styles", [])
    assert parameter_schema(offering).properties["styles"]["items"] == {"type": "string"}


def test_a_run_is_named_for_what_it_works_on_and_takes_fields_or_the_model(tmp_path: Path) -> None:
    assert run_of(ended(workspace=tmp_path, styles=["navy", "red"])).name == "order navy, red"
    assert order(Order(workspace=tmp_path)) == order(workspace=str(tmp_path))
    assert named(["/home/ann/dress.jpg"]) == "dress.jpg"
    assert named(["a", "b", "c", "d", "e"]) == "a, b, c and 2 more"


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"how": "missing"}, "style not found: navvy (there is navy)"),
        ({"how": "gate"}, "style-navy: version 2 did not pass its gate: too dull"),
        ({"how": "refused"}, "a.jpg in navy: no garment"),
        ({"limit": 10}, "order: parameter limit: expected less than or equal to 9, got 10"),
    ],
)
def test_an_expected_error_is_the_states_message_and_no_traceback(
    tmp_path: Path, values: dict[str, Any], message: str, said: Callable[[], str]
) -> None:
    state = ended(workspace=tmp_path, **values)
    assert state.is_failed()
    run = run_of(state)
    assert run.state is not None
    assert run.state.message == message
    assert "Traceback" not in said()
    assert "Encountered exception" not in said()
    assert message in said()
    assert message.split(":")[-1] in artifacts_of(run.id)["run-order"]


def test_in_python_the_error_is_raised_and_what_fell_short_is_returned(tmp_path: Path) -> None:
    with pytest.raises(MissingInputError, match="navvy"):
        order(workspace=tmp_path, how="missing")
    with pytest.raises(InputError, match="parameter colour: expected one of workspace, styles"):
        order(workspace=tmp_path, colour="red")
    assert order(workspace=tmp_path, how="gate") == {"navy": record(**GATE)}


def test_an_unexpected_error_keeps_its_traceback(tmp_path: Path, said: Callable[[], str]) -> None:
    with pytest.raises(ZeroDivisionError):
        order(workspace=tmp_path, how="broken")
    assert "Traceback" in said()
    assert "a mistake of ours" in said()


def test_nothing_to_do_is_completed_and_says_why(tmp_path: Path) -> None:
    state = ended(workspace=tmp_path, how="nothing")
    assert state.is_completed()
    assert state.message == "nothing to do: no photo in persons"
    assert order(workspace=tmp_path, how="nothing") == {}
    batch = try_on_batch(workspace=tmp_path, return_state=True)
    assert batch.message == f"nothing to do: no photos in {tmp_path / 'persons'}"
    (tmp_path / "catalog.yaml").write_text("styles: []\n")
    with pytest.raises(FittingroomError):  # an empty catalog is a mistake
        retrain_styles(workspace=tmp_path, catalog=tmp_path / "catalog.yaml")


def test_a_photo_that_was_refused_beside_others_does_not_fail_the_run_and_all_is_said(
    tmp_path: Path, said: Callable[[], str]
) -> None:
    state = ended(workspace=tmp_path)
    assert state.is_completed()
    picture = str(tmp_path / "tryon/b/navy.png")
    assert "navy: 1 done, 1 refused" in said()
    assert f"b.jpg in navy: vest changed: {picture}" in said()
    assert "a.jpg in navy: no garment" in said()
    shown = artifacts_of(run_of(state).id)["run-order"]
    assert f"| b.jpg in navy | vest changed | `{picture}` |" in shown
    assert "- a.jpg in navy: no garment" in shown


IN_A_PROCESS = """
import sys
from uuid import UUID
from prefect.engine import handle_engine_signals
from prefect.flow_engine import flow_run_logger, load_flow_run, run_flow
from flows.try_on import try_on
run = load_flow_run(UUID(sys.argv[1]))
with handle_engine_signals(run.id):
    run_flow(try_on, flow_run=run, error_logger=flow_run_logger(flow_run=run))
"""


def test_in_a_runners_process_the_engine_does_not_say_it_again(tmp_path: Path) -> None:
    """As `fittingroom serve` and workers run a flow, in ``python -m prefect.engine``."""
    missing = tmp_path / "nobody.jpg"
    parameters = {"workspace": str(tmp_path), "persons": [str(missing)], "styles": ["navvy"]}
    with get_client(sync_client=True) as client:
        run = client.create_flow_run(try_on, parameters=parameters, state=Pending()).id
    done = subprocess.run(
        [sys.executable, "-c", IN_A_PROCESS, str(run)],
        env={**os.environ, **get_current_settings().to_environment_variables(exclude_unset=True)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "Traceback" not in done.stderr, done.stderr
    assert "unexpected exception" not in done.stderr
    assert f"not found: {missing}" in done.stderr
    with get_client(sync_client=True) as client:
        found = client.read_flow_run(run)
        logs = client.read_logs(LogFilter(flow_run_id=LogFilterFlowRunId(any_=[found.id])))
    assert found.state is not None
    assert found.state.is_failed()
    assert found.state.message == f"file not found: {missing}"
    assert not [log.message for log in logs if "Traceback" in log.message or "exited" in log.message]


def test_a_path_and_its_run_are_the_same_by_hand_and_by_form(tmp_path: Path) -> None:
    with pytest.raises(MissingInputError, match="nobody"):
        try_on(persons=[tmp_path / "nobody.jpg"], workspace=tmp_path)
