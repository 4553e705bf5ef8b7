"""What MLflow keeps of each version, read again: sound versions, and what is damaged, each by itself."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from fittingroom.errors import Damaged
from fittingroom.registry.versions import (
    CHAMPION,
    DIGEST_TAG,
    HISTORY_TAG,
    PROMOTED_TAG,
    REASONS_TAG,
    RECORD_TAG,
    RETIRED_TAG,
    VERDICT_TAG,
    WITHDRAWN_TAG,
    ModelVersion,
    shown_name,
)

if TYPE_CHECKING:
    from mlflow.tracking import MlflowClient


@dataclass(frozen=True)
class Damage:
    """A registered version, a model's list of champions, or a starter that cannot be read.

    Attributes:
        version: None where it is no version.
        champion: whether it is what was to serve.
        what: what was expected, and what came. way_out: how to go on.
    """

    model: str
    version: int | None
    champion: bool
    what: str
    way_out: str

    @classmethod
    def of_version(cls, model: str, version: int, champion: bool, what: str) -> Damage:
        """Of a version's record."""
        name = shown_name(model)
        way_out = "other versions serve without it"
        if champion:
            way_out = (
                f"`fittingroom styles rollback {name}` or `fittingroom styles promote {name} VERSION` lets another "
                "version serve, or train it again"
            )
        return cls(model, version, champion, f"version {version}: its record: {what}", way_out)

    @classmethod
    def of_history(cls, model: str, what: str) -> Damage:
        """Of a model's list of champions."""
        way_out = f"`fittingroom styles promote {shown_name(model)} VERSION` begins it anew"
        return cls(model, None, False, f"its list of champions: {what}", way_out)

    def words(self) -> str:
        """One line: what is damaged, and how to go on."""
        return f"{shown_name(self.model)}: damaged: {self.what}; {self.way_out}"

    def error(self) -> Damaged:
        """To be raised where just this is wanted."""
        return Damaged(self.words())


class Found(NamedTuple):
    """All that a registry holds, or what it holds of one model."""

    versions: list[ModelVersion]
    damaged: list[Damage]


class KeptModel(NamedTuple):
    """A registered model as MLflow keeps it."""

    tags: dict[str, str]
    champion: int | None


class KeptVersion(NamedTuple):
    """A version as MLflow keeps it; ``created`` in milliseconds since 1970."""

    model: str
    version: int
    tags: dict[str, str]
    run_id: str
    source: str
    created: int


def read_all(client: MlflowClient, model: str | None) -> Found:
    """Every version of ours that an MLflow server has, of one model or of all."""
    query = f"name = '{model}'" if model else None
    models = {
        each.name: KeptModel(each.tags, int(each.aliases[CHAMPION]) if CHAMPION in each.aliases else None)
        for each in _pages(lambda token: client.search_registered_models(query, page_token=token))
    }
    versions = (
        KeptVersion(
            each.name, int(each.version), each.tags, each.run_id or "", each.source or "", each.creation_timestamp
        )
        for each in _pages(lambda token: client.search_model_versions(query, page_token=token))
    )
    return understood(models, versions)


def understood(models: Mapping[str, KeptModel], versions: Iterable[KeptVersion]) -> Found:
    """What MLflow keeps, as versions of ours, and what of it is damaged."""
    found = Found([], [])
    for name, model in models.items():
        try:
            history_in(model.tags)
        except ValueError as error:
            found.damaged.append(Damage.of_history(name, str(error)))
    for each in versions:
        if RECORD_TAG not in each.tags:  # not ours
            continue
        model = models.get(each.model, KeptModel({}, None))
        champion = each.version == model.champion
        try:
            found.versions.append(_version_of(each, champion, model.tags.get(RETIRED_TAG, "")))
        except ValueError as error:
            found.damaged.append(Damage.of_version(each.model, each.version, champion, str(error)))
    return found


def history_in(tags: dict[str, str]) -> list[int]:
    """Versions that were promoted and not rolled back, oldest first, out of a registered model's tags.

    Raises:
        ValueError: it is no list of versions.
    """
    text = tags.get(HISTORY_TAG, "[]")
    value = _json(text)
    if not isinstance(value, list) or not all(type(number) is int for number in value):
        raise ValueError(f"expected a list of versions, got {_short(text)}")
    return value


def _version_of(kept: KeptVersion, champion: bool, retired: str) -> ModelVersion:
    return ModelVersion(
        model=kept.model,
        version=kept.version,
        champion=champion,
        content_digest=kept.tags.get(DIGEST_TAG, ""),
        created_at=kept.created / 1000,
        run_id=kept.run_id,
        source=kept.source,
        verdict=kept.tags.get(VERDICT_TAG, ""),
        verdict_reasons=kept.tags.get(REASONS_TAG, ""),
        retired=retired,
        promoted_at=_seconds(kept.tags.get(PROMOTED_TAG, "")),
        withdrawn=kept.tags.get(WITHDRAWN_TAG, ""),
        **_checked(_json(kept.tags[RECORD_TAG])),
    )


def _seconds(text: str) -> float:
    return float(text) if text.isascii() and text.isdigit() else 0.0


def _mapping_of(kinds: type | tuple[type, ...]) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, dict) and all(isinstance(each, kinds) for each in value.values())


_FIELDS: dict[str, tuple[str, Callable[[Any], bool]]] = {
    "metrics": ("numbers by name", _mapping_of((int, float))),
    "digests": ("texts by name", _mapping_of(str)),
    "recipe": ("an object", _mapping_of(object)),
    "tags": ("texts by name", _mapping_of(str)),
    "weights_sha256": ("a text", lambda value: isinstance(value, str)),
    "weights_bytes": ("a whole number", lambda value: type(value) is int),
    "files": ("a list of names", lambda value: isinstance(value, list) and all(isinstance(v, str) for v in value)),
}


def _checked(record: Any) -> dict[str, Any]:
    if not isinstance(record, dict):
        raise ValueError(f"expected an object, got {_short(record)}")
    for name in record:
        if name not in _FIELDS:
            raise ValueError(
                f"field {_short(name)}: not known here (a later version of Fittingroom may have written it)"
            )
    for name, (expected, fits) in _FIELDS.items():
        if name not in record and name != "files":
            raise ValueError(f"field {name}: expected {expected}, it is missing")
        if name in record and not fits(record[name]):
            raise ValueError(f"field {name}: expected {expected}, got {_short(record[name])}")
    return record


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        raise ValueError(f"expected JSON, got {_short(text)}") from None


def _short(value: Any) -> str:
    said = repr(value)
    return said if len(said) <= 60 else f"{said[:57]}..."


def _pages(fetch: Callable[[str | None], Any]) -> Iterator[Any]:
    """Every entry of a paged answer; ``fetch`` takes a page token."""
    token: str | None = None
    while True:
        page = fetch(token)
        yield from page
        token = page.token
        if not token:
            return
