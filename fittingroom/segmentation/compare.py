"""Photos, or close-ups cut from them, through a segmenter: what was found next to what is there, as figures."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from fittingroom import masks
from fittingroom.boxes import Box
from fittingroom.categories import Group, group_of
from fittingroom.images import RGB, read_rgb
from fittingroom.segmentation.augment import scaling
from fittingroom.segmentation.dataset import LabelledPhoto, drawn_garments, placed_parts
from fittingroom.segmentation.parts import HAIR, PARTS, SKIN, PartMap
from fittingroom.segmentation.predict import Detection, Segmenter
from fittingroom.segmentation.scores import PhotoMatch, box_iou_matrix, iou_matrix

T = TypeVar("T")

LEAST_SCORE = 0.05
"""Garments of lower score are not looked at: what AP takes them for hardly moves it."""
ENLARGED = 2
"""How many times a close-up is enlarged."""
AROUND = 0.1
"""How far a close-up reaches beyond the garment's box on each side, as a share of its longer side."""
LEAST_PART = 0.001
"""Skin or hair on less than this share of a picture is not counted."""

Progress = Callable[[int, int], None]
"""Called with photos done and photos in all."""


@dataclass(frozen=True, eq=False)
class Compared:
    """What was found on a picture (D garments, best first) next to what is labelled there (G): figures, no masks.

    ``scores``, ``found_categories`` and ``found_areas`` are (D,), ``categories``, ``areas`` and ``body_in_box`` (G,),
    ``mask_ious`` and ``box_ious`` (D, G). ``fields`` are the labelled garments' own annotations. ``covered`` has, for
    skin and for hair, the share of it that each mask found covers (D,), where a part map tells of enough of it;
    ``body_in_box`` is the share of each labelled garment's box that is skin or hair, not a number without a part map.
    """

    photo: LabelledPhoto
    scores: NDArray[np.float64]
    found_categories: NDArray[np.int64]
    found_areas: NDArray[np.int64]
    categories: NDArray[np.int64]
    areas: NDArray[np.int64]
    mask_ious: NDArray[np.float64]
    box_ious: NDArray[np.float64]
    fields: list[dict[str, Any]]
    covered: dict[str, NDArray[np.float64]]
    body_in_box: NDArray[np.float64]

    def match(self, ious: str = "mask_ious", ignored: NDArray[np.bool_] | None = None) -> PhotoMatch:
        """For average precision whatever the category.

        Args:
            ious: whose IoUs count: ``mask_ious`` or ``box_ious``.
            ignored: which labelled garments (G,) are not asked for.
        """
        return PhotoMatch(self.scores, getattr(self, ious), ignored)

    def match_of(self, category: int, ious: str = "mask_ious") -> PhotoMatch:
        """The same among the garments of one category."""
        found, there = self.found_categories == category, self.categories == category
        return PhotoMatch(self.scores[found], getattr(self, ious)[found][:, there])

    def largest_iou(self, threshold: float) -> float:
        """IoU, 0 to 1, of the largest labelled garment with the mask of at least that score that covers it best."""
        served = self.mask_ious[self.scores >= threshold, int(self.areas.argmax())]
        return float(served.max(initial=0.0))


@dataclass(frozen=True, eq=False)
class View:
    """A photo, or a close-up of it, with the labelled garments on it (G) and its part map."""

    photo: LabelledPhoto
    image: RGB
    garments: list[masks.Mask]
    categories: list[int]
    fields: list[dict[str, Any]]
    parts: PartMap

    @classmethod
    def whole(cls, photo: LabelledPhoto) -> View:
        """The photo as it is.

        Raises:
            MissingInputError, ImageRejected, AnnotationError: its picture or part map cannot be read.
        """
        return cls._through(photo, read_rgb(photo.path), np.eye(3), photo.height, photo.width)

    @classmethod
    def close_up(cls, photo: LabelledPhoto) -> View | None:
        """Cut to its upper garment (else to what covers the whole body) and enlarged; None where it has neither.

        Raises:
            MissingInputError, ImageRejected, AnnotationError: its picture or part map cannot be read.
        """
        box = upper_garment(photo)
        if box is None:
            return None
        box = box.expand(round(AROUND * max(box.width, box.height))).clip(photo.height, photo.width)
        matrix = scaling(ENLARGED, ENLARGED) @ np.array([[1.0, 0, -box.x1], [0, 1, -box.y1], [0, 0, 1]])
        size = (ENLARGED * box.width, ENLARGED * box.height)
        crop = read_rgb(photo.path)[box.y1 : box.y2, box.x1 : box.x2]
        image = np.asarray(cv2.resize(crop, size, interpolation=cv2.INTER_CUBIC), np.uint8)
        return cls._through(photo, image, matrix, size[1], size[0])

    @classmethod
    def _through(cls, photo: LabelledPhoto, image: RGB, matrix: NDArray[np.float64], height: int, width: int) -> View:
        drawn = drawn_garments(photo, matrix, height, width)
        return cls(
            photo,
            image,
            [mask for _, mask in drawn],
            [garment.category_id for garment, _ in drawn],
            [garment.annotation for garment, _ in drawn],
            placed_parts(photo, matrix, height, width),
        )


