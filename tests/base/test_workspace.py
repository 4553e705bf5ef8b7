"""Workspace: names cannot escape, writes are whole or not there, digests see content only."""

import errno
import os
import tempfile
from pathlib import Path

import pytest

from fittingroom import workspace
from fittingroom.errors import InputError, StorageUnavailable
from fittingroom.workspace import Workspace, full_disk_named, is_full, write_bytes


@pytest.mark.parametrize("name", ["../escape", "a/b", "", ".", "-a", "a-", "A", "x" * 65, "a\n", "ä", "a b"])
def test_unsafe_names_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match="expected a-z"):
        Workspace(tmp_path).crawl(name)


def test_layout_is_under_the_root(tmp_path: Path) -> None:
    place = Workspace(tmp_path)
    for path in (place.crawl("navy-striped"), place.training("segmenter"), place.registry, place.cache):
        assert path.is_relative_to(tmp_path)
    assert place.relative(place.crawl("a") / "b.png") == "crawl/a/b.png"
    with pytest.raises(InputError):
        place.relative(Path("/elsewhere"))


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    target = tmp_path / "deep" / "file.json"
    workspace.write_text(target, "old")

    def write_half() -> None:
        with workspace.atomic_path(target) as temporary:
            temporary.write_text("half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        write_half()
    assert target.read_text() == "old"
    assert list(target.parent.iterdir()) == [target]


def test_ctrl_c_while_the_temporary_file_is_being_made_leaves_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, really = [], os.open

    def interrupted(path: Path, *arguments: int) -> int:
        os.close(really(path, *arguments))
        made.append(path)
        raise KeyboardInterrupt  # as Python raises it once the system is done

    monkeypatch.setattr(os, "open", interrupted)
    with pytest.raises(KeyboardInterrupt):
        workspace.write_bytes(tmp_path / "f", b"x")
    assert made
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_a_transient_error(tmp_path: Path) -> None:
    with pytest.raises(StorageUnavailable, match="no space"), workspace.atomic_path(tmp_path / "f"):
        raise OSError(errno.ENOSPC, "No space left on device")
    assert list(tmp_path.iterdir()) == []


def test_nan_never_reaches_a_json_file(tmp_path: Path) -> None:
    with pytest.raises(ValueError):
        workspace.write_json(tmp_path / "f.json", {"loss": float("nan")})
    assert not (tmp_path / "f.json").exists()


def test_digests_see_content_not_order(tmp_path: Path) -> None:
    for name, text in (("a", "1"), ("b", "2")):
        (tmp_path / name).write_text(text)
    a, b = tmp_path / "a", tmp_path / "b"
    whole = workspace.digest_files([a, b], tmp_path)
    assert whole == workspace.digest_files([b, a], tmp_path)
    b.write_text("3")
    assert whole != workspace.digest_files([a, b], tmp_path)
    assert workspace.digest_value({"x": 1, "y": [1, 2]}) == workspace.digest_value({"y": [1, 2], "x": 1})
    assert workspace.digest_file(a) == workspace.digest_bytes(b"1")


def test_written_files_have_the_users_mode_and_no_thread_sees_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The umask is the process's: to ask for it is to set it, and another thread's file is open to all meanwhile."""
    before = os.umask(0o027)
    try:
        with monkeypatch.context() as patched:
            patched.setattr(os, "umask", pytest.fail)
            write_bytes(tmp_path / "a", b"a")
    finally:
        os.umask(before)
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o640


def test_a_full_temporary_folder_is_named_and_not_the_folder_that_was_worked_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is written through a temporary file without a name fails without one."""
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    monkeypatch.setattr(workspace, "is_full", lambda folder: folder == temporary)
    with (
        pytest.raises(StorageUnavailable, match=f"no space left on the disk of {temporary}$"),
        full_disk_named(tmp_path),
    ):
        raise OSError(errno.ENOSPC, "No space left on device")
    monkeypatch.setattr(workspace, "is_full", lambda _: False)
    with (
        pytest.raises(StorageUnavailable, match=f"no space left on the disk of {tmp_path}$"),
        full_disk_named(tmp_path),
    ):
        raise OSError(errno.ENOSPC, "No space left on device")


def test_a_folder_that_is_not_there_yet_is_as_full_as_the_one_around_it(tmp_path: Path) -> None:
    assert not is_full(tmp_path / "not" / "there")
