"""The real thing, in processes of its own: a Prefect server, flows from the command line, trained models."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from deployments.server import LocalServer
from fittingroom.workspace import Workspace
from tests.live.live_world import World, build_world
from tests.live.processes import environment_of, run_flow


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The API address of a Prefect server with its services, shared by the tests that do not hurt it."""
    with LocalServer(Workspace(tmp_path_factory.mktemp("server")), schedules=True, port=0) as started:
        yield started.wait().api_url


@pytest.fixture(scope="session")
def prepared(server: str, tmp_path_factory: pytest.TempPathFactory) -> World:
    """A workspace with two styles crawled, cut out and prepared; tests work on copies of it."""
    world = build_world(tmp_path_factory.mktemp("prepared"))
    environment = environment_of(world.workspace, server)
    for name, parameters in (("crawl-garments", {"catalog": world.catalog}), ("prepare-garments", {})):
        done = run_flow(name, parameters, environment)
        assert done.returncode == 0, done.stderr
    return world


@pytest.fixture(scope="session")
def trained(server: str, prepared: World, tmp_path_factory: pytest.TempPathFactory) -> World:
    """The same with one style trained and registered, and it and a segmenter serving."""
    world = prepared.copy(tmp_path_factory.mktemp("trained"))
    environment = environment_of(world.workspace, server)
    done = run_flow("train-style", world.training(), environment)
    assert done.returncode in (0, 1), done.stderr  # such a tiny network need not pass its gate
    world.make_models_serve()
    return world
