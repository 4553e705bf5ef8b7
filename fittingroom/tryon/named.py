"""What the results of a try-on are called, and which code makes them: what flows and command line go by."""

from __future__ import annotations

VERSION = 6
"""Of the code that makes a try-on's results: raised when they come out different, so that they are made again."""
MISSING = "missing"
"""Why a photo that is gone has no result, as a word."""


def look_name(label: str, garment: str = "", person: str = "") -> str:
    """What the results of a style are called: its label (`fittingroom.tryon.wanted.Wanted.label`), and the garment and
    the person where another than the usual is meant."""
    return "-".join([label, *(word.replace(" ", "-") for word in (garment, person) if word)])
