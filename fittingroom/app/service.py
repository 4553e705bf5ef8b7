"""What the page and the API have in common: the models, the line before them, and the room where photos are dressed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException

from fittingroom.app.asked import Asked
from fittingroom.app.limits import Line
from fittingroom.app.metrics import Metrics
from fittingroom.app.room import AT_ONCE, Answer, Models, Room
from fittingroom.appearance.choose import AvailableStyle

MAX_WAITING = 24
"""Requests that may wait for their turn; further ones are told to come back."""
WAIT_SECONDS = 60.0
"""The longest wait; who waited so long is told to come back, too."""

Told = Callable[[dict[str, Any]], None]
"""Hears the states of a try-on: ``{"state": "waiting", "place": 2}``, ``{"state": "painting"}``."""
Offer = tuple[list[AvailableStyle], dict[str, int | None]]
"""What can be tried on, and by the styles' names which version serves; None for a starter."""


class Service:
    """One for each server. Lives on the event loop."""

    def __init__(self, models: Models) -> None:
        self._models = models
        self._line = Line(AT_ONCE, MAX_WAITING, WAIT_SECONDS)
        self._room = Room(models)
        self.metrics = Metrics(models)
        self.metrics.watch("waiting", "Try-ons that wait for their turn.", lambda: self._line.waiting)

    def stop(self) -> None:
        """Nothing new is begun, and no picture is decoded to its end."""
        self._line.close()
        self._room.close()

    async def offer(self) -> Offer:
        """What serves now: a champion that was promoted a moment ago is in it."""
        return await asyncio.to_thread(lambda: (self._models.styles(), self._models.versions()))

    async def styles(self) -> list[AvailableStyle]:
        """What can be tried on now."""
        return await asyncio.to_thread(self._models.styles)

    async def try_on(
        self, client: str, photo: UploadFile, asked: Asked, tell: Told, patience: float | None = None
    ) -> Answer:
        """One try-on, when the client's turn has come; ``patience`` is the longest wait in seconds, else the page's.

        Raises:
            HTTPException: 503, the line is full, or the wait is too long. FittingroomError: what `Room.dress` raises.
        """

        clock = self.metrics.clock()

        def waiting(place: int) -> None:
            tell({"state": "waiting", "place": place})

        def began(step: str) -> None:
            clock.begin(step)
            tell({"state": step})

        async with self._line.turn(client, waiting, patience):
            answer = await self._room.dress(await photo.read(), asked, began)
        clock.end()
        self.metrics.made(answer.style)
        return answer

    async def sample(self, name: str) -> bytes:
        """A garment in a style, as a PNG.

        Raises:
            HTTPException: 404, there is no such style. FittingroomError: its weights cannot be had.
        """
        styles, versions = await self.offer()
        style = next((each for each in styles if each.name == name), None)
        if style is None:
            raise HTTPException(404)
        return await self._room.sample(style, versions.get(name))
