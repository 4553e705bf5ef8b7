"""Styles on many photos: each gets its pictures, a bad one gets a reason, and garments are looked for once."""

from __future__ import annotations

import threading
from collections.abc import Generator, Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest

from fittingroom.errors import InputError
from fittingroom.garment import Garment
from fittingroom.images import RGB, read_rgb, write_png
from fittingroom.masks import Mask
from fittingroom.style_card import Lab
from fittingroom.tryon.batch import PICTURES, Look, try_on_photos
from fittingroom.tryon.provenance import MadeBy, read_mark
from fittingroom.tryon.settings import TryOnSettings
from tests.tryon.stand_ins import Dyer, Finder, Painter

RED = Look("red", Painter(), MadeBy("red", {"segmenter": "version 1"}))
GREEN = Look("green", Dyer(), MadeBy("green"), TryOnSettings(dyes=((60.0, -60.0, 50.0),)))


def photo(path: Path, grey: int = 120) -> Path:
    write_png(path, np.full((80, 70, 3), grey, np.uint8))
    return path


def test_every_photo_has_its_row_in_order(tmp_path: Path) -> None:
    good, empty, broken = photo(tmp_path / "good.png"), photo(tmp_path / "empty.png", 0), tmp_path / "broken.png"
    broken.write_bytes(b"no picture")
    gone = tmp_path / "gone.png"
    out = tmp_path / "out"
    asked = [(each, [RED]) for each in (empty, good, broken, gone)]
    rows = list(try_on_photos(asked, Finder(), lambda photo, _: out / photo.stem / "red.png", between=True))
    assert [row.photo for row in rows] == [empty, good, broken, gone]
    assert "no garment was found" in rows[0].refused
    assert rows[2].refused.startswith("expected JPEG, PNG"), "without the name: it is on record elsewhere"
    assert [row.reason for row in rows] == ["no_garment", "", "format_not_allowed", "missing"]
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
    mark = read_mark(rows[1].pictures["image"])
    assert mark is not None
    assert (mark.style, mark.models) == ("red", "segmenter: version 1")


@pytest.mark.parametrize("at_once", [1, 3])
def test_each_photo_is_looked_at_once_for_all_styles(tmp_path: Path, at_once: int) -> None:
    class Counting(Finder):
        def find(self, image: np.ndarray, score_threshold: float | None = None) -> list[Garment]:
            seen.append(int(image[0, 0, 0]))
            return super().find(image, score_threshold)

    seen: list[int] = []
    photos = [photo(tmp_path / f"{grey}.png", grey) for grey in (90, 100, 110, 120, 130)]
    rows = list(
        try_on_photos(
            ((each, [RED, GREEN]) for each in photos),
            Counting(),
            lambda photo, look: tmp_path / "out" / f"{photo.stem}-{look.name}.png",
            small=40,
            at_once=at_once,
        )
    )
    assert [(row.photo, row.look) for row in rows] == [(each, look) for each in photos for look in ("red", "green")]
    assert sorted(seen) == [90, 100, 110, 120, 130]
    for row in rows:
        assert list(row.pictures) == ["image"]
        middle = read_rgb(row.pictures["image"])[40, 35]
        assert int(np.argmax(middle)) == (0 if row.look == "red" else 1)
        assert row.small is not None
        before, after = row.small
        assert before.shape == after.shape == (40, 35, 3)
        assert (before[0, 0] == int(row.photo.stem)).all()
        assert int(np.argmax(after[20, 17])) == int(np.argmax(middle))
    assert len(list((tmp_path / "out").iterdir())) == 10


def test_photos_are_taken_as_work_goes_on(tmp_path: Path) -> None:
    """Of any number of photos only those under way are in memory."""
    taken: list[int] = []

    def asked() -> Iterator[tuple[Path, Sequence[Look]]]:
        for number in range(8):
            taken.append(number)
            yield photo(tmp_path / f"{number}.png"), [RED]

    rows = try_on_photos(asked(), Finder(), lambda photo, _: tmp_path / "out" / photo.name, at_once=2)
    next(rows)
    assert len(taken) == 3
    threads = {thread.name for thread in threading.enumerate() if thread.name.startswith("try-on")}
    assert len(threads) == 2
    assert isinstance(rows, Generator)
    rows.close()
    assert not any(thread.name.startswith("try-on") for thread in threading.enumerate())


def test_what_stops_one_stops_all(tmp_path: Path) -> None:
    class Refusing(Painter):
        def translate(self, image_rgb: RGB, mask: Mask, dyes: Sequence[Lab] | None = None) -> RGB:  # noqa: ARG002
            raise InputError("these weights cannot paint")

    look = Look("red", Refusing(), MadeBy("red"))
    with pytest.raises(InputError, match="cannot paint"):
        list(try_on_photos([(photo(tmp_path / "a.png"), [look])], Finder(), lambda *_: tmp_path / "out.png"))
