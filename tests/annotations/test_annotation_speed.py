"""Sound files read in one pass are what the forgiving reader gives; areas are those of COCO's own rasteriser."""

from __future__ import annotations

import copy
import json
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pycocotools import mask as coco_mask

from fittingroom.annotations import ConvertSettings, convert, geometry, parts, sources
from fittingroom.annotations.fields import Place
from fittingroom.annotations.findings import Findings
from fittingroom.annotations.formats import deepfashion2, fast_path
from fittingroom.annotations.inspection import measured
from fittingroom.annotations.model import AnnotatedImage, GarmentAnnotation
from fittingroom.annotations.writer import write_part
from fittingroom.boxes import xyxy_to_xywh

whole = st.integers(-70, 150).map(float)
# Fifths and tenths of a pixel lie on the rasteriser's own grid, where rounding decides.
fine = st.integers(-700, 1500).map(lambda tenths: tenths / 10)
free = st.floats(-70, 150, allow_nan=False)
outline = st.one_of(
    *(
        st.lists(st.tuples(coordinate, coordinate), min_size=3, max_size=9).map(
            lambda points: tuple(value for point in points for value in point)
        )
        for coordinate in (whole, fine, free)
    )
)
garment = st.lists(outline, max_size=4).map(lambda polygons: GarmentAnnotation("item1", 1, tuple(polygons)))
picture = st.builds(
    lambda garments, size: AnnotatedImage("000001.jpg", 1, size[0], size[1], garments=tuple(garments)),
    st.lists(garment, max_size=4),
    st.sampled_from([(80, 100), (1, 1), (57, 31), (0, 0)]),
)


def by_reference(garment: GarmentAnnotation, width: int, height: int) -> int:
    runs = coco_mask.frPyObjects([list(polygon) for polygon in garment.segmentation], height, width)
    return int(coco_mask.area(coco_mask.merge(runs)))


@settings(max_examples=150, deadline=None)
@given(picture)
def test_areas_and_boxes_are_those_of_the_polygons(image: AnnotatedImage) -> None:
    for garment, (area, box_xywh) in zip(image.garments, measured([image])[0], strict=True):
        box = geometry.true_box(garment.segmentation, image.width, image.height) or (0, 0, 0, 0)
        assert box_xywh == xyxy_to_xywh(box)
        assert all(type(value) is float for value in box_xywh)
        side = min(image.width, image.height)
        near = all(-side <= value <= 2 * side for p in garment.segmentation for value in p)
        if garment.segmentation and side and near:
            assert area == by_reference(garment, image.width, image.height)


@settings(max_examples=150, deadline=None)
@given(st.lists(outline, min_size=1, max_size=5))
def test_areas_are_those_of_the_reference(polygons: list[tuple[float, ...]]) -> None:
    inside = GarmentAnnotation("item1", 1, tuple(tuple(np.clip(p, -70, 140).tolist()) for p in polygons))
    assert geometry.measure(inside.segmentation, 70, 80).area == by_reference(inside, 70, 80)


def test_absurd_outlines_are_drawn_coarsely() -> None:
    zigzag = tuple(value for index in range(12_000) for value in ((index % 2) * 200.0, index % 150))
    sound_one = (10.0, 10.0, 60.0, 10.0, 60.0, 60.0, 10.0, 60.0)
    far = (0.0, 0.0, 1e14, 0.0, 1e14, 1e14, 0.0, 1e14)
    areas = [geometry.measure((polygon,), 200, 150).area for polygon in (zigzag, sound_one, far)]
    assert 0 <= areas[0] <= 200 * 150
    assert areas[1:] == [50 * 50, 200 * 150]


def test_no_garments_and_no_pictures_measure_as_nothing() -> None:
    assert measured([]) == []
    assert measured([AnnotatedImage("1.jpg", 1, 5, 5)]) == [[]]
    assert geometry.measure((), 5, 5) == (0, (0, 0, 0, 0))


@pytest.mark.real_data
def test_areas_of_real_garments_are_those_of_the_reference(real_photos: Path) -> None:
    images = list(sources.read(sources.open_source(real_photos, Findings()), Findings()))
    found = [area for measures in measured(images) for area, _ in measures]
    assert found == [by_reference(g, i.width, i.height) for i in images for g in i.garments]
    assert len(found) > 1800


