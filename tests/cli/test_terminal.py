"""Every command in a real terminal, wide, narrow, without colour and dumb: what a person sees there."""

from __future__ import annotations

import json
import re
import signal
import socket
import sqlite3
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
import typer

from deployments.definitions import DEFINITIONS
from fittingroom import images
from fittingroom.cli import app
from fittingroom.settings import get_settings
from tests.cli.terminal import SETTINGS, Seen, run_in_terminal
from tests.translation.style_builders import GREYS, REDS, TINY, write_garments

COLOUR = re.compile(rb"\x1b\[(?:\d+;)*(?:3|4|9|10)[0-7][\d;]*m")
QUICK = TINY | {"epochs": 1, "steps_per_epoch": 2, "sample_steps": 2}
SETS = [part for name, value in QUICK.items() for part in ("--set", f"{name}={json.dumps(value)}")]
TRAIN = ["--source", "{t}/greys", "--target", "{t}/reds", "--preset", "demo", "--no-register"]

COMMANDS: dict[str, tuple[list[str], int, str]] = {
    "crawl": (["{t}/catalog.yaml"], 0, "kept"),
    "cutout": (["{t}/shirts", "{t}/out/{n}/cut"], 0, "refused plain.png: "),
    "prepare": (["{t}/shirts", "{t}/out/{n}/prepared"], 0, "written to"),
    "annotations convert": (["{t}/via.json", "{t}/out/{n}/coco", "--to", "coco"], 0, "1 garments"),
    "annotations check": (["{t}/via.json"], 0, "via"),
    "train style": (["navy", *TRAIN, "--out", "{t}/out/{n}/style", *SETS], 0, "weights:"),
    "train segmenter": (["--dataset", "{t}/nowhere"], 2, "dataset not found"),
    "evaluate style": (["red", "--images", "{t}/twins", "--weights", "{w}"], 0, "pictures: 2"),
    "evaluate segmenter": (["--dataset", "{t}/nowhere"], 2, "not found"),
    "styles list": ([], 0, "red"),
    "styles show": (["nosuch"], 2, "style not found"),
    "styles describe": (["{t}/shirts/0.png"], 0, "red solid"),
    "styles promote": (["red", "7"], 2, "error:"),
    "styles rollback": (["red"], 2, "error:"),
    "styles retire": (["nosuch"], 2, "error:"),
    "try-on": (["{t}/nobody.jpg", "--style", "red-solid", "-o", "{t}/x.png"], 2, "not found"),
    "verify": (["{t}/0.png", "--original", "{t}/0.png"], 1, "0.png"),
    "trace": (["red-solid"], 0, "starter model, shipped with the package"),
    "withdraw": (["nosuch"], 2, "picture not found: nosuch"),
    "run": (["try-on", "--help"], 0, "default: 0.8"),
    "serve": (["--port", "{taken}"], 2, "is taken by another program"),
    "app": (["--port", "{taken}"], 2, "is taken by another program"),
    "demo": (["--help"], 0, "sample world"),
    "doctor": ([], 0, "torch"),
}


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, object]]:
    """Small inputs of every kind, the starter's weights, and a port that is taken."""
    from fittingroom.registry.starters import StarterModels

    root = tmp_path_factory.mktemp("terminal")
    shirt = np.full((360, 300, 3), 255, np.uint8)
    shirt[60:300, 90:210] = shirt[60:135, 36:264] = (200, 30, 40)
    images.write_png(root / "shirts" / "0.png", shirt)
    images.write_png(root / "shirts" / "plain.png", np.full((360, 300, 3), 255, np.uint8))
    write_garments(root / "greys", 20, GREYS)
    write_garments(root / "reds", 20, REDS)
    for path in write_garments(root / "twins", 2, GREYS):
        images.write_png(path.with_name(f"{path.stem}_flip.png"), images.read_rgba(path)[:, ::-1])
    (root / "catalog.yaml").write_text(
        "styles:\n  - name: red\n    category: vest\n    colour: red\n    pattern: solid\n"
        f"    sources:\n      - kind: folder\n        path: {root / 'shirts'}\n"
    )
    corners = {"name": "polygon", "all_points_x": [36, 264, 210, 90], "all_points_y": [60, 60, 300, 300]}
    region = {"shape_attributes": corners, "region_attributes": {"category": "vest"}}
    entry = {"filename": "0.png", "size": 0, "regions": [region], "file_attributes": {}}
    (root / "via.json").write_text(json.dumps({"0.png0": entry}))
    (root / "0.png").write_bytes((root / "shirts" / "0.png").read_bytes())
    with socket.create_server(("127.0.0.1", 0)) as taken:
        yield {"t": root, "taken": taken.getsockname()[1], "w": StarterModels().style("red-solid")}


