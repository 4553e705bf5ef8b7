"""``annotations check`` and ``convert``: the same findings for the same source, and every setting has its option."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from fittingroom.annotations import check, convert
from fittingroom.cli import run
from fittingroom.sample.deepfashion2_set import render_deepfashion2_set

NOTES_OF_A_CONVERSION = {"clipped", "left_out"}


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return render_deepfashion2_set(tmp_path_factory.mktemp("df2"), 8, 0, others=0, height=172, width=128)


@pytest.fixture
def spoilt(sound: Path, tmp_path: Path) -> Path:
    """One fault of each sort that readers, the look at garments, at pictures and at the whole set find."""
    folder = shutil.copytree(sound, tmp_path / "corrupt")

    def change(number: int, **fields: Any) -> None:
        path = folder / "annos" / f"{number:06d}.json"
        value = json.loads(path.read_text())
        item = next(key for key in value if key.startswith("item"))
        value[item].update(fields)
        path.write_text(json.dumps(value))

    change(1, bounding_box=[0, 0, 5, 5])
    change(2, segmentation=[[10, 10, 60, 60, 60, 10, 10, 60]], bounding_box=[10, 10, 60, 60])
    change(3, segmentation=[[10, 10, 900, 10, 900, 60, 10, 60]], bounding_box=[10, 10, 900, 60])
    change(4, landmarks=[1, 2, 2])
    (folder / "annos" / "000005.json").write_text("{")
    (folder / "image" / "000006.jpg").unlink()
    shutil.copy(folder / "image" / "000007.jpg", folder / "image" / "000077.jpg")
    shutil.copy(folder / "annos" / "000008.json", folder / "annos" / "8.json")
    return folder


def document(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, dict[str, Any]]:
    code = run(["annotations", *map(str, arguments), "--json"])
    return code, json.loads(capsys.readouterr().out)


@pytest.mark.parametrize("to", ["coco", "via", "deepfashion2"])
def test_check_and_convert_say_the_same_of_a_folder(
    to: str, spoilt: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    checked = document(capsys, "check", spoilt, "--workers", 1)
    converted = document(capsys, "convert", spoilt, tmp_path / "out", "--to", to, "--workers", 1)
    counts = checked[1]["findings"]["counts"]
    assert {
        "box_mismatch", "self_intersection", "out_of_bounds", "landmark_count", "unreadable_json", "missing_image",
        "image_without_annotation", "duplicate_id",
    } <= set(counts)  # fmt: skip
    assert converted[1]["findings"]["counts"] == counts
    assert (checked[0], converted[0]) == (1, 1)
    logs = list(tmp_path.glob("out/*findings.jsonl"))
    assert len(logs) == 1
    logged = [json.loads(line)["kind"] for line in logs[0].read_text().splitlines()]
    assert {kind: logged.count(kind) for kind in set(logged)} == counts


@pytest.mark.parametrize("to", ["coco", "via"])
def test_check_and_convert_say_the_same_of_a_document(to: str, spoilt: Path, tmp_path: Path) -> None:
    (spoilt / "annos" / "8.json").unlink()
    path = spoilt / f"{to}.json"
    convert(spoilt, path, to=to)
    (spoilt / "image" / "000001.jpg").write_bytes((spoilt / "image" / "000007.jpg").read_bytes())
    found = dict(check(path, images_dir=spoilt / "image").findings.counts)
    assert {"box_mismatch", "self_intersection", "out_of_bounds", "missing_image"} <= set(found)
    for other in ("coco", "via", "deepfashion2"):
        report = convert(path, tmp_path / other, to=other, images_dir=spoilt / "image")
        assert dict(report.findings.counts) == found, other


def test_sound_files_are_clean_to_both(sound: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for words in (["check", sound], ["convert", sound, tmp_path / "train.json", "--to", "coco"]):
        code, found = document(capsys, *words, "--workers", 1)
        assert code == 0
        assert (found["findings"]["errors"], found["findings"]["warnings"]) == (0, 0)


def test_pictures_that_lie_elsewhere_are_named(sound: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.copytree(sound / "annos", tmp_path / "set" / "annos")
    shutil.copytree(sound / "image", tmp_path / "photos of mine")
    alone = ["check", tmp_path / "set", "--workers", 1]
    assert document(capsys, *alone)[1]["findings"]["counts"]["missing_image"] == 8
    named = ["--images", tmp_path / "photos of mine"]
    assert document(capsys, *alone, *named)[0] == 0
    converted = ["convert", tmp_path / "set", tmp_path / "train.json", "--to", "coco", *named, "--workers", 1]
    assert document(capsys, *converted)[0] == 0
    sizes = [(row["width"], row["height"]) for row in json.loads((tmp_path / "train.json").read_text())["images"]]
    assert all(width > 50 and height > 50 for width, height in sizes)
    for command in (["check", tmp_path / "set"], ["convert", tmp_path / "set", tmp_path / "x.json", "--to", "coco"]):
        assert run(["annotations", *map(str, command), "--images", str(tmp_path / "nowhere")]) == 2
        assert "nowhere" in capsys.readouterr().err


def test_every_setting_of_a_conversion_has_an_option(
    spoilt: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = spoilt / "annos" / "000001.json"
    value = json.loads(path.read_text())
    item = next(key for key in value if key.startswith("item"))
    value[item]["segmentation"] = []
    path.write_text(json.dumps(value))
    plain = ["convert", spoilt, tmp_path / "plain.json", "--to", "via", "--via-plain", "--workers", 1]
    more = ["--clip", "--without-polygons", "skip"]
    counts = document(capsys, *plain, *more)[1]["findings"]["counts"]
    assert (counts["clipped"], counts["left_out"]) == (1, 1)
    assert NOTES_OF_A_CONVERSION.isdisjoint(document(capsys, *plain)[1]["findings"]["counts"])
    assert "_via_img_metadata" not in json.loads((tmp_path / "plain.json").read_text())
    assert run(["annotations", "convert", str(spoilt), str(tmp_path / "c.json"), "--to", "coco", "--via-plain"]) == 2
    assert capsys.readouterr().err == "error: --via-plain: expected --to via next to it, got --to coco\n"
    assert run(["annotations", "convert", str(spoilt), str(tmp_path / "c.json"), "--to", "coco",
                "--without-polygons", "drop"]) == 2  # fmt: skip
