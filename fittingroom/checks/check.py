"""One check: what was looked at, what was seen, what is allowed, and whether the work goes on."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

from fittingroom.checks.settings import CHECKS, Severity

Stage = Literal["catalog", "crawl", "cut-outs", "annotations", "training set", "model gate"]
"""Where a check stands: at the end of this stage."""
_PARTS: dict[str, Stage] = {
    "catalog": "catalog", "crawl": "crawl", "cut": "cut-outs", "annotation": "annotations", "training": "training set",
}  # fmt: skip
STAGES: dict[str, Stage] = {name: _PARTS[name.partition("_")[0]] for name in CHECKS}
"""Of each check that can be set."""


@dataclass(frozen=True)
class Check:
    """One check of one style, data set or model (``of``). ``sentence`` says for people what ``observed`` and
    ``allowed``, numbers or words, say for programs."""

    name: str
    stage: Stage
    of: str
    severity: Severity
    observed: float | str
    allowed: float | str
    passed: bool
    sentence: str

    @property
    def blocks(self) -> bool:
        """Whether what it is of does not go on."""
        return not self.passed and self.severity == "blocking"

    @property
    def verdict(self) -> str:
        """In a word."""
        return "passed" if self.passed else "blocked" if self.blocks else "warning"

    def row(self) -> dict[str, Any]:
        """As a row of a table."""
        return {"verdict": self.verdict, **vars(self)}


def in_order(checks: Iterable[Check]) -> list[Check]:
    """What blocks first, then what warns; otherwise as they came."""
    return sorted(checks, key=lambda check: ("blocked", "warning", "passed").index(check.verdict))


def blocked_by(checks: Iterable[Check]) -> str:
    """Why what they are of does not go on, in words; empty where it does."""
    return "; ".join(f"{check.name}: {check.sentence}" for check in checks if check.blocks)
