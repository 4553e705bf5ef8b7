"""Every number of the segmenter, by name, with its range; and the presets ``demo``, ``cpu`` and ``standard``.

The recipe (preset ``standard``) is Mask R-CNN with a ResNet-50 FPN, started from COCO, 3 further convolutions at the
end of the mask head, 30 epochs and a score threshold of 0.98. The other presets run the same code on smaller networks.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from fittingroom.errors import SettingError
from fittingroom.fields import CheckedSettings, Length, Range, Seed, Share

Backbone = Literal["resnet50", "mobilenet_v2", "mobilenet_v3_large", "small"]
Start = Literal["coco", "imagenet", "scratch"]
Norm = Literal["frozen", "trained"]
Precision = Literal["auto", "no", "bf16"]
Optimizer = Literal["adamw", "sgd"]
Levels = Annotated[tuple[Annotated[int, Range(0, 3)], ...], Length(1)]
Zoom = Annotated[float, Range(1, 8)]
AnchorSides = Annotated[tuple[Annotated[int, Range(1, 4000)], ...], Length(1)]

COCO_CHANNELS = 256
"""Width of torchvision's R50-FPN heads: its COCO weights fit no other."""


@dataclass(frozen=True)
class SegmenterSettings(CheckedSettings):
    """Settings of one segmenter: its network, its training and how it serves."""

    # The network
    backbone: Backbone = "mobilenet_v2"
    """``small`` is a narrow ResNet of our own, quick on one CPU core."""
    start: Start = "imagenet"
    """Where weights come from, when they can be had: see `fittingroom.segmentation.start`."""
    norm: Norm = "frozen"
    """Batch norm of the backbone: ``frozen`` (folded into the convolutions; for pretrained weights) or ``trained``."""
    frozen_levels: Annotated[int, Range(0, 4)] = 1
    """Levels of the backbone that keep their pretrained weights: 1 is all up to stride 4, 0 trains all."""
    small_channels: Annotated[int, Range(8, 128)] = 32
    """Channels at stride 4 of the ``small`` backbone, doubled at each further stage."""
    fpn_channels: Annotated[int, Range(16, 512)] = 128
    """Channels of the feature pyramid."""
    box_features: Annotated[int, Range(32, 2048)] = 512
    """Width of the box head."""
    mask_channels: Annotated[int, Range(8, 512)] = 128
    """Channels of the mask head."""
    mask_convolutions: Annotated[int, Range(1, 8)] = 4
    """3 x 3 convolutions of the mask head before the extra ones; torchvision has 4."""
    extra_mask_convolutions: Annotated[int, Range(0, 8)] = 3
    """Further ones at its end, the recipe's 3."""
    mask_pool_size: Annotated[int, Range(7, 56)] = 14
    """Cells a side of what the mask head sees of a garment; its masks are twice that."""
    class_agnostic: bool = True
    """One box refinement and one mask for any category instead of one each: learns faster from few photos."""
    parts_head: bool = False
    """Learn what each pixel is (skin, hair, bag, shoes, accessories, garment or other) where the data set has part
    maps, and let skin and hair win over garments when serving: a semantic head (Kirillov et al., CVPR 2019) at stride
    4, see `fittingroom.segmentation.parts`. Without part maps a training turns this off."""
    parts_channels: Annotated[int, Range(8, 256)] = 64
    """Channels of that head."""
    anchor_sizes: tuple[AnchorSides, ...] = (
        (48, 72),
        (110, 160),
        (220, 300),
    )
    """Side lengths of anchors in pixels, one tuple for each level of the pyramid the proposals come from."""
    anchor_ratios: Annotated[tuple[Annotated[float, Range(0.05, 20)], ...], Length(1)] = (0.5, 1.0, 2.0)
    """Heights over widths of anchors."""
    proposals_from_level: Annotated[int, Range(0, 2)] = 1
    """The finest level that makes proposals: 0 is stride 4. Garments are large: 1 saves much time."""
    box_levels: Levels = (1,)
    """Levels of the pyramid the box head looks at, neighbours in rising order; one alone is quickest."""
    mask_levels: Levels = (0,)
    """The same for the mask head: finer levels give finer outlines."""
    roi_canonical_scale: Annotated[int, Range(16, 448)] = 112
    """Boxes of this side length (pixels) take their features from stride 16, half of it from stride 8."""

    # What it looks at
    short_side: Annotated[int, Range(64, 1600)] = 320
    """Photos are resized to this short side, in pixels."""
    long_side: Annotated[int, Range(64, 3200)] = 640
    """... but to no more than this long side, which is no shorter."""
    proposals: Annotated[int, Range(10, 2000)] = 300
    """Proposals kept for each photo after suppression."""
    proposal_samples: Annotated[int, Range(16, 512)] = 128
    """Anchors for each photo the proposal loss looks at."""
    box_samples: Annotated[int, Range(8, 512)] = 64
    """Boxes for each photo the box loss looks at, a quarter of them garments."""

    # Training
    epochs: Annotated[int, Range(1, 10_000)] = 30
    """Passes over the training photos."""
    max_minutes: Annotated[float, Range(0, 10_000)] = 0.0
    """Stop in time: the learning rate ends its way early when training would take longer. 0 is no limit; with a limit
    a repeated training gives other weights, as its length depends on the machine."""
    batch_size: Annotated[int, Range(1, 64)] = 4
    """Photos in a step."""
    optimizer: Optimizer = "adamw"
    """AdamW, or stochastic gradient descent with momentum."""
    learning_rate: Annotated[float, Range(0, 1, above=True)] = 3e-4
    """The highest, after warm-up; it falls along a cosine to a hundredth."""
    momentum: Annotated[float, Range(0, 0.999)] = 0.9
    """Of ``sgd``; beta 1 of ``adamw``."""
    weight_decay: Share = 1e-4
    """Of the optimizer."""
    warmup_steps: Annotated[int, Range(0, 10_000)] = 50
    """Steps over which the rate grows from near 0."""
    gradient_clip: Annotated[float, Range(0, 1_000_000, above=True)] = 5.0
    """Largest norm of the gradient."""
    average_decay: Annotated[float, Range(0, 0.99999)] = 0.99
    """Decay of the moving average of the weights, which is validated and served; 0 turns it off."""
    precision: Precision = "auto"
    """``auto`` takes bfloat16 where the hardware multiplies it fast."""
    seed: Seed = 0
    """Of all that is drawn."""
    flip: bool = True
    """Mirror half of the photos."""
    scale_jitter: Annotated[float, Range(0, 0.6)] = 0.25
    """Photos are scaled by a factor drawn between 1 minus this and 1 plus this."""
    colour_jitter: Annotated[float, Range(0, 0.8)] = 0.25
    """Strength of changes to brightness, contrast, saturation and, a little, hue."""
    light_jitter: Annotated[float, Range(0, 0.8)] = 0.0
    """Strength of changes to the exponent of brightness and to the colour of the light."""
    close_up_share: Share = 0.0
    """Share of photos seen as close-ups, cut out around a garment: at the waist, at the shoulder, at the border; the
    others are seen whole."""
    close_up_zoom: tuple[Zoom, Zoom] = (1.2, 3.0)
    """How many times close-ups are enlarged, from and to; they are cut from the photo at its full size."""
    paste_share: Share = 0.0
    """Share of photos over whose garments arms, legs and hair of another photo are pasted (Ghiasi et al., CVPR 2021);
    needs part maps."""
    wall_share: Share = 0.0
    """Share of photos whose background becomes a plain wall; needs part maps."""
    blur: Annotated[float, Range(0, 5)] = 0.0
    """Most blur of the half of the photos that are degraded, the others keep what they have: a standard deviation in
    pixels."""
    noise: Annotated[float, Range(0, 50)] = 0.0
    """Most noise of them: a standard deviation in grey levels."""
    jpeg: Annotated[int, Range(5, 100)] = 100
    """Lowest JPEG quality they go through; 100 is none."""
    parts_weight: Annotated[float, Range(0, 10)] = 1.0
    """Weight of the parts head's loss next to the others."""
    validate_every: Annotated[int, Range(1, 10_000)] = 1
    """Epochs between validations; the best by mask AP is what is kept."""
    patience: Annotated[int, Range(0, 1000)] = 0
    """Validations without improvement before training stops early; 0 is never."""
    checkpoint_seconds: Annotated[float, Range(0, 1_000_000_000)] = 60.0
    """Seconds between checkpoints inside an epoch (0: every step). Each epoch's end makes one too."""
    cache_megabytes: Annotated[int, Range(0, 1_000_000)] = 1500
    """Memory for decoded photos, which spares decoding them in each epoch."""
    workers: Annotated[int, Range(0, 64)] = 0
    """Processes that prepare batches ahead; 0 prepares them in the training process."""

    # Serving
    score_threshold: Share = 0.5
    """Garments of lower score are not reported."""
    overlap_threshold: Share = 0.5
    """Of two masks that overlap more than this (IoU), whatever their categories, the better stays."""
    box_margin: Annotated[float, Range(0, 0.5)] = 0.06
    """Boxes grow by this share of their size before their masks are drawn: a box a little too small cuts a sleeve off,
    one a little too large costs nothing."""
    refine_masks: bool = True
    """Draw masks again along the photo's edges (see `fittingroom.segmentation.refine`)."""
    max_garments: Annotated[int, Range(1, 100)] = 12
    """The most garments reported for one photo."""

    def check_together(self) -> None:
        """Rules between fields."""
        if self.long_side < self.short_side:
            raise SettingError("long_side", self.long_side, f"at least short_side, {self.short_side}")
        if self.close_up_zoom[0] > self.close_up_zoom[1]:
            raise SettingError("close_up_zoom", self.close_up_zoom, "two numbers in rising order")
        resnet50 = self.backbone == "resnet50"
        count = (5 if resnet50 else 4) - self.proposals_from_level
        if len(self.anchor_sizes) != count or len({len(level) for level in self.anchor_sizes}) != 1:
            raise SettingError(
                "anchor_sizes", self.anchor_sizes, f"{count} lists of the same length, one for each level"
            )
        for name in ("box_levels", "mask_levels"):
            levels = getattr(self, name)
            if levels != tuple(range(levels[0], levels[-1] + 1)):
                raise SettingError(name, levels, "neighbours in rising order out of 0, 1, 2, 3")
        if resnet50:
            whole = (0, 1, 2, 3)
            self.require(
                "with backbone resnet50, as torchvision's COCO weights have it",
                class_agnostic=False, fpn_channels=COCO_CHANNELS, mask_channels=COCO_CHANNELS,
                box_levels=whole, mask_levels=whole,
            )  # fmt: skip
        elif self.start == "coco":
            raise SettingError("start", self.start, "imagenet or scratch: only resnet50 has COCO weights")
        if self.backbone == "small":
            self.require("with backbone small: nobody publishes weights for it", start="scratch")
        if self.start == "scratch":
            self.require("where weights start from scratch", norm="trained", frozen_levels=0)


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
