"""The page on a port of this machine, and bytes sent to it by hand."""

from __future__ import annotations

import contextlib
import io
import socket
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import uvicorn
from PIL import Image

from fittingroom.api_keys import Keys
from fittingroom.app import create_app, room
from fittingroom.app.server import config_of, names_of
from fittingroom.appearance.choose import AvailableStyle
from fittingroom.categories import CATEGORY_IDS
from fittingroom.garment import Garment
from fittingroom.images import RGB
from fittingroom.masks import Mask
from fittingroom.style_card import Lab

BOUNDARY = b"----here"


class Models:
    """Finds the middle of any picture, takes its time, and paints it red."""

    size = 32
    seconds = 0.0

    def styles(self) -> list[AvailableStyle]:
        return [AvailableStyle("red-solid", "red", "solid", "vest", (45.0, 60.0, 40.0))]

    def versions(self) -> dict[str, int | None]:
        return {style.name: 1 for style in self.styles()}

    def segmenter(self) -> Models:
        return self

    def translator(self, style: str) -> Models:
        assert style == "red-solid"
        return self

    def domains(self, style: str) -> dict[str, str]:
        return {"segmenter": "photo", style: "photo"}

    def weights_of(self, style: str) -> dict[str, str]:
        return {"segmenter": "version 1", f"style {style}": "version 2"}

    def find(self, image: np.ndarray, score_threshold: float | None = None) -> list[Garment]:
        assert score_threshold is None
        time.sleep(self.seconds)
        mask = np.zeros(image.shape[:2], bool)
        mask[10:-10, 10:-10] = True
        return [Garment(CATEGORY_IDS["vest"], 0.9, mask)]

    def translate(self, image_rgb: RGB, mask: Mask, dyes: Sequence[Lab] | None = None) -> RGB:
        assert dyes is None
        return np.where(mask[..., None], np.array([200, 30, 40], np.uint8), image_rgb)


@contextlib.contextmanager
def serving(
    tmp_path: Path, models: room.Models | None = None, host: str = "127.0.0.1", keys: Keys | None = None
) -> Iterator[tuple[str, int]]:
    """Serve for the block; the address and the port."""
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    listener.bind((host, 0))
    app = create_app(tmp_path, models or Models(), allowed_hosts=names_of(listener), keys=keys)
    server = uvicorn.Server(config_of(app))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    while not server.started:
        time.sleep(0.02)
    try:
        yield host, listener.getsockname()[1]
    finally:
        server.should_exit = True
        thread.join(30)
    assert not thread.is_alive()


def photo(side: int = 60) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (side, side, 3), np.uint8)).save(buffer, "PNG")
    return buffer.getvalue()


def form(picture: bytes) -> bytes:
    """The form's body."""
    return (
        b"--" + BOUNDARY + b'\r\nContent-Disposition: form-data; name="style"\r\n\r\nred-solid\r\n--' + BOUNDARY
        + b'\r\nContent-Disposition: form-data; name="photo"; filename="me.png"\r\n\r\n' + picture
        + b"\r\n--" + BOUNDARY + b"--\r\n"
    )  # fmt: skip


def head(
    host: str,
    length: int = 0,
    method: str = "POST",
    path: str = "/try-on",
    content_type: str = "multipart/form-data; boundary=----here",
    **more: str,
) -> bytes:
    """A request's line and headers."""
    headers = {"Host": host, "Content-Length": str(length), "Content-Type": content_type} | more
    return "\r\n".join([f"{method} {path} HTTP/1.1", *(f"{k}: {v}" for k, v in headers.items()), "", ""]).encode()


def connect(where: tuple[str, int], source: str | None = None, seconds: float = 60) -> socket.socket:
    return socket.create_connection(where, seconds, source_address=(source, 0) if source else None)


def answer(connection: socket.socket) -> bytes:
    """Everything up to the connection's end."""
    parts = []
    with contextlib.suppress(ConnectionError):
        while part := connection.recv(1 << 16):
            parts.append(part)
    return b"".join(parts)


def status(answered: bytes) -> int:
    """0 where nothing was answered."""
    return int(answered.split(b" ", 2)[1]) if answered else 0


def ask(where: tuple[str, int], source: str | None = None, **more: str) -> int:
    """The status of a try-on from an address of this machine."""
    host = f"[{where[0]}]" if ":" in where[0] else where[0]
    body = form(photo())
    with connect(where, source) as connection:
        connection.sendall(head(f"{host}:{where[1]}", len(body), Connection="close", **more) + body)
        return status(answer(connection))
