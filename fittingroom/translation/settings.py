"""Every number of the style translator's recipe, named, documented and checked.

The field defaults are the bare recipe: CycleGAN (Zhu et al. 2017, arXiv:1703.10593) with Smooth L1 losses, a slow
inverse-time decay of the rate and a rare identity loss. What later work added is off here and on in the other presets.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Annotated, Any, Literal

from fittingroom.errors import SettingError
from fittingroom.fields import CheckedSettings, Range, Seed, Share, Side

Skip = Literal["none", "image", "recolour", "palette"]
Surround = Literal["white", "grey", "green"]
Border = Literal["reflect", "zeros"]
DiscriminatorNorm = Literal["instance", "spectral", "none"]
Beta = Annotated[float, Range(0, 1, below=True)]


@dataclass(frozen=True)
class StyleSettings(CheckedSettings):
    """One training of one style. Sizes are in pixels, rates per optimizer step, weights without unit."""

    # --- networks
    image_size: Side = 256
    """Side of the square pictures trained on and served."""
    filters: Annotated[int, Range(2, 256)] = 64
    """Channels of the generators' first layer; the bottleneck has four times as many."""
    blocks: Annotated[int, Range(0, 32)] = 9
    """Residual blocks of the generators."""
    reverse_filters: Annotated[int, Range(2, 256)] | None = None
    """Channels of generator_b_to_a, which only training needs; None: as ``filters``."""
    reverse_blocks: Annotated[int, Range(0, 32)] | None = None
    """Blocks of generator_b_to_a; None: as ``blocks``."""
    outer_kernel: Literal[1, 3, 5, 7, 9, 11, 13, 15] = 7
    """Kernel side of the generators' first and last layer."""
    border: Border = "reflect"
    """How the generators' convolutions go on beyond the picture; zeros are cheaper, and as good where the norm is
    masked, which has zeros around the garment anyway."""
    discriminator_filters: Annotated[int, Range(2, 256)] = 64
    """Channels of the discriminators' first layer."""
    discriminator_layers: Annotated[int, Range(1, 5)] = 3
    """Strided layers of the PatchGAN; 3 judges patches of 70 x 70 pixels."""
    discriminator_norm: DiscriminatorNorm = "instance"
    """Norm inside the discriminators. Instance norm forgets the mean colour of a patch filled by the garment; spectral
    (Miyato et al. 2018, arXiv:1802.05957) does not."""
    mask_channel: bool = False
    """Give the generators the garment mask as a fourth input channel: else white on white is background to them."""
    masked_norm: bool = False
    """Take the generators' norm statistics from the garment only, and keep features zero outside it."""
    coordinates: bool = False
    """Give the generators sines and cosines of the position, so that a regular pattern has something to hold on to."""
    coordinate_periods: tuple[Annotated[float, Range(2, 1024)], ...] = (14.0, 18.0, 24.0, 32.0, 48.0)
    """Periods of those waves, in pixels of the picture."""
    resize_convolution: bool = False
    """Upsample by nearest neighbour and convolution instead of a transposed convolution (Odena et al. 2016): no
    checkerboard."""
    skip: Skip = "none"
    """What the generator's output is added to: nothing ("none"), the input picture ("image"), or the mean colour of the
    domain it paints, under the input's own light and shadow ("recolour"). With "palette" it only chooses among the
    colours of that domain, and how much of the input's light and shadow they keep: no other colour can come out."""
    one_hue: bool = False
    """Under skip="palette", the colours of a plain style are one dye in more or less light: its garments differ in dye,
    but each of them has one."""
    random_dyes: bool = False
    """Under skip="palette", each step shows the style's pictures in other dyes and paints in the same: what is learnt
    is the pattern alone, for any colours. The style's own are then those of its most typical picture."""
    given_repeat: bool = False
    """Give the generator that serves the phase of the wanted repeat at each pixel, in place of fixed position waves:
    how fine a pattern is and which way it runs are then chosen when it is painted."""
    surround: Surround = "white"
    """What the generators see around the garment; white on white is lost to one that is not told the mask otherwise."""
    composite: bool = False
    """Put the output over the input by the mask, inside the network, so that nothing outside can change."""

    # --- losses
    cycle_weight: Annotated[float, Range(0, 1000)] = 10.0
    """Weight of the cycle loss."""
    cycle_chroma: Share = 1.0
    """Share of the cycle loss that colour counts for. A style has one colour and its sources have many, so at 1 the
    generators must hide the lost colour in the picture; near 0 only lightness has to come back."""
    identity_weight: Annotated[float, Range(0, 1000)] = 5.0
    """Weight of the identity loss in the steps that have one."""
    identity_every: Annotated[int, Range(0, 1_000_000)] = 20
    """The identity loss is applied once in so many steps, so that colour and pattern come through; 0: never."""
    redyed_identity: bool = False
    """With ``random_dyes``, the identity loss shows generator_a_to_b the style's pictures in yet other dyes, plain or
    with the figures of another one (of a plain style, with prints drawn at random): what is to come back is the cloth,
    and what goes is what it wore before."""
    smooth_l1_beta: Annotated[float, Range(1e-6, 10)] = 1.0
    """Where Smooth L1 turns from square to linear."""
    masked_losses: bool = False
    """Average losses over the garment only: the white surround costs and teaches nothing."""
    luminance_weight: Annotated[float, Range(0, 1000)] = 0.0
    """Weight of the structure loss, which keeps folds and shadows: blurred, relative lightness of input and output."""
    luminance_blur: Annotated[int, Range(1, 128)] = 16
    """Side of the box blur in the structure loss: patterns finer than this are free to change."""

    luminance_fine: Annotated[float, Range(0, 1000)] = 0.0
    """Weight of the same loss at `luminance_fine_blur`, for plain styles only: they have no pattern of their own that
    fine folds could hide in."""
    luminance_fine_blur: Annotated[int, Range(1, 128)] = 4
    """Side of its box blur."""
    luminance_patterns: bool = True
    """Whether the structure losses keep the source's pattern with its folds. False: what differs in chromaticity from
    the cloth around it, or in lightness more than a fold does, is dye, not light, and need not stay."""

    # --- data
    crop_size: Side | None = None
    """Train on square crops of this side, mostly on the garment; None: the whole picture. The networks are fully
    convolutional and serve whole pictures either way."""
    crop_cover: Share = 0.7
    """A crop holds at least this share of the most garment a crop of this picture can hold."""
    augment_discriminators: bool = False
    """Shift and flip what the discriminators see, reals and fakes alike (Zhao et al. 2020, arXiv:2006.10738): for
    small sets."""
    max_pictures: Annotated[int, Range(2, 1_000_000)] = 4000
    """At most so many pictures of each domain, chosen by digest; all are decoded once and kept in memory."""
    min_pictures: Annotated[int, Range(1, 1_000_000)] = 4
    """Fewer pictures than this in either domain are refused."""
    min_cover: Share = 0.1
    """A garment must cover at least this share of its picture: slivers teach noise."""
    min_solidity: Share = 0.5
    """A garment must fill at least this share of its convex hull: torn masks teach noise."""
    target_spread: Annotated[float, Range(0, 200)] = 0.0
    """Target pictures whose colour is further than this (CIEDE2000) from the most typical one are left out: a style
    that mixes red and pink would come out pink. 0: all are taken."""
    held_out: Annotated[int, Range(0, 1000)] = 16
    """Source pictures kept from training, for the figures (at most a tenth of the source)."""

    # --- training
    epochs: Annotated[int, Range(1, 100_000)] = 50
    """Passes."""
    steps_per_epoch: Annotated[int, Range(1, 10_000_000)] | None = None
    """Steps of one pass; None: as many as show every picture of the larger domain once."""
    batch_size: Annotated[int, Range(1, 256)] = 1
    """Pictures of each domain a step (and process)."""
    pool_size: Annotated[int, Range(0, 10_000)] = 50
    """Past fakes shown to each discriminator (Shrivastava et al. 2017, arXiv:1612.07828)."""
    learning_rate: Annotated[float, Range(1e-8, 1)] = 2e-4
    """Adam's first rate, generators."""
    discriminator_learning_rate: Annotated[float, Range(1e-8, 1)] | None = None
    """Adam's first rate, discriminators; None: as the generators'."""
    pattern_learning_rate: Annotated[float, Range(1e-8, 1)] | None = None
    """Adam's first rate of what chooses among a palette's slots by a given repeat (``given_repeat``): a few hundred
    numbers that learn steep edges; None: ten times the generators'."""
    adam_betas: tuple[Beta, Beta] = (0.5, 0.999)
    """Adam's decay rates of the moments."""
    rate_decay: Annotated[float, Range(0, 100)] = 0.009
    """Inverse-time decay: in epoch e (from 0) the rate is ``learning_rate / (1 + rate_decay * e)``."""
    ema_decay: Beta = 0.0
    """Decay of the moving average of generator_a_to_b that is served in its stead; 0: none."""
    precision: Literal["auto", "no", "bf16"] = "auto"
    """"no" is float32; "auto" takes bf16 where the hardware has it."""
    channels_last: bool = False
    """Memory order NHWC."""
    seed: Seed = 0
    """Every random choice follows from this."""
    checkpoint_steps: Annotated[int, Range(1, 10_000_000)] = 500
    """Steps between checkpoints."""
    sample_steps: Annotated[int, Range(1, 10_000_000)] = 500
    """Steps between before/after sheets."""
    report_steps: Annotated[int, Range(1, 1_000_000)] = 20
    """Steps between progress reports; the only moments at which the host waits for the device."""

    def check_together(self) -> None:
        """Crops are no larger than pictures, and dyes are those of a palette."""
        if self.random_dyes and self.skip != "palette":
            raise SettingError("random_dyes", self.random_dyes, f"false, or skip=palette (it is {self.skip})")
        for name in ("given_repeat", "redyed_identity"):
            if getattr(self, name) and not self.random_dyes:
                raise SettingError(name, True, "false, or random_dyes=true")
        if self.crop_size is not None and self.crop_size > self.image_size:
            raise SettingError("crop_size", self.crop_size, f"at most image_size ({self.image_size})")


