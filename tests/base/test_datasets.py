"""Where a dataset's pictures are looked for: in its own workspace, whichever place that was moved or copied to."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from fittingroom.annotations.select import SelectionSettings, select, write_dataset
from fittingroom.cli import run
from fittingroom.datasets import images_dir_as_written, images_dir_of
from fittingroom.errors import MissingInputError
from fittingroom.sample.deepfashion2_set import render_deepfashion2_set
from fittingroom.segmentation.dataset import read_split
from fittingroom.settings import get_settings
from fittingroom.workspace import write_json


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    """In a workspace, with its pictures in the same one."""
    render_deepfashion2_set(tmp_path / "w" / "sample" / "people", 6, seed=3)
    settings = SelectionSettings(viewpoint=(1, 2, 3), train=2, validation=1)
    return write_dataset(select(tmp_path / "w" / "sample" / "people", settings), tmp_path / "w" / "datasets" / "tops")


def written(dataset: Path) -> str:
    found: str = json.loads((dataset / "selection.json").read_text())["images_dir"]
    return found


def as_earlier_versions_wrote_it(dataset: Path) -> None:
    selection = json.loads((dataset / "selection.json").read_text())
    write_json(dataset / "selection.json", selection | {"images_dir": str(images_dir_of(dataset, selection))})


def test_pictures_of_the_workspace_are_named_relative_to_it_and_others_absolutely(
    dataset: Path, tmp_path: Path
) -> None:
    assert written(dataset) == "../../sample/people/image"
    outside = write_dataset(select(tmp_path / "w" / "sample" / "people"), tmp_path / "elsewhere" / "datasets" / "tops")
    assert written(outside) == str(tmp_path / "w" / "sample" / "people" / "image")
    assert images_dir_as_written(Path("/data/image"), Path("/w/datasets/x")) == "/data/image"


@pytest.mark.parametrize("earlier", [False, True], ids=["written now", "written by an earlier version"])
@pytest.mark.parametrize("moved", [shutil.copytree, shutil.move], ids=["copied", "moved"])
def test_a_moved_workspace_shows_its_own_pictures(dataset: Path, tmp_path: Path, earlier: bool, moved: object) -> None:
    if earlier:
        as_earlier_versions_wrote_it(dataset)
    moved(tmp_path / "w", tmp_path / "there")  # type: ignore[operator]
    photos = read_split(tmp_path / "there" / "datasets" / "tops", "all")
    assert len(photos) == 3
    assert {photo.path.parent for photo in photos} == {tmp_path / "there" / "sample" / "people" / "image"}
    assert all(photo.path.is_file() for photo in photos)


def test_a_folder_that_only_has_the_same_name_is_not_taken(dataset: Path, tmp_path: Path) -> None:
    as_earlier_versions_wrote_it(dataset)
    (tmp_path / "w").rename(tmp_path / "there")
    images = tmp_path / "there" / "sample" / "people" / "image"
    for picture in images.iterdir():
        picture.write_bytes(b"another picture")
    with pytest.raises(MissingInputError, match="folder of a dataset's pictures not found"):
        read_split(tmp_path / "there" / "datasets" / "tops", "all")


def test_pictures_that_are_nowhere_are_one_line(
    dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    as_earlier_versions_wrote_it(dataset)
    there = tmp_path / "there"
    (tmp_path / "w").rename(there)
    shutil.rmtree(there / "sample")
    monkeypatch.setenv("FITTINGROOM_WORKSPACE", str(there))
    get_settings.cache_clear()
    assert run(["evaluate", "segmenter", "--dataset", str(there / "datasets" / "tops")]) == 2
    err = capfd.readouterr().err
    assert err.count("\n") == 1
    assert (
        f"folder of a dataset's pictures not found: {tmp_path / 'w' / 'sample' / 'people' / 'image'} (named by" in err
    )
    assert f"{there / 'datasets' / 'tops' / 'selection.json'}; put it back, or write the dataset again" in err
