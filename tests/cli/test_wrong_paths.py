"""Every path that a command is given, wrong in every way: one line that names it, exit 2, and nothing written."""

from __future__ import annotations

import inspect
import json
from collections.abc import Iterator
from pathlib import Path
from typing import get_type_hints
from uuid import UUID

import numpy as np
import pytest
import typer

from fittingroom import images
from fittingroom.cli import app, run
from fittingroom.sample.deepfashion2_set import render_deepfashion2_set
from fittingroom.settings import get_settings
from flows.catalogue import FLOWS
from tests.translation.style_builders import GREYS, REDS, write_garments

NO_FILE = ["{t}/nowhere", "{t}/empty", "{t}/text.jpg/below", "{t}/loop", "{t}/" + 300 * "n"]
WRONG: dict[str, list[str]] = {
    "keys": ["{t}/nowhere", "{t}/empty", "{t}/text.jpg", "{t}/nothing", "{t}/loop", "{t}/photo.png/x"],
    "picture": [*NO_FILE, "{t}/text.jpg", "{t}/json.yaml", "{t}/nothing", "/dev/null", "{t}/cut.png"],
    "pictures": [*NO_FILE, "{t}/text.jpg", "{t}/photo.png", "{t}/texts"],
    "weights": [*NO_FILE, "{t}/text.jpg", "{t}/json.yaml", "{t}/nothing", "/dev/null", "{t}/photo.png"],
    "catalog": [*NO_FILE, "{t}/text.jpg", "{t}/json.yaml", "{t}/nothing", "/dev/null", "{t}/photo.png"],
    "overrides": [*NO_FILE, "{t}/text.jpg", "{t}/json.yaml", "/dev/null", "{t}/photo.png"],
    "annotations": [
        *NO_FILE, "{t}/text.jpg", "{t}/json.yaml", "{t}/nothing", "/dev/null", "{t}/photo.png", "{t}/texts",
    ],
    "checked": [*NO_FILE, "{t}/json.yaml", "{t}/texts"],
    "place": ["{t}/nowhere", "{t}/photo.png", "{t}/text.jpg/below", "{t}/loop", "{t}/" + 300 * "n"],
    "new picture": [
        "{t}/nowhere/x.png", "{t}/text.jpg/x.png", "{t}/folder.png", "{t}/x.bmp", "{t}/x", "/proc/x.png", "/dev/null",
        "{t}/" + 300 * "n" + ".png",
    ],
    "new folder": ["{t}/text.jpg", "{t}/text.jpg/below", "/proc/x", "/dev/null"],
    "new document": ["{t}/text.jpg", "{t}/text.jpg/x.json", "{t}/nowhere/x.json", "/proc/x", "/proc/x.json"],
    "new workspace": ["{t}/text.jpg", "{t}/text.jpg/below", "/proc/x", "/dev/null"],
}  # fmt: skip
"""What cannot be used as each kind of path. ``checked``: unreadable annotations are what ``check`` reports."""

