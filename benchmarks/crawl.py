"""How fast, how evenly and how safely does the crawler fetch? Everything on this machine's loopback.

    python benchmarks/crawl.py throughput [--pictures 5000]   next to a thread pool with requests
    python benchmarks/crawl.py pace                           starts of requests as the server saw them
    python benchmarks/crawl.py resume                         SIGKILL in the middle, then the same again

Each prints JSON. The server is a process of its own: 10 hosts by name on one port, 30 ms before each answer, pictures
of 60 to 300 kB (JPEG with EXIF, some WebP and PNG, a few that are sent twice or are broken). Names are looked up in a
table that knows loopback only, for the crawler and for the plain pool alike.
"""

from __future__ import annotations

import argparse
import asyncio
import collections
import io
import itertools
import json
import multiprocessing
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.robotparser import RobotFileParser

import imagehash
import numpy as np
import requests
from PIL import Image, ImageOps

from fittingroom.crawl import Candidate, CrawlSettings, fetch
from fittingroom.crawl.images.metadata import SUFFIXES, strip
from fittingroom.manifest import ImageRow, Manifest, append
from fittingroom.opening import ALLOWED_FORMATS
from fittingroom.workspace import digest_bytes, write_bytes

HOSTS, LATENCY, CONNECTIONS = 10, 0.030, 2
SETTINGS = CrawlSettings(
    contact="benchmark",
    allow_loopback=True,
    per_host_delay=0,
    workers=HOSTS * CONNECTIONS,
    connections_per_host=CONNECTIONS,
)


# Pictures.


