"""How good a style's translator is: its colours, the structure it kept, and what it changed that it should not."""

from __future__ import annotations

import contextlib
import dataclasses
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torchmetrics.functional.image import structural_similarity_index_measure

from fittingroom.appearance.colours import ciede2000, srgb_to_lab
from fittingroom.appearance.describe import describe_garment
from fittingroom.errors import ImageRejected, InputError
from fittingroom.images import RGB
from fittingroom.masks import Mask, bounding_box
from fittingroom.translation.dataset import read_prepared
from fittingroom.translation.kid import KernelDistance
from fittingroom.translation.predict import Translator
from fittingroom.translation.sheets import write_sheet

Listener = Callable[[int, int], None]
QUANTILES = 32
FAR_COLOUR = 20.0
"""CIEDE2000 from which a colour counts as missed altogether."""
NEAR_COLOUR = 5.0
"""Median CIEDE2000 of untouched garments below which they are of the style's colour already: nothing is to be moved."""
FOLD_BLUR = 1 / 12
"""Side of the box blur, as a share of the picture's, that leaves folds and takes patterns away."""


@dataclass(frozen=True, eq=False)
class StyleTarget:
    """The colours of a style: the mean CIELAB colour of each of `QUANTILES` equal shares, from dark to light.

    A solid style has nearly one colour throughout, a navy-and-white striped one goes from navy to white; so a
    translator is compared share by share, not by its mean. ``pattern`` is what most of its pictures are described as.
    """

    colours: NDArray[np.float64]
    pattern: str | None = None

    @staticmethod
    def of_pictures(paths: Sequence[Path], size: int = 256) -> StyleTarget:
        """From prepared pictures; those that cannot be read are left out.

        Raises:
            InputError: none could be read.
        """
        pictures = []
        for path in paths:
            with contextlib.suppress(ImageRejected):
                pictures.append(read_prepared(path, size))
        target = StyleTarget.of_garments(pictures)
        if target is None:
            raise InputError(_none_usable("style target", paths))
        return target

    @staticmethod
    def of_garments(pictures: Iterable[tuple[RGB, Mask]]) -> StyleTarget | None:
        """From pictures (S, S, 3) with their masks; None where none can be used."""
        curves, patterns = [], Counter[str]()
        for image, mask in pictures:
            curve = colour_curve(image, mask)
            if curve is not None:
                curves.append(curve)
                patterns[describe_garment(image, mask).pattern] += 1
        if not curves:
            return None
        return StyleTarget(np.mean(curves, axis=0), patterns.most_common(1)[0][0])

    def to_json(self) -> dict[str, Any]:
        """A JSON value that `from_json` reads back."""
        return {"colours": np.round(self.colours, 3).tolist(), "pattern": self.pattern}

    @staticmethod
    def from_json(value: Mapping[str, Any]) -> StyleTarget:
        """Written by `to_json`."""
        return StyleTarget(np.asarray(value["colours"], np.float64), value.get("pattern"))


@dataclass(frozen=True)
class StyleReport:
    """Figures over all pictures (`metrics`), per picture (`rows`), and the before/after sheet when one was asked for.

    ``ciede2000_median`` is the median colour difference to the style, ``colour_moved`` the share of the untouched
    garments' own that is gone (0 where nothing was changed; left out where they are of the style's colour already),
    ``luminance_ssim`` the mean SSIM of relative lightness on the garment, ``fold_ssim`` the same blurred beyond any
    pattern (for a patterned style, which has to change fine lightness, both are the blurred one), ``leak`` the share
    (0..1) of the network's own change that falls outside the mask, ``pattern_recognised`` the share of outputs whose
    described pattern is the wanted one, ``cycle_error`` see `cycle_error`, and ``kid_...`` the distance of all outputs
    to the style's pictures (`fittingroom.translation.kid`).
    """

    metrics: dict[str, float]
    rows: list[dict[str, Any]] = field(default_factory=list)
    sheet: Path | None = None
    notes: list[str] = field(default_factory=list)

    @property
    def score(self) -> float:
        """One figure for choosing between steps of a training, 0 to 1: see `score_of`."""
        return score_of(self.metrics)

    def to_json(self) -> dict[str, Any]:
        """A JSON value."""
        sheet = None if self.sheet is None else str(self.sheet)
        return {"metrics": self.metrics, "rows": self.rows, "sheet": sheet, "notes": self.notes}


