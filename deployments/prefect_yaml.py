"""``prefect.yaml``, the deployments for work pools out of their definitions: ``python -m deployments.prefect_yaml``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from deployments.definitions import DEFINITIONS, Definition
from fittingroom.settings import Schedules
from fittingroom.workspace import Workspace, write_text
from flows.catalogue import FLOWS

FILE = Path(__file__).with_name("prefect.yaml")
_HEAD = """\
# Written by python -m deployments.prefect_yaml out of deployments/definitions.py: change that, not this.
# The deployments for work pools: prefect deploy --all --prefect-file deployments/prefect.yaml
# (run from the repository's root, with PREFECT_API_URL set and the package installed where workers run).
# prefect work-pool create fittingroom --type process (or docker, kubernetes: docs/operations.md says how); workers with
# a GPU take its queue training.
"""


def prefect_yaml() -> str:
    """The text of the file."""
    document = {
        "name": "fittingroom",
        "pull": [{"prefect.deployments.steps.set_working_directory": {"directory": "{{ $FITTINGROOM_ROOT }}"}}],
        "deployments": [_entry(definition) for definition in DEFINITIONS],
    }
    return _HEAD + yaml.safe_dump(document, sort_keys=False, default_flow_style=None, width=120)


def _entry(definition: Definition) -> dict[str, Any]:
    function, cron = definition.flow.replace("-", "_"), Schedules().of(definition.flow)
    pool = {"name": "fittingroom", "work_queue_name": definition.queue}
    entry = {
        "name": definition.flow,
        "entrypoint": f"flows/{function}.py:{function}",
        "description": definition.description,
        "tags": definition.all_tags,
        "concurrency_limit": definition.limit,
        "work_pool": {name: value for name, value in pool.items() if value != "default"},
        "parameters": _parameters(definition) if cron else None,
        "schedules": [{"cron": cron}] if cron else None,
    }
    return {name: value for name, value in entry.items() if value}


def _parameters(definition: Definition) -> dict[str, Any]:
    """What no person fills in where a schedule starts it."""
    given = {"catalog": Workspace(Path()).catalog.name}
    fields = FLOWS[definition.flow].parameters.model_fields
    return {name: given[name] for name, info in fields.items() if info.is_required()}


if __name__ == "__main__":
    write_text(FILE, prefect_yaml())
