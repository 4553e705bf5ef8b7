"""A photo file in, a try-on file out: orientation, transparency and colour space are the photo's own.

A photo in a wide colour space (an ICC profile) is worked on in sRGB, but only the new garment is converted back: the
rest of the picture keeps its bytes, and the result carries the photo's profile. EXIF is applied and not copied; the
only metadata of a result is its mark.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np

from fittingroom.domain import MARK, is_rendered, warn_of_photo
from fittingroom.garment import GarmentFinder
from fittingroom.images import RGB, at_most, encode_jpeg, encode_png, flatten_on_white, read_as_stored, to_srgb
from fittingroom.opening import probe
from fittingroom.outputs import check_output_file, check_suffix
from fittingroom.tryon import compose
from fittingroom.tryon.provenance import MadeBy, write_mark
from fittingroom.tryon.settings import TryOnSettings
from fittingroom.tryon.signing import signed
from fittingroom.tryon.steps import GarmentTranslator, TryOnResult, try_on
from fittingroom.workspace import write_bytes

LOSSLESS = (".png",)
LOSSY = (".jpg", ".jpeg")


@dataclass(frozen=True, eq=False)
class Photo:
    """A decoded photo, right side up.

    Attributes:
        pixels: uint8 (H, W, 3), or (H, W, 4) where the file has transparency; in the photo's own colour space.
        profile: the ICC profile of that colour space; None is sRGB.
        rendered: whether it is no photo but a picture of the sample world.
        shrunk_from: width and height before it was made smaller; None where it was not.
    """

    pixels: RGB
    profile: bytes | None = None
    rendered: bool = False
    shrunk_from: tuple[int, int] | None = None

    @cached_property
    def srgb(self) -> RGB:
        """The same in sRGB, alpha kept: what the models are shown."""
        if self.profile is None:
            return self.pixels
        colours = to_srgb(self.pixels[..., :3], self.profile)
        return colours if self.pixels.shape[2] == 3 else np.dstack([colours, self.pixels[..., 3]])


def read_photo(
    source: Path | bytes, max_pixels: int | None = None, max_bytes: int | None = None, longest: int | None = None
) -> Photo:
    """Decode a photo.

    Args:
        source: the file, or its bytes.
        max_pixels: more are refused; `fittingroom.images.MAX_PIXELS` if left out.
        max_bytes: more are refused; `fittingroom.images.MAX_BYTES` if left out.
        longest: a longer side makes the photo smaller, to this many pixels.

    Raises:
        ImageRejected: not a picture we accept. MissingInputError: no such file.
    """
    limits = {k: v for k, v in (("max_pixels", max_pixels), ("max_bytes", max_bytes)) if v is not None}
    rgba, profile = read_as_stored(source, **limits)
    has_alpha = probe(source).mode in ("RGBA", "LA", "PA") or bool((rgba[..., 3] < 255).any())
    photo = Photo(rgba if has_alpha else np.ascontiguousarray(rgba[..., :3]), profile, is_rendered(source))
    height, width = photo.pixels.shape[:2]
    if longest is not None and longest < max(height, width):
        photo = replace(photo, pixels=at_most(photo.pixels, longest), shrunk_from=(width, height))
    photo.srgb  # noqa: B018  now: a hostile profile takes its time where the picture does
    return photo


def try_on_photo(
    photo: Photo,
    finder: GarmentFinder,
    translator: GarmentTranslator,
    settings: TryOnSettings | None = None,
    target_category: str | None = None,
) -> TryOnResult:
    """`fittingroom.tryon.steps.try_on`, the result's image in the photo's own colour space.

    Raises:
        NoGarmentFound: the photo shows none.
    """
    result = try_on(photo.srgb, finder, translator, settings, target_category)
    if photo.profile is None:
        return result
    garment = to_srgb(result.new_garments, photo.profile, inverse=True)
    merged = compose.blend(np.ascontiguousarray(photo.pixels[..., :3]), garment, result.alpha)
    image = merged if photo.pixels.shape[2] == 3 else np.dstack([merged, photo.pixels[..., 3]])
    return replace(result, image=image)


def warning_of(photo: Photo, result: TryOnResult, domains: Mapping[str, str]) -> str:
    """Why a result is not to be trusted, in words; empty where nothing speaks against it.

    Args:
        domains: what the models learnt from, by their names (`fittingroom.domain.warn_of_photo`).
    """
    return "; ".join(filter(None, (warn_of_photo(photo.rendered, domains), result.doubt)))


def check_output(path: Path) -> None:
    """Refuse a result's place before any work is done.

    Raises:
        InputError: a suffix that is neither PNG nor JPEG, or a file cannot be written there.
    """
    check_output_file(path, "output", LOSSLESS + LOSSY)


def write_result(path: Path, result: TryOnResult, photo: Photo, made_by: MadeBy) -> str:
    """Write the picture atomically; PNG keeps every untouched pixel, JPEG cannot.

    Returns:
        a sentence on what the format loses; empty for PNG.

    Raises:
        InputError: another suffix, or as `encode_result`. StorageUnavailable: the disk is full.
    """
    check_suffix(path, "output", LOSSLESS + LOSSY)
    lossless = path.suffix.lower() in LOSSLESS
    write_bytes(path, encode_result(result, photo, made_by, lossless))
    if lossless:
        return ""
    lost = " and has no transparency" if result.image.shape[2] == 4 else ""
    return f"JPEG is lossy{lost}: pixels outside the garment are only nearly the photo's; write a .png to keep them all"


def encode_result(result: TryOnResult, photo: Photo, made_by: MadeBy, lossless: bool = True) -> bytes:
    """The picture as the bytes of a PNG or JPEG file, marked as changed by AI (`fittingroom.tryon.provenance`), and
    signed where a certificate is set (`fittingroom.tryon.signing`).

    Raises:
        InputError: a certificate or key that cannot be used.
    """
    comment = MARK if photo.rendered else ""
    xmp = write_mark(made_by, result.alpha > 0, photo.shrunk_from, with_mask=lossless)
    if lossless:
        data = encode_png(result.image, profile=photo.profile, comment=comment, xmp=xmp)
    else:
        opaque = flatten_on_white(result.image) if result.image.shape[2] == 4 else result.image
        data = encode_jpeg(opaque, quality=95, profile=photo.profile, comment=comment, xmp=xmp)
    return signed(data, "image/png" if lossless else "image/jpeg", made_by)
