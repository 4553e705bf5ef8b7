"""Lists of picture addresses as people have them: text, Parquet, and tables saved by spreadsheets in every way.

A spreadsheet's "CSV" may be parted by commas, semicolons or tabs, in UTF-8, UTF-16 or the encoding of its country, with
a ``sep=`` line before its header, and the column of addresses has whatever name its author gave it.
"""

from __future__ import annotations

import codecs
import csv
import io
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
    "img", "urlimage", "urlimg", "image", "images", "picture", "photo", "src", "bildurl", "bild", "urlimagen", "imagen",
    "이미지url", "이미지주소", "이미지링크", "이미지", "사진", "画像url", "画像", "图片链接", "图片", "url", "urls",
    "uri", "link", "links", "href", "링크", "链接",
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
)
_LICENCE = ("licence", "license", "lizenz", "licencia", "licenca", "copyright", "rights", "라이선스", "저작권")
_ADDRESS = re.compile(r"https?:[/\\]{1,2}[^\s\"<>]+", re.I)
_PICTURE = re.compile(r"\.(?:jpe?g|png|webp|avif|gif)(?:\?\S*)?$", re.I)
_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
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
        url = row.get("url", "").strip()
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
    """The country's encoding that ``data`` is probably in: the one in which it reads as that country's script."""
    for name, script in (("cp932", ("HIRAGANA", "KATAKANA")), ("cp949", ("HANGUL",)), ("gb18030", ("CJK",))):
        try:
            text = data.decode(name)
        except UnicodeDecodeError:
            continue
        beyond = [unicodedata.name(c, "") for c in text if c > "\x7f" and c.isalpha()][:5000]
        theirs = [name for name in beyond if name.startswith(script) and "HALFWIDTH" not in name]
        if beyond and len(theirs) * 3 > len(beyond) * (1 if name == "cp932" else 2):
            return name
    return "cp1252"


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
        yield {"url": rest if whole else found[0].rstrip(",;\"'")}


def _table(path: Path, text: str) -> Iterator[dict[str, str]]:
    told = re.match(r'\ufeff?"?sep=(.)"?\r?\n', text, re.I)
    if told:
        text = text[told.end() :]
    first = next((line for line in text.splitlines() if line.strip()), "")
    delimiters = ([told[1]] if told else []) + [d for d in ",;\t|" if d in first] + [","]
    for delimiter in delimiters:
        columns = _columns(_split(first, delimiter))
        if columns:
            return _rows_of_table(path, text, delimiter, columns, skip=1)
    for delimiter in delimiters:  # without a header: the first cell that is an address says which column
        cells = _split(first, delimiter)
        for at, cell in enumerate(cells):
            if _ADDRESS.fullmatch(cell.strip()):
                return _rows_of_table(path, text, delimiter, {"url": at}, skip=0)
    inner = _split(first, ",")
    if len(inner) == 1 and inner[0] != first and re.search(r"[,;\t|]", inner[0]):  # each line quoted as a whole
        return _table(path, "\n".join(cells[0] for cells in csv.reader(io.StringIO(text, newline="")) if cells))
    names = ", ".join(_split(first, delimiters[0]))[:200]
    raise CatalogError(f"{path}:1: expected a column named url, got {names}; {_HOW_TO_SAVE}")


def _split(line: str, delimiter: str) -> list[str]:
    try:
        return next(csv.reader([line], delimiter=delimiter, skipinitialspace=True), [])
    except csv.Error:
        return []


def _columns(header: Sequence[str]) -> dict[str, int]:
    """Which column is what; empty where none is of addresses."""
    names = [re.sub(r"[\W_]+", "", name.casefold()) for name in header]
    place = {name: at for at, name in reversed(list(enumerate(names))) if name}
    exact = [at for at, name in enumerate(header) if name.strip("\ufeff \"'") == "url"]
    url = next(iter(exact), next((place[name] for name in _URL if name in place), None))
    if url is None:
        return {}
    columns = {"url": url}
    for what, known in (("page", _PAGE), ("licence", _LICENCE)):
        found = next((place[name] for name in known if place.get(name, url) != url), None)
        if found is not None:
            columns[what] = found
    return columns


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
