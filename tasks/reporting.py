"""The end of a lifecycle: contact sheet, HTML report, and what a person should know that did not go well."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypedDict

from fittingroom.workspace import Workspace
from tasks.artifacts import artifact_key, picture_rows, show_markdown
from tasks.caching import Made, Record, Sealed, Summary, step

CONTACT_SHEET = "contact-sheet.png"
REPORT = "report.html"


class Outcome(TypedDict):
    """What a flow tells who started it. With ``problems`` the command line ends with exit code 1."""

    files: dict[str, str]
    problems: list[str]
    models: dict[str, dict[str, Any]]


class Stage(TypedDict):
    """One stage as the report lists it."""

    name: str
    seconds: float
    detail: str


@step("build report", version=3, run_name="build report", beside=("stages",))
def build_report(
    workspace: str,
    title: str,
    facts: dict[str, str],
    stages: list[Stage],
    models: dict[str, Record],  # by model: what registering it gave
    trained: dict[str, Record],
    overlays: list[str],
    tried_on: dict[str, Record],
    rejected: dict[str, list[Summary]],  # by stage
) -> Made:
    """Write the contact sheet and the report into the workspace's ``reports``."""
    from fittingroom.tryon.report import (
        ModelRow,
        PictureRow,
        RejectedRow,
        ReportData,
        StageRow,
        curves_of,
        write_report,
    )
    from fittingroom.tryon.sheet import SheetRow, write_contact_sheet

    place = Workspace(Path(workspace))
    persons = _by_person(place, tried_on)
    files = []
    sheet = place.reports / CONTACT_SHEET
    shown = [row for row in persons if row.results]
    if shown:
        rows = [
            SheetRow(
                row.name,
                Path(row.photo),
                Path(row.overlay) if row.overlay else None,
                {style: Path(path) for style, path in row.results.items()},
            )
            for row in shown
        ]
        files.append(write_contact_sheet(sheet, rows))
    data = ReportData(
        title=title,
        facts=facts,
        stages=[StageRow(stage["name"], stage["seconds"], detail=stage["detail"]) for stage in stages],
        tryons=persons,
        models=[
            ModelRow(
                name=name,
                version=record["value"]["version"],
                passed=record["value"]["passed"],
                reasons=record["value"]["reasons"],
                metrics=record["value"]["metrics"],
                curves=curves_of(place.root / trained[name]["value"]["folder"] / "progress.jsonl"),
                samples=[str(path) for path in _samples(place.root / trained[name]["value"]["folder"])],
            )
            for name, record in models.items()
        ],
        masks=[PictureRow(str(place.root / path), "") for path in overlays],
        rejected=[
            RejectedRow(
                stage,
                reason,
                len(rows),
                [row["picture"] for row in rows[:5]],
                [str(place.root / row["shown"]) for row in rows[:8] if row.get("shown")],
            )
            for stage, done in rejected.items()
            for reason, rows in _by_reason(done).items()
        ],
    )
    files.append(write_report(place.reports / REPORT, data))
    pictures = [[Path(row.photo), *(Path(path) for path in row.results.values())] for row in shown]
    styles = list(shown[0].results) if shown else []
    if pictures:
        full = [row for row in pictures if len(row) == len(styles) + 1]
        show_markdown(artifact_key("lifecycle"), picture_rows(["photo", *styles], full), "Before and after")
    return Made({"files": {path.name: place.relative(path) for path in files}}, files)


def _samples(folder: Path) -> list[Path]:
    return sorted((folder / "samples").glob("*.png"))[-1:]


def _by_person(place: Workspace, tried_on: Mapping[str, Record]) -> list[Any]:
    from fittingroom.tryon.report import TryOnRow

    rows: dict[str, dict[str, Any]] = {}
    for style, record in tried_on.items():
        for entry in record["value"]["rows"]:
            row = rows.setdefault(
                entry["photo"], {"name": entry["person"], "overlay": "", "results": {}, "messages": []}
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


def stages_of(groups: Mapping[str, Iterable[Record | Summary]]) -> list[Stage]:
    """The stages of a report: seconds of the work itself, also where a run took it from the cache."""
    stages = []
    for name, records in groups.items():
        seconds = [each.seconds if isinstance(each, Summary) else each["seconds"] for each in records]
        tasks = f"{len(seconds)} tasks" if len(seconds) != 1 else ""
        stages.append(Stage(name=name, seconds=round(sum(seconds), 2), detail=tasks))
    return stages


def outcome_of(workspace: Workspace, result: object, failed: Mapping[str, str] | None = None) -> Outcome:
    """What went well and what did not, in sentences, out of the records that a flow returned, however nested."""
    if isinstance(result, dict) and set(result) == set(Outcome.__annotations__):
        return Outcome(files=result["files"], problems=result["problems"], models=result["models"])
    outcome = Outcome(files={}, problems=[f"{name}: {message}" for name, message in (failed or {}).items()], models={})
    for value in _values(result):
        if "passed" in value:
            outcome["models"][value["model"]] = dict(value)
            if not value["passed"]:
                reasons = "; ".join(value["reasons"])
                outcome["problems"].append(
                    f"{value['model']}: version {value['version']} did not pass its gate: {reasons}"
                )
        for row in value.get("rows", []):
            what = f"{row['person']} in {row['style']}"
            if row["status"] == "done":
                outcome["files"][what] = str(workspace.root / row["image"])
            else:
                outcome["problems"].append(f"{what}: {row['message']}")
        for name, path in value.get("files", {}).items():
            outcome["files"][name] = str(workspace.root / path)
    return outcome


def _values(result: object) -> Iterator[Mapping[str, Any]]:
    if isinstance(result, Sealed):
        yield from _values(result.content)
    elif isinstance(result, Summary):
        yield result.value
    elif isinstance(result, Mapping):
        if set(result) == set(Record.__annotations__):
            yield result["value"]
        else:
            for part in result.values():
                yield from _values(part)
    elif isinstance(result, list | tuple):
        for part in result:
            yield from _values(part)
