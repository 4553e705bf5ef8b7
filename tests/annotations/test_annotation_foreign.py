"""Files of other tools: their ids, their file names, their folders, and VIA in all its versions."""

from __future__ import annotations

import json
import os
import unicodedata
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fittingroom.annotations import ConvertSettings, check, convert, identity
from fittingroom.annotations.findings import Findings
from fittingroom.annotations.model import AnnotatedImage
from fittingroom.annotations.sources import open_source, read
from fittingroom.errors import AnnotationError, InputError
from fittingroom.images import write_png

SQUARE = [5, 5, 40, 5, 40, 40, 5, 40]
POLYGON = {"name": "polygon", "all_points_x": [5, 40, 40, 5], "all_points_y": [5, 5, 40, 40]}


def picture(path: Path) -> Path:
    """60 x 80 pixels, whatever the name."""
    write_png(path.parent / "picture.png", np.zeros((80, 60, 3), np.uint8))
    return (path.parent / "picture.png").rename(path)


def coco(
    image: Any = 1, of: Any = None, category: Any = 8, table: Any = None, name: str = "000001.jpg"
) -> dict[str, Any]:
    row = {"id": 1, "image_id": image if of is None else of, "category_id": category, "segmentation": [SQUARE]}
    value = {"images": [{"id": image, "file_name": name, "width": 60, "height": 80}], "annotations": [row]}
    return value if table is None else {**value, "categories": table}


def write(path: Path, value: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value, ensure_ascii=False), encoding="utf-8")
    return path


def read_all(source: Path, images_dir: Path | None = None) -> tuple[list[AnnotatedImage], Findings]:
    findings = Findings()
    return list(read(open_source(source, findings, images_dir), findings)), findings


def garments(source: Path) -> list[str]:
    return [garment.category_name for image in read_all(source)[0] for garment in image.garments]


@pytest.mark.parametrize("stated", [8, 8.0, "8", "8.0", " 8 ", "08"])
@pytest.mark.parametrize("listed", [8, 8.0, "8"])
def test_category_ids_join_the_document_s_table_however_written(stated: Any, listed: Any, tmp_path: Path) -> None:
    picture(tmp_path / "000001.jpg")
    document = write(tmp_path / "c.json", coco(category=stated, table=[{"id": listed, "name": "skirt"}]))
    images, findings = read_all(document)
    assert [garment.category_name for garment in images[0].garments] == ["skirt"]  # never our 8, trousers
    assert findings.total("error") == 0


@pytest.mark.parametrize(
    ("category", "table"),
    [
        (2, [{"id": 0, "name": "clothes"}, {"id": 1, "name": "skirt"}]),
        ("2", [{"id": 1, "name": "skirt"}]),
        (2, [{"id": "x", "name": "skirt"}]),
        (2, [{"id": 2}]),
        (2, [{"id": 2, "name": "handbag"}]),
        (None, [{"id": 2, "name": "skirt"}]),
        (True, [{"id": 1, "name": "skirt"}]),
        (8.5, [{"id": 8, "name": "skirt"}]),
        (14, None),
        ("hat", None),
    ],
)
def test_an_id_that_no_table_knows_is_no_category(category: Any, table: Any, tmp_path: Path) -> None:
    picture(tmp_path / "000001.jpg")
    images, findings = read_all(write(tmp_path / "c.json", coco(category=category, table=table)))
    assert images[0].garments == ()
    assert findings.counts["unknown_category"] == 1


@pytest.mark.parametrize(
    ("category", "table", "expected"),
    [
        (8, None, "trousers"),
        (8, [], "trousers"),
        ("8", None, "trousers"),
        ("skirt", None, "skirt"),
        ("skirt", [{"id": 3, "name": "skirt"}], "skirt"),
        ("c-3", [{"id": "c-3", "name": "Short_Sleeve_Top"}], "short sleeve top"),
        ({"$oid": "5f1e"}, [{"id": {"$oid": "5f1e"}, "name": "vest"}], "vest"),
    ],
)
def test_ids_that_are_names_or_ours(category: Any, table: Any, expected: str, tmp_path: Path) -> None:
    picture(tmp_path / "000001.jpg")
    document = write(tmp_path / "c.json", coco(category=category, table=table))
    assert garments(document) == [expected]
    assert check(document).findings.total("error") == 0


