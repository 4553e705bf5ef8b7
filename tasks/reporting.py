"""The end of a lifecycle or a retraining: contact sheet, HTML report, and what did not go well, in sentences."""

from __future__ import annotations

import json
import shlex
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypedDict, cast

from pydantic import BaseModel

from fittingroom.workspace import Workspace
from tasks.artifacts import artifact_key, picture_rows, show_markdown
from tasks.caching import CachedResult, StepResult, Summary, Unvisited, step
from tasks.clock import Clock
from tasks.fingerprints import pictures_of

CONTACT_SHEET = "contact-sheet.png"
REPORT = "report.html"


class Outcome(TypedDict):
    """What a flow tells who started it. With ``problems`` the command line ends with exit code 1."""

    files: dict[str, str]
    problems: list[str]
    failures: list[str]
    """Those of the problems that make a run Failed: a photo that shows no garment does not."""
    remarks: list[str]
    """What a person should know of it though nothing failed: what was asked for and is not there."""
    models: dict[str, dict[str, Any]]


class Stage(TypedDict):
    """One stage as the report lists it."""

    name: str
    seconds: float
    detail: str


class PictureSet(TypedDict):
    """A set of pictures as the report lists it."""

    name: str
    use: str
    pictures: int
    digest: str
    detail: str


SHEET_CAPTION = (
    "In turn: a row of held-out garments before, and below it the same after; last, pictures of the style itself."
)
SEGMENTER_CAPTION = "Validation photos with the garments found on them while it learned."
MASK_CAPTION = "annotated (left) | found (right)"


# `about`: date, command and times are of the run that wrote the report; a run that changes nothing leaves it as it is.
@step("build report", version=6, run_name="build report", ignore=("about", "stages"))
def build_report(
    workspace: str,
    folder: str,  # within the workspace's reports; empty for these themselves
    title: str,
    facts: dict[str, str],
    about: dict[str, str],  # date and command
    stages: list[Stage],
    data: list[PictureSet],
    preset: str,
    models: dict[str, CachedResult],  # by model: what registering it gave
    pending: list[str],
    problems: list[str],
    subtitle: str = "",
    overlays: list[str] = [],  # noqa: B006  never changed
    tried_on: dict[str, list[dict[str, Any]]] = {},  # noqa: B006  by style, `tasks.trying_on.rows_of`
    rejected: dict[str, list[Summary]] = {},  # noqa: B006  by stage
    checks: list[dict[str, Any]] = [],  # noqa: B006  `fittingroom.checks.check.Check` as rows
) -> StepResult:
    """Write the report, and a contact sheet where photos were tried on, into the workspace's ``reports``."""
    from fittingroom.checks.check import Check
    from fittingroom.images import write_picture
    from fittingroom.tryon.provenance import MadeBy, write_mark
    from fittingroom.tryon.report import DataRow, PictureRow, ReportData, StageRow, persons_sheet, write_report

    place = Workspace(Path(workspace))
    target = place.reports / folder if folder else place.reports
    persons = _by_person(place, tried_on)
    files = []
    shown = [row for row in persons if row.results]
    if shown:
        files.append(target / CONTACT_SHEET)
        made_by = MadeBy(", ".join(dict.fromkeys(style for row in shown for style in row.results)))
        write_picture(files[0], persons_sheet(shown), write_mark(made_by))
    report = ReportData(
        title=title,
        subtitle=subtitle,
        facts={"date": about["date"], **facts},
        command=about["command"],
        problems=problems,
        pending=pending,
        data=[DataRow(**row) for row in data],
        stages=[StageRow(stage["name"], stage["seconds"], detail=stage["detail"]) for stage in stages],
        tryons=persons,
        models=[_model_row(place, name, record["value"], preset) for name, record in models.items()],
        masks=[PictureRow(str(place.root / path), MASK_CAPTION) for path in overlays],
        rejected=rejected_rows(place, rejected),
        checks=[Check(**row) for row in checks],
    )
    files.append(write_report(target / REPORT, report))
    pictures = [[Path(row.photo), *(Path(path) for path in row.results.values())] for row in shown]
    styles = list(shown[0].results) if shown else []
    if pictures:
        full = [row for row in pictures if len(row) == len(styles) + 1]
        show_markdown(artifact_key("lifecycle"), picture_rows(["photo", *styles], full), "Before and after")
    return StepResult({"files": {path.name: place.relative(path) for path in files}}, files)