def forgiving(value: dict[str, Any]) -> tuple[AnnotatedImage, Findings]:
    findings = Findings()
    image = deepfashion2.from_json(value, "000012", Place(findings, "000012.json"))
    return AnnotatedImage(**{**vars(image), "width": 60, "height": 80}), findings


def tidy(value: dict[str, Any]) -> dict[str, Any]:
    value["item2"] = value.pop("item3")
    del value["item1"]["annotator"], value["camera"]
    return value


def test_a_sound_file_reads_the_same_in_one_pass(new_picture: Any) -> None:
    value = tidy(new_picture(1))
    slow, findings = forgiving(value)
    assert not findings.counts
    fast = fast_path.read(json.dumps(value).encode(), "000012.jpg", 12, (60, 80))
    assert fast == slow
    assert fast is not None
    assert [type(n) for n in fast.garments[0].segmentation[0]] == [int] * 8
    for gone in ("source", "pair_id"):
        del value[gone]
        assert fast_path.read(json.dumps(value).encode(), "000012.jpg", 12, (60, 80)) == forgiving(value)[0]


SPOTS = st.sampled_from(["", "item1", "item2", "item1.segmentation", "item1.segmentation.0", "item2.landmarks"])
ODD: st.SearchStrategy[Any] = st.sampled_from(
    [None, True, -1, 0, 4, 1.5, 10**16, 10**30, 1e300, "", "1", "shop", [], {}, [[]], [1, 2, 3]]
)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(spot=SPOTS, key=st.integers(0, 12), odd=ODD, drop=st.booleans())
def test_a_file_that_is_not_sound_is_left_to_the_forgiving_reader(
    spot: str, key: int, odd: object, drop: bool, new_picture: Any
) -> None:
    value: Any = copy.deepcopy(tidy(new_picture(1)))
    node: Any = value
    for part in spot.split(".") if spot else []:
        node = node[int(part)] if isinstance(node, list) else node[part]
    place: Any = sorted(node)[key % len(node)] if isinstance(node, dict) else key % len(node)
    if drop:
        del node[place]
    else:
        node[place] = odd
    data = json.dumps(value).encode()
    fast = fast_path.read(data, "000012.jpg", 12, (60, 80))
    if fast is not None:
        slow, findings = forgiving(orjson.loads(data))
        assert not findings.counts
        assert fast == slow


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xef\xbb\xbf{}",
        b"{}",
        b"[" * 100_000,
        b'{"item1":' * 100_000,
        b'{"item1": {"category_id": 1, "category_name": "short sleeve top", "segmentation": [[1,2,3,4,5,NaN]]}}',
        b'{"item1": {"category_id": 1, "category_name": "short sleeve top", "segmentation": [[1,2,3,4,5,1e999]]}}',
        b'{"source": "\\ud800", "item1": {"category_id": 1, "category_name": "vest", "segmentation": [[1,1,2,2,3,4]]}}',
    ],
)
def test_hostile_bytes_are_not_sound(data: bytes) -> None:
    assert fast_path.read(data, "000012.jpg", 12, (60, 80)) is None


def test_an_item_that_stands_twice_is_not_sound(new_picture: Any) -> None:
    row = json.dumps(tidy(new_picture(1))["item1"])
    once, twice = (f"{{{', '.join([f'{chr(34)}item1{chr(34)}: {row}'] * n)}}}".encode() for n in (1, 2))
    assert fast_path.read(once, "000012.jpg", 12, (60, 80)) is not None
    assert fast_path.read(twice, "000012.jpg", 12, (60, 80)) is None


def test_sound_and_other_files_stand_in_one_document(build_set: Any, new_picture: Any, tmp_path: Path) -> None:
    folder = build_set({f"{n:06d}": tidy(new_picture(n)) if n % 2 else new_picture(n) for n in range(1, 9)})
    document = json.loads(convert(folder, tmp_path / "c.json", "coco", shard_size=3).target.read_text())
    assert [image["id"] for image in document["images"]] == list(range(1, 9))
    areas = {row["area"] for row in document["annotations"] if row["item"] == "item1"}
    assert len(areas) == 1


@pytest.mark.parametrize("workers", [1, 2])
def test_an_error_in_one_part_ends_them_all(workers: int, small_set: Path, tmp_path: Path) -> None:
    source = replace(sources.open_source(small_set, Findings()), format="unheard of")
    write = partial(write_part, to="coco", work=tmp_path / "work", settings=ConvertSettings())
    with pytest.raises(KeyError, match="unheard of"):
        parts.in_parts(source, write, workers, size=1)
