"""What goes out comes back: DeepFashion2 to COCO to VIA to DeepFashion2, for anything a file may hold."""

from __future__ import annotations

import itertools
import json
import pickle
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fittingroom.annotations import ConvertSettings, convert, sources, writer
from fittingroom.annotations.fields import Place
from fittingroom.annotations.findings import Findings
from fittingroom.annotations.formats import Source, deepfashion2
from fittingroom.annotations.model import AnnotatedImage
from fittingroom.annotations.writer import document
from fittingroom.categories import CATEGORY_NAMES
from fittingroom.errors import AnnotationError, InputError, MissingInputError, NothingProduced, SettingError

numbers = st.one_of(st.integers(-50, 2000), st.floats(-50, 2000, allow_nan=False))
polygons = st.lists(st.tuples(numbers, numbers), min_size=3, max_size=12).map(
    lambda points: [value for point in points for value in point]
)
json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abcé_", max_size=5), inner, max_size=3),
    max_leaves=6,
)
# Names that the other formats use themselves must survive too.
unknown_names = st.sampled_from(
    [
        "area",
        "id",
        "image_id",
        "iscrowd",
        "bbox",
        "keypoints",
        "extra",
        "garment",
        "category",
        "size",
        "attributes",
        "ä b",
    ]
)
unknown = st.dictionaries(unknown_names, json_values, max_size=3)
levels = st.integers(1, 3)


@st.composite
def garments(draw: st.DrawFn) -> dict[str, Any]:
    category_id = draw(st.sampled_from(sorted(CATEGORY_NAMES)))
    value: dict[str, Any] = draw(unknown)
    value |= {"category_id": category_id, "category_name": CATEGORY_NAMES[category_id]}
    value["segmentation"] = draw(st.lists(polygons, max_size=4))
    landmarks = draw(st.lists(st.tuples(numbers, numbers, st.integers(0, 2)), max_size=5))
    if landmarks:
        value["landmarks"] = [number for landmark in landmarks for number in landmark]
    if draw(st.booleans()):
        (x1, x2), (y1, y2) = (sorted(draw(st.tuples(numbers, numbers))) for _ in range(2))
        value["bounding_box"] = [x1, y1, x2, y2]
    optional = {
        "style": st.integers(-3, 500),
        "scale": levels,
        "occlusion": levels,
        "zoom_in": levels,
        "viewpoint": levels,
    }
    for name, strategy in optional.items():
        if draw(st.booleans()):
            value[name] = draw(strategy)
    return value


@st.composite
def pictures(draw: st.DrawFn) -> dict[str, Any]:
    value: dict[str, Any] = draw(unknown.map(lambda found: {k: v for k, v in found.items() if k != "image_id"}))
    if draw(st.booleans()):
        value["source"] = draw(st.sampled_from(["user", "shop", "", "atelier"]))
    if draw(st.booleans()):
        value["pair_id"] = draw(st.integers(0, 10**9))
    for number in draw(st.sets(st.integers(0, 1200), max_size=4)):
        value[f"item{number}"] = draw(garments())
    return value


def read(value: dict[str, Any], findings: Findings) -> AnnotatedImage:
    return deepfashion2.from_json(value, "000012", Place(findings, "000012.json"))


@settings(max_examples=150, deadline=None)
@given(pictures(), st.sampled_from([(0, 0), (64, 48)]), st.permutations(["coco", "via", "plain via", "coco"]))
def test_every_path_through_the_formats_gives_back_the_same_json(
    value: dict[str, Any], size: tuple[int, int], path: list[str]
) -> None:
    findings = Findings()
    image = AnnotatedImage(**{**vars(read(value, findings)), "width": size[0], "height": size[1]})
    original = image
    for step in path:
        to, settings = step.split()[-1], ConvertSettings(via_plain=step == "plain via")
        written = orjson.loads(document(to, [image], settings=settings))
        (image,) = sources.read(Source(Path("d.json"), to, document=written), findings)
        assert image == original, step
    assert deepfashion2.to_json(image) == value
    assert set(findings.counts) <= {"item_gap", "no_garments", "empty_segmentation"}


@pytest.mark.parametrize(("first", "second"), list(itertools.permutations(["coco", "via", "deepfashion2"], 2)))
def test_folders_and_files_round_trip(small_set: Path, tmp_path: Path, first: str, second: str) -> None:
    images = small_set / "image"
    source: Path = small_set
    for index, to in enumerate((first, second, "deepfashion2")):
        report = convert(source, tmp_path / f"{index}-{to}", to, images_dir=images)
        assert (report.images, report.garments, report.polygons) == (3, 6, 9)
        assert set(report.findings.counts) <= {"item_gap"}
        source = report.target
    for path in (small_set / "annos").iterdir():
        assert json.loads((source / "annos" / path.name).read_text()) == json.loads(path.read_text())


def test_many_processes_and_shards_write_the_same_bytes(small_set: Path, tmp_path: Path) -> None:
    one, two = tmp_path / "one.json", tmp_path / "two.json"
    convert(small_set, one, "coco")
    seen: list[tuple[int, int]] = []
    convert(small_set, two, "coco", workers=2, shard_size=2, on_progress=lambda done, total: seen.append((done, total)))
    assert one.read_bytes() == two.read_bytes()
    assert seen == [(2, 3), (3, 3)]
    assert not list(tmp_path.glob(".convert*"))


