"""Digests of files and folders; and folders from which stale pictures are removed."""

from __future__ import annotations

from pathlib import Path

import pytest

from fittingroom.errors import MissingInputError
from fittingroom.workspace import Workspace, digest_bytes, digest_value
from tasks.fingerprints import file_content, folder_content, prune_stale


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


def test_files_given_are_the_folders_own(tmp_path: Path) -> None:
    workspace, folder = Workspace(tmp_path / "w"), tmp_path / "f"
    folder.mkdir()
    for name in ("a", "b"):
        (folder / name).write_text(name)
    assert folder_content(workspace, folder, [folder / "a"]).digest == digest_value({"a": digest_bytes(b"a")})
    (tmp_path / "fellow").write_text("x")
    with pytest.raises(ValueError, match=r"expected a file in .*f, got .*fellow"):
        folder_content(workspace, folder, [tmp_path / "fellow"])


def test_a_file_is_its_bytes_whatever_its_name(tmp_path: Path) -> None:
    workspace, file = Workspace(tmp_path / "w"), tmp_path / "a.bin"
    file.write_bytes(b"one")
    assert file_content(workspace, file).digest == digest_bytes(b"one")
    file.rename(tmp_path / "b.bin")
    assert file_content(workspace, tmp_path / "b.bin").digest == digest_bytes(b"one")


def test_settling_removes_pictures_no_record_speaks_of_and_nothing_else(tmp_path: Path) -> None:
    for name in ("kept.png", "stale.png", "manifest.jsonl", "notes.txt"):
        (tmp_path / name).write_text("x")
    assert prune_stale(tmp_path, ["kept.png"]) == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["kept.png", "manifest.jsonl", "notes.txt"]
    assert prune_stale(tmp_path / "none", []) == 0