REPEATING = ("striped", "checked", "dotted")
"""Patterns that have a repeat."""


def for_any_colour(settings: StyleSettings, pattern: str) -> StyleSettings:
    """The settings of a training of which the pattern alone is wanted, out of pictures of any colours; as they are
    where nothing chooses among colours (``skip`` other than palette)."""
    if settings.skip != "palette":
        return settings
    settings = replace(settings, random_dyes=True, target_spread=0.0)
    if pattern not in REPEATING:
        return settings
    return replace(settings, given_repeat=True, redyed_identity=True, identity_every=1, identity_weight=30.0)


_GENERATOR = (
    "image_size", "filters", "blocks", "outer_kernel", "border", "mask_channel", "masked_norm", "coordinates",
    "coordinate_periods", "resize_convolution", "skip", "composite", "given_repeat",
)  # fmt: skip

_ADDED: dict[str, Any] = {"given_repeat": False}
"""Settings that earlier versions' weights do not name, and what theirs are."""


def same_generator(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether weights of ``generator_a_to_b`` made under settings ``one`` fit, and mean the same, under ``other``; both
    as `StyleSettings.to_json` writes them.
    """
    one, other = _ADDED | dict(one), _ADDED | dict(other)
    return all(name in one and one[name] == other.get(name) for name in _GENERATOR)


_KNOWING_THE_MASK = StyleSettings(
    mask_channel=True,
    masked_norm=True,
    resize_convolution=True,
    skip="palette",
    one_hue=True,
    composite=True,
    masked_losses=True,
    target_spread=12.0,
)
_SMALL = replace(
    _KNOWING_THE_MASK,
    filters=16,
    blocks=4,
    reverse_filters=12,
    reverse_blocks=2,
    outer_kernel=5,
    border="zeros",
    discriminator_filters=24,
    discriminator_norm="spectral",
    coordinates=True,
    cycle_weight=0.5,
    cycle_chroma=0.1,
    luminance_weight=4.0,
    luminance_fine=2.0,
    luminance_blur=32,
    crop_cover=0.5,
    crop_size=96,
    batch_size=2,
    learning_rate=5e-4,
    adam_betas=(0.5, 0.99),
    rate_decay=0.4,
    ema_decay=0.995,
    channels_last=True,
    steps_per_epoch=100,
    epochs=5,
    checkpoint_steps=100,
    sample_steps=250,
    report_steps=10,
)

PRESETS: dict[str, StyleSettings] = {
    "recipe": StyleSettings(),
    "standard": replace(_KNOWING_THE_MASK, ema_decay=0.999, luminance_weight=2.0, luminance_fine=1.0),
    "cpu": replace(
        _SMALL,
        filters=24,
        blocks=5,
        reverse_filters=16,
        reverse_blocks=3,
        discriminator_filters=32,
        crop_size=128,
        rate_decay=0.15,
        ema_decay=0.998,
        epochs=20,
        checkpoint_steps=200,
        sample_steps=500,
    ),
    # Rendered prints are chromatic and their garments few: leaving them out of the structure shows at once.
    "demo": replace(_SMALL, luminance_patterns=False),
}


def preset(name: str) -> StyleSettings:
    """The settings of a preset: ``recipe`` (the bare recipe), ``standard`` (the recipe that knows the mask and paints
    in the style's own colours), ``cpu`` (about ten minutes on two cores) or ``demo`` (about two minutes on one).

    Raises:
        SettingError: unknown name.
    """
    if name not in PRESETS:
        raise SettingError("preset", name, "one of " + ", ".join(PRESETS))
    return PRESETS[name]
