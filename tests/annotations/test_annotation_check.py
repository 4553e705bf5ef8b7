"""The check finds every planted defect, finds nothing in sound files, and survives anything."""

from __future__ import annotations

import io
import json
import random
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from PIL import Image
from rich.console import Console

from fittingroom.annotations import KINDS, check, convert, geometry, jsonfile
from fittingroom.annotations.fields import Place
from fittingroom.annotations.findings import Findings
from fittingroom.annotations.formats import Source, coco, deepfashion2, via
from fittingroom.annotations.geometry import clip_polygon, crosses_itself, crossing, mask_area
from fittingroom.annotations.headers import jpeg_header, read_header
from fittingroom.annotations.inspection import inspect_garments
from fittingroom.annotations.writer import document
from fittingroom.errors import AnnotationError, FittingroomError, MissingInputError

Spoil = Callable[[dict[str, Any]], object]

SPOILT: dict[str, list[Spoil]] = {
    "polygon_too_short": [lambda v: v["item1"]["segmentation"].append([1, 1, 5, 5])],
    "polygon_too_long": [lambda v: v["item1"]["segmentation"].append([1, 2, 9] * 14_000)],
    "odd_coordinates": [lambda v: v["item1"]["segmentation"].append([1, 1, 5, 5, 9, 9, 3])],
    "self_intersection": [lambda v: v["item3"].update(segmentation=[[12, 45, 48, 75, 48, 45, 12, 75]])],
    "out_of_bounds": [lambda v: v["item3"].update(segmentation=[[12, 45, 48, 45, 48, 90, 12, 90]])],
    "zero_area": [lambda v: v["item3"].update(segmentation=[[100, 100, 120, 100, 120, 120]])],
    "box_mismatch": [
        lambda v: v["item1"].update(bounding_box=[10, 10, 20, 20]),
        lambda v: v["item1"].update(bounding_box=[10, 10, 40, 30]),  # x, y, width, height by mistake
    ],
    "landmark_count": [lambda v: v["item1"]["landmarks"].extend([1, 2, 2])],
    "bad_landmarks": [lambda v: v["item1"]["landmarks"].pop(), lambda v: v["item1"].update(landmarks={})],
    "unknown_category": [
        lambda v: v["item1"].update(category_id=14, category_name="hat"),
        lambda v: (v["item1"].pop("category_id"), v["item1"].pop("category_name")),
    ],
    "category_mismatch": [lambda v: v["item1"].update(category_name="skirt")],
    "category_spelling": [
        lambda v: v["item1"].update(category_name="short_sleeved_shirt"),
        lambda v: v["item1"].update(category_name="Short Sleeve TOP"),
    ],
    "not_a_number": [
        lambda v: v["item1"]["segmentation"][0].__setitem__(3, float("nan")),
        lambda v: v["item1"]["segmentation"][0].__setitem__(3, float("inf")),
        lambda v: v["item1"]["segmentation"][0].__setitem__(3, "left"),
        lambda v: v["item1"]["segmentation"][0].__setitem__(3, None),
        lambda v: v["item1"]["segmentation"][0].__setitem__(3, 1e300),
        lambda v: v["item1"].update(scale=True),
    ],
    "text_for_number": [
        lambda v: v["item1"]["segmentation"][0].__setitem__(3, "10.5"),
        lambda v: v.update(pair_id="1"),
    ],
    "box_reversed": [lambda v: v["item1"].update(bounding_box=[50.0, 40.0, 10.0, 10.0])],
    "bad_box": [lambda v: v["item1"].update(bounding_box=[1, 2, 3])],
    "empty_segmentation": [lambda v: v["item1"].update(segmentation=[])],
    "bad_segmentation": [
        lambda v: v["item1"].update(segmentation="x"),
        lambda v: v["item1"].update(segmentation=[7, []]),
    ],
    "bad_field": [lambda v: v.update(item1=[]), lambda v: v.update(source=5), lambda v: v["item1"].update(style=1.5)],
    "value_range": [lambda v: v["item1"].update(viewpoint=4)],
    "item_gap": [lambda v: v.update(item9=v.pop("item3"))],
    "no_garments": [lambda v: (v.pop("item1"), v.pop("item3"))],
    "reshaped": [lambda v: v["item3"].update(segmentation=[[[12, 45], [48, 45], [48, 75], [12, 75]]])],
    "unsafe_name": [lambda v: v.update(file_name="../000001.jpg")],
    "too_deep": [lambda v: v.update(notes=json.loads("[" * 300 + "]" * 300))],
}
CASES = [(kind, spoil) for kind, spoils in SPOILT.items() for spoil in spoils]


