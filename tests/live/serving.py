"""``fittingroom serve`` as a person starts it, with a server of its own, and what that server says."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from typing import Any

import psutil

from deployments.environment import STATE
from deployments.server import free_port
from fittingroom.registry.registry import style_model
from tests.live.live_world import World
from tests.live.processes import ON_ONE_CORE, environment_of


class Serving:
    """``fittingroom serve`` in a workspace, with its own server, as a person starts it."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.log = world.root / "serve.log"
        self.port = free_port()
        self.start()

    def start(self) -> None:
        environment = environment_of(self.world.workspace, "")
        for name in ("PREFECT_API_URL", "PREFECT_HOME"):
            del environment[name]
        code = ON_ONE_CORE + "from fittingroom.cli import main; main(sys.argv[1:])"
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-c", code, "serve", "--port", str(self.port)],
                env=environment,
                stdout=log,
                stderr=log,
                cwd=self.world.root,
            )

    def url(self) -> str:
        return str(json.loads((self.world.workspace.prefect_home / STATE).read_text())["api_url"])

    def server(self) -> int:
        return int(json.loads((self.world.workspace.prefect_home / STATE).read_text())["pid"])

    def ask(self, path: str, body: dict[str, Any] | None = None, method: str | None = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(
            f"{self.url()}/{path}", data, {"content-type": "application/json"}, method=method
        )
        for _ in range(10):  # on a busy machine its database may be locked for a moment
            try:
                with urllib.request.urlopen(request, timeout=30) as reply:
                    return json.loads(reply.read() or "null")
            except urllib.error.HTTPError as error:
                if error.code != 503:
                    raise
                time.sleep(1)
        raise AssertionError(f"{path}: the server is busy for ever")

    def ready(self) -> bool:
        """Whether the automations, which come last, are set up."""
        with contextlib.suppress(OSError, ValueError, KeyError):
            return len(self.automations()) >= 2
        return False

    def automations(self) -> dict[str, str]:
        """Name -> id and the trigger's id."""
        found = self.ask("automations/filter", {})
        return {
            each["name"]: f"{each['id']} {each['trigger']['id']}" for each in found if "Fittingroom" in each["name"]
        }

    def deployment(self, name: str) -> dict[str, Any]:
        return dict(self.ask(f"deployments/name/{name}/{name}"))

    def run(self, name: str, **parameters: Any) -> str:
        """Start a deployment with these parameters over its own; the run's id."""
        path = f"deployments/{self.deployment(name)['id']}/create_flow_run"
        return str(self.ask(path, {"parameters": parameters})["id"])

    def states(self, flow: str) -> dict[str, str]:
        """Id -> state of the runs of a flow."""
        runs = self.ask("flow_runs/filter", {"flows": {"name": {"any_": [flow]}}})
        return {run["id"]: run["state_name"] for run in runs}

    def state(self, run: str) -> tuple[str, str]:
        """The state of a run, and its message."""
        state = self.ask(f"flow_runs/{run}")["state"]
        return state["name"], state["message"] or ""

    def step(self, style: str) -> int:
        """The step that the style's training has come to; a new one begins at 0."""
        progress = self.world.workspace.training(style_model(style)) / "progress.jsonl"
        lines = progress.read_text().splitlines() if progress.exists() else []
        whole = [line for line in lines if line.endswith("}")]
        return int(json.loads(whole[-1])["step"]) if whole else 0  # an earlier training's lines stand before

    def checkpoints(self, style: str) -> int:
        return len(list((self.world.workspace.training(style_model(style)) / "checkpoints").glob("step-*")))

    def family(self) -> list[psutil.Process]:
        """The processes of serve, its runs and their trainings."""
        return [self.process_, *self.process_.children(recursive=True)]

    @property
    def process_(self) -> psutil.Process:
        return psutil.Process(self.process.pid)

    def engines(self) -> list[psutil.Process]:
        return [each for each in self.process_.children() if each.pid != self.server()]

    def end(self) -> None:
        """Kill all of it, whatever has become of it."""
        with contextlib.suppress(psutil.Error):
            kill(self.family())
        with contextlib.suppress(OSError, ValueError, KeyError):
            os.kill(self.server(), signal.SIGKILL)


def kill(processes: list[psutil.Process]) -> None:
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.send_signal(signal.SIGKILL)
