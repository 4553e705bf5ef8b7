"""What a registered version learnt from and was judged on, as its training noted it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, get_args

from fittingroom.datasets import PICTURES
from fittingroom.registry.registry import ModelVersion, Registry

Use = Literal["learnt_from", "held_out"]
USES: tuple[Use, ...] = get_args(Use)
NOT_NOTED = "it was registered before versions noted what they learnt from, or by hand"


@dataclass(frozen=True)
class Listed:
    """One picture of a training.

    Attributes:
        domain: ``source`` (garments to change), ``target`` (the style's) or ``photos`` (a segmenter's).
        name: its file's, or the digest of an annotated photo. folder, sha256: empty in older lists.
    """

    domain: str
    use: Use
    name: str
    folder: str = ""
    sha256: str = ""


def pictures_of(registry: Registry, version: ModelVersion) -> list[Listed] | None:
    """Every picture of a version's training; None where nothing was noted.

    Raises:
        StorageUnavailable: the registry does not answer.
    """
    data = registry.artifact(version, PICTURES)
    try:
        return list(_listed(data)) if data is not None else None
    except (ValueError, TypeError, AttributeError):
        return None


def _listed(data: bytes) -> Iterator[Listed]:
    for domain, told in json.loads(data).items():
        folders, digests = told.get("folders", {}), told.get("digests", {})
        for use in USES:
            for name in told.get(use, []):
                yield Listed(domain, use, str(name), str(folders.get(name, "")), str(digests.get(name, "")))
