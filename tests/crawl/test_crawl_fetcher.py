"""One GET against a server that does everything wrong."""

from __future__ import annotations

import gzip
import itertools
import threading
import time
from dataclasses import replace

import pytest

from fittingroom.crawl import CrawlSettings
from fittingroom.crawl.http.body import BadEncoding, TooManyBytes, read_body
from fittingroom.crawl.http.failures import FetchFailed
from fittingroom.crawl.http.fetcher import Fetcher
from fittingroom.crawl.http.pace import Pace


def failure(settings: CrawlSettings, url: str, max_bytes: int = 100_000) -> FetchFailed:
    with Fetcher(settings) as fetcher, pytest.raises(FetchFailed) as caught:
        fetcher.get(url, max_bytes=max_bytes)
    return caught.value


def test_503_heals_within_the_same_call(shop, quick) -> None:
    def heals(handler) -> None:
        handler.answer(503 if shop.hits["/a"] < 3 else 200, b"done")

    shop.routes["/a"] = heals
    with Fetcher(quick) as fetcher:
        answer = fetcher.get(shop.url + "/a", max_bytes=100)
    assert (answer.body, answer.attempts, shop.hits["/a"]) == (b"done", 3, 3)


def test_503_that_does_not_heal(shop, quick) -> None:
    shop.routes["/a"] = lambda handler: handler.answer(503, b"")
    error = failure(quick, shop.url + "/a")
    assert (error.status, error.reason, error.http_status, error.attempts) == ("failed", "server_error", 503, 3)


@pytest.mark.parametrize(
    ("status", "reason"), [(404, "not_found"), (410, "not_found"), (403, "http_status"), (206, "http_status")]
)
def test_what_cannot_heal_is_asked_once(shop, quick, status: int, reason: str) -> None:
    shop.routes["/a"] = lambda handler: handler.answer(status, b"")
    assert failure(quick, shop.url + "/a").reason == reason
    assert shop.hits["/a"] == 1


def test_retry_after_is_waited_for(shop, quick) -> None:
    times: list[float] = []

    def limited(handler) -> None:
        times.append(time.monotonic())
        handler.answer(429 if len(times) == 1 else 200, b"", Retry_After="1")

    shop.routes["/a"] = limited
    with Fetcher(quick) as fetcher:
        fetcher.get(shop.url + "/a", max_bytes=100)
    assert times[1] - times[0] >= 0.99


def test_a_retry_after_that_is_too_long_is_not_waited_for(shop, quick) -> None:
    shop.routes["/a"] = lambda handler: handler.answer(429, b"", Retry_After="86400")
    error = failure(quick, shop.url + "/a")
    assert (error.reason, error.retry_after, shop.hits["/a"]) == ("rate_limited", 86400.0, 1)


def test_endless_body_ends_at_the_cap(shop, quick) -> None:
    sent = 0

    def endless(handler) -> None:
        nonlocal sent
        handler.send_response(200)
        handler.end_headers()
        while not shop.over.is_set():
            handler.wfile.write(b"x" * 65_536)
            sent += 65_536

    shop.routes["/a"] = endless
    assert failure(quick, shop.url + "/a").reason == "too_many_bytes"
    assert sent < 20_000_000


def test_a_promise_of_too_many_bytes_is_refused_unread(shop, quick) -> None:
    shop.routes["/a"] = (b"x" * 200_000, "image/jpeg")
    assert failure(quick, shop.url + "/a").reason == "too_many_bytes"


def test_gzip_bomb_ends_at_the_cap(shop, quick) -> None:
    bomb = gzip.compress(bytes(300_000_000), compresslevel=1)
    bomb = gzip.compress(bytes(50_000_000)) if len(bomb) > 5_000_000 else bomb
    shop.routes["/a"] = lambda handler: handler.answer(200, bomb, Content_Encoding="gzip")
    assert failure(quick, shop.url + "/a", max_bytes=5_000_000).reason == "too_many_bytes"


def test_drip_in_the_body_is_cut_off(shop, quick) -> None:
    def drip(handler) -> None:
        handler.send_response(200)
        handler.end_headers()
        while not shop.over.wait(0.05):
            handler.wfile.write(b"x")
            handler.wfile.flush()

    shop.routes["/a"] = drip
    started = time.monotonic()
    assert failure(replace(quick, total_timeout=0.6), shop.url + "/a").reason == "too_slow"
    assert time.monotonic() - started < 3


def test_drip_in_the_headers_is_cut_off(shop, quick) -> None:
    def drip(handler) -> None:
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nX-Long: ")
        while not shop.over.wait(0.05):
            handler.wfile.write(b"x")
            handler.wfile.flush()

    shop.routes["/a"] = drip
    started = time.monotonic()
    assert failure(replace(quick, total_timeout=0.6), shop.url + "/a").reason == "too_slow"
    assert time.monotonic() - started < 3


