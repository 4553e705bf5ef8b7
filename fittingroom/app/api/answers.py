"""What the API answers, as models: the documents that go out and their schemas are made of the same classes."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Literal, Self
from urllib.parse import quote

from pydantic import BaseModel, ConfigDict, Field

from fittingroom.app.api.jobs import Job
from fittingroom.app.codes import CODES, Problem, code_of
from fittingroom.app.room import Answer
from fittingroom.app.words import Language
from fittingroom.appearance.choose import AvailableStyle
from fittingroom.errors import ImageRejected

Step = Literal["looking", "next", "choosing", "finding", "painting"]
"""Of a try-on (`fittingroom.app.room.Say`)."""


class Document(BaseModel):
    """A document of the API."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Style(Document):
    """A style that serves."""

    name: str
    category: str = Field(description="What its garments are, a DeepFashion2 category; may be empty.")
    colour: str
    pattern: str
    takes_dyes: bool = Field(description="Whether `colour` of a try-on may be any.")
    starter: bool = Field(description="Whether it came with Fittingroom.")
    version: int | None = Field(description="Which version serves; null for a starter.")
    sample_url: str = Field(description="A garment in it (PNG): an address that changes with the version.")

    @classmethod
    def of(cls, style: AvailableStyle, version: int | None) -> Self:
        """A style and its version."""
        return cls(
            name=style.name,
            category=style.category,
            colour=style.colour,
            pattern=style.pattern,
            takes_dyes=style.takes_dyes,
            starter=version is None,
            version=version,
            sample_url=f"/v1/samples/{quote(style.name)}?v={version or 'starter'}",
        )


class Styles(Document):
    """What can be tried on."""

    styles: list[Style]


class Image(Document):
    """A picture as text."""

    media_type: Literal["image/png"]
    base64: str = Field(json_schema_extra={"contentEncoding": "base64"})
    width: int = Field(gt=0)
    height: int = Field(gt=0)


class StyleTaken(Document):
    """The style that was painted."""

    name: str
    exact: bool = Field(description="False where it is only near what the picture shows.")


class Said(Document):
    """A text in each language."""

    en: str
    ko: str

    @classmethod
    def of(cls, words: Mapping[Language, str]) -> Self:
        """The same text in each."""
        return cls(en=words["en"], ko=words["ko"])


class Garment(Document):
    """A garment that was found on the photo."""

    number: int = Field(ge=1, description="1 is the largest; `garment` of a try-on takes it.")
    person: int = Field(ge=1, description="1 stands furthest to the left; `person` of a try-on takes it.")
    category: str = Field(description="A guess.")
    group: str = Field(description="upper, lower or full.")
    score: float = Field(ge=0, le=1)
    box_xyxy: list[int] = Field(min_length=4, max_length=4, description="In pixels of the result.")
    share: float = Field(ge=0, le=1, description="Of the photo's pixels.")
    changed: bool


class Changed(Document):
    """What differs from the photo; every other pixel is the photo's own."""

    box_xyxy: list[int] | None = Field(description="Around all of it: x1, y1, x2, y2 in pixels of the result.")
    share: float = Field(ge=0, le=1, description="Of the photo's pixels.")
    garments: list[Garment] = Field(description="Every garment found, and whether it was changed.")


class Colour(Document):
    """A wanted colour and what was made of it."""

    part: str = Field(description="ground or figure.")
    wanted: str
    got: str
    ciede2000: float = Field(ge=0, description="The difference; 1 is just noticeable.")


class TryOn(Document):
    """A try-on."""

    image: Image
    style: StyleTaken
    message: Said = Field(description="What was changed to what, for the person on the photo.")
    warning: Said | None = Field(description="Why the result is not to be trusted; null where nothing speaks against.")
    models: dict[str, str] = Field(description="Version and SHA-256 of the weights that made it, by the models' names.")
    changed: Changed
    colours: list[Colour] = Field(description="How near it came to the wanted colours; empty where none were wanted.")
    shrunk_from: list[int] | None = Field(description="Width and height of a photo that was made smaller, else null.")
    request_id: str = Field(description="Of the request that it was made for.")

    @classmethod
    def of(cls, answer: Answer, request_id: str) -> Self:
        """What the room gave."""
        return cls(
            image=Image(
                media_type="image/png", base64=answer.after.base64, width=answer.size[0], height=answer.size[1]
            ),
            style=StyleTaken(name=answer.style, exact=answer.exact),
            message=Said.of(answer.message),
            warning=Said.of(answer.warning) if answer.warning["en"] else None,
            models=answer.models,
            changed=Changed(
                box_xyxy=list(answer.changed_box_xyxy) if answer.changed_box_xyxy else None,
                share=answer.changed_share,
                garments=[Garment(**each) for each in answer.garments],
            ),
            colours=[Colour(**each) for each in answer.colour],
            shrunk_from=list(answer.shrunk_from) if answer.shrunk_from else None,
            request_id=request_id,
        )


class ProblemDetails(Document):
    """What was wrong (RFC 9457)."""

    type: str = Field(description="urn:fittingroom:problem: and the code.")
    title: str
    status: int = Field(ge=400, le=599)
    detail: str = Field(description="For people, in the language of Accept-Language where it is about their pictures.")
    code: Literal[tuple(CODES)] = Field(description="Stays as it is from version to version.")  # type: ignore[valid-type]
    request_id: str
    field: str | None = Field(None, description="Which field it is about.")
    reason: str | None = Field(None, description="Why a picture cannot be used, in a word.")

    @classmethod
    def of(cls, error: Exception, detail: str, request_id: str) -> Self:
        """An error of ours, in words."""
        code = code_of(error)
        field, reason = (error.field or None if isinstance(error, Problem) else None), None
        if isinstance(error, ImageRejected):
            field, reason = error.name, error.reason
        return cls(
            type=f"urn:fittingroom:problem:{code}",
            title=CODES[code].title,
            status=CODES[code].status,
            detail=detail,
            code=code,
            request_id=request_id,
            field=field,
            reason=reason,
        )


class JobStatus(Document):
    """Where a job stands."""

    id: str
    status: Literal["waiting", "working", "done", "failed"]
    place: int | None = Field(ge=1, description="In the line, while it waits; 1 is next.")
    step: Step | None = Field(description="While it is worked on.")
    created_at: datetime
    expires_at: datetime | None = Field(description="When a finished job is forgotten, at the latest.")
    result_url: str | None = Field(description="Of the result, where it is done.")
    problem: ProblemDetails | None = Field(description="What was wrong, where it failed.")
    request_id: str = Field(description="Of the request that it was made for.")

    @classmethod
    def of(cls, job: Job, problem: ProblemDetails | None) -> Self:
        """A job, and in words what it failed of."""
        step = job.state.get("state")
        at_work = not job.finished and step not in (None, "waiting")
        ended = "failed" if problem else "done"
        return cls(
            id=job.id,
            status=ended if job.finished else "working" if at_work else "waiting",
            place=job.state.get("place") if not job.finished else None,
            step=step if at_work else None,
            created_at=job.created,
            expires_at=job.expires,
            result_url=f"/v1/jobs/{job.id}/result" if job.finished and not problem else None,
            problem=problem,
            request_id=job.request_id,
        )
