"""Pages in the shapes of real shop systems, rewritten small: the product's pictures at their largest, and no logo."""

from __future__ import annotations

import json

import pytest

from fittingroom.crawl.pages import PageContent, read_page
from fittingroom.crawl.variants import largest_of_each, read_variant

PAGE = "https://shop.example/products/tee"
CDN = "https://cdn.example"


def page(body: str, url: str = PAGE) -> PageContent:
    return read_page(body.encode(), url)


def test_shopify() -> None:
    found = page(
        """
        <header><img class="header__logo" src="//cdn.example/s/files/logo_100x.png?v=1"></header>
        <script type="application/ld+json">
        {"@context": "http://schema.org/", "@type": "Product", "name": "Tee &amp; more",
         "image": ["https:\\/\\/cdn.example\\/s\\/files\\/tee_600x.jpg?v=1"],}
        </script>
        <img src="//cdn.example/s/files/tee_300x.jpg?v=1"
             srcset="//cdn.example/s/files/tee_300x.jpg?v=1 300w, //cdn.example/s/files/tee_900x.jpg?v=1 900w">
        <img data-src="//cdn.example/s/files/back_{width}x.jpg?v=2" data-widths="[180, 360, 1296]" src="data:,">
        <img src="//cdn.example/s/files/side.jpg?v=3&width=200">
        <img src="//cdn.example/s/files/side.jpg?v=3&width=1946">
        <footer><img src="//cdn.example/s/files/team.jpg"></footer>
        """
    )
    assert found.structured == [f"{CDN}/s/files/tee_900x.jpg?v=1"]
    assert found.others == [f"{CDN}/s/files/back_1296x.jpg?v=2", f"{CDN}/s/files/side.jpg?v=3&width=1946"]


def test_woocommerce() -> None:
    found = page(
        """
        <div class="woocommerce-product-gallery__image" data-thumb="/wp/tee-100x100.jpg"><a href="/wp/tee.jpg">
        <img width="600" height="800" src="/wp/tee-600x800.jpg" data-large_image="/wp/tee.jpg"
             srcset="/wp/tee-600x800.jpg 600w, /wp/tee-225x300.jpg 225w"></a></div>
        <img class="payment-icons" src="/wp/cards.jpg"><img src="/wp/paypal-mark.png">
        """
    )
    assert found.others == ["https://shop.example/wp/tee.jpg"]


def test_magento() -> None:
    gallery = [
        {"thumb": f"{CDN}/m/1/t{n}.jpg", "img": f"{CDN}/m/2/t{n}.jpg", "full": f"{CDN}/m/3/t{n}.jpg"} for n in (1, 2)
    ]
    data = json.dumps({"[data-gallery-role=gallery]": {"mage/gallery/gallery": {"data": gallery}}})
    assert page(f'<script type="text/x-magento-init">{data}</script>').others == [
        f"{CDN}/m/3/t1.jpg",
        f"{CDN}/m/3/t2.jpg",
    ]


def test_next_js_data_and_its_image_service() -> None:
    data = {
        "props": {"pageProps": {"article": {"media": [{"uri": f"{CDN}/a.jpg", "type": "x"}, {"uri": f"{CDN}/b.jpg"}]}}}
    }
    served = "/_next/image?url=https%3A%2F%2Fcdn.example%2Fa.jpg&w={}&q=75"
    found = page(
        f'<script id="__NEXT_DATA__" type="application/json">{json.dumps(data)}</script>'
        f'<img src="{served.format(640)}" srcset="{served.format(640)} 1x, {served.format(1200)} 2x">'
    )
    assert found.others == [f"{CDN}/a.jpg", f"{CDN}/b.jpg"]


def test_where_structured_data_names_the_pictures_scripts_are_not_asked() -> None:
    product = json.dumps({"@type": "Product", "image": "/tee.jpg"})
    data = json.dumps({"recommended": [{"image": "/other.jpg"}]})
    found = page(
        f'<script type="application/ld+json">{product}</script><script type="application/json">{data}</script>'
    )
    assert found == PageContent(structured=["https://shop.example/tee.jpg"])


