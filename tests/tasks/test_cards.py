"""What a style is, for whatever trains it: as it was crawled, else as the catalog says, else as its last version."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from fittingroom.registry.registry import Registry, style_model
from fittingroom.registry.style_cards import known_card
from fittingroom.registry.versions import STYLE_DIGEST
from fittingroom.settings import get_settings
from fittingroom.style_card import StyleCard
from fittingroom.training.weights import save_weights
from fittingroom.workspace import Workspace, write_json
from tasks.cards import note_cards

CATALOG = """
styles:
  - {name: navy, category: trousers, colour: navy, pattern: solid, sources: [{kind: folder, path: navy}]}
"""


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Workspace]:
    monkeypatch.setenv("FITTINGROOM_WORKSPACE", str(tmp_path))
    get_settings.cache_clear()
    yield Workspace(tmp_path)
    get_settings.cache_clear()


def test_the_crawl_comes_first_then_the_catalog_then_the_last_version(place: Workspace) -> None:
    assert known_card(place, StyleCard("navy")) == StyleCard("navy")

    weights = place.root / "weights.safetensors"
    save_weights(weights, "any", {"w": torch.zeros(1)}, {}, {})
    tags = StyleCard("navy", "blue", "striped", "vest").to_tags()
    Registry(place).register(style_model("navy"), weights, {}, {STYLE_DIGEST: "old"}, {}, tags)
    assert known_card(place, StyleCard("navy")) == StyleCard("navy", "blue", "striped", "vest"), (
        "of no content that is known"
    )

    (place.root / "catalog.yaml").write_text(CATALOG)
    assert known_card(place, StyleCard("navy")) == StyleCard("navy", "navy", "solid", "trousers")
    assert known_card(place, StyleCard("navy", category="skirt")) == StyleCard("navy", "navy", "solid", "skirt")

    crawled = {"name": "navy", "category": "shorts", "colour": "navy", "pattern": "solid"}
    write_json(place.crawl("navy") / "style.json", crawled)
    assert known_card(place, StyleCard("navy")) == StyleCard("navy", "navy", "solid", "shorts"), "by an earlier version"
    note_cards(place, [StyleCard("navy", "navy", "dotted", "sling", catalog_digest="digest")])
    assert known_card(place, StyleCard("navy")) == StyleCard("navy", "navy", "dotted", "sling", catalog_digest="digest")


def test_a_catalog_that_cannot_be_used_is_passed_over(place: Workspace) -> None:
    (place.root / "catalog.yaml").write_text("styles: 3")
    assert known_card(place, StyleCard("navy")) == StyleCard("navy")
