"""The page itself: the form, and what a try-on gave above it; its style sheet and its script."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from fittingroom.app.room import Answer
from fittingroom.app.words import (
    LANGUAGES,
    MAX_UPLOAD_BYTES,
    Language,
    capital,
    either,
    script_words,
    style_words,
    word,
)
from fittingroom.appearance.choose import AvailableStyle
from fittingroom.appearance.colours import COLOUR_NAMES, colour_name, lab_to_srgb

RETRY_SECONDS = "10"
A_DAY = {"Cache-Control": "private, max-age=86400"}
"""For what no visitor sent, at an address that changes with it."""
_DYES = {
    "black": "#1c1c1e", "white": "#f4f3ef", "grey": "#8b8d91", "navy": "#22305c", "blue": "#2f6fb5",
    "green": "#2f6b3a", "yellow": "#e8b923", "orange": "#d9722c", "red": "#b3202c", "pink": "#dd8aa5",
    "purple": "#6b4a8e", "beige": "#cdb695",
}  # fmt: skip
"""Colours that are one click away."""


@dataclass(frozen=True)
class OwnFile:
    """A file of the page's own; ``version`` changes with it."""

    text: str
    media_type: str
    version: str


class Page:
    """The one page, as a form with or without an answer above it, and the files it names."""

    def __init__(self) -> None:
        here = Path(__file__).parent
        environment = Environment(
            loader=FileSystemLoader(here),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._template = environment.get_template("page.html")
        self.files: dict[str, OwnFile] = {}
        for name, media_type in (("page.css", "text/css"), ("page.js", "text/javascript")):
            text = (here / name).read_text(encoding="utf-8")
            self.files[name] = OwnFile(text, media_type, hashlib.sha256(text.encode()).hexdigest()[:12])

    def render(
        self,
        styles: Sequence[AvailableStyle],
        versions: Mapping[str, int | None],
        language: Language,
        status: int = 200,
        error: str = "",
        chosen: str = "",
        answer: Answer | None = None,
    ) -> HTMLResponse:
        """The page with these styles and, where there is one, an answer or what was wrong above them.

        Args:
            versions: of each style the one that serves; None for a starter.
        """
        text = self._template.render(
            t=partial(word, language=language),
            language=language,
            languages=LANGUAGES,
            styles=[_shown(style, versions.get(style.name), language) for style in styles],
            colours=either([_basic_colour(style) for style in styles], language),
            patterns=either([style.pattern for style in styles], language),
            dyes=[(name, code, either([name], language)[0][1]) for name, code in _DYES.items()],
            error=capital(error),
            chosen=chosen,
            answer=answer,
            files=self.files,
            words=script_words(language),
            most_bytes=MAX_UPLOAD_BYTES,
        )
        return HTMLResponse(text, status, headers(status) | {"Content-Language": language, "Vary": "Accept-Language"})


def headers(status: int = 200) -> dict[str, str]:
    """Security headers of every answer."""
    return {
        "Content-Security-Policy": "default-src 'none'; img-src 'self' data: blob:; style-src 'self'; "
        "script-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
        "Referrer-Policy": "same-origin",
        "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Cache-Control": "no-store",
    } | ({"Retry-After": RETRY_SECONDS} if status == 503 else {})


def _shown(style: AvailableStyle, version: int | None, language: Language) -> dict[str, object]:
    words = [style_words(style, each) for each in LANGUAGES]
    return {
        "name": style.name,
        "words": style_words(style, language),
        "search": " ".join([style.name, *words]).lower(),
        "colour": _basic_colour(style),
        "pattern": style.pattern,
        "fill": _fill(style),
        "takes_dyes": style.takes_dyes,
        "starter": version is None,
        "sample": f"/samples/{style.name}?v={version or 'starter'}",
    }


def _basic_colour(style: AvailableStyle) -> str:
    """One of the twelve that people search by: *navy* is found under blue."""
    if style.colour in COLOUR_NAMES or style.lab is None:
        return style.colour
    return colour_name(style.lab)


def _fill(style: AvailableStyle) -> str:
    if style.lab is None:
        return "#b9bec7"
    red, green, blue = (round(float(v) * 255) for v in lab_to_srgb(np.asarray(style.lab, np.float64)))
    return f"#{red:02x}{green:02x}{blue:02x}"
