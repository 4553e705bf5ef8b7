"""The memory of files' digests: right first, remembered second, and never worth a failure."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

import pytest

from fittingroom.errors import MissingInputError
from fittingroom.workspace import Workspace, digest_bytes, digest_file
from tasks import digests
from tasks.digests import MEMORY, Digests, forget_gone

ONE, OTHER = digest_bytes(b"one"), digest_bytes(b"other")


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the files whose bytes were read, in turn."""
    names: list[str] = []

    def reading(path: Path) -> str:
        names.append(path.name)
        return digest_file(path)

    monkeypatch.setattr(digests, "digest_file", reading)
    return names


def ask(workspace: Workspace, *files: Path) -> str:
    """The last file's digest."""
    with Digests(workspace) as asked:
        return [asked.of(file) for file in files][-1]


def test_a_file_is_read_once_and_again_when_it_changed(tmp_path: Path, read: list[str]) -> None:
    workspace, file = Workspace(tmp_path / "w"), tmp_path / "a.bin"
    file.write_bytes(b"one")
    assert [ask(workspace, file) for _ in range(3)] == [ONE] * 3
    assert read == ["a.bin"]
    file.write_bytes(b"two")
    os.utime(file, ns=(1, 1))
    assert ask(workspace, file) == digest_bytes(b"two"), "the same size, another time"
    file.write_bytes(b"other")
    os.utime(file, ns=(1, 1))
    assert ask(workspace, file) == OTHER, "the same time, another size"
    file.unlink()
    with pytest.raises(MissingInputError, match=r"a\.bin"):
        ask(workspace, file)


def test_one_path_is_one_file_however_it_is_written(
    tmp_path: Path, read: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace = Workspace(tmp_path / "w")
    odd = os.fsdecode(os.fsencode(tmp_path) + b"/\xff.bin")
    for name in ("a.bin", odd):
        (tmp_path / name).write_bytes(b"one")
    monkeypatch.chdir(tmp_path)
    with Digests(workspace) as asked:
        assert asked.of("a.bin") == asked.of(Path("a.bin")) == asked.of(odd) == ONE
    with Digests(workspace) as asked:
        assert asked.of(tmp_path / "a.bin") == asked.of(odd) == ONE
    assert len(set(read)) == 2
    assert read.count(Path(odd).name) == 1


def test_what_was_learnt_before_a_missing_file_is_kept(tmp_path: Path, read: list[str]) -> None:
    workspace, file = Workspace(tmp_path / "w"), tmp_path / "a.bin"
    file.write_bytes(b"one")
    with pytest.raises(MissingInputError):
        ask(workspace, file, tmp_path / "none")
    assert ask(workspace, file) == ONE
    assert read == ["a.bin"]


def test_a_spoilt_memory_is_made_anew(tmp_path: Path, read: list[str]) -> None:
    workspace, file = Workspace(tmp_path / "w"), tmp_path / "a.bin"
    file.write_bytes(b"one")
    workspace.cache.mkdir(parents=True)
    (workspace.cache / MEMORY).write_bytes(b"no database at all" * 100)
    assert [ask(workspace, file) for _ in range(2)] == [ONE] * 2
    assert read == ["a.bin"]


def test_a_memory_spoilt_inside_is_done_without_and_made_anew(tmp_path: Path, read: list[str]) -> None:
    workspace = Workspace(tmp_path / "w")
    files = [tmp_path / f"{number}.bin" for number in range(2000)]
    for file in files:
        file.write_bytes(b"one")
    ask(workspace, *files)
    memory = workspace.cache / MEMORY
    data = bytearray(memory.read_bytes())
    data[4096:] = bytes(len(data) - 4096)  # its first page says what tables there are, the others hold them
    memory.write_bytes(data)
    read.clear()
    assert ask(workspace, *files) == ONE
    assert len(read) == 2000
    ask(workspace, *files)
    assert ask(workspace, *files) == ONE
    assert len(read) == 4000, "learnt once more, in a memory made anew"


def test_a_memory_that_another_process_holds_is_done_without(
    tmp_path: Path, read: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(digests, "_WAIT", 0.05)
    workspace, file = Workspace(tmp_path / "w"), tmp_path / "a.bin"
    file.write_bytes(b"one")
    assert ask(workspace, file) == ONE
    holder = sqlite3.connect(workspace.cache / MEMORY, isolation_level=None)
    with Digests(workspace) as asked:
        holder.execute("BEGIN EXCLUSIVE")
        assert asked.of(file) == ONE
        holder.execute("ROLLBACK")
        assert asked.of(file) == ONE
    assert read == ["a.bin", "a.bin", "a.bin"], "it waits once, not for each file"
    holder.execute("BEGIN EXCLUSIVE")
    assert ask(workspace, file) == ONE
    holder.execute("ROLLBACK")
    holder.close()
    assert ask(workspace, file) == ONE
    assert len(read) == 4, "the memory is as good as ever"


def test_a_cache_that_cannot_be_made_is_done_without(tmp_path: Path) -> None:
    (tmp_path / "w").write_text("a file where a folder should be")
    file = tmp_path / "a.bin"
    file.write_bytes(b"one")
    assert ask(Workspace(tmp_path / "w"), file) == ONE


def test_files_that_are_gone_are_forgotten(tmp_path: Path, read: list[str]) -> None:
    workspace = Workspace(tmp_path / "w")
    assert forget_gone(workspace) == 0
    stays, goes = tmp_path / "stays", tmp_path / "goes"
    for file in (stays, goes):
        file.write_bytes(b"one")
        ask(workspace, file)
    goes.unlink()
    assert forget_gone(workspace) == 1
    assert b"goes" not in b"".join(
        row[0] for row in sqlite3.connect(workspace.cache / MEMORY).execute("SELECT path FROM digests")
    )
    ask(workspace, stays)
    assert read == ["stays", "goes"]


def test_photos_of_people_are_remembered_without_their_names(tmp_path: Path, read: list[str]) -> None:
    workspace = Workspace(tmp_path / "w")
    photo = tmp_path / "elsewhere" / "Anna Karenina.jpg"
    photo.parent.mkdir()
    photo.write_bytes(b"one")
    for _ in range(2):
        with Digests(workspace, names=False) as memory:
            assert memory.of(photo) == ONE
    assert read == ["Anna Karenina.jpg"], "read once"
    assert b"Karenina" not in (workspace.cache / MEMORY).read_bytes()
    assert forget_gone(workspace) == 1, "though the photo is still there"


def test_names_of_files_that_are_gone_leave_the_memory_for_good(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path / "w")
    files = [workspace.root / f"Anna Karenina {number}.jpg" for number in range(50)]
    with Digests(workspace) as memory:
        for file in files:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(b"her")
            memory.of(file)
    for file in files:
        file.unlink()
    assert forget_gone(workspace) == 50
    assert b"Karenina" not in (workspace.cache / MEMORY).read_bytes()
