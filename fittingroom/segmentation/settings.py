"""Every number of the segmenter, by name, with its range; and the presets ``demo``, ``cpu`` and ``standard``.

The recipe (preset ``standard``) is Mask R-CNN with a ResNet-50 FPN, started from COCO, 3 further convolutions at the
end of the mask head, 30 epochs and a score threshold of 0.98. The other presets run the same code on smaller networks.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

from fittingroom.errors import SettingError, UnknownSetting

Backbone = Literal["resnet50", "mobilenet_v2", "mobilenet_v3_large", "small"]
Start = Literal["coco", "imagenet", "scratch"]
Norm = Literal["frozen", "trained"]
Precision = Literal["auto", "no", "bf16"]
Optimizer = Literal["adamw", "sgd"]

COCO_CHANNELS = 256
"""Width of torchvision's R50-FPN heads: its COCO weights fit no other."""


@dataclass(frozen=True)
class SegmenterSettings:
    """Settings of one segmenter: its network, its training and how it serves. Checked when made.

    Raises:
        SettingError: a value out of its range, or two that do not go together.
    """

    # The network
    backbone: Backbone = "mobilenet_v2"
    """``small`` is a narrow ResNet of our own, quick on one CPU core."""
    start: Start = "imagenet"
    """Where weights come from, when they can be had: see `fittingroom.segmentation.start`."""
    norm: Norm = "frozen"
    """Batch norm of the backbone: ``frozen`` (folded into the convolutions; for pretrained weights) or ``trained``."""
    frozen_levels: int = 1
    """Levels of the backbone that keep their pretrained weights: 1 is all up to stride 4, 0 trains all (0 to 4)."""
    small_channels: int = 32
    """Channels at stride 4 of the ``small`` backbone, doubled at each further stage (8 to 128)."""
    fpn_channels: int = 128
    """Channels of the feature pyramid (16 to 512)."""
    box_features: int = 512
    """Width of the box head (32 to 2048)."""
    mask_channels: int = 128
    """Channels of the mask head (8 to 512)."""
    mask_convolutions: int = 4
    """3 x 3 convolutions of the mask head before the extra ones; torchvision has 4 (1 to 8)."""
    extra_mask_convolutions: int = 3
    """Further ones at its end, the recipe's 3 (0 to 8)."""
    mask_pool_size: int = 14
    """Cells a side of what the mask head sees of a garment; its masks are twice that (7 to 56)."""
    class_agnostic: bool = True
    """One box refinement and one mask for any category instead of one each: learns faster from few photos."""
    parts_head: bool = False
    """Learn what each pixel is (skin, hair, bag, ...) where the data set has part maps, and let skin and hair win over
    garments when serving (see `fittingroom.segmentation.parts`). Without part maps a training turns this off."""
    parts_channels: int = 64
    """Channels of that head (8 to 256)."""
    anchor_sizes: tuple[tuple[int, ...], ...] = ((48, 72), (110, 160), (220, 300))
    """Side lengths of anchors in pixels, one tuple for each level of the pyramid the proposals come from."""
    anchor_ratios: tuple[float, ...] = (0.5, 1.0, 2.0)
    """Heights over widths of anchors."""
    proposals_from_level: int = 1
    """The finest level that makes proposals: 0 is stride 4. Garments are large: 1 saves much time (0 to 2)."""
    box_levels: tuple[int, ...] = (1,)
    """Levels of the pyramid the box head looks at, neighbours in rising order; one alone is quickest."""
    mask_levels: tuple[int, ...] = (0,)
    """The same for the mask head: finer levels give finer outlines."""
    roi_canonical_scale: int = 112
    """Boxes of this side length (pixels) take their features from stride 16, half of it from stride 8 (16 to 448)."""

    # What it looks at
    short_side: int = 320
    """Photos are resized to this short side, in pixels (64 to 1600)."""
    long_side: int = 640
    """... but to no more than this long side (short side to 3200)."""
    proposals: int = 300
    """Proposals kept for each photo after suppression (10 to 2000)."""
    proposal_samples: int = 128
    """Anchors for each photo the proposal loss looks at (16 to 512)."""
    box_samples: int = 64
    """Boxes for each photo the box loss looks at, a quarter of them garments (8 to 512)."""

    # Training
    epochs: int = 30
    """Passes over the training photos (1 to 10000)."""
    max_minutes: float = 0.0
    """Stop in time: the learning rate ends its way early when training would take longer. 0 is no limit; with a limit
    a repeated training gives other weights, as its length depends on the machine (0 to 10000)."""
    batch_size: int = 4
    """Photos in a step (1 to 64)."""
    optimizer: Optimizer = "adamw"
    learning_rate: float = 3e-4
    """The highest, after warm-up; it falls along a cosine to a hundredth (above 0, to 1)."""
    momentum: float = 0.9
    """Of ``sgd``; beta 1 of ``adamw`` (0 to 0.999)."""
    weight_decay: float = 1e-4
    """(0 to 1)"""
    warmup_steps: int = 50
    """Steps over which the rate grows from near 0 (0 to 10000)."""
    gradient_clip: float = 5.0
    """Largest norm of the gradient (above 0)."""
    average_decay: float = 0.99
    """Decay of the moving average of the weights, which is validated and served; 0 turns it off (0 to 0.99999)."""
    precision: Precision = "auto"
    """``auto`` takes bfloat16 where the hardware multiplies it fast."""
    seed: int = 0
    """Of all that is drawn (0 to 2**31 - 1)."""
    flip: bool = True
    """Mirror half of the photos."""
    scale_jitter: float = 0.25
    """Photos are scaled by a factor drawn between 1 minus this and 1 plus this (0 to 0.6)."""
    colour_jitter: float = 0.25
    """Strength of changes to brightness, contrast, saturation and, a little, hue (0 to 0.8)."""
    light_jitter: float = 0.0
    """Strength of changes to the exponent of brightness and to the colour of the light (0 to 0.8)."""
    close_up_share: float = 0.0
    """Share of photos seen as close-ups, cut out around a garment; the others are seen whole (0 to 1)."""
    close_up_zoom: tuple[float, ...] = (1.2, 3.0)
    """How many times close-ups are enlarged, from and to (1 to 8)."""
    paste_share: float = 0.0
    """Share of photos over whose garments arms, legs and hair of another photo are pasted; needs part maps (0 to 1)."""
    wall_share: float = 0.0
    """Share of photos whose background becomes a plain wall; needs part maps (0 to 1)."""
    blur: float = 0.0
    """Most blur of the half of the photos that are degraded: a standard deviation in pixels (0 to 5)."""
    noise: float = 0.0
    """Most noise of them: a standard deviation in grey levels (0 to 50)."""
    jpeg: int = 100
    """Lowest JPEG quality they go through; 100 is none (5 to 100)."""
    parts_weight: float = 1.0
    """Weight of the parts head's loss beside the others (0 to 10)."""
    validate_every: int = 1
    """Epochs between validations; the best by mask AP is what is kept (1 to 10000)."""
    patience: int = 0
    """Validations without improvement before training stops early; 0 is never (0 to 1000)."""
    checkpoint_seconds: float = 60.0
    """Seconds between checkpoints inside an epoch (at least 0; 0 is every step). Each epoch's end makes one too."""
    cache_megabytes: int = 1500
    """Memory for decoded photos, which spares decoding them in each epoch (0 to 1000000)."""
    workers: int = 0
    """Processes that prepare batches ahead; 0 prepares them in the training process (0 to 64)."""

    # Serving
    score_threshold: float = 0.5
    """Garments of lower score are not reported (0 to 1)."""
    overlap_threshold: float = 0.5
    """Of two masks that overlap more than this (IoU), whatever their categories, the better stays (0 to 1)."""
    box_margin: float = 0.06
    """Boxes grow by this share of their size before their masks are drawn: a box a little too small cuts a sleeve off,
    one a little too large costs nothing (0 to 0.5)."""
    refine_masks: bool = True
    """Draw masks again along the photo's edges (see `fittingroom.segmentation.refine`)."""
    max_garments: int = 12
    """The most garments reported for one photo (1 to 100)."""

    def __post_init__(self) -> None:
        _check(self)

    @property
    def mask_size(self) -> int:
        """Cells a side of a predicted mask."""
        return 2 * self.mask_pool_size

    def with_overrides(self, overrides: Mapping[str, Any]) -> SegmenterSettings:
        """A copy with some fields changed; values may come from JSON or, as text, from a command line.

        Raises:
            SettingError: a field that does not exist, or a value that is not allowed.
        """
        fields = {field.name: field for field in dataclasses.fields(self)}
        changes = {}
        for name, value in overrides.items():
            if name not in fields:
                raise UnknownSetting(name, value, fields)
            changes[name] = _coerce(name, value, getattr(self, name))
        return dataclasses.replace(self, **changes)

    def to_json(self) -> dict[str, Any]:
        """A JSON value that `from_json` reads back."""
        return {k: _as_lists(v) for k, v in dataclasses.asdict(self).items()}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> SegmenterSettings:
        """Read what `to_json` wrote.

        Raises:
            SettingError: as for `with_overrides`.
        """
        return cls().with_overrides(value)


