"""Catalog files as people write them, well and badly."""

from __future__ import annotations

import textwrap
from pathlib import Path

import pytest

from fittingroom.catalog import Catalog, FolderSource, PageSource, SearchSource, Style, UrlsSource, load_catalog
from fittingroom.errors import CatalogError, MissingInputError
from fittingroom.style_card import StyleCard

GOOD = """\
# The shop's styles.
styles:
  - name: red-striped
    category: Short sleeve  top
    colour: Red
    pattern: striped
    sources:
      - {kind: page, url: "https://shop.example/red?x=1", licence: "ours"}
      - kind: search
        query: red striped t-shirt
  - name: blue-solid
    category: vest dress
    colour: blue
    pattern: solid
    sources:
      - {kind: folder, path: pictures/blue}
      - {kind: urls, path: /srv/blue.csv}
"""


def write(folder: Path, text: str) -> Path:
    path = folder / "catalog.yaml"
    path.write_text(textwrap.dedent(text), encoding="utf-8")
    return path


def refused(folder: Path, text: str) -> str:
    path = write(folder, text)
    with pytest.raises(CatalogError) as caught:
        load_catalog(path)
    message = str(caught.value)
    assert "\n" not in message
    return message.removeprefix(f"{path}:")


def test_a_style_without_a_colour_is_of_any(tmp_path: Path) -> None:
    red, _ = load_catalog(write(tmp_path, GOOD.replace("    colour: Red\n", ""))).styles
    assert red.card("5f").any_colour
    assert not load_catalog(write(tmp_path, GOOD)).styles[0].card("5f").any_colour
    assert not StyleCard("red-striped", pattern="striped").any_colour, "nobody's catalog says so"


def test_a_good_catalog(tmp_path: Path) -> None:
    catalog = load_catalog(write(tmp_path, GOOD))
    red, blue = catalog.styles
    assert (red.name, red.category, red.colour, red.pattern) == ("red-striped", "short sleeve top", "red", "striped")
    assert red.sources == [
        PageSource(url="https://shop.example/red?x=1", licence="ours"),
        SearchSource(query="red striped t-shirt", provider="openverse"),
    ]
    folder, urls = blue.sources
    assert isinstance(folder, FolderSource)
    assert isinstance(urls, UrlsSource)
    assert folder.location == tmp_path / "pictures" / "blue"
    assert urls.location == Path("/srv/blue.csv")
    assert catalog.style("blue-solid") is blue
    with pytest.raises(CatalogError, match="expected one of red-striped, blue-solid, got 'green'"):
        catalog.style("green")


def test_a_style_survives_json(tmp_path: Path) -> None:
    for style in load_catalog(write(tmp_path, GOOD)).styles:
        again = Style.model_validate(style.model_dump(mode="json"))
        assert again == style
        assert again.digest() == style.digest()


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (
            "pattern: solid",
            "pattern: stripey",
            "14: styles[1].pattern: expected one of solid, striped, checked, dotted, floral, graphic, got 'stripey'",
        ),
        ("vest dress", "jumper", "12: styles[1].category: expected one of short sleeve top, "),
        ("name: blue-solid", "name: Blue Solid", "11: styles[1].name: expected a-z, 0-9 and inner hyphens"),
        ("name: blue-solid", "name: red-striped", "11: styles[1].name: expected each style name once"),
        ("name: blue-solid", f"name: {'a' * 59}", "11: styles[1].name: expected a-z"),
        ("colour: blue", "colour: 7", "13: styles[1].colour: expected a valid string, got 7"),
        ("colour: blue", "colour: on", "13: styles[1].colour: expected a valid string, got True"),
        ("colour: blue", "color: blue", "13: styles[1].color: expected no such field here"),
        (
            "kind: folder",
            "kind: dir",
            "16: styles[1].sources[0]: kind: expected one of page, search, urls, folder, got",
        ),
        ("{kind: folder, path", "{path", "16: styles[1].sources[0].kind: expected a value, got none"),
        ("kind: page, url", "kind: page, link", "8: styles[0].sources[0].url: expected a value, got none"),
        ("https://shop", "ftp://shop", "8: styles[0].sources[0].url: expected an absolute http:// or https:// address"),
        ("https://shop", "https://me:pw@shop", "8: styles[0].sources[0].url: expected an absolute http"),
        ("query: red striped t-shirt", "query: ''", "10: styles[0].sources[1].query: "),
        (
            "query: red",
            "limit: 0\n        query: red",
            "10: styles[0].sources[1].limit: expected greater than or equal to 1",
        ),
        ('licence: "ours"', "max_page: 3", "8: styles[0].sources[0].max_page: expected no such field here, got"),
        ("kind: search", "kind: search\n        provider: bing", "9: styles[0].sources[1]: expected endpoint"),
        ("styles:", "style:", "2: styles: expected a value, got none"),
        ("colour: Red", "colour: Red\n    colour: blue", "6: expected key 'colour' once, got it twice"),
        ("colour: Red", "colour: [Red", ""),
        ("colour: Red", "colour: !!python/object/apply:os.system ['x']", "5: not valid YAML"),
        ("colour: Red", "colour: \tRed: x", "5: not valid YAML"),
    ],
)
def test_errors_name_line_and_field(tmp_path: Path, old: str, new: str, expected: str) -> None:
    assert old in GOOD
    message = refused(tmp_path, GOOD.replace(old, new, 1))
    if expected.endswith("got none") or expected.endswith("got"):
        assert message.startswith(expected.removesuffix(", got"))
    else:
        assert message.startswith(expected)
    assert message[0].isdigit()


