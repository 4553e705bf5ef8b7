"""Digests of folders, remembered; and folders from which stale pictures are removed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from fittingroom.errors import MissingInputError
from fittingroom.workspace import Workspace, digest_bytes
from tasks import contents
from tasks.contents import Digests, file_content, folder_content, settle


def test_a_folder_is_its_names_and_bytes(tmp_path: Path) -> None:
    workspace, folder = Workspace(tmp_path / "w"), tmp_path / "f"
    (folder / "deep").mkdir(parents=True)
    (folder / "a").write_text("1")
    (folder / "deep" / "b").write_text("2")
    (folder / ".hidden").write_text("x")
    first = folder_content(workspace, folder)
    (folder / ".hidden").write_text("y")
    assert folder_content(workspace, folder) == first
    (folder / "deep" / "b").write_text("3")
    changed = folder_content(workspace, folder)
    assert changed.digest != first.digest
    (folder / "a").rename(folder / "c")
    assert folder_content(workspace, folder).digest not in (first.digest, changed.digest)
    with pytest.raises(MissingInputError):
        folder_content(workspace, tmp_path / "none")


def test_a_file_is_its_bytes_and_each_is_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    workspace, file = Workspace(tmp_path / "w"), tmp_path / "a.bin"
    file.write_bytes(b"one")
    assert file_content(workspace, file).digest == digest_bytes(b"one")

    def read_again(_: Path) -> str:
        raise AssertionError("it was read again")

    with monkeypatch.context() as patched:
        patched.setattr(contents, "digest_file", read_again)
        assert Digests(workspace).of(file) == digest_bytes(b"one")
    file.write_bytes(b"other")
    assert Digests(workspace).of(file) == digest_bytes(b"other")
    with pytest.raises(MissingInputError):
        Digests(workspace).of(tmp_path / "none")


def test_the_memory_is_parsed_once_and_again_when_another_process_wrote_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace, file = Workspace(tmp_path / "w"), tmp_path / "a.bin"
    file.write_bytes(b"one")
    file_content(workspace, file)
    parsed: list[str] = []
    parse = json.loads
    monkeypatch.setattr(contents.json, "loads", lambda text: parsed.append(text) or parse(text))
    for _ in range(3):
        assert Digests(workspace).of(file) == digest_bytes(b"one")
    assert len(parsed) == 1
    memory = workspace.cache / contents.MEMORY
    stat = file.stat()
    memory.write_text(json.dumps({str(file): [stat.st_size, stat.st_mtime_ns, "theirs"]}))
    assert Digests(workspace).of(file) == "theirs"
    memory.write_text('{"torn')
    assert Digests(workspace).of(file) == digest_bytes(b"one")


def test_what_is_learnt_by_one_is_not_known_to_another_before_it_is_saved(tmp_path: Path) -> None:
    workspace, file = Workspace(tmp_path / "w"), tmp_path / "a.bin"
    file.write_bytes(b"one")
    file_content(workspace, file)
    one, other = Digests(workspace), Digests(workspace)
    file.write_bytes(b"other")
    assert one.of(file) == digest_bytes(b"other")
    assert other.of(file) == digest_bytes(b"other")
    other.save()
    assert Digests(workspace).of(file) == digest_bytes(b"other")


def test_settling_removes_pictures_no_record_speaks_of_and_nothing_else(tmp_path: Path) -> None:
    for name in ("kept.png", "stale.png", "manifest.jsonl", "notes.txt"):
        (tmp_path / name).write_text("x")
    assert settle(tmp_path, ["kept.png"]) == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["kept.png", "manifest.jsonl", "notes.txt"]
    assert settle(tmp_path / "none", []) == 0