def tidy(value: dict[str, Any]) -> dict[str, Any]:
    value["item2"] = value.pop("item3")
    return value


@pytest.mark.parametrize(("kind", "spoil"), CASES, ids=[f"{kind}-{n}" for n, (kind, _) in enumerate(CASES)])
def test_each_planted_defect_is_found(kind: str, spoil: Spoil, build_set: Any, new_picture: Any) -> None:
    value = new_picture(1)
    spoil(value)
    report = check(build_set({"000001": value}))
    assert report.findings.counts[kind] >= 1
    assert report.broken == any(KINDS[found][0] == "error" for found in report.findings.counts)
    if KINDS[kind][0] == "error":
        assert report.broken
    first = next(finding for finding in report.findings.examples if finding.kind == kind)
    assert first.file.startswith("000001")
    assert "\n" not in first.message


def test_sound_files_have_no_findings(build_set: Any, new_picture: Any, tmp_path: Path) -> None:
    folder = build_set({f"{number:06d}": tidy(new_picture(number)) for number in (1, 2)})
    for source in (
        folder,
        convert(folder, tmp_path / "c.json", "coco").target,
        convert(folder, tmp_path / "v.json", "via").target,
    ):
        report = check(source, images_dir=folder / "image")
        assert not report.findings.counts
        assert (report.broken, report.images, report.garments) == (False, 2, 4)


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        ("unreadable_json", b""),
        ("unreadable_json", b'{"item1": {"category_id": 1,}}'),
        ("unreadable_json", b"\xff\xfe{}"),
        ("unreadable_json", b'{"item1": NaN, '),
        ("too_deep", b"[" * 100_000),
        ("too_deep", b'{"a":' * 5000 + b"NaN" + b"}" * 5000),
        ("not_an_annotation", b"[1, 2]"),
        ("not_an_annotation", b'"text"'),
        ("duplicate_id", b'{"item1": 1, "item1": 2}'),
        ("byte_order_mark", b"\xef\xbb\xbf{}"),
    ],
)
def test_files_that_are_no_annotations(kind: str, data: bytes, small_set: Path) -> None:
    (small_set / "annos" / "000002.json").write_bytes(data)
    report = check(small_set)
    assert report.findings.counts[kind] == 1
    assert report.images >= 2


def test_position_of_a_syntax_error_is_said(small_set: Path) -> None:
    (small_set / "annos" / "000002.json").write_text('{\n  "source": "user",\n  oops\n}')
    (finding,) = [f for f in check(small_set).findings.examples if f.kind == "unreadable_json"]
    assert "line 3 column 3" in finding.message


