"""What a run says of itself: lines in its log, an artifact of the flow run's own, and the one line of its failure."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from fittingroom.errors import FittingroomError
from fittingroom.workspace import Workspace
from tasks.artifacts import artifact_key, markdown_table, show_markdown
from tasks.reporting import Outcome, counted, named_values, outcome_of
from tasks.telling import run_logger, say

MOST_LINES = 40
"""Lines of a list in a log or an artifact; a manifest has them all."""
MOST_IN_A_MESSAGE = 3


def sum_up(workspace: Workspace, flow: str, result: object, seconds: float) -> str:
    """Say what a run did, in its log and as its artifact; why it falls short in one line, empty where it does not."""
    outcome = outcome_of(workspace, result)
    counts = dict(_counts_of(result))
    for name, words in [*counts.items(), *_verdicts(outcome)]:
        say("%s: %s", name, words)
    made = _made(result, outcome)
    for title, words, path in made[:MOST_LINES]:
        say("%s: %s", title, f"{words}: {path}" if words else path)
    for problem in [*outcome["remarks"], *outcome["problems"][:MOST_LINES]]:
        run_logger().warning("%s", problem)
    for kind in ("files", "problems"):
        if (left := len(outcome[kind]) - MOST_LINES) > 0:
            say("%d more %s", left, kind)
    failure = shortfall(outcome)
    head = f"**{flow}** {'fell short' if failure else 'done'} in {seconds:.1f} s, workspace `{workspace.root}`"
    _show(flow, [head, *_sections(counts, made, outcome)])
    return failure


def shortfall(outcome: Outcome) -> str:
    """Why a run does not count as done, in one line: what failed, or that no photo at all could be tried on."""
    failures = outcome["failures"]
    if not failures and not outcome["files"]:
        failures = outcome["problems"]
    more = f"; and {len(failures) - MOST_IN_A_MESSAGE} more" if len(failures) > MOST_IN_A_MESSAGE else ""
    return "; ".join(failures[:MOST_IN_A_MESSAGE]) + more


def show_failure(flow: str, error: FittingroomError) -> None:
    """The one line of an error that was raised on purpose."""
    run_logger().error("%s", error)
    _show(flow, [f"**{flow}** failed", str(error)])


def show_end(flow: str, message: str) -> None:
    """A run that ended before it did anything, and why."""
    _show(flow, [f"**{flow}** ended", message])


def _show(flow: str, paragraphs: list[str]) -> None:
    show_markdown(artifact_key("run", flow), "\n\n".join(paragraphs), f"What this run of {flow} did")


def _verdicts(outcome: Outcome) -> Iterator[tuple[str, str]]:
    for model, value in outcome["models"].items():
        yield model, verdict_of(value)


def verdict_of(value: Mapping[str, Any]) -> str:
    """A gate's decision with its figures, out of what registering a version gave."""
    word = "serves" if value.get("champion") else "passed its gate" if value["passed"] else "did not pass its gate"
    figures = ", ".join(f"{name} {figure:.4g}" for name, figure in value["metrics"].items())
    return f"version {value['version']} {word}" + (f" ({figures})" if figures else "")


def _made(result: object, outcome: Outcome) -> list[tuple[str, str, str]]:
    """What was made, what a person should know of it, and its file."""
    rows = (row for _, value in named_values(result) for row in value.get("rows", []))
    words = {f"{row['person']} in {row['style']}": _told(row) for row in rows}
    return [(name, words.get(name, ""), path) for name, path in outcome["files"].items()]


def _told(row: Mapping[str, Any]) -> str:
    score = f" (score {row['score']:.2f})" if "score" in row else ""
    return str(row["message"]) + score + (f"; warning: {row['warning']}" if "warning" in row else "")


def _sections(counts: Mapping[str, str], made: list[tuple[str, str, str]], outcome: Outcome) -> Iterator[str]:
    if counts:
        yield _table(("what", "how many"), counts.items())
    if outcome["models"]:
        yield _table(("model", "verdict"), _verdicts(outcome))
    if made:
        yield _table(("made", "how", "file"), ((name, words, f"`{path}`") for name, words, path in made))
    if outcome["remarks"]:
        yield "\n".join(("To know:", "", *(f"- {remark}" for remark in outcome["remarks"])))
    if outcome["problems"]:
        listed = [f"- {problem}" for problem in outcome["problems"][:MOST_LINES]]
        yield "\n".join(("What fell short:", "", *listed))


def _table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    listed = list(rows)
    left = len(listed) - MOST_LINES
    more = [[f"{left} more", *[""] * (len(headings) - 1)]] if left > 0 else []
    return markdown_table(headings, [*listed[:MOST_LINES], *more])


def _counts_of(result: object) -> Iterator[tuple[str, str]]:
    """Name -> how many of what, added up over the shards of a stage."""
    found: dict[str, Counter[str]] = defaultdict(Counter)
    offered = Counter[str]()
    for name, value in named_values(result):
        found[name].update(value.get("counts") or Counter(str(row["status"]) for row in value.get("rows", [])))
        if "offered" in value:
            offered[name] += value["offered"]
    for name, counts in found.items():
        if counts:
            yield name, counted({"counts": counts} | ({"offered": offered[name]} if name in offered else {}))