_RANGES: dict[str, tuple[float, float]] = {
    "frozen_levels": (0, 4), "small_channels": (8, 128), "fpn_channels": (16, 512), "box_features": (32, 2048),
    "mask_channels": (8, 512), "mask_convolutions": (1, 8), "extra_mask_convolutions": (0, 8),
    "mask_pool_size": (7, 56), "proposals_from_level": (0, 2), "roi_canonical_scale": (16, 448),
    "short_side": (64, 1600), "long_side": (64, 3200), "proposals": (10, 2000), "proposal_samples": (16, 512),
    "box_samples": (8, 512), "epochs": (1, 10_000), "max_minutes": (0, 10_000), "batch_size": (1, 64),
    "learning_rate": (1e-9, 1), "momentum": (0, 0.999), "weight_decay": (0, 1), "warmup_steps": (0, 10_000),
    "gradient_clip": (1e-6, 1e6), "average_decay": (0, 0.99999), "seed": (0, 2**31 - 1), "scale_jitter": (0, 0.6),
    "colour_jitter": (0, 0.8), "validate_every": (1, 10_000), "patience": (0, 1000), "checkpoint_seconds": (0, 1e9),
    "parts_channels": (8, 256), "light_jitter": (0, 0.8), "close_up_share": (0, 1), "paste_share": (0, 1),
    "wall_share": (0, 1), "blur": (0, 5), "noise": (0, 50), "jpeg": (5, 100), "parts_weight": (0, 10),
    "cache_megabytes": (0, 1_000_000), "workers": (0, 64), "score_threshold": (0, 1), "overlap_threshold": (0, 1),
    "box_margin": (0, 0.5), "max_garments": (1, 100),
}  # fmt: skip
_CHOICES: dict[str, tuple[str, ...]] = {
    "backbone": get_args(Backbone),
    "start": get_args(Start),
    "norm": get_args(Norm),
    "precision": get_args(Precision),
    "optimizer": get_args(Optimizer),
}