def test_too_many_bytes_are_not_read(small_set: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with (small_set / "annos" / "000002.json").open("wb") as file:
        file.truncate(200_000_000)  # sparse: 200 MB that take no disk
    report = check(small_set)
    assert report.findings.counts["too_large"] == 1
    monkeypatch.setattr(jsonfile, "MAX_DOCUMENT_BYTES", 10)
    document = small_set / "c.json"
    document.write_text('{"images": [], "annotations": []}')
    report = check(document)
    assert (report.broken, dict(report.findings.counts)) == (True, {"too_large": 1})


def test_pictures_are_compared_with_what_is_said_of_them(small_set: Path, tmp_path: Path) -> None:
    document = convert(small_set, tmp_path / "c.json", "coco").target
    value = json.loads(document.read_text())
    value["images"][0]["width"] = 61
    value["annotations"][0]["area"] = 1200  # the box's
    value["annotations"][1]["id"] = value["annotations"][0]["id"]
    document.write_text(json.dumps(value))
    (small_set / "image" / "000002.jpg").unlink()
    (small_set / "image" / "000003.jpg").write_bytes(b"no picture at all")
    counts = check(document, images_dir=small_set / "image").findings.counts
    wanted = {"size_mismatch": 1, "area_mismatch": 1, "duplicate_id": 1, "missing_image": 1, "image_unreadable": 1}
    assert {kind: counts[kind] for kind in wanted} == wanted
    (small_set / "annos" / "000001.json").unlink()
    counts = check(small_set).findings.counts
    wanted = {"missing_image": 1, "image_unreadable": 1, "image_without_annotation": 1}
    assert {kind: counts[kind] for kind in wanted} == wanted


def test_names_that_are_not_six_digits_are_read_and_noted(build_set: Any, new_picture: Any) -> None:
    report = check(build_set({"look_7": tidy(new_picture(1)), "7": tidy(new_picture(2))}))
    assert report.findings.counts["image_name"] == 2
    assert report.findings.counts["duplicate_id"] == 1
    assert report.images == 2


def test_the_report_prints_and_is_json(small_set: Path) -> None:
    (small_set / "annos" / "000002.json").write_text(json.dumps({"item1": {"category_name": "[bold]\x1b[31m"}}))
    report = check(small_set)
    value = json.loads(json.dumps(report.to_json()))
    assert value["broken"] is True
    assert value["findings"]["counts"]["unknown_category"] == 1
    console = Console(file=io.StringIO(), width=300, force_terminal=False)
    console.print(report.table())
    printed = console.file.getvalue()  # type: ignore[attr-defined]
    assert "unknown_category" in printed
    assert "\x1b" not in printed


def test_wrong_paths_are_refused(tmp_path: Path) -> None:
    with pytest.raises(MissingInputError):
        check(tmp_path / "nothing")
    with pytest.raises(AnnotationError, match="annos/"):
        check(tmp_path)


VALUES: list[Any] = [
    None,
    True,
    -1,
    0,
    10**30,
    1e308,
    float("nan"),
    float("-inf"),
    "",
    "1",
    "NaN",
    "\ud800",
    [],
    {},
    [[]],
    [[[]]],
    {"a": []},
]


def mutated(value: Any, dice: random.Random) -> Any:
    """The value with one node, anywhere in it, replaced, dropped or doubled."""
    spots: list[tuple[Any, Any]] = []
    pending = [value]
    while pending:
        node = pending.pop()
        keys = list(node) if isinstance(node, dict) else range(len(node))
        for key in keys:
            spots.append((node, key))
            if isinstance(node[key], dict | list):
                pending.append(node[key])
    if not spots:
        return value
    # The upper levels first: most spots are single coordinates.
    node, key = dice.choice(spots[:40] if dice.random() < 0.6 else spots)
    act = dice.random()
    if act < 0.7:
        node[key] = dice.choice(VALUES)
    elif act < 0.85 or isinstance(node, dict):
        del node[key]
    else:
        node.insert(key, node[key])
    return value


def read_all(data: bytes) -> None:
    """Every reader, writer and geometry test over hostile bytes: only our own errors may come out."""
    findings = Findings()
    try:
        value = jsonfile.parse(data, "000001.json", findings)
        if not isinstance(value, dict):
            return
        source = Source(Path("x"), "", document=value)
        if coco.sniff(value) is not None:
            images = list(coco.read(source, findings, verify=True))
        elif via.FORMAT.sniff(value, Path("x")) is not None:
            images = list(via.read(source, findings))
        else:
            place = Place(findings, "000001.json")
            images = [deepfashion2.from_json(value, "000001", place)]
    except FittingroomError:
        return
    inspect_garments(images, findings)
    document("coco", images)
    document("via", images)
    for image in images:
        json.dumps(deepfashion2.to_json(image))


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    seed=st.integers(0, 2**32),
    kind=st.sampled_from(["deepfashion2", "coco", "via"]),
    times=st.integers(1, 4),
    torn=st.booleans(),
)
def test_mutated_files_crash_nothing(seed: int, kind: str, times: int, torn: bool, new_picture: Any) -> None:
    dice = random.Random(seed)
    value: Any = new_picture(1)
    if kind != "deepfashion2":
        image = deepfashion2.from_json(value, "000001", Place(Findings(), "x"))
        value = json.loads(document(kind, [image]))
    for _ in range(times):
        value = mutated(value, dice)
    data = json.dumps(value).encode("utf-8", "surrogatepass")
    if torn:
        spot = dice.randrange(len(data))
        data = data[:spot] + dice.randbytes(dice.randrange(3)) + data[spot + dice.randrange(4) :]
    read_all(data)


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=200) | st.text(max_size=80).map(lambda text: text.encode("utf-8", "replace")))
def test_any_bytes_crash_nothing(data: bytes) -> None:
    read_all(data)


