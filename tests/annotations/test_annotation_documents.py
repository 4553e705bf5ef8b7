"""Documents are opened without being built, and read as if they had been."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import orjson
import pytest

from fittingroom.annotations import check, convert, documents, sources
from fittingroom.annotations.findings import Findings
from fittingroom.annotations.formats import Source
from fittingroom.annotations.jsonfile import UnreadableAnnotation


@pytest.mark.parametrize("to", ["coco", "via"])
def test_a_document_opened_lazily_reads_as_the_whole_one(small_set: Path, tmp_path: Path, to: Any) -> None:
    target = convert(small_set, tmp_path / "d.json", to).target
    source = sources.open_source(target, Findings(), small_set / "image")
    lists = [value for value in source.document.values() if isinstance(value, (documents.Rows, documents.Entries))]
    assert lists, "the long lists are not built"
    whole = Source(target, source.format, source.images_dir, document=orjson.loads(target.read_bytes()))
    assert list(sources.read(source, Findings())) == list(sources.read(whole, Findings()))
    assert sources.count(source) == sources.count(whole) == 3


def test_marks_numbers_and_bytes_that_json_does_not_know(small_set: Path, tmp_path: Path) -> None:
    target = convert(small_set, tmp_path / "c.json", "coco").target
    text = target.read_bytes()
    marked, not_finite, torn, not_utf8 = (tmp_path / f"{name}.json" for name in ("bom", "nan", "torn", "utf8"))
    marked.write_bytes(b"\xef\xbb\xbf" + text)
    not_finite.write_bytes(text.replace(b'"area":', b'"weight":NaN,"area":', 1))
    torn.write_bytes(text[:-40])
    not_utf8.write_bytes(text.replace(b"000002.jpg", b"00000\xff.jpg"))
    images = small_set / "image"
    sound = check(target, images_dir=images)
    assert dict(check(marked, images_dir=images).findings.counts - sound.findings.counts) == {"byte_order_mark": 1}
    assert check(not_finite, images_dir=images).images == 3
    for broken in (torn, not_utf8):
        report = check(broken, images_dir=images)
        assert report.findings.counts["unreadable_json"] == 1
        assert "line" in report.findings.examples[0].message


def test_a_row_that_cannot_be_parsed_is_said() -> None:
    value = documents.parse(b'{"images": [{"id": 1e999}], "annotations": []}', "c.json", Findings())
    assert isinstance(value, dict)
    with pytest.raises(UnreadableAnnotation, match="1e999"):
        list(value["images"])


def test_lists_that_are_none_are_left_to_the_whole_parser() -> None:
    for text in ('{"images": 5, "annotations": []}', "[1, 2]", '"text"'):
        assert documents.parse(text.encode(), "x", Findings()) == json.loads(text)


def test_many_processes_check_as_one(small_set: Path) -> None:
    (small_set / "annos" / "000002.json").write_text('{"image_id": 3, "item1": {"category_id": 99}}')
    one, two = (check(small_set, workers=workers) for workers in (1, 2))
    assert one.to_json() == two.to_json()
    assert one.findings.counts["duplicate_id"] == 1
    assert one.findings.counts["unknown_category"] == 1
