"""compose.yaml without docker: its structure, that each name leads somewhere, that commands and variables exist."""

from __future__ import annotations

import copy
import importlib.util
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from fittingroom.settings import Settings
from tests.deployments.compose_rules import faults
from tests.deployments.documented import fault_of_prefect

FOLDER = Path(__file__).resolve().parents[2] / "deployments"
COMPOSE: dict[str, Any] = yaml.safe_load((FOLDER / "compose.yaml").read_text(encoding="utf-8"))
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]


def test_the_file_holds_what_compose_asks_for() -> None:
    assert faults(COMPOSE, FOLDER) == []


MISTAKES: dict[str, tuple[Callable[[dict[str, Any]], Any], str]] = {
    "a section": (lambda c: c.update(service={}), "service: not a section"),
    "a field": (lambda c: c["services"]["redis"].update(comand="x"), "redis.comand: not a field"),
    "a service": (lambda c: c["services"].pop("redis"), "waits for redis, which is not there"),
    "a condition": (
        lambda c: c["services"]["mlflow"]["depends_on"]["postgres"].update(condition="healthy"),
        "expected a condition out of",
    ),
    "health": (lambda c: c["services"]["postgres"].pop("healthcheck"), "which has no healthcheck"),
    "an end that never comes": (
        lambda c: c["services"]["deploy"].update(restart="always"),
        "worker waits for deploy with service_completed_successfully",
    ),
    "a circle": (
        lambda c: c["services"]["postgres"].update(depends_on={"mlflow": {"condition": "service_started"}}),
        "postgres waits for itself",
    ),
    "an image": (lambda c: c["services"]["redis"].update(image="redis"), "redis.image: expected"),
    "latest": (lambda c: c["services"]["redis"].update(image="redis:latest"), "redis.image: expected"),
    "a Dockerfile": (
        lambda c: c["services"]["prefect-migrate"]["build"].update(dockerfile="Dockerfile"),
        "prefect-migrate.build: no Dockerfile",
    ),
    "no, which YAML reads as false": (
        lambda c: c["services"]["prefect-migrate"].update(restart=False),
        "prefect-migrate.restart: expected",
    ),
    "a health test": (
        lambda c: c["services"]["redis"]["healthcheck"].update(test="redis-cli ping"),
        "redis.healthcheck.test: expected",
    ),
    "a duration": (
        lambda c: c["services"]["redis"]["healthcheck"].update(interval="5 s"),
        "redis.healthcheck.interval: expected a duration",
    ),
    "a volume": (lambda c: c["volumes"].pop("store"), "store.volumes: the volume store is not declared"),
    "an unused volume": (lambda c: c["volumes"].update(more=None), "volume more: not used"),
    "a mounted file": (
        lambda c: c["services"]["postgres"]["volumes"].append("./init.sql:/docker-entrypoint-initdb.d/x.sql:ro"),
        "postgres.volumes: ./init.sql is not there",
    ),
    "a port for everybody": (
        lambda c: c["services"]["mlflow"].update(ports=["5000:5000"]),
        "mlflow.ports: expected 127.0.0.1",
    ),
    "a config": (lambda c: c["configs"].pop("store"), "store.configs: store is not there"),
    "a password": (
        lambda c: c["services"]["postgres"]["environment"].update(POSTGRES_PASSWORD="hunter2"),
        "postgres.environment.POSTGRES_PASSWORD: expected",
    ),
    "a password with a default": (
        lambda c: c["services"]["postgres"]["environment"].update(POSTGRES_PASSWORD="${POSTGRES_PASSWORD:-hunter2}"),
        "postgres.environment.POSTGRES_PASSWORD: expected",
    ),
    "a password in an address": (
        lambda c: c["services"]["prefect-services"]["environment"].update(
            PREFECT_API_DATABASE_CONNECTION_URL="postgresql+asyncpg://prefect:hunter2@postgres:5432/prefect"
        ),
        "for the password, got a secret",
    ),
    "a password in a config": (
        lambda c: c["configs"]["store"].update(content='{"secretKey": "hunter2"}'),
        "file.configs.store.content: expected",
    ),
    "a number": (
        lambda c: c["services"]["worker"]["environment"].update(PREFECT_FLOWS_HEARTBEAT_FREQUENCY=60),
        "expected text in quotes, got 60",
    ),
    "a host": (
        lambda c: c["services"]["worker"]["environment"].update(FITTINGROOM_TRACKING_URI="http://ml-flow:5000"),
        "ml-flow is no service of this file",
    ),
    "a dollar": (lambda c: c["services"]["redis"].update(command="echo $HOME"), "expected ${NAME}"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_found(name: str) -> None:
    make, said = MISTAKES[name]
    wrong = copy.deepcopy(COMPOSE)
    make(wrong)
    found = faults(wrong, FOLDER)
    assert any(said in fault for fault in found), found


def commands() -> list[tuple[str, list[str]]]:
    """Every command of a service that is ours, as words; ``a && b`` in a shell are two."""
    found = []
    for name, service in SERVICES.items():
        words = shlex.split(service.get("command", "")) if service["image"] == "fittingroom" else []
        lines = words[2].split("&&") if words[:2] == ["sh", "-c"] else [shlex.join(words)]
        found += [(name, shlex.split(line)) for line in lines if line.strip()]
    return found


def test_every_service_of_ours_has_a_command() -> None:
    assert {name for name, _ in commands()} == {n for n, s in SERVICES.items() if s["image"] == "fittingroom"}


@pytest.mark.parametrize(("name", "words"), commands(), ids=lambda value: value if isinstance(value, str) else "")
def test_commands_and_their_options_exist(name: str, words: list[str]) -> None:
    program, *rest = words
    if program == "prefect":
        assert not fault_of_prefect(rest), f"{name}: {rest}"
    elif program == "mlflow":
        from mlflow.cli import cli

        subcommand = cli.commands[rest[0]]
        known = {option for parameter in subcommand.params for option in parameter.opts}
        assert {word for word in rest if word.startswith("--")} <= known
    else:
        assert (program, rest[0]) == ("python", "-m"), f"{name}: expected prefect, mlflow or python -m, got {program}"
        assert importlib.util.find_spec(rest[1]) is not None


def test_files_that_commands_name_are_there() -> None:
    named = [word for _, words in commands() for word in words if word.startswith("deployments/")]
    assert named == ["deployments/prefect.yaml"]
    assert all((FOLDER.parent / word).is_file() for word in named)


def variables() -> set[str]:
    return {name for service in SERVICES.values() for name in service.get("environment", {})}


def test_our_variables_are_settings() -> None:
    ours = {name for name in variables() if name.startswith("FITTINGROOM_")}
    assert {"FITTINGROOM_WORKSPACE", "FITTINGROOM_TRACKING_URI"} <= ours
    assert ours <= {f"FITTINGROOM_{field}".upper() for field in Settings.model_fields}


def test_prefects_variables_are_settings() -> None:
    from prefect.settings.models.root import Settings as PrefectSettings

    known = accepted(PrefectSettings)
    of_redis = {name for name in variables() if name.startswith("PREFECT_REDIS_")}
    prefects = {name for name in variables() if name.startswith("PREFECT_")} - of_redis
    assert len(prefects) > 8
    assert prefects <= known
    redis = pytest.importorskip("prefect_redis.client", reason="not installed: prefect-redis (extra: production)")
    assert of_redis <= accepted(redis.RedisMessagingSettings)


def accepted(model: Any) -> set[str]:
    """Every environment variable that a settings model of Prefect's reads, those of models in it included."""
    found: set[str] = set()
    for name, field in model.model_fields.items():
        choices = getattr(field.validation_alias, "choices", [field.validation_alias or name])
        found |= {str(choice).upper() for choice in choices}
        found.add(f"{model.model_config.get('env_prefix', '')}{name}".upper())
        if hasattr(field.annotation, "model_fields"):
            found |= accepted(field.annotation)
    return found


def test_others_variables_are_known() -> None:
    from mlflow import environment_variables as mlflow

    assert mlflow.MLFLOW_S3_ENDPOINT_URL.name in variables()
    postgres = {"POSTGRES_USER", "POSTGRES_PASSWORD", "POSTGRES_DB"}
    aws = {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"}
    others = {name for name in variables() if not name.startswith(("FITTINGROOM_", "PREFECT_"))}
    assert others == postgres | aws | {"MLFLOW_S3_ENDPOINT_URL"}


def test_modules_that_variables_name_are_there() -> None:
    if importlib.util.find_spec("prefect_redis") is None:
        pytest.skip("not installed: prefect-redis (extra: production)")
    shared = COMPOSE["x-prefect-server"]
    named = [value for value in shared.values() if value.startswith("prefect_redis.")]
    assert len(named) == 4
    assert all(importlib.util.find_spec(module) is not None for module in named)