@pytest.mark.parametrize(
    ("image", "of"),
    [
        ("3f2a-77", "3f2a-77"),
        ("000001.jpg", "000001.jpg"),
        ("셔츠", "셔츠"),
        ("7", 7),
        (7, "7"),
        (7.0, 7),
        ("000007", 7),
        (10**18, 10**18),
        (-3, -3),
        ({"$oid": "5f1e"}, {"$oid": "5f1e"}),
    ],
)
def test_any_image_id_joins(image: Any, of: Any, tmp_path: Path) -> None:
    picture(tmp_path / "000001.jpg")
    document = write(tmp_path / "c.json", coco(image, of, table=[{"id": 8, "name": "skirt"}]))
    report = check(document)
    assert (report.images, report.garments, report.findings.total("error")) == (1, 1, 0)
    out = json.loads(convert(document, tmp_path / "out" / "c.json", "coco").target.read_text())
    assert type(out["images"][0]["id"]) is int
    assert out["annotations"][0]["image_id"] == out["images"][0]["id"]


def test_numbers_made_for_foreign_ids_never_meet_stated_ones(tmp_path: Path) -> None:
    value = coco("a", table=[{"id": 8, "name": "skirt"}], name="000005.jpg")
    value["images"] += [
        {"id": 5, "file_name": "000006.jpg", "width": 60, "height": 80},
        {"id": "b", "file_name": "x/000005.jpg", "width": 60, "height": 80},
    ]
    value["annotations"] += [{**value["annotations"][0], "id": key, "image_id": key} for key in (5, "b")]
    images, findings = read_all(write(tmp_path / "c.json", value))
    assert len({image.image_id for image in images}) == 3
    assert [len(image.garments) for image in images] == [1, 1, 1]
    assert findings.counts["foreign_id"] == 1
    assert not findings.counts["duplicate_id"]


def test_keys_of_ids() -> None:
    assert identity.key("1") == identity.key(1.0) == identity.key(1) == 1
    nothing: list[Any] = [None, True, [], {}, {"a": 1, "b": 2}, "", "  ", float("nan"), float("inf"), {"a": [1]}]
    assert [identity.key(value) for value in nothing] == [None] * len(nothing)
    assert identity.key("1-2") == "1-2"


LAYOUTS = {
    "coco": ("annotations/instances_train2017.json", "train2017/000001.jpg"),
    "cvat": ("annotations/instances_default.json", "images/default/000001.jpg"),
    "cvat split": ("annotations/instances_Train.json", "images/Train/000001.jpg"),
    "roboflow": ("train/_annotations.coco.json", "train/000001.jpg"),
    "label studio": ("result.json", "images/000001.jpg"),
    "fiftyone": ("labels.json", "data/000001.jpg"),
    "labelme": ("annotations.json", "JPEGImages/000001.jpg"),
    "capitals": ("Annotations/train.json", "Images/000001.JPG"),
    "next to": ("x/c.json", "x/000001.jpg"),
    "one up": ("x/c.json", "images/000001.jpg"),
    "own folder": ("c.json", "winter/000001.jpg"),
    "supervisely": ("ds0/ann/c.json", "ds0/img/000001.jpg"),
}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("kind", ["coco", "via"])
def test_the_usual_layouts_are_searched(layout: str, kind: str, tmp_path: Path) -> None:
    document, image = (tmp_path / part for part in LAYOUTS[layout])
    image.parent.mkdir(parents=True)
    picture(image)
    (tmp_path / ".hidden").mkdir()
    value: Any = coco()
    if kind == "via":
        value = {"000001.jpg9": {"filename": "000001.jpg", "size": 9, "regions": [], "file_attributes": {}}}
    source = open_source(write(document, value), Findings())
    assert source.images_dir is not None
    assert source.images_dir.resolve() == image.parent.resolve()
    assert not check(document).findings.counts["missing_image"]


def test_the_split_in_the_document_s_name_decides(tmp_path: Path) -> None:
    for split in ("test", "train", "val"):
        (tmp_path / "images" / split).mkdir(parents=True)
        picture(tmp_path / "images" / split / "000001.jpg")
    for split in ("train", "val"):
        source = open_source(write(tmp_path / "annotations" / f"instances_{split}.json", coco()), Findings())
        assert source.images_dir is not None
        assert source.images_dir.name == split


