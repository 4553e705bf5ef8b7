"""Training pictures: square, binary mask, white outside, flipped twins."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fittingroom.errors import NoGarmentFound, SettingError
from fittingroom.images import read_rgba, write_png
from fittingroom.manifest import Manifest
from fittingroom.preparing.square import PrepareSettings, prepare_files, prepare_image
from fittingroom.workspace import digest_file


def cutout(height, width, colour=(200, 30, 40)):
    """A garment that fills the middle of a transparent picture."""
    rgba = np.full((height, width, 4), 255, np.uint8)
    rgba[..., 3] = 0
    inside = np.s_[height // 4 : height - height // 4, width // 4 : width - width // 4]
    rgba[inside] = (*colour, 255)
    return rgba


@settings(max_examples=40, deadline=None)
@given(st.integers(60, 300), st.integers(60, 300), st.sampled_from([32, 64, 100, 256]))
def test_any_shape_comes_out_square_binary_and_white_outside(height, width, size):
    result = prepare_image(cutout(height, width), size)
    assert result.shape == (size, size, 4)
    assert result.dtype == np.uint8
    inside = result[..., 3] == 255
    assert set(np.unique(result[..., 3])) == {0, 255}
    assert (result[..., :3][~inside] == 255).all()
    assert np.abs(result[..., :3][inside].astype(int) - (200, 30, 40)).max() <= 1  # no white bled in


def test_proportions_and_place_are_kept():
    result = prepare_image(cutout(400, 200), 256)
    rows, columns = np.nonzero(result[..., 3])
    assert (rows.min(), rows.max() + 1) == (64, 192)
    assert (columns.min(), columns.max() + 1) == (96, 160)


def test_a_garment_on_white_without_alpha_is_understood():
    rgba = cutout(100, 100)
    from_rgb, from_rgba = prepare_image(np.ascontiguousarray(rgba[..., :3]), 64), prepare_image(rgba, 64)
    assert np.array_equal(from_rgb, from_rgba)
    opaque = rgba.copy()
    opaque[..., 3] = 255
    assert np.array_equal(prepare_image(opaque, 64), from_rgba)


def test_no_garment_is_an_error():
    with pytest.raises(NoGarmentFound):
        prepare_image(np.full((50, 50, 3), 255, np.uint8))
    speck = np.full((1000, 1000, 4), 255, np.uint8)
    speck[..., 3] = 0
    speck[500, 500, 3] = 255
    with pytest.raises(NoGarmentFound):
        prepare_image(speck, 32)


@pytest.mark.parametrize("size", [30, 0, -4, 1028, 258, 64.0, True, "256"])
def test_sizes_that_the_generators_cannot_halve_twice_are_refused(size):
    with pytest.raises(SettingError, match="multiple of 4"):
        PrepareSettings(size=size)


@pytest.fixture
def folder(tmp_path):
    write_png(tmp_path / "a.png", cutout(120, 90))
    rgba = cutout(120, 90)
    rgba[30:60, 30:40, :3] = (0, 0, 255)  # not symmetric
    write_png(tmp_path / "b.png", rgba)
    write_png(tmp_path / "white.png", np.full((40, 40, 3), 255, np.uint8))
    (tmp_path / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    return tmp_path


def test_files_become_pictures_with_twins_and_rows(folder):
    files = [folder / name for name in ("a.png", "b.png", "white.png", "broken.png", "absent.png")]
    rows = prepare_files(files, folder / "out", PrepareSettings(size=64))
    assert [row.status for row in rows] == ["kept"] * 4 + ["refused", "failed", "failed"]
    one, twin = (read_rgba(folder / "out" / row.path) for row in rows[2:4])
    assert np.array_equal(one[:, ::-1], twin)
    assert not np.array_equal(one, twin)
    digest = digest_file(folder / "b.png")[:32]
    assert [row.path for row in rows[2:4]] == [f"{digest}.png", f"{digest}_flip.png"]
    assert all(digest_file(folder / "out" / row.path) == row.sha256 for row in rows[:4])
    assert len(Manifest.read(folder / "out" / "manifest.jsonl").kept()) == 4


def test_a_second_run_does_nothing_and_repairs_what_is_lost(folder, monkeypatch):
    files = [folder / "a.png", folder / "b.png"]
    rows = prepare_files(files, folder / "out")
    written = (folder / "out" / "manifest.jsonl").read_bytes()
    (folder / "out" / rows[3].path).unlink()
    assert prepare_files(files, folder / "out") == rows
    assert (folder / "out" / rows[3].path).is_file()
    assert (folder / "out" / "manifest.jsonl").read_bytes() == written
    monkeypatch.setattr("fittingroom.preparing.square.prepare_image", lambda *_: pytest.fail("prepared again"))
    assert prepare_files(files, folder / "out") == rows


def test_another_size_is_prepared_again_and_no_flip_gives_one_row(folder):
    prepare_files([folder / "a.png"], folder / "out", PrepareSettings(size=64))
    (row,) = prepare_files([folder / "a.png"], folder / "out", PrepareSettings(size=128, flip=False))
    assert read_rgba(folder / "out" / row.path).shape == (128, 128, 4)


def test_the_same_bytes_twice_are_prepared_once(folder):
    (folder / "copy.png").write_bytes((folder / "a.png").read_bytes())
    rows = prepare_files([folder / "a.png", folder / "copy.png"], folder / "out")
    assert [row.status for row in rows] == ["kept", "kept", "duplicate"]
