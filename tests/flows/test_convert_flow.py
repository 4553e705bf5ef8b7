"""Converting annotations as a flow: shards that are done stay done, and a changed file changes one of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from fittingroom.annotations import SelectionSettings, select
from fittingroom.categories import CATEGORY_NAMES
from fittingroom.errors import AnnotationError
from fittingroom.images import encode_jpeg
from flows.convert_annotations import convert_annotations
from flows.parameters import ConvertParameters

pytestmark = pytest.mark.usefixtures("prefect_server")


def picture(number: int) -> dict[str, Any]:
    category = 1 + number % 2
    garment = {
        "category_id": category,
        "category_name": CATEGORY_NAMES[category],
        "segmentation": [[5, 5, 30, 5, 30, 5 + number, 5, 5 + number]],
        "bounding_box": [5, 5, 30, 5 + number],
        "viewpoint": 2,
    }
    return {"source": "user", "pair_id": number, "item1": garment}


def write_set(folder: Path, count: int) -> Path:
    for name in ("annos", "image"):
        (folder / name).mkdir(parents=True)
    for number in range(1, count + 1):
        (folder / "annos" / f"{number:06d}.json").write_text(json.dumps(picture(number)))
        pixels = np.full((50, 40, 3), number, np.uint8)
        (folder / "image" / f"{number:06d}.jpg").write_bytes(encode_jpeg(pixels))
    return folder


def parameters(root: Path, **more: Any) -> ConvertParameters:
    return ConvertParameters(workspace=root / "w", source=root / "set", train=6, validation=3, shard_size=4, **more)


def scans(root: Path) -> dict[str, int]:
    return {path.name: path.stat().st_mtime_ns for path in (root / "w" / "cache").glob("scan-annotations-*")}


def test_a_changed_annotation_is_read_again_and_the_rest_is_not(tmp_path: Path) -> None:
    folder = write_set(tmp_path / "set", 20)
    first = convert_annotations(parameters(tmp_path))
    selection = json.loads((tmp_path / "w" / "datasets" / "garments" / "selection.json").read_text())
    assert selection["digest"] == select(folder, SelectionSettings(train=6, validation=3)).digest
    assert first["value"]["counts"] == {"train": 6, "validation": 3}
    done = scans(tmp_path)
    assert len(done) > 2

    assert convert_annotations(parameters(tmp_path)) == first, "seconds included: nothing was made anew"
    assert scans(tmp_path) == done

    changed = picture(7)
    changed["item1"]["viewpoint"] = 3
    (folder / "annos" / "000007.json").write_text(json.dumps(changed))
    again = convert_annotations(parameters(tmp_path))
    assert again["value"]["left_out"] == {"viewpoint": 1}
    assert {name: scans(tmp_path)[name] for name in done} == done
    new = set(scans(tmp_path)) - set(done)
    assert 1 <= len(new) <= 2 < len(done), "only the shards that the changed file left and entered"

    convert_annotations(parameters(tmp_path, seed=5))
    assert set(scans(tmp_path)) == {*done, *new}, "another draw needs no reading"


def test_conditions_reach_the_selection(tmp_path: Path) -> None:
    write_set(tmp_path / "set", 12)
    record = convert_annotations(parameters(tmp_path, conditions={"categories": [2]}))
    assert record["value"]["left_out"] == {"categories": 6}
    with pytest.raises(AnnotationError, match="viewpoint"):
        convert_annotations(parameters(tmp_path, conditions={"viewpoint": [1]}))


@pytest.mark.parametrize("conditions", [{"train": 3}, {"colour": "red"}, {"viewpoint": [4]}, {"scale": 5}])
def test_wrong_conditions_are_refused_before_a_run(conditions: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match="conditions"):
        parameters(tmp_path, conditions=conditions)
