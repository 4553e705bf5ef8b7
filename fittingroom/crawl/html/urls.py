"""Addresses as HTML and CSS write them: srcset, ``url()``, and the absolute address that one stands for."""

from __future__ import annotations

import codecs
import re
from urllib.parse import quote, urlsplit

import ada_url

LONGEST = 4000
"""Characters of an address as written."""
_BEYOND_ASCII = re.compile(r"[^\x00-\x7f]+")
_CHARACTERS_OF_NONE = re.compile("[\ud800-\udfff]")
"""Halves of a surrogate pair, which no encoding has."""

_DESCRIPTOR = re.compile(r"(\d+(?:\.\d+)?)([wxh])$")
_BACKGROUND = re.compile(
    r"""background(?:-image)?\s{0,9}:[^;:{}]{0,200}?url\(\s{0,9}
    (?:"([^"\\]*+(?:\\.[^"\\]*+)*+)" | '([^'\\]*+(?:\\.[^'\\]*+)*+)' | ([^()"'\\]*+(?:\\.[^()"'\\]*+)*+))\s{0,9}\)""",
    re.I | re.X,
)
"""Without quotes, an address holds no parenthesis (https://www.w3.org/TR/css-syntax-3/#consume-url-token): that an
unclosed one ends at the next is also what keeps a page of nothing else from quadratic time."""
_URL = re.compile(r"""url\(\s{0,9}+["']?+([^"')]{1,4000}+)["']?+\s{0,9}+\)""", re.I)
_ESCAPE = re.compile(r"\\(?:([0-9a-fA-F]{1,6})\s?|(.))")


def resolve(written: str, base: str, codec: codecs.CodecInfo | None = None) -> str | None:
    """The absolute address, without fragment, that a browser reads ``written`` as on a page at ``base``; or None.

    By the URL standard (https://url.spec.whatwg.org): hosts as IDNA, backslashes as slashes, tabs and line ends taken
    out. ``codec`` is a legacy page's encoding, in which browsers send queries.
    """
    try:
        address = ada_url.URL(_query_encoded(_CHARACTERS_OF_NONE.sub("\ufffd", written), codec), base or None)
        address.hash = ""
    except ValueError:
        return None
    return str(address.href)


def address_of(written: str, base: str, codec: codecs.CodecInfo | None = None) -> str | None:
    """`resolve`, where it gives an http or https address that is no longer than `LONGEST` and holds no password."""
    written = written.strip()
    if not written or len(written) > LONGEST:
        return None
    address = resolve(written, base, codec)
    if address is None or not address.startswith(("http://", "https://")) or len(address) > 3 * LONGEST:
        return None
    return None if "@" in urlsplit(address).netloc else address


def _query_encoded(written: str, codec: codecs.CodecInfo | None) -> str:
    if codec is None or written.isascii():
        return written
    address, mark, query = written.partition("?")
    if "#" in address:
        return written
    query, end, fragment = query.partition("#")

    def encoded(match: re.Match[str]) -> str:
        return quote(codec.encode(match[0], "xmlcharrefreplace")[0], safe="")

    return f"{address}{mark}{_BEYOND_ASCII.sub(encoded, query)}{end}{fragment}"


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
