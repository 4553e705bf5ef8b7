"""Part maps follow their photo, teach the parts head, and skin and hair win over garments when serving."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from fittingroom import masks
from fittingroom.errors import AnnotationError
from fittingroom.images import read_rgb
from fittingroom.segmentation.augment import CloseUp, Degraded, Draw
from fittingroom.segmentation.dataset import GarmentDataset, dataset_digest, drawn_garments, read_split
from fittingroom.segmentation.model import build_segmenter
from fittingroom.segmentation.parts import HAIR, OTHER, PARTS, SKIN, UNKNOWN, read_parts
from fittingroom.segmentation.parts_head import STRIDE, box_of_cells, cut_to, parts_loss
from fittingroom.segmentation.paste import paste_body, wall_behind
from fittingroom.segmentation.predict import Segmenter, paste_probabilities
from fittingroom.segmentation.settings import SegmenterSettings
from fittingroom.segmentation.train import train_segmenter
from fittingroom.training.progress import Progress

GARMENT = PARTS.index("garment")


@pytest.fixture
def mapped_dataset(tiny_dataset: Path) -> Path:
    """The tiny data set with part maps next to its pictures: garments, a stripe of skin on top, hair below it."""
    for split in ("train", "validation"):
        for photo in read_split(tiny_dataset, split):
            values = np.full((photo.height, photo.width), OTHER, np.uint8)
            values[0:5] = SKIN
            values[5:7, :30] = HAIR
            for _, mask in drawn_garments(photo, np.eye(3), photo.height, photo.width):
                values[mask] = GARMENT
            image = Image.fromarray(values)
            if photo.image_id % 2:
                image.putpalette([value for grey in range(256) for value in (grey, 0, 255 - grey)])
            (tiny_dataset / "parts").mkdir(exist_ok=True)
            image.save(tiny_dataset / "parts" / photo.path.with_suffix(".png").name)
    return tiny_dataset


@pytest.fixture
def with_parts(tiny_settings: SegmenterSettings) -> SegmenterSettings:
    return dataclasses.replace(tiny_settings, parts_head=True, parts_channels=8)


def test_a_part_map_is_grey_or_has_a_palette(mapped_dataset: Path) -> None:
    photos = read_split(mapped_dataset, "train")
    modes = set()
    for photo in photos:
        assert photo.parts is not None
        with Image.open(photo.parts) as image:
            modes.add(image.mode)
        assert set(np.unique(read_parts(photo.parts))) == {OTHER, SKIN, HAIR, GARMENT}
    assert modes == {"L", "P"}


@pytest.mark.parametrize(
    ("picture", "said"),
    [
        (Image.new("RGB", (8, 8)), "mode RGB"),
        (Image.new("L", (8, 8), 7), "values 0 to 6 or 255, got 7"),
    ],
)
def test_what_is_no_part_map_is_refused(tmp_path: Path, picture: Image.Image, said: str) -> None:
    picture.save(tmp_path / "wrong.png")
    with pytest.raises(AnnotationError, match=said) as refused:
        read_parts(tmp_path / "wrong.png")
    assert "wrong.png" in str(refused.value)


def test_part_maps_lie_beside_the_pictures_or_the_data_set_and_are_not_needed(mapped_dataset: Path) -> None:
    with_maps = dataset_digest(mapped_dataset, read_split(mapped_dataset, "train"))
    (mapped_dataset / "parts").rename(mapped_dataset.parent / "parts")
    assert all(photo.parts is not None for photo in read_split(mapped_dataset, "train"))
    (mapped_dataset.parent / "parts").rename(mapped_dataset / "elsewhere")
    assert all(photo.parts is None for photo in read_split(mapped_dataset, "train"))
    assert dataset_digest(mapped_dataset, read_split(mapped_dataset, "train")) != with_maps


@pytest.mark.parametrize("close_up_share", [0.0, 1.0])
def test_part_maps_and_outlines_follow_the_photo_together(
    mapped_dataset: Path, with_parts: SegmenterSettings, close_up_share: float
) -> None:
    settings = dataclasses.replace(with_parts, close_up_share=close_up_share, scale_jitter=0.4)
    data = GarmentDataset(read_split(mapped_dataset, "train"), settings)
    for epoch in range(4):
        for index in range(len(data)):
            image, target = data[(epoch, index)]
            parts = target["parts"].numpy()
            assert parts.shape == tuple(image.shape[1:]) == tuple(target["masks"].shape[1:])
            garments = target["masks"].bool().any(0).numpy()
            assert masks.iou(parts == GARMENT, garments) > 0.85


def test_a_close_up_is_inside_the_photo_and_around_a_garment(
    mapped_dataset: Path, with_parts: SegmenterSettings
) -> None:
    settings = dataclasses.replace(with_parts, close_up_share=1.0, close_up_zoom=(2.0, 3.0))
    data = GarmentDataset(read_split(mapped_dataset, "train"), settings)
    whole = GarmentDataset(data.photos, dataclasses.replace(settings, close_up_share=0.0, scale_jitter=0.0))
    shares = []
    for index in range(len(data)):
        _, target = data[(0, index)]
        assert len(target["labels"])
        assert not (target["parts"] == UNKNOWN).any()
        shares.append((target["masks"].any(0).float().mean(), whole[(0, index)][1]["masks"].any(0).float().mean()))
    assert np.mean([near for near, _ in shares]) > 1.3 * np.mean([far for _, far in shares])


def test_what_is_drawn_keeps_to_the_settings(tiny_settings: SegmenterSettings) -> None:
    def drawn(**changes: object) -> list[Draw]:
        settings = dataclasses.replace(tiny_settings, **changes)  # type: ignore[arg-type]
        return [Draw.at(np.random.default_rng((0, 0, index)), settings) for index in range(200)]

    off = drawn()
    assert not any(draw.close_up or draw.paste or draw.wall or draw.light for draw in off)
    assert {draw.degraded for draw in off} == {Degraded(0, 0, 100)}
    on = drawn(close_up_share=0.5, close_up_zoom=(1.5, 2.5), paste_share=0.2, blur=2.0, noise=9.0, jpeg=30)
    assert [draw.scale for draw in on] == [draw.scale for draw in off]
    near = [draw.close_up for draw in on if draw.close_up]
    assert 70 < len(near) < 130
    assert all(1.5 <= each.zoom <= 2.5 for each in near)
    assert 15 < sum(draw.paste for draw in on) < 70
    degraded = [draw.degraded for draw in on if draw.degraded]
    assert max(each.blur for each in degraded) <= 2
    assert max(each.noise for each in degraded) <= 9
    assert 30 <= min(each.quality for each in degraded) < 60
    assert 60 < sum(each.quality == 100 for each in degraded) < 140


def test_degrading_leaves_the_picture_what_it_was() -> None:
    random = np.random.default_rng(0)
    image = np.full((40, 30, 3), 120, np.uint8)
    image[10:30, 8:20] = (200, 40, 60)
    changed = Degraded(1.0, 8.0, 40).of(image, random)
    assert changed.shape == image.shape
    assert changed.dtype == np.uint8
    assert 0 < np.abs(changed.astype(int) - image).mean() < 25
    assert np.abs(changed[15:25, 11:17].mean((0, 1)) - (200, 40, 60)).max() < 12
    assert np.array_equal(Degraded(0, 0, 100).of(image, random), image)


def test_a_close_up_of_a_garment_at_the_border_stays_inside() -> None:
    view = CloseUp(3.0, 0.7, 0.99, (0.3, -0.3)).view([masks.bounding_box(np.eye(90, 60, dtype=bool))], 90, 60)  # type: ignore[list-item]
    assert view.width == 20
    assert 25 <= view.height <= 30
    assert view == view.clip(90, 60)


def test_pasted_skin_leaves_the_garments_and_becomes_skin() -> None:
    image, lent = np.full((60, 50, 3), 100, np.uint8), np.full((60, 50, 3), 230, np.uint8)
    garment = np.zeros((60, 50), bool)
    garment[10:50, 10:40] = True
    parts = np.where(garment, np.uint8(GARMENT), np.uint8(OTHER))
    arms = np.zeros((60, 50), np.uint8)
    arms[20:50, 5:12] = SKIN
    for seed in range(8):
        painted, mapped, (left,) = paste_body(image, parts, [garment], (lent, arms), np.random.default_rng(seed))
        pasted = mapped == SKIN
        assert pasted.any()
        assert not (left & pasted).any()
        assert np.array_equal(left, garment & ~pasted)
        assert painted[pasted].mean() > 180
        assert (painted[~pasted] < 120).mean() > 0.8
    nothing = paste_body(image, parts, [garment], (lent, np.zeros_like(arms)), np.random.default_rng(0))
    assert nothing[0] is image
    assert nothing[1] is parts


def test_a_wall_covers_what_is_no_person() -> None:
    image = np.random.default_rng(1).integers(0, 60, (60, 50, 3)).astype(np.uint8)
    parts = np.full((60, 50), OTHER, np.uint8)
    parts[10:50, 10:40] = GARMENT
    painted = wall_behind(image, parts, np.random.default_rng(0))
    assert np.array_equal(painted[14:46, 14:36], image[14:46, 14:36])
    assert painted[:6].std(axis=(0, 1)).max() < 15 < image[:6].std(axis=(0, 1)).min()


def test_the_loss_is_a_weighted_cross_entropy_over_what_is_known() -> None:
    random = np.random.default_rng(0)
    logits = torch.from_numpy(random.normal(size=(2, len(PARTS), 3, 4)))
    labels = [torch.full((9, 13), UNKNOWN, dtype=torch.uint8), torch.full((12, 16), UNKNOWN, dtype=torch.uint8)]
    labels[0][::STRIDE, ::STRIDE] = torch.from_numpy(random.integers(0, len(PARTS), (3, 4)).astype(np.uint8))
    labels[1][8, 4] = HAIR
    labels[1][1, 1] = SKIN  # between the cells' centres
    total, count = 0.0, 0
    for n, label in enumerate(labels):
        for i in range(3):
            for j in range(4):
                value = int(label[STRIDE * i, STRIDE * j])
                if value != UNKNOWN:
                    chances = logits[n, :, i, j].softmax(0)
                    total -= float(chances[value].log()) * (2 if value in (SKIN, HAIR) else 1)
                    count += 1
    assert count == 13
    assert float(parts_loss(logits, labels)) == pytest.approx(total / count, rel=1e-5)
    assert float(parts_loss(logits, [torch.full((9, 13), UNKNOWN, dtype=torch.uint8)] * 2)) == 0


def test_cells_lie_where_the_convolutions_look() -> None:
    """Cells that hold their own place, four pixels apart from pixel 0 on, give each pixel its own place."""
    ramp = np.tile(np.arange(12, dtype=np.float32) * STRIDE, (8, 1))
    padded = np.pad(ramp, 1, mode="edge")
    places = paste_probabilities(padded, box_of_cells(*padded.shape), 29, 45)
    np.testing.assert_allclose(places[4:-4, 6:-6], np.tile(np.arange(45)[6:-6], (21, 1)), atol=0.26)
    assert cut_to(torch.zeros(16, 16), (29, 45)).shape == (8, 12)


def test_a_training_learns_the_parts_and_serves_them(mapped_dataset: Path, with_parts: SegmenterSettings) -> None:
    seen: list[Progress] = []
    settings = dataclasses.replace(with_parts, close_up_share=0.3, paste_share=0.3, wall_share=0.3, light_jitter=0.2)
    training = train_segmenter(mapped_dataset, mapped_dataset / "out", settings, seen.append, device="cpu")
    assert training.settings.parts_head
    segmenter = Segmenter.load(training.weights, "cpu")
    photo = read_rgb(read_split(mapped_dataset, "validation")[0].path)
    (detection,) = segmenter.detect([photo])
    assert detection.body is not None
    assert 0 <= float(detection.body.min()) <= float(detection.body.max()) <= 1
    alone, _ = segmenter.detect([photo, np.zeros((96, 96, 3), np.uint8)])
    assert alone.body is not None
    assert alone.body.shape == detection.body.shape


def test_without_part_maps_garments_alone_are_learnt(tiny_dataset: Path, with_parts: SegmenterSettings) -> None:
    said: list[str] = []
    training = train_segmenter(
        tiny_dataset, tiny_dataset / "out", with_parts, lambda progress: said.append(progress.message), device="cpu"
    )
    assert not training.settings.parts_head
    assert any("no part maps" in message for message in said)
    assert Segmenter.load(training.weights, "cpu").detect([np.zeros((96, 72, 3), np.uint8)])[0].body is None
    assert json.loads((tiny_dataset / "out" / "training.json").read_text())["settings"]["parts_head"] is False


def test_skin_wins_over_a_garment(tiny_settings: SegmenterSettings, with_parts: SegmenterSettings) -> None:
    """A network that takes all it sees for a garment, and whose parts head says what the test says."""
    torch.manual_seed(0)
    network = build_segmenter(dataclasses.replace(with_parts, refine_masks=False))
    last = network.parts_head[-1]
    torch.nn.init.zeros_(last.weight)
    predictor = network.roi_heads.mask_predictor.predictor.mask_fcn_logits
    torch.nn.init.zeros_(predictor.weight)
    torch.nn.init.constant_(predictor.bias, 3.0)
    image = np.random.default_rng(0).integers(0, 255, (96, 72, 3)).astype(np.uint8)
    segmenter = Segmenter(network, dataclasses.replace(with_parts, refine_masks=False), torch.device("cpu"))

    def said(part: int) -> list[int]:
        torch.nn.init.zeros_(last.bias)
        last.bias.data[part] = 8.0
        return [garment.area for garment in segmenter.find(image, 0.05)]

    assert said(GARMENT)
    assert said(SKIN) == said(HAIR) == []
    assert said(OTHER) == said(GARMENT)
    assert not hasattr(build_segmenter(tiny_settings), "parts_head")
