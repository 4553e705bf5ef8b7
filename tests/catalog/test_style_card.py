"""A style's card: what earlier versions wrote of it, in files and in tags, is read, and written as they wrote it."""

from __future__ import annotations

from pathlib import Path

import pytest

from fittingroom.style_card import StyleCard

CRAWLED = """{
  "name": "navy-striped",
  "category": "short sleeve top",
  "colour": "navy",
  "pattern": "striped",
  "catalog_digest": "5f"
}
"""
ASKED = """{
  "name": "navy-striped",
  "category": "short sleeve top",
  "colour": "navy",
  "pattern": "striped"
}
"""
FACTS = ("navy-striped", "navy", "striped", "short sleeve top")


@pytest.mark.parametrize(("text", "card"), [
    (CRAWLED, StyleCard(*FACTS, catalog_digest="5f")),
    (ASKED, StyleCard(*FACTS)),
])  # fmt: skip
def test_files_of_a_crawl_folder_keep_their_form(tmp_path: Path, text: str, card: StyleCard) -> None:
    (tmp_path / "old.json").write_text(text)
    assert StyleCard.read("navy-striped", tmp_path / "old.json") == card
    card.write(tmp_path / "new.json")
    assert (tmp_path / "new.json").read_text() == text


def test_a_folder_that_was_renamed_gives_the_style_its_name(tmp_path: Path) -> None:
    (tmp_path / "old.json").write_text(ASKED)
    assert StyleCard.read("other", tmp_path / "old.json") == StyleCard("other", *FACTS[1:])


@pytest.mark.parametrize("text", [None, "", "[]", "{", "3", '"navy"'])
def test_a_file_that_says_nothing_is_none(tmp_path: Path, text: str | None) -> None:
    if text is not None:
        (tmp_path / "card.json").write_text(text)
    assert StyleCard.read("navy", tmp_path / "card.json") is None


def test_tags_of_a_registered_version_are_read() -> None:
    tags = {"style": "navy-striped", "colour": "navy", "pattern": "striped", "category": "short sleeve top"}
    tags |= {"lab": "[20.12, 5.0, -30.5]", "domain": "photo"}
    card = StyleCard.from_tags("navy-striped", tags, "5f")
    assert card == StyleCard(*FACTS, (20.12, 5.0, -30.5), catalog_digest="5f")
    assert card.to_tags() == {name: value for name, value in tags.items() if name != "domain"}


def test_what_a_person_said_holds_and_the_rest_is_filled_in() -> None:
    given, found = StyleCard("navy", category="skirt"), StyleCard("navy", "blue", "dotted", "vest", catalog_digest="5f")
    assert given.completed(found) == StyleCard("navy", "blue", "dotted", "skirt", catalog_digest="5f")
