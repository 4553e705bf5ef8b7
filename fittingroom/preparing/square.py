"""Makes cut-outs into training pictures: square, 256 x 256, mask in the alpha channel, each with a flipped twin."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np

from fittingroom.domain import mark_of
from fittingroom.errors import ImageRejected, MissingInputError, NoGarmentFound
from fittingroom.fields import CheckedSettings, Side
from fittingroom.images import RGB, encode_png, read_rgba
from fittingroom.manifest import ImageRow, append, is_whole, rows_about
from fittingroom.masks import Mask, from_white_surround
from fittingroom.names import printable
from fittingroom.opening import refuse_name
from fittingroom.workspace import digest_bytes, digest_file, digest_value, write_bytes

MANIFEST = "manifest.jsonl"
FLIP_KEY = "#flip"
"""Added to a file's key for the row of its flipped twin."""
RowListener = Callable[[ImageRow], None]


@dataclass(frozen=True)
class PrepareSettings(CheckedSettings):
    """How cut-outs become training pictures."""

    size: Side = 256
    """Side in pixels; generators halve it twice."""
    flip: bool = True
    """Also write mirrored twins."""

    def digest(self) -> str:
        """Names these settings in manifests and cache keys."""
        return digest_value(self.to_json())[:12]


def prepare_image(image: RGB, size: int = 256) -> RGB:
    """``image`` as (size, size, 4): padded to a square, alpha 0 or 255, colour white wherever alpha is 0.

    ``image`` is (H, W, 4) with its mask in alpha, or a garment on white, (H, W, 3) or opaque. Colours are averaged
    within the mask only, so that no white bleeds into the garment's edge.

    Raises:
        NoGarmentFound: the mask is empty, before or after resizing.
    """
    mask = garment_mask(image)
    if not mask.any():
        raise NoGarmentFound("no garment: the mask is empty")
    height, width = mask.shape
    side = max(height, width)
    top, left = (side - height) // 2, (side - width) // 2
    square = np.zeros((side, side, 4), np.float32)
    square[top : top + height, left : left + width, :3] = image[..., :3] * mask[..., None]
    square[top : top + height, left : left + width, 3] = mask
    # Premultiplied, so linear in the garment's share of each pixel; cubic would ring at the mask's edge.
    resized = cv2.resize(square, (size, size), interpolation=cv2.INTER_AREA if side > size else cv2.INTER_LINEAR)
    inside = resized[..., 3] >= 0.5
    if not inside.any():
        raise NoGarmentFound(f"no garment left at {size} x {size} pixels")
    result = np.full((size, size, 4), 255, np.uint8)
    result[..., 3] = np.where(inside, 255, 0)
    colours = resized[..., :3][inside] / resized[..., 3][inside][:, None]
    result[..., :3][inside] = np.clip(np.round(colours), 0, 255).astype(np.uint8)
    return result


def garment_mask(image: RGB) -> Mask:
    """The mask of a garment-only picture: its alpha where it has one, else all but the white surround."""
    if image.shape[2] == 4 and image[..., 3].min(initial=255) < 255:
        return np.asarray(image[..., 3] >= 128)
    return from_white_surround(np.ascontiguousarray(image[..., :3]))


def prepare_files(
    files: Sequence[Path],
    out_dir: Path,
    settings: PrepareSettings | None = None,
    listener: RowListener | None = None,
) -> list[ImageRow]:
    """Prepare ``files`` into ``out_dir/<source sha256, first 32>.png`` (and ``..._flip.png``) and its manifest.

    One row a written picture, or one row for a file that gave none, in the order of ``files``. What is already there,
    from the same bytes and settings, and unchanged, is not written again.
    """
    settings = settings or PrepareSettings()
    out_dir = Path(out_dir)
    out_dir.mkdir(parents=True, exist_ok=True)
    known = rows_about(map(Path, files), out_dir / MANIFEST)
    earlier = {(row.source_sha256, row.key.endswith(FLIP_KEY)): row for row in known}
    seen: dict[str, str] = {}
    rows: list[ImageRow] = []
    for file in files:
        for row in _prepare_file(Path(file), out_dir, settings, earlier, seen):
            if earlier.get((row.source_sha256, row.key.endswith(FLIP_KEY))) != row or not row.source_sha256:
                append(out_dir / MANIFEST, row)
            rows.append(row)
            if listener is not None:
                listener(row)
    return rows


def _prepare_file(
    file: Path,
    out_dir: Path,
    settings: PrepareSettings,
    earlier: dict[tuple[str, bool], ImageRow],
    seen: dict[str, str],
) -> list[ImageRow]:
    key = printable(file.as_posix())
    try:
        refuse_name(file)
        source = digest_file(file)
    except ImageRejected as rejected:
        return [ImageRow(key, "failed", rejected.reason, detail=rejected.detail)]
    except OSError:
        return [ImageRow(key, "failed", "missing", detail=f"image not found: {key}")]
    if source in seen:
        return [ImageRow(key, "duplicate", source_sha256=source, duplicate_of=seen[source])]
    seen[source] = key
    stamp = f"settings={settings.digest()}"
    wanted = (False, True) if settings.flip else (False,)
    done = [_done(earlier.get((source, flipped)), key, flipped, stamp, out_dir) for flipped in wanted]
    if all(row is not None for row in done):
        return [row for row in done if row is not None]
    try:
        prepared = prepare_image(read_rgba(file), settings.size)
    except ImageRejected as rejected:
        return [ImageRow(key, "failed", rejected.reason, source_sha256=source, detail=rejected.detail)]
    except MissingInputError as missing:
        return [ImageRow(key, "failed", "missing", detail=str(missing))]
    except NoGarmentFound as error:
        return [ImageRow(key, "refused", "no_garment", source_sha256=source, detail=str(error))]
    rows, mark = [], mark_of(file)
    for flipped in wanted:
        data = encode_png(prepared[:, ::-1] if flipped else prepared, comment=mark)
        path = f"{source[:32]}{'_flip' if flipped else ''}.png"
        write_bytes(out_dir / path, data)
        rows.append(
            ImageRow(
                key + FLIP_KEY if flipped else key,
                "kept",
                path=path,
                sha256=digest_bytes(data),
                source_sha256=source,
                width=settings.size,
                height=settings.size,
                format="PNG",
                detail=stamp,
            )
        )
    return rows


def _done(row: ImageRow | None, key: str, flipped: bool, stamp: str, out_dir: Path) -> ImageRow | None:
    """The earlier row under its present key, if its picture is still there and right."""
    if row is None or row.status != "kept" or row.detail != stamp or not is_whole(out_dir, row):
        return None
    return replace(row, key=key + FLIP_KEY if flipped else key)
