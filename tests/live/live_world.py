"""A world small enough to be crawled, trained and tried on in seconds, with the real library and the real models."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from fittingroom.images import RGB, encode_jpeg, write_png
from fittingroom.registry.registry import SEGMENTER, Registry, style_model
from fittingroom.segmentation.settings import SegmenterSettings
from fittingroom.workspace import Workspace, write_json

STYLES = {"crimson": (185, 30, 40), "blue-solid": (40, 60, 170)}
STYLE = "crimson"
TINY_STYLE: dict[str, Any] = {
    "image_size": 64,
    "crop_size": 32,
    "filters": 4,
    "blocks": 1,
    "reverse_filters": 4,
    "reverse_blocks": 1,
    "discriminator_filters": 4,
    "discriminator_layers": 2,
    "batch_size": 2,
    "pool_size": 6,
    "epochs": 3,
    "steps_per_epoch": 20,
    "checkpoint_steps": 4,
    "sample_steps": 30,
    "report_steps": 1,
    "held_out": 2,
    "precision": "no",
}
TINY_SEGMENTER: dict[str, Any] = {
    "backbone": "small",
    "start": "scratch",
    "norm": "trained",
    "frozen_levels": 0,
    "small_channels": 8,
    "fpn_channels": 16,
    "box_features": 32,
    "mask_channels": 8,
    "mask_convolutions": 1,
    "extra_mask_convolutions": 1,
    "mask_pool_size": 7,
    "anchor_sizes": ((16,), (32,), (64,), (96,)),
    "proposals_from_level": 0,
    "short_side": 96,
    "long_side": 128,
    "proposals": 20,
    "proposal_samples": 16,
    "box_samples": 8,
    "epochs": 8,
    "batch_size": 2,
    "learning_rate": 2e-3,
    "warmup_steps": 2,
    "precision": "no",
    "score_threshold": 0.05,
}


@dataclass(frozen=True)
class World:
    """Where the catalog, the photos and the workspace are."""

    root: Path

    @property
    def workspace(self) -> Workspace:
        """Everything the pipeline writes."""
        return Workspace(self.root / "w")

    @property
    def catalog(self) -> Path:
        """The catalog file."""
        return self.root / "catalog.yaml"

    @property
    def persons(self) -> Path:
        """Photos of people."""
        return self.root / "persons"

    def training(self, **settings: Any) -> dict[str, Any]:
        """Parameters of train-style."""
        return {"style": STYLE, "preset": "demo", "device": "cpu", "settings": TINY_STYLE | settings}

    def copy(self, root: Path) -> World:
        """The same world elsewhere, times of change included; records in it stay sound."""
        shutil.copytree(self.root, root, dirs_exist_ok=True)
        return World(root)

    def make_models_serve(self) -> None:
        """Train a segmenter on a handful of photos, and let it and the style serve whatever their gates say."""
        self.make_segmenter_serve()
        registry = Registry(self.workspace)
        registry.promote(style_model(STYLE), registry.versions(style_model(STYLE))[0].version, "for a test")

    def make_segmenter_serve(self) -> None:
        """Train a segmenter on a handful of photos, and let it serve whatever its gate says."""
        import torch

        from fittingroom.segmentation.train import train_segmenter

        torch.set_num_threads(1)  # as in processes.py: so small a network is slower on several
        dataset = write_dataset(self.root / "dataset")
        settings = SegmenterSettings(**TINY_SEGMENTER)
        trained = train_segmenter(dataset, self.workspace.training(SEGMENTER), settings, device="cpu")
        registry = Registry(self.workspace)
        version = registry.register(
            SEGMENTER, trained.weights, trained.metrics, {"dataset": "tiny"}, settings.to_json()
        )
        registry.promote(SEGMENTER, version.version, "for a test")


def build_world(root: Path, pictures: int = 8, persons: int = 3) -> World:
    """A catalog of two styles with folders of pictures, and photos of people."""
    lines = ["styles:"]
    for name, colour in STYLES.items():
        folder = root / "captured" / name
        folder.mkdir(parents=True)
        for number in range(pictures):
            (folder / f"{number}.jpg").write_bytes(encode_jpeg(shirt(number, colour)))
        lines += [f"  - name: {name}", "    category: short sleeve top", f"    colour: {name.split('-')[0]}"]
        lines += ["    pattern: solid", f"    sources: [{{kind: folder, path: captured/{name}}}]"]
    (root / "catalog.yaml").write_text("\n".join(lines) + "\n", encoding="utf-8")
    for number in range(persons):
        photo, _ = person(number)
        write_png(root / "persons" / f"person-{number}.png", photo)
    return World(root)


OUTLINE = [[90, 80], [150, 70], [210, 70], [270, 80], [330, 170], [285, 195], [265, 150], [265, 350], [95, 350]]
OUTLINE += [[95, 150], [75, 195], [30, 170]]


def shirt(number: int, colour: tuple[int, int, int]) -> RGB:
    """A shirt on a plain ground, (400, 360, 3), with patches of its own, else the crawler takes all for one picture."""
    image = np.full((400, 360, 3), 225, np.uint8)
    cv2.fillPoly(image, [np.array(OUTLINE, np.int32)], colour)
    chance = np.random.default_rng(number)
    for _ in range(6):
        x, y = int(chance.integers(105, 215)), int(chance.integers(90, 300))
        shade = float(chance.uniform(0.6, 0.95))
        cv2.rectangle(image, (x, y), (x + 40, y + 40), tuple(int(c * shade) for c in colour), -1)
    return image


def person(number: int) -> tuple[RGB, np.ndarray]:
    """Somebody in a coloured shirt before a grey wall, (192, 144, 3), and the shirt's corners."""
    chance = np.random.default_rng(1000 + number)
    image = chance.integers(110, 140, (192, 144, 3)).astype(np.uint8)
    corners = (np.array(OUTLINE) * 0.32 + [14 + int(chance.integers(0, 12)), 28]).astype(np.int32)
    colour = [(60, 140, 70), (200, 180, 60), (150, 60, 150), (230, 230, 230)][number % 4]
    cv2.circle(image, (int(corners[:, 0].mean()), 28), 18, (215, 175, 150), -1)
    cv2.fillPoly(image, [corners], colour)
    return image, corners


def write_dataset(folder: Path, train: int = 12, validation: int = 3) -> Path:
    """A dataset folder of such people, as convert-annotations would write it."""
    names: dict[str, list[str]] = {"train": [], "validation": []}
    for split, numbers in (("train", range(train)), ("validation", range(train, train + validation))):
        coco: dict[str, Any] = {"images": [], "annotations": [], "categories": []}
        for number in numbers:
            image, corners = person(number)
            name = f"{number:03d}.png"
            write_png(folder / "photos" / name, image)
            height, width = image.shape[:2]
            coco["images"].append({"id": number + 1, "file_name": name, "height": height, "width": width})
            coco["annotations"].append(
                {
                    "id": number + 1,
                    "image_id": number + 1,
                    "category_id": 1,
                    "segmentation": [[float(value) for value in corners.ravel()]],
                    "iscrowd": 0,
                    "scale": 3,
                    "occlusion": 1,
                    "zoom_in": 1,
                    "viewpoint": 2,
                }
            )
            names[split].append(name)
        write_json(folder / f"{split}.json", coco)
    selection = {"images_dir": str(folder / "photos"), "settings": {}, **names, "digests": {}}
    write_json(folder / "selection.json", selection)
    return folder