def _check(settings: SegmenterSettings) -> None:
    for name, choices in _CHOICES.items():
        if getattr(settings, name) not in choices:
            raise SettingError(name, getattr(settings, name), " or ".join(choices))
    for name, (low, high) in _RANGES.items():
        value = getattr(settings, name)
        if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
            raise SettingError(name, value, f"a number from {low:g} to {high:g}")
    if settings.long_side < settings.short_side:
        raise SettingError("long_side", settings.long_side, f"at least short_side, {settings.short_side}")
    zoom = settings.close_up_zoom
    if len(zoom) != 2 or not 1 <= zoom[0] <= zoom[1] <= 8:
        raise SettingError("close_up_zoom", zoom, "two numbers in rising order, 1 to 8")
    _check_anchors(settings)
    _check_levels(settings)
    if settings.backbone == "resnet50":
        if settings.class_agnostic:
            raise SettingError("class_agnostic", True, "false with backbone resnet50, as torchvision has it")
        for name in ("fpn_channels", "mask_channels"):
            if getattr(settings, name) != COCO_CHANNELS:
                allowed = f"{COCO_CHANNELS} with backbone resnet50, as torchvision's COCO weights have it"
                raise SettingError(name, getattr(settings, name), allowed)
    if settings.start == "coco" and settings.backbone != "resnet50":
        raise SettingError("start", settings.start, "imagenet or scratch: only resnet50 has COCO weights")
    if settings.backbone == "small" and settings.start != "scratch":
        raise SettingError("start", settings.start, "scratch: nobody publishes weights for the small backbone")
    if settings.start == "scratch":
        for name, needed in (("norm", "trained"), ("frozen_levels", 0)):
            if getattr(settings, name) != needed:
                raise SettingError(name, getattr(settings, name), f"{needed} where weights start from scratch")


