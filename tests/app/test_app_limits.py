"""What visitors, hostile ones too, may take of the page, on a real server and real connections of this machine."""

from __future__ import annotations

import asyncio
import contextlib
import io
import os
import re
import resource
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import psutil
import pytest
from PIL import Image
from starlette.exceptions import HTTPException

from fittingroom.app import limits, server
from fittingroom.app.limits import Line, Places, client_of
from fittingroom.app.server import config_of
from fittingroom.garment import Garment
from fittingroom.images import RGB
from tests.app.serving import Models, answer, ask, connect, form, head, photo, serving, status

ROOT = Path(__file__).parents[2]
START = head("127.0.0.1", 1_000_000) + form(photo())[:200]
"""An upload that is announced and does not come."""


@pytest.fixture
def many_files() -> Iterator[None]:
    """Enough descriptors for a test's own ends of the connections."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(4096, before[1]), before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


@pytest.mark.usefixtures("many_files")
def test_a_crowd_of_idle_connections_keeps_nobody_out(tmp_path: Path) -> None:
    with serving(tmp_path) as where, contextlib.ExitStack() as crowd:
        idle = [crowd.enter_context(connect(where)) for _ in range(1100)]
        assert ask(where) == 200
        deadline = time.monotonic() + 20
        while len(open_on(where)) > server.MAX_CONNECTIONS + 1 and time.monotonic() < deadline:
            time.sleep(0.1)
        assert len(open_on(where)) <= server.MAX_CONNECTIONS + 1
        assert idle[0].recv(1) == b""  # the oldest made room
        assert ask(where) == 200


WITH_1024_FILES = """
import resource, runpy, sys
from pathlib import Path
resource.setrlimit(resource.RLIMIT_NOFILE, (1024, 1024))
with runpy.run_path(sys.argv[2])["serving"](Path(sys.argv[1])) as where:
    print(where[1], flush=True)
    sys.stdin.read()
"""


@pytest.mark.usefixtures("many_files")
def test_at_the_usual_limit_of_files_too(tmp_path: Path) -> None:
    """A server of its own, whose limit cannot be raised; the crowd's ends are here."""
    log = tmp_path / "log"
    with log.open("wb") as said, contextlib.ExitStack() as crowd:
        started = [sys.executable, "-c", WITH_1024_FILES, str(tmp_path), str(ROOT / "tests" / "app" / "serving.py")]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": said}
        page = crowd.enter_context(subprocess.Popen(started, cwd=ROOT, **pipes))  # type: ignore[call-overload]
        where = ("127.0.0.1", int(page.stdout.readline()))
        with contextlib.ExitStack() as idle:
            for _ in range(1100):
                idle.enter_context(connect(where))
            assert ask(where) == 200
            assert psutil.Process(page.pid).num_fds() < 1024
        assert [ask(where) for _ in range(3)] == [200] * 3
        page.stdin.close()
        assert page.wait(60) == 0
    assert not re.search(rb"Traceback|Too many open files", log.read_bytes())


def open_on(where: tuple[str, int]) -> list[object]:
    """The server's ends of its connections."""
    return [c for c in psutil.Process().net_connections("tcp") if c.laddr[1] == where[1] and c.status == "ESTABLISHED"]


def test_requests_that_do_not_come_are_ended_in_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "REQUEST_SECONDS", 0.5)
    with serving(tmp_path) as where, connect(where) as silent, connect(where) as slow:
        for byte in b"GET / HTTP/1.1\r\n" * 3:
            with contextlib.suppress(ConnectionError):
                slow.sendall(bytes([byte]))
            time.sleep(0.05)
        assert answer(silent) == answer(slow) == b""


@pytest.mark.slow
def test_an_answer_that_nobody_takes_is_dropped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "ANSWER_SECONDS", 0.5)
    with serving(tmp_path) as where, connect(where) as deaf:
        body = form(photo(1500))
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        deaf.sendall(head("127.0.0.1", len(body)) + body)
        deadline = time.monotonic() + 60
        while open_on(where) and time.monotonic() < deadline:
            time.sleep(0.1)
        assert not open_on(where)


@pytest.mark.parametrize("slow", ["SILENCE_SECONDS", "UPLOAD_SECONDS"])
def test_uploads_that_do_not_end_are_told_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, slow: str) -> None:
    monkeypatch.setattr(limits, slow, 1.0)
    monkeypatch.setattr(server, "REQUEST_SECONDS", 1.0)
    with serving(tmp_path) as where, connect(where) as upload:
        upload.sendall(START)
        if slow == "UPLOAD_SECONDS":
            for _ in range(12):
                with contextlib.suppress(ConnectionError):
                    upload.sendall(b"x")
                time.sleep(0.1)
        told = answer(upload)
        assert status(told) == 408
        assert b"did not arrive within" in told


