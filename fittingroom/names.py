"""File names as people have them: bytes that are no UTF-8, composed and decomposed letters, capitals, backslashes.

A zip made on a Korean Windows unpacks to names in cp949, one made on a Mac to decomposed letters (NFD). Python holds
bytes that are no UTF-8 as lone surrogates, which neither JSON nor a terminal nor a database takes.
"""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Iterable
from difflib import get_close_matches

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


MOST_LISTED = 15
"""So many names are listed where one of them was expected; of more, the nearest."""


def not_known(what: str, name: str, known: Iterable[str]) -> str:
    """What is said of a name that is none of those there are: the one that was meant, where it can be told.

    >>> not_known("setting", "epoch", ["epochs", "seed"])
    'setting epoch: there is none of this name; did you mean epochs?'
    """
    names = list(known)
    spelt, wanted = {_spelling(each): each for each in names}, _spelling(name)
    begun = [spelt[each] for each in spelt if len(wanted) > 2 and each.startswith(wanted)]
    if near := begun[0] if begun else nearest(name, names):
        hint = f"there is none of this name; did you mean {near}?"
    elif len(names) <= MOST_LISTED:
        hint = f"expected one of {', '.join(names)}"
    else:
        least_unlike = get_close_matches(wanted, spelt, n=3, cutoff=0.0)
        hint = f"expected one of {len(names)} names; the nearest are {', '.join(spelt[each] for each in least_unlike)}"
    return f"{what} {printable(name)}: {hint}"


def nearest(name: str, known: Iterable[str], alike: float = 0.6) -> str | None:
    """The most alike of several names, or None where none is: ``alike`` is from 0 (not at all) to 1 (the same)."""
    spelt = {_spelling(each): each for each in known}
    found = get_close_matches(_spelling(name), spelt, n=1, cutoff=alike)
    return spelt[found[0]] if found else None


def _spelling(name: str) -> str:
    """Capitals, and what parts the words, are no matter of meaning."""
    return name_key(name).replace("-", "_").replace(" ", "_")
