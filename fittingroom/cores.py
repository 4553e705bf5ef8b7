"""How many cores this process may use, and how many threads to give to each piece of work."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from pathlib import Path

_THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS")


def available_cores(system: Path = Path("/")) -> int:
    """Cores that this process may use: its affinity, or its control group's CPU quota (containers) where that is less.

    Args:
        system: root of the file system that ``proc`` and ``sys`` lie in; tests give their own.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min([cores, *(math.ceil(quota) for quota in _quotas(system))]))


def threads_each(at_once: int = 1) -> int:
    """CPU threads for each of ``at_once`` pieces of work that share this machine.

    Never more than ``OMP_NUM_THREADS`` or ``MKL_NUM_THREADS`` ask for: who sets them knows who else is on the machine.
    """
    asked = [int(value) for name in _THREADS if (value := os.environ.get(name, "").split(",")[0].strip()).isdecimal()]
    share = max(1, available_cores() // max(1, at_once))
    return min([share, *(threads for threads in asked if threads > 0)])


def thread_variables(threads: int) -> dict[str, str]:
    """What a process is told before it loads torch, so that it takes this many threads.

    Threads that wait sleep: by default they spin, and where others want the cores, a step takes many times as long.
    """
    waiting = os.environ.get("OMP_WAIT_POLICY", "passive")
    return {**dict.fromkeys(_THREADS, str(threads)), "OMP_WAIT_POLICY": waiting}


def _quotas(system: Path) -> Iterator[float]:
    """The CPU quotas, in cores, that hold for this process: its own group's and those of the groups around it.

    Control groups of both versions (kernel documentation, admin-guide/cgroup-v2 and scheduler/sched-bwc).
    """
    try:
        lines = (system / "proc/self/cgroup").read_text(encoding="utf-8").splitlines()
    except OSError:
        return
    mounted = system / "sys/fs/cgroup"
    for line in lines:
        _, _, rest = line.partition(":")
        controllers, _, group = rest.partition(":")
        if controllers and "cpu" not in controllers.split(","):
            continue
        top = mounted if not controllers else mounted / "cpu"
        own = top / group.lstrip("/")
        for folder in (own, *own.parents):
            if (quota := _quota_of(folder)) is not None:
                yield quota
            if folder == top:
                break


def _quota_of(folder: Path) -> float | None:
    """The quota of one control group in cores, or None where it has none."""
    try:
        if (limits := folder / "cpu.max").exists():
            quota, period = limits.read_text(encoding="utf-8").split()
        else:
            quota = (folder / "cpu.cfs_quota_us").read_text(encoding="utf-8")
            period = (folder / "cpu.cfs_period_us").read_text(encoding="utf-8")
        cores = int(quota) / int(period)
    except (OSError, ValueError, ZeroDivisionError):  # "max" is no number: no limit
        return None
    return cores if cores > 0 else None
