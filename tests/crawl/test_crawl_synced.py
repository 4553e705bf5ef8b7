"""One wait for the disk a batch, and what a power cut in between takes is fetched again."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fittingroom import images
from fittingroom.catalog import FolderSource, Style
from fittingroom.crawl import CrawlSettings, crawl_style
from fittingroom.crawl import store as store_module
from fittingroom.manifest import Manifest

COUNT = 20


@pytest.fixture
def style(tmp_path: Path) -> Style:
    """A folder of pictures, no two alike."""
    chance = np.random.default_rng(0)
    for number in range(COUNT):
        blocks = chance.integers(0, 256, (8, 8, 3), dtype=np.uint8)
        images.write_png(tmp_path / "captured" / f"{number:02}.png", np.kron(blocks, np.ones((12, 12, 1), np.uint8)))
    source = FolderSource(kind="folder", path=tmp_path / "captured")
    return Style(name="red", category="vest", colour="red", pattern="solid", sources=(source,))


SETTINGS = CrawlSettings(min_side=64)


def kept(folder: Path) -> dict[str, bytes]:
    manifest = Manifest.read(folder / "manifest.jsonl")
    return {row.key: (folder / row.path).read_bytes() for row in manifest.kept()}


def noted(monkeypatch: pytest.MonkeyPatch, owner: object, name: str, waits: list[str], word: str) -> None:
    """Each call of ``name`` notes the word first."""
    real = getattr(owner, name)

    def noting(*arguments: Any) -> Any:
        waits.append(word)
        return real(*arguments)

    monkeypatch.setattr(owner, name, noting)


def test_the_disk_is_waited_for_once_a_batch(style: Style, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[str] = []
    noted(monkeypatch, os, "fsync", waits, "file")
    noted(monkeypatch, store_module, "wait_for_disk", waits, "all")
    monkeypatch.setattr(store_module, "BATCH", 8)
    crawl_style(style, tmp_path / "out", SETTINGS)
    assert len(kept(tmp_path / "out")) == COUNT
    assert waits.count("all") == 3, "8, 8 and the 4 that were left"
    assert waits.count("file") == 4, "the mark itself, at the start and after each batch"
    assert int((tmp_path / "out" / ".lock").read_text()) == (tmp_path / "out" / "manifest.jsonl").stat().st_size
    waits.clear()
    crawl_style(style, tmp_path / "out", SETTINGS)
    assert waits == [], "nothing new, nothing to wait for"


@pytest.mark.parametrize("damage", [b"", b"half"], ids=["empty", "torn"])
def test_what_a_power_cut_took_is_fetched_again(style: Style, tmp_path: Path, damage: bytes) -> None:
    folder = tmp_path / "out"
    crawl_style(style, folder, SETTINGS)
    whole = kept(folder)
    lines = (folder / "manifest.jsonl").read_bytes().splitlines(keepends=True)
    (folder / ".lock").write_text(str(sum(map(len, lines[:5]))))  # the rest was not waited for
    rows = [row for row in Manifest.read(folder / "manifest.jsonl").rows if row.status == "kept"]
    for row in rows[7:10]:
        (folder / row.path).write_bytes(damage)
    (folder / rows[12].path).unlink()
    assert kept_or_lost(folder) != whole
    crawl_style(style, folder, SETTINGS)
    assert kept(folder) == whole


def kept_or_lost(folder: Path) -> dict[str, bytes]:
    rows = Manifest.read(folder / "manifest.jsonl").kept()
    return {row.key: (folder / row.path).read_bytes() for row in rows if (folder / row.path).is_file()}


def test_a_manifest_cut_at_any_byte_ends_whole(style: Style, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    crawl_style(style, folder, SETTINGS)
    whole, data = kept(folder), (folder / "manifest.jsonl").read_bytes()
    for cut in [0, 1, *range(2, len(data), 997), len(data) - 1]:
        (folder / "manifest.jsonl").write_bytes(data[:cut])
        crawl_style(style, folder, SETTINGS)
        assert kept(folder) == whole, f"cut at byte {cut}"


def test_a_folder_of_an_earlier_version_counts_as_it_is_and_a_damaged_mark_proves_nothing(
    style: Style, tmp_path: Path
) -> None:
    folder = tmp_path / "out"
    crawl_style(style, folder, SETTINGS)
    whole = kept(folder)
    (folder / ".lock").unlink()
    crawl_style(style, folder, SETTINGS)
    assert int((folder / ".lock").read_text()) == (folder / "manifest.jsonl").stat().st_size
    (folder / ".lock").write_text("some")
    next(folder.glob("*.png")).write_bytes(b"")
    crawl_style(style, folder, SETTINGS)
    assert kept(folder) == whole
