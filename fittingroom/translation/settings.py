"""Every number of the style translator's recipe, named, documented and checked.

The field defaults are the bare recipe: CycleGAN (Zhu et al. 2017, arXiv:1703.10593) with Smooth L1 losses, a slow
inverse-time decay of the rate and a rare identity loss. What later work added is off here and on in the other presets.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from fittingroom.errors import SettingError, UnknownSetting

Skip = Literal["none", "image", "recolour", "palette"]
Surround = Literal["white", "grey", "green"]
Border = Literal["reflect", "zeros"]
DiscriminatorNorm = Literal["instance", "spectral", "none"]


@dataclass(frozen=True)
class StyleSettings:
    """One training of one style. Sizes are in pixels, rates per optimizer step, weights without unit."""

    # --- networks
    image_size: int = 256
    """Side of the square pictures trained on and served."""
    filters: int = 64
    """Channels of the generators' first layer; the bottleneck has four times as many."""
    blocks: int = 9
    """Residual blocks of the generators."""
    reverse_filters: int | None = None
    """Channels of generator_b_to_a, which only training needs; None: as ``filters``."""
    reverse_blocks: int | None = None
    """Blocks of generator_b_to_a; None: as ``blocks``."""
    outer_kernel: int = 7
    """Kernel side of the generators' first and last layer (odd)."""
    border: Border = "reflect"
    """How the generators' convolutions go on beyond the picture; zeros are cheaper, and as good where the norm is
    masked, which has zeros around the garment anyway."""
    discriminator_filters: int = 64
    """Channels of the discriminators' first layer."""
    discriminator_layers: int = 3
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
    coordinate_periods: tuple[float, ...] = (14.0, 18.0, 24.0, 32.0, 48.0)
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
    surround: Surround = "white"
    """What the generators see around the garment; white on white is lost to one that is not told the mask otherwise."""
    composite: bool = False
    """Put the output over the input by the mask, inside the network, so that nothing outside can change."""

    # --- losses
    cycle_weight: float = 10.0
    """Weight of the cycle loss."""
    cycle_chroma: float = 1.0
    """Share of the cycle loss that colour counts for. A style has one colour and its sources have many, so at 1 the
    generators must hide the lost colour in the picture; near 0 only lightness has to come back."""
    identity_weight: float = 5.0
    """Weight of the identity loss in the steps that have one."""
    identity_every: int = 20
    """The identity loss is applied once in so many steps, so that colour and pattern come through; 0: never."""
    smooth_l1_beta: float = 1.0
    """Where Smooth L1 turns from square to linear."""
    masked_losses: bool = False
    """Average losses over the garment only: the white surround costs and teaches nothing."""
    luminance_weight: float = 0.0
    """Weight of the structure loss, which keeps folds and shadows: blurred, relative lightness of input and output."""
    luminance_blur: int = 16
    """Side of the box blur in the structure loss: patterns finer than this are free to change."""

    luminance_fine: float = 0.0
    """Weight of the same loss at `luminance_fine_blur`, for plain styles only: they have no pattern of their own that
    fine folds could hide in."""
    luminance_fine_blur: int = 4
    """Side of its box blur."""
    luminance_patterns: bool = True
    """Whether the structure losses of a plain style keep the source's pattern with its folds. False: what differs in
    chromaticity from the cloth around it is dye, not light, and need not stay."""

    # --- data
    crop_size: int | None = None
    """Train on square crops of this side, mostly on the garment; None: the whole picture. The networks are fully
    convolutional and serve whole pictures either way."""
    crop_cover: float = 0.7
    """A crop holds at least this share of the most garment a crop of this picture can hold."""
    augment_discriminators: bool = False
    """Shift and flip what the discriminators see, reals and fakes alike (Zhao et al. 2020, arXiv:2006.10738): for
    small sets."""
    max_pictures: int = 4000
    """At most so many pictures of each domain, chosen by digest; all are decoded once and kept in memory."""
    min_pictures: int = 4
    """Fewer pictures than this in either domain are refused."""
    min_cover: float = 0.1
    """A garment must cover at least this share of its picture: slivers teach noise."""
    min_solidity: float = 0.5
    """A garment must fill at least this share of its convex hull: torn masks teach noise."""
    target_spread: float = 0.0
    """Target pictures whose colour is further than this (CIEDE2000) from the most typical one are left out: a style
    that mixes red and pink would come out pink. 0: all are taken."""
    held_out: int = 16
    """Source pictures kept from training, for the figures (at most a tenth of the source)."""

    # --- training
    epochs: int = 50
    """Passes."""
    steps_per_epoch: int | None = None
    """Steps of one pass; None: as many as show every picture of the larger domain once."""
    batch_size: int = 1
    """Pictures of each domain a step (and process)."""
    pool_size: int = 50
    """Past fakes shown to each discriminator (Shrivastava et al. 2017, arXiv:1612.07828)."""
    learning_rate: float = 2e-4
    """Adam's first rate, generators."""
    discriminator_learning_rate: float | None = None
    """Adam's first rate, discriminators; None: as the generators'."""
    adam_betas: tuple[float, float] = (0.5, 0.999)
    """Adam's decay rates of the moments."""
    rate_decay: float = 0.009
    """Inverse-time decay: in epoch e (from 0) the rate is ``learning_rate / (1 + rate_decay * e)``."""
    ema_decay: float = 0.0
    """Decay of the moving average of generator_a_to_b that is served in its stead; 0: none."""
    precision: Literal["auto", "no", "bf16"] = "auto"
    """"no" is float32; "auto" takes bf16 where the hardware has it."""
    channels_last: bool = False
    """Memory order NHWC."""
    seed: int = 0
    """Every random choice follows from this."""
    checkpoint_steps: int = 500
    """Steps between checkpoints."""
    sample_steps: int = 500
    """Steps between before/after sheets."""
    report_steps: int = 20
    """Steps between progress reports; the only moments at which the host waits for the device."""

    def __post_init__(self) -> None:
        for name, (accepts, allowed) in _RULES.items():
            value = getattr(self, name)
            if not accepts(value):
                raise SettingError(name, value, allowed)
        if self.crop_size is not None and self.crop_size > self.image_size:
            raise SettingError("crop_size", self.crop_size, f"at most image_size ({self.image_size})")

    def with_overrides(self, **values: Any) -> StyleSettings:
        """A copy with some settings changed.

        Raises:
            SettingError: an unknown name or a value outside what is allowed.
        """
        known = [f.name for f in dataclasses.fields(self)]
        for name in values:
            if name not in known:
                raise UnknownSetting(name, values[name], known)
        return dataclasses.replace(self, **{name: _tupled(value) for name, value in values.items()})

    def to_json(self) -> dict[str, Any]:
        """A JSON value that `from_json` reads back."""
        return {
            name: list(value) if isinstance(value, tuple) else value for name, value in dataclasses.asdict(self).items()
        }

    @staticmethod
    def from_json(values: Mapping[str, Any]) -> StyleSettings:
        """The settings written by `to_json`; missing ones take the recipe's value.

        Raises:
            SettingError: an unknown name or a value outside what is allowed.
        """
        return StyleSettings().with_overrides(**values)


