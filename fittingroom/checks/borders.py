"""The checks of each border, out of what the stage before it counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from fittingroom.annotations.findings import KINDS
from fittingroom.catalog import SearchSource, SourceEntry, Style, UrlsSource
from fittingroom.categories import CATEGORY_NAMES
from fittingroom.checks.check import STAGES, Check
from fittingroom.checks.settings import CheckName, CheckSettings
from fittingroom.workspace import digest_value

LISTED = 3
"""Examples in a sentence."""
_NOT_WHERE = {"licence", "relative_to", "path", "images", "next_pattern", "max_pages", "limit", "recursive"}
"""What two entries for one source may say otherwise; paths are compared as places."""


def catalog_checks(styles: Sequence[Style], settings: CheckSettings) -> list[Check]:
    """Of every style of a catalog: names and sources that stand twice, and sources without a licence."""
    alike: dict[str, list[str]] = {}
    holders: dict[str, list[str]] = {}
    for style in styles:
        alike.setdefault(style.name.replace("-", ""), []).append(style.name)
        for source in style.sources:
            holders.setdefault(_place(source), []).append(style.name)
    found = []
    for style in styles:
        others = [name for name in alike[style.name.replace("-", "")] if name != style.name]
        twice = [source for source in style.sources if len(holders[_place(source)]) > 1]
        owners = dict.fromkeys(name for source in twice for name in holders[_place(source)] if name != style.name)
        where = f"also of {_some(owners)}" if owners else "of this style twice"
        unlicensed = [source for source in style.sources if not _states_licence(source)]
        nearly = f"its name differs in hyphens only from {_some(others)}" if others else "no other name is nearly its"
        repeated = f"{_many(len(twice), 'source')} {where}: {_some(map(_words, twice))}" if twice else "no source twice"
        missing = f"{_many(len(unlicensed), 'source')} without a licence: {_some(map(_words, unlicensed))}"
        found += _at_most(settings, "catalog_names", style.name, len(others), nearly)
        found += _at_most(settings, "catalog_sources", style.name, len(twice), repeated)
        found += _at_most(
            settings, "catalog_licences", style.name, len(unlicensed), missing if unlicensed else "all state a licence"
        )
    return found


def crawl_checks(
    style: str, value: Mapping[str, Any], before: Mapping[str, Any] | None, settings: CheckSettings
) -> list[Check]:
    """How much a style's sources offer, how much of it was kept, and whether more was refused than last time.

    Args:
        value: ``offered``, where that is known, and ``counts`` by status (`fittingroom.manifest.Manifest.counts`).
        before: `refused_share` of its last crawl, as ``{"share": 0.1}``; None for its first.
    """
    kept = value["counts"].get("kept", 0)
    found: list[Check] = []
    if (offered := value.get("offered")) is not None:
        found = _at_least(settings, "catalog_offered", style, offered, f"its sources offer {_many(offered, 'picture')}")
    found += _at_least(settings, "crawl_kept", style, kept, f"{_many(kept, 'picture')} kept")
    share, last = refused_share(value["counts"]), number_in(before, "share")
    rise = 0.0 if last is None else max(share - last, 0.0)
    than = "its first crawl" if last is None else f"{last:.0%} in its last crawl"
    said = f"{share:.0%} of its pictures were refused or failed ({than})"
    return found + _at_most(settings, "crawl_refused", style, round(rise, 4), said, "a rise of {:.0%}")


def refused_share(counts: Mapping[str, int]) -> float:
    """Of the pictures that were asked for and are no duplicates, those that were refused or failed."""
    lost = counts.get("refused", 0) + counts.get("failed", 0)
    return round(lost / max(lost + counts.get("kept", 0), 1), 4)


def cut_out_checks(style: str, counts: Mapping[str, int], spread: float | None, settings: CheckSettings) -> list[Check]:
    """How many of a style's pictures gave a cut-out, and whether these are of one colour.

    Args:
        counts: by ``status: reason``, of all its pictures.
        spread: `fittingroom.checks.looks.colour_spread` of them; None where the style has no colour.
    """
    kept = counts.get("kept", 0)
    lost = Counter(
        {
            name.partition(": ")[2]: count
            for name, count in counts.items()
            if name.startswith(("refused: ", "failed: ")) and not name.endswith(": dropped_by_hand")
        }
    )
    share = round(kept / max(kept + lost.total(), 1), 4)
    most = f", most others are {_spelt(lost.most_common(1)[0][0])}" if lost else ""
    said = f"{share:.0%} of its pictures gave a cut-out{most}"
    found = _at_least(settings, "cut_out_kept", style, share, said, "{:.0%}")
    if spread is not None:
        said = f"its garments' colours lie {spread:.1f} (CIEDE2000) from the most typical one's"
        found += _at_most(settings, "cut_out_colours", style, round(spread, 1), said)
    return found


def annotation_checks(
    dataset: str, rates: Mapping[str, float], before: Mapping[str, Any] | None, settings: CheckSettings
) -> list[Check]:
    """Whether more is wrong with annotations than with the last data set's.

    Args:
        rates: `finding_rates`.
        before: the same of the last data set; None for the first.
    """
    if before is None:
        return _at_most(settings, "annotation_findings", dataset, 0.0, "the first data set that is remembered")
    last = {kind: number_in(before, kind) or 0.0 for kind in rates}
    rises = {kind: round(rate - last[kind], 4) for kind, rate in rates.items() if rate > last[kind]}
    worst = sorted(rises, key=lambda kind: -rises[kind])
    over = [kind for kind in worst if rises[kind] > settings.annotation_findings] or worst[:1]
    told = _some((f"{_spelt(kind)}: {rates[kind]:.3f} a photo, {last[kind]:.3f} before" for kind in over), "; ")
    most, said = rises[worst[0]] if worst else 0.0, told or "no kind of finding is more frequent than before"
    return _at_most(settings, "annotation_findings", dataset, most, said, "{:.3g} more a photo")


def finding_rates(found: Mapping[str, int], photos: int) -> dict[str, float]:
    """Errors and warnings by kind, for each photo that was looked at."""
    counted = {kind: count for kind, count in found.items() if KINDS.get(kind, ("error",))[0] != "note"}
    return {kind: round(count / max(photos, 1), 4) for kind, count in counted.items()}


class TrainingSet(NamedTuple):
    """What was seen of a data set: how many photos to be judged on are nearly one to learn from, examples of these
    pairs, and the garments to learn from by category id."""

    leaks: int
    examples: list[list[str]]
    garments: dict[str, int]

    @classmethod
    def remembered(cls, value: Mapping[str, Any] | None) -> TrainingSet | None:
        """As an earlier run wrote it down; None where that cannot be read."""
        try:
            known = value or {}
            examples = [[str(first), str(second)] for first, second in known["examples"]]
            return cls(int(known["leaks"]), examples, {str(id_): int(n) for id_, n in known["garments"].items()})
        except (KeyError, TypeError, ValueError, AttributeError):
            return None


def training_set_checks(
    dataset: str, looked_at: TrainingSet, validation: int, asked: int, settings: CheckSettings
) -> list[Check]:
    """Whether what is judged on was learnt from, and whether one category is nearly all there is to learn.

    Args:
        validation: photos to be judged on.
        asked: categories that were asked for; of one there is nothing to balance.
    """
    leaks, garments = looked_at.leaks, looked_at.garments
    share = round(leaks / max(validation, 1), 4)
    pairs = _some(f"{first} is nearly {second}" for first, second in looked_at.examples)
    said = f"{leaks:,} of {_many(validation, 'validation photo')} learnt from" + (f": {pairs}" if pairs else "")
    found = _at_most(settings, "training_leak", dataset, share, said, "{:.0%}")
    if asked > 1 and garments:
        category, count = max(garments.items(), key=lambda each: (each[1], each[0]))
        most = round(count / sum(garments.values()), 4)
        said = f"{most:.0%} of the garments to learn from are {CATEGORY_NAMES.get(int(category), category)}"
        found += _at_most(settings, "training_balance", dataset, most, said, "{:.0%}")
    return found


def gate_check(verdict: Mapping[str, Any]) -> Check:
    """What a model's gate decided, which is not judged again. ``verdict`` is `fittingroom.registry.admission.Admission`
    as JSON."""
    passed = bool(verdict["passed"])
    said = verdict["reasons"] if passed else verdict["failures"]
    sentence = f"version {verdict['version']}: {'; '.join(said)}"
    word = "passed" if passed else "refused"
    return Check("gate", "model gate", verdict["model"], "blocking", word, "passed", passed, sentence)


def _at_least(
    settings: CheckSettings, name: CheckName, of: str, observed: float, said: str, shown: str = "{:,}"
) -> list[Check]:
    allowed = getattr(settings, name)
    return _check(settings, name, of, observed, allowed, observed >= allowed, said, f"at least {shown.format(allowed)}")


def _at_most(
    settings: CheckSettings, name: CheckName, of: str, observed: float, said: str, shown: str = "{:g}"
) -> list[Check]:
    allowed = getattr(settings, name)
    return _check(settings, name, of, observed, allowed, observed <= allowed, said, f"at most {shown.format(allowed)}")


def _check(
    settings: CheckSettings,
    name: CheckName,
    of: str,
    observed: float,
    allowed: float,
    passed: bool,
    said: str,
    limit: str,
) -> list[Check]:
    """The check; none where it is left out."""
    severity = settings.severity(name)
    if severity is None:
        return []
    sentence = said if passed else f"{said}; allowed is {limit}"
    return [Check(name, STAGES[name], of, severity, observed, allowed, passed, sentence)]


def _place(source: SourceEntry) -> str:
    """What two entries for the same source have in common."""
    entry = source.model_dump(mode="json", exclude=_NOT_WHERE)
    return digest_value(entry | {"path": str(location) if (location := getattr(source, "location", None)) else ""})


def _states_licence(source: SourceEntry) -> bool:
    each_picture = isinstance(source, SearchSource) and source.provider == "openverse"
    columns = isinstance(source, UrlsSource) and source.path.suffix.lower() != ".txt"
    return bool(source.licence) or each_picture or columns


def _words(source: SourceEntry) -> str:
    """A source as its catalog has it."""
    what = next((value for name in ("url", "query", "path") if (value := getattr(source, name, None))), "")
    return f"{source.kind} {what}".strip()


def number_in(values: Mapping[str, Any] | None, name: str) -> float | None:
    """A number out of what an earlier run saw; None where there is none."""
    value = (values or {}).get(name)
    return float(value) if isinstance(value, int | float) and 0 <= value < float("inf") else None


def _many(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"


def _spelt(reason: str) -> str:
    return reason.replace("_", " ")


def _some(words: Iterable[str], between: str = ", ") -> str:
    listed = list(words)
    more = f" and {len(listed) - LISTED:,} more" if len(listed) > LISTED else ""
    return between.join(listed[:LISTED]) + more
