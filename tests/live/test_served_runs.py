"""Runs of served deployments, started as a person does from a terminal: how each of them ends, and what it says."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from deployments.environment import running_server
from fittingroom.registry.starters import StarterModels
from fittingroom.workspace import Workspace
from tests.live.processes import ON_ONE_CORE, ROOT, SECONDS, environment_of, wait_until

pytestmark = [pytest.mark.faults, pytest.mark.timeout(3600)]


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Any, Workspace]]:
    """``fittingroom serve`` in an empty workspace: a client of its server."""
    root = tmp_path_factory.mktemp("served")
    place = Workspace(root / "workspace")
    environment = environment_of(place, "")
    for name in ("PREFECT_API_URL", "PREFECT_HOME"):
        environment.pop(name)
    code = ON_ONE_CORE + "from fittingroom.cli import main; main(['serve'])"
    log = (root / "serve.log").open("wb")
    with subprocess.Popen([sys.executable, "-c", code], env=environment, stdout=log, stderr=log, cwd=ROOT) as serving:
        wait_until(lambda: running_server(place), "the server answers", every=0.5)
        api = running_server(place)
        assert api is not None
        from prefect.client.orchestration import SyncPrefectClient

        client = SyncPrefectClient(api)
        wait_until(lambda: len(client.read_automations()) >= 2, "everything is deployed", every=1)
        yield client, place
        os.kill(serving.pid, signal.SIGTERM)


def started(client: Any, place: Workspace, deployment: str, **parameters: Any) -> subprocess.CompletedProcess[str]:
    """``prefect deployment run NAME --param ... --watch``."""
    options = [part for name, value in parameters.items() for part in ("--param", f"{name}={json.dumps(value)}")]
    command = [sys.executable, "-m", "prefect", "--no-prompt", "deployment", "run", deployment, *options, "--watch"]
    environment = environment_of(place, str(client.api_url))
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=SECONDS, check=False)


def newest(client: Any, deployment: str) -> tuple[Any, str]:
    """The newest run of a deployment by hand, and its log."""
    from prefect.client.schemas.filters import LogFilter, LogFilterFlowRunId

    own = client.read_deployment_by_name(deployment).id
    runs = [run for run in client.read_flow_runs() if run.deployment_id == own and not run.auto_scheduled]
    run = max(runs, key=lambda run: run.created)
    logs = client.read_logs(LogFilter(flow_run_id=LogFilterFlowRunId(any_=[run.id])))
    return run, "\n".join(log.message for log in logs)


def test_a_mistyped_style_and_a_missing_photo_end_in_one_line(served: tuple[Any, Workspace], tmp_path: Path) -> None:
    client, place = served
    photo = tmp_path / "photo.jpg"
    photo.write_bytes(b"not looked at")
    for parameters, said in (
        ({"persons": [str(photo)], "styles": ["red-sollid"]}, "style not found: red-sollid (there is checked"),
        ({"persons": [str(tmp_path / "gone.jpg")]}, f"file not found: {tmp_path / 'gone.jpg'}"),
        ({"persons": [str(photo)], "styles": ["gone.jpg"]}, "style picture not found: gone.jpg"),
    ):
        started(client, place, "try-on/try-on", **parameters)
        run, log = newest(client, "try-on/try-on")
        assert run.state.name == "Failed"
        assert run.state.message.startswith(said)
        assert "\n" not in run.state.message
        assert "Traceback" not in log
        assert "exited" not in log
        assert said in log


def test_nothing_to_do_is_completed(served: tuple[Any, Workspace]) -> None:
    client, place = served
    assert started(client, place, "try-on-batch/try-on-batch").returncode == 0
    run, _ = newest(client, "try-on-batch/try-on-batch")
    assert run.state.name == "Completed"
    assert run.state.message == f"nothing to do: no photos in {place.persons}"


def test_wrong_parameters_are_refused_when_the_run_is_asked_for(served: tuple[Any, Workspace]) -> None:
    client, place = served
    wrong = started(client, place, "try-on/try-on", persons=["a.jpg"], detail=3)
    assert wrong.returncode == 1
    assert "'detail'" in wrong.stdout + wrong.stderr
    unknown = started(client, place, "try-on/try-on", persons=["a.jpg"], colour="red")
    assert unknown.returncode == 1
    assert "'colour'" in unknown.stdout + unknown.stderr


def test_the_form_offers_what_serves_and_takes_other_words(served: tuple[Any, Workspace]) -> None:
    client, _ = served
    form = client.read_deployment_by_name("try-on/try-on").parameter_openapi_schema["properties"]
    known, others = form["styles"]["anyOf"]
    assert known["items"]["enum"] == sorted(style.name for style in StarterModels().styles())
    assert others["items"] == {"type": "string"}
    assert min(form, key=lambda name: form[name]["position"]) == "persons"