def test_pictures_of_one_document_in_several_sub_folders(tmp_path: Path) -> None:
    value = coco()
    for number, split in ((1, "a"), (2, "b")):
        (tmp_path / "images" / split).mkdir(parents=True)
        picture(tmp_path / "images" / split / f"{number:06d}.jpg")
    value["images"].append({"id": 2, "file_name": "000002.jpg"})
    images, findings = read_all(write(tmp_path / "c.json", value))
    assert {image.file_name for image in images} == {"a/000001.jpg", "b/000002.jpg"}
    assert findings.counts["other_name"] == 2


NFC, NFD = (unicodedata.normalize(form, "셔츠 é") for form in ("NFC", "NFD"))
NAMES = {
    "capital suffix": ("000001.jpg", "000001.JPG"),
    "capital name": ("Look.JPG", "look.jpg"),
    "decomposed on disk": (f"{NFC}.jpg", f"{NFD}.jpg"),
    "composed on disk": (f"{NFD}.jpg", f"{NFC}.jpg"),
    "decomposed folder": (f"{NFC}/1.jpg", f"{NFD}/1.jpg"),
    "backslash": ("train\\000001.jpg", "train/000001.jpg"),
    "backslash on disk": ("train/000001.jpg", "train\\000001.jpg"),
    "backslash in both": ("train\\000001.jpg", "train\\000001.jpg"),
    "base name of a backslashed": ("000001.jpg", "train\\000001.jpg"),
    "absolute": ("/home/kim/set/images/000001.jpg", "000001.jpg"),
    "windows": ("C:\\Users\\kim\\images\\000001.jpg", "000001.jpg"),
    "windows folder": ("D:/set/train/000001.jpg", "train/000001.jpg"),
    "label studio": ("..\\..\\label-studio\\data\\media\\upload\\1\\ab-000001.jpg", "ab-000001.jpg"),
    "address": ("https://example.org/media/000001.jpg?w=600", "000001.jpg"),
    "dot": ("./000001.jpg", "000001.jpg"),
    "folder too many": ("images/000001.jpg", "000001.jpg"),
    "question mark": ("what?.jpg", "what?.jpg"),
    "space and percent": ("a b%20c.jpg", "a b%20c.jpg"),
    "written for the web": ("a%20b/%EC%85%94%EC%B8%A0.jpg", "a b/셔츠.jpg"),
    "other suffix of JPEG": ("000001.jpg", "000001.JPEG"),
    "jpeg for jpg": ("000001.jpeg", "000001.jpg"),
    "no suffix": ("look.1", "look.1.jpg"),
}


@pytest.mark.parametrize("kind", ["coco", "via"])
@pytest.mark.parametrize("case", NAMES)
def test_a_picture_is_found_under_every_spelling_of_its_name(case: str, kind: str, tmp_path: Path) -> None:
    if os.sep == "\\" and "backslash" in case:
        pytest.skip("a backslash is no letter here")
    stated, on_disk = NAMES[case]
    folder = tmp_path / "pictures"
    (folder / on_disk).parent.mkdir(parents=True)
    picture(folder / on_disk)
    value: Any = coco(name=stated)
    if kind == "via":
        region = {"shape_attributes": POLYGON, "region_attributes": {"class": "skirt"}}
        value = {"_via_img_metadata": {"k": {"filename": stated, "size": 9, "regions": [region]}}}
    document = write(tmp_path / "c.json", value)
    report = check(document, images_dir=folder)
    assert report.findings.total("error") == 0, report.findings.examples
    assert report.garments == 1
    (image,), _ = read_all(document, folder)
    assert (folder / image.file_name).samefile(folder / on_disk)
    again = convert(document, tmp_path / "out" / "c.json", "coco", images_dir=folder).target
    second = check(again, images_dir=folder)
    assert (second.garments, second.findings.total("error"), second.findings.counts["other_name"]) == (1, 0, 0)
    back = convert(again, tmp_path / "df2", "deepfashion2", images_dir=folder).target
    assert not check(back, images_dir=folder).findings.counts["missing_image"]


