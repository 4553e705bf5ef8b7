"""The describer on garments whose cloth is known."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from fittingroom.cutout import Refused, cut_out
from fittingroom.errors import NoGarmentFound
from fittingroom.images import read_rgb
from fittingroom.masks import from_polygons
from fittingroom.styles.describe import _main_colour, describe_garment
from fittingroom.styles.pattern_features import _correlation, pattern_features
from fittingroom.styles.patterns import PATTERN_NAMES, load_model

SHIRT = [90, 30, 170, 30, 245, 90, 215, 120, 190, 100, 190, 235, 70, 235, 70, 100, 40, 120, 10, 90]
MASK = from_polygons([SHIRT], 260, 256)
ROOT = Path(__file__).resolve().parents[2]
PHOTOS = ROOT.parent / "shared" / "data" / "garments" / "images"


def shirt(base, second=None, pattern="solid", period=22):
    """A shirt with folds, on white."""
    random = np.random.default_rng(3)
    y, x = np.mgrid[0:260, 0:256].astype(np.float32)
    if pattern == "striped":
        paint = (y / period) % 1 < 0.5
    elif pattern == "checked":
        paint = 0.5 * ((y / period) % 1 < 0.5) + 0.5 * ((x / period) % 1 < 0.5)
    elif pattern == "dotted":
        u = x + (np.floor(y / period) % 2) * period / 2
        paint = np.hypot(u % period - period / 2, y % period - period / 2) < 0.28 * period
    else:
        paint = np.zeros_like(x)
    paint = cv2.GaussianBlur(np.asarray(paint, np.float32), (0, 0), 0.6)[..., None]
    folds = cv2.GaussianBlur(random.normal(0, 1, (260, 256)).astype(np.float32), (0, 0), 16)
    light = (1 + 4 * folds + random.normal(0, 0.01, (260, 256)))[..., None]
    cloth = (np.array(base) * (1 - paint) + np.array(second or base) * paint) * light
    return np.where(MASK[..., None], np.clip(cloth, 0, 255), 255).astype(np.uint8)


@pytest.mark.parametrize(
    ("base", "colour"),
    [
        ((180, 30, 40), "red"),
        ((30, 40, 84), "blue"),
        ((232, 232, 228), "white"),
        ((30, 30, 32), "black"),
        ((31, 122, 69), "green"),
        ((239, 193, 47), "yellow"),
        ((128, 128, 130), "grey"),
    ],
)
def test_a_solid_shirt(base, colour):
    found = describe_garment(shirt(base), MASK)
    assert (found.colour, found.pattern) == (colour, "solid")
    assert sum(share for _, share in found.colours) == pytest.approx(1, abs=1e-3)


@pytest.mark.parametrize("pattern", ["striped", "checked", "dotted"])
@pytest.mark.parametrize(("base", "second"), [((29, 43, 83), (233, 232, 228)), ((239, 193, 47), (29, 43, 83))])
def test_a_patterned_shirt(pattern, base, second):
    assert describe_garment(shirt(base, second, pattern), MASK).pattern == pattern


def test_the_main_colour_of_a_patterned_shirt_is_not_a_mixture():
    found = describe_garment(shirt((239, 193, 47), (29, 43, 83), "dotted"), MASK)
    assert found.colour == "yellow"
    assert "blue" in dict(found.colours)
    assert found.lab[0] > 65
    assert found.lab[2] > 40


def test_the_background_does_not_matter():
    image = shirt((180, 30, 40))
    other = np.where(MASK[..., None], image, (0, 200, 0)).astype(np.uint8)
    one, two = describe_garment(image, MASK), describe_garment(other, MASK)
    assert one.colour == two.colour
    assert np.allclose(one.lab, two.lab, atol=2)


def test_the_description_is_json_and_repeatable():
    image = shirt((180, 30, 40), (240, 240, 240), "striped")
    one, two = describe_garment(image, MASK).to_json(), describe_garment(image, MASK).to_json()
    assert json.loads(json.dumps(one)) == json.loads(json.dumps(two))
    assert set(one) == {"colour", "lab", "pattern", "confidence", "colours"}


def test_odd_masks():
    with pytest.raises(NoGarmentFound):
        describe_garment(shirt((1, 2, 3)), np.zeros_like(MASK))
    with pytest.raises(ValueError, match="shape"):
        describe_garment(shirt((1, 2, 3)), MASK[:50])
    speck = np.zeros_like(MASK)
    speck[100:102, 100:101] = True
    assert describe_garment(shirt((180, 30, 40)), speck).colour == "red"


def test_autocorrelation_against_the_plain_sum():
    random = np.random.default_rng(0)
    inside = random.random((20, 24)) < 0.8
    values = (random.normal(0, 1, (20, 24)) * inside).astype(np.float32)
    fast = _correlation(values, inside, 4)
    for dy in range(5):
        for dx in range(-4, 5):
            product = ahead = behind = 0.0
            for y in range(20 - dy):
                for x in range(max(0, -dx), min(24, 24 - dx)):
                    if inside[y, x] and inside[y + dy, x + dx]:
                        product += values[y, x] * values[y + dy, x + dx]
                        ahead += values[y + dy, x + dx] ** 2
                        behind += values[y, x] ** 2
            assert fast[dy, dx + 4] == pytest.approx(product / np.sqrt(ahead * behind), abs=1e-3)


def test_features_are_finite_and_fit_the_network():
    features = pattern_features(shirt((180, 30, 40)), MASK)
    assert features.shape == load_model().mean.shape
    assert np.isfinite(features).all()
    probabilities = load_model().probabilities(features)
    assert probabilities.shape == (len(PATTERN_NAMES),)
    assert probabilities.sum() == pytest.approx(1)


@pytest.mark.real_data
def test_patterns_of_real_garments():
    """A wiring check on photos the network has seen; benchmarks/describe.py measures unseen ones."""
    if not PHOTOS.is_dir():
        pytest.skip("the real photos are not beside the checkout")
    with (ROOT / "benchmarks" / "describe_labels.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))[::20]
    right = tried = 0
    for row in rows:
        try:
            cutout = cut_out(read_rgb(PHOTOS / row["file"]))
        except Refused:
            continue
        tried += 1
        right += describe_garment(cutout.rgba[..., :3], cutout.mask).pattern == row["pattern"]
    assert tried >= 0.7 * len(rows)
    assert right >= 0.85 * tried


def test_grey_between_much_white_or_black_is_not_what_a_pattern_is_named_after() -> None:
    assert _main_colour([("grey", 0.5), ("white", 0.4), ("black", 0.1)]) == "white"
    assert _main_colour([("grey", 0.5), ("black", 0.4), ("white", 0.1)]) == "black"
    assert _main_colour([("grey", 0.6), ("white", 0.2), ("black", 0.2)]) == "grey"
    assert _main_colour([("red", 0.4), ("white", 0.35), ("grey", 0.25)]) == "red"
