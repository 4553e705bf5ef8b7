"""Stored pictures: the same pixels, nothing else, each once."""

from __future__ import annotations

import io
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageCms

from fittingroom import images
from fittingroom.crawl import CrawlSettings
from fittingroom.crawl.images.check import TooSmall, checked
from fittingroom.crawl.images.metadata import strip
from fittingroom.crawl.store import Store
from fittingroom.errors import ImageRejected
from fittingroom.manifest import ImageRow, Manifest
from fittingroom.workspace import digest_file

SECRET = b"taken at 52.37 north by Jan"


def picture(seed: int = 0, size: tuple[int, int] = (96, 64)) -> Image.Image:
    values = np.random.default_rng(seed).integers(0, 256, (size[1] // 8, size[0] // 8, 3), dtype=np.uint8)
    return Image.fromarray(np.kron(values, np.ones((8, 8, 1), np.uint8)))


def exif(orientation: int = 1) -> bytes:
    data = Image.Exif()
    data[0x010E] = SECRET.decode()
    data[0x0112] = orientation
    return data.tobytes()


def encoded(image: Image.Image, kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def cleaned(data: bytes) -> tuple[bytes, str]:
    with checked(data, CrawlSettings(min_side=1)) as picture:
        return picture.data, picture.format


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("JPEG", {"exif": exif(), "comment": SECRET}),
        ("JPEG", {"exif": exif(), "progressive": True}),
        ("JPEG", {"exif": exif(), "restart_marker_blocks": 2}),
        ("PNG", {"exif": exif()}),
        ("WEBP", {"exif": exif(), "lossless": True}),
        ("WEBP", {"exif": exif(), "xmp": SECRET}),
    ],
)
def test_metadata_goes_and_compressed_pixels_stay(kind: str, options: dict[str, object]) -> None:
    data = encoded(picture(), kind, **options)
    assert SECRET in data
    stored, stored_kind = cleaned(data)
    assert SECRET not in stored
    assert stored_kind == kind
    assert np.array_equal(images.read_rgba(stored), images.read_rgba(data))
    assert len(stored) < len(data)
    assert strip(stored, kind) == stored


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_what_trails_the_end_goes(kind: str) -> None:
    data = encoded(picture(), kind)
    stored, _ = cleaned(data + b"<?php " + SECRET + b"\xff\xd9")
    assert stored == data if kind != "JPEG" else stored == strip(data, kind)
    assert SECRET not in stored


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_a_turned_picture_is_stored_right_side_up(kind: str) -> None:
    data = encoded(picture(), kind, exif=exif(orientation=6))
    stored, _ = cleaned(data)
    with Image.open(io.BytesIO(stored)) as image:
        assert image.size == (64, 96)
        assert not image.getexif()
    difference = np.abs(images.read_rgb(stored).astype(int) - images.read_rgb(data).astype(int))
    assert difference.mean() < 2.5


def test_a_colour_profile_is_applied_and_dropped() -> None:
    srgb = ImageCms.createProfile("sRGB")
    profile = ImageCms.ImageCmsProfile(srgb).tobytes()
    stored, _ = cleaned(encoded(picture(), "PNG", icc_profile=profile))
    assert b"iCCP" not in stored


def test_other_kinds_are_encoded_anew() -> None:
    gif = encoded(picture(), "GIF", save_all=True, append_images=[picture(1)], loop=0)
    stored, kind = cleaned(gif)
    assert kind == "PNG"
    assert np.array_equal(images.read_rgba(stored), images.read_rgba(gif))
    deep = encoded(Image.fromarray(np.linspace(0, 65535, 64 * 64).reshape(64, 64).astype(np.uint16)), "PNG")
    stored, kind = cleaned(deep)
    with Image.open(io.BytesIO(stored)) as image:
        assert (kind, image.mode) == ("PNG", "RGB")
    cmyk, kind = cleaned(encoded(picture().convert("CMYK"), "JPEG"))
    assert kind == "JPEG"
    assert images.read_rgb(cmyk).shape == (64, 96, 3)


def test_see_through_parts_stay() -> None:
    rgba = np.dstack([np.asarray(picture()), np.full((64, 96), 255, np.uint8)])
    rgba[:, :40, 3] = 0
    for kind in ("PNG", "WEBP"):
        data = encoded(Image.fromarray(rgba), kind, lossless=True)
        assert np.array_equal(images.read_rgba(cleaned(data)[0])[..., 3], rgba[..., 3])


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_strip_of_damaged_bytes_never_raises(kind: str) -> None:
    data = encoded(picture(), kind, exif=exif())
    generator = np.random.default_rng(7)
    for _ in range(300):
        damaged = bytearray(data[: int(generator.integers(0, len(data)))])
        for _ in range(3):
            if damaged:
                damaged[int(generator.integers(0, len(damaged)))] = int(generator.integers(0, 256))
        strip(bytes(damaged), kind)


# the folder


def keep(store: Store, key: str, image: Image.Image, kind: str = "PNG", **options: object) -> ImageRow:
    with checked(encoded(image, kind, **options), CrawlSettings()) as picture:
        return store.keep(picture, ImageRow(key=key, status="kept"))


def test_named_by_digest_and_kept_once(tmp_path: Path) -> None:
    store = Store(tmp_path, CrawlSettings())
    first = keep(store, "u1", picture(0))
    again = keep(store, "u2", picture(0), exif=exif())
    other = keep(store, "u3", picture(1))
    assert (first.status, again.status, other.status) == ("kept", "duplicate", "kept")
    assert (again.reason, again.duplicate_of, again.path) == ("exact", "u1", "")
    assert digest_file(tmp_path / first.path) == first.sha256 == Path(first.path).stem
    assert sorted(p.name for p in tmp_path.glob("*.png")) == sorted([first.path, other.path])
    assert {row.key: row.status for row in Manifest.read(tmp_path / "manifest.jsonl").rows} == {
        "u1": "kept",
        "u2": "duplicate",
        "u3": "kept",
    }


def test_a_smaller_copy_is_a_near_duplicate_and_another_colour_is_not(tmp_path: Path) -> None:
    store = Store(tmp_path, CrawlSettings())

    def shirt(colour: tuple[int, int, int], size: int = 200) -> Image.Image:
        values = np.full((200, 200, 3), 245.0)
        values[40:180, 60:140] = colour
        values[40:80, 20:180] = colour
        folds = np.kron(np.random.default_rng(0).normal(0, 12, (25, 25)), np.ones((8, 8)))[..., None]
        return Image.fromarray(np.clip(values + folds, 0, 255).astype(np.uint8)).resize(
            (size, size), Image.Resampling.LANCZOS
        )

    red = keep(store, "red", shirt((180, 40, 40)))
    green = keep(store, "green", shirt((20, 96, 20)))
    small = keep(store, "small", shirt((180, 40, 40), 120), "JPEG", quality=70)
    assert red.phash == green.phash
    assert green.status == "kept"
    assert (small.status, small.reason, small.duplicate_of) == ("duplicate", "near", "red")


@pytest.mark.parametrize("order", [(100, 160, 320), (320, 100, 160), (160, 320, 100), (100, 320, 160)])
def test_of_near_duplicates_the_largest_is_kept_whichever_comes_first(tmp_path: Path, order: tuple[int, ...]) -> None:
    store = Store(tmp_path, CrawlSettings())
    drawing = picture(3).resize((320, 320), Image.Resampling.LANCZOS)
    for size in order:
        keep(store, str(size), drawing.resize((size, size), Image.Resampling.LANCZOS), "PNG")
    store.tidy()
    rows = {row.key: row for row in store.manifest().rows}
    assert [(key, row.width) for key, row in rows.items() if row.status == "kept"] == [("320", 320)]
    assert {(row.status, row.reason, row.duplicate_of, row.path) for key, row in rows.items() if key != "320"} == {
        ("duplicate", "near", "320", "")
    }
    assert [path.name for path in tmp_path.iterdir() if path.suffix == ".png"] == [rows["320"].path]


def test_near_duplicates_can_be_kept(tmp_path: Path) -> None:
    store = Store(tmp_path, CrawlSettings(near_duplicate_bits=-1))
    keep(store, "a", picture())
    assert keep(store, "b", picture(), "JPEG", quality=80).status == "kept"


def test_two_stores_on_one_folder_see_each_other(tmp_path: Path) -> None:
    one, two = Store(tmp_path, CrawlSettings()), Store(tmp_path, CrawlSettings())
    keep(one, "a", picture())
    assert keep(two, "b", picture()).duplicate_of == "a"
    keep(two, "c", picture(3))
    assert {row.key for row in one.manifest().rows} == {"a", "b", "c"}


def test_many_threads_keep_one_of_each(tmp_path: Path) -> None:
    def work(number: int) -> None:
        store = Store(tmp_path, CrawlSettings())
        for seed in range(6):
            keep(store, f"{number}-{seed}", picture(seed))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    manifest = Manifest.read(tmp_path / "manifest.jsonl")
    assert manifest.torn_lines == 0
    assert manifest.counts() == {"duplicate": 18, "duplicate: exact": 18, "kept": 6}
    assert len(list(tmp_path.glob("*.png"))) == 6


def test_a_manifest_cut_anywhere_is_read_and_goes_on(tmp_path: Path) -> None:
    store = Store(tmp_path, CrawlSettings())
    for seed in range(3):
        keep(store, f"u{seed}", picture(seed))
    whole = store.manifest_path.read_bytes()
    for cut in range(0, len(whole), 7):
        store.manifest_path.write_bytes(whole[:cut])
        fresh = Store(tmp_path, CrawlSettings())
        complete = whole[:cut].count(b"\n")
        assert len(fresh.manifest().rows) == complete
        keep(fresh, "new", picture(9))
        assert len(Manifest.read(store.manifest_path).rows) in (complete + 1, complete + 2)
        assert "new" in {row.key for row in Manifest.read(store.manifest_path).rows}


def test_a_note_that_says_nothing_new_is_not_written(tmp_path: Path) -> None:
    store = Store(tmp_path, CrawlSettings())
    row = ImageRow(key="u", status="failed", reason="not_found", fetched_at="2026-01-01")
    store.note(row)
    store.note(replace(row, fetched_at="2026-01-02"))
    assert store.manifest_path.read_text().count("\n") == 1


def test_what_is_refused() -> None:
    def check(data: bytes, **settings: Any) -> None:
        with checked(data, CrawlSettings(**settings)):
            pytest.fail("accepted")

    with pytest.raises(TooSmall, match="expected at least 32"):
        check(encoded(picture(0, (200, 24)), "PNG"))
    with pytest.raises(ImageRejected, match="pixels"):
        check(encoded(Image.new("1", (20_000, 20_000)), "PNG"))
    with pytest.raises(ImageRejected, match="bytes"):
        check(encoded(picture(), "PNG"), max_image_bytes=100)
    with pytest.raises(ImageRejected, match="of a WEBP such as this"):
        check(encoded(Image.new("RGB", (5000, 4000)), "WEBP", lossless=True, method=0))
