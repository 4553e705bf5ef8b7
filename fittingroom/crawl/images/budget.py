"""How much memory pictures may take while they are decoded, over all threads of this process.

A small file can stand for many pixels, and sixteen workers may meet sixteen such files at once: each takes what it may
need before it decodes, and waits while the others have it.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator

PROVING = {"JPEG": 6}
"""Bytes per pixel to prove a picture whole whose bytes are kept: a progressive JPEG's coefficients."""
DECODING = {"JPEG": 10, "PNG": 12, "GIF": 12, "AVIF": 12, "WEBP": 18}
"""Bytes per pixel of Pillow's decoders at their worst, as measured: turned, see-through, animated."""


class Budget:
    """So many bytes, to be shared."""

    def __init__(self, total: int) -> None:
        self.total = total
        self._left = total
        self._changed = threading.Condition()

    @contextlib.contextmanager
    def hold(self, amount: int) -> Iterator[None]:
        """Wait for ``amount`` bytes and have them for the block; more than there are at all waits for all of them."""
        amount = min(amount, self.total)
        with self._changed:
            self._changed.wait_for(lambda: self._left >= amount)
            self._left -= amount
        try:
            yield
        finally:
            with self._changed:
                self._left += amount
                self._changed.notify_all()


BUDGET = Budget(300_000_000)
"""For all pictures under way at once. A single one that would need more is refused."""
