"""Addresses as HTML and CSS write them: srcset, ``url()``, and the absolute address that one stands for."""

from __future__ import annotations

import re
from urllib.parse import quote, urldefrag, urljoin, urlsplit

_DESCRIPTOR = re.compile(r"(\d+(?:\.\d+)?)([wxh])$")
_BACKGROUND = re.compile(
    r"""background(?:-image)?\s{0,9}:[^;:{}]{0,200}?url\(\s{0,9}
    (?:"((?:[^"\\]|\\.)*)" | '((?:[^'\\]|\\.)*)' | ((?:[^)"'\\]|\\.)*))\s{0,9}\)""",
    re.I | re.X,
)
_URL = re.compile(r"""url\(\s{0,9}["']?([^"')]{1,4000})["']?\s{0,9}\)""", re.I)
_ESCAPE = re.compile(r"\\(?:([0-9a-fA-F]{1,6})\s?|(.))")


def address_of(written: str, base: str) -> str | None:
    """The absolute http(s) address, without fragment, that ``written`` stands for on a page at ``base``; or None."""
    written = "".join(written.split("\n")).replace("\t", "").strip()
    if not written or len(written) > 4000:
        return None
    try:
        address = urldefrag(urljoin(base, written)).url
        parts = urlsplit(address)
        if parts.scheme not in ("http", "https") or not parts.hostname or "@" in parts.netloc:
            return None
        parts.port  # noqa: B018  raises on a port that is none
    except ValueError:
        return None
    return quote(address, safe="%/:?#[]@!$&'()*+,;=~|")


def parse_srcset(value: str) -> list[tuple[str, float]]:
    """Address and size of each candidate; widths count as they are, densities as if of a 1000-pixel slot.

    HTML's own rule is followed: an address runs to white space, so commas inside it (CDN options) belong to it, while
    commas at its end part it from the next candidate.
    """
    found: list[tuple[str, float]] = []
    at = 0
    while at < len(value) and len(found) < 100:
        match = re.compile(r"[\s,]*(\S+)").match(value, at)
        if match is None:
            break
        address, at = match[1], match.end()
        if address.endswith(","):
            found.append((address.rstrip(","), 1.0))
            continue
        stop = value.find(",", at)
        stop = len(value) if stop < 0 else stop
        size = 1.0
        for word in value[at:stop].split():
            descriptor = _DESCRIPTOR.match(word)
            if descriptor:
                size = float(descriptor[1]) * (1000 if descriptor[2] == "x" else 1)
        found.append((address, size))
        at = stop + 1
    return found


def backgrounds(css: str) -> list[str]:
    """Addresses of the background images that CSS names, its escapes undone."""
    return [
        _ESCAPE.sub(_unescape, next(group for group in match.groups() if group is not None)).strip()
        for match in _BACKGROUND.finditer(css)
    ]


def in_url(value: str) -> str:
    """The address in ``url(...)``, or ``value`` as it is: lazy loaders' attributes hold either."""
    match = _URL.fullmatch(value.strip())
    return match[1] if match else value


def _unescape(match: re.Match[str]) -> str:
    if match[1] is None:
        return match[2]
    code = int(match[1], 16)
    return chr(code) if 0 < code < 0x110000 and not 0xD800 <= code < 0xE000 else "\ufffd"