def _none_usable(what: str, paths: Sequence[Path]) -> str:
    where = f"{what} {paths[0].parent}" if paths else what
    return f"{where}: expected at least one picture of a garment, got none of {len(paths)} that can be used"


def evaluate_style(
    weights: Path,
    images: Sequence[Path],
    style_target: StyleTarget | None = None,
    sheet: Path | None = None,
    device: str = "auto",
    distance: KernelDistance | None = None,
    listener: Listener | None = None,
) -> StyleReport:
    """Measure a weights file on prepared pictures of garments.

    Weights hold the generator that is served alone, so ``cycle_error`` is the one measured while it was trained.

    Args:
        weights: written by the training.
        images: prepared pictures, best ones that the training did not see.
        style_target: the colours to reach; None takes those the weights file carries.
        sheet: where to write a before/after PNG; None for none.
        device: auto, cpu, cuda or mps.
        distance: KID to the style's pictures; None leaves it out.
        listener: called before each picture with those done and those in all.

    Raises:
        MissingInputError, WeightsRejected: no usable weights. InputError: no usable picture.
    """
    translator = Translator.load(weights, device)
    if style_target is None and "target" in translator.info:
        style_target = StyleTarget.from_json(translator.info["target"])
    report = evaluate_translator(translator, images, style_target, sheet, distance=distance, listener=listener)
    trained = translator.info.get("metrics", {})
    if "cycle_error" not in trained:
        return report
    report.notes.append("cycle_error is of the training's own held-out garments: weights hold generator_a_to_b alone")
    return dataclasses.replace(report, metrics=report.metrics | {"cycle_error": trained["cycle_error"]})


def evaluate_translator(
    translator: Translator,
    images: Sequence[Path],
    style_target: StyleTarget | None,
    sheet: Path | None = None,
    reverse: Translator | None = None,
    distance: KernelDistance | None = None,
    listener: Listener | None = None,
) -> StyleReport:
    """`evaluate_style` for a translator that is loaded already; ``reverse`` goes back (`cycle_error`)."""
    rows: list[dict[str, Any]] = []
    before: list[RGB] = []
    after: list[RGB] = []
    notes: list[str] = []
    for number, path in enumerate(images):
        if listener is not None:
            listener(number, len(images))
        try:
            image, mask = read_prepared(path, translator.size)
        except ImageRejected as error:
            notes.append(str(error))
            continue
        if not mask.any():
            notes.append(f"{path}: no garment in it")
            continue
        raw = translator.raw([image], [mask])[0]
        output = np.where(mask[..., None], raw, image)
        figures = measure(image, mask, raw, style_target)
        if reverse is not None:
            figures["cycle_error"] = cycle_error(image, mask, reverse.raw([raw], [mask])[0])
        rows.append({"file": Path(path).name} | figures)
        before.append(image)
        after.append(output)
    if not rows:
        raise InputError(_none_usable("evaluation", images))
    if sheet is not None:
        write_sheet(sheet, before[:24], after[:24])
    metrics = summary_of(rows)
    if distance is not None:
        kid = distance(after)
        if kid is None:
            notes.append(f"{distance.name} is left out: too few pictures")
        else:
            metrics[distance.name] = kid
    return StyleReport(metrics, rows, sheet, notes)


def measure(image: RGB, mask: Mask, output: RGB, style_target: StyleTarget | None) -> dict[str, float]:
    """The figures of one picture; ``output`` is the network's own, surround included."""
    change = np.abs(output.astype(np.float64) - image).sum(-1)
    patterned = style_target is not None and style_target.pattern not in (None, "solid")
    folds = luminance_ssim(image, output, mask, blur=FOLD_BLUR)
    row = {
        "luminance_ssim": folds if patterned else luminance_ssim(image, output, mask),
        "fold_ssim": folds,
        "leak": float(change[~mask].sum() / max(change.sum(), 1.0)),
    }
    curve = colour_curve(output, mask)
    if style_target is not None and curve is not None:
        row["ciede2000"] = float(ciede2000(curve, style_target.colours).mean())
        untouched = colour_curve(image, mask)
        assert untouched is not None  # as many pixels as the output
        row["ciede2000_untouched"] = float(ciede2000(untouched, style_target.colours).mean())
        if style_target.pattern is not None:
            row["pattern_recognised"] = float(describe_garment(output, mask).pattern == style_target.pattern)
    return row


