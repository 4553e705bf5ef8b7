"""The deployments: the served ones and those of prefect.yaml say the same, and their defaults make a usable form."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from deployments.definitions import DEFINITIONS, Definition, trigger_of
from fittingroom.workspace import Workspace
from flows.catalogue import FLOWS

ROOT = Path(__file__).resolve().parents[2]
WRITTEN: dict[str, Any] = {
    entry["name"]: entry for entry in yaml.safe_load((ROOT / "deployments" / "prefect.yaml").read_text())["deployments"]
}


def test_every_flow_is_deployed_once_in_both_places() -> None:
    assert len(DEFINITIONS) == len(FLOWS)
    assert list(WRITTEN) == [definition.flow for definition in DEFINITIONS], "in the same order"
    assert set(WRITTEN) == set(FLOWS)
    assert DEFINITIONS[0].flow == "try-on", "what most come for"


@pytest.mark.parametrize("definition", DEFINITIONS, ids=lambda definition: definition.flow)
def test_prefect_yaml_says_what_is_served(definition: Definition) -> None:
    entry = WRITTEN[definition.flow]
    function = definition.flow.replace("-", "_")
    assert entry["entrypoint"] == f"flows/{function}.py:{function}"
    assert (ROOT / "flows" / f"{function}.py").is_file()
    assert entry["description"] == definition.description
    assert entry["tags"] == definition.all_tags
    limit = {"limit": definition.concurrency, "collision_strategy": "ENQUEUE"} if definition.concurrency else None
    assert entry.get("concurrency_limit") == limit
    assert entry["work_pool"]["name"] == "fittingroom"
    assert entry["work_pool"].get("work_queue_name", "default") == definition.queue
    assert [schedule["cron"] for schedule in entry.get("schedules", [])] == (
        [definition.cron] if definition.cron else []
    )
    triggers = [{k: v for k, v in trigger.items() if k != "type"} for trigger in entry.get("triggers", [])]
    expected = trigger_of(definition)
    assert triggers == ([expected] if expected else [])


@pytest.mark.parametrize("definition", DEFINITIONS, ids=lambda definition: definition.flow)
def test_defaults_and_what_a_person_fills_in_make_valid_parameters(definition: Definition, tmp_path: Path) -> None:
    defaults = definition.parameters(Workspace(tmp_path))
    assert not set(definition.needs) & set(defaults)
    filled: dict[str, Any] = {"persons": ["a.jpg"], "dataset": "df2", "source": "df2", "style": "navy-striped"}
    filled["run"] = "7c9e6679-7425-40de-944b-e07fc1f90ae7"
    model = FLOWS[definition.flow].parameters
    parameters = model.model_validate(defaults | {name: filled[name] for name in definition.needs})
    assert parameters.place.root == tmp_path
    required = {name for name, field in model.model_fields.items() if field.is_required()} - {"catalog"}
    assert required == set(definition.needs)


@pytest.mark.parametrize("definition", DEFINITIONS, ids=lambda definition: definition.flow)
def test_what_is_served_has_a_time_limit_and_says_what_it_is(definition: Definition) -> None:
    """The limit is the flow's own, so that it holds for served runs, for workers and for single runs alike."""
    flow = FLOWS[definition.flow].load()
    assert flow.timeout_seconds
    assert 60 <= flow.timeout_seconds <= 7 * 24 * 3600
    assert "fittingroom" in definition.all_tags
    assert ("scheduled" in definition.tags) == (definition.cron is not None)
    assert ("training" in definition.tags) == (definition.queue == "training")


def test_arrivals_within_a_minute_make_one_run() -> None:
    triggers = [trigger for definition in DEFINITIONS if (trigger := trigger_of(definition))]
    assert len(triggers) == 1
    assert triggers[0]["expect"] == ["fittingroom.style.arrived"]
    assert triggers[0]["within"] == 60
