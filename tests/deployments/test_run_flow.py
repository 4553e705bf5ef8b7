"""``fittingroom run`` refuses what cannot be used before a server starts."""

import subprocess
import sys
import tempfile
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import httpx
import pytest

from deployments import run
from deployments.run import run_flow
from fittingroom import workspace
from fittingroom.errors import HostUnavailable, InputError, StorageUnavailable
from flows.catalogue import Entry

CATALOG = """
styles:
  - {name: red-solid, category: vest, colour: red, pattern: solid, sources: [{kind: folder, path: photos}]}
"""


@pytest.fixture
def good(tmp_path: Path) -> dict[str, Any]:
    """Parameters of a lifecycle that would start."""
    (tmp_path / "photos").mkdir()
    (tmp_path / "photo.jpg").write_bytes(b"")
    (tmp_path / "catalog.yaml").write_text(CATALOG)
    return {
        "workspace": str(tmp_path / "workspace"),
        "catalog": str(tmp_path / "catalog.yaml"),
        "dataset": str(tmp_path),
        "persons": [str(tmp_path / "photo.jpg")],
        "preset": "demo",
    }


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"catalog": "/nowhere.yaml"}, "parameter catalog not found: /nowhere.yaml"),
        ({"dataset": "/nowhere"}, "parameter dataset not found"),
        ({"persons": ["/nowhere.jpg"]}, "parameter persons not found"),
        ({"backbone_weights": "/nowhere.safetensors"}, "parameter backbone_weights not found"),
        ({"style": {"epochs": -3}}, "setting epochs: expected a whole number"),
        ({"segmenter": {"epoch": 3}}, r"setting epoch: .*did you mean epochs\?$"),
        ({"preset": "huge"}, "parameter preset: expected"),
        ({"style": 3}, r'parameter style: expected a JSON object such as \{"epochs": 10\}, got 3'),
        ({"seed": "many"}, "parameter seed: expected a whole number, got 'many'"),
        ({"per_host_delay": "long"}, "parameter per_host_delay: expected a number, got 'long'"),
        ({"allow_loopback": "perhaps"}, "parameter allow_loopback: expected true or false, got 'perhaps'"),
        ({"trainings": 2}, r"parameter trainings: .*did you mean trainings_at_once\?$"),
    ],
)
def test_what_cannot_be_used_is_refused_before_anything_starts(
    good: dict[str, Any], changed: dict[str, Any], said: str
) -> None:
    with pytest.raises(InputError, match=said):
        run_flow("lifecycle", good | changed)
    assert not Path(good["workspace"]).exists()


def test_a_broken_catalog_is_refused_with_its_line(good: dict[str, Any]) -> None:
    Path(good["catalog"]).write_text(CATALOG.replace("solid,", "wavy,"))
    with pytest.raises(InputError, match=r"catalog\.yaml:3: .*pattern"):
        run_flow("lifecycle", good)


@pytest.fixture
def no_server(monkeypatch: pytest.MonkeyPatch) -> None:
    """The flow is a function of the test's own, which reports to nobody."""
    monkeypatch.setattr(run, "server_for_a_run", lambda *_: nullcontext())


@pytest.mark.usefixtures("no_server")
def test_steps_are_explained_when_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from tasks.callbacks import steps

    def flow(_: object) -> dict[str, int]:
        steps.tell("cut out navy, shard 1 of 2", "")
        steps.tell("cut out navy, shard 2 of 2", "1 new picture")
        if (tmp_path / "fails").exists():
            raise InputError("no such thing")
        return {}

    monkeypatch.setattr(Entry, "load", lambda _: flow)
    said = [
        "cached  cut out navy, shard 1 of 2",
        "ran     cut out navy, shard 2 of 2: 1 new picture",
        "steps: 1 ran, 1 done before",
    ]
    assert run_flow("clean-up", {"workspace": str(tmp_path)}, explain_cache=True) == 0
    assert capsys.readouterr().out.splitlines() == said
    assert run_flow("clean-up", {"workspace": str(tmp_path)}) == 0
    assert capsys.readouterr().out == ""
    (tmp_path / "fails").touch()
    with pytest.raises(InputError):
        run_flow("clean-up", {"workspace": str(tmp_path)}, explain_cache=True)
    assert capsys.readouterr().out.splitlines() == said, "also of a run that failed"


def test_refusing_loads_no_prefect(good: dict[str, Any]) -> None:
    code = (
        "import sys\nfrom deployments.run import run_flow\n"
        f"try:\n    run_flow('lifecycle', {good | {'dataset': '/nowhere'}!r})\n"
        "except Exception as error:\n    print(type(error).__name__, 'prefect' in sys.modules, 'torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["MissingInputError", "False", "False"]


@pytest.mark.usefixtures("no_server")
def test_whatever_a_full_disk_makes_of_a_run_is_said_as_a_full_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def breaks(_: object) -> None:
        raise RuntimeError("disk I/O error: (sqlite3.OperationalError) database or disk is full")

    monkeypatch.setattr(Entry, "load", lambda _: breaks)
    with pytest.raises(RuntimeError):
        run_flow("clean-up", {"workspace": str(tmp_path)})
    for full in (tmp_path, Path(tempfile.gettempdir())):
        monkeypatch.setattr(workspace, "is_full", lambda folder, full=full: folder == full)
        with pytest.raises(StorageUnavailable, match=f"no space left on the disk of {full}$"):
            run_flow("clean-up", {"workspace": str(tmp_path)})


@pytest.mark.usefixtures("no_server")
def test_a_server_that_went_away_for_good_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def breaks(_: object) -> None:
        raise httpx.ConnectError("[Errno 111] Connection refused")

    monkeypatch.setattr(Entry, "load", lambda _: breaks)
    with pytest.raises(HostUnavailable, match=r"Prefect server of this run does not answer any more.*same command"):
        run_flow("clean-up", {"workspace": str(tmp_path)})
