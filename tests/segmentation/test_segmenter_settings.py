"""Every setting refuses what it cannot use, by name; presets are what the recipe says."""

from __future__ import annotations

from typing import Any

import pytest

from fittingroom.errors import SettingError
from fittingroom.segmentation.settings import PRESETS, SegmenterSettings, preset


def test_standard_is_the_recipe() -> None:
    standard = preset("standard")
    assert (standard.backbone, standard.start) == ("resnet50", "coco")
    assert (standard.mask_convolutions, standard.extra_mask_convolutions) == (4, 3)
    assert (standard.epochs, standard.score_threshold) == (30, 0.98)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"epochs": 0}, "epochs"),
        ({"epochs": True}, "epochs"),
        ({"batch_size": 65}, "batch_size"),
        ({"score_threshold": 1.5}, "score_threshold"),
        ({"learning_rate": 0.0}, "learning_rate"),
        ({"learning_rate": float("nan")}, "learning_rate"),
        ({"backbone": "vgg"}, "backbone"),
        ({"precision": "fp8"}, "precision"),
        ({"short_side": 700, "long_side": 640}, "long_side"),
        ({"anchor_sizes": ((32,), (64,))}, "anchor_sizes"),
        ({"anchor_sizes": ((32,), (64, 96), (128,))}, "anchor_sizes"),
        ({"anchor_ratios": ()}, "anchor_ratios"),
        ({"mask_levels": (0, 2)}, "mask_levels"),
        ({"box_levels": (3, 4)}, "box_levels"),
        ({"start": "coco"}, "start"),
        ({"backbone": "small"}, "start"),
        ({"start": "scratch"}, "norm"),
        ({"start": "scratch", "norm": "trained"}, "frozen_levels"),
    ],
)
def test_a_wrong_value_is_refused_by_name(changes: dict[str, Any], field: str) -> None:
    with pytest.raises(SettingError) as caught:
        SegmenterSettings(**changes)
    assert caught.value.field == field


def test_resnet50_keeps_the_width_of_coco_weights() -> None:
    with pytest.raises(SettingError, match=r"mask_channels.*256"):
        preset("standard").with_overrides({"mask_channels": 128})


def test_overrides_take_text_as_typed() -> None:
    changed = preset("cpu").with_overrides({"epochs": "3", "learning_rate": "1e-3", "flip": "no"})
    assert (changed.epochs, changed.learning_rate, changed.flip) == (3, 1e-3, False)


@pytest.mark.parametrize(
    ("name", "value"), [("epochs", "3.5"), ("epochs", "many"), ("flip", "maybe"), ("anchor_sizes", "32"), ("epoch", 3)]
)
def test_overrides_refuse_what_they_cannot_read(name: str, value: Any) -> None:
    with pytest.raises(SettingError) as caught:
        preset("cpu").with_overrides({name: value})
    assert caught.value.field == name


@pytest.mark.parametrize("name", sorted(PRESETS))
def test_settings_survive_json(name: str) -> None:
    import json

    assert SegmenterSettings.from_json(json.loads(json.dumps(PRESETS[name].to_json()))) == PRESETS[name]


def test_an_unknown_preset_lists_the_known() -> None:
    with pytest.raises(SettingError, match="demo, cpu"):
        preset("huge")
