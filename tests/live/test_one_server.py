"""One served workspace in an unfriendly place: among another project's packages, in a path full of odd characters, with
the temporary folder's usual names taken; who else asks for its server, and who comes without a home."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import psutil
import pytest

from deployments.environment import running_server, server_state
from fittingroom.workspace import Workspace
from tests.live.processes import ON_ONE_CORE, SECONDS, environment_of, start_flow, wait_until

pytestmark = [pytest.mark.faults, pytest.mark.timeout(3600)]

FOREIGN = "raise ImportError('this is another project')\n"
FITTINGROOM = (sys.executable, "-P", "-c", ON_ONE_CORE + "from fittingroom.cli import main; main(sys.argv[1:])")
"""As the installed command, whose path does not begin with the current folder either."""
NOTHING_TO_DO = "nothing to do: nothing is older than 30 days"


@dataclass(frozen=True)
class Served:
    """Where ``fittingroom serve`` runs, and what its commands are told."""

    root: Path
    workspace: Workspace
    environment: dict[str, str]
    pid: int

    @property
    def project(self) -> Path:
        """The current folder: another project."""
        return self.root / "project"

    def run(self, *arguments: str, workspace: Workspace | None = None) -> subprocess.CompletedProcess[str]:
        """A command of ours in that folder, for another workspace where one is given."""
        told = self.environment
        if workspace is not None:
            told = told | {"FITTINGROOM_WORKSPACE": str(workspace.root)}
        command = [*FITTINGROOM, *arguments]
        return subprocess.run(command, env=told, cwd=self.project, capture_output=True, text=True, timeout=SECONDS)


def without_prefect(workspace: Workspace, **more: str) -> dict[str, str]:
    """Variables of a person who never heard of Prefect."""
    told = environment_of(workspace, "", **more)
    return {name: value for name, value in told.items() if name not in ("PREFECT_API_URL", "PREFECT_HOME")}


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """``fittingroom serve``, with everything deployed."""
    root = tmp_path_factory.mktemp("served")
    project, temporary = root / "project", root / "tmp"
    for package in ("flows", "deployments"):
        (project / package).mkdir(parents=True)
        (project / package / "__init__.py").write_text(FOREIGN)
    (project / "tasks.py").write_text(FOREIGN)
    (project / "uvicorn.py").write_text(FOREIGN)
    temporary.mkdir()
    (temporary / "runner_storage").write_text("where Prefect would keep a folder, and nobody could make one")
    workspace = Workspace(root / "a place? 50% #1 작업장")
    environment = without_prefect(workspace, TMPDIR=str(temporary))
    log = root / "serve.log"
    with (
        log.open("wb") as out,
        subprocess.Popen([*FITTINGROOM, "serve"], env=environment, stdout=out, stderr=out, cwd=project) as serving,
    ):
        try:
            wait_until(lambda: "Try on: " in log.read_text() or serving.poll() is not None, "it serves", every=0.2)
            assert serving.poll() is None, log.read_text()
            yield Served(root, workspace, environment, serving.pid)
        finally:
            serving.send_signal(signal.SIGTERM)
    assert "stopped; nothing is scheduled" in log.read_text()


def test_a_served_run_works_beside_another_projects_packages(served: Served) -> None:
    api = running_server(served.workspace)
    assert api is not None
    command = [
        sys.executable,
        "-P",
        "-m",
        "prefect",
        "--no-prompt",
        "deployment",
        "run",
        "clean-up/clean-up",
        "--watch",
    ]
    told: Mapping[str, str] = {**served.environment, "PREFECT_API_URL": api, "PREFECT_HOME": str(served.root / "home")}
    done = subprocess.run(command, env=told, cwd=served.project, capture_output=True, text=True, timeout=SECONDS)
    assert done.returncode == 0, done.stdout + done.stderr + (served.root / "serve.log").read_text()
    assert NOTHING_TO_DO in (served.root / "serve.log").read_text()
    assert (served.workspace.prefect_home / "prefect.db").is_file()
    assert not (served.project / "workspace").exists()


def test_a_single_run_uses_it(served: Served) -> None:
    api = running_server(served.workspace)
    assert api is not None
    done = served.run("run", "clean-up")
    assert done.returncode == 0, done.stderr
    assert NOTHING_TO_DO in done.stderr
    assert f"View at {api.removesuffix('/api')}/runs/" in done.stderr


def test_a_second_serve_is_refused_and_the_first_one_goes_on(served: Served) -> None:
    before = server_state(served.workspace)
    assert before is not None
    assert psutil.Process(before.pid).ppid() == served.pid
    done = served.run("serve")
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert f"process {before.pid} at {before.api_url.removesuffix('/api')}" in line
    assert server_state(served.workspace) == before
    assert running_server(served.workspace) == before.api_url


def test_a_run_in_a_copy_of_its_workspace_has_a_server_of_its_own(served: Served) -> None:
    api = running_server(served.workspace)
    assert api is not None
    copy = Workspace(served.root / "copy")
    shutil.copytree(served.workspace.root, copy.root)
    done = served.run("run", "clean-up", workspace=copy)
    assert done.returncode == 0, done.stderr
    assert NOTHING_TO_DO in done.stderr
    assert api.removesuffix("/api") not in done.stderr
    assert running_server(served.workspace) == api


def test_a_killed_run_leaves_no_server_behind(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path / "w")
    process = start_flow("clean-up", {}, without_prefect(workspace))
    run = psutil.Process(process.pid)
    wait_until(lambda: run.children() or process.poll() is not None, "it has started a server", every=0.05)
    servers = run.children(recursive=True)
    assert servers
    wait_until(lambda: (workspace.prefect_home / "prefect.db").exists(), "the server is at work", every=0.05)
    assert all(server.is_running() for server in servers)
    process.kill()
    process.communicate()
    _, alive = psutil.wait_procs(servers, timeout=SECONDS)
    assert alive == []


AS_ANOTHER_USER = [
    "setpriv", "--reuid=54321", "--regid=54321", "--clear-groups",
    "--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search",
]  # fmt: skip
"""The capability stands for an interpreter that lies where everybody can read it."""
needs_users = pytest.mark.skipif(
    os.geteuid() != 0 or not shutil.which("setpriv"), reason="needs root, and setpriv of util-linux"
)


@needs_users
def test_two_users_of_a_machine_serve_next_to_each_other() -> None:
    """In one temporary folder, as a machine has it, where each makes places that are its own."""
    with TemporaryDirectory() as folder, ExitStack() as both:
        temporary = Path(folder, "tmp")
        temporary.mkdir()
        for path, mode in ((Path(folder), 0o755), (temporary, 0o1777)):
            path.chmod(mode)
        for owner, become in ((0, []), (54321, AS_ANOTHER_USER)):
            home = Path(folder, str(owner))
            home.mkdir(0o700)
            os.chown(home, owner, owner)
            workspace, log = Workspace(home / "w"), Path(folder, f"{owner}.log")
            told = without_prefect(workspace, HOME=str(home), TMPDIR=str(temporary))
            out = both.enter_context(log.open("wb"))
            serving = both.enter_context(
                subprocess.Popen([*become, *FITTINGROOM, "serve"], env=told, stdout=out, stderr=out, cwd=home)
            )
            both.callback(serving.send_signal, signal.SIGTERM)
            wait_until(lambda: "Try on: " in log.read_text() or serving.poll() is not None, "it serves", every=0.2)  # noqa: B023
            assert serving.poll() is None, log.read_text()
            assert running_server(workspace) is not None
            assert {path.name for path in home.iterdir()} == {"w"}
            assert {path.stat().st_uid for path in (home, *home.rglob("*"))} == {owner}
        owners = lambda: {place.stat().st_uid for place in temporary.iterdir()}  # noqa: E731
        wait_until(lambda: owners() == {0, 54321}, "each has made its places", every=0.2)
        for place in temporary.iterdir():
            assert place.stat().st_mode & 0o077 == 0, "nobody else reads or changes it"
            assert {path.stat().st_uid for path in place.rglob("*")} <= {place.stat().st_uid}


@needs_users
def test_a_user_without_an_account_and_a_home_can_run_flows() -> None:
    """As in a container that is started with a number for its user."""
    with TemporaryDirectory() as theirs:  # pytest's own folder is barred to others
        os.chown(theirs, 54321, 54321)
        run_as_nobody(Path(theirs))


def run_as_nobody(theirs: Path) -> None:
    workspace = Workspace(theirs / "w")
    told = {
        name: value
        for name, value in without_prefect(workspace).items()
        if name not in ("HOME", "USER", "LOGNAME", "LNAME", "USERNAME", "XDG_RUNTIME_DIR")
    }
    command = [*AS_ANOTHER_USER, *FITTINGROOM, "run", "clean-up"]
    done = subprocess.run(command, env=told, cwd=theirs, capture_output=True, text=True, timeout=SECONDS)
    assert done.returncode == 0, done.stderr
    assert NOTHING_TO_DO in done.stderr
    assert (workspace.prefect_home / "prefect.db").stat().st_uid == 54321
    assert sorted(path.name for path in theirs.iterdir()) == ["w"]


def test_the_state_is_gone_with_the_server(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path / "w")
    told = without_prefect(workspace)
    with subprocess.Popen([*FITTINGROOM, "serve"], env=told, cwd=tmp_path, stderr=subprocess.DEVNULL) as serving:
        wait_until(lambda: running_server(workspace), "its server answers", every=0.2)
        state = json.loads((workspace.prefect_home / "server.json").read_text())
        server = psutil.Process(state["pid"])
        serving.kill()
    psutil.wait_procs([server], timeout=SECONDS)
    assert running_server(workspace) is None
    done = subprocess.run([*FITTINGROOM, "run", "clean-up"], env=told, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert state["api_url"].removesuffix("/api") not in done.stderr
