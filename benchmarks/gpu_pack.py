"""The data of a training in one small file for a GPU machine: photos made smaller, prepared garments as WebP.

Packing runs where the data is; unpacking needs only what a bare GPU image has.
"""

from __future__ import annotations

import io
import json
import shutil
import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from safetensors.torch import load_file, save

from fittingroom.errors import InputError, MissingInputError
from fittingroom.images import encode_jpeg, encode_png, list_images, read_rgb, read_rgba, resize
from fittingroom.segmentation.dataset import transform_polygon
from fittingroom.training.weights import halved
from fittingroom.translation.dataset import FLIPPED, original_name
from fittingroom.workspace import write_bytes

MOST_BYTES = 60_000_000
KEPT_FIELDS = ("id", "image_id", "category_id", "iscrowd", "style", "scale", "occlusion", "zoom_in", "viewpoint")
BACKBONE = "backbone.safetensors"


def pack(
    out: Path,
    dataset: Path,
    source: Path,
    styles: Mapping[str, Path],
    backbone: Path | None,
    side: int,
    quality: int,
    most_garments: int,
) -> int:
    """Write the tar file ``out`` and return its size in bytes.

    Args:
        dataset: a dataset folder (selection.json, train.json, validation.json).
        source: prepared pictures of any garments.
        styles: prepared pictures of each style by its name.
        backbone: weights (kept in half precision) that the segmenter starts from where COCO's cannot be downloaded.
        side: photos get this short side, in pixels, where they are larger.
        quality: of the JPEGs.
        most_garments: of each folder of prepared pictures, mirrored twins not counted.

    Raises:
        InputError: the file would be larger than 60 MB; what to make smaller is said.
    """
    size = 0
    with tarfile.open(out, "w") as tar:

        def add(name: str, data: bytes) -> None:
            nonlocal size
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            size += len(data)
            tar.addfile(entry, io.BytesIO(data))

        images = Path(_json(dataset / "selection.json")["images_dir"])
        root = images if images.is_absolute() else dataset / images
        add("dataset/selection.json", b'{"images_dir": "images"}')
        for split in ("train", "validation"):
            coco = _json(dataset / f"{split}.json")
            scales = {}
            for image in coco["images"]:
                photo = read_rgb(root / image["file_name"])
                scale = min(1.0, side / min(photo.shape[:2]))
                small = resize(photo, round(photo.shape[1] * scale), round(photo.shape[0] * scale))
                scales[image["id"]] = (small.shape[1] / image["width"], small.shape[0] / image["height"])
                image["height"], image["width"] = small.shape[:2]
                image["file_name"] = f"{image['id']}.jpg"
                add(f"dataset/images/{image['file_name']}", encode_jpeg(small, quality))
            coco["annotations"] = [_smaller(each, scales[each["image_id"]]) for each in coco["annotations"]]
            add(f"dataset/{split}.json", json.dumps(coco, separators=(",", ":")).encode())
        for name, folder in {"source": source, **{f"styles/{name}": path for name, path in styles.items()}}.items():
            originals = [path for path in list_images(folder) if original_name(path) == path.stem][:most_garments]
            for path in originals:
                add(f"{name}/{path.stem}.webp", _webp(path, quality))
        if backbone is not None:
            add(BACKBONE, save(halved(load_file(str(backbone)))))
    if size > MOST_BYTES:
        out.unlink()
        most, got = f"{MOST_BYTES / 1e6:.0f} MB", f"{size / 1e6:.1f} MB"
        raise InputError(f"pack: expected at most {most}, got {got}: lower --side, --quality or --garments")
    return size


def unpack(file: Path, out: Path) -> None:
    """The folders of `pack` under ``out``, each prepared garment with its mirrored twin again."""
    if not file.is_file():
        raise MissingInputError("pack", file)
    shutil.rmtree(out, ignore_errors=True)
    with tarfile.open(file) as tar:
        tar.extractall(out, filter="data")
    for path in sorted(out.rglob("*.webp")):
        picture = read_rgba(path)
        write_bytes(path.with_suffix(".png"), encode_png(picture, 1))
        write_bytes(path.with_name(f"{path.stem}{FLIPPED}.png"), encode_png(np.ascontiguousarray(picture[:, ::-1]), 1))
        path.unlink()


def _smaller(annotation: dict[str, Any], scale: tuple[float, float]) -> dict[str, Any]:
    """The annotation on the resized photo, to a tenth of a pixel."""
    x, y = scale
    matrix = np.diag([x, y, 1.0])
    polygons = [[round(v, 1) for v in transform_polygon(polygon, matrix)] for polygon in annotation["segmentation"]]
    left, top, width, height = annotation["bbox"]
    return {name: annotation[name] for name in KEPT_FIELDS if name in annotation} | {
        "segmentation": polygons,
        "bbox": [round(v, 1) for v in (left * x, top * y, width * x, height * y)],
        "area": round(annotation["area"] * x * y, 1),
    }


def _webp(path: Path, quality: int) -> bytes:
    data = io.BytesIO()
    Image.fromarray(read_rgba(path)).save(data, "WEBP", quality=quality, alpha_quality=100)
    return data.getvalue()


def _json(path: Path) -> Any:
    if not path.is_file():
        raise MissingInputError("dataset file", path)
    return json.loads(path.read_text(encoding="utf-8"))
