"""Lists of picture addresses as people have them: text, Parquet, and tables saved by spreadsheets in every way.

A spreadsheet's "CSV" may be parted by commas, semicolons or tabs, in UTF-8, UTF-16 or the encoding of its country, with
a ``sep=`` line before its header, and the column of addresses has whatever name its author gave it.
"""

from __future__ import annotations

import codecs
import csv
import io
import itertools
import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from fittingroom.crawl.structured import addresses_in
from fittingroom.errors import CatalogError

SUFFIXES = (".txt", ".csv", ".tsv", ".parquet")
_SPREADSHEETS = (".xls", ".xlsx", ".xlsm", ".ods", ".numbers")
_HOW_TO_SAVE = 'save it from the spreadsheet as "CSV UTF-8 (comma delimited)", with the addresses in a column named url'
_URL = (
    "imageurl", "imagelink", "imageaddress", "imagesrc", "pictureurl", "photourl", "imgurl", "imguri", "imageuri",
    "img", "urlimage", "urlimg", "image", "images", "picture", "photo", "src", "bildurl", "bildlink", "bildadresse",
    "bild", "bilder", "foto", "fotos", "urlimagen", "imagen",
    "이미지url", "이미지주소", "이미지링크", "이미지", "사진url", "사진주소", "사진",
    "画像url", "画像", "图片链接", "图片", "url", "urls", "uri", "link", "links", "href", "링크", "链接",
)  # fmt: skip
"""Names of the column of addresses, letters and digits only; the first that is there, and ``url`` itself before all."""
_PAGE = (
    "page",
    "pageurl",
    "pagelink",
    "producturl",
    "productlink",
    "productpage",
    "source",
    "sourceurl",
    "landingpage",
    "produktseite",
    "produktlink",
    "produkturl",
    "상품페이지",
    "상품링크",
)
_LICENCE = ("licence", "license", "lizenz", "licencia", "licenca", "copyright", "rights", "라이선스", "저작권")
_ADDRESS = re.compile(r"https?:[/\\]{1,2}[^\s\"<>]+", re.I)
_PICTURE = re.compile(r"\.(?:jpe?g|png|webp|avif|gif)(?:\?\S*)?$", re.I)
_FORMULA = re.compile(r"""=\s*\w+\(\s*"([^"]+)""")
"""``=HYPERLINK("address"; "text")``, ``=IMAGE("address")``, whatever the spreadsheet's language calls them."""
_AROUND = " \t\r\n\xa0\u200b\u200e\u200f\u2060\ufeff\"'<>\u201c\u201d\u201e\u2018\u2019\u201a\u00ab\u00bb"
"""What people and programs put around an address."""
_LOOKED_AT = 20
"""Rows from which a table's shape is told."""
_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)


def check_list(path: Path, where: str) -> None:
    """Make sure that ``path`` is of a kind that `read_list` reads; ``where`` names it in the catalog.

    Raises:
        CatalogError: it is not.
    """
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        how = f"; {_HOW_TO_SAVE}" if suffix in _SPREADSHEETS else ""
        raise CatalogError(f"{where}: expected a {', '.join(SUFFIXES[:-1])} or .parquet file, got {path.name!r}{how}")


def read_list(path: Path) -> Iterator[dict[str, str]]:
    """Rows with ``url``, which is never empty, and ``page`` and ``licence`` where the list has them.

    Raises:
        CatalogError: naming the file, and how to save it.
    """
    if path.suffix.lower() == ".parquet":
        rows = _rows_of_parquet(path)
    else:
        text = _text(path)
        lines = text.splitlines()
        table = None if path.suffix.lower() == ".txt" and not _is_table(lines) else _table(path, text)
        rows = _rows_of_lines(lines) if table is None else table
    for row in rows:
        url = _bare(row.get("url", ""))
        several = addresses_in(url) if url.lower().count("http") > 1 else []  # a cell with all pictures of a product
        for address in several if all(map(_ADDRESS.fullmatch, several)) and several else [url] * bool(url):
            yield {name: value.strip() for name, value in row.items()} | {"url": address}


def _text(path: Path) -> str:
    data = path.read_bytes()
    if data.startswith((b"PK\x03\x04", b"\xd0\xcf\x11\xe0")):
        raise CatalogError(f"{path}: expected text, got a spreadsheet's own format; {_HOW_TO_SAVE}")
    for mark, name in _MARKS:
        if data.startswith(mark):
            return data[len(mark) :].decode(name, "replace")
    if b"\0" in data[:200]:
        return data.decode("utf-16-le" if data[1:2] == b"\0" else "utf-16-be", "replace")
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data.decode(_encoding_of(data), "replace")


