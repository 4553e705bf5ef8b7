"""Phone photos: whatever pixels a document means, masks lie on the garment in the picture as it is seen."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageOps

from fittingroom.annotations import SelectionSettings, check, convert, garment_masks, rle, select, write_dataset
from fittingroom.annotations.findings import Findings
from fittingroom.annotations.fit import Mapping
from fittingroom.annotations.headers import Header, jpeg_header, read_header
from fittingroom.annotations.model import AnnotatedImage
from fittingroom.annotations.sources import open_source, read
from fittingroom.images import read_rgb
from fittingroom.masks import from_polygons

WIDTH, HEIGHT = 120, 80
BOX = (70, 10, 110, 50)
"""The red garment in the stored pixels."""
TURNING = (5, 6, 7, 8)


def photo(path: Path, orientation: int, **options: Any) -> None:
    """A stored picture of 120 x 80 with a red garment, and EXIF that turns it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.full((HEIGHT, WIDTH, 3), 200, np.uint8)
    pixels[BOX[1] : BOX[3], BOX[0] : BOX[2]] = (220, 10, 20)
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(pixels).save(path, exif=exif, quality=95, **options)


def corners(orientation: int, stored: bool) -> list[int]:
    """The garment's outline, in stored pixels or in those that are seen."""
    x1, y1, x2, y2 = BOX
    if not stored:
        mask = np.zeros((HEIGHT, WIDTH), np.uint8)
        mask[y1:y2, x1:x2] = 1
        exif = Image.Exif()
        exif[0x0112] = orientation
        image = Image.fromarray(mask)
        image.info["exif"] = exif.tobytes()
        rows, columns = np.nonzero(np.asarray(ImageOps.exif_transpose(image)))
        x1, y1, x2, y2 = columns.min(), rows.min(), columns.max() + 1, rows.max() + 1
    return [int(value) for value in (x1, y1, x2, y1, x2, y2, x1, y2)]


def boxed(outline: list[int]) -> list[int]:
    return [min(outline[0::2]), min(outline[1::2]), max(outline[0::2]), max(outline[1::2])]


def coco(outline: Any, size: tuple[int, int] | None, number: int = 1) -> dict[str, Any]:
    image: dict[str, Any] = {"id": number, "file_name": f"{number:06d}.jpg"}
    if size:
        image |= {"width": size[0], "height": size[1]}
    row = {"id": 1, "image_id": number, "category_id": 1, "segmentation": outline, "iscrowd": 0}
    return {"images": [image], "annotations": [row], "categories": [{"id": 1, "name": "skirt"}]}


def read_all(source: Path) -> tuple[list[AnnotatedImage], Findings]:
    findings = Findings()
    return list(read(open_source(source, findings), findings)), findings


def overlap(images: list[AnnotatedImage], folder: Path) -> float:
    """How well the first garment's mask lies on the red of the picture as it is read everywhere."""
    pixels = read_rgb(folder / images[0].file_name).astype(int)
    red = (pixels[..., 0] - pixels[..., 1]) > 100
    (garment,) = garment_masks(images[0])
    assert garment.mask.shape == red.shape
    return float((garment.mask & red).sum() / (garment.mask | red).sum())