def walk(group: typer.Typer) -> Iterator[str]:
    """Every command's words."""

    def below(command: object, words: str) -> Iterator[str]:
        inner = getattr(command, "commands", None)
        if inner is None:
            yield words
            return
        for name, each in inner.items():
            yield from below(each, f"{words} {name}".strip())

    yield from below(typer.main.get_command(group), "")


def test_every_command_has_a_screen() -> None:
    assert set(walk(app)) == set(COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_on_every_screen(command: str, inputs: dict[str, object]) -> None:
    arguments, code, words = COMMANDS[command]

    def look(number: int, columns: int, more: dict[str, str]) -> Seen:
        given = [argument.format(n=number, **inputs) if "{" in argument else argument for argument in arguments]
        return run_in_terminal(
            [*command.split(), *given], Path(str(inputs["t"])) / f"w{number}", columns, more, warm=True
        )

    with ThreadPoolExecutor(3) as pool:
        seen = list(pool.map(look, range(3), *zip(*SETTINGS.values(), strict=True)))
    for name, screen in zip(SETTINGS, seen, strict=True):
        shown = " ".join(screen.text.split())
        assert screen.code == code, f"{name}: {screen.text}"
        assert words in shown or words.replace(" ", "") in screen.text.replace("\n", "").replace(" ", ""), name
        assert not screen.left, "a process is left behind"
        assert "Traceback" not in shown
        assert "unexpected" not in shown
        if code == 2:
            assert screen.raw.count(b"\n") == 1, screen.text
            assert screen.lines[0].startswith("error: ")
        if "120" not in name:
            assert not COLOUR.search(screen.raw), "no colours"


def help_is_whole(seen: Seen) -> bool:
    return not any(line.endswith(("...", "…")) for line in seen.lines[1:]) and seen.lines[0].startswith("Usage: ")


@pytest.mark.parametrize("words", ["", "styles", "train", "evaluate", "annotations", "--help"])
def test_help_is_help_and_not_cut_off(words: str, tmp_path: Path) -> None:
    seen = run_in_terminal(words.split(), tmp_path, 60, warm=True)
    assert seen.code == (0 if words == "--help" else 2)
    assert help_is_whole(seen), seen.text


@pytest.mark.slow
def test_ctrl_c_in_a_training_is_one_line(inputs: dict[str, object], tmp_path: Path) -> None:
    long = [*SETS, "--set", "epochs=2000"]
    given = ["train", "style", "navy", *TRAIN, "--out", str(tmp_path / "out"), *long]
    given = [argument.format(**inputs) if argument.startswith("{t}") else argument for argument in given]
    seen = run_in_terminal(given, tmp_path / "w", interrupt=lambda raw: b"/4000" in raw, warm=True)
    assert seen.code == 130
    assert [line for line in seen.lines if "error" in line] == ["error: stopped"], seen.text
    assert "Traceback" not in seen.text
    assert seen.left == ()
    assert not list(tmp_path.rglob("*.tmp"))


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """More pictures of garments than are through before somebody types Ctrl-C."""
    folder = tmp_path_factory.mktemp("many")
    random = np.random.default_rng(0)
    for number in range(150):
        shirt = np.full((720, 600, 3), 255, np.uint8)
        shirt[120:600, 180:420] = random.integers(0, 200, (480, 240, 3))
        images.write_png(folder / f"{number}.png", shirt)
    return folder


@pytest.mark.parametrize("command", ["cutout --method plain", "prepare"])
def test_ctrl_c_among_pictures_leaves_nothing_half_written(command: str, many: Path, tmp_path: Path) -> None:
    given = [*command.split(), str(many), str(tmp_path / "out")]
    begun = lambda _: len(list(tmp_path.rglob("*.png"))) > 2  # noqa: E731
    seen = run_in_terminal(given, tmp_path / "w", interrupt=begun, warm=True)
    assert seen.code == 130, seen.text
    assert [line for line in seen.lines if "error" in line] == ["error: stopped"], seen.text
    assert "Traceback" not in seen.text
    assert seen.left == ()
    assert not list(tmp_path.rglob("*.tmp"))
    for path in tmp_path.rglob("*.png"):
        images.read_rgba(path)


def test_ctrl_c_in_a_conversion_is_one_line_of_one_process(tmp_path: Path) -> None:
    via, picture = tmp_path / "via", np.full((300, 300, 3), 200, np.uint8)
    images.write_png(via / "image" / "0.png", picture)
    one, corners = (via / "image" / "0.png").read_bytes(), {"all_points_x": [9, 90, 90], "all_points_y": [9, 9, 90]}
    entries = {}
    for number in range(12000):
        (via / "image" / f"{number}.png").write_bytes(one)
        region = {"shape_attributes": {"name": "polygon"} | corners, "region_attributes": {"category": "vest"}}
        entries[f"{number}"] = {"filename": f"{number}.png", "size": -1, "regions": [region], "file_attributes": {}}
    (via / "via.json").write_text(json.dumps(entries))
    words = ["annotations", "convert", str(via), str(tmp_path / "out" / "coco"), "--to", "coco", "--workers", "2"]
    seen = run_in_terminal(words, tmp_path / "w", interrupt=lambda raw: b"/12000" in raw, warm=True)
    assert seen.code == 130, seen.text
    assert "Traceback" not in seen.text
    assert [line for line in seen.lines if "error" in line] == ["error: stopped"], seen.text
    assert seen.left == ()
    assert not (tmp_path / "out").exists(), "made for it, and empty"
    assert not list(tmp_path.rglob("*.tmp"))


class _Slow(BaseHTTPRequestHandler):
    """Answers nothing until it is told to."""

    def do_GET(self) -> None:
        self.server.asked.set()  # type: ignore[attr-defined]
        self.server.over.wait(120)  # type: ignore[attr-defined]

    def log_message(self, *_: object) -> None:
        """Nothing."""


def test_ctrl_c_while_a_server_keeps_a_crawl_waiting(tmp_path: Path) -> None:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Slow)
    server.asked, server.over = threading.Event(), threading.Event()  # type: ignore[attr-defined]
    threading.Thread(target=server.serve_forever, daemon=True).start()
    catalog = tmp_path / "catalog.yaml"
    catalog.write_text(
        "styles:\n  - name: red\n    category: vest\n    colour: red\n    pattern: solid\n    sources:\n"
        f"      - kind: page\n        url: http://127.0.0.1:{server.server_port}/\n"
    )
    try:
        seen = run_in_terminal(
            ["crawl", str(catalog)],
            tmp_path / "w",
            more={"FITTINGROOM_ALLOW_LOOPBACK": "1"},
            interrupt=lambda _: server.asked.is_set(),  # type: ignore[attr-defined]
            warm=True,
        )
    finally:
        server.over.set()  # type: ignore[attr-defined]
        server.shutdown()
        server.server_close()
    assert seen.code == 130, seen.text
    assert [line for line in seen.lines if "error" in line] == ["error: stopped"], seen.text
    assert seen.left == ()
    assert not list(tmp_path.rglob("*.tmp"))


