"""Photos and garments as the network is trained on them: read from COCO, cached, changed at random, made tensors.

What is drawn for a photo depends on (seed, epoch, index) alone, never on what was drawn before: a training that goes
on in the middle of an epoch sees exactly what it would have seen, with any number of worker processes.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from fittingroom import masks
from fittingroom.categories import CATEGORY_NAMES
from fittingroom.errors import AnnotationError, MissingInputError
from fittingroom.images import RGB, read_rgb
from fittingroom.segmentation.settings import SegmenterSettings
from fittingroom.workspace import digest_file, digest_files, digest_value

MINIMUM_BOX_SIDE = 2.0
"""Pixels, as the network sees them: thinner boxes make its losses infinite."""

HALF_PIXEL = 0.5
"""RoIAlign has pixel centres at whole numbers, our boxes have pixel edges there: boxes are moved by this on their way
into the network and back on their way out. Left out, every mask sits half a pixel off."""

Target = dict[str, Tensor]


@dataclass(frozen=True)
class LabelledGarment:
    """One garment of a COCO file: category (1 to 13), polygons in pixels of the photo, and the annotation itself."""

    category_id: int
    polygons: tuple[tuple[float, ...], ...]
    annotation: dict[str, Any]


@dataclass(frozen=True)
class LabelledPhoto:
    """A photo and the garments on it; ``height`` and ``width`` are those the COCO file gives."""

    image_id: int
    path: Path
    height: int
    width: int
    garments: tuple[LabelledGarment, ...]


def read_split(dataset: Path, split: str) -> list[LabelledPhoto]:
    """The photos of ``split`` (``train``, ``validation`` or ``all``: both) of a dataset folder, ordered by file name.

    Garments without a polygon of three points, crowds and categories that are not ours are left out.

    Raises:
        MissingInputError: no such folder or file.
        AnnotationError: a file that is not what it should be.
    """
    if split == "all":
        return sorted((photo for each in ("train", "validation") for photo in read_split(dataset, each)), key=_order)
    selection, coco = _read_json(dataset / "selection.json"), _read_json(dataset / f"{split}.json")
    try:
        root = Path(selection["images_dir"])
        if not root.is_absolute():
            root = dataset / root
        garments: dict[int, list[LabelledGarment]] = {int(image["id"]): [] for image in coco["images"]}
        for annotation in coco["annotations"]:
            garment = _garment(annotation)
            if garment is not None and int(annotation["image_id"]) in garments:
                garments[int(annotation["image_id"])].append(garment)
        photos = [
            LabelledPhoto(
                int(image["id"]),
                root / str(image["file_name"]),
                int(image["height"]),
                int(image["width"]),
                tuple(garments[int(image["id"])]),
            )
            for image in coco["images"]
        ]
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise AnnotationError(f"{dataset}: expected a COCO dataset with selection.json, got {error!r}") from None
    return sorted(photos, key=_order)


def _order(photo: LabelledPhoto) -> tuple[str, int]:
    return photo.path.as_posix(), photo.image_id


def _read_json(path: Path) -> Any:
    if not path.is_file():
        raise MissingInputError(
            "dataset file", path, "a dataset folder has selection.json, train.json, validation.json"
        )
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise AnnotationError(f"{path}: expected JSON, got {error}") from None


def _garment(annotation: dict[str, Any]) -> LabelledGarment | None:
    if annotation.get("iscrowd") or int(annotation["category_id"]) not in CATEGORY_NAMES:
        return None
    segmentation = annotation["segmentation"]
    if not isinstance(segmentation, list):
        raise ValueError("a segmentation that is not a list of polygons")
    polygons = tuple(
        tuple(float(value) for value in polygon)
        for polygon in segmentation
        if len(polygon) >= 6 and len(polygon) % 2 == 0
    )
    return LabelledGarment(int(annotation["category_id"]), polygons, annotation) if polygons else None


def dataset_digest(dataset: Path, photos: Sequence[LabelledPhoto]) -> str:
    """One digest of the annotations and the pictures: by ``selection.json``'s own digests where it has them."""
    selection = _read_json(dataset / "selection.json")
    files = {name: digest_file(dataset / name) for name in ("train.json", "validation.json")}
    pictures = selection.get("digests")
    if not pictures:
        root = Path(selection["images_dir"])
        pictures = digest_files([photo.path for photo in photos], root if root.is_absolute() else dataset / root)
    return digest_value({"files": files, "pictures": pictures})


