"""Garments that people wear, cut by their true masks exactly as a try-on cuts them: what a style learns to change."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from fittingroom.annotations.model import AnnotatedImage, garment_masks
from fittingroom.domain import mark_of
from fittingroom.errors import ImageRejected, NoGarmentFound, SettingError
from fittingroom.framing import MARGIN, on_white
from fittingroom.images import RGB, encode_png, read_rgb
from fittingroom.masks import Mask
from fittingroom.preparing.square import prepare_image
from fittingroom.workspace import digest_bytes, digest_file, write_bytes

MINIMUM_SIDE = 64
"""Pixels of the shorter side of a garment's box in the photo: smaller ones are blurred at 256."""


def cut_worn_garment(image: RGB, mask: Mask, size: int = 256, margin: float = MARGIN) -> RGB:
    """One garment of a photo (H, W, 3) as a training picture (size, size, 4), mask in alpha, white around it.

    Raises:
        NoGarmentFound: the mask is empty, before or after resizing.
    """
    if not mask.any():
        raise NoGarmentFound("no garment: the mask is empty")
    return prepare_image(on_white(image, mask, margin), size)


def cut_worn_garments(
    images: Iterable[AnnotatedImage],
    images_dir: Path,
    out_dir: Path,
    size: int = 256,
    flip: bool = True,
    minimum_side: int = MINIMUM_SIDE,
    refused: Counter[str] | None = None,
) -> list[Path]:
    """Cut every garment large enough out of annotated photos; photos that cannot be read are passed over.

    ``refused`` counts garments that gave no picture, by reason.

    Returns:
        the pictures in ``out_dir``, sorted: ``<digest of photo and garment, 32>.png`` and their ``_flip`` twins.
    """
    if size < 4 or size % 4:
        raise SettingError("size", size, "a multiple of 4")
    written: list[Path] = []
    refused = Counter() if refused is None else refused
    for annotated in images:
        path = images_dir / annotated.file_name
        try:
            photo = read_rgb(path)
        except ImageRejected:
            refused["photo cannot be read"] += len(annotated.garments)
            continue
        digest = digest_file(path)
        for number, garment in enumerate(garment_masks(annotated)):
            box = garment.box_xyxy
            if min(box.width, box.height) < minimum_side or garment.mask.shape != photo.shape[:2]:
                refused[f"under {minimum_side} pixels" if garment.mask.shape == photo.shape[:2] else "other size"] += 1
                continue
            try:
                picture = cut_worn_garment(photo, garment.mask, size)
            except NoGarmentFound:
                refused["empty mask"] += 1
                continue
            name = digest_bytes(f"{digest} {number}".encode())[:32]
            written += write_twins(out_dir, name, picture, flip, mark_of(path))
    return sorted(set(written))


def write_twins(out_dir: Path, name: str, picture: RGB, flip: bool = True, mark: str = "") -> list[Path]:
    """A training picture and, with ``flip``, its mirrored twin as PNG, with ``mark`` as their comment."""
    twins = {f"{name}.png": picture} | ({f"{name}_flip.png": picture[:, ::-1]} if flip else {})
    for file, pixels in twins.items():
        write_bytes(out_dir / file, encode_png(pixels, comment=mark))
    return [out_dir / file for file in twins]
