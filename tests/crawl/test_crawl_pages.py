"""The shapes in which shops tell of pictures."""

from __future__ import annotations

import json
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fittingroom.crawl.html.pages import PageContent, read_page
from fittingroom.crawl.html.urls import address_of, parse_srcset

PAGE = "https://shop.example/t-shirts/red"


def page(body: str, url: str = PAGE) -> PageContent:
    return read_page(body.encode(), url)


def ld(value: object) -> str:
    return f'<script type="application/ld+json">{json.dumps(value)}</script>'


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        ("/a.jpg", ["/a.jpg"]),
        (["/a.jpg", "/b.jpg"], ["/a.jpg", "/b.jpg"]),
        ({"@type": "ImageObject", "url": "/a.jpg"}, ["/a.jpg"]),
        ({"@type": "ImageObject", "contentUrl": "/large.jpg", "url": "/page"}, ["/large.jpg"]),
        ([{"url": "/a.jpg"}, "/b.jpg"], ["/a.jpg", "/b.jpg"]),
        ({"@type": "ImageObject", "url": ["/a.jpg", "/b.jpg"]}, ["/a.jpg", "/b.jpg"]),
        (None, []),
        (7, []),
    ],
)
def test_json_ld_product_images(image: object, expected: list[str]) -> None:
    found = page(ld({"@context": "https://schema.org", "@type": "Product", "name": "T", "image": image}))
    assert found.structured == ["https://shop.example" + path for path in expected]


def test_json_ld_graph_with_references_and_variants() -> None:
    found = page(
        ld(
            {
                "@context": "https://schema.org/",
                "@graph": [
                    {"@type": "WebPage", "image": "/banner.jpg"},
                    {"@type": ["Product", "Thing"], "image": {"@id": "#pic"}},
                    {"@id": "#pic", "@type": "ImageObject", "contentUrl": "//cdn.example/a.jpg"},
                    {"@type": "http://schema.org/ProductGroup", "hasVariant": [{"@type": "Product", "image": "v.jpg"}]},
                ],
            }
        )
    )
    assert found.structured == ["https://cdn.example/a.jpg", "https://shop.example/t-shirts/v.jpg"]


def test_json_ld_item_list_gives_pictures_or_else_pages() -> None:
    entries = [
        {"@type": "ListItem", "position": 1, "url": "/p/1"},
        {"@type": "ListItem", "item": "/p/2"},
        {"@type": "ListItem", "item": {"@type": "Product", "url": "/p/3", "image": ["/3.jpg"]}},
        {"@type": "ListItem", "item": {"@type": "Product", "@id": "/p/4"}},
        {"@type": "ListItem", "url": "/p/5", "image": "/5.jpg"},
        "/p/6",
        None,
    ]
    crumbs = {"@type": "BreadcrumbList", "itemListElement": [{"@type": "ListItem", "item": "/home"}]}
    found = page(ld([{"@type": "ItemList", "itemListElement": entries}, crumbs]))
    assert sorted(found.structured) == ["https://shop.example/3.jpg", "https://shop.example/5.jpg"]
    assert found.products == [f"https://shop.example/p/{n}" for n in (1, 2, 4, 6)]


@pytest.mark.parametrize(
    "script",
    [
        "<!--\n{}\n-->",
        "//<![CDATA[\n{}\n//]]>",
        "<![CDATA[{}]]>",
        "\n\t{};",
    ],
)
def test_json_ld_in_wrappings(script: str) -> None:
    text = script.replace("{}", '{"@type": "Product", "name": "two\nlines", "image": "/a.jpg"}')
    found = page(f'<script type="application/ld+json; charset=utf-8">{text}</script>')
    assert found.structured == ["https://shop.example/a.jpg"]


@pytest.mark.parametrize("broken", ["{", "[" * 100_000, '{"@type": {"@type": []}}', "null", '"x"', '{"@graph": 3}', ""])
def test_broken_json_ld_spoils_nothing(broken: str) -> None:
    found = page(f'<script type="application/ld+json">{broken}</script><img src="/a.jpg">')
    assert found == PageContent(others=["https://shop.example/a.jpg"])


