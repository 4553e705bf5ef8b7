"""What is seen in the wild: each oddity is read as meant, noted, and gives the same data as a clean file."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fittingroom.annotations import convert
from fittingroom.annotations.findings import Findings
from fittingroom.annotations.model import AnnotatedImage
from fittingroom.annotations.sources import open_source
from fittingroom.annotations.sources import read as read_source
from fittingroom.categories import CATEGORY_NAMES, LANDMARK_COUNTS

SCRIPT_NAMES = (
    *("short_sleeved_shirt", "long_sleeved_shirt", "short_sleeved_outwear", "long_sleeved_outwear", "vest", "sling"),
    *("shorts", "trousers", "skirt", "short_sleeved_dress", "long_sleeved_dress", "vest_dress", "sling_dress"),
)
"""The categories as the dataset's conversion script spells them, in order of id."""


def read(src: Path) -> tuple[list[AnnotatedImage], Findings]:
    findings = Findings()
    return list(read_source(open_source(src, findings), findings)), findings


def test_a_byte_order_mark_is_skipped_in_every_format(small_set: Path, tmp_path: Path) -> None:
    sources = {
        "deepfashion2": small_set,
        "coco": convert(small_set, tmp_path / "coco.json", "coco").target,
        "via": convert(small_set, tmp_path / "via.json", "via").target,
    }
    for name, src in sources.items():
        clean, _ = read(src)
        for path in src.glob("annos/*.json") if src.is_dir() else [src]:
            path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
        marked, findings = read(src)
        assert marked == clean, name
        assert findings.counts["byte_order_mark"] >= 1, name


def test_item_numbers_with_gaps_are_kept_through_every_format(
    build_set: Callable[..., Path], new_picture: Callable[[int], dict[str, Any]], tmp_path: Path
) -> None:
    value = new_picture(1)
    value["item17"] = value.pop("item1")
    folder = build_set({"000001": value})
    images, findings = read(folder)
    assert [garment.item for garment in images[0].garments] == ["item3", "item17"]
    assert findings.counts["item_gap"] == 1
    for to in ("coco", "via"):
        target = convert(folder, tmp_path / f"{to}.json", to).target
        assert [garment.item for garment in read(target)[0][0].garments] == ["item3", "item17"], to
    annotations = json.loads((tmp_path / "coco.json").read_text())["annotations"]
    assert [row["id"] for row in annotations] == [1003, 1017]


@pytest.mark.parametrize("number", CATEGORY_NAMES)
@pytest.mark.parametrize("spelling", ["script", "capitals", "underscores", "hyphens"])
def test_every_category_is_known_in_every_spelling(
    number: int, spelling: str, build_set: Callable[..., Path], new_picture: Callable[[int], dict[str, Any]]
) -> None:
    readme = CATEGORY_NAMES[number]
    written = {
        "script": SCRIPT_NAMES[number - 1],
        "capitals": readme.title(),
        "underscores": readme.replace(" ", "_"),
        "hyphens": readme.replace(" ", "-").upper(),
    }[spelling]
    value = new_picture(1)
    value["item1"].update(category_id=number, category_name=written, landmarks=[0] * 3 * LANDMARK_COUNTS[number])
    images, findings = read(build_set({"000001": value}))
    assert (images[0].garments[0].category_id, images[0].garments[0].category_name) == (number, readme)
    assert findings.counts["category_spelling"] == (written != readme)
    del value["item1"]["category_id"]  # the name alone says it, too
    assert read(build_set({"000001": value}))[0][0].garments[0].category_id == number


def test_boxes_may_be_floats_and_are_put_in_order(
    build_set: Callable[..., Path], new_picture: Callable[[int], dict[str, Any]]
) -> None:
    value = new_picture(1)
    value["item1"]["bounding_box"] = [50.25, 40.0, 10.5, 10.75]
    value["item3"]["bounding_box"] = [12.5, 45.25, 48.0, 75.5]
    images, findings = read(build_set({"000001": value}))
    assert [garment.box_xyxy for garment in images[0].garments] == [
        (10.5, 10.75, 50.25, 40.0),
        (12.5, 45.25, 48.0, 75.5),
    ]
    assert findings.counts["box_reversed"] == 1