def test_a_kept_connection_comes_under_the_next_request_s_deadline(shop, quick) -> None:
    shop.routes["/fast"] = (b"ok", "text/plain")

    def drip(handler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", "1000")
        handler.end_headers()
        while not shop.over.wait(0.05):
            handler.wfile.write(b"x")
            handler.wfile.flush()

    shop.routes["/drip"] = drip
    with Fetcher(replace(quick, total_timeout=0.6)) as fetcher:
        fetcher.get(shop.url + "/fast", max_bytes=100)
        with pytest.raises(FetchFailed, match="too_slow"):
            fetcher.get(shop.url + "/drip", max_bytes=10_000)
        assert fetcher.get(shop.url + "/fast", max_bytes=100).body == b"ok"


def test_silence_is_a_timeout_and_is_tried_again(shop, quick) -> None:
    shop.routes["/a"] = lambda _: shop.over.wait(5)
    error = failure(replace(quick, read_timeout=0.2, attempts=2), shop.url + "/a")
    assert (error.reason, error.attempts) == ("timeout", 2)


def test_a_short_body_is_incomplete(shop, quick) -> None:
    def short(handler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", "1000")
        handler.end_headers()
        handler.wfile.write(b"x" * 10)
        handler.close_connection = True

    shop.routes["/a"] = short
    error = failure(quick, shop.url + "/a")
    assert (error.reason, error.attempts) == ("incomplete", 3)


def test_what_is_not_http(shop, quick) -> None:
    def odd(handler) -> None:
        handler.wfile.write(b"SSH-2.0-OpenSSH\r\n\r\n")
        handler.close_connection = True

    shop.routes["/a"] = odd
    assert failure(quick, shop.url + "/a").reason == "protocol"


def test_a_thousand_headers(shop, quick) -> None:
    def many(handler) -> None:
        handler.wfile.write(b"HTTP/1.1 200 OK\r\n" + b"X-A: b\r\n" * 1000 + b"\r\n")
        handler.close_connection = True

    shop.routes["/a"] = many
    assert failure(quick, shop.url + "/a").reason == "protocol"


def test_nobody_there(quick) -> None:
    assert failure(replace(quick, attempts=2), "http://127.0.0.1:9/a").reason == "robots_unavailable"
    with Fetcher(replace(quick, attempts=2)) as fetcher, pytest.raises(FetchFailed) as caught:
        fetcher.get("http://nowhere.test/", max_bytes=10, ask_robots=False)
    assert caught.value.reason == "unreachable"
    with Fetcher(replace(quick, attempts=2)) as fetcher, pytest.raises(FetchFailed, match=r"^unreachable: .*refused"):
        fetcher.get("http://127.0.0.1:9/a", max_bytes=10, ask_robots=False)


def test_redirect_loop_and_too_many_redirects(shop, quick) -> None:
    shop.redirect("/a", "/b")
    shop.redirect("/b", "/a")
    assert failure(quick, shop.url + "/a").reason == "too_many_redirects"
    for number in range(10):
        shop.redirect(f"/n{number}", f"/n{number + 1}")
    assert failure(quick, shop.url + "/n0").reason == "too_many_redirects"
    assert shop.hits["/n5"] == 1
    assert shop.hits["/n6"] == 0


def test_a_few_redirects_are_followed(shop, quick) -> None:
    shop.redirect("/a", "b?x=1")
    shop.routes["/b?x=1"] = (b"here", "text/plain")
    with Fetcher(quick) as fetcher:
        answer = fetcher.get(shop.url + "/a", max_bytes=100)
    assert (answer.body, answer.final_url) == (b"here", shop.url + "/b?x=1")


def test_cookies_are_neither_kept_nor_sent_and_we_say_who_we_are(shop, quick) -> None:
    shop.routes["/a"] = lambda handler: handler.answer(200, b"", Set_Cookie="id=1; Path=/")
    with Fetcher(quick) as fetcher:
        fetcher.get(shop.url + "/a", max_bytes=100)
        fetcher.get(shop.url + "/a", max_bytes=100)
    sent = shop.headers["/a"][1]
    assert "Cookie" not in sent
    assert sent["User-Agent"].startswith("FittingroomBot/")
    assert "tests@fittingroom.example" in sent["User-Agent"]


@pytest.mark.parametrize(
    "url",
    [
        "file:///etc/passwd",
        "javascript:alert(1)",
        "data:image/png;base64,AAAA",
        "http://",
        "http://a:b@c/",
        "http://[::1",
        "http://h:0/",
        "http://h:x/",
    ],
)
def test_addresses_that_are_none(quick, url: str) -> None:
    error = failure(quick, url)
    assert (error.status, error.reason) == ("skipped", "scheme")


# robots.txt


def test_robots_is_asked_once_and_its_folder_never_hit(shop, quick) -> None:
    shop.routes["/robots.txt"] = (b"User-agent: *\nDisallow: /private/\n", "text/plain")
    shop.routes["/private/a"] = shop.routes["/open"] = (b"x", "text/plain")
    with Fetcher(quick) as fetcher:
        for _ in range(3):
            with pytest.raises(FetchFailed) as caught:
                fetcher.get(shop.url + "/private/a", max_bytes=100)
            assert (caught.value.status, caught.value.reason) == ("skipped", "robots")
            fetcher.get(shop.url + "/open", max_bytes=100)
    assert shop.hits == {"/robots.txt": 1, "/.well-known/tdmrep.json": 1, "/open": 3}


def test_rules_for_our_name_win_over_those_for_all(shop, quick) -> None:
    rules = b"User-agent: *\nAllow: /\n\nUser-agent: FittingroomBot\nDisallow: /\n"
    shop.routes["/robots.txt"] = (rules, "text/plain")
    assert failure(quick, shop.url + "/a").reason == "robots"


def test_a_redirect_into_a_forbidden_folder_is_not_followed(shop, quick) -> None:
    shop.routes["/robots.txt"] = (b"User-agent: *\nDisallow: /private/\n", "text/plain")
    shop.redirect("/a", "/private/a")
    assert failure(quick, shop.url + "/a").reason == "robots"
    assert shop.hits["/private/a"] == 0


def test_robots_out_of_reach_means_not_now(shop, quick) -> None:
    shop.routes["/robots.txt"] = lambda handler: handler.answer(500, b"")
    assert failure(quick, shop.url + "/a").reason == "robots_unavailable"
    assert shop.hits["/a"] == 0


@pytest.mark.parametrize("status", [404, 401, 403])
def test_no_robots_file_means_all_is_allowed(shop, quick, status: int) -> None:
    shop.routes["/robots.txt"] = lambda handler: handler.answer(status, b"")
    shop.routes["/a"] = (b"x", "text/plain")
    with Fetcher(quick) as fetcher:
        assert fetcher.get(shop.url + "/a", max_bytes=100).body == b"x"


def test_crawl_delay_is_kept(shop, quick) -> None:
    shop.routes["/robots.txt"] = (b"User-agent: *\nCrawl-delay: 0.4\n", "text/plain")
    times: list[float] = []

    def timed(handler) -> None:
        times.append(time.monotonic())
        handler.answer(200, b"")

    shop.routes["/a"] = timed
    with Fetcher(quick) as fetcher:
        for _ in range(3):
            fetcher.get(shop.url + "/a", max_bytes=100)
    assert min(later - earlier for earlier, later in itertools.pairwise(times)) >= 0.38


def test_a_crawl_delay_beyond_the_limit_leaves_the_host_alone(shop, quick) -> None:
    shop.routes["/robots.txt"] = (b"User-agent: *\nCrawl-delay: 3600\n", "text/plain")
    assert failure(quick, shop.url + "/a").reason == "crawl_delay"
    assert shop.hits["/a"] == 0


# pace and body


def test_pace_spaces_starts_by_the_clock() -> None:
    now = [100.0]
    starts: list[float] = []

    def sleep(seconds: float) -> None:
        now[0] += seconds

    pace = Pace(2, clock=lambda: now[0], sleep=sleep)
    for host in ("a", "a", "b", "a"):
        with pace.acquire(host, 1.5):
            starts.append(now[0])
    assert starts == [100.0, 101.5, 101.5, 103.0]
    pace.back_off("a", 30)
    with pace.acquire("a", 1.5):
        assert now[0] == 133.0


def test_pace_limits_connections() -> None:
    pace, most, running, lock = Pace(2), 0, 0, threading.Lock()

    def work() -> None:
        nonlocal most, running
        with pace.acquire("a", 0):
            with lock:
                running += 1
                most = max(most, running)
            time.sleep(0.02)
            with lock:
                running -= 1

    threads = [threading.Thread(target=work) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == 2


def test_body_round_trip_in_any_pieces() -> None:
    data = bytes(range(256)) * 3000
    packed = gzip.compress(data)
    for step in (1000, 7, len(packed)):
        pieces = [packed[i : i + step] for i in range(0, len(packed), step)]
        assert read_body(pieces, "gzip", len(data)).read() == data
    with pytest.raises(TooManyBytes):
        read_body([packed], "gzip", len(data) - 1)
    with pytest.raises(BadEncoding, match="ends early"):
        read_body([packed[:-20]], "gzip", len(data))
    with pytest.raises(BadEncoding, match="br"):
        read_body([data], "br", len(data))
    with pytest.raises(BadEncoding):
        read_body([b"not gzip"], "gzip", 100)


FORBIDS = b"User-agent: *\nDisallow: /private/\n"


def interim(handler) -> None:
    for status in (102, 103):
        handler.wfile.write(f"HTTP/1.1 {status} Wait\r\nLink: </a.css>; rel=preload\r\n\r\n".encode())
    handler.answer(200, FORBIDS, "text/plain")


@pytest.mark.parametrize(
    "route",
    [
        (b"\xef\xbb\xbf" + FORBIDS, "text/plain"),
        (2 * b"\xef\xbb\xbf" + FORBIDS, "text/plain"),
        (FORBIDS + b"# long\n" * 100_000, "text/plain"),
        interim,
        lambda handler: handler.answer(203, FORBIDS, "text/plain"),
        lambda handler: handler.answer(206, FORBIDS, "text/plain"),
    ],
    ids=["byte-order mark", "two of them", "long", "interim answers", "203", "206"],
)
def test_robots_forbids_however_it_comes(shop, quick, route) -> None:
    shop.routes["/robots.txt"] = route
    shop.image("/private/a.jpg", b"x")
    assert failure(quick, shop.url + "/private/a.jpg").reason == "robots"
    assert shop.hits["/private/a.jpg"] == 0


@pytest.mark.parametrize("broken", ["encoding", "utf-16", "utf-16-le", "NUL", "304", "redirects"])
def test_robots_that_cannot_be_read_is_no_leave(shop, quick, broken: str) -> None:
    if broken == "encoding":
        shop.routes["/robots.txt"] = lambda h: h.answer(200, FORBIDS, "text/plain", Content_Encoding="br")
    elif broken.startswith("utf-16"):
        shop.routes["/robots.txt"] = (FORBIDS.decode().encode(broken), "text/plain")
    elif broken == "NUL":
        shop.routes["/robots.txt"] = (b"\0" + FORBIDS, "text/plain")
    elif broken == "304":
        shop.routes["/robots.txt"] = lambda h: h.answer(304, b"", "text/plain")
    else:
        shop.redirect("/robots.txt", "/robots.txt?again")
        for number in range(10):
            shop.redirect(f"/robots.txt?{'again' * (number + 1)}", f"/robots.txt?{'again' * (number + 2)}")
    shop.image("/a.jpg", b"x")
    assert failure(quick, shop.url + "/a.jpg").reason == "robots_unavailable"
    assert shop.hits["/a.jpg"] == 0


@pytest.mark.parametrize("size", [1, 7, 65_536])
def test_several_gzip_members_are_one_body(size: int) -> None:
    packed = b"".join(gzip.compress(part) for part in (b"one ", b"", b"two ", bytes(200_000)))
    for tail in (b"", bytes(5), b"garbage", b"\x1f"):
        data = packed + tail
        pieces = [data[start : start + size] for start in range(0, len(data), size)]
        assert read_body(pieces, "gzip", 300_000).read() == b"one two " + bytes(200_000)
    with pytest.raises(BadEncoding, match="ends early"):
        read_body([packed + gzip.compress(b"three")[:-3]], "gzip", 300_000)
    with pytest.raises(TooManyBytes):
        read_body([packed + gzip.compress(bytes(100_000))], "gzip", 300_000)
    with pytest.raises(BadEncoding, match="members"):
        read_body([gzip.compress(b"") * 5000], "gzip", 300_000)


@pytest.mark.parametrize(
    "target", ["/" + "a" * 60_000, "/a?" + "é" * 20_000, "http://[bad/", "http://a b/", "http://h:99999/", "//"]
)
def test_a_redirect_that_leads_nowhere_is_a_short_failure(shop, quick, target: str) -> None:
    def answer(handler) -> None:
        handler.send_response(302)
        handler._headers_buffer.append(b"Location: " + target.encode() + b"\r\n")
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    shop.routes["/go"] = answer
    failed = failure(quick, shop.url + "/go")
    assert failed.status in ("failed", "skipped")
    assert len(failed.detail) + len(failed.final_url) < 1000


def test_a_link_headers_parameters_are_of_any_case(shop, quick) -> None:
    shop.routes["/page"] = lambda handler: handler.answer(200, b"<p>", "text/html", Link='</2>; REL="Next"')
    with Fetcher(quick) as fetcher:
        assert fetcher.get(shop.url + "/page", max_bytes=1000).links == {"next": shop.url + "/2"}


@pytest.mark.parametrize(
    "link",
    ["<http://[bad/>; rel=next", "<>; rel=next", "<http://h:99999/>;rel=next", "nonsense;;=,<", "<\xff\xfe>; rel=next"],
)
def test_a_bad_link_header_raises_nothing(shop, quick, link: str) -> None:
    shop.routes["/page"] = lambda handler: handler.answer(200, b"<p>", "text/html", Link=link)
    with Fetcher(quick) as fetcher:
        assert fetcher.get(shop.url + "/page", max_bytes=1000).http_status == 200