def test_a_broken_file_is_reported_and_the_rest_converted(small_set: Path, tmp_path: Path) -> None:
    (small_set / "annos" / "000002.json").write_text('{"source": "user",')
    report = convert(small_set, tmp_path / "out.json", "coco")
    assert (report.files_read, report.images) == (3, 2)
    assert report.fell_short
    assert report.findings.counts["unreadable_json"] == 1
    rows = [json.loads(line) for line in Path(f"{report.target}.findings.jsonl").read_text().splitlines()]
    (row,) = [row for row in rows if row["kind"] == "unreadable_json"]
    assert row["file"] == "000002.json"
    assert "line 1 column" in row["message"]


def test_clipping_and_skipping_follow_the_settings_and_are_reported(
    build_set: Any, new_picture: Any, tmp_path: Path
) -> None:
    value = new_picture(1)
    value["item1"]["segmentation"] = [[50, 10, 90, 10, 90, 40, 50, 40]]
    value["item3"]["segmentation"] = []
    source = build_set({"000001": value})
    report = convert(source, tmp_path / "kept.json", "coco")
    assert report.garments == 2
    assert "clipped" not in report.findings.counts
    settings = ConvertSettings(clip=True, without_polygons="skip")
    report = convert(source, tmp_path / "clipped.json", "coco", settings=settings)
    assert (report.findings.counts["clipped"], report.findings.counts["left_out"]) == (1, 1)
    (row,) = json.loads(report.target.read_text())["annotations"]
    xs = row["segmentation"][0][0::2]
    assert (min(xs), max(xs)) == (50, 60)
    assert row["area"] == 10 * 30


def test_wrong_requests_are_refused_before_anything_is_written(small_set: Path, tmp_path: Path) -> None:
    with pytest.raises(SettingError, match="setting to"):
        convert(small_set, tmp_path / "x.json", "yolo")
    with pytest.raises(MissingInputError):
        convert(tmp_path / "nothing", tmp_path / "x.json", "coco")
    with pytest.raises(InputError, match="the source itself"):
        convert(small_set, small_set, "deepfashion2")
    with pytest.raises(SettingError):
        ConvertSettings().with_overrides(without_polygons="maybe")
    other = tmp_path / "other.json"
    other.write_text('{"hello": 1}')
    with pytest.raises(AnnotationError, match="none of these"):
        convert(other, tmp_path / "x.json", "coco")
    for path in (small_set / "annos").iterdir():
        path.write_text("[]")
    with pytest.raises(NothingProduced, match="not one picture"):
        convert(small_set, tmp_path / "x.json", "coco")
    assert not (tmp_path / "x.json").exists()


@pytest.mark.parametrize("to", ["coco", "via", "deepfashion2"])
def test_parts_are_written_alone_and_joined_again(small_set: Path, tmp_path: Path, to: Any) -> None:
    settings, source = ConvertSettings(), sources.open_source(small_set, Findings())
    parts = [
        writer.write_part(index, part, to=to, work=tmp_path / "work", settings=settings)
        for index, part in enumerate(source.parts(2))
    ]
    parts = pickle.loads(pickle.dumps(parts))  # noqa: S301  as they come back from other processes
    assert [len(part.names) for part in parts] == [2, 1]
    place = tmp_path / "merged" / "annos" if to == "deepfashion2" else tmp_path / "merged"
    for _ in range(2):  # joining again does no harm
        findings = writer.join(parts, to, place, settings, source.images_dir, Findings(None), Findings(None))
    assert findings.counts["item_gap"] == 3
    whole = convert(small_set, tmp_path / "merged.json" if to != "deepfashion2" else tmp_path / "whole", to).target
    for path in sorted(whole.rglob("*.json")) if whole.is_dir() else [whole]:
        other = tmp_path / "merged" / path.relative_to(whole) if whole.is_dir() else tmp_path / "merged"
        assert other.read_bytes() == path.read_bytes()


def test_names_that_would_share_a_file_are_parted(tmp_path: Path) -> None:
    names = ["a/1.jpg", "a__1.jpg", "a__1.png", "7.jpg"]
    source = tmp_path / "c.json"
    source.write_bytes(document("coco", [AnnotatedImage(name, 3 * index + 1) for index, name in enumerate(names)]))
    report = convert(source, tmp_path / "out", "deepfashion2")
    assert report.findings.counts["image_name"] >= 2
    back = {
        image.file_name: image.image_id
        for image in sources.read(sources.open_source(report.target, Findings()), Findings())
    }
    assert back == {name: 3 * index + 1 for index, name in enumerate(names)}


@pytest.mark.real_data
def test_real_annotations_round_trip(real_photos: Path, tmp_path: Path) -> None:
    first = convert(real_photos, tmp_path / "coco.json", "coco")
    second = convert(first.target, tmp_path / "via.json", "via", images_dir=real_photos / "image")
    third = convert(second.target, tmp_path / "back", "deepfashion2", images_dir=real_photos / "image")
    assert (first.images, first.garments, first.polygons) == (third.images, third.garments, third.polygons)
    for path in (real_photos / "annos").iterdir():
        assert json.loads((third.target / "annos" / path.name).read_text()) == json.loads(path.read_text())
