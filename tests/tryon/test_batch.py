"""One style on many photos: each gets its pictures, a bad one gets a reason."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from fittingroom.errors import MissingInputError
from fittingroom.images import read_rgb, write_png
from fittingroom.tryon.batch import PICTURES, try_on_photos
from tests.tryon.stand_ins import Finder, Painter


def test_every_photo_has_its_row_in_order(tmp_path: Path) -> None:
    good, empty, broken = tmp_path / "good.png", tmp_path / "empty.png", tmp_path / "broken.png"
    write_png(good, np.full((80, 70, 3), 120, np.uint8))
    write_png(empty, np.zeros((80, 70, 3), np.uint8))
    broken.write_bytes(b"no picture")
    out = tmp_path / "out"
    rows = list(try_on_photos([empty, good, broken], "red", Finder(), Painter(), lambda photo: out / photo.stem))
    assert [row.photo for row in rows] == [empty, good, broken]
    assert "no garment was found" in rows[0].refused
    assert rows[2].refused.startswith("expected JPEG, PNG"), "without the name: it is on record elsewhere"
    assert [row.reason for row in rows] == ["no_garment", "", "format_not_allowed"]
    assert rows[1].refused == ""
    assert set(rows[1].pictures) == set(PICTURES)
    assert sorted(path.name for path in (out / "good").iterdir()) == [
        "red-garment.png", "red-overlay.png", "red-translated.png", "red.png",
    ]  # fmt: skip
    assert rows[1].box_xyxy == (20, 20, 50, 60)
    result = read_rgb(rows[1].pictures["image"])
    assert (result[:15] == 120).all()
    assert result[40, 35, 0] > 150
    assert not (out / "empty").exists()


def test_a_photo_that_is_gone_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(MissingInputError, match=r"gone\.png"):
        list(try_on_photos([tmp_path / "gone.png"], "red", Finder(), Painter(), lambda _: tmp_path))
