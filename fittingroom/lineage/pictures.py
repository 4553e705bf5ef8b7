"""Pictures by digest: what a prepared picture was cut from, and at which addresses that was found.

Manifests are append-only, so what was kept once is still known when its row says something else by now.
"""

from __future__ import annotations

import contextlib
import json
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from fittingroom.datasets import SELECTION
from fittingroom.errors import InputError, MissingInputError
from fittingroom.manifest import read_lines
from fittingroom.workspace import Workspace, digest_bytes, digest_file

MANIFEST = "manifest.jsonl"
PEOPLE = "people-garments"
"""The folder of prepared pictures that were cut from annotated photos."""
NAME = 32
"""Characters of a digest that name the file made of what has it."""
MOST_GARMENTS = 32
"""Garments of one annotated photo that are looked for."""
_DIGEST = re.compile(r"[0-9a-f]{8,64}")
_KEPT = ("kept", "duplicate", "gone")


@dataclass(frozen=True)
class Crawled:
    """A picture at one address.

    Attributes:
        status: what its crawl says of the address now.
        licence: as its source states it; empty where it states none.
        sha256, source_sha256: of the bytes as stored and as fetched.
    """

    style: str
    address: str
    final_url: str
    page: str
    licence: str
    fetched_at: str
    status: str
    sha256: str
    source_sha256: str
    duplicate_of: str = ""

    def to_json(self) -> dict[str, Any]:
        """As a JSON value."""
        return asdict(self)


@dataclass(frozen=True)
class Cutout:
    """A cut-out: SHA-256 of its file, and of the crawled picture."""

    style: str
    sha256: str
    source_sha256: str
    how: str


@dataclass(frozen=True)
class Picture:
    """A training picture and what it was made of.

    Attributes:
        name: of its file. folder: the style whose it is, or `PEOPLE`; empty where the training did not note it.
        sha256: of its file; empty likewise.
        cutout: what it was prepared from; None where this workspace does not know.
        photo: SHA-256 of the annotated photo it was cut from; empty where it was not.
        addresses: where its picture was crawled from.
    """

    name: str
    folder: str
    sha256: str
    cutout: Cutout | None = None
    photo: str = ""
    addresses: tuple[Crawled, ...] = ()

    @property
    def original(self) -> str:
        """The name without the mark of a mirrored twin."""
        return original_of(self.name)

    @property
    def known(self) -> bool:
        """Whether it is known what it was made of."""
        return bool(self.cutout or self.photo)


@dataclass(frozen=True)
class Origins:
    """Pictures as they came in: SHA-256 of crawled ones, as stored, and of annotated photos."""

    crawled: frozenset[str] = frozenset()
    photos: frozenset[str] = frozenset()

    def __or__(self, other: Origins) -> Origins:
        return Origins(self.crawled | other.crawled, self.photos | other.photos)


def original_of(name: str) -> str:
    """The name of a prepared picture's file without suffix and the mark of a mirrored twin."""
    return Path(name).stem.removesuffix("_flip")


