"""What is too old to be kept is found by its time of change, in three folders and nowhere else."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from fittingroom.errors import SettingError
from fittingroom.retention import DAY, find_expired, find_leftovers, remove_expired
from fittingroom.workspace import Workspace


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
