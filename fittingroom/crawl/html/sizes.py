"""Sizes that addresses say in words: ``/small/``, ``12-large_default``, ``$pdp-zoom$``. Only their order matters."""

from __future__ import annotations

import re

ORIGINAL = 1e6
"""The size of an address that says none."""
LARGER = 2e6
"""The size of one that says it is for a close look, or the original."""
_PIXELS = {
    "pico": 16, "icon": 32, "xs": 40, "tiny": 40, "mini": 40, "micro": 40, "thumb": 50, "thumbs": 50, "thumbnail": 60,
    "thumbnails": 60, "small": 100, "sm": 110, "compact": 160, "medium": 240, "md": 245,
    "regular": 300, "large": 480, "lg": 490, "grande": 600, "big": 1000, "xl": 1200, "xlarge": 1200, "xxl": 1600,
    "xxlarge": 1600, "superlarge": 1600, "scaled": 2560, "zoom": LARGER, "superzoom": LARGER,
    "hires": LARGER, "highres": LARGER, "huge": LARGER, "full": LARGER, "fullsize": LARGER, "original": LARGER,
    "originals": LARGER, "orig": LARGER, "master": LARGER,
}  # fmt: skip
_PRESTA_SHOP = {"cart": 80, "home": 250, "thickbox": 1700, "category": 141, "product": 400}
"""Words of ``<number>-<word>_default``."""
_BESIDE = frozenset({
    "", "image", "images", "img", "imgs", "photo", "photos", "pic", "pics", "picture", "product", "products", "prod",
    "catalog", "gallery", "default", "pdp", "plp", "size", "view", "main", "type", "res",
})  # fmt: skip
"""What may stand next to a word of size in a folder's name; ``mini-skirts`` says no size."""


def pixels_of_words(text: str) -> float | None:
    """The size that a word in ``text`` says, roughly, in pixels, or None; the last one that says any."""
    lower = re.sub(r"(?<=hi)-(?=res)|(?<=high)-(?=res)|(?<=extra)[-_](?=large)", "", text.lower())
    found = [_PIXELS[word] for word in re.split(r"[^a-z]+", lower.replace("extralarge", "xlarge")) if word in _PIXELS]
    return float(found[-1]) if found else None


def words_of_folder(folder: str) -> tuple[float | None, str]:
    """The size that a folder's name says in a word, and the name with a star in its place; else None and the name."""
    lower = folder.lower()
    words = re.split(r"[^a-z]+", re.sub(r"(?<=hi)-(?=res)|(?<=high)-(?=res)|(?<=extra)[-_](?=large)", "", lower))
    default = re.fullmatch(r"(\d+)-(?:([a-z]+)_default|default_([a-z]+))(?:_2x)?", lower)
    if default:
        word = default[2] or default[3]
        size = _PRESTA_SHOP.get(word) or _PIXELS.get(word) or 1
        return float(size * (2 if lower.endswith("_2x") else 1)), f"{default[1]}-*"
    size_words = [word for word in words if word.replace("extralarge", "xlarge") in _PIXELS]
    if not size_words or any(word not in _BESIDE and word not in size_words for word in words):
        return None, folder
    return pixels_of_words(lower), "*" if set(words) == set(size_words) else "-".join(
        "*" if word in size_words else word for word in words
    ) + "".join(re.findall(r"\d+", folder))
