"""The whole sample world in one folder, rendered once: data set, shop, person photos."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from fittingroom.sample.deepfashion2_set import render_deepfashion2_set
from fittingroom.sample.person_photos import render_person_photos
from fittingroom.sample.shop import Listener, ShopFiles, build_shop, open_shop
from fittingroom.workspace import digest_value, write_json

RENDERER_VERSION = 8
"""Raised with every change that alters a pixel, so that old worlds are rendered again."""


@dataclass(frozen=True)
class WorldSettings:
    """How much of everything. ``frontal`` and ``others`` count photos of the DeepFashion2 set."""

    frontal: int = 350
    others: int = 30
    per_style: int = 24
    height: int = 344
    width: int = 256


@dataclass(frozen=True)
class World:
    """Where everything is: ``dataset`` holds ``image/`` and ``annos/``."""

    root: Path
    dataset: Path
    shop: ShopFiles
    person_photos: tuple[Path, ...]
    digest: str


def build_world(
    root: Path,
    seed: int = 0,
    listener: Listener | None = None,
    settings: WorldSettings | None = None,
    workers: int = 2,
) -> World:
    """Render the world into ``root``, or return at once when this very world is there already.

    An interrupted build is done again whole: the stamp is written last.
    """
    settings = settings or WorldSettings()
    digest = digest_value({"version": RENDERER_VERSION, "seed": seed, **asdict(settings)})
    root = Path(root).absolute()
    stamp = root / "world.json"
    known = _read_stamp(stamp)
    dataset, shop_root, people = root / "deepfashion2", root / "shop", root / "people"
    if known.get("digest") == digest and all((root / name).exists() for name in known.get("people", [])):
        photos = tuple(root / name for name in known["people"])
        return World(root, dataset, open_shop(shop_root), photos, digest)
    _clear(root)
    photos = tuple(render_person_photos(people, seed))
    shop = build_shop(shop_root, seed, settings.per_style, workers=workers, listener=listener)
    render_deepfashion2_set(
        dataset,
        settings.frontal,
        seed,
        others=settings.others,
        height=settings.height,
        width=settings.width,
        workers=workers,
        listener=listener,
    )
    write_json(stamp, {"digest": digest, "people": [photo.relative_to(root).as_posix() for photo in photos]})
    return World(root, dataset, shop, photos, digest)


def _read_stamp(stamp: Path) -> dict[str, list[str] | str]:
    try:
        found = json.loads(stamp.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _clear(root: Path) -> None:
    """Remove only what an earlier build wrote."""
    (root / "world.json").unlink(missing_ok=True)
    for pattern in (
        "deepfashion2/image/*.jpg",
        "deepfashion2/annos/*.json",
        "shop/photos/*/*.jpg",
        "shop/extras/*.jpg",
        "people/*.jpg",
    ):
        for path in root.glob(pattern):
            path.unlink()
