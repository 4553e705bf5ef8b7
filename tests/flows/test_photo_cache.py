"""A try-on's results are remembered a photo and a style at a time: what was done before is left as it is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from fittingroom.images import encode_jpeg, write_png
from fittingroom.manifest import Manifest
from fittingroom.registry.registry import SEGMENTER, Registry, style_model
from fittingroom.training.weights import save_weights
from fittingroom.workspace import Workspace, digest_file
from flows.try_on import try_on
from flows.try_on_batch import try_on_batch
from tests.tryon.stand_ins import Finder, Painter

pytestmark = [pytest.mark.usefixtures("prefect_server"), pytest.mark.slow]

Facts = dict[Path, tuple[int, int, str]]


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    """A workspace with ten photos, in which a segmenter and two styles serve."""
    import fittingroom.segmentation.predict
    import fittingroom.translation.predict

    monkeypatch.setattr(fittingroom.segmentation.predict.Segmenter, "load", staticmethod(lambda *_, **__: Finder()))
    monkeypatch.setattr(fittingroom.translation.predict.Translator, "load", staticmethod(lambda *_, **__: Painter()))
    place = Workspace(tmp_path / "w")
    for model in (SEGMENTER, style_model("navy"), style_model("red")):
        serve(place, model)
    for number in range(10):
        write_png(place.persons / f"{number}.png", shade(60 + number))
    return place


def serve(place: Workspace, model: str, value: float = 1.0) -> None:
    weights = place.root / f"{model}.safetensors"
    save_weights(weights, "any", {"w": torch.full((1,), value)}, {}, {})
    registry = Registry(place)
    registry.promote(model, registry.register(model, weights, {}, {"data": f"{model} {value}"}, {}).version)


def shade(value: int) -> np.ndarray:
    return np.full((80, 70, 3), value, np.uint8)


def facts(place: Workspace) -> Facts:
    """Time of change, inode and digest of every result."""
    files = (path for path in place.tryon.rglob("*") if path.is_file() and path.suffix != ".jsonl")
    return {path: (path.stat().st_mtime_ns, path.stat().st_ino, digest_file(path)) for path in files}


def counts(result: dict[str, Any]) -> dict[str, int]:
    """Of all shards."""
    total: dict[str, int] = {}
    for name, record in result.items():
        for what, count in record["value"]["counts"].items() if name != "manifest" else ():
            total[what] = total.get(what, 0) + count
    return total


def run(place: Workspace, **parameters: Any) -> dict[str, Any]:
    result: dict[str, Any] = try_on_batch(workspace=place.root, **parameters)
    return result


def test_a_new_photo_and_a_new_style_leave_the_results_of_the_others_alone(place: Workspace) -> None:
    assert counts(run(place)) == {"done": 20}
    first = facts(place)
    assert len(first) == 10 * (2 * 5 + 1)

    write_png(place.persons / "new.png", shade(200))
    assert counts(run(place)) == {"done": 2, "done before": 20}
    second = facts(place)
    assert {path: second[path] for path in first} == first
    assert len(second) == 11 * (2 * 5 + 1)
    assert len(Manifest.read(place.tryon / "batch.jsonl").kept()) == 22

    serve(place, style_model("teal"))
    assert counts(run(place)) == {"done": 11, "done before": 22}
    third = facts(place)
    assert {path: third[path] for path in second} == second
    assert counts(run(place)) == {"done before": 33}
    assert facts(place) == third

    serve(place, style_model("red"), 2.0)  # another version
    assert counts(run(place)) == {"done": 11, "done before": 22}
    fourth = facts(place)
    assert all((fourth[path] == third[path]) == (not path.name.startswith("red")) for path in third)
    assert counts(run(place, detail=0.5)) == {"done": 33}, "a setting is part of a result"


def test_a_result_that_is_gone_or_changed_is_made_again_and_no_other(place: Workspace) -> None:
    run(place)
    before = facts(place)
    gone, changed = [path for path in sorted(before) if path.name == "red.png"][:2]
    gone.unlink()
    write_png(changed, shade(1))
    assert counts(run(place)) == {"done": 2, "done before": 18}
    after = facts(place)
    assert {path: fact[2] for path, fact in after.items()} == {path: fact[2] for path, fact in before.items()}
    again = {path for path in before if after[path] != before[path]}
    assert {path.parent for path in again} == {gone.parent, changed.parent}
    assert all(path.name.startswith("red") for path in again)


def test_photos_that_lie_elsewhere_now_are_not_done_again(place: Workspace, tmp_path: Path) -> None:
    def trying(folder: Path) -> dict[str, Any]:
        found: dict[str, Any] = try_on(workspace=place.root, persons=[folder], styles=["navy"])
        return found

    there, here = tmp_path / "there", tmp_path / "here"
    write_png(there / "a.png", shade(90))
    (there / "b.png").write_bytes(b"no picture")
    assert counts(trying(there)) == {"done": 1, "refused": 1}
    before = facts(place)
    there.rename(here)
    moved = trying(here)
    assert counts(moved) == {"done before": 1, "refused before": 1}
    assert facts(place) == before
    rows = moved["navy"]["value"]["rows"]
    assert [row["photo"] for row in rows] == [str(here / "a.png"), str(here / "b.png")]
    assert rows[1]["message"].startswith("expected JPEG, PNG")


def test_every_file_among_the_photos_has_a_row_whatever_its_name(place: Workspace) -> None:
    (place.persons / "IMG_0001").write_bytes(encode_jpeg(shade(120)))  # as some phones export it
    (place.persons / "notes.txt").write_text("call Anna\n")
    (place.persons / "empty.jpg").touch()
    (place.persons / ".hidden").touch()
    (place.persons / "5 again.png").write_bytes((place.persons / "5.png").read_bytes())
    result = run(place, styles=["red"])
    assert counts(result) == {"done": 11, "refused": 2}
    manifest = Manifest.read(place.tryon / "batch.jsonl")
    rows = {row.key: (row.status, row.reason) for row in manifest.rows}
    assert len(rows) == 14
    assert rows["persons/IMG_0001#red"] == ("kept", "")
    assert rows["persons/notes.txt#red"] == ("refused", "format_not_allowed")
    assert rows["persons/empty.jpg#red"] == ("refused", "empty")
    assert {rows["persons/5.png#red"], rows["persons/5 again.png#red"]} == {("kept", ""), ("duplicate", "exact")}

    (place.persons / "more.txt").write_text("call Ben\n")
    run(place, styles=["red"])
    assert "persons/more.txt#red" in {row.key for row in Manifest.read(place.tryon / "batch.jsonl").rows}


def test_another_garment_has_results_of_its_own(place: Workspace) -> None:
    assert counts(run(place)) == {"done": 20}
    first = facts(place)
    found = run(place, garment="upper", person="1", styles=["red"])
    assert counts(found) == {"done": 10}
    assert {path: fact for path, fact in facts(place).items() if path in first} == first
    assert len([path for path in facts(place) if path.name == "red-upper-1.png"]) == 10
    assert counts(run(place, garment="upper", person="1", styles=["red"])) == {"done before": 10}
