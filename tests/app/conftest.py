"""What tests of the API have in common."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from fittingroom.app import room
from fittingroom.workers import Workers


class _Shared(Workers):
    """Outlives the servers that use it."""

    def close(self) -> None:
        pass


@pytest.fixture(scope="session")
def _decoders() -> Iterator[_Shared]:
    shared = _Shared(room.AT_ONCE)
    yield shared
    Workers.close(shared)


@pytest.fixture
def decoders(_decoders: _Shared, monkeypatch: pytest.MonkeyPatch) -> None:
    """The processes that decode pictures take their time to start: one set for the servers of all tests that ask."""
    monkeypatch.setattr(room, "Workers", lambda _: _decoders)