def cycle_error(image: RGB, mask: Mask, again: RGB) -> float:
    """How far a picture that went to the style and back is from what it was: mean difference inside ``mask``, 0 to 1.

    A style has few colours, so what the reverse generator cannot know (the old colour) is part of it: compare styles
    trained alike, not with 0.
    """
    return float(np.abs(again[mask].astype(np.float64) - image[mask]).mean() / 255)


def score_of(metrics: Mapping[str, float]) -> float:
    """The mean of what gates ask for, each 0 to 1: colour (1 at no difference, 0 from `FAR_COLOUR` on), structure and,
    where it was measured, pattern.
    """
    parts = [max(0.0, metrics["luminance_ssim"])]
    if "ciede2000_median" in metrics:
        parts.append(max(0.0, 1.0 - metrics["ciede2000_median"] / FAR_COLOUR))
    if "pattern_recognised" in metrics:
        parts.append(metrics["pattern_recognised"])
    return float(np.mean(parts))


def summary_of(rows: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """The figures over pictures, of the figures of each (`measure`)."""
    metrics = {"pictures": float(len(rows))}

    def put_means(*names: str) -> None:
        for name in names:
            if values := [row[name] for row in rows if name in row]:
                metrics[name] = float(np.mean(values))

    put_means("luminance_ssim", "fold_ssim", "leak")
    differences = [row["ciede2000"] for row in rows if "ciede2000" in row]
    if differences:
        metrics["ciede2000_median"] = float(np.median(differences))
        metrics["ciede2000_90"] = float(np.quantile(differences, 0.9))
        untouched = float(np.median([row["ciede2000_untouched"] for row in rows if "ciede2000_untouched" in row]))
        if untouched >= NEAR_COLOUR:
            metrics["colour_moved"] = 1.0 - metrics["ciede2000_median"] / untouched
    put_means("cycle_error", "pattern_recognised")
    return metrics


def colour_curve(image: RGB, mask: Mask) -> NDArray[np.float64] | None:
    """Mean CIELAB colour of each equal share of the garment's pixels from dark to light, (QUANTILES, 3).

    None when there are fewer pixels than shares.
    """
    pixels = srgb_to_lab(image[mask])
    if len(pixels) < QUANTILES:
        return None
    ordered = pixels[np.argsort(pixels[:, 0], kind="stable")]
    return np.stack([part.mean(0) for part in np.array_split(ordered, QUANTILES)])


def luminance_ssim(image: RGB, output: RGB, mask: Mask, blur: float = 0.0) -> float:
    """SSIM (Wang et al. 2004) of relative lightness, on the garment's own bounding box, -1 to 1.

    Lightness is divided by its mean over the garment, so that a dark garment may become a light one; outside the mask
    both are flat. With ``blur``, a share of the picture's side, both are averaged over boxes of that side first (over
    the garment only), so that a new pattern does not count as lost structure.
    """
    box = bounding_box(mask)
    if box is None:
        return 0.0
    pair = []
    for picture in (image, output):
        lightness = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY).astype(np.float64)
        if blur:
            lightness = _box_blurred(lightness, mask, round(blur * len(mask)))
        relative = np.where(mask, lightness / max(lightness[mask].mean(), 1.0), 1.0)
        pair.append(torch.from_numpy(relative[box.y1 : box.y2, box.x1 : box.x2])[None, None])
    if min(pair[0].shape[2:]) < 11:
        return 0.0
    similarity = structural_similarity_index_measure(pair[1], pair[0], data_range=1.0)
    assert isinstance(similarity, torch.Tensor)  # a pair only when its parts are asked for
    return float(similarity)


def _box_blurred(values: NDArray[np.float64], mask: Mask, side: int) -> NDArray[np.float64]:
    """Means over the garment's part of boxes of ``side`` pixels."""
    weight = mask.astype(np.float64)
    total, count = (cv2.blur(array, (side, side)) for array in (values * weight, weight))
    return np.asarray(total / np.maximum(count, 1e-6))
