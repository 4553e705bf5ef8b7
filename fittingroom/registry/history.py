"""Champions in turn: which version of a model serves, which served before it, and moving from one to another."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from fittingroom.errors import InputError
from fittingroom.registry.records import Damage, history_in
from fittingroom.registry.versions import CHAMPION, HISTORY_TAG, PROMOTED_TAG, RETIRED_TAG, ModelVersion, shown_name

if TYPE_CHECKING:
    from mlflow.tracking import MlflowClient

_KEPT = 50


def champions_in_turn(client: MlflowClient, model: str, *, forget_torn: bool = False) -> list[int]:
    """Versions of a model that were promoted and not rolled back, oldest first; the last is the champion.

    Args:
        forget_torn: begin anew where the list cannot be read, with the champion alone.

    Raises:
        Damaged: the list cannot be read.
    """
    registered = client.get_registered_model(model)
    try:
        history = history_in(registered.tags)
    except ValueError as error:
        if not forget_torn:
            raise Damage.of_history(model, str(error)).error() from None
        history = []
    champion = registered.aliases.get(CHAMPION)
    if champion is not None and (not history or history[-1] != int(champion)):
        history.append(int(champion))  # moved by hand in MLflow's own pages
    return history


def promote(client: MlflowClient, model: str, version: int, reason: str, retired: bool) -> None:
    """Make a version the champion, and the model serve again where it was ``retired``.

    Args:
        reason: kept with the version; empty keeps none.
    """
    history = champions_in_turn(client, model, forget_torn=True)
    if not history or history[-1] != version:
        history.append(version)
    _set_champion(client, model, history)
    if reason:
        client.set_model_version_tag(model, str(version), "fittingroom.promoted_because", reason)
    if retired:
        client.delete_registered_model_tag(model, RETIRED_TAG)


def roll_back(client: MlflowClient, model: str, versions: Sequence[ModelVersion]) -> int:
    """Make the champion before this one the champion, and return its number.

    Args:
        versions: those whose record can be read; others are passed over.

    Raises:
        InputError: there is no previous champion. Damaged: the list of champions cannot be read.
    """
    history = champions_in_turn(client, model)
    sound = {version.version for version in versions}
    before = [number for number in history[:-1] if number in sound]
    if not before:
        raise InputError(_no_way_back(shown_name(model), history, versions))
    _set_champion(client, model, before)
    return before[-1]


def retire(client: MlflowClient, model: str, by: str, serves: bool) -> None:
    """Leave a model without a champion; ``serves``: it has one now."""
    # The mark first: a kill between the two leaves a retired model that serves; retiring it again ends it.
    client.set_registered_model_tag(model, RETIRED_TAG, by)
    if serves:
        history = champions_in_turn(client, model, forget_torn=True)
        client.set_registered_model_tag(model, HISTORY_TAG, json.dumps(history))
        client.delete_registered_model_alias(model, CHAMPION)


def reinstate(client: MlflowClient, model: str, versions: Sequence[ModelVersion]) -> int:
    """Undo `retire`, and return the number of the version that serves again.

    Args:
        versions: as in `roll_back`.

    Raises:
        InputError: none of these ever served. Damaged: the list of champions cannot be read.
    """
    sound = {version.version for version in versions}
    history = [number for number in champions_in_turn(client, model) if number in sound]
    if not history:
        name = shown_name(model)
        raise InputError(f"{name}: no version that may serve ever did; `fittingroom styles promote {name} VERSION`")
    _set_champion(client, model, history)
    client.delete_registered_model_tag(model, RETIRED_TAG)
    return history[-1]


def _set_champion(client: MlflowClient, model: str, history: list[int]) -> None:
    # The history first: a kill between the two leaves a history whose last is put right by the next promote.
    client.set_registered_model_tag(model, HISTORY_TAG, json.dumps(history[-_KEPT:]))
    client.set_registered_model_alias(model, CHAMPION, str(history[-1]))
    client.set_model_version_tag(model, str(history[-1]), PROMOTED_TAG, f"{time.time():.0f}")


def _no_way_back(name: str, history: list[int], versions: Sequence[ModelVersion]) -> str:
    others = sorted(version.version for version in versions if version.version not in history)
    first = f"version {history[0]} is the first that served" if history else "no version has served yet"
    ways = [f"`fittingroom styles retire {name}` takes it out of service"] if history else []
    if others:
        there = ", ".join(map(str, others))
        ways.insert(0, f"`fittingroom styles promote {name} VERSION` takes another (there is {there})")
    said = f"{name}: expected a previous champion to go back to, there is none: {first}"
    return f"{said}; {', '.join(ways)}" if ways else said
