"""Ctrl-C in ``run FLOW``: what a person sees, what lies there afterwards, and that nobody is left."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fittingroom import images
from fittingroom.sample.deepfashion2_set import render_deepfashion2_set
from tests.cli.terminal import Seen, run_in_terminal
from tests.live.processes import SECONDS
from tests.translation.style_builders import GREYS, REDS, TINY, write_garments

pytestmark = [pytest.mark.slow, pytest.mark.timeout(3600)]


def processes_of(workspace: Path) -> list[str]:
    """The command lines of all processes that were started for a workspace, after a while for those that end."""
    found: list[str] = []
    until = time.monotonic() + 60
    while time.monotonic() < until:
        found = []
        for entry in Path("/proc").glob("[0-9]*"):
            try:
                if f"FITTINGROOM_WORKSPACE={workspace}\0".encode() in (entry / "environ").read_bytes():
                    found.append((entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace"))
            except OSError:
                continue
        if not found:
            break
        time.sleep(0.2)
    return found


def stopped_run(
    flow: str, parameters: dict[str, Any], workspace: Path, begun: Callable[[], bool], server: str = ""
) -> Seen:
    """``run FLOW`` stopped by Ctrl-C once it has ``begun`` its work."""
    given = [
        f"--param={name}={value if isinstance(value, str) else json.dumps(value)}" for name, value in parameters.items()
    ]
    more = {"PREFECT_API_URL": server} if server else {}
    seen = run_in_terminal(["run", flow, *given], workspace, 200, more, lambda _: begun(), seconds=SECONDS)
    assert seen.code == 130, seen.text
    assert [line for line in seen.lines if "error" in line.lower()] == ["error: stopped"], seen.text
    assert "Traceback" not in seen.text
    assert "Crash detected" not in seen.text
    assert seen.left == ()
    assert processes_of(workspace) == []
    assert not [path for path in workspace.rglob("*") if path.suffix == ".tmp" or path.name.startswith(".tmp")]
    return seen


@pytest.mark.parametrize("own", [False, True], ids=["a server that is there", "a server for the run"])
def test_ctrl_c_in_a_try_on(own: bool, server: str, tmp_path: Path) -> None:
    photos = render_deepfashion2_set(tmp_path / "df2", 30, others=0) / "image"
    workspace = tmp_path / "w"

    def begun() -> bool:
        return len(list(workspace.glob("tryon/*/*.png"))) > 1

    stopped_run("try-on", {"persons": str(photos)}, workspace, begun, "" if own else server)
    for path in workspace.rglob("*.png"):
        images.read_rgba(path)


def test_ctrl_c_in_a_training_flow(server: str, tmp_path: Path) -> None:
    workspace = tmp_path / "w"
    write_garments(workspace / "prepared" / "grey", 20, GREYS)
    write_garments(workspace / "prepared" / "red", 20, REDS)
    settings = TINY | {"epochs": 2000, "steps_per_epoch": 2, "sample_steps": 2}
    progress = workspace / "training" / "style-red" / "progress.jsonl"
    parameters = {"style": "red", "preset": "demo", "settings": settings}
    stopped_run(
        "train-style", parameters, workspace, lambda: progress.is_file() and progress.stat().st_size > 500, server
    )
    assert not (workspace / "training" / "style-red" / "weights.safetensors").exists()
    for checkpoint in (workspace / "training" / "style-red" / "checkpoints").iterdir():
        assert (checkpoint / "complete.json").is_file()