@pytest.mark.parametrize("old_hires", ["", f'data-old-hires="{CDN}/I/71._AC_SL1500_.jpg"'])
def test_dynamic_image_attribute(old_hires: str) -> None:
    found = page(
        f'<img id="landingImage" src="{CDN}/I/71._AC_SX38_.jpg" {old_hires} data-a-dynamic-image='
        f'"{{&quot;{CDN}/I/71._AC_SX342_.jpg&quot;:[342,445],&quot;{CDN}/I/71._AC_SX679_.jpg&quot;:[679,883]}}">'
        f'<img src="{CDN}/I/71._AC_US40_.jpg" data-a-dynamic-image="not json">'
    )
    assert found.others == [f"{CDN}/I/71._AC_{'SL1500' if old_hires else 'SX679'}_.jpg"]


def test_etsy() -> None:
    shown = f"{CDN}/r/il/ab/il_794xN.1_ab.jpg"
    found = page(
        f'<img src="{shown}" srcset="{shown} 1x, {CDN}/r/il/ab/il_1588xN.1_ab.jpg 2x" '
        f'data-src-zoom-image="{CDN}/r/il/ab/il_fullxfull.1_ab.jpg"><img src="{CDN}/r/il/ab/il_75x75.1_ab.jpg">'
    )
    assert found.others == [f"{CDN}/r/il/ab/il_fullxfull.1_ab.jpg"]


def test_addresses_with_brackets_and_calls() -> None:
    url = f"{CDN}/hmgoepprod?set=source[/a/b.jpg],res[m],hmver[1]&call=url[file:/product/main]"
    assert page(f'<img src="{url}">').others == [url]


def test_amp() -> None:
    found = page(
        '<amp-img src="/s.jpg" srcset="/s.jpg 400w, /l.jpg 1200w" width=4 height=3 layout="responsive">'
        '<noscript><img src="/s.jpg"></noscript></amp-img><img src="/after.jpg">'
    )
    assert [url.rpartition("/")[2] for url in found.others] == ["l.jpg", "after.jpg"]


def test_html_of_the_nineties_and_frames() -> None:
    found = page(
        '<BODY BACKGROUND="bg.gif"><TABLE><TR><TD><A HREF="big.jpg"><IMG SRC=small.jpg BORDER=0></A>'
        "<TD><IMG SRC='plain.jpg'><TD><IMG SRC=spacer.gif WIDTH=1 HEIGHT=20></TABLE>"
    )
    assert found.others == ["https://shop.example/products/big.jpg", "https://shop.example/products/plain.jpg"]
    frames = page('<frameset><frame src="/menu.html"><frame src="/main.html"></frameset>')
    assert frames.products == ["https://shop.example/menu.html", "https://shop.example/main.html"]


def test_preloads_and_the_link_to_a_pages_picture() -> None:
    found = page(
        '<link rel="preload" as="image" imagesrcset="/p1.jpg 400w, /p2.jpg 1200w"><link rel="image_src" href="/i.jpg">'
        '<link rel="icon" href="/favicon.png"><link rel="preload" as="font" href="/f.woff">'
    )
    assert found.others == ["https://shop.example/i.jpg", "https://shop.example/p2.jpg"]


def test_backgrounds_in_attributes_styles_and_lazy_loaders() -> None:
    found = page(
        """
        <style>.a { background: #fff url("/css.jpg") no-repeat } .b { color: red }</style>
        <div data-bg="url(/lazy.jpg)"></div><div data-background-image="/lazy2.jpg"></div>
        <div style="background-image:url(&#39;/q\\'uote.jpg&#39;)"></div>
        <div style="background-image: url(/a\\28 1\\29.jpg)"></div>
        """
    )
    assert [url.rpartition("/")[2] for url in found.others] == [
        "css.jpg",
        "lazy.jpg",
        "lazy2.jpg",
        "q'uote.jpg",
        "a(1).jpg",
    ]


@pytest.mark.parametrize(
    "script",
    [
        '/* shop */ {"@type": "Product", // the tee\n "image": ["/a.jpg",],}',
        "{&quot;@type&quot;: &quot;Product&quot;, &quot;image&quot;: &quot;/a.jpg&quot;}",
        '{"@type": "Thing"}\n{"@type": "Product", "image": "/a.jpg"};',
        '<![CDATA[{"@type": "Product", "image": {"@type": "ImageObject", "contentUrl": "/a.jpg"}}]]>',
        '{"@graph": [{"@type": "WebPage", "mainEntity": {"@type": "Product", "image": ["/a.jpg"]}}]}',
        '{"@type": "Product", "image": "/a.jpg", "brand": {"@type": "Brand", "image": "/brand.jpg"}}',
    ],
    ids=["comments", "entities", "two values", "cdata", "graph", "brand"],
)
def test_json_ld_as_shops_write_it(script: str) -> None:
    assert page(f'<script type="application/ld+json">{script}</script>').structured == ["https://shop.example/a.jpg"]


