"""Pictures that are taken out while others work, by hostile names, and out of registries that were brought back."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file

from fittingroom.cli import run
from fittingroom.crawl.images.check import Checked, checked
from fittingroom.crawl.settings import CrawlSettings
from fittingroom.crawl.store import Store
from fittingroom.crawl.withdrawn import Withdrawals, note_withdrawal
from fittingroom.datasets import PICTURES
from fittingroom.lineage.pictures import Pictures
from fittingroom.lineage.withdraw import mark_versions, withdraw
from fittingroom.manifest import ImageRow, Manifest, append
from fittingroom.registry.admission import Trained, admit_style
from fittingroom.registry.registry import Registry, style_model
from fittingroom.registry.serving import Serving
from fittingroom.settings import get_settings
from fittingroom.style_card import StyleCard
from fittingroom.workspace import Workspace, digest_bytes
from tests.app.stand_ins import encoded

MODEL = style_model("red")
ESCAPES = "/shop/a\x1b[31mred\nevil.png"


@dataclass(frozen=True)
class World:
    """One crawled picture with what was made of it, and a version that learnt from it and serves."""

    place: Workspace
    picture: Checked
    address: str
    files: tuple[Path, ...]

    @property
    def registry(self) -> Registry:
        return Registry(self.place)

    def pictures_json(self) -> Path:
        path = self.place.root / PICTURES
        path.write_text(json.dumps({"target": {"learnt_from": [self.files[2].name], "held_out": []}}))
        return path

    def weights(self, number: int) -> Path:
        path = self.place.root / f"{number}.safetensors"
        save_file({"a": np.full(2, number, np.float32)}, path)
        return path


def picture(seed: int) -> Checked:
    image = np.random.default_rng(seed).integers(0, 256, (400, 300, 3), np.uint8)
    with checked(encoded(image), CrawlSettings()) as whole:
        return whole


@pytest.fixture(scope="module")
def crawled(tmp_path_factory: pytest.TempPathFactory) -> World:
    place, one = Workspace(tmp_path_factory.mktemp("lineage") / "w"), picture(0)
    kept = Store(place.crawl("red"), CrawlSettings()).keep(one, ImageRow(ESCAPES, "kept"))
    made = [place.crawl("red") / kept.path]
    for folder, source in ((place.cutouts("red"), kept.sha256), (place.prepared("red"), digest_bytes(b"cutout"))):
        data = b"cutout" if not made[1:] else b"prepared"
        made.append(folder / f"{source[:32]}.png")
        folder.mkdir(parents=True)
        made[-1].write_bytes(data)
        row = ImageRow(made[-1].name, "kept", "", made[-1].name, digest_bytes(data), source)
        append(folder / "manifest.jsonl", row)
    world = World(place, one, ESCAPES, tuple(made))
    world.registry.register(MODEL, world.weights(1), {}, {"d": "1"}, {}, files={PICTURES: world.pictures_json()})
    world.registry.promote(MODEL, 1, "for a test")
    return world


@pytest.fixture
def world(crawled: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """A copy of it, which the command line works in: a registry takes MLflow its time to make."""
    place = Workspace(tmp_path / "w")
    shutil.copytree(crawled.place.root, place.root)
    monkeypatch.setenv("FITTINGROOM_WORKSPACE", str(place.root))
    get_settings.cache_clear()
    yield World(
        place, crawled.picture, ESCAPES, tuple(place.root / f.relative_to(crawled.place.root) for f in crawled.files)
    )
    get_settings.cache_clear()


def test_a_crawl_that_is_under_way_keeps_no_picture_that_was_withdrawn_meanwhile(world: World) -> None:
    crawl = Store(world.place.crawl("red"), CrawlSettings())
    assert crawl.withdrawals.all == []
    withdraw(world.place, world.registry, [world.address], "asked")
    row = crawl.keep(world.picture, ImageRow("https://elsewhere.example/1.png", "kept"))
    assert (row.status, row.path) == ("withdrawn", "")
    assert not world.files[0].exists()


def test_what_a_crawl_kept_at_the_last_moment_goes_too(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another style's crawl keeps the same picture after the withdrawal has looked around, and before it is known."""
    other = Store(world.place.crawl("blue"), CrawlSettings())
    noted = note_withdrawal

    def late(*said: Any) -> None:
        if not Withdrawals.read(world.place).all:
            assert other.keep(world.picture, ImageRow("https://other.example/1.png", "kept")).status == "kept"
        noted(*said)

    monkeypatch.setattr("fittingroom.lineage.withdraw.note_withdrawal", late)
    done = withdraw(world.place, world.registry, [world.address], "asked")
    assert {one.style for one in done.plan.addresses} == {"red", "blue"}
    assert not list(world.place.crawl("blue").glob("*.png"))
    (row,) = Manifest.read(world.place.crawl("blue") / "manifest.jsonl").rows
    assert row.status == "withdrawn"
    assert {one.address for one in Withdrawals.read(world.place).all} == {ESCAPES, "https://other.example/1.png"}