@pytest.mark.parametrize(
    "name",
    [
        "../secret.jpg",
        "/etc/passwd",
        "a/../../secret.jpg",
        "..",
        "",
        ".",
        "C:\\secret.jpg",
        "..\\secret.jpg",
        "a\0b.jpg",
    ],
)
@pytest.mark.parametrize("kind", ["coco", "via"])
def test_nothing_outside_the_folder_is_ever_a_picture(name: str, kind: str, tmp_path: Path) -> None:
    (tmp_path / "set" / "a").mkdir(parents=True)
    picture(tmp_path / "set" / "000002.jpg")
    picture(tmp_path / "secret.jpg")
    value: Any = coco(name=name)
    if kind == "via":
        value = {"k": {"filename": name, "size": 9, "regions": []}}
    report = check(write(tmp_path / "set" / "c.json", value), images_dir=tmp_path / "set")
    assert report.findings.counts["unsafe_name"] == 1
    assert report.images == 0


def test_two_names_are_never_one_file(tmp_path: Path) -> None:
    picture(tmp_path / "000001.jpg")
    value = coco(name="train/000001.jpg")
    value["images"].append({"id": 2, "file_name": "val/000001.jpg"})
    _, findings = read_all(write(tmp_path / "c.json", value))
    assert findings.counts["missing_image"] == 1
    (tmp_path / "000001.jpg").rename(tmp_path / "LOOK.jpg")
    picture(tmp_path / "Look.jpg")
    if len(list(tmp_path.glob("*.jpg"))) == 2:
        document = write(tmp_path / "c.json", coco(name="look.jpg"))
        assert read_all(document, tmp_path)[1].counts["missing_image"] == 1


def test_links_are_followed_and_an_apple_double_is_no_document(tmp_path: Path) -> None:
    (tmp_path / "set" / "images").mkdir(parents=True)
    picture(tmp_path / "elsewhere.jpg")
    (tmp_path / "set" / "images" / "000001.jpg").symlink_to(tmp_path / "elsewhere.jpg")
    write(tmp_path / "set" / "c.json", coco())
    (tmp_path / "set" / "._c.json").write_bytes(b"\0\5\x16\7")
    report = check(tmp_path / "set")
    assert (report.garments, report.findings.total()) == (1, 0)


def deepfashion2(folder: Path, stem: str) -> None:
    row = {"category_id": 9, "category_name": "skirt", "segmentation": [SQUARE], "bounding_box": [5, 5, 40, 40]}
    write(folder / "annos" / f"{stem}.json", {"source": "user", "pair_id": 1, "item1": row})


@pytest.mark.parametrize("images", ["image", "images"])
@pytest.mark.parametrize(
    ("stem", "on_disk"),
    [("000001", "000001.JPG"), ("000001", "000001.Jpeg"), ("000001", "000001.png"), (NFC, f"{NFD}.JPG")],
)
def test_pictures_of_a_deepfashion2_folder(images: str, stem: str, on_disk: str, tmp_path: Path) -> None:
    (tmp_path / images).mkdir()
    picture(tmp_path / images / on_disk)
    deepfashion2(tmp_path, stem)
    report = check(tmp_path)
    assert report.findings.total("error") == report.findings.total("warning") == 0
    (image,), _ = read_all(tmp_path)
    assert (image.file_name, image.width, image.height) == (on_disk, 60, 80)


def test_a_deepfashion2_name_that_is_not_utf8_is_left_out_alone(tmp_path: Path) -> None:
    (tmp_path / "image").mkdir()
    picture(tmp_path / "image" / "000001.jpg")
    deepfashion2(tmp_path, "000001")
    bad = os.fsdecode("옷1".encode("cp949"))
    try:
        (tmp_path / "annos" / f"{bad}.json").write_bytes((tmp_path / "annos" / "000001.json").read_bytes())
        picture(tmp_path / "image" / f"{bad}.jpg")
    except OSError:
        pytest.skip("this file system takes no such names")
    report = convert(tmp_path, tmp_path / "c.json", "coco")
    assert (report.images, report.findings.counts["name_not_utf8"]) == (1, 1)
    log = (tmp_path / "c.json.findings.jsonl").read_text(encoding="utf-8")
    assert json.loads(log.splitlines()[0])["file"] == "\\xbf\\xca1.json"
    json.dumps(check(tmp_path).to_json(), ensure_ascii=False).encode()
    (tmp_path / "annos" / "000001.json").unlink()
    with pytest.raises(Exception, match="rename it"):
        convert(tmp_path, tmp_path / "c.json", "coco")


