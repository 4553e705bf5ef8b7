"""A photo file in, a try-on file out: orientation, transparency and colour space are the photo's own.

A photo in a wide colour space (an ICC profile) is worked on in sRGB, but only the new garment is converted back: the
rest of the picture keeps its bytes, and the result carries the photo's profile. EXIF is applied and not copied.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np

from fittingroom.domain import MARK, is_rendered
from fittingroom.garment import GarmentFinder
from fittingroom.images import RGB, encode_jpeg, encode_png, flatten_on_white, probe, read_as_stored, resize, to_srgb
from fittingroom.outputs import check_output_file, check_suffix
from fittingroom.tryon import compose
from fittingroom.tryon.pipeline import GarmentTranslator, TryOnResult, TryOnSettings, try_on
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
    has_alpha = probe(source, **limits).mode in ("RGBA", "LA", "PA") or bool((rgba[..., 3] < 255).any())
    photo = Photo(rgba if has_alpha else np.ascontiguousarray(rgba[..., :3]), profile, is_rendered(source))
    if longest is not None:
        photo = _at_most(photo, longest)
    photo.srgb  # noqa: B018  now: a hostile profile takes its time where the picture does
    return photo


def _at_most(photo: Photo, longest: int) -> Photo:
    height, width = photo.pixels.shape[:2]
    scale = longest / max(height, width)
    if scale >= 1:
        return photo
    small = resize(photo.pixels, max(round(width * scale), 1), max(round(height * scale), 1))
    return replace(photo, pixels=small, shrunk_from=(width, height))


def try_on_photo(
    photo: Photo,
    finder: GarmentFinder,
    translator: GarmentTranslator,
    settings: TryOnSettings | None = None,
    target_category: str | None = None,
) -> TryOnResult:
    """`fittingroom.tryon.pipeline.try_on`, the result's image in the photo's own colour space.

    Raises:
        NoGarmentFound: the photo shows none.
    """
    result = try_on(photo.srgb, finder, translator, settings, target_category)
    if photo.profile is None:
        return result
    garment = to_srgb(result.new_garment, photo.profile, inverse=True)
    merged = compose.blend(np.ascontiguousarray(photo.pixels[..., :3]), garment, result.alpha)
    image = merged if photo.pixels.shape[2] == 3 else np.dstack([merged, photo.pixels[..., 3]])
    return replace(result, image=image)


def check_output(path: Path) -> None:
    """Refuse a result's place before any work is done.

    Raises:
        InputError: a suffix that is neither PNG nor JPEG, or a file cannot be written there.
    """
    check_output_file(path, "output", LOSSLESS + LOSSY)


def write_result(path: Path, result: TryOnResult, photo: Photo) -> str:
    """Write the picture atomically; PNG keeps every untouched pixel, JPEG cannot.

    Returns:
        a sentence on what the format loses; empty for PNG.

    Raises:
        InputError: another suffix. StorageUnavailable: the disk is full.
    """
    check_suffix(path, "output", LOSSLESS + LOSSY)
    mark = MARK if photo.rendered else ""
    if path.suffix.lower() in LOSSLESS:
        write_bytes(path, encode_png(result.image, profile=photo.profile, comment=mark))
        return ""
    opaque = flatten_on_white(result.image) if result.image.shape[2] == 4 else result.image
    write_bytes(path, encode_jpeg(opaque, quality=95, profile=photo.profile, comment=mark))
    lost = " and has no transparency" if result.image.shape[2] == 4 else ""
    return f"JPEG is lossy{lost}: pixels outside the garment are only nearly the photo's; write a .png to keep them all"