@pytest.mark.parametrize(
    ("orientation", "meant"),
    [*((n, "upright") for n in range(1, 9)), *((n, "stored") for n in (1, *TURNING))],  # of 2 to 4 no size tells
)
@pytest.mark.parametrize("kind", ["polygon", "rle", "via"])
def test_a_stated_size_tells_which_pixels_are_meant(orientation: int, meant: str, kind: str, tmp_path: Path) -> None:
    photo(tmp_path / "000001.jpg", orientation)
    size = (WIDTH, HEIGHT) if meant == "stored" or orientation < 5 else (HEIGHT, WIDTH)
    outline = corners(orientation, meant == "stored")
    if kind == "via":
        kept = json.dumps({"image_id": 1, "width": size[0], "height": size[1], "garments": {}})
        shape = {"name": "polygon", "all_points_x": outline[0::2], "all_points_y": outline[1::2]}
        region = {"shape_attributes": shape, "region_attributes": {"category": "skirt"}}
        row = {"filename": "000001.jpg", "size": 1, "regions": [region], "file_attributes": {"fittingroom": kept}}
        value: Any = {"000001.jpg1": row}
    elif kind == "rle":
        value = coco(rle.encode(from_polygons([outline], size[1], size[0])), size)
    else:
        value = coco([outline], size)
    (tmp_path / "c.json").write_text(json.dumps(value))
    images, findings = read_all(tmp_path / "c.json")
    assert overlap(images, tmp_path) > 0.9
    assert (images[0].width, images[0].height) == read_header(tmp_path / "000001.jpg").upright
    assert findings.counts["turned"] == (meant == "stored" and orientation in TURNING)
    assert findings.total("error") == 0
    back = convert(tmp_path / "c.json", tmp_path / "out" / "again.json", "coco").target
    again, findings = read_all_with(back, tmp_path)
    assert overlap(again, tmp_path) > 0.9  # written in the seen pixels, and read as such
    assert not findings.counts["turned"]
    assert not findings.counts["orientation_unknown"]


def read_all_with(source: Path, images: Path) -> tuple[list[AnnotatedImage], Findings]:
    findings = Findings()
    return list(read(open_source(source, findings, images), findings)), findings


@pytest.mark.parametrize("orientation", TURNING)
@pytest.mark.parametrize("meant", ["stored", "upright"])
def test_without_a_size_the_points_tell(orientation: int, meant: str, tmp_path: Path) -> None:
    for number in (1, 2):
        photo(tmp_path / "image" / f"{number:06d}.jpg", orientation)
        outline = corners(orientation, meant == "stored")
        garment = {"category_id": 9, "category_name": "skirt", "viewpoint": 2, "segmentation": [outline]}
        garment["bounding_box"] = boxed(outline)
        garment["landmarks"] = [outline[0], outline[1], 2, *[0] * 21]
        (tmp_path / "annos").mkdir(exist_ok=True)
        value = {"source": "user", "pair_id": number, "item1": garment}
        (tmp_path / "annos" / f"{number:06d}.json").write_text(json.dumps(value))
    counts = check(tmp_path).findings.counts
    images, _ = read_all(tmp_path)
    assert overlap(images, tmp_path / "image") > 0.9
    tells = max(outline[1::2]) > HEIGHT + 1 if meant == "upright" else max(outline[0::2]) > HEIGHT + 1
    said = "turned" if meant == "stored" else "" if tells else "orientation_unknown"
    assert tells or meant == "upright"
    assert dict(counts) == ({said: 2} if said else {})
    seen = images[0].garments[0]
    assert seen.box_xyxy == tuple(boxed(corners(orientation, stored=False)))
    assert seen.landmarks[3:] == (0,) * 21  # not labelled: no place
    assert all(isinstance(value, int) for value in seen.segmentation[0])
    chosen = select(tmp_path, SelectionSettings())
    dataset = write_dataset(chosen, tmp_path / "dataset")
    record = json.loads((dataset / "train.json").read_text())["images"][0]
    assert (record["width"], record["height"]) == (HEIGHT, WIDTH)


@pytest.mark.parametrize("orientation", [2, 3, 4, 6])
def test_what_nothing_tells_is_said_and_read_as_seen(orientation: int, tmp_path: Path) -> None:
    photo(tmp_path / "000001.jpg", orientation)
    value = coco([[5, 5, 40, 5, 40, 40]], (WIDTH, HEIGHT) if orientation < 5 else None)
    (tmp_path / "c.json").write_text(json.dumps(value))
    images, findings = read_all(tmp_path / "c.json")
    assert dict(findings.counts) == {"orientation_unknown": 1}
    assert images[0].garments[0].segmentation == ((5, 5, 40, 5, 40, 40),)
    value["annotations"] = []
    (tmp_path / "c.json").write_text(json.dumps(value))
    assert not read_all(tmp_path / "c.json")[1].counts["orientation_unknown"]  # nothing to be unsure of