def test_a_version_that_was_trained_meanwhile_does_not_serve(world: World) -> None:
    withdraw(world.place, world.registry, [world.address], "asked", stop_serving=True)
    good = {"ciede2000_median": 4.0, "luminance_ssim": 0.9, "leak": 0.0, "pattern_recognised": 1.0, "best_step": 200.0}
    trained = Trained(world.weights(2), good, "demo", {"d": "2"}, {})

    def admitted(force: bool) -> tuple[bool, str]:
        done = admit_style(
            Serving(world.registry),
            StyleCard("red", "red", "solid", "vest"),
            trained,
            lambda _: pytest.fail("nothing is measured"),
            force,
            lambda: mark_versions(world.place, world.registry),
            files={PICTURES: world.pictures_json()},
        )
        return done.passed, done.reasons[0]

    passed, reason = admitted(force=False)
    assert not passed
    assert reason.startswith("it learnt from a picture that was withdrawn at 20")
    assert world.registry.champion(MODEL) is None
    assert admitted(force=True)[0] is False
    champion = world.registry.champion(MODEL)
    assert champion is not None
    assert champion.version == 2, "as was asked"


@pytest.mark.parametrize("command", [["promote", "red", "1"], ["rollback", "red"], ["retire", "red", "--undo"]])
def test_marks_that_a_backup_has_lost_hold(
    world: World, command: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    registry = world.registry
    registry.register(MODEL, world.weights(2), {}, {"d": "2"}, {})
    registry.promote(MODEL, 2, "for a test")
    if command[0] == "retire":
        registry.retire(MODEL)
    shutil.copytree(world.place.registry, tmp_path / "backup")
    withdraw(world.place, registry, [world.address], "asked")
    shutil.rmtree(world.place.registry)
    shutil.copytree(tmp_path / "backup", world.place.registry)
    code = run(["styles", *command])
    champion = Registry(world.place).champion(MODEL)
    assert champion is not None
    assert (code, champion.version) == ((0, 2) if command[0] == "retire" else (2, 2)), capsys.readouterr()


def test_a_stopped_style_is_not_let_serve_by_what_learnt_from_the_picture(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    withdraw(world.place, world.registry, [world.address], "asked", stop_serving=True)
    assert run(["styles", "retire", "red", "--undo"]) == 2
    assert "no version that may serve ever did" in capsys.readouterr().err
    assert world.registry.champion(MODEL) is None


def test_reports_that_are_older_go_and_later_ones_stay(world: World) -> None:
    reports = world.place.reports / "styles"
    reports.mkdir(parents=True)
    (reports / "report.html").write_text("with pictures in it")
    done = withdraw(world.place, world.registry, [world.address], "asked", dry_run=True)
    assert reports / "report.html" in done.plan.files
    withdraw(world.place, world.registry, [world.address], "asked")
    assert not (reports / "report.html").exists()


def test_what_others_named_writes_no_lines_and_no_colours(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    for command in (
        ["trace", "red", "--all"],
        ["trace", "--uses", ESCAPES],
        ["withdraw", ESCAPES, "--dry-run"],
        ["withdraw", ESCAPES, "--why", "asked by\n\x1b[31m\udcff"],
    ):
        assert run(command) == 0, command
        said = capsys.readouterr().out
        assert "\x1b" not in said
        assert "a\\x1b[31mred\\x0aevil.png" in "".join(line.strip(" │") for line in said.splitlines())
    (gone,) = Withdrawals.read(world.place).all
    assert gone.why == "asked by\\x0a\\x1b[31m\\xff"


@pytest.mark.parametrize("line", ['{"key": 1, "status": "kept", "sha256": 5, "source_sha256": []}', "[" * 100_000])
@pytest.mark.parametrize("stage", ["crawl", "cutouts", "prepared"])
def test_lines_that_are_damaged_are_passed_over(world: World, stage: str, line: str) -> None:
    with (world.place.root / stage / "red" / "manifest.jsonl").open("a") as manifest:
        manifest.write(f"{line}\n")
    assert Pictures(world.place).find(digest_bytes(b"prepared")).crawled == {digest_bytes(world.picture.data)}
    withdraw(world.place, world.registry, [world.address], "asked")
    assert not any(path.exists() for path in world.files)
