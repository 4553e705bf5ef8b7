"""The figures of a style: each can tell a good translation from a bad one."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from fittingroom.errors import InputError
from fittingroom.images import read_rgb
from fittingroom.translation.evaluate import (
    QUANTILES,
    StyleTarget,
    colour_curve,
    cycle_error,
    evaluate_translator,
    luminance_ssim,
    measure,
)
from fittingroom.translation.predict import Translator
from fittingroom.translation.settings import preset
from fittingroom.translation.sheets import before_after
from tests.translation.style_builders import REDS, garment, write_garments

SIZE = 64


def striped(first: tuple[int, int, int], second: tuple[int, int, int], period: int = 8) -> np.ndarray:
    rows = (np.arange(SIZE) % period < period / 2)[:, None, None]
    picture = np.where(rows, np.array(first, np.uint8), np.array(second, np.uint8))
    return np.broadcast_to(picture, (SIZE, SIZE, 3)).copy()


@pytest.fixture
def whole() -> np.ndarray:
    mask = np.zeros((SIZE, SIZE), bool)
    mask[4:60, 4:60] = True
    return mask


def test_the_colour_curve_goes_from_dark_to_light_in_equal_shares(whole: np.ndarray) -> None:
    curve = colour_curve(striped((20, 30, 80), (240, 240, 240)), whole)
    assert curve is not None
    assert curve.shape == (QUANTILES, 3)
    assert (np.diff(curve[:, 0]) >= -1e-9).all()
    assert curve[: QUANTILES // 2, 0].max() < 25
    assert curve[QUANTILES // 2 :, 0].min() > 90
    assert colour_curve(striped((0, 0, 0), (9, 9, 9)), np.zeros((SIZE, SIZE), bool)) is None


def test_colour_is_compared_as_a_distribution_not_as_a_mean(whole: np.ndarray) -> None:
    navy_and_white = colour_curve(striped((20, 30, 80), (240, 240, 240)), whole)
    assert navy_and_white is not None
    target = StyleTarget(navy_and_white)
    same = measure(striped((1, 1, 1), (9, 9, 9)), whole, striped((20, 30, 80), (240, 240, 240), 16), target)
    flat = np.full((SIZE, SIZE, 3), (130, 135, 160), np.uint8)  # the mean of both
    assert same["ciede2000"] < 4
    assert measure(striped((1, 1, 1), (9, 9, 9)), whole, flat, target)["ciede2000"] > 25


def test_structure_survives_another_colour_but_not_a_flat_fill() -> None:
    image, mask = garment(3, (120, 120, 120))
    darker = np.where(mask[..., None], (image * 0.5).astype(np.uint8), image)
    flat = image.copy()
    flat[mask] = 120
    assert luminance_ssim(image, image, mask) == pytest.approx(1.0)
    assert luminance_ssim(image, darker, mask) > 0.95
    assert luminance_ssim(image, flat, mask) < 0.9
    stripes = np.where(
        (np.arange(SIZE) % 4 < 2)[:, None, None] & mask[..., None], (image * 0.7).astype(np.uint8), image
    )
    assert luminance_ssim(image, stripes, mask) < 0.75
    assert luminance_ssim(image, stripes, mask, blur=8 / SIZE) > 0.95


def test_leak_is_the_share_of_change_outside_the_mask(whole: np.ndarray) -> None:
    image = np.full((SIZE, SIZE, 3), 200, np.uint8)
    output = image.copy()
    output[whole] -= 30
    assert measure(image, whole, output, None)["leak"] == 0.0
    output[~whole] -= 30
    assert measure(image, whole, output, None)["leak"] == pytest.approx((~whole).mean())
    assert measure(image, whole, image, None)["leak"] == 0.0


def test_the_target_survives_json_and_comes_from_pictures(tmp_path: Path) -> None:
    paths = write_garments(tmp_path, 4, REDS)
    target = StyleTarget.of_pictures(paths, SIZE)
    lightness, a, _ = target.colours.mean(0)
    assert 25 < lightness < 50
    assert a > 40
    assert target.pattern == "solid"
    again = StyleTarget.from_json(json.loads(json.dumps(target.to_json())))
    np.testing.assert_allclose(again.colours, target.colours, atol=1e-3)
    assert again.pattern == "solid"
    with pytest.raises(InputError):
        StyleTarget.of_pictures([], SIZE)


def test_the_report_leaves_out_what_cannot_be_read_and_says_so(tmp_path: Path) -> None:
    from torch import device

    from fittingroom.translation.networks import build_generator

    settings = preset("demo").with_overrides(image_size=SIZE, crop_size=None, filters=4, blocks=1)
    translator = Translator(build_generator(settings), settings, device("cpu"))
    paths = write_garments(tmp_path / "in", 5, REDS)
    paths[2].write_bytes(b"no picture")
    target = StyleTarget.of_pictures(paths, SIZE)
    report = evaluate_translator(translator, paths, target, sheet=tmp_path / "sheet.png")
    assert report.metrics["pictures"] == 4
    assert len(report.rows) == 4
    assert any(paths[2].name in note for note in report.notes)
    assert {"ciede2000_median", "luminance_ssim", "fold_ssim", "leak", "pattern_recognised"} <= report.metrics.keys()
    assert read_rgb(tmp_path / "sheet.png").shape[0] > 2 * SIZE
    json.dumps(report.to_json(), allow_nan=False)
    with pytest.raises(InputError, match="at least one picture"):
        evaluate_translator(translator, [paths[2]], target)


def test_the_cycle_error_is_what_did_not_come_back_inside_the_mask(whole: np.ndarray) -> None:
    image = np.full((SIZE, SIZE, 3), 100, np.uint8)
    again = image.copy()
    again[~whole] = 0
    assert cycle_error(image, whole, again) == 0.0
    again[whole] += 51
    assert cycle_error(image, whole, again) == pytest.approx(0.2)


def test_the_report_has_the_cycle_error_where_the_way_back_is_known(tmp_path: Path) -> None:
    from torch import device

    from fittingroom.translation.networks import build_generator

    settings = preset("demo").with_overrides(image_size=SIZE, crop_size=None, filters=4, blocks=1)
    there = Translator(build_generator(settings), settings, device("cpu"))
    back = Translator(build_generator(settings, "b_to_a"), settings, device("cpu"))
    paths = write_garments(tmp_path / "in", 3, REDS)
    report = evaluate_translator(there, paths, None, reverse=back)
    assert report.metrics["cycle_error"] == pytest.approx(np.mean([row["cycle_error"] for row in report.rows]))
    assert 0 < report.metrics["cycle_error"] < 1
    assert "cycle_error" not in evaluate_translator(there, paths, None).metrics


def test_a_sheet_shows_each_output_below_its_input() -> None:
    black, white = np.zeros((8, 8, 3), np.uint8), np.full((8, 8, 3), 255, np.uint8)
    sheet = before_after([black] * 3, [white] * 3, [black], columns=2)
    assert sheet.shape == (5 * 14 + 6, 2 * 14 + 6, 3)
    assert (sheet[6:14, 6:14] == 0).all()
    assert (sheet[20:28, 6:14] == 255).all()