def test_a_stored_size_beside_outlines_of_what_is_seen(tmp_path: Path) -> None:
    photo(tmp_path / "000001.jpg", 6)
    outline = corners(6, stored=False)
    assert max(outline[1::2]) > HEIGHT
    (tmp_path / "c.json").write_text(json.dumps(coco([outline], (WIDTH, HEIGHT))))
    images, findings = read_all(tmp_path / "c.json")
    assert overlap(images, tmp_path) > 0.9
    assert dict(findings.counts) == {"rescaled": 1}


@pytest.mark.parametrize("orientation", [1, 6, 8])
@pytest.mark.parametrize("factor", [0.5, 2])
@pytest.mark.parametrize("meant", ["stored", "upright"])
@pytest.mark.parametrize("run_length", [False, True])
def test_a_document_of_a_scaled_copy_is_brought_to_the_picture(
    orientation: int, factor: float, meant: str, run_length: bool, tmp_path: Path
) -> None:
    photo(tmp_path / "000001.jpg", orientation)
    outline = [value * factor for value in corners(orientation, meant == "stored")]
    upright = (WIDTH, HEIGHT) if orientation < 5 else (HEIGHT, WIDTH)
    size = tuple(int(side * factor) for side in ((WIDTH, HEIGHT) if meant == "stored" else upright))
    shape: Any = rle.encode(from_polygons([outline], size[1], size[0])) if run_length else [outline]
    (tmp_path / "c.json").write_text(json.dumps(coco(shape, (size[0], size[1]))))
    images, findings = read_all(tmp_path / "c.json")
    assert overlap(images, tmp_path) > 0.85
    assert findings.counts["rescaled"] == 1
    assert findings.total("error") == 0


