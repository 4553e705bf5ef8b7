"""YAML that a person typed, read safely, with the line of every value kept for error messages.

Only plain values (no tags that build objects); size, depth and, because an alias may stand for a whole tree, the number
of values after aliases are expanded are limited.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from fittingroom.errors import CatalogError, MissingInputError

Location = tuple[str | int, ...]
"""Steps from the top of the document to a value, as in ``("styles", 1, "pattern")``."""
Lines = dict[Location, int]
"""The line of each value, counted from 1."""

MAX_BYTES = 1_000_000
MAX_DEPTH = 12
MAX_VALUES = 200_000
_LOADER: type[yaml.SafeLoader] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""libyaml's, where PyYAML was built with it: ten times as quick, which a catalog of a thousand styles needs."""


def read_yaml(path: Path) -> tuple[Any, Lines]:
    """The document's value and the line of everything in it.

    Raises:
        CatalogError: not YAML, too large, too deep, or expanding to too much. MissingInputError: no such file.
    """
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise MissingInputError("catalog", path) from None
    except OSError as error:
        raise CatalogError(f"{path}: cannot be read: {error.strerror}") from None
    if len(data) > MAX_BYTES:
        raise CatalogError(f"{path}: expected at most {MAX_BYTES:,} bytes, got more")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise CatalogError(f"{path}:{line}: expected UTF-8 text") from None
    try:
        _refuse_depth(path, text)
        loader = _LOADER(text)
        try:
            node = loader.get_single_node()
            return _Builder(path, loader).build(node)
        finally:
            loader.dispose()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f":{mark.line + 1}" if mark else ""
        raise CatalogError(f"{path}{where}: not valid YAML: {error.problem or error.context}") from None
    except yaml.YAMLError as error:
        raise CatalogError(f"{path}: not valid YAML: {' '.join(str(error).split())}") from None


def _refuse_depth(path: Path, text: str) -> None:
    """Before anything is built: the builder calls itself once a level."""
    depth = 0
    for event in yaml.parse(text, Loader=_LOADER):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > MAX_DEPTH:
                raise CatalogError(f"{path}:{_line(event)}: expected at most {MAX_DEPTH} levels of nesting, got more")
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1


def _line(part: yaml.Event | yaml.Node) -> int:
    return part.start_mark.line + 1 if part.start_mark else 1


class _Builder:
    def __init__(self, path: Path, loader: yaml.SafeLoader) -> None:
        self._path, self._loader = path, loader
        self._lines: Lines = {}
        self._values = 0
        self._open: list[yaml.Node] = []

    def build(self, node: yaml.Node | None) -> tuple[Any, Lines]:
        if node is None:
            raise CatalogError(f"{self._path}:1: expected a catalog, got an empty file")
        return self._value(node, ()), self._lines

    def _value(self, node: yaml.Node, at: Location) -> Any:
        line = _line(node)
        self._lines.setdefault(at, line)
        self._values += 1
        if self._values > MAX_VALUES:
            raise CatalogError(f"{self._path}:{line}: expected at most {MAX_VALUES:,} values, aliases expanded")
        if isinstance(node, yaml.ScalarNode):
            return self._loader.construct_object(node)
        if node.tag not in ("tag:yaml.org,2002:map", "tag:yaml.org,2002:seq"):
            raise CatalogError(f"{self._path}:{line}: not valid YAML here: expected plain values, got tag {node.tag!r}")
        if node in self._open:
            raise CatalogError(f"{self._path}:{line}: expected no alias inside what it stands for")
        self._open.append(node)
        value = self._mapping(node, at) if isinstance(node, yaml.MappingNode) else self._sequence(node, at)
        self._open.pop()
        return value

    def _sequence(self, node: yaml.Node, at: Location) -> list[Any]:
        return [self._value(child, (*at, index)) for index, child in enumerate(node.value)]

    def _mapping(self, node: yaml.Node, at: Location) -> dict[str, Any]:
        result: dict[str, Any] = {}
        for key_node, value_node in node.value:
            line = _line(key_node)
            if not isinstance(key_node, yaml.ScalarNode):
                raise CatalogError(f"{self._path}:{line}: expected a plain key")
            key = str(key_node.value)
            if key in result:
                raise CatalogError(f"{self._path}:{line}: expected key {key!r} once, got it twice")
            self._lines[(*at, key)] = line
            result[key] = self._value(value_node, (*at, key))
        return result
