"""Masks come back at full resolution and in place; files that are not our weights are refused."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torchvision.models.detection import MaskRCNN
from torchvision.ops import roi_align

from fittingroom import masks
from fittingroom.errors import MissingInputError, SettingError, WeightsRejected
from fittingroom.registry.starters import StarterModels
from fittingroom.segmentation.dataset import HALF_PIXEL
from fittingroom.segmentation.model import build_segmenter
from fittingroom.segmentation.predict import KIND, Segmenter, _Cut, _without_doubles, paste_probabilities
from fittingroom.segmentation.settings import SegmenterSettings, preset
from fittingroom.training.weights import save_weights


def paste_mask(probabilities: np.ndarray, box: np.ndarray, height: int, width: int) -> masks.Mask:
    return np.asarray(paste_probabilities(probabilities, box, height, width) >= 0.5)


def slow_paste(
    probabilities: np.ndarray, box: tuple[float, float, float, float], height: int, width: int
) -> np.ndarray:
    """Keys' cubic convolution (a = -0.75), pixel by pixel, edges repeated."""

    def kernel(t: float) -> float:
        t, a = abs(t), -0.75
        if t <= 1:
            return (a + 2) * t**3 - (a + 3) * t**2 + 1
        return a * t**3 - 5 * a * t**2 + 8 * a * t - 4 * a if t < 2 else 0.0

    rows, columns = probabilities.shape
    values = np.full((height, width), -1.0)
    for y in range(max(int(np.floor(box[1])), 0), min(int(np.ceil(box[3])), height)):
        for x in range(max(int(np.floor(box[0])), 0), min(int(np.ceil(box[2])), width)):
            v = (y + 0.5 - box[1]) / (box[3] - box[1]) * rows - 0.5
            u = (x + 0.5 - box[0]) / (box[2] - box[0]) * columns - 0.5
            total = 0.0
            for j in range(int(np.floor(v)) - 1, int(np.floor(v)) + 3):
                for i in range(int(np.floor(u)) - 1, int(np.floor(u)) + 3):
                    cell = probabilities[min(max(j, 0), rows - 1), min(max(i, 0), columns - 1)]
                    total += cell * kernel(v - j) * kernel(u - i)
            values[y, x] = total
    return values


BOXES = st.tuples(st.floats(-40, 60), st.floats(-40, 60), st.floats(0, 60), st.floats(0, 60))


@settings(max_examples=100, deadline=None)
@given(seed=st.integers(0, 1000), one=BOXES, other=BOXES)
def test_overlap_inside_boxes_is_overlap_of_whole_pictures(
    seed: int, one: tuple[float, float, float, float], other: tuple[float, float, float, float]
) -> None:
    random = np.random.default_rng(seed)
    cuts, pasted = [], []
    for x, y, width, height in (one, other):
        probabilities, box = random.random((7, 7)).astype(np.float32), np.array([x, y, x + width, y + height])
        cuts.append(_Cut.of(probabilities, box, 50, 44))
        pasted.append(paste_mask(probabilities, box, 50, 44))
    assert [cut.area for cut in cuts] == [masks.area(mask) for mask in pasted]
    assert cuts[0].iou(cuts[1]) == cuts[1].iou(cuts[0]) == masks.iou(*pasted)


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 1000),
    corner=st.tuples(st.floats(-8, 20), st.floats(-8, 20)),
    size=st.tuples(st.floats(3, 40), st.floats(3, 40)),
)
def test_pasting_is_smooth_interpolation(seed: int, corner: tuple[float, float], size: tuple[float, float]) -> None:
    probabilities = np.random.default_rng(seed).random((7, 7)).astype(np.float32)
    box = (corner[0], corner[1], corner[0] + size[0], corner[1] + size[1])
    pasted = paste_mask(probabilities, np.array(box), 30, 34)
    slow = slow_paste(probabilities, box, 30, 34)
    clear = np.abs(slow - 0.5) > 0.08  # OpenCV places samples to 1/32 of a cell
    assert (pasted == (slow >= 0.5))[clear].all()


