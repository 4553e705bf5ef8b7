"""Parameters out of plain values, as a command line, a file or a run form gives them; what is wrong is one line."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import ValidationError

from fittingroom.errors import InputError
from fittingroom.names import not_known
from flows.parameters import Parameters

P = TypeVar("P", bound=Parameters)

_WORDS = {
    "dict": 'a JSON object such as {"epochs": 10}',
    "int": "a whole number",
    "int_from_float": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "uuid": "the id of a run",
    "list": "values with commas between",
    "string_pattern_mismatch": "a name of a-z, 0-9 and inner hyphens",
}
"""What is expected, by pydantic's kinds of errors: its own words are for who knows Python."""


def fill_in(flow: str, model: type[P], values: Mapping[str, Any]) -> P:
    """The parameters of a flow; ``a,b`` is a list where a list is wanted, for nobody types JSON on a command line.

    Raises:
        InputError: naming the flow, the field, what is allowed and what came.
    """
    listed = {name: _listed(model, name, value) for name, value in values.items()}
    for name, value in listed.items():
        if "Path" in str(getattr(model.model_fields.get(name), "annotation", "")) and _is_empty(value):
            raise InputError(f"{flow}: parameter {name}: expected a path, got an empty one (the current folder is .)")
    try:
        return model.model_validate(listed)
    except ValidationError as error:
        raise InputError(f"{flow}: {_first_problem(error, model)}") from None


def _listed(model: type[Parameters], name: str, value: Any) -> Any:
    field = model.model_fields.get(name)
    wants_list = field is not None and getattr(field.annotation, "__origin__", None) is list
    return [part.strip() for part in value.split(",")] if wants_list and isinstance(value, str) else value


def _is_empty(value: Any) -> bool:
    return any(isinstance(one, str) and not one.strip() for one in (value if isinstance(value, list) else [value]))


def _first_problem(error: ValidationError, model: type[Parameters]) -> str:
    problem = min(error.errors(), key=lambda each: each["type"] != "extra_forbidden")  # a misspelt name leaves one out
    field = ".".join(str(part) for part in problem["loc"])
    if problem["type"] == "missing":
        return f"parameter {field}: expected a value, got none"
    if problem["type"] == "extra_forbidden":
        return not_known("parameter", field, model.model_fields)
    words = _WORDS.get(problem["type"].removesuffix("_parsing").removesuffix("_type"))
    expected = f"expected {words}" if words else problem["msg"].replace("Input should be ", "expected ", 1)
    return f"parameter {field}: {expected}, got {problem['input']!r}"
