"""The command line's contract: one readable line for every mistake, the right exit code, JSON and nothing else."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from fittingroom import images
from fittingroom.cli import run
from fittingroom.registry.starters import StarterModels
from fittingroom.settings import get_settings


@pytest.fixture(autouse=True)
def own_workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("FITTINGROOM_WORKSPACE", str(tmp_path / "workspace"))
    monkeypatch.setenv("COLUMNS", "160")
    get_settings.cache_clear()
    yield tmp_path / "workspace"
    get_settings.cache_clear()


def garment_on_white(colour: tuple[int, int, int] = (200, 30, 40)) -> np.ndarray:
    """A plain T-shirt shape on white, (120, 100, 3)."""
    picture = np.full((120, 100, 3), 255, np.uint8)
    picture[20:100, 30:70] = colour
    picture[20:45, 12:88] = colour
    return picture


def pictures(folder: Path, count: int = 2) -> Path:
    folder.mkdir(parents=True)
    for number in range(count):
        images.write_png(folder / f"{number}.png", garment_on_white((200 - number, 30, 40)))
    return folder


WRONG: dict[str, list[str]] = {
    "no such folder": ["cutout", "{tmp}/nowhere", "{tmp}/out"],
    "empty folder": ["prepare", "{tmp}/empty", "{tmp}/out"],
    "wrong size": ["prepare", "{tmp}/pictures", "{tmp}/out", "--size", "255"],
    "no such catalog": ["crawl", "{tmp}/catalog.yaml"],
    "no such annotations": ["annotations", "check", "{tmp}/nowhere"],
    "no such dataset": ["train", "segmenter", "--dataset", "{tmp}/nowhere"],
    "not a dataset": ["train", "segmenter", "--dataset", "{tmp}/empty"],
    "unknown preset": [
        "train",
        "style",
        "red",
        "--source",
        "{tmp}/pictures",
        "--target",
        "{tmp}/pictures",
        "--preset",
        "huge",
    ],
    "unknown setting": [
        "train",
        "style",
        "red",
        "--source",
        "{tmp}/pictures",
        "--target",
        "{tmp}/pictures",
        "--set",
        "epoch=1",
    ],
    "wrong value": [
        "train",
        "style",
        "red",
        "--source",
        "{tmp}/pictures",
        "--target",
        "{tmp}/pictures",
        "--set",
        "epochs=-1",
    ],
    "too few pictures": [
        "train",
        "style",
        "red",
        "--source",
        "{tmp}/pictures",
        "--target",
        "{tmp}/pictures",
        "--preset",
        "demo",
    ],
    "unsafe name": ["train", "style", "../red", "--source", "{tmp}/pictures", "--target", "{tmp}/pictures"],
    "missing photo": ["try-on", "{tmp}/nobody.jpg", "--style", "red", "-o", "{tmp}/out.png"],
    "photo is text": ["try-on", "{tmp}/text.jpg", "--style", "red", "-o", "{tmp}/out.png"],
    "wrong suffix": ["try-on", "{tmp}/pictures/0.png", "--style", "red", "-o", "{tmp}/out.bmp"],
    "no style yet": ["try-on", "{tmp}/pictures/0.png", "--style", "red", "-o", "{tmp}/out.png"],
    "no champion": ["evaluate", "segmenter", "--dataset", "{tmp}/empty"],
    "unknown style": ["styles", "show", "red"],
    "unknown flow": ["run", "bogus"],
    "bad parameter": ["run", "lifecycle", "--param", "oops"],
    "unknown command": ["bogus"],
    "missing argument": ["cutout"],
    "unknown option": ["doctor", "--loud"],
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_input_is_one_line_and_exit_2(case: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "text.jpg").write_text("not a picture")
    pictures(tmp_path / "pictures")
    code = run([argument.format(tmp=tmp_path) for argument in WRONG[case]])
    said = capsys.readouterr()
    assert code == 2, said.err
    assert said.out == ""
    assert len(said.err.splitlines()) == 1, said.err
    assert said.err.startswith("error: ")
    assert "Traceback" not in said.err
    assert not (tmp_path / "out").exists()
    assert not (tmp_path / "out.png").exists()


def test_debug_shows_the_traceback(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["cutout", str(tmp_path / "nowhere"), str(tmp_path / "out"), "--debug"]) == 2
    assert "Traceback" in capsys.readouterr().err


def test_a_corrupt_picture_is_a_row_and_exit_1(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = pictures(tmp_path / "pictures")
    (folder / "broken.png").write_bytes((folder / "0.png").read_bytes()[:60])
    assert run(["prepare", str(folder), str(tmp_path / "out"), "--json"]) == 1
    said = capsys.readouterr()
    document = json.loads(said.out)
    assert document["counts"]["failed"] == 1
    assert document["counts"]["kept"] == 4  # two pictures and their mirrored twins
    assert "broken.png" in said.err


def test_prepare_writes_squares_with_their_mask(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert (
        run(["prepare", str(pictures(tmp_path / "pictures", 1)), str(tmp_path / "out"), "--no-flip", "--size", "64"])
        == 0
    )
    (written,) = images.list_images(tmp_path / "out")
    picture = images.read_rgba(written)
    assert picture.shape == (64, 64, 4)
    assert (picture[picture[..., 3] == 0, :3] == 255).all()
    assert 0.2 < (picture[..., 3] > 0).mean() < 0.9
    assert "kept 1" in capsys.readouterr().out


def test_json_is_one_document_and_nothing_else(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["styles", "list", "--json"]) == 0
    starters = {path.stem for path in StarterModels().files()}
    assert set(json.loads(capsys.readouterr().out)) == starters > {"segmenter", "style-red-solid"}
    run(["doctor", "--json"])
    findings = json.loads(capsys.readouterr().out)
    assert {"name", "state", "detail"} == set(findings[0])
    assert {"torch", "workspace", "registry"} <= {finding["name"] for finding in findings}


def test_doctor_names_a_version_that_is_a_trap(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import importlib.metadata

    real = importlib.metadata.version
    monkeypatch.setattr(importlib.metadata, "version", lambda name: "0.160.0" if name == "fastapi" else real(name))
    assert run(["doctor", "--json"]) == 1
    broken = [f for f in json.loads(capsys.readouterr().out) if f["state"] == "broken"]
    assert [f["name"] for f in broken] == ["fastapi"]
    assert "0.160.0" in broken[0]["detail"]


def test_the_installed_command_ends_with_the_exit_code(tmp_path: Path) -> None:
    command = [str(Path(sys.executable).with_name("fittingroom")), "cutout", str(tmp_path / "nowhere"), str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("error: folder not found")


def test_what_its_gate_refused_is_promoted_by_force_alone_and_retire_is_undone(
    own_workspace: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from fittingroom.registry.registry import Registry
    from fittingroom.workspace import Workspace

    registry = Registry(Workspace(own_workspace))
    weights = tmp_path / "weights.safetensors"
    weights.write_bytes(b"weights")
    version = registry.register("style-red", weights, {}, {}, {})
    registry.note_verdict(version, False, "0.1 is worse than the champion's 0.8")
    assert run(["styles", "promote", "red", "1"]) == 2
    told = capsys.readouterr().err
    assert "--force" in told
    assert "0.1 is worse than the champion's 0.8" in told
    assert registry.champion("style-red") is None
    assert run(["styles", "promote", "red", "1", "--force"]) == 0
    assert run(["styles", "retire", "red"]) == 0
    assert "version 1 does not serve any more; fittingroom styles retire red --undo" in capsys.readouterr().out
    assert registry.champion("style-red") is None
    assert run(["styles", "rollback", "red"]) == 2
    assert "styles retire red --undo" in capsys.readouterr().err
    assert run(["styles", "retire", "red", "--undo"]) == 0
    assert registry.champion("style-red") is not None
    assert run(["styles", "rollback", "red"]) == 2
    assert "version 1 is the first that served" in capsys.readouterr().err
    assert run(["styles", "retire", "blue"]) == 2
    assert "blue (registered: red)" in capsys.readouterr().err