def working_size(height: int, width: int, settings: SegmenterSettings) -> tuple[int, int]:
    """(height, width) at which the network looks at a photo of that size, in pixels."""
    scale = min(settings.short_side / min(height, width), settings.long_side / max(height, width))
    return max(round(height * scale), 1), max(round(width * scale), 1)


class GarmentDataset(Dataset[tuple[Tensor, Target]]):
    """Training examples by (epoch, index): image (3, H, W) float 0 to 1, and boxes, labels and masks of garments."""

    def __init__(self, photos: Sequence[LabelledPhoto], settings: SegmenterSettings) -> None:
        self.photos, self.settings = photos, settings
        self._cache: dict[int, RGB] = {}
        self._cache_bytes_left = settings.cache_megabytes * 1_000_000

    def __len__(self) -> int:
        return len(self.photos)

    def __getitem__(self, key: tuple[int, int]) -> tuple[Tensor, Target]:
        epoch, index = key
        photo = self.photos[index]
        image, to_image = self._decoded(index)
        draw = Draw.at(np.random.default_rng((self.settings.seed, epoch, index)), self.settings)
        # Polygons follow the photo through one matrix, and are drawn at the end: a mask is resampled never.
        matrix, (height, width) = draw.placement(image.shape[0], image.shape[1])
        warped = cv2.warpAffine(image, matrix[:2], (width, height), flags=cv2.INTER_LINEAR, borderValue=(114, 114, 114))
        coloured = draw.colours(np.asarray(warped, np.uint8))
        tensor = torch.from_numpy(np.ascontiguousarray(coloured.transpose(2, 0, 1))).float().div_(255)
        return tensor, _target(photo, matrix @ to_image, height, width)

    def plain(self, index: int) -> tuple[RGB, list[masks.Mask]]:
        """Photo ``index`` as it is, at working size, and the masks of its garments; for validation."""
        image, to_image = self._decoded(index)
        target = _target(self.photos[index], to_image, image.shape[0], image.shape[1])
        return image, list(target["masks"].numpy().astype(bool))

    def _decoded(self, index: int) -> tuple[RGB, NDArray[np.float64]]:
        """The photo at working size and the matrix from annotated pixels to it."""
        photo = self.photos[index]
        image = self._cache.get(index)
        if image is None:
            full = read_rgb(photo.path)
            height, width = working_size(full.shape[0], full.shape[1], self.settings)
            image = np.asarray(cv2.resize(full, (width, height), interpolation=cv2.INTER_AREA), np.uint8)
            if image.nbytes <= self._cache_bytes_left:
                self._cache[index] = image
                self._cache_bytes_left -= image.nbytes
        return image, _scaling(image.shape[1] / photo.width, image.shape[0] / photo.height)


@dataclass(frozen=True)
class Draw:
    """What was drawn for one photo: how it is placed, and the matrix its colours go through."""

    scale: float
    flip: bool
    shift: tuple[float, float]
    colour_matrix: NDArray[np.float64] | None

    @classmethod
    def at(cls, random: np.random.Generator, settings: SegmenterSettings) -> Draw:
        """Draw for one photo; always the same count of numbers."""
        numbers = random.random(8)
        signed = 2 * numbers - 1
        scale = 1 + settings.scale_jitter * signed[0]
        strength = settings.colour_jitter
        colour = None
        if strength:
            brightness, contrast, saturation = (float(value) for value in 1 + strength * signed[4:7])
            colour = _colour_matrix(brightness, contrast, saturation, 0.3 * strength * signed[7])
        return cls(scale, settings.flip and numbers[1] < 0.5, (numbers[2], numbers[3]), colour)

    def placement(self, height: int, width: int) -> tuple[NDArray[np.float64], tuple[int, int]]:
        """The 3 x 3 matrix from the photo to the example, and the example's (height, width).

        An enlarged photo is cropped to its own size at the drawn place; a smaller one makes a smaller example.
        """
        new = (max(round(height * min(self.scale, 1)), 8), max(round(width * min(self.scale, 1)), 8))
        matrix = _scaling(self.scale, self.scale)
        spare = (width * self.scale - new[1], height * self.scale - new[0])
        matrix[0, 2] -= max(spare[0], 0) * self.shift[0]
        matrix[1, 2] -= max(spare[1], 0) * self.shift[1]
        if self.flip:
            matrix = np.array([[-1.0, 0, new[1] - 1], [0, 1, 0], [0, 0, 1]]) @ matrix
        return matrix, new

    def colours(self, image: RGB) -> RGB:
        """The photo with its colours changed; (H, W, 3)."""
        if self.colour_matrix is None:
            return image
        return np.asarray(cv2.transform(image, self.colour_matrix), np.uint8)