def render(number: int) -> bytes:
    """A picture like no other: coloured blocks under a woven texture, 60 to 300 kB."""
    random = np.random.default_rng(number)
    width, height = int(random.integers(800, 1100)), int(random.integers(900, 1300))
    blocks = random.integers(0, 256, (9, 7, 3), dtype=np.uint8)
    image = np.asarray(Image.fromarray(blocks).resize((width, height), Image.Resampling.BICUBIC)).astype(np.int16)
    weave = random.normal(0, random.uniform(3, 11), (height // 2 + 1, width // 2 + 1, 1)).astype(np.int16)
    image += np.repeat(np.repeat(weave, 2, axis=0), 2, axis=1)[:height, :width]
    picture, buffer = Image.fromarray(np.clip(image, 0, 255).astype(np.uint8)), io.BytesIO()
    if number % 100 == 50:
        picture.resize((260, 320)).save(buffer, "PNG", compress_level=1)
    elif number % 20 == 10:
        picture.save(buffer, "WEBP", quality=85, method=0)
    else:
        exif = Image.Exif()
        exif[0x010E], exif[0x0110] = "a benchmark's picture", "camera " * 40
        picture.save(buffer, "JPEG", quality=80, exif=exif.tobytes())
    return buffer.getvalue()


def render_all(folder: Path, count: int) -> None:
    """Pictures 0 to ``count``; what is there is kept."""
    missing = [number for number in range(count) if not (folder / str(number)).exists()]
    with multiprocessing.Pool() as pool:
        for number, data in zip(missing, pool.imap(render, missing, chunksize=16), strict=True):
            write_bytes(folder / str(number), data)


# The server.


class Connection(asyncio.Protocol):
    """One kept-alive connection; every answer comes `LATENCY` after its request."""

    folder: Path
    log: Any

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport, self.buffer = transport, b""

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        while b"\r\n\r\n" in self.buffer:
            head, _, self.buffer = self.buffer.partition(b"\r\n\r\n")
            path = head.split(b" ", 2)[1].decode()
            host = next((line[6:] for line in head.decode().split("\r\n") if line.lower().startswith("host:")), "")
            self.log.write(f"{time.monotonic()} {host} {path}\n")
            self.log.flush()
            asyncio.get_running_loop().call_later(LATENCY, self.answer, path)

    def answer(self, path: str) -> None:
        name = path.strip("/").partition(".")[0]
        body = self.picture(int(name)) if name.isdecimal() else b"User-agent: *\nDisallow: /private/\n"
        head = f"HTTP/1.1 200 OK\r\nContent-Type: image/jpeg\r\nContent-Length: {len(body)}\r\n\r\n"
        self.transport.write(head.encode() + body)  # type: ignore[attr-defined]

    def picture(self, number: int) -> bytes:
        """2 % are another one sent again, 1 % are cut short."""
        data = (self.folder / str(number - 7 if number % 50 == 7 else number)).read_bytes()
        return data[: len(data) // 2] if number % 100 == 13 else data


def serve(folder: Path, log: Path, port: Any) -> None:
    async def run() -> None:
        Connection.folder, Connection.log = folder, log.open("a")
        server = await asyncio.get_running_loop().create_server(Connection, "127.0.0.1", 0, backlog=256)
        port.value = server.sockets[0].getsockname()[1]
        await server.serve_forever()

    asyncio.run(run())


class Server:
    """The server's process and the log of what it was asked: seconds, host, path."""

    def __init__(self, folder: Path) -> None:
        self.log = Path(tempfile.mkstemp(suffix=".log")[1])
        self._port = multiprocessing.Value("i", 0)
        self._process = multiprocessing.Process(target=serve, args=(folder, self.log, self._port), daemon=True)

    def __enter__(self) -> Server:
        self._process.start()
        while not self._port.value:
            time.sleep(0.01)
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.join()
        self.log.unlink()

    def urls(self, count: int) -> list[str]:
        return [f"http://host{number % HOSTS}.test:{self._port.value}/{number}.jpg" for number in range(count)]

    def requests(self) -> list[tuple[float, str, str]]:
        rows = [line.split() for line in self.log.read_text().splitlines()]
        return [(float(at), host, path) for at, host, path in rows if path != "/robots.txt"]


def stay_on_loopback() -> None:
    """Every name ending in .test is this machine, by whoever asks; any other name is an error."""
    real = socket.getaddrinfo

    def getaddrinfo(host: str, *args: Any, **kwargs: Any) -> Any:
        assert host.endswith(".test") or host == "127.0.0.1", host
        return real("127.0.0.1", *args, **kwargs)

    socket.getaddrinfo = getaddrinfo


# The plain pool: what one would write with requests, Pillow and ImageHash, with the same checks.


class PlainPool:
    """Downloads in threads; the checks are made one after another, by the caller's thread or by each download's."""

    def __init__(self, out: Path) -> None:
        self.out, self.lock = out, threading.Lock()
        self.sessions = threading.local()
        self.robots: dict[str, RobotFileParser] = {}
        self.known: dict[str, str] = {}
        self.near: list[tuple[int, Any, str]] = []

    def download(self, url: str) -> bytes:
        if not hasattr(self.sessions, "session"):
            self.sessions.session = requests.Session()
        session, parts = self.sessions.session, urlsplit(url)
        with self.lock:
            rules = self.robots.get(parts.netloc)
            if rules is None:
                rules = self.robots[parts.netloc] = RobotFileParser()
                rules.parse(session.get(f"http://{parts.netloc}/robots.txt", timeout=10).text.splitlines())
        assert rules.can_fetch("FittingroomBot", url)
        found = bytearray()
        with session.get(url, timeout=10, stream=True) as response:
            response.raise_for_status()
            for chunk in response.iter_content(65_536):
                found += chunk
                assert len(found) <= SETTINGS.max_image_bytes
        return bytes(found)

    def check(self, url: str, data: bytes) -> str:
        """Decode, turn, measure, strip, compare, store: the fate, as the crawler's rows say it."""
        try:
            image = Image.open(io.BytesIO(data), formats=ALLOWED_FORMATS)
            assert image.width * image.height <= SETTINGS.max_pixels
            rgb = ImageOps.exif_transpose(image).convert("RGB")
        except OSError:
            return self.row(ImageRow(key=url, status="failed", reason="truncated"))
        kind = str(image.format)
        stripped = strip(data, kind) or data
        digest, phash = digest_bytes(stripped), int(str(imagehash.phash(rgb)), 16)
        look = np.asarray(rgb.resize((32, 32), Image.Resampling.BOX)).astype(np.int16)
        if digest in self.known:
            return self.row(ImageRow(key=url, status="duplicate", reason="exact", duplicate_of=self.known[digest]))
        for other, other_look, key in self.near:
            if (other ^ phash).bit_count() <= SETTINGS.near_duplicate_bits and np.abs(other_look - look).mean() <= 3:
                return self.row(ImageRow(key=url, status="duplicate", reason="near", duplicate_of=key))
        name = f"{digest}{SUFFIXES[kind]}"
        write_bytes(self.out / name, stripped)
        self.known[digest] = url
        self.near.append((phash, look, url))
        return self.row(ImageRow(key=url, status="kept", path=name, sha256=digest, source_sha256=digest_bytes(data)))

    def row(self, row: ImageRow) -> str:
        append(self.out / "manifest.jsonl", row)
        return f"{row.status} {row.reason}".strip()

    def run(self, urls: list[str], in_threads: bool) -> collections.Counter[str]:
        def both(url: str) -> str:
            data = self.download(url)
            return self.check(url, data)

        fates: collections.Counter[str] = collections.Counter()
        with ThreadPoolExecutor(HOSTS * CONNECTIONS) as pool:
            futures = {pool.submit(both if in_threads else self.download, url): url for url in urls}
            for future in as_completed(futures):
                url, result = futures.pop(future), future.result()
                fates[result if isinstance(result, str) else self.check(url, result)] += 1
        return fates


# The three measurements.


def throughput(folder: Path, count: int) -> dict[str, Any]:
    """Pictures a second of the crawler and of the plain pool, one run each, on the same server."""
    results: dict[str, Any] = {"pictures": count, "load before": os.getloadavg()[0]}

    def measure(name: str, work: Any) -> None:
        with tempfile.TemporaryDirectory() as out:
            start, used = time.perf_counter(), time.process_time()
            fates = work(Path(out))
            seconds = time.perf_counter() - start
            results[name] = {
                "seconds": round(seconds, 1),
                "pictures per second": round(count / seconds, 1),
                "processor ms per picture": round((time.process_time() - used) / count * 1000, 1),
                "fates": dict(sorted(fates.items())),
            }

    with Server(folder) as server:
        urls = server.urls(count)
        candidates = [Candidate(url) for url in urls]
        measure(
            "fittingroom",
            lambda out: collections.Counter(f"{r.status} {r.reason}".strip() for r in fetch(candidates, out, SETTINGS)),
        )
        measure("plain pool, checks one after another", lambda out: PlainPool(out).run(urls, in_threads=False))
        measure("plain pool, checks in its threads", lambda out: PlainPool(out).run(urls, in_threads=True))
    ours = results["fittingroom"]["pictures per second"]
    for name in [name for name in results if name.startswith("plain")]:
        results[f"times the {name}"] = round(ours / results[name]["pictures per second"], 2)
    return results


def pace(folder: Path, delay: float = 0.5, each: int = 40) -> dict[str, Any]:
    """Two shards side by side in one process; the gaps between a host's requests as the server saw them."""
    settings = replace(SETTINGS, per_host_delay=delay)
    with Server(folder) as server, tempfile.TemporaryDirectory() as out, ThreadPoolExecutor(2) as pool:
        urls = server.urls(each * HOSTS)
        shards = [[Candidate(url) for url in part] for part in (urls[::3], [*urls[1::3], *urls[2::3]])]
        list(pool.map(lambda shard: fetch(shard, Path(out), settings), shards))
        seen: dict[str, list[float]] = {}
        for at, host, _ in server.requests():
            seen.setdefault(host, []).append(at)
    gaps = [later - earlier for times in seen.values() for earlier, later in itertools.pairwise(sorted(times))]
    spans = [(max(times) - min(times)) / (len(times) - 1) for times in seen.values()]
    return {
        "delay": delay,
        "requests": sum(len(times) for times in seen.values()),
        "shortest gap, of the delay": round(min(gaps) / delay, 3),
        "gaps under 95 % of the delay": sum(gap < 0.95 * delay for gap in gaps),
        "mean gap of a host, of the delay": [round(min(spans) / delay, 3), round(max(spans) / delay, 3)],
    }


def resume(folder: Path, count: int = 1000, kill_after: int = 350) -> dict[str, Any]:
    """Kill a crawl after so many rows; run it again; count what the server was asked for twice."""
    with Server(folder) as server, tempfile.TemporaryDirectory() as out:
        urls = server.urls(count)
        manifest = Path(out) / "manifest.jsonl"
        process = subprocess.Popen([sys.executable, __file__, "fetch", "--out", out], stdin=subprocess.PIPE, text=True)
        assert process.stdin is not None
        process.stdin.write("\n".join(urls))
        process.stdin.close()
        while not manifest.exists() or manifest.read_bytes().count(b"\n") < kill_after:
            assert process.poll() is None, "it ended before it could be killed"
            time.sleep(0.005)
        process.send_signal(signal.SIGKILL)
        process.wait()
        settled = {row.key for row in Manifest.read(manifest).rows}
        asked = {path for _, _, path in server.requests()}
        rows = fetch([Candidate(url) for url in urls], Path(out), SETTINGS)
        hits = collections.Counter(path for _, _, path in server.requests())
        twice = {url for url in urls if hits[urlsplit(url).path] > 1}
        return {
            "pictures": count,
            "rows when killed": len(settled),
            "asked for when killed, without a row (lost)": len(asked) - len(settled),
            "connections": HOSTS * CONNECTIONS,
            "settled and fetched again": len(twice & settled),
            "fetched twice": len(twice),
            "fetched three times or more": sum(n > 2 for n in hits.values()),
            "rows without a picture asked for": sum(
                row.status == "kept" and not (Path(out) / row.path).exists() for row in rows
            ),
            "torn lines": Manifest.read(manifest).torn_lines,
            "rows in the end": len(Manifest.read(manifest).rows),
        }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["throughput", "pace", "resume", "fetch"])
    parser.add_argument("--pictures", type=int, default=5000)
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()) / "fittingroom-benchmark-pictures")
    parser.add_argument("--out", type=Path, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    stay_on_loopback()
    if asked.what == "fetch":
        fetch([Candidate(url) for url in sys.stdin.read().split()], asked.out, SETTINGS)
        return
    render_all(asked.folder, asked.pictures if asked.what == "throughput" else 1000)
    result = {
        "throughput": lambda: throughput(asked.folder, asked.pictures),
        "pace": lambda: pace(asked.folder),
        "resume": lambda: resume(asked.folder),
    }[asked.what]()
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