def test_microdata() -> None:
    found = page(
        """
        <div itemscope itemtype="https://schema.org/Product">
          <img itemprop="image" src="/small.jpg" srcset="/s.jpg 100w, /l.jpg 900w">
          <link itemprop="image" href="/link.jpg"><meta itemprop="image" content="/meta.jpg">
          <div itemprop="image" itemscope itemtype="https://schema.org/ImageObject">
            <a itemprop="contentUrl" href="/object.jpg"></a></div>
        </div>
        <div itemscope itemtype="https://schema.org/Organization"><img itemprop="image" src="/logo.png"></div>
        """
    )
    assert [url.rpartition("/")[2] for url in found.structured] == ["l.jpg", "link.jpg", "meta.jpg", "object.jpg"]
    assert found.others == [], "a logo by its name"


def test_cards() -> None:
    found = page(
        '<meta property="og:image" content="/og.jpg">'
        '<meta name="twitter:image" content="//cdn.example/t.jpg?w=9&amp;h=8">'
        '<meta property="og:title" content="/no.jpg"><meta property="og:image:secure_url" content="https://s.example/o.jpg">'
    )
    assert found.others == [
        "https://shop.example/og.jpg",
        "https://cdn.example/t.jpg?w=9&h=8",
        "https://s.example/o.jpg",
    ]


@pytest.mark.parametrize(
    ("html", "expected"),
    [
        ('<img src="a.jpg">', ["a.jpg"]),
        ('<img src="a.jpg" srcset="b.jpg 300w, c.jpg 900w, d.jpg 600w">', ["c.jpg"]),
        ('<img src="a.jpg" srcset="b.jpg 1x, c.jpg 2.5x">', ["c.jpg"]),
        ('<img src="data:image/gif;base64,R0lGOD" data-src="real.jpg">', ["real.jpg"]),
        ('<img src="p.gif" data-srcset="b.jpg 300w, c.jpg 900w">', ["c.jpg"]),
        ('<img src="a.jpg" data-zoom-image="huge.jpg" srcset="c.jpg 900w">', ["huge.jpg"]),
        ('<img src="data:image/gif;base64,R0lGOD"><noscript><img src="real.jpg"></noscript>', ["real.jpg"]),
        (
            '<picture><source type="image/avif" srcset="a.avif 400w, b.avif 1200w"><source srcset="c.jpg 800w">'
            '<img src="d.jpg"></picture>',
            ["b.avif"],
        ),
        ('<picture><source type="image/jxl" srcset="a.jxl 4000w"><img src="d.jpg"></picture>', ["d.jpg"]),
        ('<picture><source srcset="" ><img data-src="d.jpg"></picture>', ["d.jpg"]),
        ('<div style="color: red; background-image: url(&quot;bg.jpg&quot;)"></div>', ["bg.jpg"]),
        ("<div style=\"background: #fff url('bg.jpg') no-repeat\"></div>", ["bg.jpg"]),
        ('<img src="t.gif" width="1" height="1">', []),
        ('<img src="a.jpg"><img src="a.jpg#zoom">', ["a.jpg"]),
        ('<img src="javascript:alert(1)"><img src="about:blank"><img src=""><img>', []),
        ('<img src="http://[bad/a.jpg"><img src="http://user:pw@shop.example/a.jpg">', []),
        ('<img src="with space.jpg">', ["with%20space.jpg"]),
        ('<img src="\n a.jpg \t">', ["a.jpg"]),
    ],
)
def test_elements(html: str, expected: list[str]) -> None:
    assert page(html).others == ["https://shop.example/t-shirts/" + name for name in expected]


def test_base_and_relative_addresses() -> None:
    html = '<base href="//cdn.example/img/"><img src="a.jpg"><img src="/b.jpg"><img src="?id=3">'
    assert page(html).others == [
        "https://cdn.example/img/a.jpg",
        "https://cdn.example/b.jpg",
        "https://cdn.example/img/?id=3",
    ]


def test_srcset_with_commas_inside_addresses() -> None:
    value = "https://cdn.example/w_300,h_400/a.jpg 300w,https://cdn.example/w_900,h_1200/a.jpg 900w, b.jpg"
    assert parse_srcset(value) == [
        ("https://cdn.example/w_300,h_400/a.jpg", 300.0),
        ("https://cdn.example/w_900,h_1200/a.jpg", 900.0),
        ("b.jpg", 1.0),
    ]
    assert parse_srcset("a.jpg, b.jpg 2x") == [("a.jpg", 1.0), ("b.jpg", 2000.0)]


