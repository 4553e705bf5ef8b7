"""Lists of picture addresses as people have them: text in UTF-8, UTF-16 or the encoding of a country, a line each or as
a table (`tables`), and Parquet."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from fittingroom.crawl.html.structured import addresses_in
from fittingroom.crawl.tables import (
    ADDRESS,
    AROUND,
    HOW_TO_SAVE,
    bare,
    columns_of,
    ends_like_a_picture,
    is_table,
    rows_of_table,
)
from fittingroom.errors import CatalogError

SUFFIXES = (".txt", ".csv", ".tsv", ".parquet")
_SPREADSHEETS = (".xls", ".xlsx", ".xlsm", ".ods", ".numbers")
_MARKS = {
    codecs.BOM_UTF8: "utf-8", codecs.BOM_UTF32_LE: "utf-32-le", codecs.BOM_UTF32_BE: "utf-32-be",
    codecs.BOM_UTF16_LE: "utf-16-le", codecs.BOM_UTF16_BE: "utf-16-be",
}  # fmt: skip


def check_list(path: Path, where: str) -> None:
    """Make sure that ``path`` is of a kind that `read_list` reads; ``where`` names it in the catalog.

    Raises:
        CatalogError: it is not.
    """
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        how = f"; {HOW_TO_SAVE}" if suffix in _SPREADSHEETS else ""
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
        is_text = path.suffix.lower() == ".txt" and not is_table(lines)
        rows = _rows_of_lines(lines) if is_text else rows_of_table(path, text)
    for row in rows:
        url = bare(row.get("url", ""))
        several = addresses_in(url) if url.lower().count("http") > 1 else []  # a cell with all pictures of a product
        for address in several if all(map(ADDRESS.fullmatch, several)) and several else [url] * bool(url):
            yield {name: value.strip() for name, value in row.items()} | {"url": address}


def _text(path: Path) -> str:
    data = path.read_bytes()
    if data.startswith((b"PK\x03\x04", b"\xd0\xcf\x11\xe0")):
        raise CatalogError(f"{path}: expected text, got a spreadsheet's own format; {HOW_TO_SAVE}")
    for mark, name in _MARKS.items():
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


def _rows_of_lines(lines: Iterable[str]) -> Iterator[dict[str, str]]:
    """One address a line; what stands before or after it is a caption."""
    for line in lines:
        line = line.strip()
        if not line or line.startswith("#"):
            continue
        found = ADDRESS.search(line)
        if found is None:
            yield {"url": line}
            continue
        rest = line[found.start() :].strip("\"'<> ")
        # An address with a plain space in it ends like a picture, which its first part does not.
        whole = not ends_like_a_picture(found[0]) and "\t" not in rest and ends_like_a_picture(rest)
        address = rest if whole else found[0].rstrip(f",;{AROUND}")
        yield {"url": address[:-1] if address.endswith(")") and "(" not in address else address}


def _rows_of_parquet(path: Path) -> Iterator[dict[str, str]]:
    try:
        from pyarrow import ArrowException, parquet  # type: ignore[import-untyped]
    except ImportError:
        raise CatalogError(f"{path}: reading Parquet needs pyarrow (pip install pyarrow)") from None
    try:
        file = parquet.ParquetFile(path)
        header = list(file.schema_arrow.names)
        columns = columns_of(header)
        if not columns:
            raise CatalogError(f"{path}: expected a column named url, got {header}")
        for batch in file.iter_batches(columns=[header[at] for at in columns.values()]):
            for row in batch.to_pylist():
                values = {what: row[header[at]] for what, at in columns.items()}
                yield {what: str(value) for what, value in values.items() if value is not None}
    except (ArrowException, OSError) as error:
        raise CatalogError(f"{path}: not a Parquet file: {' '.join(str(error).split())[:200]}") from None
