"""Garment annotations: DeepFashion2, COCO and VIA, converted without loss, checked, selected.

::

    model         AnnotatedImage, GarmentAnnotation; ground-truth masks
    formats       what a format is, and one module for each     sources  what a path holds
    fields, identity, findings   foreign values made clean, ids and names, what was wrong
    pictures      a document's name to a file      headers  size and orientation         fit  pixels as they are seen
    inspection, geometry   what is wrong with garments          parts    many files, by several processes
    convert, writer        any to any, with a report            check    what is wrong, by kind
    select, judging        typed selection, pair-safe split; everything, to judge on

>>> from fittingroom.annotations import convert
>>> report = convert("deepfashion2/train", "train.json", to="coco")  # doctest: +SKIP
"""

from __future__ import annotations

from fittingroom.annotations.check import CheckReport, check
from fittingroom.annotations.convert import ConversionReport, convert
from fittingroom.annotations.findings import KINDS, Finding, Findings
from fittingroom.annotations.formats import ConvertSettings
from fittingroom.annotations.model import AnnotatedImage, GarmentAnnotation, garment_masks
from fittingroom.annotations.select import Selection, SelectionSettings, select, write_dataset

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
