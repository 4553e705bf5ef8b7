"""What ``fittingroom run --help`` says: the flows, or what one of them asks, read from its parameters' model."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from deployments.definitions import DEFINITIONS
from flows.catalogue import find_flow

Rows = list[tuple[str, str]]
"""A term and its meaning."""

_WORDS = {"integer": "whole number", "number": "number", "boolean": "true|false", "object": "JSON object"}
_FORMATS = {"path": "path", "file-path": "path", "directory-path": "path", "uuid": "id"}


def flow_help(flow: str | None) -> tuple[str, Rows]:
    """What a ``flow`` does, and each of its parameters; without one, each flow with its line.

    Raises:
        InputError: there is no such flow.
    """
    if flow is None:
        return "", [(each.flow, each.description.partition(";")[0].rstrip(".")) for each in DEFINITIONS]
    model = find_flow(flow).parameters
    schema = model.model_json_schema()
    rows = []
    for name in model.asked():
        info = model.model_fields[name]
        shape = _resolved(schema["properties"][name], schema.get("$defs", {}))
        facts = [_kind(shape), _range(shape)]
        facts.append("required" if info.is_required() else _default(info.get_default(call_default_factory=True)))
        rows.append((name, f"{(info.description or '').rstrip('.')}  [{'; '.join(filter(None, facts))}]"))
    return next((each.description for each in DEFINITIONS if each.flow == flow), model.__doc__ or ""), rows


def _resolved(shape: Mapping[str, Any], definitions: Mapping[str, Any]) -> dict[str, Any]:
    """A field's JSON Schema with references followed, and without the alternative of leaving it out."""
    found = dict(shape)
    if "$ref" in found:
        found |= definitions[found.pop("$ref").rsplit("/", 1)[-1]]
    if "anyOf" in found:
        others = [_resolved(each, definitions) for each in found.pop("anyOf") if each.get("type") != "null"]
        found |= others[0] if len(others) == 1 else {"others": others}
    if isinstance(found.get("items"), Mapping):
        found["items"] = _resolved(found["items"], definitions)
    return found


def _kind(shape: Mapping[str, Any]) -> str:
    """What a value looks like on the command line."""
    if "others" in shape:
        return " or ".join(dict.fromkeys(_kind(each) for each in shape["others"]))
    if "enum" in shape:
        return " | ".join(str(value) for value in shape["enum"] if value != "")  # wrapped between two, not in one
    if shape.get("type") == "array":
        return f"{_kind(shape.get('items', {}))}, several with commas between"
    return _FORMATS.get(str(shape.get("format")), _WORDS.get(str(shape.get("type")), "text"))


def _range(shape: Mapping[str, Any]) -> str:
    low, high = shape.get("minimum"), shape.get("maximum")
    above, below = shape.get("exclusiveMinimum"), shape.get("exclusiveMaximum")
    parts = []
    if low is not None and high is not None:
        parts, low, high = [f"{low:,} to {high:,}"], None, None
    for words, value in (("at least", low), ("more than", above), ("at most", high), ("less than", below)):
        if value is not None:
            parts.append(f"{words} {value:,}")
    if "multipleOf" in shape:
        parts.append(f"a multiple of {shape['multipleOf']}")
    if shape.get("maxLength") and shape.get("type") == "string":
        parts.append(f"at most {shape['maxLength']} characters")
    return ", ".join(parts)


def _default(value: Any) -> str:
    if value is None or value in ("", [], {}):
        return "default: none"
    if isinstance(value, str | Path):
        return f"default: {value}"
    return f"default: {json.dumps(value, default=str)}"
