"""Lists of addresses as spreadsheets and people save them."""

from __future__ import annotations

from pathlib import Path

import pytest

from fittingroom.crawl.lists import check_list, read_list
from fittingroom.errors import CatalogError

A, B = "https://a.example/1.jpg", "https://a.example/2.jpg"


def rows(tmp_path: Path, data: bytes, name: str = "list.csv") -> list[dict[str, str]]:
    (tmp_path / name).write_bytes(data)
    return list(read_list(tmp_path / name))


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "cp949"])
@pytest.mark.parametrize("said", [False, True])
def test_delimiters_and_encodings(tmp_path: Path, delimiter: str, encoding: str, said: bool) -> None:
    lines = [["url", "licence"], [A, "쇼핑몰 제공"], [], [B, '"a ""b"""']]
    text = "".join(f"{delimiter.join(line)}\r\n" for line in lines)
    found = rows(tmp_path, ((f"sep={delimiter}\r\n" if said else "") + text).encode(encoding))
    assert found == [{"url": A, "licence": "쇼핑몰 제공"}, {"url": B, "licence": 'a "b"'}]


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("쇼핑몰", "cp949"),
        ("d’été", "cp1252"),
        ("ショップの写真", "cp932"),
        ("淘宝店", "gbk"),
        ("© Straße", "cp1252"),
        ("Größe", "cp1252"),
        ("Réf", "cp1252"),
        ("写真提供", "cp932"),
    ],
)
def test_encodings_of_countries(tmp_path: Path, text: str, encoding: str) -> None:
    assert rows(tmp_path, f"url,licence\r\n{A},{text}\r\n".encode(encoding)) == [{"url": A, "licence": text}]


@pytest.mark.parametrize(
    "header",
    ["URL", " url ", '"url"', "Image URL", "image_url", "IMAGE-URL", "Image Src", "imageLink", "이미지 URL", "Link"],
)
def test_spellings_of_the_header(tmp_path: Path, header: str) -> None:
    assert rows(tmp_path, f"id,{header},Product URL\r\n1, {A},https://a.example/p\r\n".encode()) == [
        {"url": A, "page": "https://a.example/p"}
    ]


@pytest.mark.parametrize(
    "text",
    [
        f"{A},own\r\n{B},own\r\n",
        f"1;{A}\r\n2;{B}\r\n",
        f'"url,licence"\r\n"{A},own"\r\n"{B},own"\r\n',
        f'Images\r\n"{A}, {B}"\r\n',
        f"\r\nurl\r\n{A}\r\n{B}\r\n",
        f"url\r{A}\r{B}\r",
    ],
    ids=["no header", "no header, second column", "quoted lines", "several in a cell", "empty first line", "old Mac"],
)
def test_other_tables(tmp_path: Path, text: str) -> None:
    assert [row["url"] for row in rows(tmp_path, text.encode())] == [A, B]


@pytest.mark.parametrize(
    "text",
    [
        f"Artikel;Wo das Bild liegt;Seite dazu;Lizenz\r\nHose, kurz;{A};https://a.example/p;own\r\nRock;{B};;own\r\n",
        f"번호,주소,라이선스\r\n1,{A},own\r\n2,{B},own\r\n",
        f"Tabelle 1;;\r\nBildadresse;Lizenz;\r\n{A};own;\r\n{B};own;\r\n",
        f";;\r\n;Bild-Link;Lizenz\r\n;{A};own\r\n;{B};own\r\n",
        f'"Bild\nURL";"Li\nzenz"\r\n{A};own\r\n{B};own\r\n',
        f"\uff35\uff32\uff2c,licence\r\n\u200b{A},own\r\n<{B}>,own\r\n",
        f"sep=;\rurl;licence\r{A};own\r{B};own\r",
        f'"sep=;",\r\nurl;licence\r\n{A};own\r\n{B};own\r\n',
        f'url;licence\r\n"=HYPERLINK(""{A}"";""Hose"")";own\r\n"=BILD(""{B}"")";own\r\n',
    ],
    ids=["unknown names", "Korean", "title", "blank cells", "line ends", "invisible", "old Mac", "quoted", "formulas"],
)
@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-32-be"])
def test_tables_as_spreadsheets_write_them(tmp_path: Path, text: str, encoding: str) -> None:
    data = ("\ufeff" * encoding.endswith("be") + text).encode(encoding)
    assert [(row["url"], row["licence"]) for row in rows(tmp_path, data)] == [(A, "own"), (B, "own")]


def test_without_known_names_the_cleanest_cells_tell_the_delimiter(tmp_path: Path) -> None:
    text = "https://a.example/p?id=1;Shirt, red\r\nhttps://a.example/p?id=2;Skirt, blue\r\n"
    assert [row["url"] for row in rows(tmp_path, text.encode())] == [
        "https://a.example/p?id=1",
        "https://a.example/p?id=2",
    ]


def test_an_address_in_a_text_of_markdown(tmp_path: Path) -> None:
    text = f"- [a tee]({A})\n![]({B})\n\u201chttps://a.example/a_(1)\u201d\n"
    assert [row["url"] for row in rows(tmp_path, text.encode(), "list.txt")] == [A, B, "https://a.example/a_(1)"]


@pytest.mark.parametrize(
    "text",
    [
        f"{A}\r\n{B}\r\n",
        f"{A} a red tee\n{B}\ta blue one\n",
        f"a red tee: {A}\n{B}, blue\n",
        f'"{A}"\n<{B}>\n',
        f"URL\tTEXT\r\n{A}\ta\r\n{B}\tb\r\n",
        f"# ours\n\n{A}\n{B}\n",
    ],
    ids=["plain", "captions", "captions before", "quoted", "a table", "comments"],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_text_files(tmp_path: Path, text: str, encoding: str) -> None:
    assert [row["url"] for row in rows(tmp_path, text.encode(encoding), "list.txt")] == [A, B]


def test_an_address_with_a_space_is_no_address_with_a_caption(tmp_path: Path) -> None:
    assert rows(tmp_path, b"https://a.example/red tee.jpg\n", "list.txt") == [{"url": "https://a.example/red tee.jpg"}]


@pytest.mark.parametrize(
    "data", [b"PK\x03\x04" + bytes(100), b"\xd0\xcf\x11\xe0" + bytes(100), b"name,colour\r\na,b\r\n"]
)
def test_what_cannot_be_read_says_how_to_save_it(tmp_path: Path, data: bytes) -> None:
    with pytest.raises(CatalogError, match=r"list\.csv.*CSV UTF-8 \(comma delimited\).*named url$"):
        rows(tmp_path, data)


def test_a_spreadsheet_is_told_how_to_save_it() -> None:
    with pytest.raises(CatalogError, match=r"^here: expected .*'a\.xlsx'; save it .*CSV UTF-8"):
        check_list(Path("a.xlsx"), "here")
    check_list(Path("A.CSV"), "here")
