"""Perceptual hashes of 64 bits, and which of many are nearly one: a comparison of packed numbers, about a nanosecond
each."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from fittingroom.images import RGB

_SAME_LOOK = 3.0
"""Mean difference of two 32 x 32 thumbnails, in levels of 255, up to which near duplicates are the same picture.
A perceptual hash sees light and dark only: a red and a green garment of one cut have the same one."""


def same_look(first: RGB, second: RGB) -> bool:
    """Whether two pictures of nearly one hash are nearly one picture, by their thumbnails."""
    return bool(np.abs(first.astype(np.int16) - second).mean() <= _SAME_LOOK)


class HashIndex:
    """Hashes by key. A key that is put again keeps its place; answers come in the order of the places."""

    def __init__(self) -> None:
        self._bits: npt.NDArray[np.uint64] = np.zeros(64, np.uint64)
        self._keys: list[str | None] = []
        self._places: dict[str, int] = {}

    def put(self, key: str, value: int) -> None:
        """Hold ``value`` (64 bits, unsigned) under ``key``."""
        if key not in self._places:
            if len(self._keys) == len(self._bits):
                self._grow()
            self._places[key] = len(self._keys)
            self._keys.append(key)
        self._bits[self._places[key]] = value

    def drop(self, key: str) -> None:
        """Forget ``key``, where it is known."""
        place = self._places.pop(key, None)
        if place is not None:
            self._keys[place] = None

    def within(self, value: int, bits: int) -> list[str]:
        """Keys whose hashes differ from ``value`` in at most ``bits`` places."""
        distances = np.bitwise_count(self._bits[: len(self._keys)] ^ np.uint64(value))
        return [key for place in np.flatnonzero(distances <= bits) if (key := self._keys[place]) is not None]

    def _grow(self) -> None:
        """Close the gaps of what was dropped, and make room for as many again."""
        used = self._bits[[place for place, key in enumerate(self._keys) if key is not None]]
        self._bits = np.concatenate([used, np.zeros(len(used) + 64, np.uint64)])
        self._keys = [key for key in self._keys if key is not None]
        self._places = {key: place for place, key in enumerate(self._keys) if key is not None}
