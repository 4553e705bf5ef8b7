"""Ids of requests, and logs as JSON, an object a line: what was asked for, and how it ended. No photo is in
them, and no file name.
"""

from __future__ import annotations

import contextvars
import json
import logging
import re
import sys
import time
import uuid
from datetime import UTC, datetime
from typing import Any

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

REQUEST_ID = "X-Request-ID"
_SANE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_HIDDEN = re.compile(r"(?<=/jobs/)[^/]+")
_current: contextvars.ContextVar[str | None] = contextvars.ContextVar("request_id", default=None)
_LOGGERS = ("", "fittingroom.app", "uvicorn")
"""The root's, too: what else libraries have to say."""
log = logging.getLogger("fittingroom.app.requests")


class Requests:
    """Gives each request its id, the one it came with where that is sane, and logs its end."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id, begun, status = id_of(scope), time.perf_counter(), 500

        async def with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message)[REQUEST_ID] = request_id
            await send(message)

        before = _current.set(request_id)
        try:
            await self._app(scope, receive, with_id)
        finally:
            said = {
                "method": scope["method"],
                "path": _HIDDEN.sub("*", scope["path"])[:200],
                "status": status,
                "seconds": round(time.perf_counter() - begun, 4),
                "key": scope["state"].get("key"),
            }
            log.info("answered", extra={"request": said})
            _current.reset(before)


def id_of(scope: Scope) -> str:
    """The id of a request, the same each time it is asked for."""
    state = scope.setdefault("state", {})
    if "request_id" not in state:
        sent = Headers(scope=scope).get(REQUEST_ID, "")
        state["request_id"] = sent if _SANE.fullmatch(sent) else uuid.uuid4().hex
    return str(state["request_id"])


class JsonLines(logging.Formatter):
    """A record as a JSON object in a line."""

    def format(self, record: logging.LogRecord) -> str:
        """``{"time": "2026-01-01T00:00:00+00:00", "level": "error", "logger": ..., "message": ..., ...}``"""
        said: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            "request_id": _current.get(),
        }
        said |= getattr(record, "request", {})
        if record.exc_info:
            said["exception"] = self.formatException(record.exc_info)
        return json.dumps({name: value for name, value in said.items() if value is not None}, ensure_ascii=False)


def log_as_json() -> None:
    """From now on the server's log is JSON on the error output, the requests that went well too."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines())
    for name in _LOGGERS:
        logger = logging.getLogger(name)
        logger.handlers, logger.propagate = [handler], False
    logging.getLogger("fittingroom.app").setLevel(logging.INFO)
