"""Manifests: readable after a kill at any byte, newest row of a key in force."""

from pathlib import Path

import pytest

from fittingroom.manifest import ImageRow, Manifest, append, rows_about
from fittingroom.workspace import digest_bytes


def test_every_truncation_keeps_all_earlier_rows(tmp_path: Path) -> None:
    rows = [ImageRow(f"http://shop/{n}.jpg", "kept", sha256="a" * 8, width=n + 1) for n in range(3)]
    whole = tmp_path / "whole.jsonl"
    for row in rows:
        append(whole, row)
    data = whole.read_bytes()
    ends = [i + 1 for i, byte in enumerate(data) if byte == 10]
    for cut in range(len(data) + 1):
        torn = tmp_path / "torn.jsonl"
        torn.write_bytes(data[:cut])
        complete = sum(end <= cut for end in ends)
        found = Manifest.read(torn).rows
        assert found[:complete] == rows[:complete]
        append(torn, ImageRow("after", "failed", "timeout"))
        assert Manifest.read(torn).get("after") == ImageRow("after", "failed", "timeout")
        assert Manifest.read(torn).rows[:complete] == rows[:complete]


def test_the_newest_row_of_a_key_wins(tmp_path: Path) -> None:
    path = tmp_path / "m.jsonl"
    append(path, ImageRow("u", "failed", "timeout"))
    append(path, ImageRow("v", "kept"))
    append(path, ImageRow("u", "kept", attempts=2))
    manifest = Manifest.read(path)
    assert [row.key for row in manifest.kept()] == ["u", "v"]
    assert manifest.counts() == {"kept": 2}
    manifest.write(path)
    assert len(path.read_text().splitlines()) == 2


def test_an_unknown_status_is_refused_and_foreign_lines_are_counted(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="status"):
        ImageRow("u", "fine")
    path = tmp_path / "m.jsonl"
    path.write_text('[1]\n{"key": "u"}\n{"key": "u", "status": "odd"}\n{"key": "u", "status": "kept", "later": 1}\n')
    manifest = Manifest.read(path)
    assert manifest.torn_lines == 3
    assert manifest.kept()[0].key == "u"


def test_counts_name_the_reason() -> None:
    manifest = Manifest([ImageRow("a", "refused", "too_small"), ImageRow("b", "refused", "blurred")])
    assert manifest.counts() == {"refused": 2, "refused: blurred": 1, "refused: too_small": 1}


def test_rows_that_are_not_wanted_are_left_out_and_older_ones_do_not_come_back(tmp_path: Path) -> None:
    path = tmp_path / "m.jsonl"
    append(path, ImageRow("u", "kept"))
    append(path, ImageRow("v", "kept"))
    append(path, ImageRow("u", "gone"))
    assert [row.key for row in Manifest.read(path, lambda values: values["status"] == "kept").rows] == ["v"]


def test_rows_about_files_are_those_of_their_bytes(tmp_path: Path) -> None:
    path, file = tmp_path / "m.jsonl", tmp_path / "a.jpg"
    file.write_bytes(b"picture")
    digest = digest_bytes(b"picture")
    append(path, ImageRow("elsewhere/b.jpg", "kept", source_sha256=digest))
    append(path, ImageRow(file.as_posix(), "failed", "missing"))
    append(path, ImageRow("c.jpg", "kept", source_sha256=digest_bytes(b"other")))
    path.write_text(path.read_text() + '{"key": "d", "status": "kept", "source_sha256": ["odd"]}\n')
    assert [row.key for row in rows_about([file, tmp_path / "none.jpg"], path)] == ["elsewhere/b.jpg"]
    assert rows_about([file], tmp_path / "none.jsonl") == []
