"""Settings: the recipe's numbers, refusals that name the field, round trips."""

from __future__ import annotations

import json
from typing import Any

import pytest

from fittingroom.errors import SettingError
from fittingroom.translation.settings import PRESETS, StyleSettings, preset


def test_the_recipe_has_the_papers_numbers() -> None:
    recipe = preset("recipe")
    assert (recipe.filters, recipe.blocks, recipe.discriminator_filters, recipe.discriminator_layers) == (64, 9, 64, 3)
    assert (recipe.image_size, recipe.epochs, recipe.batch_size, recipe.pool_size) == (256, 50, 1, 50)
    assert (recipe.learning_rate, recipe.adam_betas, recipe.cycle_weight) == (2e-4, (0.5, 0.999), 10.0)
    assert (recipe.rate_decay, recipe.identity_every) == (0.009, 20)
    assert recipe.discriminator_norm == "instance"
    later_work = ("mask_channel", "masked_norm", "coordinates", "resize_convolution", "composite", "masked_losses")
    assert not any(getattr(recipe, name) for name in later_work)
    assert (recipe.skip, recipe.luminance_weight, recipe.ema_decay, recipe.crop_size) == ("none", 0.0, 0.0, None)


def test_standard_is_the_recipe_with_what_won_in_the_ablations() -> None:
    recipe, standard = preset("recipe"), preset("standard")
    for name in ("filters", "blocks", "epochs", "batch_size", "learning_rate", "cycle_weight", "identity_every"):
        assert getattr(standard, name) == getattr(recipe, name)
    won = ("mask_channel", "masked_norm", "composite", "masked_losses", "resize_convolution", "one_hue")
    assert all(getattr(standard, name) for name in won)
    assert standard.skip == "palette"
    assert standard.luminance_weight > 0
    assert not standard.augment_discriminators, "no effect that was measured"


@pytest.mark.parametrize("name", list(PRESETS))
def test_presets_survive_json(name: str) -> None:
    settings = preset(name)
    assert StyleSettings.from_json(json.loads(json.dumps(settings.to_json()))) == settings


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("filters", 0),
        ("filters", 64.0),
        ("filters", True),
        ("image_size", 250),
        ("outer_kernel", 4),
        ("learning_rate", 0),
        ("learning_rate", "fast"),
        ("learning_rate", float("nan")),
        ("adam_betas", (0.5, 1.0)),
        ("adam_betas", (0.5,)),
        ("skip", "everything"),
        ("composite", 1),
        ("precision", "fp16"),
        ("crop_size", 300),
        ("ema_decay", 1.0),
        ("epochs", 0),
        ("coordinate_periods", (1.0,)),
        ("no_such_setting", 1),
    ],
)
def test_a_wrong_value_is_refused_by_name(field: str, value: Any) -> None:
    with pytest.raises(SettingError) as caught:
        StyleSettings().with_overrides(**{field: value})
    assert caught.value.field == field
    assert caught.value.value is value
    assert field in str(caught.value)


def test_an_unknown_preset_is_refused() -> None:
    with pytest.raises(SettingError, match="demo"):
        preset("fast")
