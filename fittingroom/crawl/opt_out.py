"""What a page or a picture says to robots: words such as ``noai``, in a meta element or an X-Robots-Tag header."""

from __future__ import annotations

import re
from collections.abc import Iterable

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
