"""What must hold of a compose file, for machines without docker: the Compose specification's structure, and that every
name in it leads somewhere. `faults` says what does not; ``docker compose config`` says more where it is at hand."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

TOP_LEVEL = {"name", "services", "volumes", "networks", "configs", "secrets", "include", "version"}
SERVICE = frozenset(
    """annotations attach blkio_config build cap_add cap_drop cgroup cgroup_parent command configs container_name
    cpu_count cpu_percent cpu_period cpu_quota cpu_shares cpus cpuset credential_spec depends_on deploy develop
    device_cgroup_rules devices dns dns_opt dns_search domainname entrypoint env_file environment expose extends
    external_links extra_hosts gpus group_add healthcheck hostname image init ipc isolation label_file labels links
    logging mac_address mem_limit mem_reservation mem_swappiness memswap_limit models network_mode networks
    oom_kill_disable oom_score_adj pid pids_limit platform ports post_start pre_stop privileged profiles provider
    pull_policy read_only restart runtime scale secrets security_opt shm_size stdin_open stop_grace_period stop_signal
    storage_opt sysctls tmpfs tty ulimits use_api_socket user userns_mode uts volumes volumes_from
    working_dir""".split()  # noqa: SIM905
)
HEALTHCHECK = {"disable", "interval", "retries", "start_interval", "start_period", "test", "timeout"}
CONDITIONS = {"service_started", "service_healthy", "service_completed_successfully"}
RESTART = re.compile(r"no|always|unless-stopped|on-failure(:\d+)?")
DURATION = re.compile(r"(\d+(us|ms|s|m|h))+")
VARIABLE = re.compile(r"\$\{[A-Za-z_]\w*(?:(?::?[-?+])[^${}]*)?\}")
SECRET_NAME = re.compile(r"PASSWORD|SECRET|TOKEN|API_KEY", re.IGNORECASE)
SECRET_FIELD = re.compile(r'"\w*(?:secret|password)\w*"\s*:\s*"([^"]*)"', re.IGNORECASE)
ONLY_A_VARIABLE = re.compile(r"\$\{[A-Za-z_]\w*:?\?[^${}]+\}")
URL = re.compile(r"\b[a-z][a-z0-9+]*://(?:([^\s/@'\"]*)@)?([a-z][\w.-]*):(\d+)")
LOOPBACK = {"localhost", "0.0.0.0"}


def faults(compose: dict[str, Any], folder: Path) -> list[str]:
    """One line for each thing that is wrong; ``folder`` is where the file lies."""
    return [
        *(f"{name}: not a section of a compose file" for name in compose if name not in TOP_LEVEL and name[:2] != "x-"),
        *_variables(compose, "file"),
        *_order(compose["services"]),
        *_unused(compose),
        *(fault for name, service in compose["services"].items() for fault in _service(name, service, compose, folder)),
    ]


def strings(value: Any, where: str) -> Iterator[tuple[str, str]]:
    """Every string in a value, with its place."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield from strings(item, f"{where}.{key}")
    elif isinstance(value, list):
        for number, item in enumerate(value):
            yield from strings(item, f"{where}[{number}]")
    elif isinstance(value, str):
        yield where, value


def _variables(compose: dict[str, Any], where: str) -> Iterator[str]:
    for place, text in strings(compose, where):
        if "$" in VARIABLE.sub("", text.replace("$$", "")):
            yield f"{place}: expected ${{NAME}}, with :-default or :?message, got {text!r}"
        if any(found[1] != "VARIABLE" for found in SECRET_FIELD.finditer(VARIABLE.sub("VARIABLE", text))):
            yield f"{place}: expected ${{NAME:?message}}, got a secret in the file"


def _order(services: dict[str, Any]) -> Iterator[str]:
    """What waits for what: only for services there are, in no circle, and for what can come true."""
    for name, service in services.items():
        for other, how in _waits(service).items():
            if other not in services:
                yield f"{name} waits for {other}, which is not there"
                continue
            condition = how.get("condition")
            if condition not in CONDITIONS:
                yield f"{name} waits for {other}: expected a condition out of {sorted(CONDITIONS)}, got {condition!r}"
            if condition == "service_healthy" and "healthcheck" not in services[other]:
                yield f"{name} waits until {other} is healthy, which has no healthcheck"
            ends = services[other].get("restart", "no") in ("no", "on-failure")
            if (condition == "service_completed_successfully") != ends:
                restarts = services[other].get("restart", "no")
                yield f"{name} waits for {other} with {condition}, whose restart is {restarts}"
        if name in before(name, services):
            yield f"{name} waits for itself"


def _waits(service: dict[str, Any]) -> dict[str, dict[str, Any]]:
    waits = service.get("depends_on", {})
    return waits if isinstance(waits, dict) else {name: {"condition": "service_started"} for name in waits}


def before(name: str, services: dict[str, Any]) -> set[str]:
    """All services that have to be there before ``name``."""
    found: set[str] = set()
    waiting = list(_waits(services[name]))
    while waiting:
        other = waiting.pop()
        if other in services and other not in found:
            found.add(other)
            waiting += _waits(services[other])
    return found


