"""VIA output as the tool and Mask R-CNN loaders read it; VIA input as annotators leave it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from fittingroom.annotations import ConvertSettings, convert
from fittingroom.annotations.findings import Findings
from fittingroom.annotations.formats import Source, via
from fittingroom.annotations.model import AnnotatedImage


def project(folder: Path, tmp_path: Path) -> dict[str, Any]:
    value: dict[str, Any] = json.loads(convert(folder, tmp_path / "project.json", "via").target.read_text())
    return value


def read(value: dict[str, Any]) -> tuple[list[AnnotatedImage], Findings]:
    findings = Findings()
    return list(via.read(Source(Path("v.json"), "via", document=value), findings)), findings


def test_the_project_has_what_the_tool_asks_for(small_set: Path, tmp_path: Path) -> None:
    value = project(small_set, tmp_path)
    rows = value["_via_img_metadata"]
    assert list(rows) == value["_via_image_id_list"]
    for key, row in rows.items():
        size = (small_set / "image" / row["filename"]).stat().st_size
        assert (key, row["size"]) == (f"{row['filename']}{size}", size)
        assert len(row["regions"]) == 3
        used = {name for region in row["regions"] for name in region["region_attributes"]}
        assert used == set(value["_via_attributes"]["region"])
        assert set(row["file_attributes"]) == set(value["_via_attributes"]["file"])
    names = value["_via_attributes"]["region"]["category"]["options"]
    assert rows[next(iter(rows))]["regions"][0]["region_attributes"]["category"] in names
    assert value["_via_settings"]["core"]["default_filepath"] == f"{(small_set / 'image').resolve()}/"


def test_the_plain_list_is_what_mask_r_cnn_loaders_read(small_set: Path, tmp_path: Path) -> None:
    target = convert(small_set, tmp_path / "via.json", "via", settings=ConvertSettings(via_plain=True)).target
    for row in json.loads(target.read_text()).values():  # the well-known balloon loader, in our own words
        for region in row["regions"]:
            shape = region["shape_attributes"]
            assert shape["name"] == "polygon"
            assert np.shape(shape["all_points_x"]) == np.shape(shape["all_points_y"])
            assert region["region_attributes"]["category"]


def test_what_an_annotator_edits_wins(small_set: Path, tmp_path: Path) -> None:
    value = project(small_set, tmp_path)
    row = next(iter(value["_via_img_metadata"].values()))
    for region in row["regions"][:2]:
        region["region_attributes"].update(category="vest", viewpoint="3", style="")
    row["regions"][0]["shape_attributes"]["all_points_x"][0] = 11
    row["file_attributes"]["pair_id"] = "77"
    del row["regions"][2]
    row["regions"].append(
        {
            "shape_attributes": {"name": "rect", "x": 1, "y": 2, "width": 10, "height": 20},
            "region_attributes": {"category": "skirt"},
        }
    )
    images, findings = read(value)
    first, added = images[0].garments
    assert (first.category_name, first.viewpoint, first.style) == ("vest", 3, 2)
    assert first.segmentation[0][0] == 11
    assert first.landmarks
    assert images[0].pair_id == 77
    assert (added.item, added.segmentation) == ("item2", ((1, 2, 11, 2, 11, 22, 1, 22),))
    assert findings.counts["deleted_garment"] == 1


def test_projects_of_others_are_read() -> None:
    shape = {"name": "polygon", "all_points_x": [1, 9, 9], "all_points_y": [1, 1, 9]}
    regions = {
        "0": {"shape_attributes": shape, "region_attributes": {"name": "Trousers", "garment": "b"}},
        "1": {"shape_attributes": shape, "region_attributes": {"name": "Trousers", "garment": "b"}},
        "2": {"shape_attributes": {**shape, "all_points_y": [1]}, "region_attributes": {"class": "9"}},
        "3": {
            "shape_attributes": {"name": "circle", "cx": 1, "cy": 1, "r": 3},
            "region_attributes": {"label": "skirt"},
        },
        "5": {"shape_attributes": {"name": "point", "cx": 1, "cy": 1}, "region_attributes": {"label": "vest"}},
        "4": {"shape_attributes": shape, "region_attributes": {"name": "hat"}},
    }
    images, findings = read({"a1.jpg99": {"filename": "a1.jpg", "size": 99, "regions": regions}})
    found = sorted((garment.category_name, len(garment.segmentation)) for garment in images[0].garments)
    assert found == [("skirt", 0), ("skirt", 1), ("trousers", 2), ("vest", 0)]
    for kind in ("odd_coordinates", "unsupported_shape", "outlined_shape", "unknown_category", "category_spelling"):
        assert findings.counts[kind] == 1, kind


def test_a_garment_without_polygons_survives(build_set: Any, new_picture: Any, tmp_path: Path) -> None:
    value = new_picture(1)
    value["item3"]["segmentation"] = []
    images, _ = read(project(build_set({"000001": value}), tmp_path))
    assert [garment.item for garment in images[0].garments] == ["item1", "item3"]
