"""Many files: rows, re-runs, overrides."""

from __future__ import annotations

import numpy as np
import pytest

from fittingroom.cutout import CutoutSettings, Overrides, cut_out_files, load_overrides
from fittingroom.errors import InputError, MissingInputError
from fittingroom.images import read_rgba, write_png
from fittingroom.manifest import ImageRow, Manifest
from fittingroom.workspace import digest_file


def write(path, colour=(30, 60, 160), garment=True):
    image = np.full((240, 240, 3), 215, np.uint8)
    if garment:
        image[60:190, 70:170] = colour
    write_png(path, image)
    return path


@pytest.fixture
def folder(tmp_path):
    write(tmp_path / "good.png")
    write(tmp_path / "other.png", (150, 20, 20))
    write(tmp_path / "empty.png", garment=False)
    (tmp_path / "broken.jpg").write_bytes(b"no picture")
    return tmp_path


NAMES = ("good.png", "other.png", "empty.png", "broken.jpg", "absent.png")


def test_every_file_gets_its_row_and_nothing_crashes(folder):
    heard: list[ImageRow] = []
    rows = cut_out_files([folder / n for n in NAMES], folder / "out", listener=heard.append)
    assert [row.status for row in rows] == ["kept", "kept", "refused", "failed", "failed"]
    assert [row.reason for row in rows[2:]] == ["no_garment", "format_not_allowed", "missing"]
    assert heard == rows
    for row in rows[:2]:
        assert row.path == f"{row.source_sha256[:32]}.png"
        assert digest_file(folder / "out" / row.path) == row.sha256
        assert read_rgba(folder / "out" / row.path).shape == (row.height, row.width, 4)
    assert Manifest.read(folder / "out" / "manifest.jsonl").counts()["kept"] == 2


def test_a_second_run_writes_nothing(folder, monkeypatch):
    files = [folder / n for n in NAMES[:3]]
    first = cut_out_files(files, folder / "out")
    before = (folder / "out" / "manifest.jsonl").read_bytes()
    monkeypatch.setattr("fittingroom.cutout.shard.cut_out", lambda *_: pytest.fail("cut out again"))
    assert cut_out_files(files, folder / "out") == first
    assert (folder / "out" / "manifest.jsonl").read_bytes() == before


def test_a_lost_or_damaged_picture_is_made_again(folder):
    (row,) = cut_out_files([folder / "good.png"], folder / "out")
    (folder / "out" / row.path).write_bytes(b"damaged")
    assert cut_out_files([folder / "good.png"], folder / "out") == [row]
    assert digest_file(folder / "out" / row.path) == row.sha256


def test_other_settings_or_another_recipe_do_it_again(folder):
    files = [folder / "good.png"]
    (first,) = cut_out_files(files, folder / "out")
    (wider,) = cut_out_files(files, folder / "out", CutoutSettings(margin=0.2))
    assert wider.sha256 != first.sha256
    (named,) = cut_out_files(files, folder / "out", CutoutSettings(margin=0.2), recipe="weights=1")
    assert named.detail != wider.detail


def test_the_same_bytes_twice_are_a_duplicate(folder):
    (folder / "copy.png").write_bytes((folder / "good.png").read_bytes())
    rows = cut_out_files([folder / "good.png", folder / "copy.png"], folder / "out")
    assert [row.status for row in rows] == ["kept", "duplicate"]
    assert rows[1].duplicate_of == rows[0].key


def test_a_person_may_keep_and_drop(folder):
    good, other = folder / "good.png", folder / "other.png"
    strict = CutoutSettings(minimum_side=200)
    assert [r.reason for r in cut_out_files([good, other], folder / "a", strict)] == ["too_small"] * 2
    said = Overrides(keep=(digest_file(good)[:12],), drop=(digest_file(other),))
    rows = cut_out_files([good, other], folder / "a", strict, overrides=said)
    assert [(r.status, r.reason) for r in rows] == [("kept", ""), ("refused", "dropped_by_hand")]


def test_overrides_are_read_and_checked(tmp_path):
    path = tmp_path / "overrides.yaml"
    path.write_text("keep:\n  - '0123456789abcdef'\ndrop: []\n")
    assert load_overrides(path) == Overrides(keep=("0123456789abcdef",))
    for text in ("keep: 5\n", "keep: [short]\n", "keeps: []\n", "- a\n", "keep: [12345678]\n", "a: [\n"):
        path.write_text(text)
        with pytest.raises(InputError, match="expected"):
            load_overrides(path)
    with pytest.raises(MissingInputError):
        load_overrides(tmp_path / "none.yaml")
