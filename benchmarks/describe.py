"""How often is the style describer's pattern right? And how its network is fitted.

    python benchmarks/describe.py evaluate GARMENTS [FABRICS]     5-fold, split by file; prints JSON
    python benchmarks/describe.py fit GARMENTS [FABRICS]          writes fittingroom/styles/pattern_model.json

GARMENTS holds photos of single garments named as in describe_labels.csv (the CC0 "clothing dataset" of A. Grigorev;
labels were given by eye, garments of no clear pattern left out). FABRICS holds one folder of close-ups per pattern:
checkered, dotted, floral, solid, striped. Each garment is cut out by `fittingroom.cutout`; refused ones are counted
and left out. Training adds mirrored garments, fabrics, and solid garments with rendered dots, stripes and checks;
figures are of unaltered photos only, and nothing made from a held-out file is trained on.
"""

from __future__ import annotations

import csv
import json
import sys
import time
import warnings
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import StratifiedGroupKFold
from sklearn.neural_network import MLPClassifier
from sklearn.preprocessing import StandardScaler

from fittingroom.cutout import Refused, cut_out
from fittingroom.images import read_rgb
from fittingroom.styles.pattern_features import pattern_features
from fittingroom.styles.patterns import LIMIT, PATTERN_NAMES

HERE = Path(__file__).resolve().parent
MODEL = HERE.parent / "fittingroom" / "styles" / "pattern_model.json"
FABRICS = {"checkered": "checked", "dotted": "dotted", "floral": "floral", "solid": "solid", "striped": "striped"}
WEIGHTS = {"photo": 1.0, "mirrored": 1.0, "rendered": 0.35, "fabric": 0.7}
HIDDEN, DECAY, EPOCHS, SEED = 32, 3.0, 60, 0

Rows = tuple[NDArray[np.float32], NDArray[Any], NDArray[Any], NDArray[Any]]


def render(image: NDArray[np.uint8], mask: NDArray[np.bool_], kind: str, random: np.random.Generator) -> Any:
    """A solid garment with dots, stripes or checks of another colour, its folds and shadows kept."""
    height, width = mask.shape
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    period = width * random.uniform(0.025, 0.11)
    turn = random.normal(0, 0.15) + random.choice([0, np.pi / 2, np.pi / 4], p=[0.45, 0.45, 0.1])
    waves = cv2.GaussianBlur(random.normal(0, 1, (height, width)).astype(np.float32), (0, 0), width * 0.08)
    y = y + waves * width * 0.015 * period
    u, v = x * np.cos(turn) + y * np.sin(turn), -x * np.sin(turn) + y * np.cos(turn)
    duty = random.uniform(0.2, 0.6)
    if kind == "striped":
        paint = ((u / period) % 1 < duty).astype(np.float32)
    elif kind == "checked":
        paint = 0.5 * ((u / period) % 1 < duty) + 0.5 * ((v / period) % 1 < duty)
    else:
        radius = random.uniform(0.16, 0.38) * period
        shift = (np.floor(v / period) % 2) * period / 2 * (random.random() < 0.6)
        near = ((u + shift) % period - period / 2) ** 2 + (v % period - period / 2) ** 2
        paint = (near < radius**2).astype(np.float32)
    paint = cv2.GaussianBlur(np.asarray(paint, np.float32), (0, 0), 0.7)[..., None]
    light = image.astype(np.float32).mean(axis=2, keepdims=True)
    base = np.median(image[mask], axis=0)
    colour = np.full(3, 235.0 if base.mean() < 128 else 20.0)
    for _ in range(20):
        tried = random.uniform(0, 255, 3)
        if np.abs(tried - base).max() > 60 and random.random() < 0.6:
            colour = tried
            break
    painted = np.clip(colour * np.clip(light / (np.median(light[mask]) + 1), 0.3, 1.6), 0, 255)
    return np.where(mask[..., None], image * (1 - paint) + painted * paint, 255).astype(np.uint8)


