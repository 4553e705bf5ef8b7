"""What goes to a GPU machine and comes back: the data of trainings in one small file, and weights in small parts.

Photos are made smaller and prepared garments become WebP. Packing runs where the data is; unpacking needs only what a
bare GPU image has.
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

from fittingroom.datasets import images_dir_of
from fittingroom.domain import MARK, is_rendered, mark_of
from fittingroom.errors import InputError, MissingInputError
from fittingroom.images import encode_jpeg, encode_png, list_images, read_rgb, read_rgba, shorter_at_most
from fittingroom.segmentation.dataset import transform_polygon
from fittingroom.training.weights import halved
from fittingroom.translation.dataset import FLIPPED, original_name
from fittingroom.workspace import digest_bytes, write_bytes, write_json

MOST_BYTES = 60_000_000
PART_BYTES = 16_000_000
PARTS = "parts.json"
"""Next to the parts: each file's parts in order, and its SHA-256."""
KEPT_FIELDS = ("id", "image_id", "category_id", "iscrowd", "style", "scale", "occlusion", "zoom_in", "viewpoint")
BACKBONE = "backbone.safetensors"
RENDERED = "rendered.json"
"""Names of the WebP pictures that bore the sample world's mark, for which WebP has no place."""


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

        root = images_dir_of(dataset, _json(dataset / "selection.json"))
        add("dataset/selection.json", b'{"images_dir": "images"}')
        for split in ("train", "validation"):
            coco = _json(dataset / f"{split}.json")
            scales = {}
            for image in coco["images"]:
                file_name = image["file_name"]
                photo = read_rgb(root / file_name)
                small = shorter_at_most(photo, side)
                scales[image["id"]] = (small.shape[1] / image["width"], small.shape[0] / image["height"])
                image["height"], image["width"] = small.shape[:2]
                image["file_name"] = f"{image['id']}.jpg"
                add(
                    f"dataset/images/{image['file_name']}",
                    encode_jpeg(small, quality, comment=mark_of(root / file_name)),
                )
            coco["annotations"] = [_smaller(each, scales[each["image_id"]]) for each in coco["annotations"]]
            add(f"dataset/{split}.json", json.dumps(coco, separators=(",", ":")).encode())
        rendered = []
        for name, folder in {"source": source, **{f"styles/{name}": path for name, path in styles.items()}}.items():
            originals = [path for path in list_images(folder) if original_name(path) == path.stem][:most_garments]
            for path in originals:
                add(f"{name}/{path.stem}.webp", _webp(path, quality))
                rendered += [f"{name}/{path.stem}.webp"] if is_rendered(path) else []
        add(RENDERED, json.dumps(rendered).encode())
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
    rendered = {out / name for name in _json(out / RENDERED, "list of rendered pictures")}
    for path in sorted(out.rglob("*.webp")):
        picture, mark = read_rgba(path), MARK if path in rendered else ""
        mirrored = np.ascontiguousarray(picture[:, ::-1])
        write_bytes(path.with_suffix(".png"), encode_png(picture, 1, comment=mark))
        write_bytes(path.with_name(f"{path.stem}{FLIPPED}.png"), encode_png(mirrored, 1, comment=mark))
        path.unlink()


def write_parts(folder: Path, name: str, data: bytes) -> None:
    """``data`` as files of at most 16 MB in ``folder``, next to those of other names."""
    parts = _json(folder / PARTS) if (folder / PARTS).is_file() else {}
    names = []
    for number, start in enumerate(range(0, len(data), PART_BYTES)):
        names.append(f"{name}.part-{number:02d}")
        write_bytes(folder / names[-1], data[start : start + PART_BYTES])
    parts[name] = {"parts": names, "sha256": digest_bytes(data)}
    write_json(folder / PARTS, parts)


def join_parts(folder: Path, to: Path) -> list[Path]:
    """The files of `write_parts` whole again in ``to``.

    Raises:
        MissingInputError: no such folder, or a part is missing.
        InputError: a name is a path, or the parts are not those that were written. Files joined before it stay.
    """
    written = []
    for name, entry in _json(folder / PARTS, "list of parts").items():
        for each in (name, *entry["parts"]):
            if Path(each).name != each:
                raise InputError(f"{folder / PARTS}: expected names of files, got {each!r}")
        missing = [part for part in entry["parts"] if not (folder / part).is_file()]
        if missing:
            raise MissingInputError(f"part of {name}", folder / missing[0])
        whole = b"".join((folder / part).read_bytes() for part in entry["parts"])
        if digest_bytes(whole) != entry["sha256"]:
            raise InputError(f"{folder}: the parts of {name} are not those that were written")
        write_bytes(to / name, whole)
        written.append(to / name)
    return written


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


def _json(path: Path, what: str = "dataset file") -> Any:
    if not path.is_file():
        raise MissingInputError(what, path)
    return json.loads(path.read_text(encoding="utf-8"))
