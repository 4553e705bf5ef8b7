"""The page itself: the form, and what a try-on gave above it."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from fittingroom.styles.choose import AvailableStyle
from fittingroom.styles.colours import lab_to_srgb

MAX_UPLOAD_BYTES = 15_000_000
RETRY_SECONDS = "10"


class Page:
    """The one page, as a form with or without an answer above it."""

    def __init__(self) -> None:
        environment = Environment(
            loader=FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=StrictUndefined, trim_blocks=True
        )
        self._template = environment.get_template("page.html")

    def render(
        self,
        styles: Sequence[AvailableStyle],
        status: int = 200,
        error: str = "",
        chosen: str = "",
        answer: dict[str, str] | None = None,
    ) -> HTMLResponse:
        """The page with these styles and, where there is one, an answer or what was wrong above them."""
        nonce = secrets.token_urlsafe(16)
        text = self._template.render(
            styles=[
                {"name": s.name, "words": _style_words(s), "pattern": s.pattern, "colour": _swatch(s)} for s in styles
            ],
            error=error,
            chosen=chosen,
            answer=answer,
            nonce=nonce,
            megabytes=MAX_UPLOAD_BYTES // 1_000_000,
        )
        more = {"Retry-After": RETRY_SECONDS} if status == 503 else {}
        return HTMLResponse(text, status, headers(nonce) | more)


def headers(nonce: str = "") -> dict[str, str]:
    """Security headers of every answer; with a ``nonce`` for those that have the page's style sheet."""
    style = f"; style-src 'nonce-{nonce}'" if nonce else ""
    return {
        "Content-Security-Policy": f"default-src 'none'; img-src 'self' data:{style}; form-action 'self'; "
        "base-uri 'none'; frame-ancestors 'none'",
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
        "Referrer-Policy": "same-origin",
        "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Cache-Control": "no-store",
    }


def _style_words(style: AvailableStyle) -> str:
    return ", ".join(part for part in (style.colour, style.pattern, style.category) if part)


def _swatch(style: AvailableStyle) -> str:
    if style.lab is None:
        return "#b9bec7"
    red, green, blue = (round(float(v) * 255) for v in lab_to_srgb(np.asarray(style.lab, np.float64)))
    return f"#{red:02x}{green:02x}{blue:02x}"
