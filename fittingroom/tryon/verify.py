"""Whether a file is a result that says so, and whether all of the photo that it says was left alone is the photo's."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from fittingroom.boxes import Box
from fittingroom.images import RGB, flatten_on_white
from fittingroom.masks import Mask, bounding_box
from fittingroom.opening import probe
from fittingroom.tryon.photo import Photo, read_photo
from fittingroom.tryon.provenance import Mark, read_mark
from fittingroom.tryon.signing import signature_of


@dataclass(frozen=True)
class Verification:
    """What came of comparing a result with its photo.

    Attributes:
        marked: whether it says that AI changed a part of it. tool, style, models: what it says of that.
        untouched: whether every pixel that it says was not changed is the photo's own.
        changed_share, changed_box_xyxy: of the pixels that really differ; None where the two cannot be compared.
        outside_pixels: how many of those lie outside the region that the mark names.
        largest_difference: among those, of any channel, 0 to 255.
        signature: of a C2PA manifest, `fittingroom.tryon.signing.signature_of`; None where there is none.
        reasons: why it is not verified; empty where it is.
    """

    marked: bool
    untouched: bool
    tool: str
    style: str
    models: str
    changed_share: float | None
    changed_box_xyxy: Box | None
    outside_pixels: int | None
    largest_difference: int | None
    signature: dict[str, Any] | None
    reasons: list[str]

    @property
    def verified(self) -> bool:
        """Whether nothing speaks against it."""
        return not self.reasons

    def to_json(self) -> dict[str, Any]:
        """As a JSON value."""
        return {"verified": self.verified, **asdict(self)}


def verify(result: Path, original: Path) -> Verification:
    """Compare a result with the photo it was made of, both read as a try-on reads photos.

    Raises:
        ImageRejected: one of them is not a picture we accept. MissingInputError: one of them is not there.
    """
    mark = read_mark(result)
    shrunk = mark is not None and mark.shrunk_from is not None
    new = read_photo(result)
    old = read_photo(original, longest=max(new.pixels.shape[:2]) if shrunk else None)
    lossy = probe(result).format != "PNG"
    reasons = [] if mark else ["it is not marked as changed by AI"]
    differing = _differing(new, old, lossy)
    if isinstance(differing, str):
        reasons.append(differing)
        box = share = outside = most = None
    else:
        changed = differing > 0
        beyond = changed & ~_named(mark, changed.shape)
        box, share = bounding_box(changed), round(float(changed.mean()), 6)
        outside, most = int(np.count_nonzero(beyond)), int(differing[beyond].max(initial=0))
        if outside:
            region = "outside the changed region" if mark else "in all"
            why = "; JPEG is lossy, only a .png keeps them" if lossy else ""
            reasons.append(f"{outside:,} pixels {region} are not the photo's, by up to {most} of 255{why}")
    signature = signature_of(result)
    if signature and signature["state"] not in ("Valid", "Trusted"):
        reasons.append(f"its signature does not hold ({', '.join(signature['problems']) or signature['state']})")
    return Verification(
        marked=mark is not None,
        untouched=outside == 0,
        tool=mark.tool if mark else "",
        style=mark.style if mark else "",
        models=mark.models if mark else "",
        changed_share=share,
        changed_box_xyxy=box,
        outside_pixels=outside,
        largest_difference=most,
        signature=signature,
        reasons=reasons,
    )


def _differing(new: Photo, old: Photo, lossy: bool) -> RGB | str:
    """By how much each pixel differs, (H, W), in its worst channel; or why that cannot be said."""
    if new.profile != old.profile:
        return "its colours are of another colour space (ICC profile) than the photo's"
    one, other = (_opaque(photo.pixels) if lossy else _with_alpha(photo.pixels) for photo in (new, old))
    if one.shape != other.shape:
        (height, width), (rows, columns) = one.shape[:2], other.shape[:2]
        return f"it has {width} x {height} pixels, the photo {columns} x {rows}"
    return np.asarray((np.maximum(one, other) - np.minimum(one, other)).max(axis=2), np.uint8)


def _opaque(pixels: RGB) -> RGB:
    return flatten_on_white(pixels) if pixels.shape[2] == 4 else pixels


def _with_alpha(pixels: RGB) -> RGB:
    return pixels if pixels.shape[2] == 4 else np.dstack([pixels, np.full(pixels.shape[:2], 255, np.uint8)])


def _named(mark: Mark | None, shape: tuple[int, ...]) -> Mask:
    """The region that the mark says was changed, bool (H, W)."""
    region = np.zeros(shape[:2], bool)
    if mark is None or mark.box_xyxy is None:
        return region
    box = mark.box_xyxy.clip(*shape[:2])
    inside = region[box.y1 : box.y2, box.x1 : box.x2]
    inside[:] = mark.mask if mark.mask is not None and mark.mask.shape == inside.shape else True
    return region