@pytest.mark.parametrize("stated", [True, False])
def test_a_mask_of_another_size_than_the_document_s(stated: bool, tmp_path: Path) -> None:
    photo(tmp_path / "000001.jpg", 6)
    seen = from_polygons([[v / 2 for v in corners(6, stored=False)]], WIDTH // 2, HEIGHT // 2)
    document = tmp_path / "c.json"
    document.write_text(json.dumps(coco(rle.encode(seen), (HEIGHT, WIDTH) if stated else None)))
    images, findings = read_all(document)
    assert overlap(images, tmp_path) > 0.85
    assert findings.counts["rescaled"] == 1
    document.write_text(json.dumps(coco(rle.encode(np.ones((30, 100), bool)), (HEIGHT, WIDTH))))
    images, findings = read_all(document)
    assert findings.counts["bad_segmentation"] == 1
    assert images[0].garments[0].segmentation == ()


def test_a_size_of_another_shape_is_an_error_and_no_training_picture(tmp_path: Path) -> None:
    value = coco([[5, 5, 40, 5, 40, 40]], (WIDTH, HEIGHT + 30))
    for number in (1, 2):
        photo(tmp_path / f"{number:06d}.jpg", 1)
    value["images"] += [{"id": n, "file_name": f"{n:06d}.jpg", "width": WIDTH, "height": HEIGHT} for n in (2, 3)]
    value["annotations"] += [{**value["annotations"][0], "id": n, "image_id": n} for n in (2, 3)]
    photo(tmp_path / "000003.jpg", 1)
    (tmp_path / "c.json").write_text(json.dumps(value))
    assert check(tmp_path / "c.json").findings.counts["size_mismatch"] == 1
    chosen = select(tmp_path / "c.json", SelectionSettings(viewpoint=(1, 2, 3)))
    assert {image.file_name for image in (*chosen.train, *chosen.validation)} == {"000002.jpg", "000003.jpg"}
    assert chosen.left_out == {"damaged annotation": 1}


def test_swapped_width_and_height_are_put_right_where_the_points_tell(tmp_path: Path) -> None:
    photo(tmp_path / "000001.jpg", 1)
    (tmp_path / "c.json").write_text(json.dumps(coco([corners(1, stored=True)], (HEIGHT, WIDTH))))
    images, findings = read_all(tmp_path / "c.json")
    assert overlap(images, tmp_path) > 0.9
    assert dict(findings.counts) == {"rescaled": 1}
    (tmp_path / "c.json").write_text(json.dumps(coco([[5, 5, 40, 5, 40, 40]], (HEIGHT, WIDTH))))
    assert read_all(tmp_path / "c.json")[1].counts["size_mismatch"] == 1


def test_sizes_come_from_the_pictures_where_none_are_stated(tmp_path: Path) -> None:
    for number in (1, 2):
        photo(tmp_path / f"{number:06d}.jpg", 1)
    shape = {"name": "polygon", "all_points_x": [5, 40, 40], "all_points_y": [5, 5, 40]}
    region = {"shape_attributes": shape, "region_attributes": {"category": "skirt"}}
    rows = {f"{n:06d}.jpg9": {"filename": f"{n:06d}.jpg", "size": 9, "regions": [region]} for n in (1, 2)}
    (tmp_path / "v.json").write_text(json.dumps(rows))
    (tmp_path / "c.json").write_text(json.dumps(coco([[5, 5, 40, 5, 40, 40]], None)))
    for document in ("v.json", "c.json"):
        target = convert(tmp_path / document, tmp_path / "out" / document, "coco").target
        record = json.loads(target.read_text())["images"][0]
        assert (record["width"], record["height"]) == (WIDTH, HEIGHT)
        assert check(tmp_path / document).findings.total() == 0
    chosen = select(tmp_path / "v.json", SelectionSettings(viewpoint=(1, 2, 3)))
    assert chosen.matching == 2
    with pytest.raises(Exception, match="which they do not state"):
        select(tmp_path / "v.json")


@pytest.mark.parametrize("orientation", range(1, 9))
def test_points_and_masks_move_as_the_picture_does(orientation: int) -> None:
    dice = np.random.default_rng(orientation)
    mask = dice.random((9, 13)) > 0.7
    image = Image.fromarray(mask.astype(np.uint8))
    exif = Image.Exif()
    exif[0x0112] = orientation
    image.info["exif"] = exif.tobytes()
    seen = np.asarray(ImageOps.exif_transpose(image), bool)
    mapping = Mapping((13, 9), (seen.shape[1], seen.shape[0]), orientation)
    assert (mapping.mask(mask) == seen).all()
    for y, x in zip(*np.nonzero(mask), strict=True):
        at = mapping.point(x + 0.5, y + 0.5)
        assert seen[int(at[1]), int(at[0])]
    assert (rle.decode(rle.encode(seen)) == seen).all()
    assert mapping.changes == (orientation != 1)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp"])
@pytest.mark.parametrize("long", [False, True])
def test_headers_know_the_orientation(orientation: int, suffix: str, long: bool, tmp_path: Path) -> None:
    path = tmp_path / f"a{suffix}"
    options = {"comment": b"x" * 60_000} if long and suffix == ".jpg" else {}
    photo(path, orientation, **options)
    header = read_header(path)
    assert header == Header(WIDTH, HEIGHT, orientation)
    assert header.upright == read_header(path).upright == read_rgb(path).shape[1::-1]
    if suffix == ".jpg" and not long:
        assert jpeg_header(path.read_bytes()[:4096]) == header  # without a whole reader


def test_exif_behind_the_pixels_of_a_png(tmp_path: Path) -> None:
    photo(tmp_path / "a.png", 6)
    data = (tmp_path / "a.png").read_bytes()
    at = data.index(b"eXIf") - 4
    length = 12 + int.from_bytes(data[at : at + 4])
    end = data.index(b"IEND") - 4
    moved = data[:at] + data[at + length : end] + data[at : at + length] + data[end:]
    (tmp_path / "a.png").write_bytes(moved)
    assert read_header(tmp_path / "a.png") == Header(WIDTH, HEIGHT, 6)
    assert read_header(tmp_path / "a.png").upright == read_rgb(tmp_path / "a.png").shape[1::-1]


def test_a_pipe_named_like_a_picture_holds_nothing_up(tmp_path: Path) -> None:
    import os

    photo(tmp_path / "000001.jpg", 1)
    os.mkfifo(tmp_path / "000002.jpg")
    value = coco([[5, 5, 40, 5, 40, 40]], None)
    value["images"].append({"id": 2, "file_name": "000002.jpg"})
    (tmp_path / "c.json").write_text(json.dumps(value))
    assert check(tmp_path / "c.json").findings.counts["image_unreadable"] == 1