def test_next_page_by_link_and_by_anchor() -> None:
    assert page('<link rel="next" href="?page=2">').next_page == PAGE + "?page=2"
    assert page('<a rel="nofollow next" href="/t-shirts/red/2">more</a>').next_page == PAGE + "/2"
    assert page('<a rel="prev" href="/1">back</a>').next_page == ""


@pytest.mark.parametrize(
    ("words", "out"), [("noai", True), ("index, NoImageAI", True), ("noimageindex", True), ("noindex, follow", False)]
)
def test_opt_out_of_a_page(words: str, out: bool) -> None:
    assert page(f'<meta name="robots" content="{words}"><img src="a.jpg">').opted_out is out


@pytest.mark.parametrize(
    "meta",
    [
        '<meta name="robots" property="og:robots" content="noai">',
        '<meta http-equiv="X-Robots-Tag" content="noai">',
        "<meta name=robots content='\"noai\", follow'>",
        '<meta name="robots" content="no-ai">',
    ],
)
def test_other_spellings_of_an_opt_out(meta: str) -> None:
    assert page(f'{meta}<img src="a.jpg">').opted_out


def test_a_product_in_rdfa_is_a_product() -> None:
    product = '<div vocab="https://schema.org/" typeof="Product"><img src="a.jpg"></div>'
    assert page(product).is_product
    assert not page(product * 2).is_product


def test_ten_thousand_pictures_and_a_deep_page() -> None:
    started = time.monotonic()
    many = page("".join(f'<img src="/{n}.jpg">' for n in range(10_000)))
    assert len(many.others) == 5000
    deep = page("<div>" * 20_000 + '<img src="/deep.jpg">')
    assert deep.others in ([], ["https://shop.example/deep.jpg"])  # libxml2 gives up on such depths; we do not
    assert time.monotonic() - started < 60


@pytest.mark.parametrize(
    "html",
    [
        "<picture>" * 50_000 + "<img src=a.jpg>" * 10_000,
        '<p style="' + "background:" * 100_000 + '">',
        '<img srcset="' + "a.jpg 1w, " * 100_000 + '">',
        "<img " + " ".join(f"a{n}=1" for n in range(50_000)) + ">",
        '<div itemscope itemtype="https://schema.org/Product">' * 5000 + "<img itemprop=image src=a.jpg>" * 5000,
        '<script type="application/ld+json">' + "[" * 500_000,
        '<script type="application/ld+json">' + '{"@graph":' * 50_000,
    ],
    ids=["pictures", "style", "srcset", "attributes", "scopes", "brackets", "braces"],
)
def test_pages_made_to_stall_a_reader(html: str) -> None:
    started = time.monotonic()
    page(html)
    assert time.monotonic() - started < 30


def test_a_page_of_too_many_elements_gives_what_came_first() -> None:
    found = page('<img src="/first.jpg">' + "<b></b>" * 310_000 + '<img src="/last.jpg">')
    assert found.others == ["https://shop.example/first.jpg"]


def test_charsets() -> None:
    html = '<meta charset="windows-1252"><img src="/h\xe9.jpg">'.encode("cp1252")
    assert read_page(html, PAGE).others == ["https://shop.example/h%C3%A9.jpg"]
    assert read_page('<img src="/é.jpg">'.encode(), PAGE, "utf-8").others == ["https://shop.example/%C3%A9.jpg"]
    assert read_page(b'<img src="/a.jpg">', PAGE, "no-such-charset").others == ["https://shop.example/a.jpg"]


@given(st.text(max_size=300))
@settings(max_examples=200, deadline=None)
def test_any_text_is_read_without_error(text: str) -> None:
    address_of(text, PAGE)
    parse_srcset(text)
    page(f"<img src='{text}' srcset='{text}'>{text}" + f'<script type="application/ld+json">{text}</script>')


@given(st.lists(st.tuples(st.from_regex(r"[a-z0-9/._-]{1,20}[a-z]", fullmatch=True), st.integers(1, 9999)), max_size=8))
def test_srcset_round_trip(candidates: list[tuple[str, int]]) -> None:
    value = ", ".join(f"{address} {width}w" for address, width in candidates)
    assert parse_srcset(value) == [(address, float(width)) for address, width in candidates]