def _encoding_of(data: bytes) -> str:
    """The country's encoding that ``data`` is probably in: the one in which it reads as words of that country's script.

    Characters beyond the plain set (KS X 1001, GB 2312) are rare: many of them mean another country. A single character
    between others is more likely a letter with an accent.
    """
    for name, plain, script in _COUNTRIES:
        try:
            text = data.decode(name)
        except UnicodeDecodeError:
            continue
        letters = [c for c in text if c > "\x7f" and c.isalpha()][:5000]
        words = "".join(re.findall(rf"[{script}]{{2,}}", text))[:5000]
        if letters and len(words) * 3 > len(letters) * 2 and len(words.encode(plain, "ignore")) > len(words):
            return name
    return "cp1252"


_COUNTRIES = (
    ("cp932", "cp932", "\u3041-\u30ff\u4e00-\u9fff\u3005"),
    ("cp949", "euc_kr", "\uac00-\ud7a3"),
    ("gb18030", "gb2312", "\u4e00-\u9fff"),
)
"""An encoding, its set without later extensions, and the script that it is for."""


def _is_table(lines: Sequence[str]) -> bool:
    """Whether a .txt file is a spreadsheet's table: it has a header."""
    return any(_columns(_split(line, delimiter)) for line in lines[:2] for delimiter in "\t;,|" if delimiter in line)


def _rows_of_lines(lines: Iterable[str]) -> Iterator[dict[str, str]]:
    """One address a line; what stands before or after it is a caption."""
    for line in lines:
        line = line.strip()
        if not line or line.startswith("#"):
            continue
        found = _ADDRESS.search(line)
        if found is None:
            yield {"url": line}
            continue
        rest = line[found.start() :].strip("\"'<> ")
        # An address with a plain space in it ends like a picture, which its first part does not.
        whole = not _PICTURE.search(found[0]) and "\t" not in rest and _PICTURE.search(rest)
        address = rest if whole else found[0].rstrip(f",;{_AROUND}")
        yield {"url": address[:-1] if address.endswith(")") and "(" not in address else address}


def _table(path: Path, text: str) -> Iterator[dict[str, str]]:
    told = re.match(r"\ufeff?[\"']?sep=(.)[\"']?[,;\t]*(?:\r\n|\r|\n)", text, re.I)
    if told:
        text = text[told.end() :]
    start = "\n".join(text.splitlines()[:_LOOKED_AT])
    delimiters = ([told[1]] if told else []) + [d for d in ",;\t|" if d in start] + [","]
    looked_at = {delimiter: _first_rows(text, delimiter) for delimiter in delimiters}
    for delimiter, rows in looked_at.items():
        best = max(enumerate(rows), key=lambda row: _named(row[1], rows), default=None)
        if best is not None and _named(best[1], rows):
            return _rows_of_table(path, text, delimiter, _columns(best[1]), skip=best[0] + 1)
    whole = looked_at.get(",", []) if text.lstrip().startswith('"') else []
    if whole and all(len(cells) == 1 and re.search(r"[,;\t|]", cells[0]) for cells in whole):
        return _table(path, "\n".join(cells[0] for cells in csv.reader(io.StringIO(text, newline="")) if cells))
    # No name is known: the cells tell which column holds addresses, the pictures' before the pages'.
    held = {delimiter: _column_of_addresses(rows) for delimiter, rows in looked_at.items()}
    delimiter = max(held, key=lambda each: held[each][0])
    count, column, first_row = held[delimiter]
    if count:
        header = looked_at[delimiter][first_row - 1] if first_row else []
        columns = {what: at for what, at in _further(header, column).items() if what != "url"}
        return _rows_of_table(path, text, delimiter, {"url": column} | columns, skip=first_row)
    first = next((line for line in text.splitlines() if line.strip()), "")
    names = ", ".join(_split(first, delimiters[0]))[:200]
    raise CatalogError(f"{path}:1: expected a column named url, got {names or 'nothing'}; {_HOW_TO_SAVE}")


