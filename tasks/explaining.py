"""Why a step ran though something like it was done before: what of its key differs from the nearest earlier one.

What a key was made of is remembered for each step that was done, in ``<workspace>/cache/steps.sqlite3``: numbers as
they are, all else (text, names of files, contents) as the start of a digest only. A step that is found done asks and
writes nothing here. It is worth only its words: where it cannot be read or written, a step runs and says less.
"""

from __future__ import annotations

import contextlib
import json
import sqlite3
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, is_dataclass
from typing import Any

from pydantic import BaseModel

from fittingroom.workspace import Workspace, digest_value

MEMORY = "steps.sqlite3"
KEPT = 1000
"""Keys remembered of one step and subject: a style has a shard for each 256 pictures."""
MOST_NAMED = 4
"""Differences that a reason names."""
_TABLE = """CREATE TABLE IF NOT EXISTS steps (step TEXT, subject TEXT, key TEXT, version INTEGER, parts TEXT, at REAL,
    PRIMARY KEY (step, subject, key)) WITHOUT ROWID"""
_PRUNE = """DELETE FROM steps WHERE step = ?1 AND subject = ?2 AND key NOT IN
    (SELECT key FROM steps WHERE step = ?1 AND subject = ?2 ORDER BY at DESC LIMIT ?3)"""
_SUBJECTS = ("model", "style", "name")
_SHARDED = ("shard", "cut", "persons")
"""Arguments that hold one shard of many: one that shares nothing with another is no earlier state of it."""
_NOUNS = {
    "shard": "picture", "cut": "cut-out", "persons": "photo", "source": "folder of other garments",
    "fetched": "shard", "pictures": "picture", "lists": "list of addresses", "entry.sources": "source",
}  # fmt: skip
_LABELS = {
    "target": "the style's pictures",
    "translator": "the style's weights",
    "segmenter": "the segmenter's weights",
}
_LABELS |= {f"entry.{name}": name for name in ("category", "colour", "pattern")}
_HOLDERS = ("source", "lists")
"""Arguments whose members hold others: one in the place of another is the same one, changed."""
_WAIT = 5.0

Part = Any
"""A number, a boolean, None or text, or ``{"members": [...], "digest": ...}`` for many things of one kind."""


@dataclass(frozen=True)
class Call:
    """A step with its arguments, as its key sees them."""

    step: str
    version: int
    subject: str
    parts: dict[str, Part]

    @classmethod
    def of(cls, step: str, version: int, arguments: Mapping[str, Any]) -> Call:
        """Of the arguments that are part of the key."""
        given = [arguments[name] for name in _SUBJECTS if isinstance(arguments.get(name), str)]
        return cls(step, version, given[0] if given else "", dict(_parts("", arguments)))


def remember(workspace: Workspace, *done: tuple[str, Call]) -> None:
    """Steps were done, each under its key."""
    rows = [(call.step, call.subject, key, call.version, json.dumps(call.parts), time.time()) for key, call in done]
    with contextlib.suppress(sqlite3.Error, OSError), _memory(workspace) as memory, memory:
        memory.executemany("INSERT OR REPLACE INTO steps VALUES (?, ?, ?, ?, ?, ?)", rows)
        memory.executemany(_PRUNE, {(step, subject, KEPT) for step, subject, *_ in rows})


def why_not_done(workspace: Workspace, key: str, call: Call) -> str:
    """What differs from the nearest call of this step that was done, in words."""
    try:
        with _memory(workspace) as memory:
            found = memory.execute(
                "SELECT key, version, parts FROM steps WHERE step = ? AND subject = ? ORDER BY at DESC",
                (call.step, call.subject),
            ).fetchall()
        earlier = [(name, version, json.loads(parts)) for name, version, parts in found]
    except (sqlite3.Error, OSError, ValueError):
        return "not known to be done"
    if any(name == key for name, _, _ in earlier):
        return "its record was deleted"
    near = [(version, parts) for _, version, parts in earlier if _may_be_of(parts, call.parts)]
    if not near:
        return "not done before"
    version, parts = min(near, key=lambda one: _distance(one[1], call.parts) + (one[0] != call.version))
    said = [f"its code is version {call.version}, was {version}"] if version != call.version else []
    return _in_words(said + _differences(parts, call.parts)) or "not done before"


