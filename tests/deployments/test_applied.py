"""What a person changed on the server outlives a restart of serve, until the settings say something new."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.actions import DeploymentScheduleCreate, DeploymentUpdate
from prefect.client.schemas.schedules import CronSchedule
from prefect.runner import Runner

from deployments import deploying
from deployments.applied import Applied
from deployments.automations import set_up
from deployments.definitions import DEFINITIONS, STYLE_ARRIVED
from deployments.deploying import deploy_all, pause_all
from fittingroom.settings import get_settings, settings_file
from fittingroom.workspace import Workspace

FEW = ("retrain-styles", "clean-up", "crawl-garments", "run-again", "try-on")
ARRIVED = f"retrain-styles on {STYLE_ARRIVED}"
FILE = """
preset = "cpu"
[style_settings]
epochs = 4
[schedules]
retrain-styles = "15 2 * * *"
"""


class Served:
    """A workspace whose deployments are set up as ``serve`` does, with a new process's eyes."""

    def __init__(self, root: Path, client: SyncPrefectClient) -> None:
        self.place, self.client = Workspace(root), client
        self.write(FILE)

    def write(self, text: str) -> None:
        self.place.root.mkdir(exist_ok=True)
        settings_file(self.place.root).write_text(text)

    def start(self) -> list[str]:
        """What is said of a person's changes."""
        said: list[str] = []
        get_settings.cache_clear()
        applied = Applied(self.place, said.append)
        self.ids = deploy_all(Runner(), self.place, get_settings(), ["navy-solid"], applied)
        set_up(applied)
        self.applied = applied
        return said

    def stop(self) -> None:
        pause_all(self.applied)

    def deployment(self, name: str) -> Any:
        return self.client.read_deployment_by_name(f"{name}/{name}")

    def schedules(self, name: str) -> list[tuple[str, str, bool]]:
        return [(each.schedule.cron, each.schedule.timezone, each.active) for each in self.deployment(name).schedules]

    def trigger(self, automation: UUID) -> str:
        """The id of its trigger, which changes where the automation is made anew."""
        found = self.client.request("GET", "/automations/{id}", path_params={"id": automation})
        return str(found.json()["trigger"]["id"])

    def automation(self, name: str) -> Any:
        return next(each for each in self.client.read_automations() if each.name == name)


@pytest.fixture
def served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    monkeypatch.setenv("FITTINGROOM_WORKSPACE", str(tmp_path / "w"))
    monkeypatch.setattr(deploying, "DEFINITIONS", [each for each in DEFINITIONS if each.flow in FEW])
    with get_client(sync_client=True) as client:
        found = Served(tmp_path / "w", client)
        assert found.start() == []
        yield found
        for deployment in found.ids.values():
            client.delete_deployment(deployment)
        for automation in client.read_automations():
            client.delete_automation(automation.id)
    get_settings.cache_clear()


@pytest.mark.usefixtures("prefect_server")
@pytest.mark.slow
def test_the_file_is_served_to_schedules_and_events_alike(served: Served) -> None:
    retrain = served.deployment("retrain-styles")
    assert retrain.parameters["preset"] == "cpu"
    assert retrain.parameters["settings"] == {"epochs": 4}
    assert served.schedules("retrain-styles") == [("15 2 * * *", "UTC", True)]
    assert served.schedules("clean-up") == [("0 22 * * *", "UTC", True)]
    (action,) = served.automation(ARRIVED).actions
    assert action.deployment_id == retrain.id
    assert action.parameters is None, "the deployment's own"
    served.write("")
    assert served.start() == [], "nothing was a person's"
    retrain = served.deployment("retrain-styles")
    assert (retrain.parameters["preset"], retrain.parameters["settings"]) == ("auto", {})
    assert served.schedules("retrain-styles") == [("30 3 * * *", "UTC", True)]