def _model_row(place: Workspace, name: str, value: dict[str, Any], preset: str) -> Any:
    from fittingroom.registry.figures import explain
    from fittingroom.registry.registry import SEGMENTER
    from fittingroom.tryon.report import FigureRow, ModelRow, curves_of

    folder = place.training(name)
    return ModelRow(
        name=name,
        version=value["version"],
        passed=value["passed"],
        reasons=value["reasons"],
        figures=[FigureRow(f.name, f.value, f.good(), f.held) for f in explain(name, value["metrics"], preset)],
        curves=curves_of(folder / "progress.jsonl"),
        samples=[str(path) for path in _samples(folder)],
        caption=SEGMENTER_CAPTION if name == SEGMENTER else SHEET_CAPTION,
    )


def rejected_rows(place: Workspace, rejected: Mapping[str, list[Summary]]) -> list[Any]:
    """A row for each stage and reason: how many in all, and examples of them."""
    from fittingroom.crawl.candidates import REASONS
    from fittingroom.tryon.report import RejectedRow

    return [
        RejectedRow(
            stage,
            f"{reason.replace('_', ' ')}: {REASONS[reason]}" if reason in REASONS else reason.replace("_", " "),
            _count(done, rows[0]["status"], reason),
            [row["picture"] for row in rows[:5]],
            [str(place.root / row["shown"]) for row in rows[:8] if row.get("shown")],
        )
        for stage, done in rejected.items()
        for reason, rows in _by_reason(done).items()
    ]


def _count(done: Iterable[Summary], status: str, reason: str) -> int:
    """How many pictures ended so; without a reason of its own a status counts for itself."""
    name = status if reason == status else f"{status}: {reason}"
    return sum(summary.value["counts"].get(name, 0) for summary in done)


def _samples(folder: Path) -> list[Path]:
    """The last sheet of a style's training, or a segmenter's."""
    return sorted((folder / "samples").glob("*.png"))[-1:] or list(folder.glob("samples.png"))


def _by_person(place: Workspace, tried_on: Mapping[str, list[dict[str, Any]]]) -> list[Any]:
    from fittingroom.tryon.report import TryOnRow

    rows: dict[str, dict[str, Any]] = {}
    for style, entries in tried_on.items():
        for entry in entries:
            row = rows.setdefault(
                entry["photo"], {"name": Path(entry["photo"]).name, "overlay": "", "results": {}, "messages": []}
            )
            if entry["status"] == "done":
                row["overlay"] = row["overlay"] or str(place.root / entry["overlay"])
                row["results"][style] = str(place.root / entry["image"])
            said = [entry["message"], *([f"warning: {entry['warning']}"] if "warning" in entry else [])]
            row["messages"] += [words for words in said if words not in row["messages"]]
    return [
        TryOnRow(row["name"], str(place.root / photo), row["overlay"], row["results"], "; ".join(row["messages"]))
        for photo, row in rows.items()
    ]


def _by_reason(done: Iterable[Summary]) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = {}
    for summary in done:
        for row in summary.value.get("rejected", []):
            found.setdefault(row["reason"], []).append(row)
    return dict(sorted(found.items(), key=lambda entry: -len(entry[1])))


Work = Mapping[str, Iterable["CachedResult | Summary"]]
"""The work of a stage by what it was: records of its tasks."""


def stages_of(clock: Clock, work: Mapping[str, Work]) -> list[Stage]:
    """The stages of a report by the wall clock, which add up to the whole, each with the work that went on in it."""
    found = [Stage(name=name, seconds=s, detail=_in_words(work.get(name, {}), s)) for name, s in clock.stages]
    rest = clock.elapsed() - sum(stage["seconds"] for stage in found)
    return [*found, Stage(name="waiting and orchestration", seconds=max(rest, 0.0), detail="")]


def _in_words(work: Work, wall: float) -> str:
    from fittingroom.tryon.report import duration

    parts, total = [], 0.0
    for name, records in work.items():
        seconds = [each.seconds if isinstance(each, Summary) else each["seconds"] for each in records]
        if not seconds:
            continue
        total += sum(seconds)
        parts.append(f"{name} {duration(sum(seconds))}" + (f" in {len(seconds)} tasks" if len(seconds) > 1 else ""))
    more = "; more than the stage took: at once, or done in an earlier run" if total > 1.1 * wall + 0.5 else ""
    return ", ".join(parts) + more