@pytest.mark.parametrize("box", [(40.0, 40, 50, 50), (-9.0, 0, -2, 8), (5.0, 5, 5, 9), (9.0, 5, 7, 9)])
def test_boxes_outside_or_empty_paste_nothing(box: tuple[float, float, float, float]) -> None:
    assert not paste_mask(np.ones((7, 7), np.float32), np.array(box), 30, 30).any()


@pytest.mark.parametrize("cells", [28, 56])
def test_a_mask_survives_the_way_into_the_network_and_back(cells: int) -> None:
    """The network's training target for a garment, pasted back, is the garment: nothing sits half a pixel off."""
    outline = [60.0, 20, 95, 40, 110, 100, 80, 150, 40, 150, 15, 90, 30, 40]
    mask = masks.from_polygons([outline], 170, 130)
    found = masks.bounding_box(mask)
    assert found is not None
    box = torch.tensor([found], dtype=torch.float32) - HALF_PIXEL
    small = roi_align(torch.from_numpy(mask)[None, None].float(), [box], (cells, cells))[0, 0].numpy()
    pasted = paste_mask(small, box[0].double().numpy() + HALF_PIXEL, 170, 130)
    assert masks.iou(pasted, mask) > 0.975
    rows, columns = np.nonzero(mask)
    pasted_rows, pasted_columns = np.nonzero(pasted)
    assert abs(rows.mean() - pasted_rows.mean()) < 0.15
    assert abs(columns.mean() - pasted_columns.mean()) < 0.15


def test_one_garment_is_reported_once_whatever_its_category(tiny_settings: SegmenterSettings) -> None:
    full, upper = np.ones((14, 14), np.float32), np.ones((14, 14), np.float32)
    upper[7:] = 0
    boxes = np.array([[10.0, 10, 40, 50], [11, 10, 40, 50], [10, 10, 40, 50], [60, 10, 80, 50]])
    small = np.stack([full, full, upper, full])
    size = (64, 96)
    assert _without_doubles(small, boxes, size, dataclasses.replace(tiny_settings, overlap_threshold=0.6)) == [0, 2, 3]
    assert _without_doubles(small, boxes, size, dataclasses.replace(tiny_settings, overlap_threshold=0.4)) == [0, 3]
    assert _without_doubles(small, boxes, size, dataclasses.replace(tiny_settings, max_garments=1)) == [0]
    assert _without_doubles(np.zeros_like(small), boxes, size, tiny_settings) == []


def eager(settings: SegmenterSettings) -> MaskRCNN:
    """An untrained network whose masks are full: fresh ones are undecided."""
    torch.manual_seed(0)
    model = build_segmenter(settings)
    last = [module for module in model.roi_heads.mask_predictor.modules() if isinstance(module, torch.nn.Conv2d)][-1]
    torch.nn.init.constant_(last.get_parameter("bias"), 2.0)
    return model


@pytest.fixture
def weights(tmp_path: Path, tiny_settings: SegmenterSettings) -> Path:
    path = tmp_path / "weights.safetensors"
    save_weights(path, KIND, eager(tiny_settings).state_dict(), tiny_settings.to_json())
    return path


def test_weights_rebuild_their_network(weights: Path, tiny_settings: SegmenterSettings) -> None:
    segmenter = Segmenter.load(weights, "cpu")
    assert segmenter.settings == tiny_settings
    expected = eager(tiny_settings).state_dict()
    assert all(torch.equal(value, expected[name]) for name, value in segmenter.model.state_dict().items())


def test_garments_are_of_the_pictures_own_size_and_best_first(weights: Path) -> None:
    segmenter = Segmenter.load(weights, "cpu")
    pictures = [
        np.random.default_rng(i).integers(0, 255, size, np.uint8)
        for i, size in enumerate([(150, 101, 3), (60, 200, 3)])
    ]
    found = segmenter.find_batch(pictures, 0.0)
    assert any(found)
    for picture, garments in zip(pictures, found, strict=True):
        scores = [garment.score for garment in garments]
        assert scores == sorted(scores, reverse=True)
        assert len(garments) <= segmenter.settings.max_garments
        for garment in garments:
            assert garment.mask.shape == picture.shape[:2]
            assert garment.mask.dtype == bool
            assert 1 <= garment.category_id <= 13
    assert segmenter.find(pictures[0], 1.0) == []
    assert segmenter.find_batch([]) == []