@pytest.mark.usefixtures("prefect_server")
@pytest.mark.slow
def test_what_a_person_changed_is_kept_until_the_file_says_something_new(served: Served) -> None:
    client = served.client
    retrain = served.deployment("retrain-styles")
    client.update_deployment(
        retrain.id, DeploymentUpdate(parameters=retrain.parameters | {"preset": "demo", "seed": 7})
    )
    (schedule,) = retrain.schedules
    seoul = CronSchedule(cron="0 1 * * *", timezone="Asia/Seoul")
    client.update_deployment_schedule(retrain.id, schedule.id, schedule=seoul, active=False)
    mondays = DeploymentScheduleCreate(schedule=CronSchedule(cron="0 5 * * 1", timezone="UTC"), slug="mondays")
    (schedule,) = served.deployment("clean-up").schedules
    client.delete_deployment_schedule(served.ids["clean-up"], schedule.id)
    client.create_deployment_schedules(served.ids["clean-up"], [mondays])
    client.create_deployment_schedules(served.ids["crawl-garments"], [mondays])
    client.pause_deployment(served.ids["crawl-garments"])
    arrived = served.automation(ARRIVED)
    client.pause_automation(arrived.id)
    trigger = served.trigger(arrived.id)
    served.stop()
    assert served.deployment("clean-up").paused, "and so is all else"

    for _ in range(2):  # twice: what was kept is remembered
        said = served.start()
        assert len(said) == 7, said
        assert 'retrain-styles: parameter preset "demo", set in Prefect, is kept; settings: "cpu"' in said
        assert "retrain-styles: parameter seed 7, set in Prefect, is kept; settings: 0" in said
        assert "crawl-garments: paused true, set in Prefect, is kept; settings: false" in said
        assert f"{ARRIVED}: enabled false, set in Prefect, is kept; settings: true" in said
        retrain = served.deployment("retrain-styles")
        assert (retrain.parameters["preset"], retrain.parameters["seed"]) == ("demo", 7)
        assert served.schedules("retrain-styles") == [("0 1 * * *", "Asia/Seoul", False)]
        assert served.schedules("clean-up") == [("0 5 * * 1", "UTC", True)]
        assert served.schedules("crawl-garments") == [("0 5 * * 1", "UTC", True)]
        assert [name for name in served.ids if served.deployment(name).paused] == ["crawl-garments"]
        again = served.automation(ARRIVED)
        assert (again.enabled, again.id) == (False, arrived.id)
        assert served.trigger(again.id) == trigger

    served.write(FILE.replace("cpu", "standard").replace("15 2", "45 4") + 'clean-up = "0 21 * * *"\n')
    said = served.start()
    assert len(said) == 7, said
    assert 'retrain-styles: parameter preset is "standard" now; "demo", set in Prefect, is replaced' in said
    retrain = served.deployment("retrain-styles")
    assert (retrain.parameters["preset"], retrain.parameters["seed"]) == ("standard", 7), "each for itself"
    assert served.schedules("retrain-styles") == [("45 4 * * *", "UTC", True)]
    assert served.schedules("clean-up") == [("0 21 * * *", "UTC", True)]
    assert served.schedules("crawl-garments") == [("0 5 * * 1", "UTC", True)], "of which the file says nothing"


KEY = UUID(int=1)


def settled(applied: Applied, present: dict[str, Any], wanted: dict[str, Any], **more: Any) -> dict[str, Any]:
    """One restart: what is set up, after which the server says the same."""
    found = applied.reconcile(KEY, "it", present, wanted, **more)
    applied.remember(KEY, wanted, found, found)
    applied.save()
    return found


def test_each_part_is_settled_by_itself_and_across_restarts(tmp_path: Path) -> None:
    place = Workspace(tmp_path)
    assert settled(Applied(place), {"a": 0}, {"a": 1, "b": 1, "gone": 1}) == {"a": 1, "b": 1, "gone": 1}
    assert settled(Applied(place), {"a": 5, "b": 1, "gone": 1, "own": 9}, {"a": 1, "b": 2}) == {
        "a": 5,
        "b": 2,
        "own": 9,
    }
    assert settled(Applied(place), {"a": 5, "b": 2}, {"a": 1, "b": 2}) == {"a": 5, "b": 2}, "still a person's"
    assert settled(Applied(place), {"a": 1, "b": 2}, {"a": 1, "b": 2}) == {"a": 1, "b": 2}, "who took it back"
    assert settled(Applied(place), {"a": 5, "b": 2}, {"a": 5, "b": 2}) == {"a": 5, "b": 2}, "both say the same"
    assert settled(Applied(place), {"a": 5, "b": 2}, {"a": 6, "b": 2}) == {"a": 6, "b": 2}, "so it is the settings'"
    assert settled(Applied(place), {"b": 2}, {"a": 6, "b": 2}) == {"b": 2}, "taken off by a person"


def test_what_the_server_fills_in_is_nobodys_change(tmp_path: Path) -> None:
    applied = Applied(Workspace(tmp_path), pytest.fail)
    wanted = {"schedule": {"cron": "0 1 * * *"}}
    found = applied.reconcile(KEY, "it", {}, wanted)
    applied.remember(KEY, wanted, found, filled := {"schedule": {"cron": "0 1 * * *", "slug": None}})
    assert applied.reconcile(KEY, "it", filled, wanted) == filled, "and nothing has to be set up"


@pytest.mark.parametrize("memory", [None, "{", "[]", '{"parts": 3, "paused": []}'])
def test_without_a_memory_the_settings_hold_but_what_is_off_stays_off(tmp_path: Path, memory: str | None) -> None:
    place = Workspace(tmp_path)
    if memory is not None:
        place.prefect_home.mkdir(parents=True)
        (place.prefect_home / "served.json").write_text(memory)
    off = {"enabled": False, "a": 5}
    for _ in range(2):
        assert settled(Applied(place), off, {"enabled": True, "a": 1}, own=("enabled",)) == {"enabled": False, "a": 1}
        off = {"enabled": False, "a": 1}
