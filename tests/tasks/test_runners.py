"""Where shards are worked on is read when a flow runs: a setting that cannot be used breaks no import."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from prefect.task_runners import ThreadPoolTaskRunner

from fittingroom.errors import SettingError
from fittingroom.settings import get_settings
from flows.crawl_garments import crawl_garments
from tasks.runners import ShardRunner


@pytest.fixture
def dask(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """Sets the variable, as the next flow will read it."""
    get_settings.cache_clear()
    yield monkeypatch
    get_settings.cache_clear()


def test_without_dask_shards_run_in_threads(dask: pytest.MonkeyPatch) -> None:
    dask.delenv("FITTINGROOM_DASK", raising=False)
    assert type(ShardRunner().duplicate()) is ThreadPoolTaskRunner


def test_a_crawl_stays_in_its_process_which_keeps_each_hosts_pace(dask: pytest.MonkeyPatch) -> None:
    dask.setenv("FITTINGROOM_DASK", "local:3")
    runner = crawl_garments.task_runner.duplicate()
    assert type(runner) is ThreadPoolTaskRunner
    assert runner._max_workers == 8


@pytest.mark.parametrize("wanted", ["lots of machines", "local:0", "http://dask:8786", "tcp://dask"])
def test_a_setting_that_cannot_be_used_is_said_when_the_flow_runs(dask: pytest.MonkeyPatch, wanted: str) -> None:
    dask.setenv("FITTINGROOM_DASK", wanted)
    made_at_import = ShardRunner()
    with pytest.raises(SettingError, match="FITTINGROOM_DASK: expected a scheduler's address"):
        made_at_import.duplicate()


def test_dask_is_used_where_it_is_asked_for(dask: pytest.MonkeyPatch) -> None:
    dask_runner = pytest.importorskip("prefect_dask.task_runners").DaskTaskRunner
    made_at_import = ShardRunner()
    dask.setenv("FITTINGROOM_DASK", "local:3")
    runner = made_at_import.duplicate()
    assert isinstance(runner, dask_runner)
    assert runner.cluster_kwargs["n_workers"] == 3
    get_settings.cache_clear()
    dask.setenv("FITTINGROOM_DASK", "tcp://dask:8786")
    assert made_at_import.duplicate().address == "tcp://dask:8786"
