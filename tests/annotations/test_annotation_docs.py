"""The guide lists every kind of finding."""

from __future__ import annotations

from pathlib import Path

from fittingroom.annotations import KINDS


def test_every_kind_of_finding_is_in_the_guide() -> None:
    text = (Path(__file__).resolve().parents[2] / "docs" / "annotations.md").read_text(encoding="utf-8")
    for kind, (severity, meaning) in KINDS.items():
        assert f"| `{kind}` | {severity} | {meaning} |" in text
