"""Every annotated picture of a source, to judge a segmenter on: nothing is drawn, and what is left out has a reason."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

from fittingroom.annotations import identity, sources
from fittingroom.annotations.findings import Findings
from fittingroom.annotations.model import AnnotatedImage
from fittingroom.annotations.select import (
    Selection,
    SelectionSettings,
    file_digests,
    is_damaged,
    open_for_selection,
)
from fittingroom.errors import AnnotationError, ImageRejected, MissingInputError
from fittingroom.images import list_images, read_rgb


def take_all(src: Path, images_dir: Path | None = None) -> Selection:
    """All pictures of a source of any format, on the side ``validation``.

    Other than `fittingroom.annotations.select` it asks no conditions: pictures from any viewpoint, and those annotated
    with no garment, are judged on too. Left out, and counted by reason in ``left_out``, is what cannot be judged on.

    Raises:
        MissingInputError: no ``src``, or no pictures with it. AnnotationError: not one picture can be used.
    """
    source = open_for_selection(src, images_dir)
    assert source.images_dir is not None
    folder, findings = source.images_dir, Findings()
    left_out: Counter[str] = Counter()
    kept: dict[str, AnnotatedImage] = {}
    numbers: set[int] = set()
    read = 0
    for image in sources.read(source, findings):
        read += 1
        if reason := _why_not(image, folder, findings, kept):
            left_out[reason] += 1
        else:
            number = identity.hashed_id(image.file_name) if image.image_id in numbers else image.image_id
            numbers.add(number)
            kept[image.file_name] = replace(image, image_id=number)
    left_out["annotation cannot be read"] = sources.count(source) - read
    if source.files is not None:  # a document lists its pictures; a folder may hold more
        annotated = {path.stem for path in source.files}
        left_out["not annotated"] = sum(path.stem not in annotated for path in list_images(folder))
    reasons = {reason: count for reason, count in sorted(left_out.items()) if count > 0}
    if not kept:
        raise AnnotationError(
            f"{src}: expected annotated pictures, got none that can be used: {said(reasons) or 'none'}"
        )
    pictures = tuple(kept[name] for name in sorted(kept))
    return Selection(
        settings=SelectionSettings(viewpoint=(1, 2, 3), validation=len(pictures)),
        images_dir=folder.absolute(),
        train=(),
        validation=pictures,
        matching=len(pictures),
        left_out=reasons,
        warnings=(),
        digests={image.file_name: file_digests(image, folder) for image in pictures},
        found=dict(sorted(findings.counts.items())),
    )


def said(left_out: dict[str, int]) -> str:
    """``picture missing or unreadable 2, not annotated 1``."""
    return ", ".join(f"{reason} {count:,}" for reason, count in left_out.items())


def _why_not(image: AnnotatedImage, folder: Path, findings: Findings, kept: dict[str, AnnotatedImage]) -> str:
    if image.file_name in kept:
        return "annotated twice"
    if image.width <= 0 or image.height <= 0:
        return "picture missing or unreadable"
    if is_damaged(image, findings):
        return "damaged annotation"
    try:
        read_rgb(folder / image.file_name)  # now, not after an hour of judging
    except (ImageRejected, MissingInputError):
        return "picture missing or unreadable"
    return ""