class Pictures:
    """All pictures that a workspace's manifests and datasets speak of; each kind is read when it is first asked for."""

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace

    @cached_property
    def crawled(self) -> list[Crawled]:
        """Every picture at every address that was ever stored, or was the same as one that was."""
        found: dict[tuple[str, str, str], Crawled] = {}
        now: dict[tuple[str, str], str] = {}
        for style, line in self._lines("crawl"):
            address, status, sha256 = (str(line.get(name, "")) for name in ("key", "status", "sha256"))
            now[style, address] = status
            known = found.get((style, address, sha256))
            if sha256 and (status in _KEPT or known is None):
                facts = ("final_url", "page", "licence", "fetched_at", "status", "sha256", "source_sha256")
                told = {name: str(line.get(name, "")) for name in (*facts, "duplicate_of")}
                found[style, address, sha256] = Crawled(style, address, **told)
        return [replace(one, status=now[one.style, one.address]) for one in found.values()]

    @cached_property
    def cutouts(self) -> dict[str, Cutout]:
        """Every cut-out that was ever made, by the first `NAME` characters of its digest."""
        return {
            line["sha256"][:NAME]: Cutout(style, line["sha256"], line.get("source_sha256", ""), line.get("detail", ""))
            for style, line in self._lines("cutouts")
            if line.get("status") == "kept" and line.get("sha256")
        }

    @cached_property
    def photos(self) -> dict[str, str]:
        """The annotated photo that a garment was cut from, by the name of the garment's picture."""
        return {
            digest_bytes(f"{photo} {number}".encode())[:NAME]: photo
            for photo in self._photo_digests
            for number in range(MOST_GARMENTS)
        }

    @cached_property
    def _photo_digests(self) -> set[str]:
        found: set[str] = set()
        for path in sorted((self.workspace.root / "datasets").glob(f"*/{SELECTION}")):
            with contextlib.suppress(OSError, ValueError, TypeError, KeyError, AttributeError):  # one that is damaged
                digests = json.loads(path.read_text(encoding="utf-8"))["digests"]
                found |= {str(digest["image"]) for digest in digests.values()}
        return found

    @cached_property
    def _by_digest(self) -> dict[str, list[Crawled]]:
        found: dict[str, list[Crawled]] = defaultdict(list)
        for one in self.crawled:
            found[one.sha256].append(one)
        return found

    def made_of(self, name: str, folder: str = "", sha256: str = "") -> Picture:
        """The training picture of that file name, with all that is known of where it came from."""
        picture, original = Picture(name, folder, sha256), original_of(name)
        if cutout := self.cutouts.get(original):
            addresses = tuple(self._by_digest.get(cutout.source_sha256, ()))
            return replace(picture, cutout=cutout, folder=folder or cutout.style, addresses=addresses)
        if photo := self.photos.get(original):
            return replace(picture, photo=photo, folder=folder or PEOPLE)
        return picture

    def names_of(self, origins: Origins) -> set[str]:
        """Names (without suffix and mark of a twin) of all training pictures that were ever made of these."""
        names = {name for name, cutout in self.cutouts.items() if cutout.source_sha256 in origins.crawled}
        return names | {name for name, photo in self.photos.items() if photo in origins.photos}

    def addresses_of(self, origins: Origins) -> list[Crawled]:
        """Every address that any of these had, in every style."""
        return [one for one in self.crawled if one.sha256 in origins.crawled]

    def find(self, what: str) -> Origins:
        """The picture that ``what`` means: an address, a digest (8 characters or more) of the picture or of anything
        made of it, or the path of such a file. The same picture under other addresses goes with it.

        Raises:
            MissingInputError: none is known. InputError: a digest's start that several have.
        """
        path = Path(what).expanduser()
        digest = digest_file(path) if path.is_file() else what.lower() if _DIGEST.fullmatch(what.lower()) else ""
        name = original_of(path.name)
        digests = {digest, name if len(name) in (NAME, 2 * NAME) and _DIGEST.fullmatch(name) else ""} - {""}
        addresses = {what, str(path.absolute())}
        crawled = {one.sha256 for one in self.crawled if addresses & {one.address, one.final_url}}
        photos: set[str] = set()
        for start in digests:
            crawled |= {one.sha256 for one in self.crawled if _begins(start, one.sha256, one.source_sha256)}
            cut = {cut.sha256[:NAME] for cut in self.cutouts.values() if cut.sha256.startswith(start)}
            cut |= {of[:NAME] for own, of in self._prepared() if own.startswith(start)}
            crawled |= {self.cutouts[name].source_sha256 for name in cut if name in self.cutouts}
            photos |= {photo for photo in self._photo_digests if photo.startswith(start)}
            photos |= {photo for garment, photo in self.photos.items() if garment.startswith(start)}
        count, found = len(crawled | photos), Origins(self._same(crawled), frozenset(photos))
        if not found.crawled and not found.photos:
            raise MissingInputError("picture", what, "no crawl, cut-out or dataset of this workspace has it")
        if count > 1 and 0 < len(digest) < NAME:
            raise InputError(f"picture {what}: expected a digest that one picture has, {count} begin so")
        return found

    def _same(self, digests: Iterable[str]) -> frozenset[str]:
        """With those that crawls took for the same picture, of any style, and smaller copies of it."""
        found: set[str] = set()
        more = set(digests)
        while more:
            found |= more
            keepers = {(one.style, one.duplicate_of or one.address) for one in self.crawled if one.sha256 in more}
            sources = {one.source_sha256 for one in self.crawled if one.sha256 in more} - {""}
            more = {
                one.sha256
                for one in self.crawled
                if (one.style, one.duplicate_of or one.address) in keepers or one.source_sha256 in sources
            } - found
        return frozenset(found)

    def _prepared(self) -> Iterator[tuple[str, str]]:
        """Digests of prepared pictures and of the cut-outs they were made of."""
        for _, line in self._lines("prepared"):
            if line.get("sha256") and line.get("source_sha256"):
                yield line["sha256"], line["source_sha256"]

    def _lines(self, stage: str) -> Iterator[tuple[str, dict[str, Any]]]:
        for path in sorted((self.workspace.root / stage).glob(f"*/{MANIFEST}")):
            for line in read_lines(path):
                yield path.parent.name, {name: value for name, value in line.items() if isinstance(value, str)}


def _begins(start: str, *digests: str) -> bool:
    return any(digest.startswith(start) for digest in digests)
