"""One registered version of a model: what it carries, and how it is written into MLflow's tags and read again."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from fittingroom.styles.mlflow_store import pages
from fittingroom.workspace import check_name, digest_value

if TYPE_CHECKING:
    from mlflow.entities.model_registry import ModelVersion as MlflowVersion
    from mlflow.tracking import MlflowClient

CHAMPION = "champion"
SEGMENTER = "segmenter"
STYLE_PREFIX = "style-"

RECORD_TAG = "fittingroom.record"
HISTORY_TAG = "fittingroom.champions"
RETIRED_TAG = "fittingroom.retired"
"""On a model that was taken out of service: who did it."""
VERDICT_TAG, REASONS_TAG = "fittingroom.gate", "fittingroom.gate_reasons"
REFUSED, PASSED = "refused", "passed"
DIGEST_TAG = "fittingroom.content_digest"


def style_model(style: str) -> str:
    """The registered model's name of a style."""
    return STYLE_PREFIX + check_name(style, "style")


def shown_name(model: str) -> str:
    """The model's name as a person types it: a style's own, or ``segmenter``."""
    return model.removeprefix(STYLE_PREFIX)


def content_digest(digests: Mapping[str, str], recipe: Mapping[str, Any]) -> str:
    """What a version is made of, as one digest: the data's digests and the recipe. Same content, same digest."""
    return digest_value({"digests": dict(digests), "recipe": dict(recipe)})


@dataclass(frozen=True)
class ModelVersion:
    """One registered version. Everything in it is a JSON value."""

    model: str
    version: int
    champion: bool
    metrics: dict[str, float]
    digests: dict[str, str]
    recipe: dict[str, Any]
    tags: dict[str, str]
    content_digest: str
    weights_sha256: str
    weights_bytes: int
    created_at: float
    """Seconds since 1970."""
    run_id: str
    source: str
    """URI of the version's artifact folder."""
    files: list[str] = field(default_factory=list)
    """Names of the artifacts besides the weights."""
    verdict: str = ""
    """What its gate said last: ``passed`` or ``refused``; empty where none was asked."""
    verdict_reasons: str = ""
    retired: str = ""
    """Who took its model out of service, ``hand`` or ``catalog``; empty where nobody did."""

    @property
    def style(self) -> str | None:
        """The style's name; None for a segmenter."""
        return self.model.removeprefix(STYLE_PREFIX) if self.model.startswith(STYLE_PREFIX) else None

    def to_json(self) -> dict[str, Any]:
        """As a JSON value."""
        return asdict(self)


def read_versions(client: MlflowClient, model: str | None) -> Iterator[ModelVersion]:
    """Every version of ours, of one model or of all."""
    query = f"name = '{model}'" if model else ""
    champions: dict[str, int] = {}
    retired: dict[str, str] = {}
    for registered in pages(lambda token: client.search_registered_models(query or None, page_token=token)):
        aliases = registered.aliases
        retired[registered.name] = registered.tags.get(RETIRED_TAG, "")
        if CHAMPION in aliases:
            champions[registered.name] = int(aliases[CHAMPION])
    for found in pages(lambda token: client.search_model_versions(query or None, page_token=token)):
        if RECORD_TAG in found.tags:  # others are not ours
            yield _version_of(found, champions.get(found.name), retired.get(found.name, ""))


def _version_of(found: MlflowVersion, champion: int | None, retired: str) -> ModelVersion:
    record = json.loads(found.tags[RECORD_TAG])
    return ModelVersion(
        model=found.name,
        version=int(found.version),
        champion=int(found.version) == champion,
        content_digest=found.tags.get(DIGEST_TAG, ""),
        created_at=found.creation_timestamp / 1000,
        run_id=found.run_id or "",
        source=found.source or "",
        verdict=found.tags.get(VERDICT_TAG, ""),
        verdict_reasons=found.tags.get(REASONS_TAG, ""),
        retired=retired,
        **record,
    )


def champions_in_turn(client: MlflowClient, model: str) -> list[int]:
    """Versions of a model that were promoted and not rolled back, oldest first."""
    registered = client.get_registered_model(model)
    history = [int(number) for number in json.loads(registered.tags.get(HISTORY_TAG, "[]"))]
    champion = registered.aliases.get(CHAMPION)
    if champion is not None and (not history or history[-1] != int(champion)):
        history.append(int(champion))  # moved by hand in MLflow's own pages
    return history
