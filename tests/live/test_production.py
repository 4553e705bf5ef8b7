"""The parts of deployments/compose.yaml, started natively: PostgreSQL, Redis, the API server and its services apart,
MLflow on PostgreSQL, the deployments of prefect.yaml, two workers. One worker dies in mid-training: its run is marked
Crashed, started once more, and the other worker finishes it; the style is registered exactly once.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

from deployments.environment import answers
from deployments.server import free_port
from tests.live.live_world import STYLE, World, build_world
from tests.live.processes import ON_ONE_CORE, ROOT, environment_of, wait_until

COMPOSE = yaml.safe_load((ROOT / "deployments" / "compose.yaml").read_text())
POSTGRES = next(iter(sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"), reverse=True)), None)
MISSING = [
    what
    for what, there in {
        "postgresql (apt-get install postgresql)": POSTGRES,
        "redis-server (apt-get install redis-server)": shutil.which("redis-server"),
        "runuser (util-linux), as root": shutil.which("runuser") if os.geteuid() == 0 else None,
    }.items()
    if not there
]
pytestmark = [
    pytest.mark.production,
    pytest.mark.timeout(3600),
    pytest.mark.skipif(bool(MISSING), reason=f"not installed: {', '.join(MISSING)}"),
]
HEARTBEAT = 30
"""The shortest that Prefect allows."""


def test_compose_names_what_is_started_here() -> None:
    services = COMPOSE["services"]
    wanted = {"postgres", "redis", "prefect-server", "prefect-services", "worker", "mlflow", "store"}
    assert wanted <= set(services)
    assert services["prefect-server"]["command"].endswith("--no-services")
    assert services["worker"]["deploy"]["replicas"] == 2


@pytest.mark.skipif(
    subprocess.run(["docker", "compose", "version"], capture_output=True, check=False).returncode != 0
    if shutil.which("docker")
    else True,
    reason="docker compose is not at hand",
)
def test_compose_itself_accepts_the_file() -> None:
    command = ["docker", "compose", "-f", str(ROOT / "deployments" / "compose.yaml"), "config", "--quiet"]
    secrets = {"POSTGRES_PASSWORD": "x", "STORE_PASSWORD": "y"}
    done = subprocess.run(command, env={**os.environ, **secrets}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@dataclass
class Plant:
    """Everything that runs; ended in reverse order."""

    root: Path
    world: World
    api_url: str = ""
    environment: dict[str, str] = field(default_factory=dict)
    processes: ExitStack = field(default_factory=ExitStack)

    def start(self, name: str, command: list[str], environment: dict[str, str]) -> subprocess.Popen[bytes]:
        """Start a part in a process group of its own; its output goes to a log."""
        with (self.root / f"{name}.log").open("ab") as log:
            process = subprocess.Popen(
                command, env=environment, stdout=log, stderr=subprocess.STDOUT, start_new_session=True, cwd=ROOT
            )
        self.processes.callback(kill_group, process, signal.SIGTERM)
        return process

    def prefect(self, *words: str) -> None:
        """Run Prefect's command line to its end."""
        command = [sys.executable, "-m", "prefect", "--no-prompt", *words]
        done = subprocess.run(command, env=self.environment, capture_output=True, text=True, check=False, cwd=ROOT)
        assert done.returncode == 0, done.stdout + done.stderr

    def worker(self, name: str) -> subprocess.Popen[bytes]:
        """A worker of the pool."""
        words = ["worker", "start", "--pool", "fittingroom", "--type", "process", "--name", name]
        code = ON_ONE_CORE + "import runpy; sys.argv[0] = 'prefect'; runpy.run_module('prefect', run_name='__main__')"
        return self.start(name, [sys.executable, "-c", code, *words], self.environment)


def kill_group(process: subprocess.Popen[bytes], how: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, how)
    try:
        process.wait(20)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def start_postgres(plant: Plant) -> int:
    """A cluster of its own with the databases of postgres-init.sql; its port."""
    assert POSTGRES is not None
    port, bin_dir, data = free_port(), POSTGRES.parent, plant.root / "postgres"
    data.mkdir()
    for folder in (data, *data.parents):
        if folder.stat().st_uid == 0 and folder != Path("/tmp") and not folder.stat().st_mode & 0o001:
            folder.chmod(folder.stat().st_mode | 0o011)
    shutil.chown(data, "postgres", "postgres")
    as_postgres = ["runuser", "-u", "postgres", "--"]
    subprocess.run(
        [*as_postgres, str(bin_dir / "initdb"), "-A", "trust", "-D", str(data)],
        check=True,
        cwd="/",
        capture_output=True,
    )
    options = ["-D", str(data), "-p", str(port), "-k", "", "-c", "listen_addresses=127.0.0.1"]
    plant.start("postgres", [*as_postgres, str(bin_dir / "postgres"), *options], dict(os.environ))
    client = [str(bin_dir / "psql"), "-h", "127.0.0.1", "-p", str(port), "-U", "postgres"]
    ready = [str(bin_dir / "pg_isready"), "-h", "127.0.0.1", "-p", str(port)]
    wait_until(lambda: subprocess.run(ready, capture_output=True, check=False).returncode == 0, "PostgreSQL answers")
    init = (ROOT / "deployments" / "postgres-init.sql").read_text()
    for statement in ("CREATE ROLE prefect LOGIN", "CREATE DATABASE prefect OWNER prefect", init):
        subprocess.run([*client, "-c", statement], check=True, capture_output=True)
    return port