def _check_levels(settings: SegmenterSettings) -> None:
    for name in ("box_levels", "mask_levels"):
        levels = getattr(settings, name)
        if not levels or levels != tuple(range(levels[0], levels[-1] + 1)) or levels[0] < 0 or levels[-1] > 3:
            raise SettingError(name, levels, "neighbours in rising order out of 0, 1, 2, 3")
        if settings.backbone == "resnet50" and levels != (0, 1, 2, 3):
            raise SettingError(name, levels, "(0, 1, 2, 3) with backbone resnet50, as torchvision has it")


def _check_anchors(settings: SegmenterSettings) -> None:
    sizes, ratios = settings.anchor_sizes, settings.anchor_ratios
    levels = (5 if settings.backbone == "resnet50" else 4) - settings.proposals_from_level
    if len(sizes) != levels or len({len(level) for level in sizes}) != 1 or not sizes[0]:
        raise SettingError("anchor_sizes", sizes, f"{levels} tuples of the same length, one for each level")
    if not all(1 <= size <= 4000 for level in sizes for size in level):
        raise SettingError("anchor_sizes", sizes, "pixels from 1 to 4000")
    if not ratios or not all(0.05 <= ratio <= 20 for ratio in ratios):
        raise SettingError("anchor_ratios", ratios, "numbers from 0.05 to 20")


def _coerce(name: str, value: Any, present: Any) -> Any:
    try:
        if isinstance(present, bool):
            words = {"true": True, "false": False, "yes": True, "no": False, "1": True, "0": False}
            return value if isinstance(value, bool) else words[str(value).lower()]
        if isinstance(present, int):
            number = float(value)
            if isinstance(value, bool) or not number.is_integer():
                raise ValueError
            return int(number)
        if isinstance(present, float):
            if isinstance(value, bool) or not math.isfinite(float(value)):
                raise ValueError
            return float(value)
        if isinstance(present, tuple):
            if isinstance(value, str):
                raise ValueError
            return tuple(_like(part, present[0]) for part in value)
    except (ValueError, TypeError, KeyError):
        kind = "true or false" if isinstance(present, bool) else f"a value like {present!r}"
        raise SettingError(name, value, kind) from None
    return value


def _like(value: Any, example: Any) -> Any:
    if isinstance(example, tuple):
        return tuple(_like(part, example[0]) for part in value)
    number = float(value)
    if isinstance(example, int) and not number.is_integer():
        raise ValueError
    return type(example)(number)


def _as_lists(value: Any) -> Any:
    return [_as_lists(v) for v in value] if isinstance(value, tuple) else value


_COCO_ANCHORS = ((32,), (64,), (128,), (256,), (512,))

PRESETS: dict[str, SegmenterSettings] = {
    "demo": SegmenterSettings(
        backbone="small",
        start="scratch",
        norm="trained",
        frozen_levels=0,
        small_channels=32,
        fpn_channels=64,
        box_features=128,
        mask_channels=48,
        anchor_sizes=((32, 48), (64, 96), (128, 180)),
        short_side=192,
        long_side=320,
        proposals=100,
        proposal_samples=64,
        box_samples=32,
        epochs=48,
        max_minutes=6.5,
        learning_rate=1e-3,
        validate_every=10,
    ),
    "cpu": SegmenterSettings(
        average_decay=0.995,
        validate_every=3,
        parts_head=True,
        colour_jitter=0.35,
        light_jitter=0.3,
        close_up_share=0.5,
        paste_share=0.25,
        wall_share=0.15,
        blur=1.5,
        noise=10.0,
        jpeg=40,
    ),
    "standard": SegmenterSettings(
        backbone="resnet50",
        start="coco",
        norm="frozen",
        fpn_channels=COCO_CHANNELS,
        mask_channels=COCO_CHANNELS,
        box_features=1024,
        class_agnostic=False,
        anchor_sizes=_COCO_ANCHORS,
        proposals_from_level=0,
        box_levels=(0, 1, 2, 3),
        mask_levels=(0, 1, 2, 3),
        roi_canonical_scale=224,
        short_side=800,
        long_side=1333,
        proposals=1000,
        proposal_samples=256,
        box_samples=512,
        epochs=30,
        batch_size=2,
        learning_rate=1e-4,
        score_threshold=0.98,
        refine_masks=False,
    ),
}


def preset(name: str) -> SegmenterSettings:
    """The settings of that name.

    Raises:
        SettingError: no such preset.
    """
    if name not in PRESETS:
        raise SettingError("preset", name, ", ".join(PRESETS))
    return PRESETS[name]