def command_of(flow: str, parameters: BaseModel) -> str:
    """The command that starts a flow like this one: parameters that have another value than their default."""
    words = ["fittingroom", "run", flow]
    for name, value in parameters.model_dump(mode="json").items():
        default = type(parameters).model_fields[name].get_default(call_default_factory=True)
        if value != default and value != (str(default) if isinstance(default, Path) else default):
            words += ["--param", f"{name}={value if isinstance(value, str) else json.dumps(value)}"]
    return shlex.join(words)


def prepared_set(workspace: Workspace, name: str, use: str, came_of: str = "") -> PictureSet:
    """A folder of prepared pictures, as a training sees it; ``came_of`` says what they were chosen from."""
    from tasks.pictures import prepared_pictures

    content = prepared_pictures(workspace, name)
    names = [picture for picture in pictures_of(workspace.prepared(name)) if not picture.endswith("_flip.png")]
    twins = " and their mirrored twins" if len(names) < len(pictures_of(workspace.prepared(name))) else ""
    detail = f"prepared garments{twins}" + (f"; of {came_of}" if came_of else "")
    return PictureSet(name=name, use=use, pictures=len(names), digest=content.digest, detail=detail)


def counted_together(done: Iterable[Summary]) -> str:
    """What the shards of a stage count, in words."""
    return counts_in_words(sum((Counter(summary.value["counts"]) for summary in done), Counter()))


def counted(value: Mapping[str, Any]) -> str:
    """What a step's value counts, in words: ``3,000 offered: 1,000 kept, 2,000 skipped (2,000 limit)``."""
    words = counts_in_words(value["counts"])
    return f"{value['offered']:,} offered: {words}" if "offered" in value else words


def counts_in_words(counts: Mapping[str, int]) -> str:
    """``21 kept, 3 refused (2 too_small, 1 blurred)``: counts of reasons (``refused: blurred``) are a status' own."""
    parts = []
    for status in dict.fromkeys(name.partition(": ")[0] for name in counts):
        reasons = {name.partition(": ")[2]: n for name, n in counts.items() if name.startswith(f"{status}: ")}
        listed = ", ".join(f"{count:,} {reason}" for reason, count in reasons.items() if reason != status)
        total = counts.get(status, sum(reasons.values()))
        parts.append(f"{total:,} {status}" + (f" ({listed})" if listed else ""))
    return ", ".join(parts)


def outcome_of(workspace: Workspace, result: object, failed: Mapping[str, str] | None = None) -> Outcome:
    """What went well and what did not, in sentences, out of the records that a flow returned, however nested."""
    if isinstance(result, dict) and set(result) == set(Outcome.__annotations__):
        return cast("Outcome", result)
    failures = [f"{name}: {message}" for name, message in (failed or {}).items()]
    outcome = Outcome(files={}, problems=[*failures], failures=failures, remarks=[], models={})
    for _, value in named_values(result):
        if "passed" in value:
            outcome["models"][value["model"]] = dict(value)
            if not value["passed"]:
                reasons = "; ".join(value["failures"])
                failure = f"{value['model']}: version {value['version']} did not pass its gate: {reasons}"
                outcome["problems"].append(failure)
                outcome["failures"].append(failure)
        for row in value.get("rows", []):
            what = f"{row['person']} in {row['style']}"
            if row["status"] == "done":
                outcome["files"][what] = str(workspace.root / row["image"])
            else:
                outcome["problems"].append(f"{what}: {row['message']}")
        outcome["remarks"] += value.get("warnings", [])
        for name, path in value.get("files", {}).items():
            outcome["files"][name] = str(workspace.root / path)
    return outcome


def named_values(result: object, path: tuple[str, ...] = ()) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The values of the records that a flow returned, however nested, each with what it belongs to."""
    if isinstance(result, Unvisited):
        yield from named_values(result.content, path)
    elif isinstance(result, Summary):
        yield " ".join(path) or "pictures", result.value
    elif isinstance(result, tuple) and hasattr(result, "_asdict"):
        for name, part in result._asdict().items():
            yield from named_values(part, (*path, name))
    elif isinstance(result, Mapping) and set(result) == set(CachedResult.__annotations__):
        yield " ".join(path) or str(result["value"].get("name", "pictures")), result["value"]
    elif isinstance(result, Mapping) and set(result) == set(Outcome.__annotations__):
        return  # its figures are told as verdicts, and what it counts by the flows in it
    elif isinstance(result, Mapping) and result and all(type(part) is int for part in result.values()):
        yield " ".join(path) or "counted", {"counts": result}
    elif isinstance(result, Mapping):
        for name, part in result.items():
            yield from named_values(part, (*path, str(name)))
    elif isinstance(result, list | tuple):
        for part in result:
            yield from named_values(part, path)
