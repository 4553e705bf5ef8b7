"""Events on a server that ``fittingroom serve`` serves: arrivals of styles make one run, a failed gate an alert."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from deployments.automations import ALERTS
from deployments.definitions import DEBOUNCE, STYLE_ARRIVED
from deployments.server import LocalServer
from fittingroom.registry.registry import style_model
from fittingroom.training.weights import read_weights, save_weights
from fittingroom.workspace import Workspace
from tasks.events import GATE_FAILED
from tests.live.live_world import STYLE, World
from tests.live.processes import ON_ONE_CORE, ROOT, environment_of, run_flow, wait_until

pytestmark = [pytest.mark.faults, pytest.mark.timeout(3600)]  # not faults, but as long as those


class Mailbox(ThreadingHTTPServer):
    """Where alerts are sent to: a web hook of ours instead of a chat's."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Letterbox)
        self.letters: list[dict[str, str]] = []


class _Letterbox(BaseHTTPRequestHandler):
    server: Mailbox

    def do_POST(self) -> None:
        self.server.letters.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Not to stderr."""


@dataclass
class Served:
    """A workspace, the server that its deployments are served to, and where alerts arrive."""

    world: World
    api_url: str
    mailbox: Mailbox

    @property
    def environment(self) -> dict[str, str]:
        return environment_of(self.world.workspace, self.api_url)

    def python(self, code: str) -> None:
        """Run a script against the server."""
        done = subprocess.run(
            [sys.executable, "-c", code], env=self.environment, capture_output=True, text=True, check=False, cwd=ROOT
        )
        assert done.returncode == 0, done.stderr

    def ask(self, path: str, body: dict[str, Any]) -> Any:
        """The server's own answer."""
        request = urllib.request.Request(
            f"{self.api_url}/{path}", json.dumps(body).encode(), {"content-type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=30) as reply:
            return json.load(reply)

    def events(self, name: str) -> list[dict[str, Any]]:
        found = self.ask("events/filter", {"filter": {"event": {"name": [name]}}})
        return list(found["events"])

    def runs(self, deployment: str) -> list[dict[str, Any]]:
        return list(self.ask("flow_runs/filter", {"deployments": {"name": {"any_": [deployment]}}}))

    def automations(self) -> list[str]:
        return [automation["name"] for automation in self.ask("automations/filter", {})]


SAVE_BLOCK = """
from prefect.blocks.notifications import CustomWebhookNotificationBlock
letter = {{"subject": "{{{{subject}}}}", "body": "{{{{body}}}}"}}
CustomWebhookNotificationBlock(name="letters", url="{url}", method="POST", json_data=letter).save("{name}")
"""


@pytest.fixture(scope="module")
def served(trained: World, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    root = tmp_path_factory.mktemp("events")
    mailbox = Mailbox()
    threading.Thread(target=mailbox.serve_forever, daemon=True).start()
    with LocalServer(Workspace(root / "server"), schedules=True, port=0) as own:
        found = Served(trained.copy(root / "world"), own.wait().api_url, mailbox)
        found.python(SAVE_BLOCK.format(url=f"http://127.0.0.1:{mailbox.server_port}/", name=ALERTS))
        code = ON_ONE_CORE + "from fittingroom.cli import main; main(['serve'])"
        with (root / "serve.log").open("wb") as log:
            serving = subprocess.Popen(
                [sys.executable, "-c", code], env=found.environment, stdout=log, stderr=log, cwd=ROOT
            )
        try:
            wait_until(lambda: len(found.automations()) >= 5 or serving.poll() is not None, "all is set up", every=0.5)
            assert serving.poll() is None, (root / "serve.log").read_text()
            yield found
        finally:
            serving.terminate()
            serving.wait(30)
            mailbox.shutdown()


ARRIVALS = f"""
import time
from prefect.events import emit_event
for number in range(4):
    emit_event({STYLE_ARRIVED!r}, resource={{"prefect.resource.id": "fittingroom.catalog", "number": str(number)}})
    time.sleep(2)
"""


def test_styles_that_arrive_within_a_minute_make_one_run(served: Served) -> None:
    served.python(ARRIVALS)
    wait_until(lambda: len(served.events(STYLE_ARRIVED)) == 4, "all events are there", every=0.5)
    wait_until(lambda: served.runs("retrain-styles"), "a run is there", every=0.5)
    time.sleep(10)  # a second one would be made as soon as its event is looked at
    triggered = [run for run in served.runs("retrain-styles") if not run["auto_scheduled"]]
    assert len(triggered) == 1
    first = min(datetime.fromisoformat(event["occurred"]) for event in served.events(STYLE_ARRIVED))
    start = datetime.fromisoformat(triggered[0]["expected_start_time"])
    assert start - first >= DEBOUNCE, "it starts when the minute is over, and sees whatever arrived in it"


def make_worse(weights: Path) -> None:
    """The same weights, said to paint in another colour than the style's."""
    found = read_weights(weights, "style")
    worse = {**found.info["metrics"], "ciede2000_median": 80.0}
    save_weights(weights, "style", found.tensors, found.settings, {**found.info, "metrics": worse})


def test_a_failed_gate_sends_an_alert(served: Served) -> None:
    model = style_model(STYLE)
    make_worse(served.world.workspace.training(model) / "weights.safetensors")
    done = run_flow("register-style", {"style": STYLE, "preset": "demo"}, served.environment)
    assert done.returncode == 1, done.stderr
    wait_until(lambda: served.events(GATE_FAILED), "the event is there", every=0.5)
    (event,) = served.events(GATE_FAILED)
    assert event["resource"]["prefect.resource.id"] == f"fittingroom.model.{model}"
    assert event["payload"]["version"] == 2

    def letters() -> list[dict[str, str]]:  # the retraining of the test before may have sent one too, having no catalog
        return [one for one in served.mailbox.letters if one["subject"].endswith("did not pass its gate")]

    wait_until(letters, "the alert was sent", every=0.5)
    (letter,) = letters()
    assert letter["subject"] == f"Fittingroom: {model} did not pass its gate"
    assert letter["body"] == f"Version 2 does not serve: {event['payload']['reasons']}"
    shown = served.ask("artifacts/filter", {"artifacts": {"key": {"any_": [f"gate-{model}"]}}})
    assert shown, "the verdict stands in the UI, with or without an alert"
