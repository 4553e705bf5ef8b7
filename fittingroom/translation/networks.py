"""The ResNet generator and the PatchGAN discriminator of CycleGAN (Zhu et al. 2017, arXiv:1703.10593, appendix 7.2).

Pictures are float (N, 3, H, W) in -1..1; masks float (N, 1, H, W), 1 on the garment. Height and width are multiples
of 4. With the recipe's settings the networks are the paper's, and the mask is not looked at.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, Literal, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from fittingroom.translation.settings import Border, DiscriminatorNorm, Skip, StyleSettings, Surround
from fittingroom.translation.shading import bent_shading, coarse_part, mean_shading

EPSILON = 1e-5
KEPT_AT_FIRST = 2.0
"""First value of the kept share, before the sigmoid: nearly all."""
WAVES = 4
"""Channels of a repeat's phase: cosine and sine along its two vectors, 0 for a second that it has not."""
DECIDED = 2.0
"""Factor of a pattern's choice before the softmax at first: an edge of stripes is steep, and few pixels are in between.
A larger one is sure before it has learnt anything, and then learns slowly."""
PALETTE = 8
"""Colours a domain is painted with under skip="palette"."""
SURROUNDS: dict[Surround, tuple[float, float, float]] = {
    "white": (1.0, 1.0, 1.0),
    "grey": (0.0, 0.0, 0.0),
    "green": (-1.0, 1.0, -1.0),
}
"""Colours in -1..1. Green is a film studio's: hardly a garment has it."""


class GarmentNorm(nn.Module):
    """Instance norm (Ulyanov et al. 2016, arXiv:1607.08022) whose statistics come from the garment alone.

    Features outside the mask become zero, so the surround has no say at all. Without a mask it is plain instance norm.
    """

    def forward(self, features: Tensor, mask: Tensor | None) -> Tensor:
        if mask is None:
            return F.instance_norm(features, eps=EPSILON)
        return cast(Tensor, _MaskedNorm.apply(features, mask.to(features.dtype)))


class _MaskedNorm(torch.autograd.Function):
    """y = m (x - mean) / deviation, with mean and variance weighted by the mask m.

    Called after every convolution; written by hand because autograd keeps and passes over three times as many
    full-size temporaries.
    """

    @staticmethod
    def forward(ctx: Any, features: Tensor, mask: Tensor) -> Tensor:
        exact = torch.promote_types(features.dtype, torch.float32)
        count = mask.sum((2, 3), keepdim=True, dtype=exact).clamp_min(1.0)
        inside = features * mask
        mean = inside.sum((2, 3), keepdim=True, dtype=exact) / count
        square = inside.mul_(features).sum((2, 3), keepdim=True, dtype=exact) / count
        scale = torch.rsqrt((square - mean.square()).clamp_min(0.0) + EPSILON)
        shift, factor = (-mean * scale).to(features.dtype), scale.to(features.dtype)
        normed = torch.addcmul(shift, features, factor).mul_(mask)
        ctx.save_for_backward(normed, mask, scale, count)
        return normed

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        normed, mask, scale, count = ctx.saved_tensors
        per_pixel, exact = -scale / count, scale.dtype
        along = (gradient * normed).sum((2, 3), keepdim=True, dtype=exact) * per_pixel
        gradient = gradient * mask
        common = gradient.sum((2, 3), keepdim=True, dtype=exact) * per_pixel
        gradient.mul_(scale.to(gradient.dtype))
        gradient.addcmul_(normed, along.to(gradient.dtype)).addcmul_(mask, common.to(gradient.dtype))
        return gradient, None


class ResidualBlock(nn.Module):
    """Two 3 x 3 convolutions with reflected borders (by default), added to their input; no activation after the sum."""

    def __init__(self, channels: int, border: Border = "reflect") -> None:
        super().__init__()
        self.first = nn.Conv2d(channels, channels, 3, padding=1, padding_mode=border)
        self.second = nn.Conv2d(channels, channels, 3, padding=1, padding_mode=border)
        self.norm = GarmentNorm()

    def forward(self, features: Tensor, mask: Tensor | None) -> Tensor:
        inner = F.relu(self.norm(self.first(features), mask))
        added: Tensor = self.norm(self.second(inner), mask)
        return features + added


