"""Where the pictures of a document lie: beside it, or in one of the folders that annotation tools put them in.

COCO has ``annotations/instances_train2017.json`` beside ``train2017/``, CVAT ``images/default/``, Roboflow the document
among the pictures, Label Studio ``images/``, FiftyOne ``data/``, labelme's converter ``JPEGImages/``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from fittingroom.annotations.pictures import Pictures, folders_in
from fittingroom.names import name_key

_USUAL = ("image", "images", "img", "imgs", "jpegimages", "data", "photos", "pictures")
"""Folders of pictures, and folders of such folders (one for each split)."""
_OF_DOCUMENTS = ("annotations", "annotation", "annos", "ann", "labels", "json", "via", "coco")
"""Folders that hold documents: what lies beside them belongs to the same set."""
SAMPLE = 20
"""Pictures of a document that are looked for."""


def folder_of_pictures(document: Path, names: Sequence[object]) -> Path | None:
    """The folder that has most of the pictures ``names``; of several alike the one named like the document, or else
    the nearest. None when no folder has any.
    """
    wanted = [name for name in names if isinstance(name, str) and name]
    best, most = None, (0, 0, False)
    for folder in _candidates(document.resolve().parent):
        pictures = Pictures(folder)
        found = [(name, spelt) for name in wanted if (spelt := pictures.find(name)) is not None]
        in_place = sum(name_key(name) == name_key(spelt) for name, spelt in found)
        score = len(found), in_place, name_key(folder.name) in name_key(document.stem)
        if score > most:
            best, most = folder, score
    return best


def _candidates(parent: Path) -> Iterator[Path]:
    beside = [parent]
    if name_key(parent.name) in _OF_DOCUMENTS and parent.parent != parent:
        beside.append(parent.parent)
    for folder in beside:
        inner = folders_in(folder)
        usual = [folder / name for known in _USUAL for name in inner if name_key(name) == known]
        yield from usual
        yield folder
        yield from (folder / name for name in inner if name_key(name) not in _USUAL)
        yield from (group / name for group in usual for name in folders_in(group))
    if len(beside) == 1 and parent.parent != parent:
        yield from (parent.parent / name for name in folders_in(parent.parent) if name_key(name) in _USUAL[:2])
