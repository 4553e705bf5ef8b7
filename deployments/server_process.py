"""``python -m deployments.server_process SOCKET PARENT``: Prefect's server, as `deployments.server` starts it.

It listens on a socket that it is handed, ends with the process that started it however that ends, and proves to who
asks that it is the server whose token they know.
"""

from __future__ import annotations

import hmac
import os
import socket
import sys
import threading
import time

import uvicorn
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

PROOF = "/fittingroom/proof"
"""Where the server proves whose it is: the answer to ``?to=WORD`` is `proof` of the word."""
TOKEN = "FITTINGROOM_SERVER_TOKEN"
EPHEMERAL = "FITTINGROOM_SERVER_EPHEMERAL"
"""Variable: no UI and no services behind schedules, for a single run."""
_LOOK_SECONDS = 0.5


def proof(token: str, word: str) -> str:
    """What only who knows the token can say to a word that was never used before."""
    return hmac.new(token.encode(), word.encode(), "sha256").hexdigest()


def _end_with(parent: int) -> None:
    """End when the parent has; looked at and not left to the system, for not every system can."""
    while os.getppid() == parent:
        time.sleep(_LOOK_SECONDS)
    os._exit(1)


def _answer(request: Request) -> PlainTextResponse:
    return PlainTextResponse(proof(os.environ[TOKEN], request.query_params.get("to", "")))


def main() -> None:
    """Serve until SIGTERM, or until the parent is gone."""
    descriptor, parent = map(int, sys.argv[1:])
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()
    from prefect.server.api.server import create_app

    app = create_app(ephemeral=EPHEMERAL in os.environ, final=True)
    app.router.routes.insert(0, Route(PROOF, _answer))
    uvicorn.Server(uvicorn.Config(app, log_level="warning")).run(sockets=[socket.socket(fileno=descriptor)])


if __name__ == "__main__":
    main()