_GENERATOR = (
    "image_size",
    "filters",
    "blocks",
    "outer_kernel",
    "border",
    "mask_channel",
    "masked_norm",
    "coordinates",
    "coordinate_periods",
    "resize_convolution",
    "skip",
    "composite",
)


def same_generator(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether weights of ``generator_a_to_b`` made under settings ``one`` fit, and mean the same, under ``other``; both
    as `StyleSettings.to_json` writes them.
    """
    return all(name in one and one[name] == other.get(name) for name in _GENERATOR)


def _tupled(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


@dataclass(frozen=True)
class _Number:
    """Accepts numbers of one type in a range."""

    kind: type
    low: float
    high: float
    optional: bool = False
    also: Callable[[Any], bool] = field(default=lambda _: True)

    def __call__(self, value: Any) -> bool:
        if value is None:
            return self.optional
        if isinstance(value, bool) or not isinstance(value, (int, float) if self.kind is float else int):
            return False
        return bool(self.low <= value <= self.high) and self.also(value)


def _whole(low: int, high: int, optional: bool = False) -> tuple[Callable[[Any], bool], str]:
    words = f"a whole number from {low} to {high}" + (" or none" if optional else "")
    return _Number(int, low, high, optional), words


def _real(low: float, high: float, optional: bool = False) -> tuple[Callable[[Any], bool], str]:
    return _Number(float, low, high, optional), f"a number from {low:g} to {high:g}" + (" or none" if optional else "")


def _one_of(*names: str) -> tuple[Callable[[Any], bool], str]:
    return (lambda value: value in names), "one of " + ", ".join(names)


def _is_flag(value: Any) -> bool:
    return isinstance(value, bool)


def _are_periods(value: Any) -> bool:
    return isinstance(value, tuple) and all(isinstance(p, int | float) and 2 <= p <= 1024 for p in value)


def _are_betas(value: Any) -> bool:
    return (
        isinstance(value, tuple) and len(value) == 2 and all(isinstance(b, int | float) and 0 <= b < 1 for b in value)
    )


_Rule = tuple[Callable[[Any], bool], str]
_FLAG: _Rule = (_is_flag, "true or false")
_RULES: dict[str, _Rule] = {
    "image_size": (_Number(int, 32, 1024, also=lambda v: v % 4 == 0), "a multiple of 4 from 32 to 1024"),
    "filters": _whole(2, 256),
    "blocks": _whole(0, 32),
    "reverse_filters": _whole(2, 256, optional=True),
    "reverse_blocks": _whole(0, 32, optional=True),
    "outer_kernel": (_Number(int, 1, 15, also=lambda v: v % 2 == 1), "an odd number from 1 to 15"),
    "discriminator_filters": _whole(2, 256),
    "discriminator_layers": _whole(1, 5),
    "discriminator_norm": _one_of(*get_args(DiscriminatorNorm)),
    "border": _one_of(*get_args(Border)),
    "skip": _one_of(*get_args(Skip)),
    "surround": _one_of(*get_args(Surround)),
    "coordinate_periods": (_are_periods, "a list of periods from 2 to 1024 pixels"),
    "cycle_weight": _real(0, 1000),
    "cycle_chroma": _real(0, 1),
    "identity_weight": _real(0, 1000),
    "identity_every": _whole(0, 1_000_000),
    "smooth_l1_beta": _real(1e-6, 10),
    "luminance_weight": _real(0, 1000),
    "luminance_blur": _whole(1, 128),
    "luminance_fine": _real(0, 1000),
    "luminance_fine_blur": _whole(1, 128),
    "crop_size": (
        _Number(int, 32, 1024, optional=True, also=lambda v: v % 4 == 0),
        "a multiple of 4 from 32 to 1024, or none",
    ),
    "crop_cover": _real(0, 1),
    "max_pictures": _whole(2, 1_000_000),
    "min_pictures": _whole(1, 1_000_000),
    "min_cover": _real(0, 1),
    "min_solidity": _real(0, 1),
    "target_spread": _real(0, 200),
    "held_out": _whole(0, 1000),
    "epochs": _whole(1, 100_000),
    "steps_per_epoch": _whole(1, 10_000_000, optional=True),
    "batch_size": _whole(1, 256),
    "pool_size": _whole(0, 10_000),
    "learning_rate": _real(1e-8, 1),
    "discriminator_learning_rate": _real(1e-8, 1, optional=True),
    "adam_betas": (_are_betas, "two numbers from 0 to less than 1"),
    "rate_decay": _real(0, 100),
    "ema_decay": (_Number(float, 0, 1, also=lambda v: v < 1), "a number from 0 to less than 1"),
    "precision": _one_of("auto", "no", "bf16"),
    "seed": _whole(0, 2**31 - 1),
    "checkpoint_steps": _whole(1, 10_000_000),
    "sample_steps": _whole(1, 10_000_000),
    "report_steps": _whole(1, 1_000_000),
    "mask_channel": _FLAG,
    "masked_norm": _FLAG,
    "coordinates": _FLAG,
    "resize_convolution": _FLAG,
    "composite": _FLAG,
    "masked_losses": _FLAG,
    "one_hue": _FLAG,
    "luminance_patterns": _FLAG,
    "augment_discriminators": _FLAG,
    "channels_last": _FLAG,
}

_KNOWING_THE_MASK: dict[str, Any] = {
    "mask_channel": True,
    "masked_norm": True,
    "composite": True,
    "masked_losses": True,
}

_TIGHT: dict[str, Any] = {"target_spread": 12.0}

_OWN_COLOURS: dict[str, Any] = {"skip": "palette", "one_hue": True}

_SMALL: dict[str, Any] = (
    _KNOWING_THE_MASK
    | _TIGHT
    | _OWN_COLOURS
    | {
        "filters": 16,
        "blocks": 4,
        "reverse_filters": 12,
        "reverse_blocks": 2,
        "outer_kernel": 5,
        "border": "zeros",
        "discriminator_filters": 24,
        "discriminator_norm": "spectral",
        "resize_convolution": True,
        "coordinates": True,
        "cycle_weight": 0.5,
        "cycle_chroma": 0.1,
        "luminance_weight": 4.0,
        "luminance_fine": 2.0,
        "luminance_blur": 32,
        "crop_cover": 0.5,
        "crop_size": 96,
        "batch_size": 2,
        "learning_rate": 5e-4,
        "adam_betas": (0.5, 0.99),
        "rate_decay": 0.4,
        "ema_decay": 0.995,
        "channels_last": True,
        "steps_per_epoch": 100,
        "epochs": 5,
        "checkpoint_steps": 100,
        "sample_steps": 250,
        "report_steps": 10,
    }
)

PRESETS: dict[str, dict[str, Any]] = {
    "recipe": {},
    "standard": _KNOWING_THE_MASK
    | _TIGHT
    | _OWN_COLOURS
    | {"resize_convolution": True, "ema_decay": 0.999, "luminance_weight": 2.0, "luminance_fine": 1.0},
    "cpu": _SMALL
    | {
        "filters": 24,
        "blocks": 5,
        "reverse_filters": 16,
        "reverse_blocks": 3,
        "discriminator_filters": 32,
        "crop_size": 128,
        "rate_decay": 0.15,
        "ema_decay": 0.998,
        "epochs": 20,
        "checkpoint_steps": 200,
        "sample_steps": 500,
    },
    # Rendered prints are chromatic and their garments few: leaving them out of the structure shows at once.
    "demo": _SMALL | {"luminance_patterns": False},
}


def preset(name: str) -> StyleSettings:
    """The settings of a preset: ``recipe`` (the bare recipe), ``standard`` (the recipe that knows the mask and paints
    in the style's own colours), ``cpu`` (about ten minutes on two cores) or ``demo`` (about two minutes on one).

    Raises:
        SettingError: unknown name.
    """
    if name not in PRESETS:
        raise SettingError("preset", name, "one of " + ", ".join(PRESETS))
    return StyleSettings(**PRESETS[name])