def test_character_references_inside_json_ld_addresses() -> None:
    product = json.dumps({"@type": "Product", "image": "/a.jpg?x=1&amp;y=2"})
    found = page(f'<script type="application/ld+json">{product}</script>')
    assert found.structured == ["https://shop.example/a.jpg?x=1&y=2"]


def test_broken_markup() -> None:
    assert page("<div><img src='/a.jpg' <p><img src=/b.jpg></span></table><img src=\"/c.jpg\"").others[:2] == [
        "https://shop.example/a.jpg",
        "https://shop.example/b.jpg",
    ]


@pytest.mark.parametrize("said", ["iso-8859-1", "shift_jis", "utf-16", "no-such-charset", None])
def test_utf_8_is_read_as_utf_8_whatever_the_server_says(said: str | None) -> None:
    assert read_page('<img src="/hé.jpg">'.encode(), PAGE, said).others == ["https://shop.example/h%C3%A9.jpg"]


def test_latin_1_that_calls_itself_utf_8_and_utf_16() -> None:
    assert read_page('<meta charset="utf-8"><img src="/h\xe9.jpg">'.encode("latin-1"), PAGE).others == [
        "https://shop.example/h%C3%A9.jpg"
    ]
    assert read_page('<img src="/é.jpg">'.encode("utf-16"), PAGE).others == ["https://shop.example/%C3%A9.jpg"]


@pytest.mark.parametrize(
    "html",
    [
        '<img src="/img/site-logo.png">',
        '<img src="/sprite.png">',
        '<img src="/icons/returns.png">',
        '<img src="/a.jpg" class="product-badge">',
        '<img src="/visa.jpg">',
        '<img src="/a.jpg" width="32" height="32">',
        '<img src="https://www.facebook.com/tr?id=1&ev=PageView&noscript=1">',
        '<img src="/spacer.gif">',
    ],
)
def test_what_dresses_the_page_is_left_out(html: str) -> None:
    assert page(html).others == []


@pytest.mark.parametrize(
    "name", ["logo-tee.png", "iconic.jpg", "blank-shirt.png", "tee-logo-print.jpg", "pixelated.png"]
)
def test_a_garment_with_a_print_is_no_decoration(name: str) -> None:
    assert page(f'<img src="/{name}">').others == [f"https://shop.example/{name}"]


def test_a_pages_frame_and_drawings_count_only_where_no_data_names_the_product() -> None:
    frame = '<nav><img src="/sale.jpg"></nav><img src="/drawing.svg"><main><img src="/more.jpg"></main>'
    product = '<script type="application/ld+json">{"@type": "Product", "image": "/tee.jpg"}</script>'
    assert page(frame + product).others == ["https://shop.example/more.jpg"]
    assert len(page(frame).others) == 3


@pytest.mark.parametrize(
    ("small", "large"),
    [
        ("/a-300x400.jpg", "/a.jpg"),
        ("/a_small.jpg?v=1", "/a_1024x1024.jpg?v=1"),
        ("/a_400x.jpg", "/a_400x@2x.jpg"),
        ("/i.jpg?w=300&q=80", "/i.jpg?q=90&w=1200"),
        ("/i.jpg?imwidth=156", "/i.jpg?imwidth=1800"),
        ("/w_300,h_400,c_fill/v1/a.jpg", "/c_fill,w_900,h_1200/v1/a.jpg"),
        ("/cdn-cgi/image/width=80,quality=75/a.jpg", "/cdn-cgi/image/width=800,quality=75/a.jpg"),
        ("/I/5._SX38_.jpg", "/I/5.jpg"),
    ],
)
def test_variants_of_one_picture(small: str, large: str) -> None:
    small, large = CDN + small, CDN + large
    assert read_variant(small).picture == read_variant(large).picture
    for order in ([small, large], [large, small]):
        assert list(largest_of_each(order).values()) == [large]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("/a.jpg?id=1", "/a.jpg?id=2"),
        ("/shirt-2x3.jpg", "/shirt.jpg"),
        ("/look_1.jpg", "/look_2.jpg"),
        ("/p/1/a.jpg", "/p/2/a.jpg"),
        ("/il_1.jpg", "/il_2.jpg"),
    ],
)
def test_other_pictures_stay_others(one: str, other: str) -> None:
    assert len(largest_of_each([CDN + one, CDN + other])) == 2
