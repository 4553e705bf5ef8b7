"""Pages in the shapes of real shop systems, rewritten small: the product's pictures at their largest, and no logo."""

from __future__ import annotations

import json
import time
from urllib.parse import quote, unquote

import pytest

from fittingroom.crawl.html.pages import PageContent, read_page
from fittingroom.crawl.html.urls import address_of
from fittingroom.crawl.html.variants import largest_of_each, read_variant

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
    assert found == PageContent(structured=["https://shop.example/tee.jpg"], is_product=True)


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
        '\ufeff{"@type": "Product", "image": "/a.jpg"}',
        '{"@type": "schema:Product", "schema:image": {"schema:contentUrl": "/a.jpg"}, "schema:isRelatedTo": '
        '{"@type": "schema:Product", "schema:image": "/b.jpg"}}',
        '{"@type": ["http://schema.org/Product"], "http://schema.org/image": [{"@value": "/a.jpg"}]}',
        '{"@context": "https://schema.org", "type": "Product", "image": "/a.jpg"}',
    ],
    ids=[
        "comments",
        "entities",
        "two values",
        "cdata",
        "graph",
        "brand",
        "mark",
        "prefix",
        "whole names",
        "no @",
    ],
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
        ("/shirt_s.jpg", "/shirt_l.jpg"),
        ("/shirt_M.JPG", "/shirt_XL.JPG"),
        ("/abc=s100", "/abc=s1600"),
        ("/abc=w240-h480-rw", "/abc=s0"),
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
        ("/side_l.jpg", "/side_r.jpg"),
        ("/side_l.jpg", "/side.jpg"),
    ],
)
def test_other_pictures_stay_others(one: str, other: str) -> None:
    assert len(largest_of_each([CDN + one, CDN + other])) == 2


PAIRS = {
    "wordpress's largest": ("/a-300x400.jpg", "/a-scaled.jpg"),
    "squarespace": ("/a.jpg?format=300w", "/a.jpg?format=2500w"),
    "squarespace original": ("/a.jpg?format=750w", "/a.jpg?format=original"),
    "magento 1": ("/m/cache/2/small_image/210x/9df78eab/x/a/p.png", "/m/cache/2/image/800x1000/9df78eab/x/a/p.png"),
    "magento 1 original": ("/m/cache/1/image/363x/0f12/x/a/p.png", "/m/x/a/p.png"),
    "magento 2": (
        "/p.jpg?optimize=low&bg-color=255,255,255&fit=bounds&height=300&width=240&canvas=240:300",
        "/p.jpg?optimize=high&fit=bounds&height=1200&width=960&canvas=960:1200",
    ),
    "cafe24": ("/web/product/tiny/20/a.jpg", "/web/product/medium/20/a.jpg"),
    "cafe24 extra": ("/web/product/extra/small/20/a.jpg", "/web/product/extra/big/20/a.jpg"),
    "bigcommerce": ("/images/stencil/500x659/products/1/a.jpg?c=1", "/images/stencil/original/products/1/a.jpg?c=1"),
    "bigcommerce, old": ("/a__9.1600000000.386.513.jpg", "/a__9.1600000000.1280.1280.jpg"),
    "prestashop": ("/12-home_default/t.jpg", "/12-thickbox_default/t.jpg"),
    "prestashop 9": ("/12-default_xs/t.jpg", "/12-default_xl/t.jpg"),
    "prestashop's files": ("/img/p/1/2/12-cart_default.jpg", "/img/p/1/2/12-large_default.jpg"),
    "wix": ("/media/ab~mv2.jpg/v1/fill/w_300,h_400,al_c,q_80/x.jpg", "/media/ab~mv2.jpg/v1/fill/w_900,h_900/x.webp"),
    "wix original": ("/media/ab~mv2.jpg/v1/crop/x_0,y_0,w_9,h_9/fill/w_300,h_400/x.webp", "/media/ab~mv2.jpg"),
    "scene7": ("/is/image/s/2?wid=170&hei=196&defaultImage=s/1", "/is/image/s/2?wid=1200&resMode=sharp2"),
    "scene7, told nothing": ("/is/image/s/2", "/is/image/s/2?wid=1200"),
    "scene7's presets": ("/is/image/s/2?$thumb$", "/is/image/s/2?$pdp_zoom$"),
    "kibo": ("/cms/files/a?max=100&_mzcb=_1", "/cms/files/a?max=900&_mzcb=_2"),
    "akamai": ("/a.jpg?im=Resize=(300,400)", "/a.jpg?im=Resize,width=1200"),
    "akamai's policies": ("/a.jpg?impolicy=pdp_small", "/a.jpg?impolicy=pdp_large"),
    "demandware": (
        "/dw/image/v2/ABCD_PRD/on/demandware.static/-/Sites-m/default/dw0a1b2c3d/images/small/1.jpg?sw=200&sm=fit",
        "/on/demandware.static/-/Sites-m/default/dwffffffff/images/hi-res/1.jpg",
    ),
    "shopware": ("/thumbnail/ab/cd/ef/9/n_800x800.jpg", "/media/ab/cd/ef/9/n.jpg"),
    "smartstore": ("/20/a.jpg?type=f40", "/20/a.jpg?type=m1000_pd"),
    "cloudinary": ("/s/image/upload/c_fill,w_300/f_auto,q_auto/v1/a.jpg", "/s/image/upload/f_auto/w_900/v1/a.jpg"),
    "cloudinary's names": ("/a/t_PDP_144_v1/f_auto/u/N.png", "/a/t_PDP_1728_v1/f_auto/u/N.png"),
    "cloudinary's density": ("/s/image/upload/w_300/v1/a.jpg", "/s/image/upload/w_300,dpr_2.0/v1/a.jpg"),
    "imgix": (f"/a.jpg?w=300&auto=format&s={'a' * 32}", f"/a.jpg?w=300&dpr=3&s={'b' * 32}"),
    "sizes in name and query": ("/a-2000x3000.jpg?w=300", "/a-2000x3000.jpg?w=1300&fit=max"),
    "another's service": ("/thumb/R120x0/?fname=https%3A%2F%2Fx.example%2Fa.jpg", "https://x.example/a.jpg"),
    "a number next to a word": (
        "/thumb/C100x100/?fname=https%3A%2F%2Fx%2Fa.jpg",
        "/thumb/C800x800/?fname=https%3A%2F%2Fx%2Fa.jpg",
    ),
    "a number below a word": ("/small/300x400/a.jpg", "/small/900x1200/a.jpg"),
    "density": ("/a.jpg", "/a@2x.jpg"),
    "vtex": ("/arquivos/ids/15-300-400/n.jpg", "/arquivos/ids/15/n.jpg"),
    "zoom next to the plain one": ("/tee.jpg", "/tee_zoom.jpg"),
    "folders": ("/img/thumbs/a.jpg", "/img/large/a.jpg"),
}


