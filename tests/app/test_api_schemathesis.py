"""The API on a port of this machine, asked by schemathesis for all that its OpenAPI document offers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from schemathesis.specs.openapi.checks import positive_data_acceptance

from fittingroom.app.api.openapi import document
from tests.app.serving import serving
from tests.app.stand_ins import Models

pytestmark = pytest.mark.slow
SCHEMA = schemathesis.openapi.from_dict(document())


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    place: Path = tmp_path_factory.mktemp("workspace")
    with serving(place, Models()) as (host, port):
        yield f"http://{host}:{port}"


@SCHEMA.parametrize()
@settings(
    max_examples=25,
    derandomize=True,
    database=None,
    deadline=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
def test_every_answer_is_as_documented(address: str, case: Any) -> None:
    """But for pictures: bytes that are one by their type alone are refused."""
    case.call_and_validate(base_url=address, excluded_checks=[positive_data_acceptance])