def _first_rows(text: str, delimiter: str) -> list[list[str]]:
    """The first rows that say anything, as `_rows_of_table` counts them: a cell may hold line ends."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, skipinitialspace=True)
    try:
        return list(itertools.islice((cells for cells in reader if any(map(str.strip, cells))), _LOOKED_AT))
    except csv.Error:
        return []


def _named(row: Sequence[str], rows: Sequence[Sequence[str]]) -> int:
    """How many cells a row has that may be the header, which comes before all addresses; 0 for another row."""
    before = next((at for at, cells in enumerate(rows) if any(_address_in(cell) for cell in cells)), len(rows))
    is_before = any(row is cells for cells in rows[: max(before, 1)])
    return sum(bool(cell.strip()) for cell in row) if is_before and _columns(row) else 0


def _column_of_addresses(rows: Sequence[Sequence[str]]) -> tuple[int, int, int]:
    """How many cells of the best column are addresses (of pictures, and without a delimiter in them, they count more),
    the column, and the first row that has one."""
    counts: dict[int, int] = {}
    for cells in rows:
        for at, cell in enumerate(cells):
            address = _address_in(cell)
            if address:
                clean = not re.search(r"[,;|]", address)
                counts[at] = counts.get(at, 0) + 1 + bool(_PICTURE.search(address)) + clean
    column = max(counts, key=lambda at: counts[at], default=0)
    first = (at for at, cells in enumerate(rows) if column < len(cells) and _address_in(cells[column]))
    return counts.get(column, 0), column, next(first, 0)


def _address_in(cell: str) -> str:
    """The address that a cell holds, and nothing but it; else the empty string."""
    address = _bare(cell)
    return address if _ADDRESS.fullmatch(address) else ""


def _bare(cell: str) -> str:
    """A cell without what stands around an address: white space, also the invisible, marks, a formula."""
    cell = cell.strip(_AROUND)
    formula = _FORMULA.match(cell)
    return formula[1].strip(_AROUND) if formula else cell


def _split(line: str, delimiter: str) -> list[str]:
    try:
        return next(csv.reader([line], delimiter=delimiter, skipinitialspace=True), [])
    except csv.Error:
        return []


def _columns(header: Sequence[str]) -> dict[str, int]:
    """Which column is what; empty where none is of addresses."""
    place = {name: at for at, name in reversed(list(enumerate(map(_plain, header)))) if name}
    exact = [at for at, name in enumerate(header) if name.strip(_AROUND) == "url"]
    url = next(iter(exact), next((place[name] for name in _URL if name in place), None))
    return {} if url is None else _further(header, url)


def _further(header: Sequence[str], url: int) -> dict[str, int]:
    """Which columns say more of the addresses in column ``url``."""
    place = {name: at for at, name in reversed(list(enumerate(map(_plain, header)))) if name}
    columns = {"url": url}
    for what, known in (("page", _PAGE), ("licence", _LICENCE)):
        found = next((place[name] for name in known if place.get(name, url) != url), None)
        if found is not None:
            columns[what] = found
    return columns


def _plain(name: str) -> str:
    """A column's name, letters and digits only."""
    return re.sub(r"[\W_]+", "", unicodedata.normalize("NFKC", name).casefold())


def _rows_of_table(
    path: Path, text: str, delimiter: str, columns: dict[str, int], skip: int
) -> Iterator[dict[str, str]]:
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, skipinitialspace=True)
    try:
        for cells in reader:
            if not any(cell.strip() for cell in cells):
                continue
            if skip:
                skip -= 1
                continue
            yield {what: cells[at] for what, at in columns.items() if at < len(cells)}
    except csv.Error as error:
        raise CatalogError(f"{path}:{reader.line_num}: {error}") from None


def _rows_of_parquet(path: Path) -> Iterator[dict[str, str]]:
    try:
        from pyarrow import ArrowException, parquet  # type: ignore[import-untyped]
    except ImportError:
        raise CatalogError(f"{path}: reading Parquet needs pyarrow (pip install pyarrow)") from None
    try:
        file = parquet.ParquetFile(path)
        header = list(file.schema_arrow.names)
        columns = _columns(header)
        if not columns:
            raise CatalogError(f"{path}: expected a column named url, got {header}")
        for batch in file.iter_batches(columns=[header[at] for at in columns.values()]):
            for row in batch.to_pylist():
                values = {what: row[header[at]] for what, at in columns.items()}
                yield {what: str(value) for what, value in values.items() if value is not None}
    except (ArrowException, OSError) as error:
        raise CatalogError(f"{path}: not a Parquet file: {' '.join(str(error).split())[:200]}") from None
