"""Rendered pictures bear a mark that survives crawl, cut-out, preparation and try-on; anything else is a photo."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from fittingroom.crawl.images.metadata import strip
from fittingroom.cutout import cut_out_files
from fittingroom.domain import MARK, domain_of, is_rendered, warn_of_photo
from fittingroom.images import encode_jpeg, encode_png, list_images
from fittingroom.preparing.square import prepare_files
from fittingroom.sample.deepfashion2_set import render_deepfashion2_set
from fittingroom.sample.person_photos import render_person_photos
from fittingroom.sample.shop import near_duplicate, thumbnail
from fittingroom.tryon.photo import read_photo


def shirt() -> np.ndarray:
    picture = np.full((300, 300, 3), 245, np.uint8)
    picture[60:260, 70:230] = (40, 60, 150)
    return picture


@pytest.mark.parametrize("encode", [encode_jpeg, encode_png])
def test_the_mark_is_all_that_makes_a_picture_rendered(encode, tmp_path: Path) -> None:
    assert is_rendered(encode(shirt(), comment=MARK))
    for other in ("", "a holiday", MARK + "?"):
        assert not is_rendered(encode(shirt(), comment=other))
    assert not is_rendered(b"not a picture")
    assert not is_rendered(tmp_path / "nowhere.png")


def test_everything_of_the_sample_world_bears_it(tmp_path: Path) -> None:
    people = render_person_photos(tmp_path / "people", height=240, width=160)
    folder = render_deepfashion2_set(tmp_path / "df2", 1, others=1, height=120, width=100)
    assert domain_of([*people, *list_images(folder / "image")]) == "rendered"
    assert read_photo(people[2]).rendered, "the one that is stored sideways too"
    assert is_rendered(thumbnail(people[0]))
    assert is_rendered(near_duplicate(people[0]))


def test_a_crawl_keeps_this_comment_and_no_other() -> None:
    kept = strip(encode_jpeg(shirt(), comment=MARK), "JPEG")
    assert kept is not None
    assert is_rendered(kept)
    gone = strip(encode_jpeg(shirt(), comment="taken at home"), "JPEG")
    assert gone is not None
    assert b"taken at home" not in gone


@pytest.mark.parametrize(("comment", "domain"), [(MARK, "rendered"), ("", "photo")])
def test_training_pictures_are_of_the_world_of_their_sources(tmp_path: Path, comment: str, domain: str) -> None:
    (tmp_path / "shirt.jpg").write_bytes(encode_jpeg(shirt(), comment=comment))
    cut_out_files([tmp_path / "shirt.jpg"], tmp_path / "cutouts")
    prepare_files(list_images(tmp_path / "cutouts"), tmp_path / "prepared")
    prepared = list_images(tmp_path / "prepared")
    assert len(prepared) == 2, "the picture and its mirrored twin"
    assert {domain_of([path]) for path in prepared} == {domain}


def test_one_photo_among_them_makes_photos_of_a_training_set(tmp_path: Path) -> None:
    drawn, real = tmp_path / "drawn.png", tmp_path / "real.png"
    drawn.write_bytes(encode_png(shirt(), comment=MARK))
    real.write_bytes(encode_png(shirt()))
    assert [domain_of(pictures) for pictures in ([], [drawn], [drawn, real])] == ["", "rendered", "photo"]


def test_only_drawn_models_on_photos_are_warned_of() -> None:
    both = {"segmenter": "rendered", "style red": "rendered"}
    assert warn_of_photo(True, both) == ""
    assert warn_of_photo(False, {"segmenter": "photo", "style red": ""}) == ""
    assert warn_of_photo(False, both).startswith("the segmenter and the style red have seen drawings")
    assert warn_of_photo(False, both | {"segmenter": "photo"}).startswith("the style red has seen drawings")
