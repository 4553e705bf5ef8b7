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
import socket
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from unittest.mock import patch

import numpy as np

from benchmarks.hostile import garment, hostile_pictures
from benchmarks.served import BOUNDARY, Answer, Page, served_page, started
from fittingroom.images import IMAGE_SUFFIXES
from fittingroom.manifest import Manifest, is_whole

CLIENTS, PHOTOS = 20, 10


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


def page(budget: Budget) -> Iterator[Row]:
    """The try-on page: a crowd, a crowd that comes back, hostile pictures, and its memory all the while."""
    with served_page() as served:
        with ThreadPoolExecutor(2) as both:
            list(both.map(served.post, (list(budget.photos) * 20)[:20]))
        warm = served.memory()
        yield Row("20 photos, two at a time", served.told(), served.median(), f"{warm} MB, taken as warm")

        def visit(client: int, again: bool, until: float) -> None:
            for picture in (list(budget.photos) * PHOTOS)[:PHOTOS]:
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


# The API.


def api(budget: Budget) -> Iterator[Row]:
    """The API: a crowd of programs that come back when they are told to, half of them with jobs."""
    faults: Counter[str] = Counter()
    with served_page() as served:

        def heard(answer: Answer) -> Answer:
            """Refusals say when to come back."""
            if answer.status not in (200, 202, 204, 422) and not (
                answer.status in (409, 429, 503) and "retry-after" in {name.lower() for name in answer.headers}
            ):
                faults[f"{answer.status} {answer.body[:80]!r}" if answer.status else "connections"] += 1
            return answer

        def dressed(client: int, picture: bytes, later: bool) -> Answer:
            source = f"127.0.0.{client + 2}"
            prefer = {"Prefer": "respond-async"} if later else {}
            answer = heard(served.ask("POST", "/v1/try-on", picture, source, Accept="image/png", **prefer))
            place = answer.headers.get("location", "")
            while place and answer.status in (202, 409):
                time.sleep(1)
                answer = heard(served.ask("GET", f"{place}/result", b"", source, Accept="image/png"))
            if place:
                heard(served.ask("DELETE", place, b"", source))
            return answer

        def come(client: int) -> None:
            number = client
            while time.monotonic() < until:
                begun = time.monotonic()
                answer = dressed(client, budget.photos[number % len(budget.photos)], later=client % 2 == 1)
                if answer.status == 200:
                    served.seconds.append(time.monotonic() - begun)
                    number += 1
                else:
                    time.sleep(min(float(answer.headers.get("retry-after", 1)), max(until - time.monotonic(), 0)))

        until = 0.0
        for number in range(6):
            dressed(0, budget.photos[number % len(budget.photos)], later=False)
        warm = served.memory()
        yield Row("6 photos, one after another", served.told(), served.median(), f"{warm} MB, taken as warm")
        begun, until = time.monotonic(), budget.until
        with ThreadPoolExecutor(CLIENTS) as clients:
            list(clients.map(come, range(CLIENTS)))
        made, times = len(served.seconds), sorted(served.seconds) or [0.0]
        took = (
            f"{time.monotonic() - begun:.0f} s, {made} try-ons, "
            f"p50 {times[len(times) // 2]:.1f} s, p95 {times[int(len(times) * 0.95)]:.1f} s"
        )
        lost = ", ".join(f"{count} x {what}" for what, count in faults.items())
        yield Row(f"{CLIENTS} clients, every second one with jobs", served.told(), took, _grown(served, warm), lost)


# Kills.


ROUNDS, PICTURES = 6, 150
"""Kills of each command, and the pictures that it works on."""


def kills(budget: Budget) -> Iterator[Row]:
    """SIGKILL again and again to a crawl and to a preparation, which are then run to their end and looked at."""
    with tempfile.TemporaryDirectory() as place:
        root = Path(place)
        (root / "in").mkdir()
        for number in range(PICTURES):
            (root / "in" / f"{number}.png").write_bytes(garment(number))
        (root / "catalog.yaml").write_text(
            "styles:\n  - {name: red, category: vest, colour: red, pattern: solid,"
            f" sources: [{{kind: folder, path: {root / 'in'}}}]}}\n"
        )
        crawled, prepared = root / "w" / "crawl" / "red", root / "prepared"
        yield _killed("crawl", ["crawl", str(root / "catalog.yaml")], crawled, root / "w", PICTURES, budget.left / 2)
        # Each picture and its mirrored twin.
        command = ["prepare", str(crawled), str(prepared)]
        yield _killed("prepare", command, prepared, root / "w", 2 * PICTURES, budget.left)


