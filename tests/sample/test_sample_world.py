"""The world is rendered once, found again at once, and mended when it is not whole."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fittingroom.images import read_rgb
from fittingroom.sample.person_photos import render_person_photos
from fittingroom.sample.world import World, WorldSettings, build_world
from fittingroom.workspace import digest_files

SMALL = WorldSettings(frontal=3, others=1, per_style=2)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    return build_world(tmp_path_factory.mktemp("world"), settings=SMALL)


def test_everything_is_there(world: World) -> None:
    assert len(list((world.dataset / "image").iterdir())) == 4
    assert len(list((world.dataset / "annos").iterdir())) == 4
    assert len(world.shop.styles) == 5
    assert all(len(photos) == 2 for photos in world.shop.photos.values())
    assert len(world.person_photos) == 3
    assert all(path.is_file() for path in world.person_photos)


def test_second_call_renders_nothing(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("rendered again")

    for name in ("render_person_photos", "build_shop", "render_deepfashion2_set"):
        monkeypatch.setattr(f"fittingroom.sample.world.{name}", refuse)
    again = build_world(world.root, settings=SMALL)
    assert again == world


def test_other_settings_and_a_lost_photo_render_again(tmp_path: Path) -> None:
    note = tmp_path / "notes.txt"
    note.write_text("not ours")
    (tmp_path / "world.json").write_text("{torn")
    small = WorldSettings(frontal=2, others=0, per_style=1)
    heard: list[tuple[str, int, int]] = []
    first = build_world(tmp_path, settings=small, listener=lambda *event: heard.append(event))
    assert [heard[0], heard[4], heard[-1]] == [("shop", 1, 5), ("shop", 5, 5), ("DeepFashion2 set", 2, 2)]
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    digest = digest_files(files, tmp_path)
    first.person_photos[1].unlink()
    (first.dataset / "image" / "000002.jpg").unlink()
    assert build_world(tmp_path, settings=small) == first
    assert digest_files([path for path in tmp_path.rglob("*") if path.is_file()], tmp_path) == digest
    fewer = build_world(tmp_path, settings=WorldSettings(frontal=1, others=0, per_style=1))
    assert fewer.digest != first.digest
    assert [path.name for path in (fewer.dataset / "image").iterdir()] == ["000001.jpg"]
    assert note.read_text() == "not ours"  # a stranger in the folder is left alone


def test_person_photos_are_upright_once_read(tmp_path: Path) -> None:
    paths = render_person_photos(tmp_path, seed=3)
    assert [read_rgb(path).shape for path in paths] == [(960, 640, 3)] * 3
    with Image.open(paths[2]) as stored:
        assert stored.size == (960, 640)
        assert stored.getexif()[0x0112] == 6
    upright = read_rgb(paths[2]).astype(float)
    # A rose dress in the middle, leaves at the sides.
    assert upright[500, 320, 0] > upright[500, 320, 1]
    assert upright[300:500, 10:60, 1].mean() > upright[300:500, 10:60, 0].mean()
    again = render_person_photos(tmp_path / "again", seed=3)
    assert [p.read_bytes() for p in again] == [p.read_bytes() for p in paths]
    assert np.array_equal(read_rgb(again[0]), read_rgb(paths[0]))