def test_a_folder_whose_name_is_not_utf8(tmp_path: Path) -> None:
    folder = tmp_path / os.fsdecode("옷".encode("cp949"))
    try:
        (folder / "image").mkdir(parents=True)
    except OSError:
        pytest.skip("this file system takes no such names")
    picture(folder / "image" / "000001.jpg")
    deepfashion2(folder, "000001")
    for to in ("coco", "via", "deepfashion2"):
        report = convert(folder, folder / f"out-{to}", to)
        assert report.garments == 1
        json.dumps(report.to_json(), ensure_ascii=False).encode()
    json.dumps(check(folder).to_json(), ensure_ascii=False).encode()


@pytest.mark.parametrize("box", [[60, 60, 60, 60.4], [10, 10, 50.4, 10.9], [10, 10, 50, 10]])
def test_a_thin_box_is_the_box_of_its_polygon(box: list[float], tmp_path: Path) -> None:
    (tmp_path / "image").mkdir()
    picture(tmp_path / "image" / "000001.jpg")
    x1, y1, x2, y2 = box
    row = {"category_id": 9, "category_name": "skirt", "segmentation": [[x1, y1, x2, y1, x2, y2, x1, y2]]}
    write(tmp_path / "annos" / "000001.json", {"item1": {**row, "bounding_box": box}})
    assert not check(tmp_path).findings.counts["box_mismatch"]
    write(tmp_path / "annos" / "000001.json", {"item1": {**row, "bounding_box": [x1, y1, x2, y2 + 9]}})
    assert check(tmp_path).findings.counts["box_mismatch"] == 1


def test_a_box_that_reaches_out_of_the_picture_with_its_polygon(tmp_path: Path) -> None:
    (tmp_path / "image").mkdir()
    picture(tmp_path / "image" / "000001.jpg")
    row = {"category_id": 9, "category_name": "skirt", "segmentation": [[5, 5, 120, 5, 120, 40, 5, 40]]}
    for box in ([5, 5, 120, 40], [5, 5, 60, 40]):
        write(tmp_path / "annos" / "000001.json", {"item1": {**row, "bounding_box": box}})
        assert set(check(tmp_path).findings.counts) == {"out_of_bounds"}


def via(*regions: dict[str, Any], attributes: dict[str, Any] | None = None, **row: Any) -> dict[str, Any]:
    """A project of one picture with regions of these attributes."""
    listed = [{"shape_attributes": POLYGON, "region_attributes": region} for region in regions]
    picture_row = {"filename": "000001.jpg", "size": 9, "regions": listed, "file_attributes": {}, **row}
    return {"_via_img_metadata": {"000001.jpg9": picture_row}, "_via_attributes": {"region": attributes or {}}}


NUMBERED = {"type": "dropdown", "options": {"1": "skirt", "2": "trousers"}}
CLASSES: dict[str, tuple[dict[str, Any], list[str]]] = {
    "text": (via({"category": "Skirt "}), ["skirt"]),
    "capital attribute": (via({"Category": "skirt"}), ["skirt"]),
    "checkbox": (via({"category": {"trousers": True}}), ["trousers"]),
    "checkbox unticked": (via({"class": {"trousers": False, "skirt": True}}), ["skirt"]),
    "checkbox labels": (
        via({"class": {"a": True}}, attributes={"class": {"type": "checkbox", "options": {"a": "vest dress"}}}),
        ["vest dress"],
    ),
    "dropdown of numbers": (via({"class": "1"}, {"class": "2"}, attributes={"class": NUMBERED}), ["skirt", "trousers"]),
    "radio in another name": (via({"kleid": "2"}, attributes={"kleid": NUMBERED}), ["trousers"]),
    "other attribute": (via({"class_ids": "skirt"}, {"옷": "vest"}), ["skirt", "vest"]),
    "in garment": (via({"garment": "trousers"}, {"garment": "trousers"}, {"garment": "skirt"}),
                   ["skirt", "trousers", "trousers"]),
    "garment groups": (via({"garment": "a", "class": "skirt"}, {"garment": "a", "class": "skirt"}), ["skirt"]),
    "grouped by a class": (via({"garment": "skirt", "class": "skirt"}, {"garment": "skirt", "class": "skirt"}),
                           ["skirt"]),
    "generic name first": (via({"name": "region 1", "type": "vest"}), ["vest"]),
    "our number": (via({"category_id": "9"}, {"class": 8}), ["skirt", "trousers"]),
    "of the file": (via({}, {"colour": "red"}, file_attributes={"class": "sling"}), ["sling", "sling"]),
}  # fmt: skip


