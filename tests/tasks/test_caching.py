"""Content-keyed caching: what is part of a key, what makes a record unsound, and that Prefect then runs it again."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from prefect import flow

from fittingroom.shards import Shard
from fittingroom.workspace import Workspace
from flows.parameters import PrepareParameters
from tasks.caching import (
    CachedResult,
    Content,
    ContentKey,
    StepResult,
    Summary,
    Unvisited,
    canonical,
    describe_outputs,
    is_sound,
    result_storage,
    step,
    what_is_wrong,
)
from tasks.reporting import outcome_of

KEY = ContentKey(step="paint", version=1, ignore=("threads",))


def test_a_key_is_made_of_step_version_and_arguments() -> None:
    inputs = {"workspace": "/a", "colour": "red", "sizes": [1, 2]}
    key = KEY.key(inputs)
    assert key.startswith("paint-")
    assert key == KEY.key({"sizes": (1, 2), "colour": "red", "workspace": "/elsewhere"})
    assert key == KEY.key({**inputs, "threads": 8})
    assert key != KEY.key({**inputs, "colour": "blue"})
    assert key != KEY.key({**inputs, "sizes": [2, 1]})
    assert key != ContentKey(step="paint", version=2, ignore=("threads",)).key(inputs)


def test_content_counts_by_digest_and_not_by_place() -> None:
    assert canonical(Content("/a/x", "d1")) == canonical(Content("/b/y", "d1"))
    assert canonical(Content("/a/x", "d1")) != canonical(Content("/a/x", "d2"))
    assert canonical(Content("/a", "d", path_in_key=True)) != canonical(Content("/b", "d", path_in_key=True))
    assert canonical(Shard(0, 1, ("a",), "d")) == canonical(Shard(3, 8, ("b",), "d"))


def test_a_record_counts_by_what_was_written_not_by_how_long_it_took() -> None:
    slow = CachedResult(value={"label": "x"}, outputs={"a.png": [3, 111, "sha"]}, seconds=9.0)
    quick = CachedResult(value={}, outputs={"a.png": [3, 222, "sha"]}, seconds=0.1)
    assert canonical(slow) == canonical(quick)
    assert canonical(slow) != canonical(CachedResult(value={}, outputs={"a.png": [3, 111, "other"]}, seconds=9.0))


def test_typed_settings_are_part_of_a_key_and_bare_paths_are_refused() -> None:
    assert canonical({"size": 1, "on": {"b", "a"}}) == {"size": 1, "on": ["a", "b"]}
    assert canonical(PrepareParameters(workspace=Path("w")))["size"] == 256
    with pytest.raises(TypeError, match="no content"):
        canonical({"folder": Path("/somewhere")})
    with pytest.raises(TypeError, match="object"):
        canonical(object())


def test_soundness_is_size_and_time_else_digest(tmp_path: Path) -> None:
    workspace, file = Workspace(tmp_path), tmp_path / "a.txt"
    file.write_text("one")
    name, fact = next(iter(describe_outputs(workspace, [file]).items()))
    assert name == "a.txt"
    assert is_sound(workspace, name, *fact)
    os.utime(file, ns=(1, 1))
    assert is_sound(workspace, name, *fact), "touched, but the bytes are the same"
    file.write_text("two")
    assert not is_sound(workspace, name, *fact)
    file.write_text("longer")
    assert not is_sound(workspace, name, *fact)
    file.unlink()
    assert not is_sound(workspace, name, *fact)


def write_record(workspace: Workspace, key: str, record: CachedResult) -> Path:
    workspace.cache.mkdir(parents=True, exist_ok=True)
    path = workspace.cache / key
    path.write_text(json.dumps({"metadata": {}, "result": json.dumps(record)}))
    return path


def test_records_whose_files_are_gone_or_that_are_torn_are_dropped(tmp_path: Path) -> None:
    workspace, file = Workspace(tmp_path), tmp_path / "a.txt"
    file.write_text("one")
    sound = CachedResult(value={}, outputs=describe_outputs(workspace, [file]), seconds=0.0)
    path = write_record(workspace, "k", sound)
    assert what_is_wrong(workspace, "k") == ""
    assert path.exists()
    file.unlink()
    assert "a.txt" in what_is_wrong(workspace, "k")
    assert not path.exists()
    path.write_text('{"result": "{\\"outp')
    assert what_is_wrong(workspace, "k")
    assert not path.exists()
    with pytest.raises(FileNotFoundError):
        what_is_wrong(workspace, "never-there")


def test_a_step_without_a_workspace_is_a_mistake() -> None:
    def paint(colour: str) -> StepResult:
        return StepResult({"colour": colour})

    with pytest.raises(TypeError, match="workspace"):
        step("paint", version=1, run_name="paint")(paint)


RAN: list[str] = []


@step("write", version=1, run_name="write {name}")
def write(workspace: str, name: str, text: str) -> StepResult:
    """A step for these tests."""
    RAN.append(name)
    path = Path(workspace) / "out" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return StepResult({"name": name}, [path])


@flow
def write_both(root: str, text: str = "x") -> list[str | None]:
    """Two steps; returns the names of their final states."""
    with result_storage(Workspace(Path(root))):
        futures = [write.submit(root, name, text) for name in ("a", "b")]
        for future in futures:
            future.result()
        return [future.state.name for future in futures]


@pytest.mark.usefixtures("prefect_server")
def test_what_was_done_is_cached_what_was_lost_is_done_again(tmp_path: Path) -> None:
    RAN.clear()
    root = tmp_path / "w"
    assert write_both(str(root)) == ["Completed", "Completed"]
    assert write_both(str(root)) == ["Cached", "Cached"]
    assert sorted(RAN) == ["a", "b"]

    (root / "out" / "a").unlink()
    assert write_both(str(root)) == ["Completed", "Cached"]

    (root / "out" / "b").write_text("corrupt")
    assert write_both(str(root)) == ["Cached", "Completed"]
    assert (root / "out" / "b").read_text() == "x"

    assert write_both(str(root), "y") == ["Completed", "Completed"]

    moved = tmp_path / "moved"
    root.rename(moved)
    assert write_both(str(moved), "y") == ["Cached", "Cached"]


class Watched(dict[str, int]):
    """Says when somebody goes through it."""

    walks = 0

    def items(self):
        self.walks += 1
        return super().items()


@pytest.mark.usefixtures("prefect_server")
def test_what_is_sealed_comes_back_from_a_flow_unlooked_into() -> None:
    sealed, open_to_all = Watched(a=1), Watched(a=1)

    @flow
    def hand_on(seal: bool) -> object:
        return Unvisited(sealed) if seal else open_to_all

    found = hand_on(True)
    assert isinstance(found, Unvisited)
    assert found.content is sealed
    assert hand_on(False) == open_to_all
    assert sealed.walks == 0
    assert open_to_all.walks > 0, "without the seal, Prefect walks"


def test_a_summary_stands_for_its_records_files_and_not_for_its_seconds() -> None:
    def summary(seconds: float, sha256: str) -> Summary:
        return Summary.of(CachedResult(value={"n": 1}, outputs={"a.png": [1, 2, sha256]}, seconds=seconds))

    assert canonical(summary(1.0, "x")) == canonical(summary(2.0, "x"))
    assert canonical(summary(1.0, "x")) != canonical(summary(1.0, "y"))


def test_records_count_though_they_are_sealed(tmp_path: Path) -> None:
    record = CachedResult(value={"files": {"sheet": "reports/a.png"}}, outputs={}, seconds=1.0)
    for kept in (record, Summary.of(record)):
        outcome = outcome_of(Workspace(tmp_path), Unvisited({"red": [kept]}))
        assert outcome["files"] == {"sheet": str(tmp_path / "reports/a.png")}