@pytest.mark.parametrize(("small", "large"), PAIRS.values(), ids=PAIRS)
def test_sizes_as_shop_systems_and_image_hosts_spell_them(small: str, large: str) -> None:
    small, large = CDN + small, large if large.startswith("https:") else CDN + large
    for order in ([small, large], [large, small]):
        assert list(largest_of_each(order).values()) == [large]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("/p/small-shirt/1.jpg", "/p/large-shirt/1.jpg"),
        ("/mini-skirt/1.jpg", "/full-skirt/1.jpg"),
        ("/t_shirts/1.jpg", "/t_pants/1.jpg"),
        ("/w123/f.jpg", "/w124/f.jpg"),
        ("/12-red_dress/t.jpg", "/12-blue_dress/t.jpg"),
        ("/i?type=front", "/i?type=back"),
        ("/p/100/a.jpg", "/p/200/a.jpg"),
        ("/a.jpg", "/large/a.jpg"),
    ],
)
def test_what_may_be_another_picture_is_fetched(one: str, other: str) -> None:
    assert len(largest_of_each([CDN + one, CDN + other])) == 2


LAZY = (
    "ec-data-src data-lazyload data-echo data-flickity-lazyload data-imgsrc data-img data-original-src data-actualsrc "
    "data-lazy-original data-srclazy data-real-src data-ks-lazyload data-bgset-src lazy-src"
)
LARGE = (
    "data-zoom-image data-zoomsrc data-large data-large-img data-big data-bigimage data-src-hires data-high-res-src "
    "data-hi-res data-magnify-src data-full data-full-size-image-url data-fancybox-src data-rjs"
)


@pytest.mark.parametrize("name", LAZY.split())
def test_what_holds_a_pictures_address_is_a_picture(name: str) -> None:
    assert page(f'<img src="/blank.gif" {name}="/x.jpg">').others == ["https://shop.example/x.jpg"]


@pytest.mark.parametrize("name", LARGE.split())
def test_the_large_one_wins(name: str) -> None:
    for html in (
        f'<img src="/s.jpg" srcset="/m.jpg 900w" data-src="/l.jpg" {name}="/x.jpg">',
        f'<picture><source srcset="/m.jpg 900w"><img src="/s.jpg" {name}="/x.jpg"></picture>',
        f'<a href="#" {name}="/x.jpg"><img src="/s.jpg"></a>',
    ):
        assert page(html).others == ["https://shop.example/x.jpg"]


