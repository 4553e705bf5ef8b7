"""The plain way from DeepFashion2 to COCO, to measure against: one process, one loop, what one writes in an evening.

It works as the dataset's own conversion script does (Pillow for the size, ``json`` for parsing, one dictionary that
grows, ``json.dump`` at the end), with the mask's area by pycocotools, which that script leaves out. Two documents:

    same      exactly the document that `fittingroom.annotations.convert` writes (the comparison checks that it is)
    script    the script's own fields: 294 keypoints on every garment, no scale, occlusion, zoom_in, viewpoint

    python -m benchmarks.annotations.plain same|script FOLDER TARGET.json
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from pycocotools import mask as coco_mask

from fittingroom.categories import CATEGORY_NAMES, LANDMARK_COUNTS, group_of

LANDMARKS_BEFORE = {category: sum(list(LANDMARK_COUNTS.values())[: category - 1]) for category in LANDMARK_COUNTS}


def convert_same(folder: Path, target: Path) -> None:
    """The document `fittingroom.annotations.convert` writes."""
    images, annotations = [], []
    for path in sorted((folder / "annos").iterdir()):
        name = f"{path.stem}.jpg"
        with Image.open(folder / "image" / name) as picture:
            width, height = picture.size
        with path.open(encoding="utf-8") as file:
            value = json.load(file)
        number = int(path.stem)
        images.append(
            {
                "id": number,
                "file_name": name,
                "width": width,
                "height": height,
                "source": value["source"],
                "pair_id": value["pair_id"],
            }
        )
        for item, garment in value.items():
            if item in ("source", "pair_id"):
                continue
            polygons = garment["segmentation"]
            xs = [x for polygon in polygons for x in polygon[0::2]]
            ys = [y for polygon in polygons for y in polygon[1::2]]
            x1, x2 = max(min(xs), 0), min(max(xs), width)
            y1, y2 = max(min(ys), 0), min(max(ys), height)
            annotations.append(
                {
                    "id": number * 1000 + int(item.removeprefix("item")),
                    "image_id": number,
                    "category_id": garment["category_id"],
                    "iscrowd": 0,
                    "segmentation": polygons,
                    "area": mask_area(polygons, width, height),
                    "bbox": [x1, y1, x2 - x1, y2 - y1],
                    "item": item,
                    "keypoints": garment["landmarks"],
                    "num_keypoints": sum(1 for seen in garment["landmarks"][2::3] if seen > 0),
                    "bounding_box": garment["bounding_box"],
                    "style": garment["style"],
                    "scale": garment["scale"],
                    "occlusion": garment["occlusion"],
                    "zoom_in": garment["zoom_in"],
                    "viewpoint": garment["viewpoint"],
                }
            )
    categories = [
        {
            "id": number,
            "name": name,
            "supercategory": group_of(number),
            "keypoints": [str(index + 1) for index in range(LANDMARK_COUNTS[number])],
            "skeleton": [],
        }
        for number, name in CATEGORY_NAMES.items()
    ]
    document = {"info": {}, "licenses": [], "categories": categories, "images": images, "annotations": annotations}
    with target.open("w", encoding="utf-8") as file:
        json.dump(document, file)


def convert_script(folder: Path, target: Path) -> None:
    """The document of the dataset's script, but with the mask's area."""
    dataset: dict[str, list[dict[str, Any]]] = {"images": [], "annotations": [], "categories": []}
    for number, name in CATEGORY_NAMES.items():
        keypoints = [str(index) for index in range(1, 295)]
        dataset["categories"].append({"id": number, "name": name, "supercategory": "clothes", "keypoints": keypoints})
    for path in sorted((folder / "annos").iterdir()):
        name, number = f"{path.stem}.jpg", int(path.stem)
        with Image.open(folder / "image" / name) as picture:
            width, height = picture.size
        with path.open(encoding="utf-8") as file:
            value = json.load(file)
        dataset["images"].append({"file_name": name, "id": number, "width": width, "height": height})
        for item, garment in value.items():
            if item in ("source", "pair_id"):
                continue
            x1, y1, x2, y2 = garment["bounding_box"]
            points = np.zeros(294 * 3)
            own = np.array(garment["landmarks"])
            start = 3 * LANDMARKS_BEFORE[garment["category_id"]]
            points[start : start + len(own)] = own
            dataset["annotations"].append(
                {
                    "area": mask_area(garment["segmentation"], width, height),
                    "bbox": [x1, y1, x2 - x1, y2 - y1],
                    "category_id": garment["category_id"],
                    "id": len(dataset["annotations"]) + 1,
                    "pair_id": value["pair_id"],
                    "image_id": number,
                    "iscrowd": 0,
                    "style": garment["style"],
                    "num_keypoints": int((own[2::3] > 0).sum()),
                    "keypoints": points.tolist(),
                    "segmentation": garment["segmentation"],
                }
            )
    with target.open("w", encoding="utf-8") as file:
        json.dump(dataset, file)


def mask_area(polygons: list[list[float]], width: int, height: int) -> int:
    """Pixels of the union, as pycocotools' users count them."""
    return int(coco_mask.area(coco_mask.merge(coco_mask.frPyObjects(polygons, height, width))))


if __name__ == "__main__":
    {"same": convert_same, "script": convert_script}[sys.argv[1]](Path(sys.argv[2]), Path(sys.argv[3]))