class Upsample(nn.Module):
    """Twice the size: a strided transposed convolution, or nearest neighbour and a plain one (no checkerboard)."""

    def __init__(self, channels: int, out_channels: int, resize: bool) -> None:
        super().__init__()
        self.resize = resize
        self.convolution: nn.Module = (
            nn.Conv2d(channels, out_channels, 3, padding=1)
            if resize
            else nn.ConvTranspose2d(channels, out_channels, 3, stride=2, padding=1, output_padding=1)
        )

    def forward(self, features: Tensor) -> Tensor:
        if self.resize:
            features = F.interpolate(features, scale_factor=2, mode="nearest")
        out: Tensor = self.convolution(features)
        return out


class Generator(nn.Module):
    """c7s1-f, d2f, d4f, residual blocks, u2f, uf, c7s1-3 with tanh; and, by setting, knowledge of the mask.

    Args:
        filters, blocks, outer_kernel, mask_channel, masked_norm, resize, composite, border, surround: see
            `StyleSettings`.
        periods: periods in pixels of the position waves; empty for none.
        skip: see `StyleSettings.skip`; "recolour" adds the output to ``domain_colour``, a buffer that
            `set_domain_colour` fills, and multiplies by the input's shading: the network paints cloth and the light
            stays. A fourth output channel says how much of the shading's fine part is kept: all of it on a plain
            garment, none where it is the old pattern. "palette" mixes the colours of ``palette``, a buffer that
            `set_palette` fills, and two channels say how much of the shading's fine and coarse part is kept.
    """

    domain_colour: Tensor
    palette: Tensor
    repeat: Tensor
    turns: Tensor

    def __init__(
        self,
        filters: int = 64,
        blocks: int = 9,
        *,
        outer_kernel: int = 7,
        mask_channel: bool = False,
        masked_norm: bool = False,
        periods: tuple[float, ...] = (),
        resize: bool = False,
        skip: Skip = "none",
        composite: bool = False,
        border: Border = "reflect",
        surround: Surround = "white",
        given_repeat: bool = False,
    ) -> None:
        super().__init__()
        self.mask_channel, self.masked_norm, self.periods = mask_channel, masked_norm, periods
        self.skip: Skip = skip
        self.composite = composite
        self.surround: Surround = surround
        self.given_repeat = given_repeat
        channels = 3 + int(mask_channel)
        around = outer_kernel // 2
        self.enter = nn.Conv2d(channels, filters, outer_kernel, padding=around, padding_mode=border)
        self.position = nn.Conv2d(4 * len(periods), filters, 1, bias=False) if periods else None
        turns = torch.tensor([2 * math.pi / period for period in periods])
        self.register_buffer("turns", turns, persistent=False)
        self.down_1 = nn.Conv2d(filters, 2 * filters, 3, stride=2, padding=1)
        self.down_2 = nn.Conv2d(2 * filters, 4 * filters, 3, stride=2, padding=1)
        self.blocks = nn.ModuleList(ResidualBlock(4 * filters, border) for _ in range(blocks))
        self.up_1 = Upsample(4 * filters, 2 * filters, resize)
        self.up_2 = Upsample(2 * filters, filters, resize)
        painted = {"recolour": 3 + 1, "palette": PALETTE + 2}.get(skip, 3)
        # The waves decide, at each pixel by itself: convolutions would sooner make up stripes of their own.
        self.pattern = (
            nn.Sequential(nn.Conv2d(filters + WAVES, 32, 1), nn.ReLU(), nn.Conv2d(32, PALETTE, 1))
            if given_repeat
            else None
        )
        self.leave = nn.Conv2d(filters, painted, outer_kernel, padding=around, padding_mode=border)
        self.norm = GarmentNorm()
        if skip == "recolour":
            self.register_buffer("domain_colour", torch.full((3,), 0.5))
        if skip == "palette":
            self.register_buffer("palette", torch.full((PALETTE, 3), 0.5))
        if given_repeat:
            self.register_buffer("repeat", torch.zeros(2, 2))
        _initialise(self)
        if self.pattern is not None:
            for part in self.pattern.parameters():
                nn.init.normal_(part, 0.0, 0.3)
        if skip != "none":  # start as the skip alone
            nn.init.zeros_(self.leave.weight)
        if skip in ("recolour", "palette") and self.leave.bias is not None:
            nn.init.constant_(self.leave.bias[PALETTE if skip == "palette" else 3 :], KEPT_AT_FIRST)

    def deciding(self) -> Iterator[nn.Parameter]:
        """What learns to choose slots by a given repeat; nothing without one."""
        return iter(()) if self.pattern is None else self.pattern.parameters()

    def set_domain_colour(self, colour: Tensor) -> None:
        """Fill in the mean colour (3 values, 0..1) of the domain this generator paints."""
        if self.skip == "recolour":
            self.domain_colour.copy_(colour)

    def set_palette(self, colours: Tensor) -> None:
        """Fill in the colours (`PALETTE`, 3), 0..1, of the domain this generator paints."""
        if self.skip == "palette":
            self.palette.copy_(colours)

    def set_repeat(self, vectors: Tensor) -> None:
        """Fill in the style's own repeat (1 or 2, 2): see `fittingroom.appearance.repeat.Repeat`."""
        if self.given_repeat:
            self.repeat.zero_()[: len(vectors)] = vectors

    def forward(
        self,
        image: Tensor,
        mask: Tensor,
        origin: Tensor | None = None,
        palette: Tensor | None = None,
        waves: Tensor | None = None,
    ) -> Tensor:
        """Translate ``image``.

        Args:
            image: (N, 3, H, W) in -1..1.
            mask: (N, 1, H, W), 1 on the garment.
            origin: (N, 2), the x and y of a crop's first pixel in its picture; None: 0, 0.
            palette: (`PALETTE`, 3), 0..1, in place of its own for this call; only skip="palette" looks at it.
            waves: (N, `WAVES`, H, W), the phase of the repeat to paint; only with ``given_repeat``, which needs them.
        """
        painted = self._painted(image, mask, origin, waves)
        if self.skip == "none":
            out = torch.tanh(painted)
        elif self.skip == "image":
            out = _soft_clip(image + painted)
        elif self.skip == "recolour":
            cloth = self.domain_colour.view(1, 3, 1, 1) + 0.5 * painted[:, :3]
            out = _soft_clip(2.0 * cloth * mean_shading(image, mask, torch.sigmoid(painted[:, 3:])) - 1.0)
        else:
            choice, shading = _chosen(image, mask, painted)
            with torch.autocast(image.device.type, enabled=False):
                colours = self.palette if palette is None else palette
                cloth = torch.einsum("nphw,pc->nchw", choice.softmax(1), colours)
            out = _soft_clip(2.0 * cloth * shading - 1.0)
        return torch.lerp(image, out, mask) if self.composite else out

    def choose(self, image: Tensor, mask: Tensor, waves: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """What `forward` mixes under skip="palette": how strongly each slot is chosen, (N, `PALETTE`, H, W) before the
        softmax, and the light and shadow that the cloth is multiplied by, (N, 1, H, W)."""
        return _chosen(image, mask, self._painted(image, mask, None, waves))

    def _painted(self, image: Tensor, mask: Tensor, origin: Tensor | None, waves: Tensor | None) -> Tensor:
        """The last layer's output."""
        full = mask if self.masked_norm else None
        half = F.avg_pool2d(mask, 2) if self.masked_norm else None
        quarter = F.avg_pool2d(mask, 4) if self.masked_norm else None
        given = image if self.surround == "white" else _on(image, mask, SURROUNDS[self.surround])
        features = self.enter(torch.cat([given, mask], 1) if self.mask_channel else given)
        if self.position is not None:
            features = features + self.position(_waves(image, origin, self.turns))
        features = F.relu(self.norm(features, full))
        features = F.relu(self.norm(self.down_1(features), half))
        features = F.relu(self.norm(self.down_2(features), quarter))
        for block in self.blocks:
            features = block(features, quarter)
        features = F.relu(self.norm(self.up_1(features), half))
        features = F.relu(self.norm(self.up_2(features), full))
        painted: Tensor = self.leave(features)
        if self.pattern is not None:
            assert waves is not None
            choice = DECIDED * self.pattern(torch.cat([coarse_part(features, mask), waves], 1))
            painted = torch.cat([choice, painted[:, PALETTE:]], 1)
        return painted.float()


def _chosen(image: Tensor, mask: Tensor, painted: Tensor) -> tuple[Tensor, Tensor]:
    kept = torch.sigmoid(painted[:, PALETTE:])
    return painted[:, :PALETTE], bent_shading(image, mask, kept[:, :1], kept[:, 1:])


def _on(image: Tensor, mask: Tensor, colour: tuple[float, float, float]) -> Tensor:
    """``image`` with ``colour`` outside the mask."""
    return torch.lerp(image.new_tensor(colour).view(1, 3, 1, 1).expand_as(image), image, mask)


def _soft_clip(values: Tensor) -> Tensor:
    """The identity in -0.9..0.9, bending towards -1 and 1 beyond: unlike a clamp it never stops the gradient."""
    bend = 0.9
    beyond = values.abs() - bend
    bent = values.sign() * (bend + (1 - bend) * torch.tanh(beyond.clamp_min(0) / (1 - bend)))
    return torch.where(beyond > 0, bent, values)


def _waves(image: Tensor, origin: Tensor | None, turns: Tensor) -> Tensor:
    """Sines and cosines of x and y, (N, 4 P, H, W); ``turns`` (P,) are the waves' radians a pixel."""
    count, _, height, width = image.shape
    if origin is None:
        origin = image.new_zeros(count, 2)
    waves = []
    for axis, length in ((0, width), (1, height)):
        place = origin[:, axis].float()[:, None] + torch.arange(length, device=image.device)  # (N, L)
        angle = place[:, None, :] * turns[None, :, None]  # (N, P, L)
        both = torch.cat([angle.sin(), angle.cos()], 1)
        both = both[:, :, None, :] if axis == 0 else both[:, :, :, None]
        waves.append(both.expand(count, 2 * len(turns), height, width))
    return torch.cat(waves, 1).to(image.dtype)


class Discriminator(nn.Module):
    """PatchGAN (Isola et al. 2017, arXiv:1611.07004): one score per overlapping patch, (N, 1, h, w), no sigmoid.

    With ``given_repeat`` it judges a picture with the phase of its repeat, (N, 3 + `WAVES`, H, W): a pattern elsewhere
    than it was asked for is no real one (conditional, as in Isola et al.).
    """

    def __init__(
        self, filters: int = 64, layers: int = 3, norm: DiscriminatorNorm = "instance", given_repeat: bool = False
    ) -> None:
        super().__init__()

        def convolution(channels: int, out_channels: int, stride: int) -> nn.Module:
            layer = nn.Conv2d(channels, out_channels, 4, stride=stride, padding=1)
            nn.init.normal_(layer.weight, 0.0, 0.02)
            nn.init.zeros_(layer.bias)  # type: ignore[arg-type]
            if norm == "spectral":
                nn.init.orthogonal_(layer.weight)
                return spectral_norm(layer)
            if norm == "none":
                nn.init.kaiming_normal_(layer.weight, 0.2)
            return layer

        entering = 3 + WAVES if given_repeat else 3
        parts: list[nn.Module] = [convolution(entering, filters, 2), nn.LeakyReLU(0.2)]
        channels = filters
        for layer in range(1, layers + 1):
            out_channels = filters * min(2**layer, 8)
            parts.append(convolution(channels, out_channels, 2 if layer < layers else 1))
            if norm == "instance":
                parts.append(nn.InstanceNorm2d(out_channels))
            parts.append(nn.LeakyReLU(0.2))
            channels = out_channels
        parts.append(convolution(channels, 1, 1))
        self.parts = nn.Sequential(*parts)

    def forward(self, image: Tensor) -> Tensor:
        scores: Tensor = self.parts(image)
        return scores.float()


def _initialise(module: nn.Module) -> None:
    """Normal weights of deviation 0.02 and zero biases, as in the paper."""
    for part in module.modules():
        if isinstance(part, nn.Conv2d | nn.ConvTranspose2d):
            nn.init.normal_(part.weight, 0.0, 0.02)
            if part.bias is not None:
                nn.init.zeros_(part.bias)


def build_generator(settings: StyleSettings, direction: Literal["a_to_b", "b_to_a"] = "a_to_b") -> Generator:
    """The generator of these settings. ``generator_a_to_b`` is served; the other one only trains."""
    filters, blocks = settings.filters, settings.blocks
    if direction == "b_to_a":
        filters = settings.reverse_filters or filters
        blocks = blocks if settings.reverse_blocks is None else settings.reverse_blocks
    return Generator(
        filters,
        blocks,
        outer_kernel=settings.outer_kernel,
        mask_channel=settings.mask_channel,
        masked_norm=settings.masked_norm,
        periods=settings.coordinate_periods if settings.coordinates and not settings.given_repeat else (),
        resize=settings.resize_convolution,
        skip=settings.skip,
        composite=settings.composite,
        border=settings.border,
        surround=settings.surround,
        given_repeat=settings.given_repeat and direction == "a_to_b",
    )


def build_discriminator(settings: StyleSettings, domain: Literal["a", "b"] = "a") -> Discriminator:
    """The discriminator of these settings for one domain."""
    return Discriminator(
        settings.discriminator_filters,
        settings.discriminator_layers,
        settings.discriminator_norm,
        settings.given_repeat and domain == "b",
    )