def paused(workspace: Path) -> dict[str, bool]:
    """Of each deployment with a schedule, whether it is paused: as it stands in the server's database."""
    with closing(sqlite3.connect(workspace / "prefect" / "prefect.db", timeout=30)) as database:
        rows = database.execute(
            "SELECT name, paused FROM deployment WHERE id IN (SELECT deployment_id FROM deployment_schedule)"
        )
        return {name: bool(is_paused) for name, is_paused in rows}


@pytest.mark.slow
@pytest.mark.parametrize("by", [None, signal.SIGTERM])
def test_serve_ends_clean(by: int | None, tmp_path: Path) -> None:
    scheduled = {each.flow for each in DEFINITIONS if get_settings().schedules.of(each.flow)}
    before: dict[str, bool] = {}

    def serving(raw: bytes) -> bool:
        if b"Try on: " in raw and not before:
            before.update(paused(tmp_path))
        return bool(before)

    seen = run_in_terminal(["serve"], tmp_path, 200, interrupt=serving, by=by)
    assert seen.code == 0, seen.text
    assert before == dict.fromkeys(scheduled, False), "while it served"
    assert paused(tmp_path) == dict.fromkeys(scheduled, True)
    assert "stopped; nothing is scheduled until fittingroom serve runs again" in " ".join(seen.text.split())
    assert "Traceback" not in seen.text
    assert seen.left == ()


@pytest.mark.parametrize("everywhere", [False, True])
def test_json_is_one_document_in_a_terminal_too(everywhere: bool, inputs: dict[str, object], tmp_path: Path) -> None:
    out = None if everywhere else tmp_path / "stdout"
    for given in (
        ["prepare", "{t}/shirts", str(tmp_path / "prepared")],
        ["annotations", "check", "{t}/via.json"],
        ["styles", "list"],
    ):
        words = [*(word.format(**inputs) for word in given), "--json"]
        seen = run_in_terminal(words, tmp_path / "w", columns=10_000, warm=True, out=out)
        assert seen.code == 0, seen.text
        json.loads(seen.raw.replace(b"\r", b"") if out is None else seen.out)


@pytest.mark.parametrize("by", [None, signal.SIGTERM])
def test_the_page_says_its_address_and_stops(by: int | None, tmp_path: Path) -> None:
    seen = run_in_terminal(["app", "--no-open"], tmp_path, interrupt=lambda raw: b"Ctrl-C)" in raw, by=by)
    assert seen.code in (0, 130, -signal.SIGTERM)
    assert seen.lines[0].startswith("try-on page: http://127.0.0.1:")
    assert set(seen.lines[1:]) <= {"^C", "error: stopped"}, seen.text
