"""LabelMe's files are read: a format is one module, and the rest finds it by itself."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, get_args, get_type_hints

import numpy as np
import pytest

from fittingroom.annotations import SelectionSettings, check, convert, select
from fittingroom.annotations.formats import all_formats
from fittingroom.cli.annotations import convert as convert_command
from fittingroom.errors import SettingError
from fittingroom.images import write_png


def shape(label: object, points: Any, kind: str = "polygon", group: int | None = None) -> dict[str, Any]:
    return {"label": label, "points": points, "shape_type": kind, "group_id": group, "flags": {}}


def write(folder: Path, stem: str, shapes: list[Any]) -> None:
    """A picture of 60 x 80 and its annotation."""
    write_png(folder / f"{stem}.png", np.zeros((80, 60, 3), np.uint8))
    value = {"version": "5.5.0", "shapes": shapes, "imagePath": f"..\\photos\\{stem}.png", "imageData": None}
    (folder / f"{stem}.json").write_text(json.dumps({**value, "imageWidth": 60, "imageHeight": 80}))


SKIRT = shape("Skirt", [[10, 10], [50, 10], [50.5, 40], [10, 40]])


def test_a_folder_of_labelme_is_converted_checked_and_selected_from(tmp_path: Path) -> None:
    top = [shape("short_sleeve_top", [[20, 40], [5, 10]], "rectangle", 1),
           shape("short_sleeve_top", [[30, 50], [40, 50], [40, 60]], group=1)]  # fmt: skip
    write(tmp_path, "000001", [SKIRT, *top])
    write(tmp_path, "000002", [SKIRT])
    report = convert(tmp_path, tmp_path / "out" / "c.json", "coco", workers=2, shard_size=1)
    assert (report.source_format, report.images, report.garments, report.polygons) == ("labelme", 2, 3, 4)
    assert report.findings.total("error") == 0
    value = json.loads(report.target.read_text())
    assert [(row["id"], row["file_name"]) for row in value["images"]] == [(1, "000001.png"), (2, "000002.png")]
    rows = [(row["category_id"], row["segmentation"]) for row in value["annotations"]]
    assert rows[0] == (9, [[10, 10, 50, 10, 50.5, 40, 10, 40]])
    assert rows[1] == (1, [[20, 40, 5, 40, 5, 10, 20, 10], [30, 50, 40, 50, 40, 60]])
    assert value["annotations"][1]["area"] == 15 * 30 + 45
    assert check(tmp_path).findings.counts == report.findings.counts
    assert select(tmp_path, SelectionSettings(viewpoint=(1, 2, 3))).matching == 2


@pytest.mark.parametrize(
    ("shapes", "kind"),
    [
        ([shape("hat", SKIRT["points"])], "unknown_category"),
        ([shape("skirt", [[1, 1]], "point")], "unsupported_shape"),
        ([shape("skirt", 5)], "odd_coordinates"),
        ([shape("skirt", [[1, 1], [2, "x"], [3, 3]])], "not_a_number"),
        (["skirt"], "unknown_category"),
        ([], "no_garments"),
    ],
)
def test_what_is_wrong_is_a_finding(shapes: list[Any], kind: str, tmp_path: Path) -> None:
    write(tmp_path, "000001", shapes)
    write(tmp_path, "000002", [SKIRT])
    (tmp_path / "000003.json").write_text("[]")
    report = check(tmp_path / "000001.json")
    assert report.source_format == "labelme"
    assert report.findings.counts[kind] == 1
    assert check(tmp_path).findings.counts["not_an_annotation"] == 1


def test_a_format_without_a_writer_is_only_read(tmp_path: Path) -> None:
    write(tmp_path, "000001", [SKIRT])
    with pytest.raises(SettingError, match="to"):
        convert(tmp_path, tmp_path / "out", "labelme")


def test_the_command_line_offers_what_can_be_written() -> None:
    written = {name for name, each in all_formats().items() if each.writer is not None}
    hints = get_type_hints(convert_command)
    assert set(get_args(hints["to"])) == written == {"coco", "deepfashion2", "via"}
