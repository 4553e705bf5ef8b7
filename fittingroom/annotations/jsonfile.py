"""Reading JSON that anybody may have written: size cap, byte-order mark, depth, NaN; errors give line and column."""

from __future__ import annotations

import json
import os
import re
import stat
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TypeVar

import orjson

from fittingroom.annotations.findings import Findings
from fittingroom.errors import AnnotationError, MissingInputError
from fittingroom.names import NOT_UTF8, is_utf8, printable

T = TypeVar("T")

MAX_FILE_BYTES = 16 * 2**20
"""One picture's annotation. Real ones have some 10 kB."""
MAX_DOCUMENT_BYTES = 4 * 2**30
"""A COCO or VIA document of a whole dataset. All of DeepFashion2 has some 1.5 GB."""

_BOM = b"\xef\xbb\xbf"
_NOT_FINITE = re.compile(rb"\b(?:NaN|Infinity)\b")
_MAX_DEPTH = 200
_READ = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
"""Without waiting: a pipe among the files would hold up everything."""


class UnreadableAnnotation(AnnotationError):
    """A file that cannot be read at all; ``kind`` is its kind of finding, ``path`` what a person named."""

    def __init__(self, kind: str, file: str, message: str, path: Path | None = None) -> None:
        self.kind, self.file, self.detail = kind, file, message
        super().__init__(f"{printable(path or file)}: {message}")


def read_bytes(path: Path, max_bytes: int) -> bytes:
    """The file's bytes.

    Raises:
        MissingInputError: not there. UnreadableAnnotation: too large, or not a readable file.
    """
    try:
        # Plain system calls: for files this small, a file object takes as long as the reading.
        file = os.open(path, _READ)
        try:
            status = os.fstat(file)
            if not stat.S_ISREG(status.st_mode):
                raise UnreadableAnnotation("unreadable_json", path.name, "expected a file")
            if status.st_size > max_bytes:
                message = f"expected at most {max_bytes:,} bytes, got {status.st_size:,}"
                raise UnreadableAnnotation("too_large", path.name, message)
            data = b""
            while len(data) < status.st_size and (more := os.read(file, status.st_size - len(data))):
                data += more
        finally:
            os.close(file)
    except FileNotFoundError:
        raise MissingInputError("annotation file", path) from None
    except OSError as error:
        raise UnreadableAnnotation("unreadable_json", path.name, f"cannot be read: {error.strerror}") from None
    return data


def parse(data: bytes, name: str, findings: Findings) -> object:
    """The JSON value in ``data``; the values NaN and Infinity come back as floats, for the readers to find.

    Raises:
        UnreadableAnnotation: not JSON, or nested too deeply.
    """
    if data.startswith(_BOM):
        note_byte_order_mark(name, findings)
        data = data[len(_BOM) :]
    try:
        value: object = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        if _NOT_FINITE.search(data):
            return _parse_not_finite(data, name)
        if "depth limit" in error.msg or "recursion" in error.msg:  # releases differ in words
            raise UnreadableAnnotation("too_deep", name, "nested deeper than 1,024 levels") from None
        where = f"expected JSON, {error.msg} in line {error.lineno} column {error.colno}"
        raise UnreadableAnnotation("unreadable_json", name, where if data.strip() else "the file is empty") from None
    return value


def note_byte_order_mark(name: str, findings: Findings) -> None:
    """The finding that a file starts with one."""
    findings.add("byte_order_mark", name, message="starts with a UTF-8 byte-order mark", action="skipped")


def _parse_not_finite(data: bytes, name: str) -> object:
    """Python's own parser knows NaN and Infinity, which JSON has not; what it gives must survive `orjson.dumps`."""
    try:
        value: object = json.loads(data, parse_int=_integer)
        orjson.dumps(value)
    except json.JSONDecodeError as error:
        detail = f"expected JSON, {error.msg} in line {error.lineno} column {error.colno}"
        raise UnreadableAnnotation("unreadable_json", name, detail) from None
    except RecursionError:
        raise UnreadableAnnotation("too_deep", name, "nested too deeply") from None
    except (ValueError, TypeError) as error:
        raise UnreadableAnnotation("unreadable_json", name, f"{error}") from None
    return value


def _integer(text: str) -> int | float:
    return int(text) if len(text) < 19 else float(text)


def read_each(files: Iterable[Path], read: Callable[[Path], T], findings: Findings) -> Iterator[T]:
    """What ``read`` gives for each of some files; one that cannot be read is a finding, never an end."""
    for path in files:
        if not is_utf8(path.name):
            findings.add("name_not_utf8", path.name, message=NOT_UTF8, action="file left out")
            continue
        try:
            found = read(path)
        except UnreadableAnnotation as error:
            findings.add(error.kind, path.name, message=error.detail, action="file left out")
        except MissingInputError:
            findings.add("unreadable_json", path.name, message="the file has gone", action="file left out")
        else:
            yield found


def refuse_deep(value: object, name: str) -> None:
    """Refuse a parsed value of foreign fields that is nested deeper than 200 levels, found without recursion.

    Raises:
        UnreadableAnnotation: it is.
    """
    layer: list[object] = [value]
    for _ in range(_MAX_DEPTH):
        layer = [
            child
            for parent in layer
            if isinstance(parent, dict | list)
            for child in (parent.values() if isinstance(parent, dict) else parent)
            if isinstance(child, dict | list)
        ]
        if not layer:
            return
    raise UnreadableAnnotation("too_deep", name, f"nested deeper than {_MAX_DEPTH} levels")
