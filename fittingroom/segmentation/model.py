"""The network: torchvision's Mask R-CNN on a chosen backbone, with further convolutions at the end of the mask head.

He et al., "Mask R-CNN", ICCV 2017; Lin et al., "Feature Pyramid Networks for Object Detection", CVPR 2017.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

import torch
from torch import Tensor, nn
from torchvision.models import mobilenet_v2, mobilenet_v3_large
from torchvision.models.detection import MaskRCNN, maskrcnn_resnet50_fpn_v2
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.models.detection.faster_rcnn import FastRCNNPredictor, TwoMLPHead
from torchvision.models.detection.mask_rcnn import MaskRCNNHeads, MaskRCNNPredictor
from torchvision.models.detection.rpn import RPNHead
from torchvision.models.resnet import BasicBlock
from torchvision.ops import FeaturePyramidNetwork, MultiScaleRoIAlign
from torchvision.ops.misc import Conv2dNormActivation

from fittingroom.categories import CATEGORY_NAMES
from fittingroom.segmentation.detector_parts import AsGiven, CoarseProposals, GarmentHeads, tell_strides
from fittingroom.segmentation.parts_head import GarmentNetwork, PartsHead
from fittingroom.segmentation.settings import SegmenterSettings

CLASSES = 1 + len(CATEGORY_NAMES)
"""The background is class 0, category ids are class numbers."""


def build_segmenter(settings: SegmenterSettings, start: Mapping[str, Tensor] | None = None) -> MaskRCNN:
    """The network that ``settings`` describe, in training mode.

    It takes a list of (3, H, W) float images, 0 to 1, already at the size they are looked at, and, in training,
    a list of targets as `fittingroom.segmentation.dataset` makes them; then it returns the losses by name.

    Args:
        settings: what to build.
        start: tensors by the name they have here to start from; those that are missing, or have another shape (the
            class predictors of COCO's 91 classes), keep their random start. Batch norm may be folded already.
    """
    model = _resnet50(settings) if settings.backbone == "resnet50" else _light(settings)
    _extend_mask_head(model, settings)
    _start_masks_undecided(model)
    model.roi_heads.__class__ = GarmentHeads
    model.roi_heads.box_margin = settings.box_margin
    for pool in (model.roi_heads.box_roi_pool, model.roi_heads.mask_roi_pool):
        tell_strides(pool)
    model.transform.__class__ = AsGiven
    if settings.parts_head:
        model.parts_head = PartsHead(settings.fpn_channels, settings.parts_channels)
        model.__class__ = GarmentNetwork
        model.parts_weight = settings.parts_weight
    folded = start is not None and is_folded(start)
    if settings.norm == "frozen" and folded:
        fold_batch_norm(model.backbone)
    if start is not None:
        own = model.state_dict()
        fitting = {k: v for k, v in start.items() if k in own and own[k].shape == v.shape}
        model.load_state_dict(fitting, strict=False)
    if settings.norm == "frozen" and not folded:
        fold_batch_norm(model.backbone)
    _freeze(model.backbone.body, settings.frozen_levels)
    return model.train()


class Levels(nn.ModuleDict):
    """A backbone's children one after the other, up to the last that is in ``names``; gives their maps by those names.

    Its children and ``return_layers`` are named as those of torchvision's own bodies.
    """

    def __init__(self, body: nn.Module, names: Mapping[str, str]) -> None:
        children = dict(body.named_children())
        last = max(list(children).index(layer) for layer in names)
        super().__init__(dict(list(children.items())[: last + 1]))
        self.return_layers = dict(names)

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        """(N, 3, H, W) to maps (N, C, H / stride, W / stride) by name."""
        maps, found = images, {}
        for layer, module in self.items():
            maps = module(maps)
            if layer in self.return_layers:
                found[self.return_layers[layer]] = maps
        return found


class Pyramid(nn.Module):
    """A backbone's feature maps at strides 4, 8, 16 and 32, brought to one width (levels "0" to "3")."""

    def __init__(self, body: nn.Module, layers: Mapping[str, int], out_channels: int) -> None:
        super().__init__()
        names = {layer: str(level) for level, layer in enumerate(layers)}
        self.body = Levels(body, names)
        self.fpn = FeaturePyramidNetwork(list(layers.values()), out_channels)
        self.out_channels = out_channels

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        """(N, 3, H, W) to maps (N, C, H / stride, W / stride) by level."""
        features: dict[str, Tensor] = self.fpn(self.body(images))
        return features


class AnyCategoryBox(nn.Module):
    """A box predictor with one refinement for any category, offered under every class number."""

    def __init__(self, features: int) -> None:
        super().__init__()
        self.cls_score = nn.Linear(features, CLASSES)
        self.bbox_pred = nn.Linear(features, 4)

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """(N, F) to logits (N, classes) and box deltas (N, 4 * classes), all classes alike."""
        return self.cls_score(features), self.bbox_pred(features).repeat(1, CLASSES)


class AnyCategoryMask(nn.Module):
    """A mask predictor with one mask for any category, offered under every class number."""

    def __init__(self, predictor: MaskRCNNPredictor) -> None:
        super().__init__()
        self.predictor = predictor

    def forward(self, features: Tensor) -> Tensor:
        """(N, C, S, S) to logits (N, classes, 2S, 2S), all classes alike."""
        logits: Tensor = self.predictor(features)
        return logits.expand(-1, CLASSES, -1, -1)


def _resnet50(settings: SegmenterSettings) -> MaskRCNN:
    return maskrcnn_resnet50_fpn_v2(
        weights=None,
        weights_backbone=None,
        num_classes=CLASSES,
        **_limits(settings),
    )


def _light(settings: SegmenterSettings) -> MaskRCNN:
    backbone = _body(settings)
    channels = settings.fpn_channels
    pool = partial(MultiScaleRoIAlign, sampling_ratio=2, canonical_scale=settings.roi_canonical_scale)
    anchors = AnchorGenerator(settings.anchor_sizes, (settings.anchor_ratios,) * len(settings.anchor_sizes))
    model = MaskRCNN(
        backbone,
        rpn_anchor_generator=anchors,
        rpn_head=RPNHead(channels, anchors.num_anchors_per_location()[0]),
        box_roi_pool=pool([str(level) for level in settings.box_levels], output_size=7),
        box_head=TwoMLPHead(channels * 7 * 7, settings.box_features),
        box_predictor=FastRCNNPredictor(settings.box_features, CLASSES),
        mask_roi_pool=pool([str(level) for level in settings.mask_levels], output_size=settings.mask_pool_size),
        mask_head=MaskRCNNHeads(channels, [settings.mask_channels] * settings.mask_convolutions, dilation=1),
        mask_predictor=MaskRCNNPredictor(settings.mask_channels, settings.mask_channels, CLASSES),
        **_limits(settings),
    )
    model.rpn.__class__ = CoarseProposals
    model.rpn.finest_level = settings.proposals_from_level
    if settings.class_agnostic:
        width = settings.mask_channels
        model.roi_heads.box_predictor = AnyCategoryBox(settings.box_features)
        model.roi_heads.mask_predictor = AnyCategoryMask(MaskRCNNPredictor(width, width, 1))
    return model


def _limits(settings: SegmenterSettings) -> dict[str, object]:
    return {
        "rpn_pre_nms_top_n_train": 2 * settings.proposals,
        "rpn_pre_nms_top_n_test": settings.proposals,
        "rpn_post_nms_top_n_train": settings.proposals,
        "rpn_post_nms_top_n_test": settings.proposals,
        "rpn_batch_size_per_image": settings.proposal_samples,
        "box_batch_size_per_image": settings.box_samples,
        "box_score_thresh": 0.05,
        "box_detections_per_img": 4 * settings.max_garments,
    }


def _body(settings: SegmenterSettings) -> Pyramid:
    if settings.backbone == "small":
        width = settings.small_channels
        return Pyramid(SmallBody(width), {f"stage{i}": width * 2**i for i in range(4)}, settings.fpn_channels)
    if settings.backbone == "mobilenet_v2":
        layers = {"3": 24, "6": 32, "13": 96, "17": 320}
        return Pyramid(mobilenet_v2().features, layers, settings.fpn_channels)
    layers = {"3": 24, "6": 40, "12": 112, "15": 160}
    return Pyramid(mobilenet_v3_large().features, layers, settings.fpn_channels)


class SmallBody(nn.Module):
    """A ResNet of one basic block a stage (He et al., CVPR 2016): ``width`` channels at stride 4, then doubling."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            Conv2dNormActivation(3, width // 2, 3, stride=2), Conv2dNormActivation(width // 2, width, 3, stride=2)
        )
        self.stage0 = BasicBlock(width, width)
        for i in range(1, 4):
            before, after = width * 2 ** (i - 1), width * 2**i
            shortcut = Conv2dNormActivation(before, after, 1, stride=2, activation_layer=None)
            self.add_module(f"stage{i}", BasicBlock(before, after, stride=2, downsample=shortcut))
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")


def _start_masks_undecided(model: MaskRCNN) -> None:
    """Small weights for the last layer of masks (Detectron's 0.001): otherwise pretrained features, which are large,
    give a first mask loss near 30, and clipping gradients of that size leaves nothing of the other losses."""
    last = [module for module in model.roi_heads.mask_predictor.modules() if isinstance(module, nn.Conv2d)][-1]
    nn.init.normal_(last.weight, std=0.001)


def _extend_mask_head(model: MaskRCNN, settings: SegmenterSettings) -> None:
    """Append the extra convolutions. They start as the identity, so that a head started from COCO still works."""
    head = model.roi_heads.mask_head
    last = [module for module in head.modules() if isinstance(module, nn.Conv2d)][-1]
    width = last.out_channels
    norm: Callable[..., nn.Module] | None = nn.BatchNorm2d if settings.backbone == "resnet50" else None
    for _ in range(settings.extra_mask_convolutions):
        block = Conv2dNormActivation(width, width, kernel_size=3, norm_layer=norm)
        nn.init.dirac_(block[0].weight)
        if block[0].bias is not None:
            nn.init.zeros_(block[0].bias)
        head.append(block)


def _freeze(body: Levels, levels: int) -> None:
    """Train nothing up to the end of level number ``levels``: edges and textures are the same on any photo."""
    if levels == 0:
        return
    last = list(body.return_layers)[levels - 1]
    for name, child in body.named_children():
        child.requires_grad_(False)
        if name == last:
            break


def is_folded(tensors: Mapping[str, Tensor]) -> bool:
    """Whether the backbone among ``tensors`` has no batch norm left (see `fold_batch_norm`)."""
    body = [name for name in tensors if name.startswith("backbone.body.")]
    return bool(body) and not any(name.endswith(".running_mean") for name in body)


def fold_batch_norm(module: nn.Module) -> None:
    """Fold each batch norm that directly follows a convolution into it, in place: the same function, frozen.

    With statistics and factors fixed, batch norm is one affine map a channel; folded, it costs nothing.
    """
    before: tuple[str, nn.Module] | None = None
    for name, child in list(module.named_children()):
        if isinstance(child, nn.BatchNorm2d) and before is not None and isinstance(before[1], nn.Conv2d):
            fused = torch.nn.utils.fuse_conv_bn_eval(before[1].eval(), child.eval()).train()
            fused.requires_grad_(True)
            setattr(module, before[0], fused)
            setattr(module, name, nn.Identity())
        else:
            fold_batch_norm(child)
        before = (name, child)
