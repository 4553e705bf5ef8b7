"""What travels to a GPU machine and back: nothing is lost that a training needs, and nothing wrong is taken back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks import gpu_pack
from benchmarks.gpu_pack import join_parts, pack, unpack, write_parts
from fittingroom import masks
from fittingroom.domain import MARK, is_rendered
from fittingroom.errors import InputError, MissingInputError
from fittingroom.images import encode_png, list_images, read_rgb, read_rgba, write_png
from fittingroom.segmentation.dataset import read_split
from fittingroom.translation.dataset import list_pictures, original_name, read_prepared
from fittingroom.workspace import write_bytes, write_json

SHIRT = [40.0, 60.0, 160.0, 60.0, 160.0, 260.0, 40.0, 260.0]


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    """Two photos, (300, 200, 3), a red garment in each, one to learn from and one held out."""
    folder = tmp_path / "dataset"
    for number, split in enumerate(("train", "validation"), start=1):
        photo = np.full((300, 200, 3), 120, np.uint8)
        photo[60:260, 40:160] = (200, 30, 30)
        write_png(tmp_path / "photos" / f"{split}.png", photo)
        annotation: dict[str, Any] = {"id": 7, "image_id": number, "category_id": 1, "iscrowd": 0, "scale": 3}
        annotation |= {"segmentation": [SHIRT], "bbox": [40, 60, 120, 200], "area": 24_000, "keypoints": [0] * 882}
        image = {"id": number, "file_name": f"{split}.png", "height": 300, "width": 200}
        write_json(folder / f"{split}.json", {"images": [image], "annotations": [annotation], "categories": []})
    write_json(folder / "selection.json", {"images_dir": str(tmp_path / "photos")})
    return folder


@pytest.fixture
def garments(tmp_path: Path) -> Path:
    """Three prepared pictures with their mirrored twins, darker to the right."""
    folder = tmp_path / "prepared"
    for number in range(3):
        picture = np.zeros((64, 64, 4), np.uint8)
        picture[16:48, 8:40, :3] = (200, 60 * number, 0)
        picture[16:48, 24:40, :3] //= 2
        picture[16:48, 8:40, 3] = 255
        write_bytes(folder / f"{number:032x}.png", encode_png(picture))
        write_bytes(folder / f"{number:032x}_flip.png", encode_png(np.ascontiguousarray(picture[:, ::-1])))
    return folder


def packed(tmp_path: Path, dataset: Path, garments: Path, **sizes: Any) -> Path:
    sizes = {"side": 100, "quality": 90, "most_garments": 2} | sizes
    size = pack(tmp_path / "pack.tar", dataset, garments, {"red-solid": garments}, None, **sizes)
    assert 0 < size <= (tmp_path / "pack.tar").stat().st_size
    return tmp_path / "pack.tar"


def test_rendered_garments_stay_rendered_and_photos_photos(tmp_path: Path, dataset: Path, garments: Path) -> None:
    drawn, photo = list_images(garments)[0], list_images(garments)[2]
    write_bytes(drawn, encode_png(read_rgba(drawn), comment=MARK))
    unpack(packed(tmp_path, dataset, garments), tmp_path / "there")
    for folder in (tmp_path / "there" / "source", tmp_path / "there" / "styles" / "red-solid"):
        marked = {path.name for path in list_images(folder) if is_rendered(path)}
        assert marked == {drawn.name, f"{drawn.stem}_flip.png"}
        assert (folder / photo.name).is_file()


def test_photos_come_smaller_with_their_garments_in_place(tmp_path: Path, dataset: Path, garments: Path) -> None:
    unpack(packed(tmp_path, dataset, garments), tmp_path / "there")
    for split in ("train", "validation"):
        (photo,) = read_split(tmp_path / "there" / "dataset", split)
        assert (photo.height, photo.width) == (150, 100)
        image = read_rgb(photo.path)
        assert image.shape == (150, 100, 3)
        (garment,) = photo.garments
        mask = masks.from_polygons(garment.polygons, photo.height, photo.width)
        red = (image[..., 0] > 160) & (image[..., 1] < 80)
        assert masks.iou(mask, red) > 0.95
        (annotation,) = json.loads((tmp_path / "there" / "dataset" / f"{split}.json").read_text())["annotations"]
        assert annotation["bbox"] == [20.0, 30.0, 60.0, 100.0]
        assert annotation["area"] == 6000.0
        assert annotation["scale"] == 3, "the difficulty table needs it"
        assert "keypoints" not in annotation


def test_garments_come_with_their_twins(tmp_path: Path, dataset: Path, garments: Path) -> None:
    unpack(packed(tmp_path, dataset, garments), tmp_path / "there")
    for folder in (tmp_path / "there" / "source", tmp_path / "there" / "styles" / "red-solid"):
        pictures = list_pictures(folder, "pictures", 1)
        assert len(pictures) == 4, "two garments, as asked, and no WebP left"
        originals = [path for path in pictures if original_name(path) == path.stem]
        for path in originals:
            image, mask = read_prepared(path, 64)
            before, mask_before = read_prepared(garments / path.name, 64)
            assert np.array_equal(mask, mask_before)
            assert np.abs(image.astype(int) - before)[mask].mean() < 8
            twin, mask_of_twin = read_prepared(path.with_name(f"{path.stem}_flip.png"), 64)
            assert np.array_equal(mask_of_twin, mask[:, ::-1])
            assert np.array_equal(twin[mask_of_twin], image[:, ::-1][mask_of_twin])


def test_too_large_a_pack_is_refused_and_not_left(
    tmp_path: Path, dataset: Path, garments: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gpu_pack, "MOST_BYTES", 1000)
    with pytest.raises(InputError, match=r"expected at most 0 MB, got 0\.0 MB: lower --side"):
        packed(tmp_path, dataset, garments)
    assert not (tmp_path / "pack.tar").exists()


def test_what_is_not_there_is_named(tmp_path: Path, dataset: Path, garments: Path) -> None:
    with pytest.raises(MissingInputError, match=r"none\.tar"):
        unpack(tmp_path / "none.tar", tmp_path / "there")
    (dataset / "train.json").unlink()
    with pytest.raises(MissingInputError, match=r"train\.json"):
        packed(tmp_path, dataset, garments)
    with pytest.raises(MissingInputError, match=r"parts\.json"):
        join_parts(tmp_path / "none", tmp_path / "home")


@pytest.fixture
def parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(gpu_pack, "PART_BYTES", 1000)
    write_parts(tmp_path / "parts", "segmenter.safetensors", bytes(range(250)) * 10)
    write_parts(tmp_path / "parts", "style-red.safetensors", b"red" * 100)
    return tmp_path / "parts"


def test_weights_come_home_whole(tmp_path: Path, parts: Path) -> None:
    assert max(path.stat().st_size for path in parts.glob("*.part-*")) == 1000
    written = join_parts(parts, tmp_path / "home")
    assert [path.name for path in written] == ["segmenter.safetensors", "style-red.safetensors"]
    assert written[0].read_bytes() == bytes(range(250)) * 10
    assert written[1].read_bytes() == b"red" * 100


def test_parts_that_were_changed_or_lost_are_refused(tmp_path: Path, parts: Path) -> None:
    part = parts / "segmenter.safetensors.part-01"
    whole = part.read_bytes()
    part.write_bytes(whole[:-1] + b"!")
    with pytest.raises(InputError, match=r"segmenter\.safetensors are not those"):
        join_parts(parts, tmp_path / "home")
    part.unlink()
    with pytest.raises(MissingInputError, match="part-01"):
        join_parts(parts, tmp_path / "home")
    assert not (tmp_path / "home" / "segmenter.safetensors").exists()


@pytest.mark.parametrize("where", ["name", "part"])
def test_a_list_that_points_elsewhere_is_refused(tmp_path: Path, parts: Path, where: str) -> None:
    listed = json.loads((parts / "parts.json").read_text())
    if where == "name":
        listed["../outside.safetensors"] = listed.pop("style-red.safetensors")
    else:
        listed["style-red.safetensors"]["parts"] = ["../../etc/passwd"]
    write_json(parts / "parts.json", listed)
    with pytest.raises(InputError, match="expected names of files, got"):
        join_parts(parts, tmp_path / "home")
    assert not (tmp_path / "outside.safetensors").exists()
