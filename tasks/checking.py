"""The checks of one run: each stage's end is looked at, what falls short is said, and who does not go on is known."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from fittingroom.checks.borders import (
    LISTED,
    TrainingSet,
    annotation_checks,
    catalog_checks,
    crawl_checks,
    cut_out_checks,
    finding_rates,
    gate_check,
    number_in,
    refused_share,
    training_set_checks,
)
from fittingroom.checks.check import Check, blocked_by, in_order
from fittingroom.checks.observations import Observations
from fittingroom.checks.settings import CheckSettings
from fittingroom.registry.registry import SEGMENTER, style_model
from fittingroom.workspace import Workspace, digest_value
from tasks.annotating import images_folder, selection_of
from tasks.artifacts import artifact_key, show_table
from tasks.caching import CachedResult, Content, Summary
from tasks.crawling import chosen_styles
from tasks.pictures import PreparedStyle, wanted_look
from tasks.summing_up import MOST_LINES
from tasks.telling import run_logger

_BLOCKED = "blocked"
"""What is remembered of a style that was, next to what checks saw."""


class Checking:
    """The checks of one run over some styles of a catalog, and a data set.

    Attributes:
        found: all that was looked at, in turn.
        blocked: by style, why it does not go on.
        unfit: by data set, why it is not learnt from.
    """

    def __init__(self, workspace: Workspace, catalog: Path, names: Iterable[str], settings: CheckSettings) -> None:
        self.place, self.settings, self.names = workspace, settings, list(names)
        self.found: list[Check] = []
        self.blocked: dict[str, str] = {}
        self.unfit: dict[str, str] = {}
        self._said = 0
        self._seen = Observations(workspace.checks)
        last = {name: self._seen.of(_BLOCKED, name, "") for name in self.names}
        self._last = {name: f"; blocked last time by {row.get('why')}" for name, row in last.items() if row}
        found: dict[str, list[Check]] = {}
        for check in catalog_checks(chosen_styles(catalog, []), settings):
            found.setdefault(check.of, []).append(check)
        for name in self.names:
            self._settle(name, found.get(name, []))
        self._seen.save()

    def reminded(self, why: Mapping[str, str]) -> dict[str, str]:
        """Why styles are pending, and why the last run that looked at them did not train them."""
        return {name: words + self._last.get(name, "") for name, words in why.items()}

    def going_on(self) -> list[str]:
        """Names of the styles that nothing blocks."""
        return [name for name in self.names if name not in self.blocked]

    def crawled(self, names: Iterable[str], crawled: Mapping[str, Summary]) -> None:
        """Look at what the crawls of some styles gave; one that is not there gave nothing."""
        for name in names:
            value = crawled[name].value if name in crawled else {"counts": {}}
            content = digest_value({part: value.get(part) for part in ("offered", "counts")})
            before = self._seen.before("crawl_refused", name, content)
            self._settle(name, crawl_checks(name, value, before, self.settings))
            if name not in crawled:
                self.blocked.setdefault(name, "crawl: its sources gave no picture that could be kept")
            if name not in self.blocked:
                self._seen.put("crawl_refused", name, content, {"share": refused_share(value["counts"])})
        self._seen.save()

    def cut_out(self, names: Iterable[str], prepared: Mapping[str, PreparedStyle]) -> None:
        """Look at the cut-outs and the training pictures of some styles; one that is not there has none."""
        for name in names:
            done = prepared.get(name) or PreparedStyle([], [])
            counts = sum((Counter(summary.value["counts"]) for summary in done.cut), Counter[str]())
            self._settle(name, cut_out_checks(name, counts, self._spread_of(name, done), self.settings))
            if name not in prepared:
                self.blocked.setdefault(name, "cut-outs: none of its pictures gave one")
            if name not in self.blocked:
                self._seen.forget(_BLOCKED, name)
        self._seen.save()

    def converted(self, converted: CachedResult, dataset: Content) -> None:
        """Look at what was found while a data set was converted, and at what is to be learnt from it."""
        name, chosen = str(converted["value"]["name"]), selection_of(dataset)
        photos = int(chosen["matching"]) + sum(converted["value"]["left_out"].values())
        rates = finding_rates(converted["value"]["found"], photos)
        content = digest_value(rates)
        before = self._seen.before("annotation_findings", name, content)
        found = annotation_checks(name, rates, before, self.settings)
        if not blocked_by(found):
            self._seen.put("annotation_findings", name, content, rates)
        asked = len(chosen["settings"]["categories"])
        looked_at = self._training_set(name, dataset, chosen)
        found += training_set_checks(name, looked_at, len(chosen["validation"]), asked, self.settings)
        if why := self._say(found):
            self.unfit[name] = why
        self._seen.save()

    def judged(self, registered: Iterable[CachedResult]) -> None:
        """Put what the gates decided next to the rest; a version that does not pass is registered all the same."""
        self.found += [gate_check(record["value"]) for record in registered]

    def left_out(self, dataset: str) -> dict[str, str]:
        """By model, why it is not trained: its style is blocked, or the data set that all were to learn from."""
        why: dict[str, str] = {}
        if dataset in self.unfit:
            words = f"data set {dataset} is blocked by {self.unfit[dataset]}"
            why = dict.fromkeys((SEGMENTER, *map(style_model, self.names)), words)
        return why | {style_model(name): f"blocked by {words}" for name, words in self.blocked.items()}

    def rows(self) -> list[dict[str, Any]]:
        """All checks as rows, what falls short first."""
        return [vars(check) for check in in_order(self.found)]

    def show(self, flow: str) -> None:
        """The table of this run."""
        rows = [check.row() for check in in_order(self.found)]
        short = Counter(row["verdict"] for row in rows)
        words = ", ".join(f"{short[verdict]} {word}" for verdict, word in _WORDS.items())
        show_table(artifact_key("checks", flow), rows, f"Checks between the stages: {words}")

    def _settle(self, name: str, found: Sequence[Check]) -> None:
        """Keep what was found of a style, and remember why it is blocked where it is."""
        if why := self._say(found):
            self.blocked[name] = why
            self._seen.put(_BLOCKED, name, "", {"why": why})

    def _say(self, found: Sequence[Check]) -> str:
        """Keep what was found, with a line in the log for what falls short; why it blocks, empty where it does not."""
        self.found += found
        for check in found:
            self._said += not check.passed
            if not check.passed and self._said <= MOST_LINES:
                run_logger().warning("%s: %s (%s): %s", check.of, check.name, check.severity, check.sentence)
        return blocked_by(found)

    def _spread_of(self, name: str, done: PreparedStyle) -> float | None:
        """How far the colours of a style's pictures lie apart; None where nobody asks."""
        from fittingroom.checks.looks import colour_spread

        check = "cut_out_colours"
        if self.settings.severity(check) is None or not done.prepared or not wanted_look(self.place, name)[0]:
            return None
        content = digest_value([summary.digest for summary in done.prepared])
        spread = number_in(self._seen.of(check, name, content), "spread")
        if spread is None:
            spread = round(colour_spread(list(self.place.prepared(name).glob("*.png"))), 2)
            self._seen.put(check, name, content, {"spread": spread})
        return spread

    def _training_set(self, name: str, dataset: Content, chosen: Mapping[str, Any]) -> TrainingSet:
        from fittingroom.checks.looks import near_duplicates

        check = "training_leak"
        known = TrainingSet.remembered(self._seen.of(check, name, dataset.digest))
        if known is not None:
            return known
        photos, wanted = images_folder(dataset), self.settings.severity(check) is not None
        validation, train = ([photos / each for each in chosen[side]] for side in ("validation", "train"))
        near = near_duplicates(validation, train) if wanted else {}
        document = json.loads((Path(dataset.path) / "train.json").read_bytes())
        found = TrainingSet(
            len(near),
            [[first.name, second.name] for first, second in sorted(near.items())[:LISTED]],
            dict(Counter(str(each["category_id"]) for each in document["annotations"])),
        )
        if wanted:
            self._seen.put(check, name, dataset.digest, found._asdict())
        return found


_WORDS = {"blocked": "blocked", "warning": "warned of", "passed": "passed"}
