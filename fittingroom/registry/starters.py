"""Starter models: a segmenter and a few styles that answer until the first of one's own serves.

They come with the package: `fittingroom/starter`, with a MODEL_CARD.md.
"""

from __future__ import annotations

from pathlib import Path

from fittingroom.appearance.choose import AvailableStyle
from fittingroom.errors import WeightsRejected
from fittingroom.registry.intact import check_intact
from fittingroom.registry.weights_card import WeightsCard, read_card

FOLDER = Path(__file__).parents[1] / "starter"
SUMS = "SHA256SUMS"
"""Next to the weights: their digests, as ``sha256sum`` writes and checks them."""
WAY_OUT = "install Fittingroom again"
MESSAGE = "with a starter model: train or register your own, and it serves instead (fittingroom/starter/MODEL_CARD.md)"
TAGS = "tags"
"""Where a starter style's weights keep what a registered version has as tags."""


class StarterModels:
    """The models in ``folder``, by default those that come with the package; a folder without any has none."""

    def __init__(self, folder: Path = FOLDER) -> None:
        self.folder = folder

    def segmenter(self) -> Path | None:
        """The segmenter's weights."""
        path = self.folder / "segmenter.safetensors"
        return path if path.is_file() else None

    def style(self, name: str) -> Path | None:
        """A style's weights."""
        path = self.folder / f"style-{name}.safetensors"
        return path if path.is_file() else None

    def check(self, path: Path) -> None:
        """Refuse a starter's weights that are not those that were shipped; nothing is checked where no digests were.

        Raises:
            Damaged: they are not.
        """
        sums = path.parent / SUMS
        lines = sums.read_text(encoding="utf-8").splitlines() if sums.is_file() else []
        for shipped, name in (line.split(maxsplit=1) for line in lines if line.strip()):
            if name == path.name:
                check_intact(path, shipped, "starter model", WAY_OUT)

    def files(self) -> list[Path]:
        """The weights of all of them, by name."""
        segmenter = self.segmenter()
        return [*([segmenter] if segmenter else []), *sorted(self.folder.glob("style-*.safetensors"))]

    def styles(self) -> list[AvailableStyle]:
        """Every style, by name.

        Raises:
            WeightsRejected: a file is damaged.
        """
        return [style_of(path, read_card(path)) for path in self.files() if path.stem != "segmenter"]


def style_of(path: Path, card: WeightsCard) -> AvailableStyle:
    """What a starter style's weights say of it.

    Raises:
        WeightsRejected: they say nothing.
    """
    tags = card.info.get(TAGS)
    if not isinstance(tags, dict):
        raise WeightsRejected(f"{path}: not a starter style: expected {TAGS}")
    return AvailableStyle.from_tags(path.stem.removeprefix("style-"), tags)
