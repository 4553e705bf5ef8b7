"""``fittingroom run`` in a real terminal: its log, below it what is at work, and at the end what came out."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from fittingroom.workspace import Workspace
from tests.cli.terminal import run_in_terminal
from tests.translation.style_builders import GREYS, REDS, TINY, write_garments

pytestmark = pytest.mark.slow


def test_a_flow_shows_its_training_while_it_learns_and_says_the_verdict(tmp_path: Path) -> None:
    place = Workspace(tmp_path / "w")
    write_garments(place.prepared("people-garments"), 20, GREYS)
    write_garments(place.prepared("red"), 20, REDS)
    settings = json.dumps(TINY | {"epochs": 4, "steps_per_epoch": 10})
    given = {"style": "red", "preset": "demo", "device": "cpu", "settings": settings}
    words = [word for name, value in given.items() for word in ("--param", f"{name}={value}")]
    seen = run_in_terminal(["run", "train-style", *words, "--explain-cache"], place.root, 120)
    assert seen.code in (0, 1), seen.text  # so short a training may fall short at its gate
    assert "Traceback" not in seen.text
    assert re.search(rb"  red .*epoch [1-3]/4", seen.raw), "a bar while it learnt"
    (bar,) = [line for line in seen.lines if re.match(r"✓   red +━{28} 0:0\d:\d\d epoch 4/4", line)]
    log = seen.lines[: seen.lines.index(bar)]
    assert any("train style red: not done before" in line for line in log), "the log stands above the bars, untorn"
    assert any("style-red: version 1 " in line for line in log)
    assert any(line.startswith("ran     train style red: not done before") for line in seen.lines)


def test_a_retraining_with_nothing_pending_says_so(tmp_path: Path) -> None:
    place = Workspace(tmp_path / "w")
    seen = run_in_terminal(["run", "retrain-styles", "--param", f"catalog={tmp_path / 'no.yaml'}"], place.root, 200)
    assert seen.code == 2
    assert seen.lines == [f"error: parameter catalog not found: {tmp_path / 'no.yaml'}"]
