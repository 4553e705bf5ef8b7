"""Where shards are worked on: in threads of this process, or in the processes of a Dask cluster, unchanged.

``FITTINGROOM_DASK`` names a scheduler (``tcp://host:8786``) or asks for ``local:N`` processes on this machine. Workers
of a scheduler elsewhere need the package installed and the workspace mounted at the same path.
"""

from __future__ import annotations

import re
from typing import Any

from prefect.task_runners import ThreadPoolTaskRunner

from fittingroom.errors import SettingError
from fittingroom.extras import need_extra
from fittingroom.settings import get_settings

THREADS = 2
"""Shards at once without Dask: what they call is mostly OpenCV, which uses the other cores itself."""
_ADDRESS = re.compile(r"(?:tcp|tls|ws|wss|ucx)://\S+:\d+")


def task_runner() -> Any:
    """Where shards are worked on as the installation's settings say now: `THREADS` at a time, or on Dask.

    Raises:
        SettingError: ``FITTINGROOM_DASK`` is neither an address nor ``local:N``.
        InputError: prefect-dask is not installed.
    """
    wanted = get_settings().dask
    if not wanted:
        return ThreadPoolTaskRunner(max_workers=THREADS)
    local = re.fullmatch(r"local:([1-9]\d{0,2})", wanted)
    if not local and not _ADDRESS.fullmatch(wanted):
        raise SettingError("FITTINGROOM_DASK", wanted, "a scheduler's address (tcp://host:8786) or local:N")
    need_extra("dask", "FITTINGROOM_DASK")
    from prefect_dask.task_runners import DaskTaskRunner

    if local:
        workers = {"n_workers": int(local[1]), "threads_per_worker": 1, "dashboard_address": None}
        return DaskTaskRunner(cluster_kwargs=workers)
    return DaskTaskRunner(address=wanted)


class ShardRunner(ThreadPoolTaskRunner[Any]):
    """The task runner for a flow of shards: which one it is, the settings say when the flow runs, not before."""

    def __init__(self) -> None:
        super().__init__(max_workers=THREADS)

    def duplicate(self) -> Any:  # each run asks for a runner of its own
        """The runner that a run uses (`task_runner`)."""
        return task_runner()