def collect(garments: Path, fabrics: Path | None) -> tuple[Rows, dict[str, Any]]:
    """Features, labels, source files and kinds of every training picture."""
    random = np.random.default_rng(SEED)
    found: list[tuple[NDArray[np.float32], str, str, str]] = []
    refused, missing, milliseconds, solids = 0, 0, [], 0
    with (HERE / "describe_labels.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        path = garments / row["file"]
        if not path.is_file():
            missing += 1
            continue
        try:
            cutout = cut_out(read_rgb(path))
        except Refused:
            refused += 1
            continue
        image, mask, label = cutout.rgba[..., :3], cutout.mask, row["pattern"]
        start = time.process_time()
        features = pattern_features(image, mask)
        milliseconds.append(1000 * (time.process_time() - start))
        found.append((features, label, row["file"], "photo"))
        mirrored = pattern_features(np.ascontiguousarray(image[:, ::-1]), np.ascontiguousarray(mask[:, ::-1]))
        found.append((mirrored, label, row["file"], "mirrored"))
        if label == "solid":
            solids += 1
            for kind in ("dotted", "dotted", "striped", "checked")[: 4 if solids % 2 else 1]:
                features = pattern_features(render(image, mask, kind, random), mask)
                found.append((features, kind, row["file"], "rendered"))
    for folder, label in FABRICS.items() if fabrics else ():
        for path in sorted((fabrics / folder).iterdir() if fabrics else ()):
            image = read_rgb(path)
            features = pattern_features(image, np.ones(image.shape[:2], bool))
            found.append((features, label, path.name, "fabric"))
    features_, labels, files, kinds = (np.array(column) for column in zip(*found, strict=True))
    facts = {"refused": refused, "missing": missing, "feature_ms_median": round(float(np.median(milliseconds)), 1)}
    return (features_, labels, files, kinds), facts


def fitted(features: NDArray[np.float32], labels: NDArray[Any], kinds: NDArray[Any]) -> dict[str, Any]:
    """The network as `fittingroom.styles.patterns` reads it."""
    scaler = StandardScaler().fit(features)
    standard = np.clip(scaler.transform(features), -LIMIT, LIMIT)
    weights = np.array([WEIGHTS[kind] for kind in kinds])
    drawn = np.random.default_rng(SEED).choice(len(labels), 2 * len(labels), p=weights / weights.sum())
    numbers = np.array([PATTERN_NAMES.index(label) for label in labels])
    warnings.simplefilter("ignore", ConvergenceWarning)  # stopped early on purpose
    network = MLPClassifier(
        (HIDDEN,), alpha=DECAY, max_iter=EPOCHS, learning_rate_init=2e-3, random_state=SEED, tol=0.0
    ).fit(standard[drawn], numbers[drawn])
    arrays = {
        "mean": scaler.mean_,
        "scale": scaler.scale_,
        "hidden": network.coefs_[0],
        "hidden_bias": network.intercepts_[0],
        "output": network.coefs_[1],
        "output_bias": network.intercepts_[1],
    }
    rounded = {name: [_short(row) for row in array] for name, array in arrays.items()}
    return {"classes": list(PATTERN_NAMES), **rounded}


def _short(value: Any) -> Any:
    return [_short(one) for one in value] if np.ndim(value) else float(f"{float(value):.4g}")


def evaluate(rows: Rows) -> dict[str, Any]:
    """Accuracy over five folds, each file held out once, on its unaltered photo."""
    from fittingroom.styles.patterns import PatternModel

    features, labels, files, kinds = rows
    said = np.empty(len(labels), object)
    for train, test in StratifiedGroupKFold(5, shuffle=True, random_state=SEED).split(features, labels, files):
        values = fitted(features[train], labels[train], kinds[train])
        model = PatternModel(**{k: np.asarray(v, np.float64) for k, v in values.items() if k != "classes"})
        for index in test:
            said[index] = PATTERN_NAMES[int(model.probabilities(features[index]).argmax())]
    report: dict[str, Any] = {}
    for kind in ("photo", "fabric", "rendered"):
        chosen = kinds == kind
        if chosen.any():
            report[kind] = {"pictures": int(chosen.sum()), "right": _share(said[chosen] == labels[chosen])}
    photos = kinds == "photo"
    report["per_pattern"] = {
        name: {
            "pictures": int((photos & (labels == name)).sum()),
            "right": _share(said[photos & (labels == name)] == name),
            "said": {other: int((said[photos & (labels == name)] == other).sum()) for other in PATTERN_NAMES},
        }
        for name in PATTERN_NAMES
    }
    return report


def _share(right: NDArray[Any]) -> float:
    return round(float(np.mean(right)), 4) if len(right) else 0.0


def main(arguments: list[str]) -> int:
    """Run as the module says."""
    if len(arguments) not in (2, 3) or arguments[0] not in ("evaluate", "fit"):
        print(__doc__, file=sys.stderr)
        return 2
    fabrics = Path(arguments[2]) if len(arguments) == 3 else None
    rows, facts = collect(Path(arguments[1]), fabrics)
    if arguments[0] == "evaluate":
        print(json.dumps(facts | evaluate(rows), indent=2))
        return 0
    model = fitted(rows[0], rows[1], rows[3])
    MODEL.write_text(json.dumps(model, separators=(",", ":")).replace('],"', '],\n"') + "\n", encoding="utf-8")
    print(f"{MODEL}: {MODEL.stat().st_size:,} bytes, fitted on {len(rows[1])} pictures")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
