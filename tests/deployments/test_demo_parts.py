"""The demo's parts: what it shows, and the port it keeps."""

from __future__ import annotations

import io
import re
import shlex
import socket
from pathlib import Path

import pyte
import pytest
from rich.console import Console

from deployments import demo
from deployments.live import LiveProgress
from fittingroom.sample.shop import ShopFiles
from fittingroom.sample.world import World
from fittingroom.training.progress import Progress
from fittingroom.workspace import Workspace


def test_the_shop_keeps_its_port_so_that_the_cache_holds(tmp_path: Path) -> None:
    world = World(tmp_path, tmp_path, ShopFiles(tmp_path, {}), (), "d")
    workspace = Workspace(tmp_path)
    with demo._shop(workspace, world) as first:
        port = first.port
    with demo._shop(workspace, world) as second:
        assert second.port == port
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind(("127.0.0.1", port))
        taken.listen()
        with demo._shop(workspace, world) as third:
            assert third.port != port
            other = third.port
    with demo._shop(workspace, world) as fourth:
        assert fourth.port == other


def test_where_nobody_watches_it_says_plain_lines() -> None:
    out = io.StringIO()
    with LiveProgress(Console(file=out, width=120)) as live:
        live.stage("crawl the shop", ended=False)
        live.step("crawl the shop", 1, 2)
        live.stage("crawl the shop", ended=True)
        for number in range(1, 4):
            live.training("navy-striped", Progress(number, 3, 1, 1, {"cycle": 0.25}, 9.0))
    said = out.getvalue().splitlines()
    assert said[0].startswith("crawl the shop: ")
    assert said[1] == "  navy-striped: step 1/3, epoch 1/1  9 s left  cycle 0.25"
    assert len(said) == 2, "not every step"


def test_a_training_that_waits_for_its_turn_says_so() -> None:
    out = io.StringIO()
    with LiveProgress(Console(file=out, width=120)) as live:
        live.training("navy-striped", Progress(0, 0, 0, 0, message="another training is at work"))
    assert out.getvalue() == "  navy-striped: another training is at work\n"


@pytest.mark.parametrize(
    ("width", "words"),
    [(60, "epoch 2/48"), (80, "epoch 2/48  246 s left"), (120, "epoch 2/48  246 s left  learning_rate 0.0007")],
)
def test_on_a_terminal_it_draws_bars_that_fit(width: int, words: str) -> None:
    out = io.StringIO()
    values = {"learning_rate": 0.0007, "loss_classifier": 1.05, "loss_box_reg": 0.763}
    with LiveProgress(Console(file=out, width=width, force_terminal=True)) as live:
        live.stage("cut out what people wear", ended=False)
        live.training("navy-striped", Progress(300, 1200, 2, 48, values, seconds_left=246.0))
        live.stage("cut out what people wear", ended=True)
    screen = pyte.Screen(width, 24)
    pyte.Stream(screen).feed(out.getvalue().replace("\n", "\r\n"))
    stage, training = [line.rstrip() for line in screen.display if line.strip()]
    assert re.fullmatch(r"✓ cut out what people wear ━{8,} 0:00:0\d", stage)
    assert re.fullmatch(rf".   navy-striped           [━╺╸]{{8,}} 0:00:0\d {re.escape(words)}", training)


def test_the_summary_names_what_to_look_at() -> None:
    out = io.StringIO()
    files = {"contact-sheet.png": "/w/reports/contact-sheet.png", "report.html": "/w/reports/report.html"}
    place = Workspace(Path("/w"))
    problems = ["style-navy: it did not pass its gate"]
    demo._summary(Console(file=out, width=200), place, "FITTINGROOM_WORKSPACE=/w", files, problems, 12.0)
    for words in ("/w/reports/contact-sheet.png", "/w/reports/report.html", "did not pass"):
        assert words in out.getvalue()
    assert "FITTINGROOM_WORKSPACE=/w fittingroom serve" in out.getvalue()
    assert "FITTINGROOM_WORKSPACE=/w fittingroom try-on /w/sample/people/anna.jpg --style red-solid" in out.getvalue()
    assert "\n  fittingroom try-on me.jpg --style red-solid" in out.getvalue()


def test_the_demo_keeps_to_a_workspace_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where the installation's registry is a server: the demo's models must not serve people's photos."""
    from fittingroom.cli import running
    from fittingroom.settings import get_settings

    monkeypatch.setenv("FITTINGROOM_WORKSPACE", str(tmp_path / "it's mine"))
    monkeypatch.setenv("FITTINGROOM_TRACKING_URI", "http://127.0.0.1:9")
    get_settings.cache_clear()
    asked: list[Path] = []

    def begin(workspace: Path) -> int:
        asked.append(workspace)
        return 0

    monkeypatch.setattr(running, "command_above", lambda _: begin)
    assert running.demo() == 0
    assert running.demo(tmp_path / "here") == 0
    assert asked == [tmp_path / "it's mine" / "demo", tmp_path / "here"]
    try:
        said = demo._keep_to(Workspace(asked[0]))
        settings = get_settings()
        assert (settings.workspace, settings.tracking_uri) == (asked[0], "")
        assert shlex.split(said) == [f"FITTINGROOM_WORKSPACE={asked[0]}", "FITTINGROOM_TRACKING_URI="]
    finally:
        get_settings.cache_clear()