def test_an_empty_segmentation_keeps_its_garment(
    build_set: Callable[..., Path], new_picture: Callable[[int], dict[str, Any]], tmp_path: Path
) -> None:
    value = new_picture(1)
    value["item1"]["segmentation"] = []
    folder = build_set({"000001": value})
    images, findings = read(folder)
    assert (images[0].garments[0].item, images[0].garments[0].segmentation) == ("item1", ())
    assert findings.counts["empty_segmentation"] == 1
    for to in ("coco", "via"):
        target = convert(folder, tmp_path / f"{to}.json", to).target
        back = convert(target, tmp_path / to, "deepfashion2", images_dir=folder / "image").target
        assert json.loads((back / "annos" / "000001.json").read_text())["item1"] == value["item1"], to


def test_names_that_are_no_six_digits_keep_their_picture(
    build_set: Callable[..., Path], new_picture: Callable[[int], dict[str, Any]], tmp_path: Path
) -> None:
    names = ["7", "look-0007", "summer red"]
    folder = build_set({name: new_picture(1) for name in names})
    images, findings = read(folder)
    assert {image.file_name for image in images} == {f"{name}.jpg" for name in names}
    assert all(image.width for image in images)
    assert len({image.image_id for image in images}) == 3
    assert findings.counts["image_name"] == 3
    target = convert(folder, tmp_path / "coco.json", "coco").target
    back = convert(target, tmp_path / "back", "deepfashion2", images_dir=folder / "image").target
    assert {path.stem for path in (back / "annos").glob("*.json")} == set(names)


def test_documents_of_the_dataset_s_own_script_are_read(
    new_picture: Callable[[int], dict[str, Any]], tmp_path: Path
) -> None:
    """Its shape: 294 keypoints on every garment, own spellings, pair_id on the garment, box for area."""
    value, rows = new_picture(1), []
    for index, item in enumerate(("item1", "item3"), start=1):
        garment = copy.deepcopy(value[item])
        start = 3 * sum(count for number, count in LANDMARK_COUNTS.items() if number < garment["category_id"])
        keypoints = [0] * 882
        keypoints[start : start + len(garment["landmarks"])] = garment["landmarks"]
        x1, y1, x2, y2 = garment["bounding_box"]
        rows.append(
            {
                "id": index,
                "image_id": 1,
                "pair_id": 1,
                "category_id": garment["category_id"],
                "style": garment["style"],
                "segmentation": garment["segmentation"],
                "keypoints": keypoints,
                "num_keypoints": 17,
                "bbox": [x1, y1, x2 - x1, y2 - y1],
                "area": (x2 - x1) * (y2 - y1),
                "iscrowd": 0,
            }
        )
    categories = [
        {"id": number, "name": name, "supercategory": "clothes", "keypoints": [str(n) for n in range(1, 295)]}
        for number, name in enumerate(SCRIPT_NAMES, start=1)
    ]
    picture = {"id": 1, "file_name": "000001.jpg", "width": 60, "height": 80, "license": 0}
    document = {"info": {}, "licenses": [], "images": [picture], "annotations": rows, "categories": categories}
    (tmp_path / "script.json").write_text(json.dumps(document))
    images, findings = read(tmp_path / "script.json")
    assert images[0].pair_id == 1
    for garment, item in zip(images[0].garments, ("item1", "item3"), strict=True):
        assert list(garment.landmarks) == value[item]["landmarks"]
        assert garment.category_id == value[item]["category_id"]
        assert list(garment.box_xyxy or ()) == value[item]["bounding_box"]
        assert not garment.extra
    assert findings.counts["shared_landmarks"] == 2
