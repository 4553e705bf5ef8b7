"""The text of a page, in whichever encoding its server or its author says it is (https://encoding.spec.whatwg.org).

Only the standard's labels are looked up, never a name out of a page in Python's own registry of codecs: some of those
take quadratic time. ``euc-kr`` means cp949 there, ``gb2312`` gb18030, ``shift_jis`` cp932.
"""

from __future__ import annotations

import codecs
import re

import webencodings

_PRESCAN = 4096
"""Bytes at the beginning of a page in which it may say its encoding."""
_WIDER = {"gbk": "gb18030", "euc-jp": "euc_jis_2004"}
"""Encodings whose codec in Python lacks what browsers know."""
_SEVERAL_BYTES = re.compile(rb"[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3}")
_MARKS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))


def decode_page(html: bytes, said: str | None) -> tuple[str, codecs.CodecInfo | None]:
    """A page's text, and its encoding where that is a legacy one; ``said`` is the charset of its Content-Type.

    A byte-order mark decides; then what reads as UTF-8 is UTF-8, whatever is said; then the header, then the page's
    own word.
    """
    from bs4.dammit import EncodingDetector  # its CSS engine takes longer to import than most pages to read

    for mark, name in _MARKS:
        if html.startswith(mark):
            return html[len(mark) :].decode(name, "replace"), None
    header = _named(said)
    own = _named(EncodingDetector.find_declared_encoding(html[:_PRESCAN], is_html=True))
    if header is not None and header.name.startswith("utf-16") and b"\0" in html[:_PRESCAN]:
        return header.decode(html, "replace")[0], None
    legacy = [one for one in (header, own) if one is not None and not one.name.startswith("utf-")]
    if not (b"\x1b" in html and any(one.name.startswith("iso2022") for one in legacy)):  # that one is all ASCII bytes
        try:
            return html.decode(), None
        except UnicodeDecodeError:
            text = html.decode("utf-8", "replace")
            if not legacy and text.count("\ufffd") < len(_SEVERAL_BYTES.findall(html)):
                return text, None  # UTF-8 with a few torn characters
    codec = legacy[0] if legacy else codecs.lookup("cp1252")
    return codec.decode(html, "replace")[0], codec


def _named(label: str | None) -> codecs.CodecInfo | None:
    encoding = webencodings.lookup(label) if label and label.isascii() else None
    if encoding is None or encoding.name == "replacement":
        return None
    wider = _WIDER.get(encoding.name)
    return codecs.lookup(wider) if wider else encoding.codec_info