def test_uploads_that_never_end_keep_nobody_out_and_lie_on_no_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    part = 2_000_000
    with serving(tmp_path) as where, contextlib.ExitStack() as crowd:
        begun = head("127.0.0.1", 14_000_000) + form(b"x" * part)[:part]

        def begin(_: int) -> socket.socket:
            connection = crowd.enter_context(connect(where))
            connection.sendall(begun)
            return connection

        with ThreadPoolExecutor(8) as threads:
            list(threads.map(begin, range(40)))
        assert ask(where) == 200
        kept = [file for file in psutil.Process().open_files() if file.path.startswith(str(tmp_path))]
        assert len(kept) <= limits.UPLOADS_AT_ONCE
        assert ask(where) == 200


def test_aborted_uploads_are_one_quiet_line_each(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with serving(tmp_path) as where:
        for _ in range(30):
            with connect(where) as connection:
                connection.sendall(START)
        assert ask(where) == 200
        deadline = time.monotonic() + 20
        while len(caplog.records) < 30 and time.monotonic() < deadline:
            time.sleep(0.05)
    assert [record.getMessage() for record in caplog.records] == ["127.0.0.1 left before its answer"] * 30
    assert not any(record.exc_info for record in caplog.records)


def test_who_left_while_waiting_is_not_served(tmp_path: Path) -> None:
    class Counting(Models):
        seconds, asked = 0.5, 0

        def find(self, image: RGB, score_threshold: float | None = None) -> list[Garment]:
            self.asked += 1
            return super().find(image, score_threshold)

    models = Counting()
    body = form(photo())
    with serving(tmp_path, models) as where:
        for _ in range(12):
            with connect(where) as connection:
                connection.sendall(head("127.0.0.1", len(body)) + body)
        assert ask(where, "127.0.0.9") == 200
    assert models.asked <= 4


def test_a_poster_at_many_ends_does_not_keep_the_others_out(tmp_path: Path) -> None:
    models = Models()
    models.seconds = 0.1
    with serving(tmp_path, models) as where, ThreadPoolExecutor(48) as threads:
        until = time.monotonic() + 6
        greedy: Counter[int] = Counter()

        def post() -> None:
            while time.monotonic() < until:
                greedy[ask(where)] += 1

        posters = [threads.submit(post) for _ in range(40)]
        time.sleep(1)
        others = [ask(where, f"127.0.0.{n}") for n in (7, 8, 9) for _ in range(3)]
        for poster in posters:
            poster.result(60)
    assert others == [200] * 9
    assert set(greedy) == {200, 503}


@pytest.mark.parametrize(
    ("proxies", "sent_by", "client"),
    [
        (None, "127.0.0.1", "127.0.0.1"),
        ("", "127.0.0.1", "127.0.0.1"),
        ("127.0.0.1", "127.0.0.1", "203.0.113.9"),
        ("127.0.0.1", "127.0.0.2", "127.0.0.2"),
        ("10.0.0.0/8", "10.1.2.3", "203.0.113.9"),
        ("10.0.0.0/8", "127.0.0.1", "127.0.0.1"),
    ],
)
def test_a_program_is_one_client_whatever_it_says_unless_it_is_the_proxy(
    monkeypatch: pytest.MonkeyPatch, proxies: str | None, sent_by: str, client: str
) -> None:
    monkeypatch.delenv("FORWARDED_ALLOW_IPS", raising=False)
    if proxies is not None:
        monkeypatch.setenv("FORWARDED_ALLOW_IPS", proxies)
    seen = []

    async def application(scope: Any, *_: Any) -> None:
        seen.append(client_of(scope))

    config = config_of(application)
    config.load()
    headers = [(b"x-forwarded-for", b"203.0.113.9")]
    asyncio.run(config.loaded_app({"type": "http", "client": (sent_by, 4), "headers": headers}, None, None))
    assert seen == [client]


def test_null_and_foreign_origins_are_refused_before_anything_is_read(tmp_path: Path) -> None:
    with serving(tmp_path) as where:
        here = f"127.0.0.1:{where[1]}"
        for origin in (
            "null",
            "http://evil.example",
            f"http://127.0.0.1:{where[1] + 1}",
            "http://127.0.0.1",
            "x",
            "://",
        ):
            with connect(where) as connection:
                connection.sendall(head(here, 1_000_000, Origin=origin))
                told = b""
                while b"\r\n\r\n" not in told:
                    told += connection.recv(1 << 16)
                assert status(told) == 403, origin
        for origin in (f"http://{here}", f"HTTP://{here}"):
            assert ask(where, Origin=origin) == 200, origin


@pytest.mark.parametrize(
    ("host", "right", "wrong"),
    [
        ("127.0.0.1", ["127.0.0.1", "127.0.0.1:{port}", "localhost:{port}", "LOCALHOST", "[::1]:9"], []),
        ("127.0.0.2", ["127.0.0.2:{port}", "localhost"], ["127.0.0.3"]),
        ("::1", ["[::1]", "[::1]:{port}", "localhost:{port}"], ["[::2]", "::1", "[::1", "[::1].evil.example"]),
    ],
)
def test_only_this_machines_names_are_answered_to(
    tmp_path: Path, host: str, right: list[str], wrong: list[str]
) -> None:
    wrong = [*wrong, "evil.example", "evil.example:{port}", "127.0.0.1.evil.example", "localhost.evil.example:80", ""]
    with serving(tmp_path, host=host) as where:
        for name, expected in [(name, 200) for name in right] + [(name, 400) for name in wrong]:
            with connect(where) as connection:
                connection.sendall(head(name.format(port=where[1]), method="GET", path="/", Connection="close"))
                assert status(answer(connection)) == expected, name


def test_the_origin_is_held_against_an_ipv6_host(tmp_path: Path) -> None:
    with serving(tmp_path, host="::1") as where:
        assert ask(where, Origin=f"http://[::1]:{where[1]}") == 200
        assert ask(where, Origin=f"http://[::2]:{where[1]}") == 403
        assert ask(where, Origin="http://[::1]") == 403


@pytest.mark.parametrize(
    "charset", ["undefined", "idna", "punycode", "rot13", "base64", "utf-7", "no-such", "\\x00", ""]
)
@pytest.mark.parametrize("kind", ["multipart/form-data; boundary=----here", "application/x-www-form-urlencoded"])
def test_no_charset_is_an_error_of_the_server(tmp_path: Path, charset: str, kind: str) -> None:
    body = form(b"\xff\xfe\x80\xc3" * 9).replace(b"red-solid", b"\xc3\x28 \xff.\xb1-")
    with serving(tmp_path) as where, connect(where) as connection:
        kind = f"{kind}; charset={charset}"
        connection.sendall(head("127.0.0.1", len(body), content_type=kind, Connection="close") + body)
        assert status(answer(connection)) == 400


@pytest.mark.parametrize("during", ["upload", "decoding", "wait"])
def test_ctrl_c_ends_the_server_within_seconds(during: str) -> None:
    program = (
        f"import sys, time; sys.path.insert(0, {str(Path(__file__).parent)!r})\n"
        "from serving import Models\n"
        "from fittingroom.app import page, room, server\n"
        f"Models.seconds = {1.0 if during == 'wait' else 0.0}\n"
        "page._champions = lambda _: Models()\n"
        + ("room.read_photo = time.sleep\n_run = room.Workers.run\n"
           "room.Workers.run = lambda self, work, *_: _run(self, work, 100)\n" if during == "decoding" else "")
        + "server.serve_app('nowhere', port=None, say=lambda text: print(text, flush=True))\n"
    )  # fmt: skip
    process = subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    try:
        assert process.stdout is not None
        found = re.search(r"http://(\S+?):(\d+)", process.stdout.readline())
        assert found
        where = (found[1], int(found[2]))
        body = form(photo())
        whole = head("127.0.0.1", len(body)) + body
        with contextlib.ExitStack() as crowd:
            for _ in range(1 if during == "decoding" else 12):
                crowd.enter_context(connect(where)).sendall(START if during == "upload" else whole)
            time.sleep(2)
            before = time.monotonic()
            process.send_signal(signal.SIGINT)
            _, said = process.communicate(timeout=30)
            assert time.monotonic() - before < server.GRACE_SECONDS + 5
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 0
    assert "Traceback" not in said
    assert len(said.splitlines()) <= 13


def test_the_greediest_gives_up_its_oldest() -> None:
    places = Places(4)
    gone: list[str] = []
    for who in ("a1", "a2", "b1", "a3", "c1", "c2"):
        places.enter(who[0], who, partial(gone.append, who))
    assert gone == ["a1", "a2"]
    places.leave("b", "b1")
    places.enter("d", "d1", lambda: gone.append("d1"))
    assert gone == ["a1", "a2"]


def test_clients_take_turns_and_the_line_is_shared() -> None:
    async def scene() -> tuple[list[str], list[str]]:
        line, served, refused = Line(1, 4, 5), [], []

        async def visit(who: str) -> None:
            try:
                async with line.turn(who[0]):
                    served.append(who)
                    await asyncio.sleep(0.01)
            except HTTPException:
                refused.append(who)

        async with asyncio.TaskGroup() as group:
            for who in ("a1", "a2", "a3", "a4", "a5", "a6", "b1", "c1", "b2"):
                group.create_task(visit(who))
        return served, refused

    served, refused = asyncio.run(scene())
    assert served == ["a1", "a2", "b1", "c1", "a3"]
    assert sorted(refused) == ["a4", "a5", "a6", "b2"]


def test_who_waits_hears_the_place_whenever_it_changes() -> None:
    async def scene() -> dict[str, list[int]]:
        line = Line(1, 9, 5)
        heard: dict[str, list[int]] = {}

        async def visit(who: str) -> None:
            heard[who] = []
            async with line.turn(who[0], heard[who].append):
                await asyncio.sleep(0.01)

        async with asyncio.TaskGroup() as group:
            for who in ("a1", "a2", "a3", "b1"):
                group.create_task(visit(who))
                await asyncio.sleep(0)
        return {
            who: [place for n, place in enumerate(said) if said[n - 1 : n] != [place]] for who, said in heard.items()
        }

    # The third of a client makes room for the first of another.
    assert asyncio.run(scene()) == {"a1": [], "a2": [1], "a3": [2, 3, 2, 1], "b1": [2, 1]}


def test_an_upload_that_is_too_large_is_let_come_to_its_end(tmp_path: Path) -> None:
    """Else what is still on its way resets the connection, and a browser shows no answer."""
    size = 40_000_000
    with serving(tmp_path) as where, connect(where) as connection:
        connection.sendall(head("127.0.0.1", size, Connection="close") + bytes(size))
        told = answer(connection)
    assert status(told) == 413
    assert told.endswith(b"</html>")


def test_a_wait_ends_and_gives_its_turn_on() -> None:
    async def scene() -> list[object]:
        line = Line(1, 9, 0.05)

        async def visit(seconds: float) -> int:
            async with line.turn("a"):
                await asyncio.sleep(seconds)
                return 200

        tasks = [asyncio.create_task(visit(0.2)) for _ in range(4)]
        await asyncio.sleep(0.01)
        tasks[1].cancel()
        first = await asyncio.gather(*tasks, return_exceptions=True)
        return [*first, await visit(0)]

    first, cancelled, *late, last = asyncio.run(scene())
    assert (first, last) == (200, 200)
    assert isinstance(cancelled, asyncio.CancelledError)
    assert [getattr(error, "status_code", None) for error in late] == [503, 503]


@pytest.mark.parametrize(
    ("host", "client"),
    [
        ("127.0.0.1", "127.0.0.1"),
        ("::ffff:10.0.0.1", "10.0.0.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("testclient", "testclient"),
        ("", ""),
    ],
)
def test_an_ipv6_customer_is_one_client(host: str, client: str) -> None:
    assert client_of({"client": (host, 1)}) == client


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="the peak can be forgotten on Linux only")
def test_large_pictures_take_no_memory_of_the_server(tmp_path: Path) -> None:
    def peak(side: int) -> int:
        picture = io.BytesIO()
        Image.new("RGB", (side, side), (90, 80, 70)).save(picture, "PNG")
        body = form(picture.getvalue())
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
        with connect(where) as connection:
            connection.sendall(head("127.0.0.1", len(body), Connection="close") + body)
            assert status(answer(connection)) == 200
        found = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text(encoding="ascii"))
        assert found
        return int(found[1]) * 1024

    with serving(tmp_path) as where:
        peak(1600)
        assert peak(4500) - peak(1600) < 40_000_000  # 20 million pixels are 61 MB, and as much again for each copy


def test_an_upload_that_ran_out_of_time_is_no_fault_of_who_takes_its_place(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its place is wanted while it is being refused, and at the moment it runs out."""
    monkeypatch.setattr(limits, "SILENCE_SECONDS", 0.0)

    async def never() -> Any:
        await asyncio.Event().wait()

    async def scene() -> list[int]:
        statuses, upload = [], limits._Upload(never, 1)
        for during in (False, True):
            pending = asyncio.ensure_future(upload.receive())
            while during and (upload._pause is None or not upload._pause.expired()):
                await asyncio.sleep(0)
                asyncio.get_running_loop().call_soon(upload.give_up)
            with pytest.raises(HTTPException) as refusal:
                await pending
            upload.give_up()
            statuses.append(refusal.value.status_code)
        return statuses

    assert asyncio.run(scene()) == [408, 503]