@pytest.mark.parametrize(
    ("html", "expected"),
    [
        ('<img src="/a.jpg" data-thumb="/t.jpg" data-placeholder="/p.jpg" onerror="this.src=\'/e.jpg\'">', ["a"]),
        ('<img src="/a.jpg" data-name="tee.jpg" data-id="3" data-caption="as in x.jpg" data-ratio="1.5">', ["a"]),
        ('<img src="/a.jpg" data-hover="/b.jpg">', ["a", "b"]),
        ('<li data-image="/a.jpg"></li><div data-src="/part.html" data-config="{}"></div>', ["a"]),
        ('<img src="/blank.gif" data-bgset="/a.jpg 900w, /s.jpg 200w">', ["a"]),
        ('<a href="/a.jpg#gallery"><img src="/s.jpg"></a>', ["a"]),
        (
            '<picture><source media="(max-width: 600px)" srcset="/s.jpg"><source media="(min-width: 601px)" '
            'srcset="/a.jpg"><img src="/s.jpg"></picture>',
            ["a"],
        ),
    ],
)
def test_small_ones_names_and_other_views(html: str, expected: list[str]) -> None:
    assert page(html).others == [f"https://shop.example/{name}.jpg" for name in expected]


PRODUCT = {"@type": "Product", "image": "/a.jpg", "name": "Tee"}
OTHER = {"@type": "Product", "image": "/other.jpg", "name": "Coat", "@id": "#coat"}


def structured(*values: object) -> list[str]:
    found = page("".join(f'<script type="application/ld+json">{json.dumps(value)}</script>' for value in values))
    return [url.removeprefix("https://shop.example/") for url in found.structured]


@pytest.mark.parametrize(
    "values",
    [
        [{**PRODUCT, "isRelatedTo": [OTHER]}],
        [{**PRODUCT, "isSimilarTo": OTHER, "isAccessoryOrSparePartFor": OTHER, "isConsumableFor": [OTHER]}],
        [{"@graph": [{**PRODUCT, "isRelatedTo": {"@id": "#coat"}}, OTHER]}],
        [PRODUCT, {"@type": "ItemList", "itemListElement": [{"@type": "ListItem", "item": OTHER, "url": "/coat"}]}],
        [OTHER, {"@type": "ItemPage", "mainEntity": PRODUCT}],
        [OTHER, {**PRODUCT, "url": PAGE}],
        [PRODUCT, {"@type": "Product", "name": "Tee", "aggregateRating": {"ratingValue": 4}}],
        [{**PRODUCT, "offers": {"@type": "Offer", "addOn": {"itemOffered": OTHER}}}],
    ],
    ids=["related", "similar", "by reference", "list", "main entity", "by address", "told twice", "add-on"],
)
def test_only_the_pages_own_product_counts(values: list[object]) -> None:
    assert structured(*values) == ["a.jpg"]


@pytest.mark.parametrize(
    "image",
    [
        {"@list": ["/a.jpg", "/b.jpg"]},
        {"@type": "ImageObject", "url": ["/a.jpg", "/b.jpg"]},
        [{"@type": "ImageObject", "contentUrl": {"@value": "/a.jpg"}}, ["/b.jpg"]],
        {"@type": "ImageGallery", "associatedMedia": [{"contentUrl": "/a.jpg"}, {"contentUrl": "/b.jpg"}]},
        "https://shop.example/a.jpg, https://shop.example/b.jpg",
        "https://shop.example/a.jpg,https://shop.example/b.jpg",
        "/a.jpg,/b.jpg",
        '["/a.jpg", "/b.jpg"]',
        "/a.jpg\nhttps://shop.example/b.jpg",
    ],
)
def test_all_pictures_of_a_product(image: object) -> None:
    assert structured({"@type": "Product", "image": image}) == ["a.jpg", "b.jpg"]


def test_commas_that_belong_to_an_address() -> None:
    assert structured({"@type": "Product", "image": "/w_300,h_400,c_fill/a.jpg"}) == ["w_300,h_400,c_fill/a.jpg"]


def test_several_products_are_a_listing() -> None:
    assert structured(PRODUCT, OTHER) == ["a.jpg", "other.jpg"]
    assert not page(f'<script type="application/ld+json">{json.dumps([PRODUCT, OTHER])}</script>').is_product
    assert page('<meta property="og:type" content="product"><img src="/a.jpg">').is_product


