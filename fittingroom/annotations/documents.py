"""COCO and VIA documents of any size, opened without building them in memory.

Parsed as a whole, a document of a large set would take many times its own bytes in Python objects. Here the text is
scanned once, each row is kept as a view of its bytes, and is parsed when it is looked at and forgotten again. To a
reader the result is a dictionary whose long lists (and VIA's dictionary of pictures) are sequences and mappings.
"""

from __future__ import annotations

import codecs
from collections.abc import Iterator, Mapping, Sequence
from typing import overload

import msgspec
import orjson

from fittingroom.annotations import jsonfile
from fittingroom.annotations.findings import Findings
from fittingroom.annotations.jsonfile import UnreadableAnnotation

_Raw = msgspec.Raw
_TOP = msgspec.json.Decoder(dict[str, _Raw])
_ROWS = msgspec.json.Decoder(list[_Raw])
_LONG_LISTS = ("images", "annotations")
_VIA_PICTURES = "_via_img_metadata"


class Rows(Sequence[object]):
    """A list's rows, parsed one at a time."""

    def __init__(self, raws: Sequence[_Raw], name: str) -> None:
        self._raws, self._name = raws, name

    def __len__(self) -> int:
        return len(self._raws)

    @overload
    def __getitem__(self, index: int) -> object: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[object]: ...
    def __getitem__(self, index: int | slice) -> object:
        if isinstance(index, slice):
            return Rows(self._raws[index], self._name)
        return _parsed(self._raws[index], self._name)


class Entries(Mapping[str, object]):
    """A dictionary's values, parsed one at a time."""

    def __init__(self, raws: Mapping[str, _Raw], name: str) -> None:
        self._raws, self._name = raws, name

    def __len__(self) -> int:
        return len(self._raws)

    def __iter__(self) -> Iterator[str]:
        return iter(self._raws)

    def __getitem__(self, key: str) -> object:
        return _parsed(self._raws[key], self._name)


def parse(data: bytes, name: str, findings: Findings) -> object:
    """`jsonfile.parse`, but with long lists as `Rows` and dictionaries of objects as `Entries`.

    Raises:
        UnreadableAnnotation: not JSON, or nested too deeply.
    """
    text = data.removeprefix(codecs.BOM_UTF8) if data.startswith(codecs.BOM_UTF8) else data
    try:
        top = _TOP.decode(text)
        lists = {key: Rows(_ROWS.decode(top[key]), name) for key in _LONG_LISTS if key in top}
        pictures = {key: Entries(_TOP.decode(top[key]), name) for key in (_VIA_PICTURES,) if key in top}
    except (msgspec.DecodeError, RecursionError):
        return jsonfile.parse(data, name, findings)  # which says where the text is wrong, or knows NaN
    if not _is_utf8(text):
        return jsonfile.parse(data, name, findings)
    if text is not data:
        jsonfile.note_byte_order_mark(name, findings)
    if not lists and not pictures:
        return Entries(top, name)
    return {key: _parsed(raw, name) for key, raw in top.items() if key not in (*lists, *pictures)} | lists | pictures


def _parsed(raw: _Raw, name: str) -> object:
    try:
        value: object = orjson.loads(memoryview(raw))
    except orjson.JSONDecodeError as error:
        start = bytes(memoryview(raw)[:60]).decode("utf-8", "replace")
        raise UnreadableAnnotation("unreadable_json", name, f"{error.msg} in {start!r}") from None
    return value


def _is_utf8(data: bytes) -> bool:
    if data.isascii():
        return True
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        for start in range(0, len(data), 2**20):
            decoder.decode(data[start : start + 2**20])
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True