@pytest.mark.parametrize("case", CLASSES)
def test_the_class_of_a_region_wherever_it_stands(case: str, tmp_path: Path) -> None:
    picture(tmp_path / "000001.jpg")
    value, expected = CLASSES[case]
    document = write(tmp_path / "v.json", value)
    assert sorted(garments(document)) == expected
    assert check(document).findings.total("error") == 0


@pytest.mark.parametrize(
    "region", [{"colour": "red", "kind": "hat"}, {"class": {"skirt": True, "vest": True}}, {"class": "hat"}, {}]
)
def test_a_region_of_no_class_names_what_was_seen(region: dict[str, Any], tmp_path: Path) -> None:
    picture(tmp_path / "000001.jpg")
    report = check(write(tmp_path / "v.json", via(region)))
    (finding,) = [f for f in report.findings.examples if f.kind == "unknown_category"]
    assert all(name in finding.message for name in region)
    assert report.garments == 0


@pytest.mark.parametrize("regions", [None, [], {}, "absent"])
@pytest.mark.parametrize("project", [True, False])
def test_an_entry_without_regions_is_a_picture_without_garments(regions: Any, project: bool, tmp_path: Path) -> None:
    for number in (1, 2):
        picture(tmp_path / f"{number:06d}.jpg")
    rows = via({"class": "skirt"})["_via_img_metadata"]
    rows["000002.jpg9"] = {"filename": "000002.jpg", "size": 9, "regions": regions, "file_attributes": {}}
    if regions == "absent":
        del rows["000002.jpg9"]["regions"]
    report = check(write(tmp_path / "v.json", {"_via_img_metadata": rows} if project else rows))
    assert (report.images, report.garments, dict(report.findings.counts)) == (2, 1, {"no_garments": 1})


def test_circles_and_ellipses_are_outlined(tmp_path: Path) -> None:
    picture(tmp_path / "000001.jpg")
    value = via({"class": "skirt"}, {"class": "skirt"}, {"class": "skirt"})
    regions = value["_via_img_metadata"]["000001.jpg9"]["regions"]
    regions[0]["shape_attributes"] = {"name": "circle", "cx": 30, "cy": 30, "r": 20}
    regions[1]["shape_attributes"] = {"name": "ellipse", "cx": 30, "cy": 40, "rx": 25, "ry": 5, "theta": np.pi / 2}
    regions[2]["shape_attributes"] = {"name": "circle", "cx": 30, "cy": 30, "r": "wide"}
    document = write(tmp_path / "v.json", value)
    rows = json.loads(convert(document, tmp_path / "out" / "c.json", "coco").target.read_text())["annotations"]
    assert rows[0]["area"] == pytest.approx(np.pi * 400, rel=0.02)
    assert rows[1]["bbox"] == pytest.approx([25, 15, 10, 50], abs=0.1)
    counts = check(document).findings.counts
    assert (counts["outlined_shape"], counts["not_a_number"]) == (2, 1)


def test_rows_of_one_picture_are_put_together(tmp_path: Path) -> None:
    picture(tmp_path / "000001.jpg")
    rows = via({"class": "skirt"})["_via_img_metadata"]
    rows["again"] = json.loads(json.dumps(rows["000001.jpg9"]))
    rows["again"]["regions"].append({"shape_attributes": POLYGON, "region_attributes": {"class": "vest"}})
    images, findings = read_all(write(tmp_path / "v.json", rows))
    assert [garment.category_name for garment in images[0].garments] == ["skirt", "vest"]
    assert findings.counts["repeated_picture"] == 1
    rows["again"]["size"] = 10  # another file of the same name
    images, findings = read_all(write(tmp_path / "v.json", rows))
    assert (len(images), len(images[0].garments), findings.counts["duplicate_id"]) == (1, 1, 1)


