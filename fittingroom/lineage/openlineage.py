"""A trace in OpenLineage's terms: jobs, runs and datasets, as events that its consumers take one by one.

Spec: https://openlineage.io/docs/spec/object-model and https://openlineage.io/spec/2-0-2/OpenLineage.json. A training
is a run (``RunEvent``); a crawl, a cut-out, a preparation and a try-on, of whose runs nothing is kept, are known as
jobs (``JobEvent``); a starter is a dataset (``DatasetEvent``). Facets of our own begin with ``fittingroom_``, as the
spec asks.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from fittingroom import __version__
from fittingroom.lineage.learnt import USES
from fittingroom.lineage.pictures import PEOPLE, Picture
from fittingroom.lineage.trace import ModelTrace, Trace
from fittingroom.lineage.uses import stamp
from fittingroom.redaction import redacted
from fittingroom.registry.mlflow_store import flat
from fittingroom.workspace import Workspace

PRODUCER = f"urn:fittingroom:{__version__}"
SPEC = "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs"
_FACETS = "https://openlineage.io/spec/facets"
_OWN = "urn:fittingroom:lineage:1#"
_STANDARD = {
    "version": "1-0-1/DatasetVersionDatasetFacet",
    "datasetType": "1-0-0/DatasetTypeDatasetFacet",
    "documentation": "1-0-1/DocumentationDatasetFacet",
    "jobType": "2-0-3/JobTypeJobFacet",
    "processing_engine": "1-1-1/ProcessingEngineRunFacet",
    "jobRunParameters": "1-0-0/JobRunParametersFacet",
}
"""Facets of the spec by their names: version and definition."""
JOBS = "fittingroom"
"""The namespace of all jobs."""
Json = dict[str, Any]


def document(trace: Trace, workspace: Workspace, registry_uri: str) -> Json:
    """``{"asked", "producer", "events"}``, the events in the order in which things came about."""
    telling = _Telling(workspace, redacted(registry_uri), datetime.now(UTC).isoformat(timespec="seconds"))
    for model in trace.models:
        telling.model(model)
    if trace.mark is not None:
        made_by = [telling.model_dataset(model) for model in trace.models]
        facets = {"datasetType": {"datasetType": "FILE"}, "fittingroom_mark": {"tool": trace.mark.tool,
                  "style": trace.mark.style, "models": trace.mark.models}}  # fmt: skip
        result = _dataset("fittingroom:results", f"sha256:{trace.picture_sha256}", facets)
        telling.job("try-on", made_by, [result])
    return {"asked": trace.asked, "producer": PRODUCER, "lost": list(trace.lost), "events": telling.events}


class _Telling:
    """Events so far; a job that several models stand on is told once, with the pictures of all."""

    def __init__(self, workspace: Workspace, registry: str, now: str) -> None:
        self.workspace, self.registry, self.now = workspace, registry, now
        self.events: list[Json] = []

    def model(self, model: ModelTrace) -> None:
        """One model: how its pictures came about, its training, and itself."""
        version = model.version
        if version is None:
            self.events.append(self._event("DatasetEvent", dataset=self.model_dataset(model)))
            return
        by_folder: dict[str, list[Picture]] = {}
        for learnt in model.pictures or ():
            by_folder.setdefault(learnt.picture.folder, []).append(learnt.picture)
        for folder, pictures in by_folder.items():
            self._made(folder, list({picture.original: picture for picture in pictures}.values()))
        settings = [{"key": key, "value": value} for key, value in sorted(flat(version.recipe).items())]
        code = version.tags.get("code", "")
        facets: Json = {
            "jobRunParameters": {"parameters": settings},
            "processing_engine": {"name": "fittingroom", "version": code or "unknown"},
            "fittingroom_registration": {"mlflowRunId": version.run_id, "contentDigest": version.content_digest},
        }
        self.events.append(
            self._event(
                "RunEvent",
                at=stamp(version.created_at),
                eventType="COMPLETE",
                run={"runId": _run_id(version.tags.get("training_run") or version.run_id), "facets": _signed(facets)},
                job=_job(f"train.{model.model}", "TASK"),
                inputs=[self._learnt(model, folder) for folder in by_folder],
                outputs=[self.model_dataset(model)],
            )
        )

    def model_dataset(self, model: ModelTrace) -> Json:
        """A model version, by the digest of its weights."""
        version = model.version
        facets: Json = {
            "datasetType": {"datasetType": "MODEL"},
            "version": {"datasetVersion": str(version.version) if version else "starter"},
            "fittingroom_weights": {"sha256": model.weights_sha256, "serves": model.serves,
                                    "startedFrom": model.started_from},
        }  # fmt: skip
        if model.starter:
            facets["documentation"] = {
                "description": f"A starter model, shipped with the package. {model.card}".strip()
            }
        if model.not_noted:
            facets["fittingroom_not_noted"] = {"why": model.not_noted}
        if model.entry is not None:
            facets["fittingroom_catalog"] = {"entry": model.entry.model_dump(mode="json")}
        return _dataset(self.registry if version else "fittingroom:starters", model.model, facets)

    def _made(self, folder: str, pictures: list[Picture]) -> None:
        """How the pictures of one prepared folder came about."""
        prepared = self._folder("prepared", folder)
        if folder == PEOPLE or not folder or any(picture.photo for picture in pictures):
            photos = sorted({picture.photo for picture in pictures if picture.photo})
            if photos:
                source = _dataset(
                    "fittingroom:annotated-photos", folder or "photos", {"fittingroom_pictures": {"sha256": photos}}
                )
                self.job("cut-worn-garments" if folder else "select-photos", [source], [prepared])
            return
        cut = self._folder("cutouts", folder, {picture.cutout.sha256 for picture in pictures if picture.cutout})
        came = {picture.cutout.source_sha256 for picture in pictures if picture.cutout}
        crawled = self._folder("crawl", folder, came)
        addresses = {one.address: one for picture in pictures for one in picture.addresses if one.style == folder}
        inputs = [_address(one.to_json()) for one in addresses.values()]
        self.job(f"crawl.{folder}", inputs, [crawled])
        self.job(f"cut-out.{folder}", [crawled], [cut])
        self.job(f"prepare.{folder}", [cut], [prepared])

    def _folder(self, stage: str, folder: str, digests: Iterable[str] = ()) -> Json:
        named = str(self.workspace.root / stage / folder) if folder else "unknown"
        listed = sorted(digests)
        return _dataset("file", named, {"fittingroom_pictures": {"sha256": listed}} if listed else {})

    def _learnt(self, model: ModelTrace, folder: str) -> Json:
        """A prepared folder as one training's input: which of its pictures it learnt from, and which it held out."""
        uses: Json = {use: [] for use in USES}
        for each in model.pictures or ():
            if each.picture.folder == folder:
                picture = {"name": each.picture.name, "sha256": each.picture.sha256, "domain": each.domain}
                uses[each.use].append(picture)
        told = {"learntFrom": uses["learnt_from"], "heldOut": uses["held_out"]}
        return self._folder("prepared", folder) | {"inputFacets": _signed({"fittingroom_learnt": told})}

    def job(self, name: str, inputs: list[Json], outputs: list[Json]) -> None:
        """A job, unless the same was told before."""
        event = self._event("JobEvent", job=_job(name, "TASK"), inputs=inputs, outputs=outputs)
        if event not in self.events:
            self.events.append(event)

    def _event(self, kind: str, at: str = "", **parts: Any) -> Json:
        return {"eventTime": at or self.now, "producer": PRODUCER, "schemaURL": f"{SPEC}/{kind}", **parts}


