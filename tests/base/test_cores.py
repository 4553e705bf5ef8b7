"""Cores and threads: what was asked, the container's quota and the affinity, whichever is least."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from fittingroom.cores import available_cores, thread_variables, threads_each

HERE = available_cores()


@pytest.fixture(autouse=True)
def _nothing_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OMP_WAIT_POLICY"):
        monkeypatch.delenv(name, raising=False)


def system(root: Path, groups: str, files: dict[str, str]) -> Path:
    """A file system with these control groups."""
    for name, text in {"proc/self/cgroup": groups, **files}.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


@pytest.fixture
def sixteen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(16)), raising=False)


@pytest.mark.usefixtures("sixteen")
@pytest.mark.parametrize(
    ("groups", "files", "cores"),
    [
        ("0::/\n", {}, 16),
        ("0::/\n", {"sys/fs/cgroup/cpu.max": "max 100000\n"}, 16),
        ("0::/\n", {"sys/fs/cgroup/cpu.max": "400000 100000\n"}, 4),
        ("0::/\n", {"sys/fs/cgroup/cpu.max": "150000 100000\n"}, 2),
        ("0::/\n", {"sys/fs/cgroup/cpu.max": "10000 100000\n"}, 1),
        ("0::/\n", {"sys/fs/cgroup/cpu.max": "6400000 100000\n"}, 16),
        ("0::/\n", {"sys/fs/cgroup/cpu.max": "rubbish"}, 16),
        ("0::/a/b\n", {"sys/fs/cgroup/a/cpu.max": "300000 100000", "sys/fs/cgroup/a/b/cpu.max": "max 100000"}, 3),
        ("0::/a/b\n", {"sys/fs/cgroup/a/cpu.max": "max 100000", "sys/fs/cgroup/a/b/cpu.max": "500000 100000"}, 5),
        (
            "4:cpu,cpuacct:/pod\n3:memory:/pod\n",
            {"sys/fs/cgroup/cpu/pod/cpu.cfs_quota_us": "200000", "sys/fs/cgroup/cpu/pod/cpu.cfs_period_us": "100000"},
            2,
        ),
        (
            "4:cpu,cpuacct:/\n",
            {"sys/fs/cgroup/cpu/cpu.cfs_quota_us": "-1", "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000"},
            16,
        ),
    ],
)
def test_a_quota_counts(tmp_path: Path, groups: str, files: dict[str, str], cores: int) -> None:
    assert available_cores(system(tmp_path, groups, files)) == cores


@pytest.mark.usefixtures("sixteen")
def test_without_control_groups_the_affinity_counts(tmp_path: Path) -> None:
    assert available_cores(tmp_path) == 16


@pytest.mark.parametrize(
    ("asked", "at_once", "threads"),
    [
        ({}, 1, HERE),
        ({}, HERE, 1),
        ({}, 10 * HERE, 1),
        ({"OMP_NUM_THREADS": "1"}, 1, 1),
        ({"MKL_NUM_THREADS": "1"}, 1, 1),
        ({"OMP_NUM_THREADS": "1,1"}, 1, 1),
        ({"OMP_NUM_THREADS": "999"}, 1, HERE),
        ({"OMP_NUM_THREADS": "0"}, 1, HERE),
        ({"OMP_NUM_THREADS": "many"}, 1, HERE),
    ],
)
def test_the_least_of_what_was_asked_and_what_there_is(
    monkeypatch: pytest.MonkeyPatch, asked: dict[str, str], at_once: int, threads: int
) -> None:
    for name, value in asked.items():
        monkeypatch.setenv(name, value)
    assert threads_each(at_once) == threads


def test_waiting_threads_sleep_unless_somebody_says_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    assert thread_variables(3) == {"OMP_NUM_THREADS": "3", "MKL_NUM_THREADS": "3", "OMP_WAIT_POLICY": "passive"}
    monkeypatch.setenv("OMP_WAIT_POLICY", "active")
    assert thread_variables(1)["OMP_WAIT_POLICY"] == "active"
