"""Which category a name means, which number a picture has, and which names are safe to join to a folder."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from pathlib import PurePosixPath

from fittingroom.annotations.fields import Place, integer
from fittingroom.categories import CATEGORY_IDS, CATEGORY_NAMES
from fittingroom.workspace import digest_bytes

_SEPARATORS = re.compile(r"[\s_\-]+")
_DIGITS = re.compile(r"[0-9]+")
_NUMBER = re.compile(r"-?[0-9]{1,30}(?:\.[0-9]{1,30})?")
_DRIVE = re.compile(r"[a-zA-Z]:")
_COMMON_ITEMS = {f"item{number}": number for number in range(1, 100)}
_SIX_DIGITS = re.compile(r"(?:.*/)?([0-9]{6})(?:\.[^./]+)?", re.DOTALL)
LONGEST_NAME = 1000
"""Characters of a picture's name, folders included."""
_HASHED = 10**12
"""Ids made from a name's digest lie in 10**12 .. 2 * 10**12: above any number taken from a name, and so sparse that two
of 200,000 names share one in one set out of fifty (`clashing_ids` parts them)."""

Key = int | float | str
"""What ids of foreign documents are compared by."""


def category_by_name(name: str) -> int | None:
    """The id that a name means: any case and separators, and the spelling of DeepFashion2's COCO script.

    That script says ``short_sleeved_shirt`` for what the README calls ``short sleeve top``.
    """
    words = _SEPARATORS.sub(" ", name.strip().lower())
    words = words.replace("sleeved", "sleeve").replace("outerwear", "outwear")
    return CATEGORY_IDS.get(words.replace("sleeve shirt", "sleeve top"))


def category(number: object, name: object, place: Place, trust_name: bool = False) -> int | None:
    """The category of a garment from its id and its name, or None with a finding.

    When they disagree the id is believed; ``trust_name`` turns that round, for documents that bring their own ids.
    """
    stated = integer(number, "category_id", place)
    by_id = stated if stated in CATEGORY_NAMES else None
    by_name = category_by_name(name) if isinstance(name, str) else None
    found = (by_name or by_id) if trust_name else (by_id or by_name)
    if trust_name and isinstance(name, str) and by_name is None:
        found = None  # an id of a foreign category list means something else here
    if found is None:
        shown = repr(name)[:60]
        expected = "one of the 13 names, got" if trust_name else f"id 1 to 13, got {number!r:.40},"
        place.note("unknown_category", f"category: expected {expected} {shown}", "garment left out")
        return None
    readme = CATEGORY_NAMES[found]
    if isinstance(name, str) and name != readme:
        if by_name == found:
            place.note("category_spelling", f"category_name: {name[:60]!r}", f"read as {readme!r}")
        else:
            place.note("category_mismatch", f"category {found} is {readme!r}, got {name[:60]!r}", f"read as {readme!r}")
    elif not trust_name and by_id is None:
        place.note("category_mismatch", f"category_id: {number!r:.40} for {readme!r}", f"read as {found}")
    return found


def image_id(name: str) -> int:
    """The number in a picture's name (``000012.jpg`` is 12); names with none, or several, get a stable large one."""
    stem = PurePosixPath(name).stem
    found = _DIGITS.findall(stem)
    if len(found) == 1 and len(found[0]) <= 9:
        return int(found[0])
    return hashed_id(name)


def hashed_id(name: str) -> int:
    """A stable id in 10**12 .. 2 * 10**12 made from the name alone."""
    return _HASHED + int(digest_bytes(name.encode("utf-8", "replace"))[:16], 16) % _HASHED


def clashing_ids(names: Iterable[str]) -> dict[str, int]:
    """New ids for names that share a number (``1.jpg``, ``000001.jpg``); the six-digit one, or the first, keeps it."""
    names = list(names)
    found = [_SIX_DIGITS.fullmatch(name) for name in names]
    if len({match[1] for match in found if match}) == len(names):
        return {}  # as in the dataset itself
    owner: dict[int, str] = {}
    changed: dict[str, int] = {}
    for name in sorted(names, key=lambda name: (not is_six_digits(name), name)):
        number = image_id(name)
        if number not in owner:
            owner[number] = name
            continue
        number = hashed_id(name)
        while number in owner:
            number += 1
        owner[number] = name
        changed[name] = number
    return changed


def is_six_digits(name: str) -> bool:
    """Whether a name is like DeepFashion2's own: ``000012.jpg``."""
    return _SIX_DIGITS.fullmatch(name) is not None


def annotation_stem(name: str) -> str:
    """The name of a picture's annotation file without its suffix; pictures in folders keep the folder in the name."""
    return "__".join(PurePosixPath(name).with_suffix("").parts)


def is_safe(name: str) -> bool:
    """Whether a relative name stays inside the folder it is joined to, whichever slash the system knows."""
    path = PurePosixPath(name.replace("\\", "/"))
    parts_fine = bool(path.parts) and not any(part in ("..", "") for part in path.parts)
    outside = path.is_absolute() or _DRIVE.match(name) is not None
    return parts_fine and not outside and "\0" not in name and len(name) < LONGEST_NAME


def key(value: object) -> Key | None:
    """What an id of a foreign document is joined by: ``7``, ``7.0``, ``"7"`` and ``"007"`` are one id, a UUID or a
    name is itself; None for no id. Mongo's ``{"$oid": "..."}`` is what it holds."""
    if type(value) is int:
        return value
    if isinstance(value, dict) and len(value) == 1:
        (value,) = value.values()
    if isinstance(value, str):
        value = value.strip()
        if not _NUMBER.fullmatch(value):
            return value or None
        value = float(value) if "." in value else int(value)
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return int(value) if value == int(value) else value


def garment_ids(image: int, items: Iterable[str]) -> list[int]:
    """COCO ids of one picture's garments, stable whatever else is in the document: image id * 1000 + item number.

    Items without a number of 1 to 999, or whose number is taken, get free numbers from 999 down. The ids of a picture
    with more garments than that are counted from 10**15 + image id * 10**6.
    """
    keys = list(items)
    if len(keys) > 999:
        return [10**15 + image * 10**6 + index for index in range(len(keys))]
    taken: set[int] = {0}
    chosen: list[int | None] = []
    for key in keys:
        number = _COMMON_ITEMS.get(key)
        if number is None:
            digits = _DIGITS.findall(key)
            number = int(digits[0]) if len(digits) == 1 and len(digits[0]) <= 3 else 0
        chosen.append(None if number in taken else number)
        taken.add(number)
    free = (number for number in range(999, 0, -1) if number not in taken)
    return [image * 1000 + (next(free) if number is None else number) for number in chosen]
