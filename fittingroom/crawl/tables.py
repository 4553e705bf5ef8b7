"""Tables as spreadsheets save them: parted by commas, semicolons, tabs or bars, with or without a ``sep=`` line before
the header, and a column of addresses that has whatever name its author gave it, or none."""

from __future__ import annotations

import csv
import io
import itertools
import re
import unicodedata
from collections.abc import Iterator, Sequence
from pathlib import Path

from fittingroom.errors import CatalogError

HOW_TO_SAVE = 'save it from the spreadsheet as "CSV UTF-8 (comma delimited)", with the addresses in a column named url'
_URL = (
    "imageurl", "imagelink", "imageaddress", "imagesrc", "pictureurl", "photourl", "imgurl", "imguri", "imageuri",
    "img", "urlimage", "urlimg", "image", "images", "picture", "photo", "src", "bildurl", "bildlink", "bildadresse",
    "bild", "bilder", "foto", "fotos", "urlimagen", "imagen",
    "이미지url", "이미지주소", "이미지링크", "이미지", "사진url", "사진주소", "사진",
    "画像url", "画像", "图片链接", "图片", "url", "urls", "uri", "link", "links", "href", "링크", "链接",
)  # fmt: skip
"""Names of the column of addresses, letters and digits only; the first that is there, and ``url`` itself before all."""
_PAGE = (
    "page", "pageurl", "pagelink", "producturl", "productlink", "productpage", "source", "sourceurl", "landingpage",
    "produktseite", "produktlink", "produkturl", "상품페이지", "상품링크",
)  # fmt: skip
_LICENCE = ("licence", "license", "lizenz", "licencia", "licenca", "copyright", "rights", "라이선스", "저작권")
ADDRESS = re.compile(r"https?:[/\\]{1,2}[^\s\"<>]+", re.I)
_PICTURE = re.compile(r"\.(?:jpe?g|png|webp|avif|gif)(?:\?|$)", re.I)
_FORMULA = re.compile(r"""=\s*\w+\(\s*"([^"]+)""")
"""``=HYPERLINK("address"; "text")``, ``=IMAGE("address")``, whatever the spreadsheet's language calls them."""
AROUND = " \t\r\n\xa0\u200b\u200e\u200f\u2060\ufeff\"'<>\u201c\u201d\u201e\u2018\u2019\u201a\u00ab\u00bb"
"""What people and programs put around an address."""
_LOOKED_AT = 20
"""Rows from which a table's shape is told."""


def is_table(lines: Sequence[str]) -> bool:
    """Whether a .txt file is a spreadsheet's table: it has a header."""
    return any(columns_of(_split(line, delimiter)) for line in lines[:2] for delimiter in "\t;,|" if delimiter in line)


def rows_of_table(path: Path, text: str) -> Iterator[dict[str, str]]:
    """Rows of the table ``text``, which came from ``path``: ``url``, and ``page`` and ``licence`` where it has them.

    Raises:
        CatalogError: it has no column of addresses, or cannot be read.
    """
    told = re.match(r"\ufeff?[\"']?sep=(.)[\"']?[,;\t]*(?:\r\n|\r|\n)", text, re.I)
    if told:
        text = text[told.end() :]
    start = "\n".join(text.splitlines()[:_LOOKED_AT])
    delimiters = ([told[1]] if told else []) + [d for d in ",;\t|" if d in start] + [","]
    looked_at = {delimiter: _first_rows(text, delimiter) for delimiter in delimiters}
    for delimiter, rows in looked_at.items():
        best = max(enumerate(rows), key=lambda row: _named(row[1], rows), default=None)
        if best is not None and _named(best[1], rows):
            return _rows_below(path, text, delimiter, columns_of(best[1]), skip=best[0] + 1)
    whole = looked_at.get(",", []) if text.lstrip().startswith('"') else []
    if whole and all(len(cells) == 1 and re.search(r"[,;\t|]", cells[0]) for cells in whole):
        return rows_of_table(path, "\n".join(cells[0] for cells in csv.reader(io.StringIO(text, newline="")) if cells))
    # No name is known: the cells tell which column holds addresses, the pictures' before the pages'.
    held = {delimiter: _column_of_addresses(rows) for delimiter, rows in looked_at.items()}
    delimiter = max(held, key=lambda each: held[each][0])
    count, column, first_row = held[delimiter]
    if count:
        header = looked_at[delimiter][first_row - 1] if first_row else []
        return _rows_below(path, text, delimiter, {"url": column} | _further(header, column), skip=first_row)
    first = next((line for line in text.splitlines() if line.strip()), "")
    names = ", ".join(_split(first, delimiters[0]))[:200]
    raise CatalogError(f"{path}:1: expected a column named url, got {names or 'nothing'}; {HOW_TO_SAVE}")