STYLE = ["--preset", "demo", "--no-register"]
ROWS: dict[str, tuple[list[str], dict[str, tuple[str, str]]]] = {
    "crawl": (["{catalog_file}"], {"catalog_file": ("catalog", "{t}/catalog.yaml")}),
    "cutout": (
        ["{source}", "{target}", "--segmenter", "{segmenter}", "--overrides", "{overrides}", "--sheet", "{sheet}"],
        {
            "source": ("pictures", "{t}/shirts"),
            "target": ("new folder", "{t}/out"),
            "segmenter": ("weights", "{segmenter}"),
            "overrides": ("overrides", "{t}/overrides.yaml"),
            "sheet": ("new picture", "{t}/out.png"),
        },
    ),
    "prepare": (
        ["{source}", "{target}"],
        {"source": ("pictures", "{t}/shirts"), "target": ("new folder", "{t}/out")},
    ),
    "try-on": (
        ["{person}", "--style", "{style}", "-o", "{output}", "--segmenter", "{segmenter}", "--explain", "{explain}"],
        {
            "person": ("picture", "{t}/photo.png"),
            "style": ("picture", "red-solid"),
            "output": ("new picture", "{t}/out.png"),
            "segmenter": ("weights", "{segmenter}"),
            "explain": ("new picture", "{t}/steps.png"),
        },
    ),
    "verify": (
        ["{result}", "--original", "{original}"],
        {"result": ("picture", "{t}/photo.png"), "original": ("picture", "{t}/photo.png")},
    ),
    "train segmenter": (
        ["--dataset", "{dataset}", "--images", "{images}", "--weights", "{weights}", "--out", "{out}", *STYLE],
        {
            "dataset": ("annotations", "{t}/df2/annos"),
            "images": ("place", "{t}/df2/image"),
            "weights": ("weights", "{segmenter}"),
            "out": ("new folder", "{t}/out"),
        },
    ),
    "train style": (
        ["red", "--source", "{source}", "--target", "{target}", "--warm-start", "{warm_start}", "--out", "{out}",
         *STYLE],
        {
            "source": ("pictures", "{t}/greys"),
            "target": ("pictures", "{t}/reds"),
            "warm_start": ("weights", "{style}"),
            "out": ("new folder", "{t}/out"),
        },
    ),
    "evaluate segmenter": (
        ["--dataset", "{dataset}", "--images", "{images}", "--weights", "{weights}", "--sheet", "{sheet}"],
        {
            "dataset": ("annotations", "{t}/df2"),
            "images": ("place", "{t}/df2/image"),
            "weights": ("weights", "{segmenter}"),
            "sheet": ("new picture", "{t}/out.png"),
        },
    ),
    "evaluate style": (
        ["red", "--images", "{images}", "--target", "{target}", "--weights", "{weights}", "--sheet", "{sheet}",
         "--kid-weights", "{kid_weights}"],
        {
            "images": ("pictures", "{t}/greys"),
            "target": ("pictures", "{t}/reds"),
            "weights": ("weights", "{style}"),
            "sheet": ("new picture", "{t}/out.png"),
            "kid_weights": ("weights", "{style}"),
        },
    ),
    "annotations convert": (
        ["{source}", "{target}", "--to", "coco", "--images", "{images}"],
        {
            "source": ("annotations", "{t}/df2"),
            "target": ("new document", "{t}/out"),
            "images": ("place", "{t}/df2/image"),
        },
    ),
    "annotations check": (
        ["{source}", "--images", "{images}"],
        {"source": ("checked", "{t}/df2"), "images": ("place", "{t}/df2/image")},
    ),
    "styles describe": (
        ["{image}", "--segmenter", "{segmenter}"],
        {"image": ("picture", "{t}/photo.png"), "segmenter": ("weights", "{segmenter}")},
    ),
    "demo": (["--workspace", "{workspace}"], {"workspace": ("new workspace", "")}),
    "app": (["--no-open", "--api-keys", "{api_keys}"], {"api_keys": ("keys", "")}),
}  # fmt: skip
"""Each command that is given paths: how it is called, and each path's kind with one that is right."""

WITHOUT_PATHS = {"run", "serve", "doctor", "trace", "withdraw", "styles list", "styles show", "styles promote",
                 "styles rollback", "styles retire"}  # fmt: skip
FLOW_PATHS = {"catalog", "dataset", "source", "persons", "backbone_weights"}
"""A flow's paths that must be there; what is in them is looked at where the flow runs."""


def commands() -> Iterator[tuple[str, object]]:
    """Every command's words, and its function."""

    def below(command: object, words: str) -> Iterator[tuple[str, object]]:
        inner = getattr(command, "commands", None)
        if inner is None:
            yield words, inspect.unwrap(command.callback)  # type: ignore[attr-defined]
            return
        for name, each in inner.items():
            yield from below(each, f"{words} {name}".strip())

    yield from below(typer.main.get_command(app), "")


def test_every_path_of_every_command_has_a_row() -> None:
    asked = {
        words: {name for name, hint in get_type_hints(function).items() if hint in (Path, Path | None, list[Path])}
        for words, function in commands()
    }
    rows = {words: set(paths) - {"style"} for words, (_, paths) in ROWS.items()}  # a style is a name as well
    assert {words: paths for words, paths in asked.items() if paths} == rows
    assert {words for words, paths in asked.items() if not paths} == WITHOUT_PATHS


CASES = [
    (words, name, wrong)
    for words, (_, paths) in ROWS.items()
    for name, (kind, _) in paths.items()
    for wrong in WRONG[kind]
]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """A folder ``t`` with something of every kind, and weights of both kinds of models."""
    from fittingroom.registry.starters import StarterModels

    root = tmp_path_factory.mktemp("paths")
    shirt = np.full((120, 100, 3), 255, np.uint8)
    shirt[20:100, 30:70] = shirt[20:45, 12:88] = (200, 30, 40)
    images.write_png(root / "shirts" / "0.png", shirt)
    images.write_png(root / "photo.png", shirt)
    (root / "cut.png").write_bytes((root / "photo.png").read_bytes()[:60])
    write_garments(root / "greys", 8, GREYS)
    write_garments(root / "reds", 8, REDS)
    render_deepfashion2_set(root / "df2", 4, others=0, height=172, width=128)
    for folder in ("empty", "folder.png", "texts"):
        (root / folder).mkdir()
    (root / "texts" / "a.txt").write_text("text")
    (root / "text.jpg").write_text("not a picture\n")
    (root / "json.yaml").write_text('{"a": 1}')
    (root / "nothing").write_bytes(b"")
    (root / "overrides.yaml").write_text("keep: []\n")
    (root / "loop").symlink_to(root / "loop")
    (root / "catalog.yaml").write_text(
        "styles:\n  - name: red\n    category: vest\n    colour: red\n    pattern: solid\n"
        f"    sources:\n      - kind: folder\n        path: {root / 'shirts'}\n"
    )
    starter = StarterModels()
    return {"t": str(root), "segmenter": str(starter.segmenter()), "style": str(starter.style("red-solid"))}


