"""What is too old to be kept is found by its time of change, in three folders and nowhere else."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

from fittingroom.errors import SettingError
from fittingroom.manifest import ImageRow, Manifest
from fittingroom.retention import (
    DAY,
    compact,
    find_expired,
    find_leftovers,
    find_records,
    forget_in_manifests,
    remove_expired,
)
from fittingroom.workspace import Workspace, write_json


def aged(path: Path, days: float) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"12345")
    then = time.time() - days * DAY
    os.utime(path, (then, then))
    return path


def test_old_personal_pictures_go_and_all_else_stays(tmp_path: Path) -> None:
    place = Workspace(tmp_path)
    old = [
        aged(place.persons / "me.jpg", 31),
        aged(place.reports / "report.html", 40),
        aged(place.tryon / "me-0123456789" / "red.png", 31),
    ]
    young = [aged(place.persons / "you.jpg", 29), aged(place.tryon / "you-0123456789" / "red.png", 1)]
    others = [aged(place.prepared("red") / "a.png", 400), aged(place.registry / "mlflow.db", 400)]
    expired = find_expired(place, 30)
    assert sorted(expired.files) == sorted(old)
    assert expired.bytes == 15
    remove_expired(place, expired)
    assert not any(path.exists() for path in old)
    assert not (place.tryon / "me-0123456789").exists(), "a folder that is empty now"
    assert all(path.exists() for path in (*young, *others))
    assert place.tryon.is_dir()
    assert find_expired(place, 30).files == []


def test_a_clock_set_back_deletes_nothing(tmp_path: Path) -> None:
    place = Workspace(tmp_path)
    aged(place.tryon / "a.png", 0)
    assert find_expired(place, 30, now=time.time() - 365 * DAY).files == []


def test_links_are_not_followed(tmp_path: Path) -> None:
    place = Workspace(tmp_path / "w")
    outside = aged(tmp_path / "outside" / "a.png", 100)
    place.tryon.mkdir(parents=True)
    (place.tryon / "link").symlink_to(outside.parent)
    (place.tryon / "file.png").symlink_to(outside)
    place.persons.symlink_to(outside.parent)
    assert find_expired(place, 30).files == []


@pytest.mark.parametrize("days", [0, -1, float("nan")])
def test_days_that_would_delete_everything_are_refused(tmp_path: Path, days: float) -> None:
    with pytest.raises(SettingError, match="retention_days"):
        find_expired(Workspace(tmp_path), days)


def test_leftovers_of_killed_writers_go_after_a_day(tmp_path: Path) -> None:
    place = Workspace(tmp_path / "w")
    code = "import os, sys; from pathlib import Path; from fittingroom.workspace import temporary_beside\n"
    code += "with temporary_beside(Path(sys.argv[1])) as path: path.write_bytes(b'12345'); os.kill(os.getpid(), 9)"
    picture = place.prepared("red") / "a.png"
    assert subprocess.run([sys.executable, "-c", code, str(picture)], check=False).returncode == -9
    (left,) = picture.parent.iterdir()
    others = [aged(picture, 400), aged(picture.parent / "b.tmp", 400), aged(picture.parent / ".hidden", 400)]
    others.append(aged(place.prefect_home / ".a.png.x.tmp", 400))
    link = picture.parent / ".link.tmp"
    link.symlink_to(picture)
    os.utime(link, (0, 0), follow_symlinks=False)

    assert find_leftovers(place).files == [], "somebody may still be writing it"
    assert find_leftovers(place, now=time.time() - 365 * DAY).files == [], "a clock set back"
    leftovers = find_leftovers(place, now=time.time() + 2 * DAY)
    assert (leftovers.files, leftovers.bytes) == ([left], 5)
    remove_expired(place, leftovers)
    assert not left.exists()
    assert all(path.exists() for path in (*others, link))


def record(place: Workspace, name: str, days: float, *outputs: str) -> Path:
    path = place.cache / name
    write_json(path, {"result": json.dumps({"value": {}, "outputs": {output: [1, 2, "x"] for output in outputs}})})
    then = time.time() - days * DAY
    os.utime(path, (then, then))
    return path


def test_records_of_try_ons_go_with_their_time_or_their_pictures(tmp_path: Path) -> None:
    place = Workspace(tmp_path)
    aged(place.tryon / "photo-1" / "red.png", 1)
    old = record(place, "try-on-1", 31, "tryon/photo-1/red.png")
    orphan = record(place, "write-manifest-1", 1, "tryon/gone.jsonl")
    room = record(place, ".try-on-3.room", 31)
    record(place, "try-on-2", 1, "tryon/photo-1/red.png")
    record(place, "crawl-1", 400, "crawl/gone.png")
    torn = place.cache / "try-on-4"
    torn.write_bytes(b"{")
    found = find_records(place, 30)
    assert found.files == sorted([old, orphan, room])
    assert found.bytes == sum(path.stat().st_size for path in found.files)
    assert find_records(place, 30, now=time.time() + 31 * DAY).files == sorted(
        [old, orphan, room, place.cache / "try-on-2", torn]
    )


def test_manifests_forget_what_is_gone_and_keep_their_age(tmp_path: Path) -> None:
    place = Workspace(tmp_path)
    aged(place.persons / "there.jpg", 1)
    aged(place.tryon / "photo-1" / "red.png", 1)
    rows = [
        ImageRow("persons/gone.jpg#red", "kept", path="photo-1/red.png", sha256="0" * 64, format="PNG"),
        ImageRow("persons/gone.jpg#blue", "kept", path="photo-1/blue.png", sha256="0" * 64, format="PNG"),
        ImageRow("persons/gone.jpg#green", "refused", "not_tried_on"),
        ImageRow("persons/there.jpg#green", "refused", "not_tried_on"),
    ]
    batch, other = place.tryon / "batch.jsonl", place.tryon / "other.jsonl"
    Manifest(rows).write(batch)
    Manifest(rows[1:3]).write(other)
    os.utime(batch, (1000, 1000))
    assert forget_in_manifests(place) == 4
    assert {row.key for row in Manifest.read(batch).rows} == {"persons/gone.jpg#red", "persons/there.jpg#green"}
    assert batch.stat().st_mtime == 1000
    assert not other.exists()
    assert forget_in_manifests(place) == 0


def test_what_was_deleted_from_a_database_is_in_none_of_its_files(tmp_path: Path) -> None:
    path = tmp_path / "some.db"
    server = sqlite3.connect(path)
    server.execute("PRAGMA journal_mode = WAL")
    server.execute("CREATE TABLE shown (data TEXT)")
    with server:
        server.executemany("INSERT INTO shown VALUES (?)", [("a secret",), ("kept",)])
    with server:
        server.execute("DELETE FROM shown WHERE data = 'a secret'")

    def bytes_of_all() -> bytes:
        return b"".join(file.read_bytes() for file in tmp_path.iterdir())

    assert b"a secret" in bytes_of_all(), "SQLite keeps it"
    assert compact(path)
    assert b"a secret" not in bytes_of_all()
    assert server.execute("SELECT data FROM shown").fetchall() == [("kept",)]
    server.close()


def test_a_database_that_is_in_use_all_the_time_is_said_to_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fittingroom.retention._WAIT", 0.1)
    path = tmp_path / "some.db"
    writer = sqlite3.connect(path)
    writer.execute("CREATE TABLE shown (data TEXT)")
    writer.execute("BEGIN IMMEDIATE")
    assert not compact(path)
    writer.rollback()
    assert compact(path)
    writer.close()
