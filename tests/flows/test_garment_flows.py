"""Crawl and prepare as flows, with the real library on a folder of pictures: cached, resumed, pruned, refused."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from prefect.blocks.system import Secret

from fittingroom.catalog import SearchSource, Style
from fittingroom.errors import InputError, NothingProduced
from fittingroom.images import encode_jpeg
from fittingroom.manifest import Manifest
from fittingroom.workspace import Workspace
from flows.crawl_garments import crawl_garments
from flows.parameters import CrawlParameters, PrepareParameters
from flows.prepare_garments import prepare_garments
from tasks.crawling import crawled_pictures, search_keys
from tasks.pictures import PreparedStyle

pytestmark = pytest.mark.usefixtures("prefect_server")
STYLE = "red-solid"


def shirt(number: int) -> bytes:
    """A red shirt on a plain grey ground, with a print of its own (else the crawler takes them for one picture)."""
    image = np.full((400, 360, 3), 225, np.uint8)
    outline = [[90, 80], [150, 70], [210, 70], [270, 80], [330, 170], [285, 195], [265, 150], [265, 350], [95, 350]]
    outline += [[95, 150], [75, 195], [30, 170]]
    cv2.fillPoly(image, [np.array(outline, np.int32)], (185, 30, 40))
    random = np.random.default_rng(number)
    for _ in range(6):
        x, y = int(random.integers(105, 215)), int(random.integers(90, 300))
        cv2.rectangle(image, (x, y), (x + 40, y + 40), (110 + int(random.integers(60)), 10, 20), -1)
    return encode_jpeg(image)


def write_catalog(root: Path, pictures: int) -> Path:
    folder = root / "captured"
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(pictures):
        (folder / f"{number}.jpg").write_bytes(shirt(number))
    catalog = root / "catalog.yaml"
    catalog.write_text(
        f"styles:\n  - name: {STYLE}\n    category: short sleeve top\n    colour: red\n    pattern: solid\n"
        "    sources:\n      - {kind: folder, path: captured}\n"
    )
    return catalog


def crawl(root: Path, catalog: Path) -> None:
    crawl_garments(CrawlParameters(workspace=root / "w", catalog=catalog))


def prepare(root: Path, shard_size: int = 4) -> PreparedStyle:
    return prepare_garments(PrepareParameters(workspace=root / "w", shard_size=shard_size)).content[STYLE]


def names(root: Path) -> set[str]:
    return {path.name for path in (root / "w" / "prepared" / STYLE).glob("*.png")}


def test_what_is_done_stays_done_and_only_what_is_lost_or_new_is_made(tmp_path: Path) -> None:
    catalog = write_catalog(tmp_path, 12)
    crawl(tmp_path, catalog)
    first = prepare(tmp_path)
    assert len(first.cut) == len(first.prepared) > 1
    assert len(names(tmp_path)) == 24, "12 pictures and their mirrored twins"

    seconds = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "w" / "prepared" / STYLE).glob("*.png")}
    again = prepare(tmp_path)
    assert again == first, "records are equal, seconds included: none was made anew"

    lost = sorted(names(tmp_path))[0]
    (tmp_path / "w" / "prepared" / STYLE / lost).unlink()
    healed = prepare(tmp_path)
    assert healed.cut == first.cut
    changed = [old != new for old, new in zip(first.prepared, healed.prepared, strict=True)]
    assert sum(changed) == 1, "only the shard that lost a file"
    assert {path.name for path in (tmp_path / "w" / "prepared" / STYLE).glob("*.png")} == set(seconds)

    write_catalog(tmp_path, 13)
    crawl(tmp_path, catalog)
    grown = prepare(tmp_path)
    assert len(names(tmp_path)) == 26
    assert sum(old != new for old, new in zip(healed.cut, grown.cut, strict=True)) == 1, "one new picture, one shard"


def test_a_picture_that_is_gone_from_its_source_is_gone_from_training(tmp_path: Path) -> None:
    catalog = write_catalog(tmp_path, 5)
    crawl(tmp_path, catalog)
    prepare(tmp_path)
    before = names(tmp_path)
    stale = tmp_path / "w" / "prepared" / STYLE / ("0" * 32 + ".png")
    stale.write_bytes(b"left by another run")
    prepare(tmp_path)
    assert names(tmp_path) == before


def test_a_broken_picture_is_a_row_and_not_a_crash(tmp_path: Path) -> None:
    catalog = write_catalog(tmp_path, 4)
    (tmp_path / "captured" / "broken.jpg").write_bytes(shirt(1)[:500])
    crawl(tmp_path, catalog)
    prepare(tmp_path)
    assert len(names(tmp_path)) == 8


@pytest.mark.parametrize("damage", [b"", b"other bytes", None])
def test_a_picture_damaged_on_disk_stops_nothing_and_heals(tmp_path: Path, damage: bytes | None) -> None:
    catalog = write_catalog(tmp_path, 3)
    crawl(tmp_path, catalog)
    folder = tmp_path / "w" / "crawl" / STYLE
    victim = Manifest.read(folder / "manifest.jsonl").kept()[0]
    whole = (folder / victim.path).read_bytes()
    (folder / victim.path).unlink()
    if damage is not None:
        (folder / victim.path).write_bytes(damage)

    prepare(tmp_path)
    row = Manifest.read(folder / "manifest.jsonl").get(victim.key)
    assert row is not None
    assert (row.status, row.reason) == ("failed", "damaged")
    assert len(names(tmp_path)) == 4

    crawl(tmp_path, catalog)
    assert (folder / victim.path).read_bytes() == whole
    prepare(tmp_path)
    assert len(names(tmp_path)) == 6


def test_nothing_usable_ends_the_flow_with_a_sentence(tmp_path: Path) -> None:
    catalog = write_catalog(tmp_path, 0)
    (tmp_path / "captured" / "broken.jpg").write_bytes(b"not a picture")
    with pytest.raises(NothingProduced, match="red-solid"):
        crawl(tmp_path, catalog)


def test_an_unknown_style_is_refused(tmp_path: Path) -> None:
    catalog = write_catalog(tmp_path, 1)
    with pytest.raises(InputError, match="expected names out of red-solid"):
        crawl_garments(CrawlParameters(workspace=tmp_path / "w", catalog=catalog, styles=["blue"]))


def test_a_persons_word_overrules_and_the_sheet_shows_it(tmp_path: Path) -> None:
    catalog = write_catalog(tmp_path, 4)
    crawl(tmp_path, catalog)
    prepare(tmp_path)
    assert len(names(tmp_path)) == 8
    assert (tmp_path / "w" / "reports" / f"cutouts-{STYLE}.jpg").is_file()
    dropped = crawled_pictures(Workspace(tmp_path / "w"), STYLE).popitem()[1]
    (tmp_path / "w" / "cutouts" / STYLE / "overrides.yaml").write_text(f"drop: ['{dropped[:12]}']\n")
    prepare(tmp_path)
    assert len(names(tmp_path)) == 6
    fates = {
        row.source_sha256: row for row in Manifest.read(tmp_path / "w" / "cutouts" / STYLE / "manifest.jsonl").rows
    }
    assert (fates[dropped].status, fates[dropped].reason) == ("refused", "dropped_by_hand")


def test_garments_of_another_colour_are_refused(tmp_path: Path) -> None:
    catalog = write_catalog(tmp_path, 3)
    catalog.write_text(catalog.read_text().replace("colour: red", "colour: dark green"))
    crawl(tmp_path, catalog)
    with pytest.raises(NothingProduced, match="not_the_style"):
        prepare(tmp_path)


def test_keys_come_from_secret_blocks_and_stay_out_of_sight() -> None:
    Secret(value="from the block").save("fittingroom-google-api-key", overwrite=True)
    source = SearchSource(query="shirt", provider="google")
    style = Style(name="red", category="vest", colour="red", pattern="solid", sources=[source])
    keys = search_keys(style)
    assert keys.google_api_key == "from the block"
    assert "block" not in repr(keys)
    free = style.model_copy(update={"sources": [SearchSource(query="shirt")]})
    assert search_keys(free).google_api_key == ""