def upper_garment(photo: LabelledPhoto) -> Box | None:
    """The box of the largest garment of the upper body, else of the largest that covers all of it,
    in annotated pixels.
    """
    drawn = drawn_garments(photo, np.eye(3), photo.height, photo.width)
    wanted: tuple[Group, ...] = ("upper", "full")
    for group in wanted:
        own = [mask for garment, mask in drawn if group_of(garment.category_id) == group]
        if own:
            return masks.bounding_box(max(own, key=masks.area))
    return None


def compare_photos(
    segmenter: Segmenter,
    photos: Sequence[LabelledPhoto],
    listener: Progress | None = None,
    view: Callable[[LabelledPhoto], View | None] = View.whole,
) -> Iterator[Compared]:
    """Run the segmenter over a view of each of ``photos``; those without one are left out.

    On a GPU, reading the next photo, and pasting, refining and comparing the masks of the last one, go on next to the
    network. On a CPU the network has all cores already, and waits longer for those it shares than that work takes.

    Raises:
        MissingInputError, ImageRejected, AnnotationError: a picture or part map cannot be read.
    """
    if not photos:
        return
    with ThreadPoolExecutor(2) if segmenter.device.type != "cpu" else _InTurn() as beside:
        read = beside.submit(view, photos[0])
        comparison = None
        for number, _ in enumerate(photos):
            seen = read.result()
            if number + 1 < len(photos):
                read = beside.submit(view, photos[number + 1])
            if seen is not None:
                (detection,) = segmenter.detect([seen.image])
                if comparison is not None:
                    yield comparison.result()
                comparison = beside.submit(_find_and_compare, segmenter, detection, seen)
            if listener is not None:
                listener(number + 1, len(photos))
        if comparison is not None:
            yield comparison.result()


class _InTurn(Executor):
    """Does at once what it is given."""

    def submit(self, fn: Callable[..., T], /, *args: Any, **kwargs: Any) -> Future[T]:
        future: Future[T] = Future()
        future.set_result(fn(*args, **kwargs))
        return future


def _find_and_compare(segmenter: Segmenter, detection: Detection, view: View) -> Compared:
    found = segmenter.garments(detection, view.image, LEAST_SCORE)
    boxes = [box for mask in view.garments if (box := masks.bounding_box(mask)) is not None]
    body = (view.parts == SKIN) | (view.parts == HAIR)
    known = view.photo.parts is not None
    return Compared(
        view.photo,
        np.array([garment.score for garment in found], np.float64),
        np.array([garment.category_id for garment in found], np.int64),
        np.array([garment.area for garment in found], np.int64),
        np.array(view.categories, np.int64),
        np.array([masks.area(mask) for mask in view.garments], np.int64),
        iou_matrix([garment.mask for garment in found], view.garments),
        box_iou_matrix([garment.box_xyxy for garment in found], boxes),
        view.fields,
        _covered(view.parts, [garment.mask for garment in found]),
        np.array([body[y1:y2, x1:x2].mean() if known else np.nan for x1, y1, x2, y2 in boxes], np.float64),
    )


def _covered(parts: PartMap, found: Sequence[masks.Mask]) -> dict[str, NDArray[np.float64]]:
    shares = {}
    for value in (SKIN, HAIR):
        there = parts == value
        area = masks.area(there)
        if area >= LEAST_PART * parts.size:
            shares[PARTS[value]] = np.array([masks.area(mask & there) / area for mask in found], np.float64)
    return shares