def test_a_tiny_picture_is_no_crash(weights: Path) -> None:
    segmenter = Segmenter.load(weights, "cpu")
    for size in ((1, 1, 3), (1, 300, 3), (5, 2, 3)):
        assert isinstance(segmenter.find(np.zeros(size, np.uint8)), list)


@pytest.mark.parametrize("level", [0, 128, 255])
def test_a_picture_of_one_colour_shows_no_garment(level: int) -> None:
    starter = StarterModels().segmenter()
    assert starter is not None
    segmenter = Segmenter.load(starter, "cpu")
    assert segmenter.find(np.full((600, 400, 3), level, np.uint8)) == []


def test_hostile_weights_are_refused(weights: Path, tmp_path: Path, tiny_settings: SegmenterSettings) -> None:
    tensors = build_segmenter(tiny_settings).state_dict()
    cases = {
        "style": lambda path: save_weights(path, "style", tensors, tiny_settings.to_json()),
        "epochs": lambda path: save_weights(path, KIND, tensors, tiny_settings.to_json() | {"epochs": -1}),
        "unknown_field": lambda path: save_weights(path, KIND, tensors, {"unknown_field": 3}),
        "missing": lambda path: save_weights(path, KIND, dict(list(tensors.items())[1:]), tiny_settings.to_json()),
        "unexpected": lambda path: save_weights(
            path, KIND, {**tensors, "extra": torch.ones(1)}, tiny_settings.to_json()
        ),
        "expected shape": lambda path: save_weights(
            path, KIND, tensors, tiny_settings.to_json() | {"box_features": 64}
        ),
        "not a readable": lambda path: path.write_bytes(weights.read_bytes()[:5000]),
        "header": lambda path: path.write_bytes(b"\xff" * 64),
    }
    for message, write in cases.items():
        path = tmp_path / "hostile.safetensors"
        write(path)
        with pytest.raises(WeightsRejected, match=message):
            Segmenter.load(path, "cpu")
    with pytest.raises(MissingInputError):
        Segmenter.load(tmp_path / "none.safetensors", "cpu")
    with pytest.raises(SettingError, match="device"):
        Segmenter.load(weights, "tpu")


def test_weights_with_folded_batch_norm_rebuild_their_network(tmp_path: Path, tiny_settings: SegmenterSettings) -> None:
    folded = dataclasses.replace(
        tiny_settings, backbone="mobilenet_v2", start="imagenet", norm="frozen", frozen_levels=1
    )
    model = eager(folded).eval()
    save_weights(tmp_path / "weights", KIND, model.state_dict(), folded.to_json())
    loaded = Segmenter.load(tmp_path / "weights", "cpu")
    image = np.random.default_rng(0).integers(0, 255, (64, 70, 3), np.uint8)
    direct = Segmenter(model, folded, torch.device("cpu")).find(image, 0.0)
    again = loaded.find(image, 0.0)
    assert again
    assert [garment.score for garment in again] == [garment.score for garment in direct]


def test_what_is_found_does_not_depend_on_a_thin_picture_seen_before(tiny_settings: SegmenterSettings) -> None:
    torch.manual_seed(0)
    fresh, after = (Segmenter(build_segmenter(tiny_settings), tiny_settings, torch.device("cpu")) for _ in range(2))
    after.model.load_state_dict(fresh.model.state_dict())
    photo = np.random.default_rng(0).integers(0, 255, (96, 80, 3), dtype=np.uint8)
    after.detect([np.zeros((4, 2000, 3), np.uint8)])
    seen, expected = after.detect([photo])[0].tensors, fresh.detect([photo])[0].tensors
    assert len(expected["boxes"])
    for name, value in expected.items():
        torch.testing.assert_close(seen[name], value, msg=name)


@pytest.mark.parametrize("name", ["demo", "cpu", "standard"])
def test_masks_are_read_where_the_features_lie(name: str) -> None:
    with torch.device("meta"):
        model = build_segmenter(preset(name)).eval()
        features = model.backbone(torch.zeros(1, 3, 128, 128))
    for pool in (model.roi_heads.box_roi_pool, model.roi_heads.mask_roi_pool):
        assert pool.scales == [features[name].shape[-1] / 128 for name in pool.featmap_names]