def test_rows_of_via_s_csv_as_json(tmp_path: Path) -> None:
    picture(tmp_path / "000001.jpg")
    picture(tmp_path / "000002.jpg")
    rows = [
        {
            "filename": name,
            "file_size": 9,
            "file_attributes": "{}",
            "region_count": 2,
            "region_id": index,
            "region_shape_attributes": json.dumps(POLYGON if region else {}),
            "region_attributes": json.dumps(region),
        }
        for index, (name, region) in enumerate(
            [("000001.jpg", {"class": "skirt"}), ("000001.jpg", {"class": "vest"}), ("000002.jpg", {})]
        )
    ]
    report = check(write(tmp_path / "v.json", rows))
    assert (report.images, report.garments, dict(report.findings.counts)) == (2, 2, {"no_garments": 1})


def test_a_via_3_project(tmp_path: Path) -> None:
    picture(tmp_path / "000001.jpg")
    picture(tmp_path / "000002.jpg")
    value = {
        "project": {"pid": "__VIA_PROJECT_ID__", "vid_list": ["1", "2"]},
        "config": {},
        "attribute": {
            "1": {"aname": "class", "type": 4, "options": {"0": "skirt", "1": "vest"}},
            "2": {"aname": "worn", "type": 2, "options": {"0": "trousers", "1": "shorts"}},
        },
        "file": {
            "1": {"fid": "1", "fname": "000001.jpg", "type": 2, "loc": 1, "src": ""},
            "2": {"fid": "2", "fname": "000002.jpg", "type": 2, "loc": 1, "src": ""},
        },
        "metadata": {
            "1_a": {"vid": "1", "flg": 0, "z": [], "xy": [7, 5, 5, 40, 5, 40, 40], "av": {"1": "1"}},
            "1_b": {"vid": "1", "flg": 0, "z": [], "xy": [2, 5, 5, 10, 20], "av": {"2": "0"}},
            "1_c": {"vid": "1", "flg": 0, "z": [], "xy": [1, 5, 5], "av": {"1": "0"}},
            "1_d": {"vid": "1", "flg": 0, "z": [], "xy": [4, 30, 30, 9, 5], "av": {"1": "0"}},
        },
        "view": {"1": {"fid_list": ["1"]}, "2": {"fid_list": ["2"]}},
    }
    images, findings = read_all(write(tmp_path / "v.json", value))
    first = images[0].garments
    assert [g.category_name for g in first] == ["vest", "trousers", "skirt", "skirt"]
    assert first[0].segmentation == ((5, 5, 40, 5, 40, 40),)
    assert first[1].segmentation == ((5, 5, 15, 5, 15, 25, 5, 25),)
    assert images[1].garments == ()
    assert findings.counts["unsupported_shape"] == 1


@pytest.mark.parametrize("value", [[], [1], {}, {"a": {}}, {"a": {"filename": 1}}, [{"filename": "a"}]])
def test_what_is_no_annotation_is_refused_in_one_line(value: Any, tmp_path: Path) -> None:
    with pytest.raises(AnnotationError) as caught:
        check(write(tmp_path / "v.json", value))
    assert "\n" not in str(caught.value)


def test_pictures_that_are_not_there_are_said_by_a_conversion_too(tmp_path: Path) -> None:
    picture(tmp_path / "000002.jpg")
    value = coco()
    value["images"].append({"id": 2, "file_name": "000002.jpg"})
    report = convert(write(tmp_path / "c.json", value), tmp_path / "v.json", "via", settings=ConvertSettings())
    assert report.findings.counts["missing_image"] == 1
    (tmp_path / "000002.jpg").unlink()
    report = convert(tmp_path / "c.json", tmp_path / "v.json", "via")
    assert report.findings.counts["missing_image"] == 2
    assert check(tmp_path / "c.json").findings.counts["missing_image"] == 2
    with pytest.raises(InputError):
        check(tmp_path / "c.json", images_dir=tmp_path / "nowhere")