def _job(name: str, kind: str) -> Json:
    facets = {"jobType": {"processingType": "BATCH", "integration": "FITTINGROOM", "jobType": kind}}
    return {"namespace": JOBS, "name": name, "facets": _signed(facets)}


def _dataset(namespace: str, name: str, facets: Mapping[str, Json]) -> Json:
    return {"namespace": namespace, "name": name, "facets": _signed(facets)}


def _address(crawled: Json) -> Json:
    """A picture where it was found: a host and a path, or a file of this machine."""
    address = crawled["address"]
    parts = urlsplit(address)
    web = parts.scheme in ("http", "https")
    namespace = f"{parts.scheme}://{parts.netloc}" if web else "file"
    name = address.removeprefix(namespace) if web else address
    told = {"page": "page", "licence": "licence", "fetched_at": "fetchedAt", "status": "status", "sha256": "sha256",
            "source_sha256": "sourceSha256"}  # fmt: skip
    fetched = {own: crawled[field] for field, own in told.items()}
    return _dataset(namespace, redacted(name), {"fittingroom_fetch": fetched})


def _signed(facets: Mapping[str, Json]) -> Json:
    """Facets with what each has to say of itself."""
    signed: Json = {}
    for name, facet in facets.items():
        version = _STANDARD.get(name)
        kind = version.partition("/")[2] if version else ""
        schema = f"{_FACETS}/{version}.json#/$defs/{kind}" if version else f"{_OWN}/{name}"
        signed[name] = {"_producer": PRODUCER, "_schemaURL": schema, **facet}
    return signed


def _run_id(mlflow: str) -> str:
    """MLflow's id of a run, which is a UUID without its hyphens."""
    try:
        return str(uuid.UUID(hex=mlflow))
    except ValueError:
        return str(uuid.uuid5(uuid.NAMESPACE_URL, f"urn:fittingroom:run:{mlflow}"))
