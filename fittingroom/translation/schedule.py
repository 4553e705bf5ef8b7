"""When and how fast: the learning rate of an epoch, and the steps that have an identity loss."""

from __future__ import annotations


def learning_rate(first_rate: float, decay: float, epoch: int) -> float:
    """Inverse-time decay: ``first_rate / (1 + decay * epoch)``, epochs counted from 0."""
    return first_rate / (1.0 + decay * epoch)


def has_identity_loss(step: int, every: int) -> bool:
    """Whether ``step`` (counted from 1) applies the identity loss: once in ``every`` steps, never when 0.

    An identity loss in every step holds the input's colour and pattern, which is what a style has to change.
    """
    return every > 0 and step % every == 0