@pytest.mark.real_data
def test_mutated_real_files_crash_nothing(real_photos: Path, build_set: Any) -> None:
    dice = random.Random(7)
    files = sorted((real_photos / "annos").iterdir())
    folder = build_set({})
    for index in range(150):
        data = bytearray(dice.choice(files).read_bytes())
        for _ in range(dice.randrange(1, 6)):
            data[dice.randrange(len(data))] = dice.randrange(256)
        (folder / "annos" / f"{index:06d}.json").write_bytes(data[: dice.randrange(len(data)) or None])
        value = mutated(json.loads(dice.choice(files).read_bytes()), dice)
        (folder / "annos" / f"{index + 500:06d}.json").write_text(json.dumps(value))
    report = check(folder)
    assert report.findings.total() > 300
    assert report.images > 100


def slow_crossing(polygon: Sequence[float]) -> bool:
    """Exact integer arithmetic, one pair of edges at a time."""
    points = [(int(x), int(y)) for x, y in zip(polygon[0::2], polygon[1::2], strict=True)]
    edges = list(zip(points, points[1:] + points[:1], strict=True))

    def side(a: tuple[int, int], b: tuple[int, int], c: tuple[int, int]) -> int:
        return (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])

    return any(
        side(a, b, c) * side(a, b, d) < 0 and side(c, d, a) * side(c, d, b) < 0
        for index, (a, b) in enumerate(edges)
        for c, d in edges[index + 1 :]
    )


@given(st.lists(st.integers(0, 9), min_size=6, max_size=24).filter(lambda values: len(values) % 2 == 0))
def test_crossings_are_those_of_the_slow_search(values: list[int]) -> None:
    assert crosses_itself(tuple(values)) == slow_crossing(list(values))


@given(
    st.lists(st.lists(st.integers(0, 9), min_size=4, max_size=16).filter(lambda v: len(v) % 2 == 0), max_size=6),
    st.sampled_from([1, 3, 500_000]),
)
def test_many_outlines_are_searched_at_once_as_one_by_one(outlines: list[list[int]], at_once: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(geometry, "_PAIRS_AT_ONCE", at_once)
        assert crossing([tuple(map(float, outline)) for outline in outlines]) == {
            place for place, outline in enumerate(outlines) if len(outline) >= 8 and slow_crossing(outline)
        }


def test_an_outline_that_goes_to_and_fro_is_searched_in_bounded_memory() -> None:
    zigzag = tuple(value for index in range(4_000) for value in (float(index % 2) * 100, index / 50))
    assert crossing([zigzag, (0.0, 0.0, 9.0, 9.0, 9.0, 0.0, 0.0, 9.0)]) == {0, 1}


@example([(0, 11), (-1, 15), (15, -1)])  # a sliver along a diagonal: rounding moves half of its 29 pixels
@given(st.lists(st.tuples(st.integers(-20, 60), st.integers(-20, 60)), min_size=3, max_size=3))
def test_a_clipped_triangle_covers_the_same_pixels(points: list[tuple[int, int]]) -> None:
    polygon = tuple(float(value) for point in points for value in point)
    cut = clip_polygon(polygon, 40, 30)
    assert all(0 <= value <= 40 for value in cut[0::2])
    assert all(0 <= value <= 30 for value in cut[1::2])
    whole, part = mask_area([polygon], 40, 30), mask_area([cut], 40, 30) if cut else 0
    assert abs(whole - part) <= 0.05 * whole + 16
    assert np.isfinite(cut).all()


@pytest.mark.parametrize(
    ("suffix", "options"), [("JPEG", {}), ("JPEG", {"progressive": True}), ("PNG", {}), ("WEBP", {})]
)
def test_sizes_come_from_headers(suffix: str, options: dict[str, Any], tmp_path: Path) -> None:
    path = tmp_path / "picture"
    for comment in (b"", b"x" * 60_000):
        more = {**options, "comment": comment} if suffix == "JPEG" else options
        Image.new("RGB", (37, 91)).save(path, suffix, **more)
        assert read_header(path).upright == (37, 91)


@given(st.binary(max_size=60))
def test_a_jpeg_header_may_hold_anything(tail: bytes) -> None:
    found = jpeg_header(b"\xff\xd8\xff" + tail)
    assert found is None or (min(found) > 0 and found.orientation in range(1, 9))
