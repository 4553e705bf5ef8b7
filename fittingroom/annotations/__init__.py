"""Garment annotations: DeepFashion2, COCO and VIA, converted without loss, checked, selected.

::

    model         AnnotatedImage, GarmentAnnotation; ground-truth masks
    deepfashion2  one JSON file a picture            coco  one document            via  project or region list
    pictures      a document's name to a file      headers  size and orientation         fit  pixels as they are seen
    layouts       where pictures lie               via_rows, via_classes, via_shapes     VIA as others use it
    sound         the fast way to read a sound file  raster, measure  all mask areas of a batch at once
    convert       any to any, with a report          check  what is wrong, by kind
    selection     typed selection, pair-safe split   shards  the parallel unit of a conversion

>>> from fittingroom.annotations import convert
>>> report = convert("deepfashion2/train", "train.json", to="coco")  # doctest: +SKIP
"""

from __future__ import annotations

from fittingroom.annotations.check import CheckReport, check
from fittingroom.annotations.convert import ConversionReport, convert
from fittingroom.annotations.findings import KINDS, Finding, Findings
from fittingroom.annotations.model import AnnotatedImage, GarmentAnnotation, garment_masks
from fittingroom.annotations.selection import Selection, SelectionSettings, select, write_dataset
from fittingroom.annotations.shards import ConvertSettings

__all__ = [
    "KINDS",
    "AnnotatedImage",
    "CheckReport",
    "ConversionReport",
    "ConvertSettings",
    "Finding",
    "Findings",
    "GarmentAnnotation",
    "Selection",
    "SelectionSettings",
    "check",
    "convert",
    "garment_masks",
    "select",
    "write_dataset",
]
