"""What a page or a picture says to robots: words such as ``noai``, in a meta element or an X-Robots-Tag header, and the
reservation of its rights, in a meta element, a header or its host's ``tdmrep.json``.

See https://www.w3.org/community/reports/tdmrep/CG-FINAL-tdmrep-20240510/. What is no such file reserves nothing; where
one place reserves and another does not, the reservation counts.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable

from protego import Protego

from fittingroom.crawl.settings import ROBOT_NAME

OF_A_PAGE = frozenset({"noai", "noimageai", "noimageindex"})
"""Words by which a page keeps its pictures to itself."""
OF_A_PICTURE = OF_A_PAGE | {"noindex", "none"}
"""Words by which a picture does: for it, ``noindex`` means the picture."""
_WITH_VALUE = re.compile(r"^(?:max-[a-z-]+|unavailable_after|notranslate|indexifembedded)$")


def opts_out(lines: Iterable[str], words: frozenset[str]) -> bool:
    """Whether one of ``lines``, each a header's or a meta element's value, says one of ``words`` to our robot.

    A robot's name before a colon is whom the rest of its line is for, up to the next name
    (https://developers.google.com/search/docs/crawling-indexing/robots-meta-tag).
    """
    for line in lines:
        ours = True
        for part in re.split(r"[,;]", line[:5000].lower()):
            name, colon, rest = part.strip().partition(":")
            if colon and _WITH_VALUE.match(name.strip()):
                continue
            if colon:
                ours = name.strip() in ("", "*", ROBOT_NAME.lower())
            said = re.findall(r"[a-z-]+", rest if colon else name)  # in quotes, or with a value
            if ours and words & {word.replace("-", "") for word in said}:
                return True
    return False


def reserves(value: str) -> bool:
    """Whether the value of a ``tdm-reservation`` reserves the rights of text and data mining."""
    return "1" in [part.strip() for part in value.split(",")]


def reservations(file: str) -> Protego:
    """The places that a ``tdmrep.json`` reserves, as forbidden to all: its patterns are those of robots.txt."""
    try:
        rules = json.loads(file)
    except (ValueError, RecursionError):
        rules = []
    reserved = [
        "/" * (not rule["location"].startswith(("/", "*"))) + re.sub(r"\s", "", rule["location"])
        for rule in (rules if isinstance(rules, list) else [])
        if isinstance(rule, dict)
        and isinstance(rule.get("location"), str)
        and reserves(str(rule.get("tdm-reservation")))
    ]
    return Protego.parse("\n".join(["User-agent: *", *(f"Disallow: {place}" for place in reserved)]))
