"""One training step of CycleGAN: the four networks, their optimizers and pools, and what a step does with them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import torch
from torch import Tensor, nn

from fittingroom.training.averaging import moving_average
from fittingroom.translation.dataset import Batch
from fittingroom.translation.image_pool import ImagePool
from fittingroom.translation.losses import adversarial_loss, cycle_loss, smooth_l1, structure_loss
from fittingroom.translation.networks import Generator, build_discriminator, build_generator
from fittingroom.translation.settings import StyleSettings

if TYPE_CHECKING:
    from accelerate import Accelerator

_Seen = tuple[Tensor, Tensor]
"""A picture, with its waves where it has any, and its mask as a discriminator sees them."""
LOSS_NAMES = ("generators", "adversarial", "cycle", "identity", "structure", "discriminator_a", "discriminator_b")


class CycleGan:
    """generator_a_to_b and generator_b_to_a, discriminator_a and discriminator_b, and all that learns with them.

    One forward pass of the generators serves both updates: the discriminators are shown the fakes that the generators
    were just judged by. Nothing in `step` waits for the device.

    Args:
        settings: the recipe.
        accelerator: where and how exactly to compute.
        plain: whether the style has no pattern (see ``luminance_fine``).
    """

    def __init__(self, settings: StyleSettings, accelerator: Accelerator, plain: bool = False) -> None:
        self.settings, self.accelerator, self.plain = settings, accelerator, plain
        layout = torch.channels_last if settings.channels_last else torch.contiguous_format
        self.generator_a_to_b = build_generator(settings).to(memory_format=layout)
        self.generator_b_to_a = build_generator(settings, "b_to_a").to(memory_format=layout)
        self.discriminator_a = build_discriminator(settings).to(memory_format=layout)
        self.discriminator_b = build_discriminator(settings, "b").to(memory_format=layout)
        seed = settings.seed + 2 * accelerator.process_index
        self.pool_a = ImagePool(settings.pool_size, seed)
        self.pool_b = ImagePool(settings.pool_size, seed + 1)
        self._prepare()

    def _prepare(self) -> None:
        """Hand everything to Accelerate: devices, precision, processes, checkpoints."""
        settings, accelerator = self.settings, self.accelerator
        self.generators = nn.ModuleList([self.generator_a_to_b, self.generator_b_to_a])
        self.discriminators = nn.ModuleList([self.discriminator_a, self.discriminator_b])
        fused = accelerator.device.type in ("cpu", "cuda")
        adam: dict[str, Any] = {"betas": settings.adam_betas, "fused": fused}
        # Networks are prepared before the optimizers see their parameters: moving them may replace these.
        self._generator_a_to_b = accelerator.prepare(self.generator_a_to_b)
        self._generator_b_to_a = accelerator.prepare(self.generator_b_to_a)
        self._discriminator_a = accelerator.prepare(self.discriminator_a)
        self._discriminator_b = accelerator.prepare(self.discriminator_b)
        deciding = list(self.generator_a_to_b.deciding())
        others = [each for each in self.generators.parameters() if not any(each is other for other in deciding)]
        groups = [{"params": each} for each in (others, deciding) if each]
        self.optimizer_g = accelerator.prepare(torch.optim.Adam(groups, **adam))
        self.optimizer_d = accelerator.prepare(torch.optim.Adam(self.discriminators.parameters(), **adam))
        self.set_rates(1.0)
        self.average = moving_average(self.generator_a_to_b, settings.ema_decay, lambda n: n / (n + 10))
        accelerator.register_for_checkpointing(self.average)

    @property
    def of_process(self) -> dict[str, ImagePool]:
        """What is each process's own, for checkpoints."""
        return {"pool_a": self.pool_a, "pool_b": self.pool_b}

    @property
    def served(self) -> Generator:
        """The generator that is served: the moving average of generator_a_to_b."""
        return cast(Generator, self.average.module)

    def step(self, a: Batch, b: Batch, number: int, with_identity: bool) -> Tensor:
        """Update all networks once with unpaired batches of both domains.

        Args:
            a, b: batches of the domains.
            number: the step, counted from 1.
            with_identity: whether this step has an identity loss.

        Returns:
            The losses named by `LOSS_NAMES`, on the device, detached.
        """
        # One autocast region for all passes of an update: the networks' weights are cast once, not once a pass.
        with self.accelerator.autocast():
            losses, seen_fake_a, seen_fake_b = self._generators_losses(a, b, number, with_identity)
        self.optimizer_g.zero_grad()
        self.accelerator.backward(losses[0])
        self.optimizer_g.step()

        real_a = self._augmented(a.image, a.mask, -number)
        real_b = self._augmented(_with_waves(b.image, b.waves), b.mask, -number)
        with self.accelerator.autocast():
            loss_a = self._discriminator_loss(
                self._discriminator_a, real_a, self.pool_a.query(torch.cat(seen_fake_a, 1))
            )
            loss_b = self._discriminator_loss(
                self._discriminator_b, real_b, self.pool_b.query(torch.cat(seen_fake_b, 1))
            )
        self.optimizer_d.zero_grad()
        self.accelerator.backward(loss_a + loss_b)
        self.optimizer_d.step()
        self.average.update_parameters(self.generator_a_to_b)
        return torch.stack([*losses, loss_a, loss_b]).detach()

    def _generators_losses(
        self, a: Batch, b: Batch, number: int, with_identity: bool
    ) -> tuple[list[Tensor], _Seen, _Seen]:
        """What the generators are to be judged by, total first, and the fakes as the discriminators see them."""
        settings, beta = self.settings, self.settings.smooth_l1_beta
        mask_a, mask_b = (a.mask, b.mask) if settings.masked_losses else (None, None)
        fake_b = self._generator_a_to_b(a.image, a.mask, a.origin, b.palette, a.waves)
        fake_a = self._generator_b_to_a(b.image, b.mask, b.origin)
        reconstructed_a = self._generator_b_to_a(fake_b, a.mask, a.origin)
        reconstructed_b = self._generator_a_to_b(fake_a, b.mask, b.origin, b.palette, b.waves)
        seen_fake_a = self._augmented(fake_a, b.mask, number)
        seen_fake_b = self._augmented(_with_waves(fake_b, a.waves), a.mask, number)
        with frozen(self.discriminators):  # the bare modules: no gradient exchange for a network that does not learn
            adversarial = self._judged(self.discriminator_b, seen_fake_b)
            adversarial = adversarial + self._judged(self.discriminator_a, seen_fake_a)
        cycle = cycle_loss(reconstructed_a, a.image, beta, settings.cycle_chroma, mask_a)
        cycle = cycle + cycle_loss(reconstructed_b, b.image, beta, settings.cycle_chroma, mask_b)
        total = adversarial + settings.cycle_weight * cycle
        identity = structure = torch.zeros_like(total)
        fine = settings.luminance_fine if self.plain else 0.0
        for weight, blur in (
            (settings.luminance_weight, settings.luminance_blur),
            (fine, settings.luminance_fine_blur),
        ):
            if weight:
                structure = structure + weight * structure_loss(
                    fake_b, a.image, blur, a.mask, settings.luminance_patterns
                )
        total = total + structure
        if with_identity:
            worn_b = b.image if b.redyed is None else b.redyed
            same_b = self._generator_a_to_b(worn_b, b.mask, b.origin, b.palette, b.waves)
            identity = smooth_l1(same_b, b.image, beta, mask_b)
            identity = identity + smooth_l1(self._generator_b_to_a(a.image, a.mask, a.origin), a.image, beta, mask_a)
            total = total + settings.identity_weight * identity
        return [total, adversarial, cycle, identity, structure], seen_fake_a, seen_fake_b

    def _judged(self, discriminator: nn.Module, seen: _Seen) -> Tensor:
        """The generator's adversarial loss: how far its picture is from being taken for real."""
        image, mask = seen
        weight = mask if self.settings.masked_losses else None
        return adversarial_loss(discriminator(image), True, self.settings.smooth_l1_beta, weight)

    def _discriminator_loss(self, discriminator: nn.Module, real: _Seen, pooled: Tensor) -> Tensor:
        """The discriminator's loss over reals and fakes; ``pooled`` are pictures with their masks, the last channel."""
        fake, fake_mask = pooled[:, :-1], pooled[:, -1:]
        image, mask = real
        scores_real, scores_fake = discriminator(torch.cat([image, fake])).chunk(2)
        beta, masked = self.settings.smooth_l1_beta, self.settings.masked_losses
        return 0.5 * (
            adversarial_loss(scores_real, True, beta, mask if masked else None)
            + adversarial_loss(scores_fake, False, beta, fake_mask if masked else None)
        )

    def _augmented(self, image: Tensor, mask: Tensor, number: int) -> _Seen:
        """What a discriminator sees: by setting, shifted by up to an eighth and perhaps flipped, differentiably."""
        if not self.settings.augment_discriminators:
            return image, mask
        chance = np.random.default_rng([self.settings.seed, abs(number), int(number > 0)])
        reach = image.shape[-1] // 8
        shift = tuple(int(v) for v in chance.integers(-reach, reach + 1, 2))
        flip = chance.random() < 0.5
        image, mask = image.roll(shift, (2, 3)), mask.roll(shift, (2, 3))
        return (image.flip(3), mask.flip(3)) if flip else (image, mask)

    def set_rates(self, scale: float) -> None:
        """Set both optimizers to ``scale`` times their first rates."""
        settings = self.settings
        generators, pattern = settings.learning_rate, settings.pattern_learning_rate
        first = (generators, 10 * generators if pattern is None else pattern)
        for group, rate in zip(self.optimizer_g.param_groups, first, strict=False):  # no second without a repeat
            group["lr"] = scale * rate
        self.optimizer_d.param_groups[0]["lr"] = scale * (settings.discriminator_learning_rate or generators)


def _with_waves(image: Tensor, waves: Tensor | None) -> Tensor:
    return image if waves is None else torch.cat([image, waves], 1)


@contextmanager
def frozen(module: nn.Module) -> Iterator[None]:
    """Without gradients for ``module``'s own parameters; gradients through it still flow."""
    module.requires_grad_(False)
    try:
        yield
    finally:
        module.requires_grad_(True)


def learning_rate(first_rate: float, decay: float, epoch: int) -> float:
    """Inverse-time decay: ``first_rate / (1 + decay * epoch)``, epochs counted from 0."""
    return first_rate / (1.0 + decay * epoch)


def has_identity_loss(step: int, every: int) -> bool:
    """Whether ``step`` (counted from 1) applies the identity loss: once in ``every`` steps, never when 0.

    An identity loss in every step holds the input's colour and pattern, which is what a style has to change.
    """
    return every > 0 and step % every == 0