def _scaling(x: float, y: float) -> NDArray[np.float64]:
    """Scaling about the picture's corner, for coordinates that have pixel centres at whole numbers."""
    return np.array([[x, 0, (x - 1) / 2], [0, y, (y - 1) / 2], [0, 0, 1]])


def _colour_matrix(brightness: float, contrast: float, saturation: float, hue: float) -> NDArray[np.float64]:
    """One 3 x 4 matrix for all four: factors about 1, and a rotation about the grey axis in radians."""
    grey = np.full((3, 3), 1 / 3)
    cross = np.array([[0.0, -1, 1], [1, 0, -1], [-1, 1, 0]]) / np.sqrt(3)
    rotation = np.cos(hue) * (np.eye(3) - grey) + np.sin(hue) * cross + grey
    matrix = brightness * contrast * (grey + saturation * (rotation - grey))
    offset = np.full((3, 1), 127.5 * brightness * (1 - contrast))
    return np.hstack([matrix, offset])


def _target(photo: LabelledPhoto, matrix: NDArray[np.float64], height: int, width: int) -> Target:
    boxes, labels, drawn = [], [], []
    for garment in photo.garments:
        polygons = [transform_polygon(polygon, matrix) for polygon in garment.polygons]
        mask = masks.from_polygons(polygons, height, width)
        box = masks.bounding_box(mask)
        if box is None or box.width < MINIMUM_BOX_SIDE or box.height < MINIMUM_BOX_SIDE:
            continue
        boxes.append(box)
        labels.append(garment.category_id)
        drawn.append(mask)
    return {
        "boxes": torch.tensor(boxes, dtype=torch.float32).reshape(-1, 4) - HALF_PIXEL,
        "labels": torch.tensor(labels, dtype=torch.int64),
        "masks": torch.from_numpy(np.array(drawn, np.uint8).reshape(-1, height, width)),
    }


def transform_polygon(polygon: Sequence[float], matrix: NDArray[np.float64]) -> list[float]:
    """``[x1, y1, ...]`` through a 3 x 3 affine matrix."""
    points = np.asarray(polygon, np.float64).reshape(-1, 2)
    return list((points @ matrix[:2, :2].T + matrix[:2, 2]).reshape(-1))


def collate(examples: list[tuple[Tensor, Target]]) -> tuple[list[Tensor], list[Target]]:
    """A batch as the detectors want it: lists, as sizes differ."""
    return [image for image, _ in examples], [target for _, target in examples]


class EpochBatches:
    """The batches of one epoch, as lists of (epoch, index); photos of like shape go together, which spares padding.

    ``rank`` of ``world`` processes takes every ``world``-th batch; all take equally many.
    """

    def __init__(
        self, photos: Sequence[LabelledPhoto], batch_size: int, seed: int, epoch: int, rank: int = 0, world: int = 1
    ) -> None:
        random = np.random.default_rng((seed, epoch))
        upright = np.array([photo.height >= photo.width for photo in photos])
        batches = []
        for group in (np.flatnonzero(upright), np.flatnonzero(~upright)):
            order = random.permutation(group)
            batches += [order[i : i + batch_size] for i in range(0, len(order), batch_size)]
        # Small last batches of both groups stay: every photo is seen once.
        order = random.permutation(len(batches))
        order = np.resize(order, -(-len(order) // world) * world)
        self.batches = [[(epoch, int(index)) for index in batches[i]] for i in order[rank::world]]

    def __len__(self) -> int:
        return len(self.batches)

    def __iter__(self) -> Iterator[list[tuple[int, int]]]:
        return iter(self.batches)
