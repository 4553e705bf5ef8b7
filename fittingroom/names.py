"""File names as people have them: bytes that are no UTF-8, composed and decomposed letters, capitals, backslashes.

A zip made on a Korean Windows unpacks to names in cp949, one made on a Mac to decomposed letters (NFD). Python holds
bytes that are no UTF-8 as lone surrogates, which neither JSON nor a terminal nor a database takes.
"""

from __future__ import annotations

import os
import unicodedata

NOT_UTF8 = "its name is not UTF-8: rename it (convmv -f cp949 -t utf8 does so for names from a Korean Windows)"
"""What is said of a file that is refused for its name."""


def is_utf8(name: str | os.PathLike[str]) -> bool:
    """Whether a file name, or a whole path, is text: only such go into manifests, JSON and databases."""
    text = os.fspath(name)
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def printable(name: str | os.PathLike[str]) -> str:
    r"""A name for people and for manifests: bytes that are no UTF-8 and control characters as ``\xbf``.

    >>> printable("look\udcbf\n.jpg")
    'look\\xbf\\x0a.jpg'
    """
    text = os.fspath(name)
    return text if text.isprintable() else "".join(map(_shown, text))


def _shown(character: str) -> str:
    code = ord(character)
    if 0xDC80 <= code <= 0xDCFF:  # how Python holds a byte that is no UTF-8
        return f"\\x{code - 0xDC00:02x}"
    if 0xD800 <= code <= 0xDFFF:
        return f"\\u{code:04x}"
    return f"\\x{code:02x}" if code < 0x20 or 0x7F <= code < 0xA0 else character


def name_key(name: str) -> str:
    """What spellings of one name have in common: composed or decomposed letters, capitals or not."""
    return name.lower() if name.isascii() else unicodedata.normalize("NFC", name).casefold()