def start_redis(plant: Plant) -> int:
    port = free_port()
    options = ["--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(plant.root)]
    plant.start("redis", ["redis-server", *options], dict(os.environ))
    return port


def start_mlflow(plant: Plant, postgres: int) -> str:
    port = free_port()
    options = ["--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    options += ["--backend-store-uri", f"postgresql://prefect@127.0.0.1:{postgres}/mlflow"]
    options += ["--artifacts-destination", str(plant.root / "artifacts")]
    plant.start("mlflow", [sys.executable, "-m", "mlflow", "server", *options], {**os.environ, "DO_NOT_TRACK": "true"})
    return f"http://127.0.0.1:{port}"


def server_environment(postgres: int, redis: int) -> dict[str, str]:
    """compose.yaml's own variables for server and services, with this machine's ports."""
    written: dict[str, Any] = COMPOSE["x-prefect-server"]
    database = f"postgresql+asyncpg://prefect@127.0.0.1:{postgres}/prefect"
    return {name: str(value) for name, value in written.items()} | {
        "PREFECT_API_DATABASE_CONNECTION_URL": database,
        "PREFECT_SERVER_DOCKET_URL": f"redis://127.0.0.1:{redis}/1",
        "PREFECT_REDIS_MESSAGING_HOST": "127.0.0.1",
        "PREFECT_REDIS_MESSAGING_PORT": str(redis),
    }


@pytest.fixture(scope="module")
def plant(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Plant]:
    root = tmp_path_factory.mktemp("production")
    plant = Plant(root, build_world(root / "world"))
    with plant.processes:
        postgres, redis = start_postgres(plant), start_redis(plant)
        registry = start_mlflow(plant, postgres)
        port = free_port()
        plant.api_url = f"http://127.0.0.1:{port}/api"
        more = {"PREFECT_FLOWS_HEARTBEAT_FREQUENCY": str(HEARTBEAT), "FITTINGROOM_TRACKING_URI": registry}
        plant.environment = environment_of(plant.world.workspace, plant.api_url, FITTINGROOM_ROOT=str(ROOT), **more)
        server = {**os.environ, **server_environment(postgres, redis), "PREFECT_HOME": str(root / "server-home")}
        prefect = [sys.executable, "-m", "prefect", "server"]
        subprocess.run([*prefect, "database", "upgrade", "-y"], env=server, check=True, capture_output=True)
        plant.start("server", [*prefect, "start", "--no-services", "--host", "127.0.0.1", "--port", str(port)], server)
        plant.start("services", [*prefect, "services", "start"], server)
        wait_until(lambda: answers(plant.api_url), "the API answers", every=0.5)
        wait_until(lambda: healthy(registry), "MLflow answers", every=0.5)
        plant.prefect("work-pool", "create", "fittingroom", "--type", "process", "--overwrite")
        plant.prefect("deploy", "--all", "--prefect-file", "deployments/prefect.yaml")
        subprocess.run([sys.executable, "-m", "deployments.automations"], env=plant.environment, check=True, cwd=ROOT)
        yield plant


def healthy(address: str) -> bool:
    try:
        with urllib.request.urlopen(f"{address}/health", timeout=5) as reply:
            return bool(reply.status == 200)
    except OSError:
        return False


class Runs:
    """Runs of the plant's deployments."""

    def __init__(self, plant: Plant) -> None:
        from prefect.client.orchestration import SyncPrefectClient

        self.client = SyncPrefectClient(plant.api_url)

    def start(self, name: str, parameters: dict[str, Any]) -> Any:
        deployment = self.client.read_deployment_by_name(f"{name}/{name}")
        return self.client.create_flow_run_from_deployment(deployment.id, parameters=parameters).id

    def state(self, run: Any) -> str:
        state = self.client.read_flow_run(run).state
        return state.name or "" if state else ""

    def until(self, run: Any, states: set[str]) -> str:
        wait_until(lambda: self.state(run) in states, f"the run is one of {states}", every=1)
        return self.state(run)

    def second_try(self, run: Any) -> Any:
        key = f"again-{run}"
        return next((r.id for r in self.client.read_flow_runs() if r.idempotency_key == key), None)


ENDED = {"Completed", "Failed", "Crashed", "Cancelled", "TimedOut"}


def test_a_worker_dies_in_mid_training_and_the_other_one_finishes(plant: Plant) -> None:
    runs = Runs(plant)
    first = plant.worker("first")
    where = {"workspace": str(plant.world.workspace.root)}
    for name, parameters in (("crawl-garments", {"catalog": str(plant.world.catalog)}), ("prepare-garments", {})):
        assert runs.until(runs.start(name, {**where, **parameters}), ENDED) == "Completed"
    training = runs.start("train-style", {**where, **plant.world.training(steps_per_epoch=200, checkpoint_steps=20)})
    checkpoints = plant.world.workspace.training(f"style-{STYLE}") / "checkpoints"
    wait_until(lambda: len(list(checkpoints.glob("step-*"))) >= 2, "the training is on its way", every=0.2)
    time.sleep(HEARTBEAT)  # it has to have said that it lives, to be missed
    killed = [first.pid, *descendants(first.pid)]
    for pid in killed:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    plant.worker("second")
    assert runs.until(training, {"Crashed"}) == "Crashed"
    wait_until(lambda: runs.second_try(training), "it is started once more", every=1)
    assert runs.until(runs.second_try(training), ENDED) == "Completed"

    from fittingroom.registry.registry import Registry

    registry = Registry(plant.root, plant.environment["FITTINGROOM_TRACKING_URI"])
    assert [version.version for version in registry.versions(f"style-{STYLE}")] == [1]


def descendants(pid: int) -> list[int]:
    found = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in map(int, task.read_text().split()):
            found += [child, *descendants(child)]
    return found