@pytest.fixture(autouse=True)
def own_workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("FITTINGROOM_WORKSPACE", str(tmp_path / "workspace"))
    get_settings.cache_clear()
    yield
    get_settings.cache_clear()


def refused(arguments: list[str], wrong: str, world: dict[str, str], capsys: pytest.CaptureFixture[str]) -> str:
    """The line that a command says of a path, which is all that it does."""
    root = Path(world["t"])
    before = set(root.rglob("*"))
    code = run(arguments)
    said = capsys.readouterr()
    assert code == 2, said.err
    assert said.out == ""
    assert len(said.err.splitlines()) == 1, said.err
    assert said.err.startswith("error: ")
    assert wrong in said.err, "named as it was given"
    assert "unexpected" not in said.err
    assert set(root.rglob("*")) == before, "nothing is written"
    return said.err


@pytest.mark.parametrize(("words", "name", "wrong"), CASES, ids=lambda value: value[-30:])
def test_a_wrong_path_is_one_line_and_exit_2(
    words: str, name: str, wrong: str, world: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    arguments, paths = ROWS[words]
    given = {each: right.format(**world) for each, (_, right) in paths.items()} | {name: wrong.format(**world)}
    refused([*words.split(), *(argument.format(**given) for argument in arguments)], given[name], world, capsys)


@pytest.mark.parametrize("flow", FLOWS)
def test_a_wrong_path_stops_a_flow_before_it_starts(
    flow: str, world: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    fields = FLOWS[flow].parameters.model_fields
    paths = {name for name, field in fields.items() if "Path" in str(field.annotation)} - {"workspace"}
    assert paths <= FLOW_PATHS
    right = {
        "catalog": "catalog.yaml",
        "dataset": "df2",
        "source": "df2",
        "persons": "photo.png",
        "backbone_weights": "",
    }
    given = {each: f"{world['t']}/{right[each]}" for each in paths if right[each]}
    given |= {
        name: value
        for name, value in (("style", "red"), ("run", str(UUID(int=0))))
        if name in fields and fields[name].is_required()
    }
    for name, wrong in [*((name, "nowhere") for name in sorted(paths)), ("workspace", "text.jpg")]:
        wrong_one = given | {name: f"{world['t']}/{wrong}"}
        parameters = [f"--param={each}={value}" for each, value in wrong_one.items()]
        refused(["run", flow, *parameters], wrong_one[name], world, capsys)


def test_what_lies_there_instead_is_said(world: dict[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    photo, out = f"{world['t']}/photo.png", f"{world['t']}/out"
    assert (
        refused(["prepare", photo, out], photo, world, capsys) == f"error: folder not found: {photo} (that is a file)\n"
    )
    loop = f"{world['t']}/loop"
    assert refused(["prepare", loop, out], loop, world, capsys).endswith("(that is a link to nothing)\n")
    given = ["styles", "describe", photo, "--segmenter"]
    said = refused([*given, world["style"]], world["style"], world, capsys)
    assert said.endswith("expected weights of a segmenter, got those of a style\n")


def test_pictures_of_a_document_may_lie_elsewhere(
    world: dict[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A training and an evaluation take COCO and VIA, with the pictures where ``--images`` says."""
    from fittingroom.cli.models import dataset_folder

    for to in ("coco", "via"):
        document = tmp_path / "documents" / f"{to}.json"
        document.parent.mkdir(exist_ok=True)
        assert run(["annotations", "convert", f"{world['t']}/df2", str(document), "--to", to, "--json"]) == 0
        made = dataset_folder(document, Path(world["t"]) / "df2" / "image")
        sides = [len(json.loads((made / f"{side}.json").read_text())["images"]) for side in ("train", "validation")]
        assert sum(sides) in (3, 4), "no pair on both sides"
        capsys.readouterr()
        given = ["evaluate", "segmenter", "--dataset", str(document), "--weights", world["segmenter"], "--json"]
        assert run(given) == 2
        assert "folder of pictures not found" in capsys.readouterr().err
        assert run([*given, "--images", f"{world['t']}/df2/image"]) == 0
        report = json.loads(capsys.readouterr().out)
        assert (report["photos"], report["left_out"], report["source"]) == (4, {}, str(document))
        ready = ["train", "segmenter", "--dataset", str(made), "--images", f"{world['t']}/df2/image"]
        refused(ready, f"the dataset {made} says where its photos are", world, capsys)


@pytest.mark.parametrize("out", [["--out", ""], ["--out="], ["--out", " "]])
def test_an_empty_path_is_refused_and_nothing_is_written(
    out: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(["train", "style", "red-solid", "--source", "a", "--target", "b", *out]) == 2
    assert capsys.readouterr().err == (
        "error: expected a value for --out, got an empty one (the current folder is .)\n"
    )
    assert not list(tmp_path.iterdir())
