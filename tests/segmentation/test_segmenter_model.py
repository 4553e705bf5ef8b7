"""The network has the layers the recipe asks for, COCO's weights fit it, and what is added changes nothing."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from torch import nn
from torchvision.models import mobilenet_v2
from torchvision.models.detection import maskrcnn_resnet50_fpn_v2

from fittingroom.segmentation.model import CLASSES, build_segmenter, fold_batch_norm
from fittingroom.segmentation.settings import SegmenterSettings, preset


def convolutions(module: nn.Module) -> int:
    return sum(isinstance(part, nn.Conv2d) for part in module.modules())


@pytest.mark.parametrize("name", ["demo", "cpu", "standard"])
def test_four_mask_convolutions_become_seven(name: str) -> None:
    settings = preset(name)
    with torch.device("meta"):
        recipe = build_segmenter(settings.with_overrides({"extra_mask_convolutions": 3, "mask_convolutions": 4}))
        plain = build_segmenter(settings.with_overrides({"extra_mask_convolutions": 0, "mask_convolutions": 4}))
    assert convolutions(recipe.roi_heads.mask_head) == 7
    assert convolutions(plain.roi_heads.mask_head) == 4


def test_all_of_torchvisions_coco_weights_but_the_class_predictors_fit_standard() -> None:
    with torch.device("meta"):
        theirs = maskrcnn_resnet50_fpn_v2(weights=None, weights_backbone=None).state_dict()
        ours = build_segmenter(preset("standard").with_overrides({"norm": "trained"})).state_dict()
    unfit = {k for k, v in theirs.items() if k not in ours or ours[k].shape != v.shape}
    predictors = ("roi_heads.box_predictor.", "roi_heads.mask_predictor.mask_fcn_logits.")
    assert unfit
    assert all(name.startswith(predictors) for name in unfit)
    added = set(ours) - set(theirs)
    assert added
    assert all(
        name.startswith(("roi_heads.mask_head.4.", "roi_heads.mask_head.5.", "roi_heads.mask_head.6."))
        for name in added
    )


def test_the_extra_convolutions_start_as_the_identity(tiny_settings: SegmenterSettings) -> None:
    torch.manual_seed(0)
    model = build_segmenter(dataclasses.replace(tiny_settings, mask_convolutions=2, extra_mask_convolutions=3))
    head = model.roi_heads.mask_head.eval()
    features = torch.randn(2, 16, 7, 7)
    assert torch.equal(head(features), head[1](head[0](features)))


def test_start_weights_are_taken_where_they_fit(tiny_settings: SegmenterSettings) -> None:
    source = build_segmenter(tiny_settings).state_dict()
    source["roi_heads.box_predictor.cls_score.weight"] = torch.zeros(91, 32)
    built = build_segmenter(tiny_settings, source).state_dict()
    assert torch.equal(built["backbone.fpn.inner_blocks.0.0.weight"], source["backbone.fpn.inner_blocks.0.0.weight"])
    assert built["roi_heads.box_predictor.cls_score.weight"].shape == (CLASSES, 32)


def test_folding_batch_norm_keeps_the_function() -> None:
    torch.manual_seed(0)
    body = mobilenet_v2().features[:4]
    for module in body.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.get_buffer("running_mean"), 0, 0.2)
            nn.init.uniform_(module.get_buffer("running_var"), 0.5, 2)
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.bias, 0, 0.2)
    images = torch.rand(1, 3, 32, 32)
    body.eval()
    before = body(images)
    fold_batch_norm(body)
    assert not any(isinstance(module, nn.BatchNorm2d) for module in body.modules())
    torch.testing.assert_close(body.train()(images), before, rtol=1e-4, atol=1e-5)
    assert all(parameter.requires_grad for parameter in body.parameters())


def test_one_mask_for_any_category(tiny_settings: SegmenterSettings) -> None:
    model = build_segmenter(dataclasses.replace(tiny_settings, class_agnostic=True))
    logits = model.roi_heads.mask_predictor(torch.randn(3, 8, 7, 7))
    assert logits.shape == (3, CLASSES, 14, 14)
    assert torch.equal(logits[:, 1], logits[:, 13])


def test_proposals_can_leave_out_the_finest_level(tiny_settings: SegmenterSettings) -> None:
    coarse = dataclasses.replace(tiny_settings, proposals_from_level=1, anchor_sizes=((16,), (32,), (64,)))
    model = build_segmenter(coarse)
    seen: list[list[tuple[int, ...]]] = []
    model.rpn.head.register_forward_pre_hook(lambda _, inputs: seen.append([tuple(x.shape[-2:]) for x in inputs[0]]))
    nothing = {"boxes": torch.zeros(0, 4), "labels": torch.zeros(0).long(), "masks": torch.zeros(0, 64, 64).byte()}
    model([torch.rand(3, 64, 64)], [nothing])
    assert seen == [[(8, 8), (4, 4), (2, 2)]]


@pytest.mark.parametrize("any_category", [False, True])
def test_photos_without_garments_train_too(tiny_settings: SegmenterSettings, any_category: bool) -> None:
    torch.manual_seed(0)
    model = build_segmenter(dataclasses.replace(tiny_settings, class_agnostic=any_category))
    nothing = {
        "boxes": torch.zeros(0, 4),
        "labels": torch.zeros(0, dtype=torch.int64),
        "masks": torch.zeros(0, 64, 64, dtype=torch.uint8),
    }
    one = {
        "boxes": torch.tensor([[8.0, 8, 40, 50]]),
        "labels": torch.tensor([3]),
        "masks": torch.ones(1, 64, 64, dtype=torch.uint8),
    }
    for targets in ([nothing], [nothing, one]):
        losses = model([torch.rand(3, 64, 64)] * len(targets), targets)
        assert all(torch.isfinite(value) for value in losses.values())
        sum(losses.values()).backward()


def test_a_garment_of_unsure_category_is_sure_to_be_a_garment(tiny_settings: SegmenterSettings) -> None:
    heads = build_segmenter(tiny_settings).roi_heads
    logits = torch.zeros(4, CLASSES)
    logits[0, [3, 10]] = torch.tensor([8.0, 8.1])  # a blouse or a dress
    logits[1, 0] = 9.0  # background
    logits[2, 7] = 9.0
    logits[3, 7] = 7.0  # the same shorts, less surely
    proposals = torch.tensor([[2.0, 2, 20, 30], [30, 2, 50, 30], [10, 30, 40, 60], [11, 30, 40, 60]])
    boxes, scores, labels = heads.postprocess_detections(
        logits, torch.zeros(4, 4 * CLASSES), [proposals[:2], proposals[2:]], [(64, 64), (64, 64)]
    )
    assert [part.tolist() for part in labels] == [[10], [7]]
    assert boxes[0].tolist() == [[2, 2, 20, 30]]
    assert boxes[1].tolist() == [[10, 30, 40, 60]]
    torch.testing.assert_close(scores[0], 1 - logits[:1].softmax(1)[:, 0])
    assert scores[0].item() > 0.99
    heads.box_margin = 0.1
    grown, _, _ = heads.postprocess_detections(logits[2:], torch.zeros(2, 4 * CLASSES), [proposals[2:]], [(62, 64)])
    torch.testing.assert_close(grown[0], torch.tensor([[8.5, 28.5, 41.5, 61.5]]))


def test_one_box_refinement_for_any_category(tiny_settings: SegmenterSettings) -> None:
    model = build_segmenter(tiny_settings)
    logits, deltas = model.roi_heads.box_predictor(torch.randn(3, 32))
    assert logits.shape == (3, CLASSES)
    each = deltas.reshape(3, CLASSES, 4)
    assert torch.equal(each[:, 0], each[:, 13])


@pytest.mark.parametrize("backbone", ["mobilenet_v2", "mobilenet_v3_large"])
def test_frozen_levels_end_at_their_stride(backbone: str) -> None:
    def trained(levels: int) -> set[str]:
        settings = preset("cpu").with_overrides({"backbone": backbone, "frozen_levels": levels})
        model = build_segmenter(settings)
        return {name for name, value in model.named_parameters() if value.requires_grad}

    body = {name for name in trained(0) if name.startswith("backbone.body.")}
    after_stride_4 = {name for name in body if int(name.split(".")[2]) > 3}
    assert trained(1) & body == after_stride_4
    assert trained(4) & body == set()
    assert trained(0) - body == trained(4)


def test_masks_start_undecided(tiny_settings: SegmenterSettings) -> None:
    model = build_segmenter(tiny_settings)
    logits = model.roi_heads.mask_predictor(torch.full((1, 8, 7, 7), 20.0))
    assert logits.abs().max() < 1
