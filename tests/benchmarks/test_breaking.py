"""The script that breaks things: its table, its exit codes, and pictures that are what they say."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest

from benchmarks import breaking
from benchmarks.hostile import hostile_pictures
from fittingroom.errors import ImageRejected
from fittingroom.images import read_rgb
from fittingroom.opening import count_scans


def table(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", ["breaking", *arguments])
    monkeypatch.setattr(breaking, "_photos", lambda _: [b"a"])
    return breaking.main()


@pytest.mark.parametrize(("lost", "code"), [("", 0), ("a row", 1)])
def test_what_was_lost_is_named_and_ends_with_1(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], lost: str, code: int
) -> None:
    seen: list[float] = []

    def part(budget: breaking.Budget) -> Iterator[breaking.Row]:
        seen.append(budget.left)
        yield breaking.Row("pulled the plug", "3 x 200", "1 s", "9 MB", lost)

    monkeypatch.setattr(breaking, "PARTS", {"one": part, "two": part})
    assert table(monkeypatch, "--minutes", "2") == code
    rows = capsys.readouterr().out.splitlines()
    assert rows[2:] == [
        f"| {name} | pulled the plug | 3 x 200 | 1 s | 9 MB | {lost or 'nothing'} |" for name in ("one", "two")
    ]
    assert 50 < seen[0] <= 60 < seen[1] <= 120  # a part gets its share of what is left
    with pytest.raises(SystemExit) as ended:
        table(monkeypatch, "three")
    assert ended.value.code == 2


def test_hostile_pictures_are_fifty_small_files_and_mostly_refused() -> None:
    pictures = list(hostile_pictures())
    assert len(pictures) == 50
    assert max(len(data) for _, data in pictures) < 15_000_000
    scans = {name: count_scans(data) for name, data in pictures if "scans" in name}
    assert scans["JPEG of thousands of scans"] > 3000
    assert scans["JPEG of 30 scans"] > 30
    for name, data in pictures:
        if name.startswith(("a page", "PNG of 2.5 billion", "JPEG of thousands")):
            with pytest.raises(ImageRejected):
                read_rgb(data)
