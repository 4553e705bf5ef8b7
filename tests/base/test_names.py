"""Names that are no UTF-8 are refused one by one and shown; spellings of one name are one key; a misspelt one."""

from __future__ import annotations

import json
import os
import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fittingroom.crawl import CrawlSettings
from fittingroom.cutout import cut_out_files
from fittingroom.errors import ImageRejected, MissingInputError, SettingError
from fittingroom.images import list_images, read_rgb, write_png
from fittingroom.names import is_utf8, name_key, not_known, printable
from fittingroom.preparing.square import prepare_files
from fittingroom.segmentation.settings import preset as segmenter
from fittingroom.settings import Settings
from fittingroom.translation.settings import preset as style
from fittingroom.workspace import write_json

KOREAN = os.fsdecode("옷1.png".encode("cp949"))


@pytest.fixture
def zipped(tmp_path: Path) -> Path:
    """A folder with one picture named in cp949 and one named in UTF-8."""
    folder = tmp_path / "in"
    garment = np.full((200, 160, 3), 255, np.uint8)
    garment[40:170, 30:130] = (200, 20, 40)
    for name in ("셔츠.png", KOREAN):
        write_png(folder / "x.png", garment)
        try:
            (folder / "x.png").rename(folder / name)
        except (OSError, UnicodeError):
            pytest.skip("this file system takes no such names")
        garment[60:80, 40:60] = 10  # not a duplicate
    return folder


def test_a_name_is_shown_with_its_bytes_and_without_control_characters() -> None:
    assert printable(KOREAN) == "\\xbf\\xca1.png"
    assert printable("셔츠 1.png") == "셔츠 1.png"
    assert printable("a\nb\x1b[31m\x9b.png") == "a\\x0ab\\x1b[31m\\x9b.png"
    assert printable("\ud800") == "\\ud800"
    printable(KOREAN).encode()
    assert (is_utf8(KOREAN), is_utf8("셔츠.png"), is_utf8("a.png")) == (False, True, True)


def test_spellings_of_one_name_have_one_key() -> None:
    assert name_key(unicodedata.normalize("NFD", "셔츠.JPG")) == name_key("셔츠.jpg")
    assert name_key("CAFÉ.png") == name_key(unicodedata.normalize("NFD", "café.PNG"))
    assert name_key("a.png") != name_key("b.png")


@pytest.mark.parametrize("stage", [cut_out_files, prepare_files])
def test_only_the_file_of_such_a_name_fails_and_its_row_is_text(stage: Any, zipped: Path, tmp_path: Path) -> None:
    rows = stage(list_images(zipped), tmp_path / "out")
    failed = [row for row in rows if row.status == "failed"]
    assert [(row.reason, row.key) for row in failed] == [("name_not_utf8", f"{zipped.as_posix()}/\\xbf\\xca1.png")]
    assert {row.key.removesuffix("#flip") for row in rows if row.status == "kept"} == {f"{zipped.as_posix()}/셔츠.png"}
    written = [json.loads(line) for line in (tmp_path / "out" / "manifest.jsonl").read_text("utf-8").splitlines()]
    assert [row["key"] for row in written if row["status"] == "failed"] == [failed[0].key]


def test_reading_such_a_file_is_an_error_of_one_printable_line(zipped: Path) -> None:
    with pytest.raises(ImageRejected, match="rename it") as caught:
        read_rgb(zipped / KOREAN)
    str(caught.value).encode()
    with pytest.raises(MissingInputError) as missing:
        list_images(zipped / "옷".encode("cp949").decode("utf-8", "surrogateescape"))
    str(missing.value).encode()


def test_a_path_in_json_comes_back_whole(tmp_path: Path) -> None:
    write_json(tmp_path / "a.json", {"folder": KOREAN})
    assert json.loads((tmp_path / "a.json").read_text("utf-8")) == {"folder": KOREAN}


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("epoch", "setting epoch: there is none of this name; did you mean epochs?"),
        ("Batch-Size", "setting Batch-Size: there is none of this name; did you mean batch_size?"),
        ("lerning_rate", "setting lerning_rate: there is none of this name; did you mean learning_rate?"),
        ("check", "setting check: there is none of this name; did you mean checkpoint_steps?"),
    ],
)
def test_a_misspelt_name_gets_the_one_that_was_meant(name: str, said: str) -> None:
    known = ["epochs", "batch_size", "learning_rate", "checkpoint_steps", "seed"]
    assert not_known("setting", name, known) == said


def test_a_name_like_no_other_gets_all_there_are_or_the_nearest_of_many() -> None:
    assert not_known("flow", "bread", ["a", "b"]) == "flow bread: expected one of a, b"
    said = not_known("setting", "xyzzy", [f"number_{count}" for count in range(48)])
    assert said.startswith("setting xyzzy: expected one of 48 names; the nearest are number_")
    assert said.count("number_") == 3


@pytest.mark.parametrize(
    "settings", [segmenter("cpu").with_overrides, lambda given: style("cpu").with_overrides(**given)]
)
def test_every_kind_of_setting_says_what_was_meant(settings: Callable[[dict[str, int]], object]) -> None:
    with pytest.raises(
        SettingError, match=r"^setting batchsize: there is none of this name; did you mean batch_size\?$"
    ):
        settings({"batchsize": 3})
    with pytest.raises(SettingError, match=r"max_image: .*did you mean max_images"):
        CrawlSettings.from_installation(Settings(), max_image=3)
