"""The deployments: the served ones and those of prefect.yaml say the same, and their defaults make a usable form."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from deployments.definitions import DEFINITIONS, Definition
from deployments.prefect_yaml import FILE, prefect_yaml
from fittingroom.settings import Schedules, Settings
from fittingroom.workspace import Workspace
from flows.catalogue import FLOWS

ROOT = Path(__file__).resolve().parents[2]
WRITTEN: dict[str, Any] = {
    entry["name"]: entry for entry in yaml.safe_load((ROOT / "deployments" / "prefect.yaml").read_text())["deployments"]
}


def test_prefect_yaml_is_as_its_command_writes_it() -> None:
    assert FILE.read_text() == prefect_yaml(), "run python -m deployments.prefect_yaml"


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
    cron = Schedules().of(definition.flow)
    assert [schedule["cron"] for schedule in entry.get("schedules", [])] == ([cron] if cron else [])
    required = {name for name, info in FLOWS[definition.flow].parameters.model_fields.items() if info.is_required()}
    assert set(entry.get("parameters", {})) == (required if cron else set()), "nobody fills in a scheduled run"
    assert "triggers" not in entry, "events are the business of deployments.automations"


@pytest.mark.parametrize("definition", DEFINITIONS, ids=lambda definition: definition.flow)
def test_defaults_and_what_a_person_fills_in_make_valid_parameters(definition: Definition, tmp_path: Path) -> None:
    defaults = definition.parameters(Workspace(tmp_path), Settings())
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
    assert ("scheduled" in definition.tags) == (Schedules().of(definition.flow) is not None)
    assert ("training" in definition.tags) == (definition.queue == "training")


def test_settings_reach_every_deployment_that_has_them(tmp_path: Path) -> None:
    settings = Settings(
        preset="cpu", catalog=tmp_path / "c.yaml", segmenter_settings={"epochs": 3}, style_settings={"epochs": 4}
    )
    found = {each.flow: each.parameters(Workspace(tmp_path), settings) for each in DEFINITIONS}
    assert {flow: values["preset"] for flow, values in found.items() if "preset" in values} == dict.fromkeys(
        ("lifecycle", "train-segmenter", "train-style", "register-style", "retrain-styles"), "cpu"
    )
    catalogs = {flow for flow, values in found.items() if values.get("catalog") == str(tmp_path / "c.yaml")}
    assert catalogs == {"crawl-garments", "lifecycle", "retrain-styles"}
    given = {(flow, name): value for flow, values in found.items() for name, value in values.items() if value}
    assert {key: value for key, value in given.items() if isinstance(value, dict)} == {
        ("train-segmenter", "settings"): {"epochs": 3},
        ("train-style", "settings"): {"epochs": 4},
        ("retrain-styles", "settings"): {"epochs": 4},
        ("lifecycle", "segmenter"): {"epochs": 3},
        ("lifecycle", "style"): {"epochs": 4},
    }
    assert "style" not in found["train-style"], "a style's name, which a person fills in"
    unset = {each.flow: each.parameters(Workspace(tmp_path), Settings()) for each in DEFINITIONS}
    assert {values["preset"] for values in unset.values() if "preset" in values} == {"auto"}
    assert unset["retrain-styles"]["catalog"] == str(tmp_path / "catalog.yaml")
