"""Starter models: a segmenter and a few styles that answer until the first of one's own serves. See MODEL_CARD.md."""

from __future__ import annotations

from pathlib import Path

from fittingroom.errors import WeightsRejected
from fittingroom.styles.choose import AvailableStyle
from fittingroom.styles.weights_card import read_card

MESSAGE = "with a starter model: train or register your own, and it serves instead (fittingroom/starter/MODEL_CARD.md)"
TAGS = "tags"
"""Where a starter style's weights keep what a registered version has as tags."""


class StarterModels:
    """The models in ``folder``, by default those that come with the package; a folder without any has none."""

    def __init__(self, folder: Path = Path(__file__).parent) -> None:
        self.folder = folder

    def segmenter(self) -> Path | None:
        """The segmenter's weights."""
        path = self.folder / "segmenter.safetensors"
        return path if path.is_file() else None

    def style(self, name: str) -> Path | None:
        """A style's weights."""
        path = self.folder / f"style-{name}.safetensors"
        return path if path.is_file() else None

    def styles(self) -> list[AvailableStyle]:
        """Every style, by name.

        Raises:
            WeightsRejected: a file is damaged.
        """
        return [_described(path) for path in sorted(self.folder.glob("style-*.safetensors"))]


def _described(path: Path) -> AvailableStyle:
    tags = read_card(path).info.get(TAGS)
    if not isinstance(tags, dict):
        raise WeightsRejected(f"{path}: not a starter style: expected {TAGS}")
    return AvailableStyle.from_tags(path.stem.removeprefix("style-"), tags)