def test_files_that_are_no_catalog(tmp_path: Path) -> None:
    assert refused(tmp_path, "") == "1: expected a catalog, got an empty file"
    assert refused(tmp_path, "- a\n").startswith("1: catalog: ")
    assert refused(tmp_path, "styles: []\n").startswith("1: styles: ")
    (tmp_path / "latin.yaml").write_bytes(b"styles:\n  - name: \xe9\n")
    with pytest.raises(CatalogError, match=r"latin\.yaml:2: expected UTF-8"):
        load_catalog(tmp_path / "latin.yaml")
    with pytest.raises(MissingInputError, match=r"no-such\.yaml"):
        load_catalog(tmp_path / "no-such.yaml")
    (tmp_path / "none").mkdir()
    with pytest.raises(MissingInputError, match="the folder has none"):
        load_catalog(tmp_path / "none")


def test_a_folder_of_files_is_one_catalog(tmp_path: Path) -> None:
    text = GOOD
    first, second = tmp_path / "a.yaml", tmp_path / "b.yml"
    first.write_text(text)
    names = [found.name for found in load_catalog(first).styles]
    second.write_text(text.replace(f"name: {names[0]}", "name: another").replace(f"name: {names[-1]}", "name: third"))
    (tmp_path / "notes.txt").write_text("not a catalog")
    assert [found.name for found in load_catalog(tmp_path).styles][: len(names)] == names
    second.write_text(text)
    with pytest.raises(CatalogError, match=rf"b\.yml: expected each style name once, got '{names[0]}' again .*a\.yaml"):
        load_catalog(tmp_path)


def test_bombs_are_refused(tmp_path: Path) -> None:
    levels = [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 9)]
    assert "aliases expanded" in refused(tmp_path, "\n".join(["a0: &a0 [x, x, x, x, x, x, x, x, x]", *levels]))
    assert "alias inside" in refused(tmp_path, "styles: &a [*a]\n")
    assert "levels of nesting" in refused(tmp_path, "styles: " + "[" * 400_000)
    (tmp_path / "large.yaml").write_text("#" * 1_000_001)
    with pytest.raises(CatalogError, match="bytes"):
        load_catalog(tmp_path / "large.yaml")


def test_aliases_may_be_used_as_such(tmp_path: Path) -> None:
    catalog = load_catalog(
        write(
            tmp_path,
            """\
            styles:
              - {name: a, category: vest, colour: red, pattern: solid, sources: &all [{kind: folder, path: p}]}
              - {name: b, category: vest, colour: blue, pattern: solid, sources: *all}
            """,
        )
    )
    assert catalog.styles[0].sources == catalog.styles[1].sources


def style(**changes: object) -> Style:
    values: dict[str, object] = {
        "name": "a",
        "category": "vest",
        "colour": "red",
        "pattern": "solid",
        "sources": [{"kind": "page", "url": "https://a.example/"}, {"kind": "folder", "path": "p"}],
    }
    return Style.model_validate(values | changes)


def test_digest_counts_what_matters() -> None:
    base = style().digest()
    sources = style().model_dump()["sources"]
    assert style(name="b").digest() == base
    assert style(colour="RED").digest() == base
    assert style(sources=sources[::-1]).digest() == base
    assert style(sources=[sources[0] | {"licence": "cc0"}, sources[1] | {"relative_to": "/srv"}]).digest() == base
    assert style(sources=[sources[0], sources[1] | {"path": "../q"}]).digest() == base, "a place is no content"
    changed = [
        style(colour="blue"),
        style(category="sling"),
        style(pattern="dotted"),
        style(sources=sources[:1]),
        style(sources=[sources[0] | {"images": "structured"}, sources[1]]),
        style(sources=[sources[0], sources[1] | {"recursive": True}]),
    ]
    digests = {one.digest() for one in changed}
    assert len(digests) == len(changed)
    assert base not in digests


def test_a_moved_catalog_has_the_same_digests(tmp_path: Path) -> None:
    (tmp_path / "x").mkdir()
    here, there = load_catalog(write(tmp_path, GOOD)), load_catalog(write(tmp_path / "x", GOOD))
    assert [s.digest() for s in here.styles] == [s.digest() for s in there.styles]


def test_names_are_unique_without_a_file_too() -> None:
    with pytest.raises(ValueError, match="expected each style name once, got 'a' twice"):
        Catalog(styles=[style(), style()])
