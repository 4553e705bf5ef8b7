"""Memory stays bounded: many large answers and many large pictures at once."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

import pytest

from fittingroom.crawl.images.budget import Budget
from tests.crawl.crawl_pictures import picture

HOSTILE = r"""
import re, sys
from pathlib import Path
from fittingroom.crawl import Candidate, CrawlSettings, fetch
out, *urls = sys.argv[1:]
settings = CrawlSettings(allow_loopback=True, per_host_delay=0, attempts=1, connections_per_host=16)
rows = fetch([Candidate(url) for url in urls], Path(out), settings)
# Not ru_maxrss: it begins with the size of the process that forked this one, and test workers hold torch.
status = Path("/proc/self/status").read_text()
print(int(re.search(r"VmHWM:\s+(\d+)", status)[1]) // 1024, *[f"{row.status}:{row.reason}" for row in rows])
"""


def test_a_budget_is_never_overdrawn() -> None:
    budget, running, most, lock = Budget(100), 0, 0, threading.Lock()

    def work(amount: int) -> None:
        nonlocal running, most
        with budget.hold(amount):
            with lock:
                running += min(amount, 100)
                most = max(most, running)
            with lock:
                running -= min(amount, 100)

    threads = [threading.Thread(target=work, args=(amount,)) for amount in (60, 60, 500, 30, 30, 30, 100, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert most <= 100
    assert running == 0


@pytest.mark.slow
def test_a_hostile_shop_takes_no_more_than_500_megabytes(shop, tmp_path: Path) -> None:
    def endless(handler) -> None:
        handler.send_response(200)
        handler.end_headers()
        while not shop.over.is_set():
            handler.wfile.write(bytes(65_536))

    padded = picture(1) + bytes(24_000_000)
    urls = [shop.image(f"/padded{number}.jpg", padded) for number in range(8)]
    for number in range(8):
        shop.routes[f"/endless{number}.jpg"] = endless
        urls.append(f"{shop.url}/endless{number}.jpg")
    large = [shop.image(f"/large{number}.jpg", picture(number, size=4800)) for number in range(4)]
    done = subprocess.run(
        [sys.executable, "-c", HOSTILE, str(tmp_path), *urls, *large], capture_output=True, text=True, timeout=200
    )
    megabytes, *fates = done.stdout.split()
    assert int(megabytes) < 500, done.stdout
    assert fates[8:16] == ["failed:too_many_bytes"] * 8
    assert fates[16:] == ["kept:"] * 4
    assert sorted(fates[:8]) == ["duplicate:exact"] * 7 + ["kept:"]
