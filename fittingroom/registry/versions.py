"""One registered version of a model: what it carries, and the names of the tags that MLflow keeps it under."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from fittingroom.style_card import StyleCard
from fittingroom.workspace import check_name, digest_value

CHAMPION = "champion"
SEGMENTER = "segmenter"
STYLE_PREFIX = "style-"

RECORD_TAG = "fittingroom.record"
HISTORY_TAG = "fittingroom.champions"
RETIRED_TAG = "fittingroom.retired"
"""On a model that was taken out of service: who did it."""
WITHDRAWN_TAG = "fittingroom.withdrawn"
"""On a version that learnt from a picture that was withdrawn since: when, ISO 8601."""
BY_WITHDRAWAL = "withdrawal"
"""In `RETIRED_TAG`: it serves again as soon as a version that learnt from nothing withdrawn passes its gate."""
PROMOTED_TAG = "fittingroom.promoted_at"
VERDICT_TAG, REASONS_TAG = "fittingroom.gate", "fittingroom.gate_reasons"
REFUSED, PASSED = "refused", "passed"
DIGEST_TAG = "fittingroom.content_digest"
STYLE_DIGEST = "style"
"""Under this name a version's digests hold `StyleCard.catalog_digest` of what it was trained for."""


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
    """Who took its model out of service, ``hand``, ``catalog`` or ``withdrawal``; empty where nobody did."""
    promoted_at: float = 0.0
    """Seconds since 1970 when it was made the champion last; 0 where it never was."""
    withdrawn: str = ""
    """When a picture that it learnt from was withdrawn, ISO 8601; empty where none was."""

    @property
    def style(self) -> str | None:
        """The style's name; None for a segmenter."""
        return self.model.removeprefix(STYLE_PREFIX) if self.model.startswith(STYLE_PREFIX) else None

    @property
    def card(self) -> StyleCard:
        """What the style was when it was trained; of a segmenter its name alone."""
        return StyleCard.from_tags(self.style or self.model, self.tags, self.digests.get(STYLE_DIGEST, ""))

    def to_json(self) -> dict[str, Any]:
        """As a JSON value."""
        return asdict(self)
