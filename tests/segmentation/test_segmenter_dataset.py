"""Garments follow their photo through every change, and what is drawn depends on (seed, epoch, index) alone."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from fittingroom import masks
from fittingroom.errors import AnnotationError, MissingInputError
from fittingroom.segmentation.augment import Draw, _colour_matrix
from fittingroom.segmentation.dataset import (
    GarmentDataset,
    _target,
    collate,
    dataset_digest,
    drawn_garments,
    epoch_batches,
    read_split,
    transform_polygon,
    working_size,
)
from fittingroom.segmentation.settings import SegmenterSettings


def test_a_garment_of_several_polygons_is_one_mask(tiny_dataset: Path, tiny_settings: SegmenterSettings) -> None:
    photos = read_split(tiny_dataset, "train")
    assert len(photos) == 5
    assert [len(garment.polygons) for garment in photos[0].garments] == [1, 2]
    plain = dataclasses.replace(tiny_settings, flip=False, scale_jitter=0.0, colour_jitter=0.0, short_side=72)
    image, target = GarmentDataset(photos, plain)[(0, 0)]
    assert image.shape == (3, 96, 72)
    assert target["masks"].shape == (2, 96, 72)
    trousers = target["masks"][1].numpy()
    assert trousers[50, 15] == 1
    assert trousers[50, 26] == 0
    assert trousers[50, 40] == 1
    assert target["labels"].tolist() == [1, 8]
    assert target["boxes"][1].tolist() == [11.5, 39.5, 44.5, 66.5]


def edit(path: Path, change: object) -> None:
    value = json.loads(path.read_text())
    change(value)  # type: ignore[operator]
    path.write_text(json.dumps(value))


def test_degenerate_garments_are_dropped_and_bare_photos_stay(
    tiny_dataset: Path, tiny_settings: SegmenterSettings
) -> None:
    def change(coco: dict) -> None:
        first = [a for a in coco["annotations"] if a["image_id"] == 1]
        first[0]["segmentation"] = [[10, 10, 40, 10, 20, 10]]  # a line
        first[1]["segmentation"] = [[500, 500, 600, 500, 600, 600]]  # outside
        extra = [
            {**first[0], "segmentation": [[30, 30, 30.1, 30, 30, 30.1]]},  # a point
            {**first[0], "segmentation": [[1, 2]]},
            {**first[0], "segmentation": []},
            {**first[0], "category_id": 99},
            {**first[0], "iscrowd": 1},
        ]
        coco["annotations"] += extra

    edit(tiny_dataset / "train.json", change)
    photos = read_split(tiny_dataset, "train")
    image, target = GarmentDataset(photos, tiny_settings)[(0, 0)]
    assert target["boxes"].shape == (0, 4)
    assert target["labels"].shape == (0,)
    assert target["masks"].shape == (0, *image.shape[1:])


@settings(max_examples=60, deadline=None)
@given(
    numbers=st.tuples(*[st.floats(0, 0.999) for _ in range(3)]),
    flip=st.booleans(),
    size=st.tuples(st.integers(40, 90), st.integers(40, 90)),
)
def test_points_follow_the_photo_to_a_fraction_of_a_pixel(
    numbers: tuple[float, float, float], flip: bool, size: tuple[int, int]
) -> None:
    """A picture whose values are its own coordinates: where a point goes, its coordinates are found."""
    height, width = size
    draw = Draw(0.5 + numbers[0], flip, (numbers[1], numbers[2]), None)
    matrix, (new_height, new_width) = draw.placement(height, width)
    rows, columns = np.mgrid[0:height, 0:width].astype(np.float32)
    moved = cv2.warpAffine(np.dstack([columns, rows]), matrix[:2], (new_width, new_height), flags=cv2.INTER_LINEAR)
    polygon = [10.0, 8, 34, 12, 30, 36, 12, 30]
    inside = 0
    for (x, y), (u, v) in zip(
        np.reshape(polygon, (-1, 2)), np.reshape(transform_polygon(polygon, matrix), (-1, 2)), strict=True
    ):
        if 1 <= u < new_width - 2 and 1 <= v < new_height - 2:
            inside += 1
            found = cv2.getRectSubPix(moved[..., 0], (1, 1), (u, v)), cv2.getRectSubPix(moved[..., 1], (1, 1), (u, v))
            np.testing.assert_allclose([found[0][0, 0], found[1][0, 0]], [x, y], atol=0.1)
    if numbers[0] <= 0.5:
        assert inside >= 3  # nothing is cropped away from a photo that was not enlarged


def test_flipping_twice_is_nothing() -> None:
    once, size = Draw(1.0, True, (0.5, 0.5), None).placement(40, 30)
    assert size == (40, 30)
    np.testing.assert_allclose(once @ once, np.eye(3))


def test_colours_match_a_slow_rewrite() -> None:
    brightness, contrast, saturation, hue = 1.1, 0.8, 1.3, 0.2
    matrix = _colour_matrix(brightness, contrast, saturation, hue)
    colour = np.array([200.0, 90.0, 40.0])
    grey = colour.mean()
    axis = np.ones(3) / np.sqrt(3)
    spread = colour - grey
    turned = spread * np.cos(hue) + np.cross(axis, spread) * np.sin(hue)  # Rodrigues' rotation
    expected = brightness * ((grey + saturation * turned) * contrast + 127.5 * (1 - contrast))
    np.testing.assert_allclose(matrix[:, :3] @ colour + matrix[:, 3], expected)


def test_neutral_colours_change_nothing() -> None:
    np.testing.assert_allclose(_colour_matrix(1, 1, 1, 0), np.hstack([np.eye(3), np.zeros((3, 1))]), atol=1e-12)


def test_what_is_drawn_depends_on_seed_epoch_and_index_alone(
    tiny_dataset: Path, tiny_settings: SegmenterSettings
) -> None:
    photos = read_split(tiny_dataset, "train")
    first, second = GarmentDataset(photos, tiny_settings), GarmentDataset(photos, tiny_settings)
    for index in range(5):
        first[(0, index)]  # moves nothing that the next draw depends on
    for key in ((3, 1), (0, 4)):
        (image, target), (image_again, target_again) = first[key], second[key]
        assert torch.equal(image, image_again)
        assert all(torch.equal(target[name], target_again[name]) for name in target)
    assert not torch.equal(first[(0, 1)][0], first[(1, 1)][0])
    other = GarmentDataset(photos, dataclasses.replace(tiny_settings, seed=1))
    assert not torch.equal(first[(0, 1)][0], other[(0, 1)][0])


def test_the_cache_changes_nothing(tiny_dataset: Path, tiny_settings: SegmenterSettings) -> None:
    photos = read_split(tiny_dataset, "train")
    uncached = GarmentDataset(photos, dataclasses.replace(tiny_settings, cache_megabytes=0))
    cached = GarmentDataset(photos, tiny_settings)
    for _ in range(2):
        assert torch.equal(cached[(0, 2)][0], uncached[(0, 2)][0])
    assert not uncached._cache
    assert cached._cache


def test_plain_photos_for_validation(tiny_dataset: Path, tiny_settings: SegmenterSettings) -> None:
    photos = read_split(tiny_dataset, "validation")
    data = GarmentDataset(photos, tiny_settings)
    image, there = data.plain(0)
    assert image.shape[:2] == working_size(photos[0].height, photos[0].width, tiny_settings)
    assert [mask.shape for mask in there] == [image.shape[:2]] * 2


def test_every_photo_is_in_every_epoch_once_and_shapes_go_together(tiny_dataset: Path) -> None:
    photos = read_split(tiny_dataset, "train")
    batches = epoch_batches(photos, 2, seed=0, epoch=4)
    keys = [key for batch in batches for key in batch]
    assert sorted(index for _, index in keys) == list(range(5))
    assert {epoch for epoch, _ in keys} == {4}
    for batch in batches:
        assert len({photos[i].height > photos[i].width for _, i in batch}) == 1
    assert batches == epoch_batches(photos, 2, seed=0, epoch=4)
    orders = {str([[i for _, i in b] for b in epoch_batches(photos, 2, seed=0, epoch=e)]) for e in range(6)}
    assert len(orders) > 1


def test_processes_share_an_epoch_evenly(tiny_dataset: Path) -> None:
    photos = read_split(tiny_dataset, "train")
    parts = [epoch_batches(photos, 2, 0, 0, rank, 2) for rank in range(2)]
    assert len(parts[0]) == len(parts[1])
    assert {i for part in parts for batch in part for _, i in batch} == set(range(5))


def test_working_size_keeps_the_shape(tiny_settings: SegmenterSettings) -> None:
    assert working_size(640, 480, tiny_settings) == (85, 64)
    assert working_size(2000, 200, tiny_settings) == (96, 10)
    assert working_size(96, 72, dataclasses.replace(tiny_settings, short_side=72)) == (96, 72)


def test_collate_keeps_sizes_apart() -> None:
    images, targets = collate([(torch.zeros(3, 8, 9), {}), (torch.zeros(3, 7, 5), {})])
    assert [tuple(image.shape) for image in images] == [(3, 8, 9), (3, 7, 5)]
    assert targets == [{}, {}]


def test_the_digest_sees_annotations_and_pictures(tiny_dataset: Path) -> None:
    photos = read_split(tiny_dataset, "train")
    before = dataset_digest(tiny_dataset, photos)
    assert before == dataset_digest(tiny_dataset, photos)
    photos[0].path.write_bytes(photos[1].path.read_bytes())
    after = dataset_digest(tiny_dataset, photos)
    assert after != before
    edit(tiny_dataset / "train.json", lambda coco: coco["annotations"].pop())
    assert dataset_digest(tiny_dataset, photos) != after


def test_what_is_not_a_dataset_is_said_so(tmp_path: Path, tiny_dataset: Path) -> None:
    with pytest.raises(MissingInputError, match=r"selection\.json"):
        read_split(tmp_path, "train")
    (tiny_dataset / "train.json").write_text("[")
    with pytest.raises(AnnotationError, match=r"train\.json"):
        read_split(tiny_dataset, "train")
    (tiny_dataset / "train.json").write_text('{"images": [{}], "annotations": []}')
    with pytest.raises(AnnotationError, match="COCO"):
        read_split(tiny_dataset, "train")


def test_boxes_are_those_of_the_drawn_masks_with_pixel_centres_at_whole_numbers(tiny_dataset: Path) -> None:
    photo = read_split(tiny_dataset, "train")[0]
    drawn = drawn_garments(photo, np.eye(3), photo.height, photo.width)
    labels = [garment.category_id for garment, _ in drawn]
    target = _target(labels, [mask for _, mask in drawn], photo.height, photo.width)
    for box, mask in zip(target["boxes"], target["masks"], strict=True):
        assert tuple((box + 0.5).tolist()) == masks.bounding_box(mask.numpy().astype(bool))