def _unused(compose: dict[str, Any]) -> Iterator[str]:
    services = compose["services"].values()
    mounted = {str(volume).partition(":")[0] for service in services for volume in service.get("volumes", [])}
    yield from (f"volume {name}: not used" for name in compose.get("volumes", {}) if name not in mounted)
    wanted = {config["source"] for service in services for config in service.get("configs", [])}
    yield from (f"config {name}: not used" for name in compose.get("configs", {}) if name not in wanted)
    ports = [port for service in services for port in service.get("ports", [])]
    yield from (f"port {port}: taken twice" for port in set(ports) if ports.count(port) > 1)


def _service(name: str, service: dict[str, Any], compose: dict[str, Any], folder: Path) -> Iterator[str]:
    yield from (f"{name}.{key}: not a field of a service" for key in service if key not in SERVICE)
    yield from _image(name, service, compose["services"], folder)
    if not isinstance(restart := service.get("restart"), str) or not RESTART.fullmatch(restart):
        yield f"{name}.restart: expected no, always, unless-stopped or on-failure as text, got {restart!r}"
    yield from _healthcheck(name, service.get("healthcheck"))
    yield from _volumes(name, service, compose, folder)
    for port in service.get("ports", []):
        if not re.fullmatch(r"127\.0\.0\.1:\d+:\d+", str(port)):
            yield f"{name}.ports: expected 127.0.0.1:PORT:PORT, got {port!r}"
    for config in service.get("configs", []):
        if config["source"] not in compose.get("configs", {}):
            yield f"{name}.configs: {config['source']} is not there"
    yield from _environment(name, service)
    yield from _addresses(name, service, compose["services"])


def _image(name: str, service: dict[str, Any], services: dict[str, Any], folder: Path) -> Iterator[str]:
    image = service.get("image", "")
    built = {other["image"] for other in services.values() if "build" in other}
    if image not in built and not re.fullmatch(r"[\w./-]+:(?!latest$)[\w.-]+", image):
        yield f"{name}.image: expected one that is built here, or with a version, got {image!r}"
    if "build" in service:
        context = folder / service["build"]["context"]
        if not (context / service["build"]["dockerfile"]).is_file():
            yield f"{name}.build: no {service['build']['dockerfile']} in {service['build']['context']}"


def _healthcheck(name: str, check: dict[str, Any] | None) -> Iterator[str]:
    if check is None:
        return
    yield from (f"{name}.healthcheck.{key}: not a field of it" for key in check if key not in HEALTHCHECK)
    test = check.get("test")
    if not isinstance(test, list) or len(test) < 2 or test[0] not in ("CMD", "CMD-SHELL"):
        yield f"{name}.healthcheck.test: expected [CMD, ...] or [CMD-SHELL, line], got {test!r}"
    elif test[0] == "CMD-SHELL" and len(test) != 2:
        yield f"{name}.healthcheck.test: expected one line after CMD-SHELL, got {len(test) - 1}"
    for key in ("interval", "timeout", "start_period", "start_interval"):
        if key in check and not DURATION.fullmatch(str(check[key])):
            yield f"{name}.healthcheck.{key}: expected a duration such as 10s, got {check[key]!r}"


def _volumes(name: str, service: dict[str, Any], compose: dict[str, Any], folder: Path) -> Iterator[str]:
    for volume in service.get("volumes", []):
        found = re.fullmatch(r"(\$\{[^}]*\}|[^:$]+):(/[^:]*)(:(?:ro|rw))?", volume)
        if not found:
            yield f"{name}.volumes: expected SOURCE:/TARGET or SOURCE:/TARGET:ro, got {volume!r}"
        elif found[1].startswith("."):
            if not (folder / found[1]).exists():
                yield f"{name}.volumes: {found[1]} is not there"
        elif not found[1].startswith(("$", "/")) and found[1] not in compose.get("volumes", {}):
            yield f"{name}.volumes: the volume {found[1]} is not declared"


def _environment(name: str, service: dict[str, Any]) -> Iterator[str]:
    environment = service.get("environment", {})
    for key, value in environment.items():
        if not isinstance(value, str):
            yield f"{name}.environment.{key}: expected text in quotes, got {value!r}"
        elif SECRET_NAME.search(key) and not ONLY_A_VARIABLE.fullmatch(value):
            yield f"{name}.environment.{key}: expected ${{NAME:?message}}, got a secret in the file"


def _addresses(name: str, service: dict[str, Any], services: dict[str, Any]) -> Iterator[str]:
    """Addresses lead to services, and carry no password."""
    for place, text in strings({key: service.get(key, {}) for key in ("environment", "command")}, name):
        for login, host, _ in URL.findall(VARIABLE.sub("VARIABLE", text)):
            if login.partition(":")[2] not in ("", "VARIABLE"):
                yield f"{place}: expected ${{NAME:?message}} for the password, got a secret in the file"
            if host not in LOOPBACK and host not in services:
                yield f"{place}: {host} is no service of this file"
