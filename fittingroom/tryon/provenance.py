"""What a result says of itself to machines: that AI changed a part of a photo, which part, and which models did it.

It is an XMP packet (ISO 16684-1) with the properties that IPTC has for this (Photo Metadata Standard 2025.1) and a few
of our own. Nothing in it names a file or a person.
"""

from __future__ import annotations

import base64
import binascii
import io
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from xml.sax.saxutils import quoteattr

import numpy as np
from lxml import etree
from PIL import Image

from fittingroom import __version__
from fittingroom.boxes import Box
from fittingroom.errors import ImageRejected
from fittingroom.images import read_rgb, read_xmp
from fittingroom.masks import Mask, bounding_box
from fittingroom.names import printable
from fittingroom.opening import probe

SOURCE_TYPE = "http://cv.iptc.org/newscodes/digitalsourcetype/compositeWithTrainedAlgorithmicMedia"
"""IPTC's word for a photo of which a trained model made a part."""
_IPTC, _XMP = "http://iptc.org/std/Iptc4xmpExt/2008-02-29/", "http://ns.adobe.com/xap/1.0/"
_RDF, _META = "http://www.w3.org/1999/02/22-rdf-syntax-ns#", "adobe:ns:meta/"
_OWN = "urn:fittingroom:provenance#"
_MOST_WORDS = 2000
"""Characters of what a mark says; our own are some hundreds."""
_PREFIXES = {"Iptc4xmpExt": _IPTC, "xmp": _XMP, "fittingroom": _OWN}


@dataclass(frozen=True)
class MadeBy:
    """What made a result: the style, and of each model by its title (``segmenter``, ``style red-solid``) its version
    (`fittingroom.registry.serving.Serving.version`)."""

    style: str
    models: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Mark:
    """What a picture's mark says.

    Attributes:
        tool: ``Fittingroom`` and its version. models: those of `MadeBy`, as one line.
        box_xyxy: around everything that was changed; None where nothing was, or nothing is said of it.
        mask: bool (H, W) of that box, True where it was changed; None where the box alone is known.
        shrunk_from: width and height of the photo before it was made smaller; None where it was not.
    """

    tool: str
    style: str
    models: str
    box_xyxy: Box | None = None
    mask: Mask | None = None
    shrunk_from: tuple[int, int] | None = None


def write_mark(
    made_by: MadeBy, changed: Mask | None = None, shrunk_from: tuple[int, int] | None = None, with_mask: bool = True
) -> str:
    """The XMP packet of a result.

    Args:
        changed: bool (H, W), True where it may differ from the photo; None for a sheet that shows results.
        shrunk_from: width and height of the photo before it was made smaller.
        with_mask: say of each pixel whether it was changed; in a lossy file, where all are, the box is enough.
    """
    said = {
        "Iptc4xmpExt:DigitalSourceType": SOURCE_TYPE,
        "Iptc4xmpExt:AISystemUsed": "Fittingroom",
        "Iptc4xmpExt:AISystemVersionUsed": __version__,
        "xmp:CreatorTool": f"Fittingroom {__version__}",
        "fittingroom:Style": made_by.style,
        "fittingroom:Models": "; ".join(f"{title}: {version}" for title, version in made_by.models.items()),
    }
    if changed is not None and (box := bounding_box(changed)) is not None:
        said["fittingroom:ChangedBox"] = " ".join(map(str, box))
        if with_mask:
            said["fittingroom:ChangedMask"] = _as_text(changed[box.y1 : box.y2, box.x1 : box.x2])
    if shrunk_from is not None:
        said["fittingroom:ShrunkFrom"] = " ".join(map(str, shrunk_from))
    names = "".join(f' xmlns:{prefix}="{name}"' for prefix, name in _PREFIXES.items())
    facts = "".join(f"\n {name}={quoteattr(value)}" for name, value in said.items())
    return (
        '<?xpacket begin="\N{ZERO WIDTH NO-BREAK SPACE}" id="W5M0MpCehiHzreSzNTczkc9d"?>\n'
        f'<x:xmpmeta xmlns:x="{_META}"><rdf:RDF xmlns:rdf="{_RDF}">\n'
        f'<rdf:Description rdf:about=""{names}{facts}/>\n'
        '</rdf:RDF></x:xmpmeta>\n<?xpacket end="r"?>'
    )


def read_mark(source: Path | bytes) -> Mark | None:
    """The mark of a picture; None where it has none, or one that does not say that AI changed a part of it.

    Raises:
        ImageRejected: not a picture we accept. MissingInputError: no such file.
    """
    said = _properties(read_xmp(source))
    if said.get(f"{{{_IPTC}}}DigitalSourceType") != SOURCE_TYPE:
        return None
    box = _numbers(said.get(f"{{{_OWN}}}ChangedBox", ""), 4)
    size = _numbers(said.get(f"{{{_OWN}}}ShrunkFrom", ""), 2)
    return Mark(
        tool=_words(said.get(f"{{{_XMP}}}CreatorTool", "")),
        style=_words(said.get(f"{{{_OWN}}}Style", "")),
        models=_words(said.get(f"{{{_OWN}}}Models", "")),
        box_xyxy=Box(*box) if box else None,
        mask=_as_mask(said.get(f"{{{_OWN}}}ChangedMask", ""), Box(*box)) if box else None,
        shrunk_from=(size[0], size[1]) if size else None,
    )


def _properties(packet: bytes) -> dict[str, str]:
    """The simple properties of an XMP packet, by their full names; other programs write them as elements."""
    parser = etree.XMLParser(resolve_entities=False, no_network=True, remove_comments=True, remove_pis=True)
    try:
        root = etree.fromstring(packet.strip(b"\0 \n"), parser) if packet else None
    except etree.XMLSyntaxError:
        return {}
    found: dict[str, str] = {}
    for description in () if root is None else root.iter(f"{{{_RDF}}}Description"):
        found |= {str(name): str(value) for name, value in description.attrib.items()}
        found |= {str(child.tag): str(child.text or "").strip() for child in description if not len(child)}
    return found


def _words(text: str) -> str:
    """For people and for what looks things up by it: anybody writes anything into a mark."""
    return printable(text[:_MOST_WORDS])


def _numbers(text: str, count: int) -> list[int]:
    """So many whole numbers; none where the text is no such list."""
    words = text.split()
    return [int(word) for word in words] if len(words) == count and all(map(_is_number, words)) else []


def _is_number(word: str) -> bool:
    return word.isascii() and word.isdigit() and len(word) < 8


def _as_text(mask: Mask) -> str:
    """A mask as PNG of one bit a pixel, in base64."""
    buffer = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(mask)).save(buffer, "PNG")
    return base64.b64encode(buffer.getvalue()).decode()


def _as_mask(text: str, box: Box) -> Mask | None:
    """The mask of the box; one of another size is none, and is not decoded."""
    try:
        data = base64.b64decode(text, validate=True)
        header = probe(data)
        fits = (header.width, header.height) == (box.x2 - box.x1, box.y2 - box.y1)
        return np.asarray(read_rgb(data)[..., 0] > 127) if fits else None
    except (ImageRejected, binascii.Error, ValueError):
        return None
