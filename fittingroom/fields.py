"""Settings classes whose ranges and choices stand at the field, and nowhere else.

A frozen dataclass on `CheckedSettings` says in each field's type what the field takes::

    @dataclass(frozen=True)
    class Training(CheckedSettings):
        learning_rate: Annotated[float, Range(0, 1, above=True)] = 3e-4
        optimizer: Literal["adamw", "sgd"] = "adamw"
        crop_size: Annotated[int, Range(32, 1024, multiple_of=4)] | None = None
        levels: Annotated[tuple[Annotated[int, Range(0, 3)], ...], Length(1)] = (0,)

Types are ``bool``, ``int``, ``float`` (finite; takes whole numbers too), ``str`` (one line), ``Literal``, tuples of
them (lists are taken too) and any of them ``| None``. Only the standard library is needed: the models train where
pydantic is not installed.
"""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from types import NoneType
from typing import Annotated, Any, Literal, Self, get_args, get_origin, get_type_hints

from fittingroom.errors import SettingError, UnknownSetting


@dataclass(frozen=True)
class Range:
    """Numbers from ``low`` to ``high``, both taken too; with ``above`` and ``below`` only those between them."""

    low: float
    high: float = math.inf
    above: bool = False
    below: bool = False
    multiple_of: int = 1

    __is_annotated_types_grouped_metadata__ = True
    """So pydantic takes the range, too: flows' parameters have the types of the settings that they become."""

    def __iter__(self) -> Iterator[Any]:
        from annotated_types import Ge, Gt, Le, Lt, MultipleOf  # pydantic's own

        yield Gt(self.low) if self.above else Ge(self.low)
        if self.high != math.inf:
            yield Lt(self.high) if self.below else Le(self.high)
        if self.multiple_of != 1:
            yield MultipleOf(self.multiple_of)

    def __contains__(self, value: float) -> bool:
        low = value > self.low if self.above else value >= self.low
        high = value < self.high if self.below else value <= self.high
        return low and high and (self.multiple_of == 1 or value % self.multiple_of == 0)

    def __str__(self) -> str:
        low, high = (f"{end:,}" if isinstance(end, int) else f"{end:g}" for end in (self.low, self.high))
        if self.low == -math.inf:
            words = f"below {high}" if self.below else f"up to {high}"
        elif self.high == math.inf:
            words = f"above {low}" if self.above else f"of at least {low}"
        else:
            start = f"above {low}, up" if self.above else f"from {low}"
            words = f"{start} to {'less than ' if self.below else ''}{high}"
        return words if self.multiple_of == 1 else f"{words}, a multiple of {self.multiple_of}"


@dataclass(frozen=True)
class Length:
    """Tuples of at least so many values."""

    least: int

    def __contains__(self, value: tuple[Any, ...]) -> bool:
        return len(value) >= self.least

    def __str__(self) -> str:
        return f"of {self.least} or more"


# Kinds that several classes share; flows' parameters, which load no stage, take those of their settings from here.
Share = Annotated[float, Range(0, 1)]
Seed = Annotated[int, Range(0, 2**31 - 1)]
Some = Annotated[int, Range(1)]
Seconds = Annotated[float, Range(0)]
Side = Annotated[int, Range(32, 1024, multiple_of=4)]
"""Of square pictures to learn from, in pixels: generators halve it twice."""
Method = Literal["auto", "plain", "model"]
"""How garments are cut out."""
People = Literal["allow", "refuse"]
"""Whether pictures of people may be cut out."""


class CheckedSettings:
    """Base of frozen dataclasses whose fields are checked when one is made; in ``float`` fields whole numbers become
    floats, in tuples lists become tuples.

    Raises:
        SettingError: naming the field, what it takes and what came.
    """

    def __post_init__(self) -> None:
        for name, kind in kinds(type(self)).items():
            object.__setattr__(self, name, _taken(name, kind, [getattr(self, name)]))
        self.check_together()

    def check_together(self) -> None:
        """Rules between fields: a class that has some raises `SettingError` here."""

    def require(self, where: str, **needed: Any) -> None:
        """Refuse other values than these; ``where`` says when they are needed."""
        for name, value in needed.items():
            if getattr(self, name) != value:
                shown = str(value).lower() if isinstance(value, bool) else value
                raise SettingError(name, getattr(self, name), f"{shown} {where}")

    def with_overrides(self, overrides: Mapping[str, Any] | None = None, /, **values: Any) -> Self:
        """A copy with some fields changed, as `dict.update` takes them; values may be as typed on a command line.

        Raises:
            SettingError: a field that does not exist, or a value that is not allowed.
        """
        return type(self)(**{**vars(self), **_read(type(self), {**(overrides or {}), **values})})

    def to_json(self) -> dict[str, Any]:
        """A JSON value that `from_json` reads back."""
        return {name: _as_lists(getattr(self, name)) for name in kinds(type(self))}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """What `to_json` wrote; fields that are missing take their defaults.

        Raises:
            SettingError: as for `with_overrides`.
        """
        return cls(**_read(cls, values))


