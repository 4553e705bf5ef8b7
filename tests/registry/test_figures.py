"""Figures in plain words: everything that a gate looks at has a name a person understands."""

from __future__ import annotations

from fittingroom.registry.figures import WORDS
from fittingroom.registry.gates import segmenter_floors, segmenter_rules, style_floors, style_rules


def test_every_figure_of_a_gate_has_plain_words() -> None:
    judged = {rule.metric for rule in (*style_rules(style_floors("demo")), *segmenter_rules(segmenter_floors("demo")))}
    assert "ciede2000_median" in judged
    assert judged <= WORDS.keys()
    assert all("_" not in WORDS[metric][0] for metric in judged)
