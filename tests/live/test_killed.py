"""SIGKILL of the flow's process in the middle of each stage, then the same command again: it finishes, and nothing
that was complete runs again."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from fittingroom.manifest import Manifest
from fittingroom.registry.registry import Registry, style_model
from tests.live.live_world import STYLE, World, build_world
from tests.live.processes import environment_of, kill_flow_when, records, run_flow

pytestmark = [pytest.mark.faults, pytest.mark.timeout(3600)]


def killed_and_run_again(
    world: World, server: str, flow: str, parameters: dict[str, Any], condition: Callable[[], object], what: str
) -> None:
    """Kill the flow when ``condition`` holds, run it again, and see that no finished step was done twice."""
    environment = environment_of(world.workspace, server)
    kill_flow_when(condition, what, flow, parameters, environment)
    before = records(world.workspace)
    done = run_flow(flow, parameters, environment)
    assert done.returncode in (0, 1), done.stderr
    after = records(world.workspace)
    assert {name: after.get(name) for name in before} == before, "a step that was complete ran again"
    assert len(after) > len(before), "the step that was killed came to its end"


def test_in_the_crawl(server: str, tmp_path: Path) -> None:
    world = build_world(tmp_path, pictures=60)
    folder = world.workspace.crawl(STYLE)
    killed_and_run_again(
        world, server, "crawl-garments", {"catalog": world.catalog},
        lambda: len(list(folder.glob("*.jpg"))) >= 5, "five pictures of the first style are there",
    )  # fmt: skip
    manifest = Manifest.read(folder / "manifest.jsonl")
    assert len(manifest.kept()) == len(list(folder.glob("*.jpg"))) > 40
    fresh = build_world(tmp_path / "fresh", pictures=60)
    assert (
        run_flow("crawl-garments", {"catalog": fresh.catalog}, environment_of(fresh.workspace, server)).returncode == 0
    )
    same = [sorted(p.name for p in w.workspace.crawl(STYLE).glob("*.jpg")) for w in (world, fresh)]
    assert same[0] == same[1], "as many and the same pictures as a crawl that was left alone"


def test_while_preparing(server: str, prepared: World, tmp_path: Path) -> None:
    world = prepared.copy(tmp_path / "copy")
    wanted = {p.name: p.read_bytes() for p in world.workspace.prepared(STYLE).glob("*.png")}
    cutouts, pictures = world.workspace.cutouts(STYLE), world.workspace.prepared(STYLE)
    for record in world.workspace.cache.glob("*"):
        if record.name.startswith(("cut-out", "prepare")):
            record.unlink()
    for picture in (*cutouts.glob("*"), *pictures.glob("*")):
        picture.unlink()
    killed_and_run_again(
        world, server, "prepare-garments", {"shard_size": 2},
        lambda: len(list(pictures.glob("*.png"))) >= 2, "the first shard is prepared",
    )  # fmt: skip
    assert {p.name: p.read_bytes() for p in pictures.glob("*.png")} == wanted


def steps_told(world: World) -> list[int]:
    path = world.workspace.training(style_model(STYLE)) / "progress.jsonl"
    lines = path.read_text().splitlines() if path.exists() else []
    return [json.loads(line)["step"] for line in lines if line.endswith("}")]


def test_in_the_middle_of_an_epoch_and_the_weights_are_equal_bit_for_bit(
    server: str, prepared: World, trained: World, tmp_path: Path
) -> None:
    world = prepared.copy(tmp_path / "copy")
    killed_and_run_again(
        world, server, "train-style", world.training(),
        lambda: steps_told(world)[-1:] >= [30], "step 30 of 60 (epochs have 20)",
    )  # fmt: skip
    told = steps_told(world)
    assert told[-1] == 60
    assert told.count(1) == 1, "it resumed from a checkpoint"
    name = Path("training") / style_model(STYLE) / "weights.safetensors"
    one, other = load_file(world.workspace.root / name), load_file(trained.workspace.root / name)
    assert one.keys() == other.keys()
    assert all(torch.equal(one[tensor], other[tensor]) for tensor in one)


def test_while_registering(server: str, trained: World, tmp_path: Path) -> None:
    world = trained.copy(tmp_path / "copy")
    before = Registry(world.workspace).versions(style_model(STYLE))
    weights = world.workspace.training(style_model(STYLE)) / "weights.safetensors"
    relabel(weights)
    killed_and_run_again(
        world, server, "register-style", {"style": STYLE, "preset": "demo"},
        lambda: len(list(world.workspace.registry.glob("artifacts/*/artifacts/weights.safetensors"))) > len(before) + 1,
        "the weights lie in the registry's folder",
    )  # fmt: skip
    after = Registry(world.workspace).versions(style_model(STYLE))
    assert len(after) == len(before) + 1, "registered once"


def relabel(weights: Path) -> None:
    """Other content, so that the registry takes it for a new version."""
    from fittingroom.training.weights import read_weights, save_weights

    found = read_weights(weights, "style")
    save_weights(weights, "style", found.tensors, found.settings, {**found.info, "note": "the same, told apart"})


def test_while_trying_on(server: str, trained: World, tmp_path: Path) -> None:
    world = trained.copy(tmp_path / "copy")
    parameters = {"persons": world.persons, "styles": STYLE, "shard_size": 1, "device": "cpu"}
    killed_and_run_again(
        world, server, "try-on-batch", parameters,
        lambda: len(list(world.workspace.cache.glob("try-on-*"))) >= 1, "the first photo is done",
    )  # fmt: skip
    manifest = Manifest.read(world.workspace.tryon / "batch.jsonl")
    assert len(manifest.rows) == 3
    assert all((world.workspace.tryon / row.path).is_file() for row in manifest.kept())
    assert manifest.kept()
