"""What it takes to break it: parts that do to the product what strangers and machines do, and say what became of it.

    python -m benchmarks.breaking [PART ...] [--minutes 10] [--photos DIR]

A part is a function of `Budget` that yields `Row`s; those of `PARTS` run where none is named. Everything is on this
machine's loopback, in folders of their own. ``--photos`` are pictures of people; without it the sample world's are
taken. Exit 1 where a part lost something.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import re
import signal
import socket
import statistics
import struct
import subprocess
import sys
import tempfile
import threading
import time
import zlib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from http.client import HTTPConnection
from pathlib import Path

import numpy as np
import psutil
from PIL import Image

CLIENTS, PHOTOS = 20, 10
BOUNDARY = "----breaking"


@dataclass(frozen=True)
class Budget:
    """What a part may use."""

    until: float
    """`time.monotonic` at which it has to end."""
    photos: Sequence[bytes]

    @property
    def left(self) -> float:
        """Seconds."""
        return self.until - time.monotonic()


@dataclass(frozen=True)
class Row:
    """One line of the table."""

    done: str
    answers: str
    seconds: str = ""
    memory: str = ""
    lost: str = ""
    """What should not have been lost; empty is what is wanted."""


# The page.


@dataclass
class Page:
    """A page that is served, as a stranger and its owner see it."""

    address: tuple[str, int]
    process: psutil.Process
    answers: Counter[int] = field(default_factory=Counter)
    seconds: list[float] = field(default_factory=list)

    def memory(self) -> int:
        """Resident megabytes of the server and of its workers together."""
        all_of_it = [self.process, *self.process.children(recursive=True)]
        return round(sum(process.memory_info().rss for process in all_of_it) / 1e6)

    def post(self, picture: bytes, source: str = "127.0.0.1", style: str = "red-solid") -> int:
        """The status of one try-on; 0 where the connection broke."""
        body = (
            f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="style"\r\n\r\n{style}\r\n--{BOUNDARY}\r\n'
            'Content-Disposition: form-data; name="photo"; filename="me"\r\n\r\n'
        ).encode() + picture + f"\r\n--{BOUNDARY}--\r\n".encode()  # fmt: skip
        begun, status = time.monotonic(), 0
        connection = HTTPConnection(*self.address, timeout=150, source_address=(source, 0))
        with contextlib.suppress(OSError), contextlib.closing(connection):
            connection.request("POST", "/try-on", body, {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"})
            answer = connection.getresponse()
            answer.read()
            status = answer.status
        if status == 200:
            self.seconds.append(time.monotonic() - begun)
        self.answers[status] += 1
        return status

    def told(self) -> str:
        """The answers since the last time, and forget them."""
        told = ", ".join(f"{count} x {status or 'broken'}" for status, count in sorted(self.answers.items()))
        self.answers.clear()
        return told

    def median(self) -> str:
        """The median time of what was served since the last time, and forget it."""
        told = f"median {statistics.median(self.seconds):.1f} s" if self.seconds else ""
        self.seconds.clear()
        return told


def free_port() -> int:
    """A port of the loopback that nobody has at the moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def served_page() -> Iterator[Page]:
    """``fittingroom app`` with the starter models, in a workspace of its own."""
    with tempfile.TemporaryDirectory() as folder:
        process = subprocess.Popen(
            [sys.executable, "-c", f"from fittingroom.cli import main; main(['app', '--port', '{free_port()}'])"],
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "FITTINGROOM_WORKSPACE": folder},
        )
        assert process.stderr is not None
        said: list[str] = []
        for line in process.stderr:
            said.append(line)
            if found := re.search(r"http://([^:]+):(\d+)", line):
                break
        else:
            raise SystemExit("the page did not start: " + "".join(said))
        threading.Thread(target=lambda: [said.append(line) for line in process.stderr or ()], daemon=True).start()
        try:
            yield Page((found[1], int(found[2])), psutil.Process(process.pid))
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(60)


def page(budget: Budget) -> Iterator[Row]:
    """The try-on page: a crowd, a crowd that comes back, hostile pictures, and its memory all the while."""
    with served_page() as served:
        with ThreadPoolExecutor(2) as both:
            list(both.map(served.post, (budget.photos * 20)[:20]))
        warm = served.memory()
        yield Row("20 photos, two at a time", served.told(), served.median(), f"{warm} MB, taken as warm")

        def visit(client: int, again: bool, until: float) -> None:
            for picture in (budget.photos * PHOTOS)[:PHOTOS]:
                while time.monotonic() < until:
                    if served.post(picture, f"127.0.0.{client + 2}") == 200 or not again:
                        break
                    time.sleep(1)

        for again in (False, True):
            begun = time.monotonic()
            until = begun + budget.left * 0.3
            with ThreadPoolExecutor(CLIENTS) as clients:
                list(clients.map(visit, range(CLIENTS), [again] * CLIENTS, [until] * CLIENTS))
            took = f"{time.monotonic() - begun:.0f} s, {served.median()}"
            what = f"{CLIENTS} clients, up to {PHOTOS} photos each" + (", refused ones again" if again else "")
            lost = f"{served.answers[0]} connections" if served.answers[0] else ""
            yield Row(what, served.told(), took, _grown(served, warm), lost)
        begun, worst = time.monotonic(), (0.0, "")
        for name, picture in hostile_pictures():
            before = time.monotonic()
            served.post(picture)
            worst = max(worst, (time.monotonic() - before, name))
        took = f"{time.monotonic() - begun:.0f} s, worst {worst[0]:.1f} s ({worst[1]})"
        lost = ", ".join(f"{served.answers[status]} x {status}" for status in (0, 500) if served.answers[status])
        yield Row("50 hostile pictures, one after another", served.told(), took, _grown(served, warm), lost)
        done = 0
        while budget.left > 30 and done < 400:
            served.post(budget.photos[done % len(budget.photos)])
            done += 1
        lost = "" if set(served.answers) <= {200, 422} else "a photo"
        yield Row(f"{done} photos, one after another", served.told(), served.median(), _grown(served, warm), lost)
        yield from _crowds(served, warm, budget)