def test_related_products_of_microdata() -> None:
    found = page(
        '<div itemscope itemtype="https://schema.org/Product"><img itemprop="image" src="/a.jpg">'
        '<div itemprop="isRelatedTo" itemscope itemtype="https://schema.org/Product">'
        '<img itemprop="image" src="/o.jpg"></div></div>'
    )
    assert (found.structured, found.is_product) == (["https://shop.example/a.jpg"], True)


@pytest.mark.parametrize(
    ("label", "codec", "name"),
    [
        ("euc-kr", "cp949", "똠"),
        ("ks_c_5601-1987", "cp949", "뷁"),
        ("windows-949", "cp949", "뷁"),
        ("gb2312", "gbk", "镕"),
        ("gbk", "gb18030", "㐀"),
        ("shift_jis", "cp932", "①"),
        ("x-sjis", "cp932", "髙"),
        ("euc-jp", "euc_jis_2004", "①"),
        ("iso-2022-jp", "iso2022_jp", "服"),
        ("big5", "big5hkscs", "服"),
        ("iso-8859-1", "cp1252", "’"),
        ("windows-1251", "cp1251", "я"),
    ],
)
def test_encodings_are_the_browsers(label: str, codec: str, name: str) -> None:
    html = f'<meta charset="{label}"><img src="/{name}.jpg?q={name}">'.encode(codec)
    query = quote(name.encode(codec))
    for found in (read_page(html, PAGE), read_page(html.replace(label.encode(), b""), PAGE, label)):
        assert found.others == [f"https://shop.example/{quote(name)}.jpg?q={query}"]


def test_utf_8_with_a_torn_character_stays_utf_8() -> None:
    html = '<img src="/한글.jpg"><img src="/옷.jpg"><p>'.encode() + b"\xec\x98</p>"
    assert [unquote(url)[-6:] for url in read_page(html, PAGE).others] == ["한글.jpg", "/옷.jpg"]


@pytest.mark.parametrize("label", ["punycode", "a\0b", "utf-7", "idna", "rot13", "hz-gb-2312", "x" * 5000])
def test_a_page_cannot_choose_a_codec_that_is_no_browsers(label: str) -> None:
    started = time.monotonic()
    html = f'<meta charset="{label}"><img src="/a.jpg">'.encode() + b"\xe9-" * 200_000
    for found in (read_page(html, PAGE), read_page(html, PAGE, label)):
        assert found.others == ["https://shop.example/a.jpg"]
    assert time.monotonic() - started < 5


@pytest.mark.parametrize(
    ("written", "address"),
    [
        ("\\pic\\1.jpg", "https://shop.example/pic/1.jpg"),
        ("http:\\\\cdn.example\\b.jpg", "http://cdn.example/b.jpg"),
        ("\\\\cdn.example/b.jpg", "https://cdn.example/b.jpg"),
        ("https://쇼핑몰.example/1.jpg", "https://xn--352bl7khqr.example/1.jpg"),
        ("https://BÜCHER.example:443/1.jpg", "https://xn--bcher-kva.example/1.jpg"),
        ("https://faß.example/1.jpg", "https://xn--fa-hia.example/1.jpg"),
        ("https://shop。example/1.jpg", "https://shop.example/1.jpg"),
        ("htt\nps://shop.example/a\tb.jpg", "https://shop.example/ab.jpg"),
        ("/a b.jpg", "https://shop.example/a%20b.jpg"),
        ("/a%20b.jpg", "https://shop.example/a%20b.jpg"),
        ("/한.jpg?q=한", "https://shop.example/%ED%95%9C.jpg?q=%ED%95%9C"),
        ("https://0x7f.1/a.jpg", "https://127.0.0.1/a.jpg"),
        ("https://user:pw@shop.example/1.jpg", None),
        ("https://shop.example:99999/1.jpg", None),
        ("javascript:alert(1)", None),
        ("/\ud800.jpg", "https://shop.example/%EF%BF%BD.jpg"),
    ],
)
def test_addresses_as_browsers_read_them(written: str, address: str | None) -> None:
    assert address_of(written, PAGE) == address


@pytest.mark.parametrize(
    ("links", "following"),
    [
        ('<a rel="next" href="#"><a rel="next" href="javascript:void(0)"><link rel="next" href="?page=2">', "?page=2"),
        ('<link rel="next" href="/products/tee"><a rel="next nofollow" href="?page=2">', "?page=2"),
        ('<a rel="next" href="#slide-2">', ""),
        ('<a rel="next" href="">', ""),
    ],
)
def test_what_next_means(links: str, following: str) -> None:
    assert page(links).next_page == (PAGE + following if following else "")