def _kinds(settings: Any) -> dict[str, Any]:
    """The type of each field of a settings class, limits included, in their order."""
    hints = get_type_hints(settings, include_extras=True)
    return {field.name: hints[field.name] for field in dataclasses.fields(settings)}


kinds: Callable[[Any], dict[str, Any]] = cache(_kinds)  # typed so, as mypy holds classes for not hashable


def words(kind: Any, limits: str = "") -> str:
    """What a field of this type takes, for people: ``a whole number from 1 to 64 or none``."""
    origin, parts = get_origin(kind), get_args(kind)
    if origin is Annotated:
        return words(parts[0], "".join(f" {limit}" for limit in parts[1:]))
    if origin is Literal:
        return "one of " + ", ".join(map(str, parts))
    if origin is tuple:
        each = list(dict.fromkeys(words(part) for part in parts if part is not ...))
        count = limits if ... in parts else f" of {len(parts)}"
        return f"a list{count}, {'each ' if len(each) == 1 else ''}{', '.join(each)}"
    return " or ".join(map(words, parts)) if parts else _WORDS[kind] + limits


_WORDS = {
    bool: "true or false", int: "a whole number", float: "a number", str: "one line of text", NoneType: "none",
}  # fmt: skip
_TYPED = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False, "none": None}


def _read(settings: type[CheckedSettings], values: Mapping[str, Any]) -> dict[str, Any]:
    known, found = kinds(settings), {}
    for name, value in values.items():
        if name not in known:
            raise UnknownSetting(name, value, known)
        found[name] = _taken(name, known[name], [value, *(_readings(value) if isinstance(value, str) else ())])
    return found


def _readings(text: str) -> Iterator[Any]:
    """What text from a command line may mean, what is likely first."""
    with suppress(ValueError):
        value = json.loads(text)
        yield value
        if isinstance(value, float) and value.is_integer():
            yield int(value)
    if (word := text.strip().lower()) in _TYPED:
        yield _TYPED[word]


def _taken(name: str, kind: Any, readings: list[Any]) -> Any:
    """The first reading that the field takes."""
    for value in readings:
        with suppress(ValueError, OverflowError):
            return _value(kind, value)
    raise SettingError(name, readings[0], words(kind))


def _value(kind: Any, value: Any) -> Any:
    """``value`` as a field of this type holds it; `ValueError` where it takes no such value."""
    origin, parts = get_origin(kind), get_args(kind)
    if origin is Annotated:
        value = _value(parts[0], value)
        fits = all(value in limit for limit in parts[1:])
    elif origin is Literal:
        fits = (type(value), value) in [(type(choice), choice) for choice in parts]
    elif origin is tuple:
        if fits := isinstance(value, Iterable) and not isinstance(value, str | bytes | Mapping):
            values = tuple(value)
            each = parts[:1] * len(values) if ... in parts else parts
            value = tuple(_value(part, one) for part, one in zip(each, values, strict=True))
    elif parts:
        for part in parts:
            with suppress(ValueError):
                return _value(part, value)
        fits = False
    else:
        if kind is float and isinstance(value, int | float) and not isinstance(value, bool):
            value = float(value)
        fits = isinstance(value, kind) and isinstance(value, bool) == (kind is bool) and _sound(value)
    if not fits:
        raise ValueError
    return value


def _sound(value: Any) -> bool:
    return value.isprintable() if isinstance(value, str) else not isinstance(value, float) or math.isfinite(value)


def _as_lists(value: Any) -> Any:
    return [_as_lists(each) for each in value] if isinstance(value, tuple) else value