def _crowds(served: Page, warm: int, budget: Budget) -> Iterator[Row]:
    """Connections and uploads that never end, and a visitor among them."""
    with contextlib.ExitStack() as open_ones:
        head = (
            "POST /try-on HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 9999999\r\n"
            f"Content-Type: multipart/form-data; boundary={BOUNDARY}\r\n\r\n--{BOUNDARY}\r\n"
        ).encode()
        for begun, many, what in ((b"", 600, "idle connections"), (head, 40, "uploads that never end")):
            for _ in range(many):
                connection = open_ones.enter_context(socket.create_connection(served.address, 20))
                with contextlib.suppress(OSError):
                    connection.sendall(begun)
            status = served.post(budget.photos[0])
            lost = "" if status in (200, 422) else "the visitor"
            yield Row(f"{many} {what}, and a visitor", served.told(), served.median(), _grown(served, warm), lost)


def _grown(served: Page, warm: int) -> str:
    now = served.memory()
    return f"{now} MB ({(now - warm) / warm:+.0%})"


def hostile_pictures() -> Iterator[tuple[str, bytes]]:
    """Fifty pictures that are small files, and large or slow to decode, or no pictures at all."""
    black = Image.new("RGB", (6300, 6300))
    whole = {
        kind: _encoded(black, kind, **options)
        for kind, options in (
            ("PNG", {"optimize": True}),
            ("JPEG", {"progressive": True}),
            ("WEBP", {"lossless": True}),
            ("GIF", {}),
        )
    }
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (1500, 1500, 3), np.uint8))
    whole["PNG of noise"] = _encoded(noise, "PNG")
    bomb = zlib.compress(bytes(100_000_000), 9)
    large = whole["PNG"][:16] + struct.pack(">II", 50_000, 50_000) + whole["PNG"][24:]
    same = [
        ("PNG of 2.5 billion pixels", large),
        ("PNG with a text bomb", _with_chunk(whole["PNG of noise"], b"zTXt", b"Comment\0\0" + bomb)),
        ("JPEG of thousands of scans", _many_scans(whole["JPEG"], 3000)),
        ("JPEG of 30 scans", _many_scans(whole["JPEG"], 30)),
        ("a page", b"<html>" * 1000),
    ]
    for number in range(10):
        kind, data = list(whole.items())[number % len(whole)]
        yield f"{kind} of 40 million pixels" if "noise" not in kind else kind, data
        yield f"{kind} cut off", data[: len(data) * (number + 50) // 100]
        yield f"{kind} with bits turned", _turned(data, number)
        yield same[number % len(same)]
        yield same[(number + 2) % len(same)]


def _encoded(image: Image.Image, kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def _with_chunk(png: bytes, name: bytes, data: bytes) -> bytes:
    chunk = struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
    return png[:33] + chunk + png[33:]


def _many_scans(jpeg: bytes, scans: int) -> bytes:
    """A progressive JPEG whose last scan comes again and again."""
    last = jpeg.rindex(b"\xff\xda")
    return jpeg[:last] + jpeg[last:-2] * scans + jpeg[-2:]


def _turned(data: bytes, number: int) -> bytes:
    random = np.random.default_rng(number)
    turned = bytearray(data)
    for place in random.integers(len(data) // 20, len(data), 20):
        turned[int(place)] ^= 1 << int(random.integers(8))
    return bytes(turned)


# The table.


PARTS: dict[str, Callable[[Budget], Iterator[Row]]] = {"page": page}


def _photos(folder: Path | None) -> list[bytes]:
    """The photos to send: ten of a folder, or of the sample world."""
    if folder is not None:
        found = sorted(path for path in folder.iterdir() if path.suffix.lower() in (".jpg", ".jpeg", ".png"))
        return [path.read_bytes() for path in found[:PHOTOS]]
    from fittingroom.images import encode_jpeg
    from fittingroom.sample.deepfashion2_set import render_numbered, viewpoints

    views = viewpoints(PHOTOS, 0)
    return [encode_jpeg(render_numbered(n + 1, view, 7, 640, 480).image) for n, view in enumerate(views)]


def main() -> int:
    """Run the parts that are named, or all, and print their table as it grows."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(PARTS)}; all where none is named")
    parser.add_argument("--minutes", type=float, default=10.0, help="for all parts together")
    parser.add_argument("--photos", type=Path, help="a folder of pictures of people")
    asked = parser.parse_args()
    if unknown := set(asked.parts) - set(PARTS):
        parser.error(f"expected parts of {', '.join(PARTS)}, got {', '.join(sorted(unknown))}")
    chosen = asked.parts or list(PARTS)
    photos, lost = _photos(asked.photos), False
    end = time.monotonic() + 60 * asked.minutes
    print("| part | what was done | answers | time | memory | lost |\n|---|---|---|---|---|---|", flush=True)
    for number, name in enumerate(chosen):
        share = (end - time.monotonic()) / (len(chosen) - number)
        for row in PARTS[name](Budget(time.monotonic() + share, photos)):
            lost = lost or bool(row.lost)
            cells = (name, row.done, row.answers, row.seconds, row.memory, row.lost or "nothing")
            print(f"| {' | '.join(cells)} |", flush=True)
    return int(lost)


if __name__ == "__main__":
    raise SystemExit(main())