def _killed(name: str, command: list[str], out: Path, workspace: Path, expected: int, seconds: float) -> Row:
    """The row of a command that was killed at a place of its work that chance chose, and run to its end at last."""
    begun, manifest, done, torn = time.monotonic(), out / "manifest.jsonl", 0, 0
    chance, silent = np.random.default_rng(0), {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    while done < ROUNDS and time.monotonic() - begun < seconds * 0.7:
        here = manifest.read_bytes().count(b"\n") if manifest.exists() else 0
        if here >= expected - 1:
            break
        goal = here + int(chance.integers(1, max((expected - here) // 3, 2)))
        process = started(command, workspace, **silent)
        while process.poll() is None and not (manifest.exists() and manifest.read_bytes().count(b"\n") >= goal):
            time.sleep(0.002)
        done += process.poll() is None
        process.kill()
        process.wait()
        torn += len(_hidden(out))
    code = started(command, workspace, **silent).wait(max(seconds - (time.monotonic() - begun), 60))
    found = Manifest.read(manifest)
    kept = [row for row in found.kept() if is_whole(out, row)]
    pictures = {path.name for path in out.iterdir() if path.suffix in IMAGE_SUFFIXES and path.name[0] != "."}
    faults = {
        f"exit {code}": code,
        "kept pictures too few": expected - len(kept),
        "pictures doubled": len(found.rows) - len({row.key for row in found.rows}) + len(kept) - len(pictures),
        "pictures of no row": len(pictures - {row.path for row in kept}),
        "hidden files": len(_hidden(out)),
    }
    lost = ", ".join(f"{number} {what}" for what, number in faults.items() if number)
    answers = (
        f"{len(kept)} of {expected} kept and whole; hidden files {torn} after kills, {len(_hidden(out))} at the end"
    )
    return Row(f"{done} x SIGKILL in the middle of {name}", answers, f"{time.monotonic() - begun:.0f} s", "", lost)


def _hidden(folder: Path) -> list[Path]:
    """Temporary files that a killed process has left."""
    return list(folder.rglob(".*.tmp")) if folder.exists() else []


# Bad inputs.


def inputs(budget: Budget) -> Iterator[Row]:
    """The command line, given what is no picture, document or catalog, and pictures that are hostile."""
    with tempfile.TemporaryDirectory() as place, _own_workspace(Path(place) / "w"):
        root = Path(place)
        bad = _bad_paths(root)
        for command in (
            ["try-on", "{}", "--style", "red-solid", "-o", f"{root}/out.png"],
            ["try-on", f"{root}/photo.png", "--style", "{}", "-o", f"{root}/out.png"],
            ["styles", "describe", "{}"],
            ["prepare", "{}", f"{root}/out"],
            ["cutout", "{}", f"{root}/out"],
            ["crawl", "{}"],
            ["annotations", "convert", "{}", f"{root}/out", "--to", "coco"],
            ["train", "segmenter", "--dataset", "{}", "--preset", "demo", "--no-register"],
            ["evaluate", "style", "red-solid", "--images", "{}"],
        ):
            begun = time.monotonic()
            said = [_said([word.format(path) for word in command], 2) for path in bad.values()]
            words = " ".join(word.replace(str(root), "").lstrip("/") for word in command[:3]).format("PATH")
            yield _refused(f"{words}: {len(bad)} wrong paths", said, begun)
        begun, kinds = time.monotonic(), dict(hostile_pictures())
        prepared, tried = [], []
        for number, (kind, picture) in enumerate(kinds.items()):
            if budget.left < 60:
                break
            folder = root / f"hostile-{number}"
            folder.mkdir()
            (folder / "me.jpg").write_bytes(picture)
            prepared.append(_said(["prepare", str(folder), f"{folder}-out"], 1, kind))
            if prepared[-1].reason:
                command = ["try-on", f"{folder}/me.jpg", "--style", "red-solid", "-o", f"{root}/out.png"]
                tried.append(_said(command, 2, kind))
        yield _refused(f"prepare: {len(prepared)} kinds of hostile pictures", prepared, begun)
        yield _refused(f"try-on: the {len(tried)} of them that cannot be used", tried, begun)


@dataclass(frozen=True)
class Said:
    """What a command said of one bad input."""

    code: int
    seconds: float
    fault: str
    """What is wrong with that; empty is what is wanted."""
    reason: bool = False
    """Whether it was refused as a picture."""


def _said(command: list[str], expected: int, kind: str = "") -> Said:
    """Run a command in this process: one line on stderr and the exit code that is expected, or words of a fault."""
    from fittingroom.cli import run

    begun, out, errors = time.monotonic(), io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(errors):
        code = run(command)
    lines, what = errors.getvalue().strip().splitlines(), kind or " ".join(command)
    fault = ""
    if "Traceback" in errors.getvalue() or "unexpected" in errors.getvalue():
        fault = f"a traceback: {what}"
    elif code not in ((expected,) if not kind else (0, 1, expected)):
        fault = f"exit {code}: {what}"
    elif code == 2 and (len(lines) != 1 or not lines[0].startswith("error: ")):
        fault = f"{len(lines)} lines: {what}"
    return Said(code, time.monotonic() - begun, fault, "failed" in out.getvalue())


def _refused(what: str, said: Sequence[Said], begun: float) -> Row:
    codes = ", ".join(f"{count} x exit {code}" for code, count in sorted(Counter(one.code for one in said).items()))
    worst = max((one.seconds for one in said), default=0.0)
    took = f"{time.monotonic() - begun:.0f} s, worst {worst:.1f} s"
    return Row(what, codes, took, "", "; ".join(one.fault for one in said if one.fault))


@contextlib.contextmanager
def _own_workspace(root: Path) -> Iterator[None]:
    from fittingroom.settings import get_settings

    with patch.dict(os.environ, FITTINGROOM_WORKSPACE=str(root)):
        get_settings.cache_clear()
        yield
    get_settings.cache_clear()


def _bad_paths(root: Path) -> dict[str, str]:
    """A path for each kind of what is no input of any command."""
    (root / "photo.png").write_bytes(garment(0))
    (root / "empty").mkdir()
    (root / "text.jpg").write_text("not a picture\n")
    (root / "document.json").write_text('{"a": 1}')
    (root / "nothing").write_bytes(b"")
    (root / "loop").symlink_to(root / "loop")
    return {
        "not there": f"{root}/nowhere",
        "an empty folder": f"{root}/empty",
        "below a file": f"{root}/text.jpg/below",
        "a link to itself": f"{root}/loop",
        "too long a name": f"{root}/{300 * 'n'}",
        "text": f"{root}/text.jpg",
        "another document": f"{root}/document.json",
        "an empty file": f"{root}/nothing",
        "a device": "/dev/null",
    }


# The table.


PARTS: dict[str, Callable[[Budget], Iterator[Row]]] = {"kills": kills, "inputs": inputs, "page": page, "api": api}


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
