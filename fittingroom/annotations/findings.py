"""Findings: what was wrong with an annotation, where, and what was done about it. Nothing is dropped without one."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass
from types import MappingProxyType
from typing import Any, Literal

from rich.table import Table

from fittingroom.names import printable

Severity = Literal["error", "warning", "note"]

KINDS: MappingProxyType[str, tuple[Severity, str]] = MappingProxyType(
    {
        "unreadable_json": ("error", "not JSON; the message gives line and column"),
        "too_large": ("error", "more bytes than an annotation file may have"),
        "too_deep": ("error", "nested deeper than any annotation is"),
        "not_an_annotation": ("error", "JSON, but not of the shape this format has"),
        "unsafe_name": ("error", "an image name that leads out of the image folder"),
        "name_not_utf8": ("error", "a file name that is not UTF-8; the file is left out"),
        "missing_image": ("error", "the picture is not there"),
        "image_unreadable": ("error", "the picture's header cannot be read"),
        "size_mismatch": ("error", "stated width and height differ from the picture's"),
        "duplicate_id": ("error", "an id or a key that stands twice"),
        "orphan_annotation": ("error", "a garment of a picture that is not listed"),
        "unknown_category": ("error", "neither a known id nor a known name"),
        "category_mismatch": ("error", "category id and name disagree"),
        "odd_coordinates": ("error", "a polygon with an odd count of numbers"),
        "polygon_too_short": ("error", "a polygon of fewer than 3 points"),
        "polygon_too_long": ("error", "a polygon of more points than any outline has"),
        "not_a_number": ("error", "NaN, Infinity or no number at all where a number belongs"),
        "zero_area": ("error", "polygons that cover no pixel"),
        "out_of_bounds": ("error", "points more than a pixel outside the picture"),
        "box_mismatch": ("error", "the box is not the box of the polygons"),
        "landmark_count": ("error", "not the landmark count of the category"),
        "bad_landmarks": ("error", "landmarks that are not x, y, visibility triples"),
        "bad_box": ("error", "a box that is not four numbers"),
        "bad_segmentation": ("error", "a segmentation that is not a list of polygons"),
        "bad_field": ("error", "a field of the wrong type"),
        "unsupported_shape": ("error", "a region shape that encloses nothing, such as a point"),
        "text_for_number": ("warning", "a number written as text; read as the number"),
        "box_reversed": ("warning", "corners of the box in the wrong order; put right"),
        "empty_segmentation": ("warning", "a garment without polygons"),
        "self_intersection": ("warning", "a polygon that crosses itself"),
        "value_range": ("warning", "an attribute outside 1 to 3; kept"),
        "area_mismatch": ("warning", "the stated area is not the mask's area"),
        "image_without_annotation": ("warning", "a picture that has no annotation file"),
        "no_garments": ("warning", "a picture without garments"),
        "turned": ("warning", "outlined in the stored pixels of a photo that EXIF turns; turned with it"),
        "orientation_unknown": (
            "warning",
            "a photo that EXIF turns, and nothing tells whether its outlines are turned; read as what is seen",
        ),
        "rescaled": ("warning", "outlined in another size than the picture's; brought to the picture's"),
        "reshaped": ("warning", "points nested in another way than the format's; read as meant"),
        "clipped": ("warning", "points moved to the edge of the picture, as the settings ask"),
        "left_out": ("warning", "a garment left out, as the settings ask"),
        "deleted_garment": ("warning", "all of a garment's regions were deleted in VIA; so is the garment"),
        "other_name": ("note", "a picture under another spelling of its name, or in another folder; read as found"),
        "repeated_picture": ("note", "a picture that stands several times in a document; its regions are put together"),
        "foreign_id": ("note", "ids that are no whole numbers; joined as they stand, numbered anew"),
        "outlined_shape": ("note", "a circle or an ellipse; outlined as a polygon"),
        "rle_segmentation": ("note", "a run-length mask; outlined as polygons, the original kept"),
        "shared_landmarks": ("note", "all categories' 294 landmarks in one row; the category's own are read"),
        "category_spelling": ("note", "a category in another spelling; read as the README's"),
        "byte_order_mark": ("note", "a UTF-8 byte-order mark; skipped"),
        "item_gap": ("note", "item numbers with a gap; kept"),
        "image_name": ("note", "an image name that is not six digits; kept"),
        "document_field": ("note", "a field of the whole document that the other format has no place for"),
    }
)
"""Every kind of finding: how bad it is, and what it means."""

_EXAMPLES_PER_KIND = 100


@dataclass(frozen=True)
class Finding:
    """One thing found: its kind, the file, the garment (or ''), what is wrong, and what was done ('' for nothing)."""

    kind: str
    file: str
    garment: str = ""
    message: str = ""
    action: str = ""

    @property
    def severity(self) -> Severity:
        """``error``, ``warning`` or ``note``."""
        return KINDS[self.kind][0]


class Findings:
    """Exact counts by kind, and examples: all of them, or the first ``per_kind`` of each so that memory stays flat."""

    def __init__(self, per_kind: int | None = _EXAMPLES_PER_KIND) -> None:
        self.counts: Counter[str] = Counter()
        self.examples: list[Finding] = []
        self.files: dict[str, set[str]] = {}
        """The files of each kind of error: what a selection must not train on."""
        self._per_kind, self._kept = per_kind, Counter[str]()

    def add(self, kind: str, file: str, garment: str = "", message: str = "", action: str = "") -> None:
        """Record one finding; ``kind`` is a key of `KINDS`."""
        self.put(Finding(kind, printable(file), garment, message[:300], action))

    def put(self, finding: Finding) -> None:
        """Record one finding."""
        self.counts[finding.kind] += 1
        if finding.severity == "error":
            self.files.setdefault(finding.kind, set()).add(finding.file)
        self._kept[finding.kind] += 1
        if self._per_kind is None or self._kept[finding.kind] <= self._per_kind:
            self.examples.append(finding)

    def merge(self, other: Findings) -> None:
        """Add what another part of the same work found."""
        counts = self.counts + other.counts
        for example in other.examples:
            self.put(example)
        self.counts = counts
        for kind, files in other.files.items():
            self.files.setdefault(kind, set()).update(files)

    def total(self, severity: Severity | None = None) -> int:
        """How many, of one severity or in all."""
        return sum(n for kind, n in self.counts.items() if severity is None or KINDS[kind][0] == severity)

    def to_json(self) -> dict[str, Any]:
        """Counts by severity and kind, and the examples."""
        return {
            "errors": self.total("error"),
            "warnings": self.total("warning"),
            "notes": self.total("note"),
            "counts": dict(sorted(self.counts.items())),
            "examples": [{**asdict(finding), "severity": finding.severity} for finding in self.examples],
            "examples_left_out": self.total() - len(self.examples),
        }

    def table(self, title: str) -> Table | str:
        """A printable table: one row a kind, errors first; without findings one line that says so."""
        if not self.counts:
            return f"{title}: nothing found"
        table = Table("severity", "kind", "count", "meaning, and the first example", title=title)
        first = {finding.kind: finding for finding in reversed(self.examples)}
        order = {"error": 0, "warning": 1, "note": 2}
        for kind, count in sorted(self.counts.items(), key=lambda pair: (order[KINDS[pair[0]][0]], -pair[1], pair[0])):
            severity, meaning = KINDS[kind]
            example = first[kind]
            where = " ".join(part for part in (example.file, example.garment) if part)
            table.add_row(severity, kind, f"{count:,}", f"{meaning}\n" + _plain(f"{where}: {example.message}"[:120]))
        return table


def _plain(text: str) -> str:
    """Text of foreign files printed as it is: no markup, no control characters."""
    return "".join(c if c.isprintable() else "?" for c in text).replace("[", "\\[")
