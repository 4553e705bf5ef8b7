"""Renders the sample shop's files: packshots of single garments by style, and what its pages need to know of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import imagehash
import numpy as np
from numpy.random import Generator
from PIL import Image

from fittingroom.domain import MARK
from fittingroom.errors import MissingInputError
from fittingroom.images import RGB, encode_jpeg, read_rgb, resize
from fittingroom.sample.backgrounds import smooth_noise
from fittingroom.sample.camera import photograph
from fittingroom.sample.canvas import Canvas
from fittingroom.sample.fabrics import COLOURS, Fabric, tint
from fittingroom.sample.scenes import lay_flat, random_light
from fittingroom.workspace import write_bytes

Listener = Callable[[str, int, int], None]
"""Called with what is being made, how many are done, how many there will be."""

PERIOD_SHARE = 0.08
"""A pattern's period as a share of the garment's longer side: some 18 pixels once prepared at 256."""


@dataclass(frozen=True)
class ShopStyle:
    """One style of the shop: what a catalog says of it."""

    name: str
    category: str
    colour: str
    pattern: str
    fabric: Fabric


SHOP_STYLES: tuple[ShopStyle, ...] = (
    ShopStyle(
        "navy-striped", "short sleeve top", "blue", "striped",
        Fabric("striped", COLOURS["navy"], COLOURS["white"], share=0.5, weave=0.008),
    ),
    ShopStyle("red-solid", "short sleeve top", "red", "solid", Fabric("solid", COLOURS["red"], weave=0.012)),
    ShopStyle(
        "green-checked", "short sleeve top", "green", "checked",
        Fabric("checked", COLOURS["green"], COLOURS["white"], share=0.5, weave=0.008),
    ),
    ShopStyle(
        "yellow-dotted", "short sleeve top", "yellow", "dotted",
        Fabric("dotted", COLOURS["yellow"], COLOURS["navy"], share=0.5, weave=0.008),
    ),
    ShopStyle("white-solid", "short sleeve top", "white", "solid", Fabric("solid", COLOURS["white"], weave=0.012)),
)  # fmt: skip
"""What the shop sells."""

EXTRAS = ("healing", "slow")
"""Two more photos of the first style, which the server gives only after some failures or a wait."""

_LOOK_ALIKE = 6
"""Bits of 64: photos whose perceptual hashes differ by no more would pass for the same."""
_ATTEMPTS = 12

_CUTS = (1, 1, 1, 1, 2, 2, 10, 5)
"""Categories of the packshots: mostly what the style's name says, with some of its neighbours."""


@dataclass(frozen=True)
class ShopFiles:
    """The shop on disk: ``root/photos/<style>/<nn>.jpg`` and ``root/extras/``."""

    root: Path
    photos: dict[str, tuple[Path, ...]]

    @property
    def styles(self) -> tuple[str, ...]:
        """Style names in the shop's order."""
        return tuple(self.photos)


def render_packshot(style: ShopStyle, rng: Generator, height: int = 480, width: int = 400) -> RGB:
    """One garment of a style on a light background, (height, width, 3)."""
    canvas = Canvas(table(height, width, rng), random_light(rng))
    category = _CUTS[int(rng.integers(len(_CUTS)))]
    fabric = Fabric(**{**style.fabric.__dict__, "base": tint(style.fabric.base, rng, 0.015)})
    patterned = style.pattern != "solid"
    scale = PERIOD_SHARE * float(rng.uniform(0.92, 1.08)) * (1.35 if style.pattern in ("dotted", "checked") else 1.0)
    lay_flat(
        canvas, rng, category, fabric, fill=float(rng.uniform(0.7, 0.86)), period_share=scale if patterned else None
    )
    canvas.image = photograph(canvas.image, rng, 0.45)
    return canvas.pixels()


def table(height: int, width: int, rng: Generator) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    """A light surface, plain or faintly textured."""
    shade = float(rng.uniform(0.86, 0.97))
    image = np.full((height, width, 3), tint((shade, shade, shade - 0.01), rng, 0.012), np.float32)
    image *= (1 + 0.03 * smooth_noise(height, width, 3, rng))[..., None]
    if rng.random() < 0.4:  # linen
        threads = smooth_noise(height, width, 160, rng) + smooth_noise(height, width, 90, rng)
        image *= (1 + 0.018 * threads)[..., None]
    return image


def build_shop(
    out: Path,
    seed: int = 0,
    per_style: int = 24,
    styles: tuple[ShopStyle, ...] = SHOP_STYLES,
    *,
    workers: int = 2,
    listener: Listener | None = None,
) -> ShopFiles:
    """Render ``per_style`` packshots of every style into ``out``.

    The same seed gives the same bytes whatever ``workers`` is. No two photos of a style look alike to a perceptual
    hash, so that a crawl keeps them all.
    """

    def one(place: int) -> tuple[Path, ...]:
        paths = []
        for number, photo in enumerate(_unlike_photos(styles[place], [seed, 11, place], per_style), start=1):
            path = out / "photos" / styles[place].name / f"{number:02d}.jpg"
            write_bytes(path, encode_jpeg(photo, 92, comment=MARK))
            paths.append(path)
        return tuple(paths)

    photos: dict[str, tuple[Path, ...]] = {}
    with ThreadPoolExecutor(workers) as pool:
        for style, paths in zip(styles, pool.map(one, range(len(styles))), strict=True):
            photos[style.name] = paths
            if listener is not None:
                listener("shop", len(photos) * per_style, len(styles) * per_style)
    for number, name in enumerate(EXTRAS, start=1):
        rng = np.random.default_rng([seed, 12, number])
        write_bytes(out / "extras" / f"{name}.jpg", encode_jpeg(render_packshot(styles[0], rng), 92, comment=MARK))
    return ShopFiles(out, photos)


def _unlike_photos(style: ShopStyle, seed: list[int], count: int) -> Iterator[RGB]:
    prints: list[imagehash.ImageHash] = []
    for number in range(1, count + 1):
        for attempt in range(_ATTEMPTS):
            photo = render_packshot(style, np.random.default_rng([*seed, number, attempt]))
            look = imagehash.phash(Image.fromarray(photo))
            if all(look - other > _LOOK_ALIKE for other in prints):
                break
        prints.append(look)
        yield photo


def open_shop(out: Path) -> ShopFiles:
    """A shop that `build_shop` wrote before.

    Raises:
        MissingInputError: there is none.
    """
    if not (out / "photos").is_dir():
        raise MissingInputError("sample shop", out, "render it with build_shop")
    folders = sorted((out / "photos").iterdir())
    order = {style.name: place for place, style in enumerate(SHOP_STYLES)}
    folders.sort(key=lambda folder: order.get(folder.name, len(order)))
    return ShopFiles(out, {folder.name: tuple(sorted(folder.glob("*.jpg"))) for folder in folders})


def thumbnail(photo: Path, width: int = 100) -> bytes:
    """The photo at ``width`` pixels, as listings show it."""
    image = read_rgb(photo)
    small = resize(image, width, round(image.shape[0] * width / image.shape[1]))
    return encode_jpeg(small, 80, comment=MARK)


def near_duplicate(photo: Path) -> bytes:
    """The same picture saved again, a little smaller in bytes: other digest, same look."""
    return encode_jpeg(read_rgb(photo), 70, comment=MARK)
