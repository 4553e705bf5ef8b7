"""DeepFashion2's 13 garment categories, spelt as its README spells them.

Source: Ge et al., "DeepFashion2: A Versatile Benchmark for Detection, Pose Estimation, Segmentation and
Re-Identification of Clothing Images", CVPR 2019, and the dataset's README.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import Literal, get_args

Group = Literal["upper", "lower", "full"]
Category = Literal[
    "short sleeve top",
    "long sleeve top",
    "short sleeve outwear",
    "long sleeve outwear",
    "vest",
    "sling",
    "shorts",
    "trousers",
    "skirt",
    "short sleeve dress",
    "long sleeve dress",
    "vest dress",
    "sling dress",
]
"""The categories' names, in the order of their ids."""

CATEGORY_NAMES: MappingProxyType[int, str] = MappingProxyType(dict(enumerate(get_args(Category), start=1)))
"""Category id (1 to 13) to name."""

CATEGORY_IDS = MappingProxyType({name: number for number, name in CATEGORY_NAMES.items()})
"""Name to category id."""

LANDMARK_COUNTS = MappingProxyType(
    {1: 25, 2: 33, 3: 31, 4: 39, 5: 15, 6: 15, 7: 10, 8: 14, 9: 8, 10: 29, 11: 37, 12: 19, 13: 19}
)
"""How many landmarks a garment of each category has; 294 in all."""


def group_of(category_id: int) -> Group:
    """Which part of the body a category covers: ``upper`` (1 to 6), ``lower`` (7 to 9) or ``full`` (10 to 13)."""
    if category_id not in CATEGORY_NAMES:
        raise ValueError(f"category_id: expected 1 to 13, got {category_id!r}")
    if category_id <= 6:
        return "upper"
    return "lower" if category_id <= 9 else "full"