def what_differs(workspace: Workspace, step: str, pairs: Mapping[str, tuple[str, str]]) -> dict[str, str]:
    """By subject what differs between two calls of a step, in words; none where one of the keys is not remembered.

    Args:
        workspace: where they were remembered.
        step: its name.
        pairs: by subject the keys of the earlier call and of the one that is now.
    """
    rows: list[tuple[str, str, str]] = []
    with contextlib.suppress(sqlite3.Error, OSError), _memory(workspace) as memory:
        query = "SELECT subject, key, parts FROM steps WHERE step = ? AND subject = ? AND key IN (?, ?)"
        for subject, keys in pairs.items():
            rows += memory.execute(query, (step, subject, *keys))
    texts = {(subject, key): text for subject, key, text in rows}
    said: dict[str, str] = {}
    for subject, (earlier, now) in pairs.items():
        with contextlib.suppress(ValueError, KeyError):
            before, after = json.loads(texts[subject, earlier]), json.loads(texts[subject, now])
            said[subject] = _in_words(_differences(before, after))
    return said


def _in_words(differences: list[str]) -> str:
    more = [f"and {len(differences) - MOST_NAMED} more"] if len(differences) > MOST_NAMED else []
    return ", ".join(differences[:MOST_NAMED] + more)


def _parts(name: str, value: Any) -> Iterator[tuple[str, Part]]:
    """What a value adds to a key, flat: the name with dots, and the part."""
    if isinstance(digest := getattr(value, "digest", None), str) and digest:
        files = getattr(value, "names", None)  # a shard's
        short = digest[:16]
        yield name, {"members": [_short(file) for file in files], "digest": short} if files else f"#{short}"
        if getattr(value, "path_in_key", False):
            yield f"{name}.path", f"#{_short(value.path)}"
    elif isinstance(value, BaseModel):
        yield from _parts(name, value.model_dump(mode="json"))
    elif is_dataclass(value) and not isinstance(value, type):
        yield from _parts(name, asdict(value))
    elif isinstance(value, Mapping) and "outputs" in value and "seconds" in value:  # a record
        yield name, {"members": sorted(_short(fact[2]) for fact in value["outputs"].values()), "digest": ""}
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from _parts(f"{name}.{key}" if name else str(key), item)
    elif isinstance(value, list | tuple | set | frozenset):
        members = [_short(dict(_parts("", {"": item}))) for item in value]
        yield name, {"members": members, "digest": _short(members)}
    else:
        yield name, value if value is None or isinstance(value, int | float) else f"#{_short(value)}"


def _short(value: Any) -> str:
    return digest_value(value)[:12]


def _may_be_of(earlier: Mapping[str, Part], now: Mapping[str, Part]) -> bool:
    sharded = [name for name in _SHARDED if _members(earlier.get(name)) and _members(now.get(name))]
    return all(_members(earlier[name]) & _members(now[name]) for name in sharded)


def _members(part: Part) -> set[str]:
    return set(part["members"]) if isinstance(part, dict) else set()


def _distance(earlier: Mapping[str, Part], now: Mapping[str, Part]) -> float:
    return sum(_apart(earlier.get(name), now.get(name)) for name in {*earlier, *now})


def _apart(earlier: Part, now: Part) -> float:
    if earlier == now:
        return 0.0
    a, b = _members(earlier), _members(now)
    return len(a ^ b) / len(a | b) if a & b and a != b else 1.0


def _differences(earlier: Mapping[str, Part], now: Mapping[str, Part]) -> list[str]:
    names = [*now, *(name for name in earlier if name not in now)]
    return [_difference(name, earlier, now) for name in names if earlier.get(name, ...) != now.get(name, ...)]


def _difference(name: str, earlier: Mapping[str, Part], now: Mapping[str, Part]) -> str:
    if name not in earlier:
        return f"{name} is new"
    if name not in now:
        return f"{name} is no longer given"
    before, after = earlier[name], now[name]
    if isinstance(before, dict) and isinstance(after, dict):
        noun = _NOUNS.get(name, f"entry of {name}")
        a, b = _members(before), _members(after)
        if name in _HOLDERS and len(a) == len(b) and a != b:
            return f"{len(a - b)} {_many(noun, len(a - b))} changed"
        counted = [(len(b - a), "new"), (len(a - b), "gone")]
        said = [f"{count} {_many(noun, count)} gone" if word == "gone" else f"{count} new {_many(noun, count)}"
                for count, word in counted if count]  # fmt: skip
        return ", ".join(said) or f"{name} changed"
    if isinstance(before, int | float) and isinstance(after, int | float):
        return f"{name} changed ({before} -> {after})"
    return f"{_LABELS.get(name, name)} changed"


def _many(noun: str, count: int) -> str:
    if count == 1:
        return noun
    head, of, tail = noun.partition(" of ")
    return (f"{head[:-1]}ies" if head.endswith("y") else f"{head}s") + of + tail


@contextlib.contextmanager
def _memory(workspace: Workspace) -> Iterator[sqlite3.Connection]:
    workspace.cache.mkdir(parents=True, exist_ok=True)
    with contextlib.closing(sqlite3.connect(workspace.cache / MEMORY, timeout=_WAIT)) as memory:
        memory.execute("PRAGMA synchronous = OFF")
        memory.execute(_TABLE)
        yield memory