def _first_rows(text: str, delimiter: str) -> list[list[str]]:
    """The first rows that say anything, as `_rows_below` counts them: a cell may hold line ends."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, skipinitialspace=True)
    try:
        return list(itertools.islice((cells for cells in reader if any(map(str.strip, cells))), _LOOKED_AT))
    except csv.Error:
        return []


def _named(row: Sequence[str], rows: Sequence[Sequence[str]]) -> int:
    """How many cells a row has that may be the header, which comes before all addresses; 0 for another row."""
    before = next((at for at, cells in enumerate(rows) if any(_address_in(cell) for cell in cells)), len(rows))
    is_before = any(row is cells for cells in rows[: max(before, 1)])
    return sum(bool(cell.strip()) for cell in row) if is_before and columns_of(row) else 0


def _column_of_addresses(rows: Sequence[Sequence[str]]) -> tuple[int, int, int]:
    """How many cells of the best column are addresses (of pictures, and without a delimiter in them, they count more),
    the column, and the first row that has one."""
    counts: dict[int, int] = {}
    for cells in rows:
        for at, cell in enumerate(cells):
            address = _address_in(cell)
            if address:
                clean = not re.search(r"[,;|]", address)
                counts[at] = counts.get(at, 0) + 1 + ends_like_a_picture(address) + clean
    column = max(counts, key=lambda at: counts[at], default=0)
    first = (at for at, cells in enumerate(rows) if column < len(cells) and _address_in(cells[column]))
    return counts.get(column, 0), column, next(first, 0)


def _address_in(cell: str) -> str:
    """The address that a cell holds, and nothing but it; else the empty string."""
    address = bare(cell)
    return address if ADDRESS.fullmatch(address) else ""


def ends_like_a_picture(text: str) -> bool:
    """Whether the last word of ``text`` is a picture file's address, with or without a query."""
    return bool(_PICTURE.search((text.split() or [""])[-1]))


def bare(cell: str) -> str:
    """A cell without what stands around an address: white space, also the invisible, marks, a formula."""
    cell = cell.strip(AROUND)
    formula = _FORMULA.match(cell)
    return formula[1].strip(AROUND) if formula else cell


def _split(line: str, delimiter: str) -> list[str]:
    try:
        return next(csv.reader([line], delimiter=delimiter, skipinitialspace=True), [])
    except csv.Error:
        return []


def columns_of(header: Sequence[str]) -> dict[str, int]:
    """Which column is what; empty where none is of addresses."""
    place = _places(header)
    exact = [at for at, name in enumerate(header) if name.strip(AROUND) == "url"]
    url = next(iter(exact), next((place[name] for name in _URL if name in place), None))
    return {} if url is None else {"url": url} | _further(header, url)


def _further(header: Sequence[str], url: int) -> dict[str, int]:
    """Which columns say more of the addresses in column ``url``."""
    place = _places(header)
    found = {
        what: next((place[name] for name in known if place.get(name, url) != url), None)
        for what, known in (("page", _PAGE), ("licence", _LICENCE))
    }
    return {what: at for what, at in found.items() if at is not None}


def _places(header: Sequence[str]) -> dict[str, int]:
    """The first column of each name, of which letters and digits count."""
    names = [re.sub(r"[\W_]+", "", unicodedata.normalize("NFKC", name).casefold()) for name in header]
    return {name: at for at, name in reversed(list(enumerate(names))) if name}


def _rows_below(path: Path, text: str, delimiter: str, columns: dict[str, int], skip: int) -> Iterator[dict[str, str]]:
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, skipinitialspace=True)
    told = (cells for cells in reader if any(map(str.strip, cells)))
    try:
        for cells in itertools.islice(told, skip, None):
            yield {what: cells[at] for what, at in columns.items() if at < len(cells)}
    except csv.Error as error:
        raise CatalogError(f"{path}:{reader.line_num}: {error}") from None
