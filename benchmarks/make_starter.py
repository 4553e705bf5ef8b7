"""Makes the package's starter models out of trained weights, once they meet the bars.

    python -m benchmarks.make_starter --segmenter SEG.safetensors --style red-solid=RED.safetensors \
        --category red-solid='short sleeve top' ...

The segmenter's weights come from a training that goes on from the one that ships, on the photos of
`benchmarks.starter_split`, and are measured on those it keeps for the end:

    python -m benchmarks.starter_split CCP SPLIT
    fittingroom train segmenter --dataset SPLIT/training --preset cpu --out OUT --no-register \
        --weights fittingroom/starter/segmenter.safetensors --set max_minutes=100 \
        --set box_samples=32 --set precision=no --set seed=2
    fittingroom evaluate segmenter --dataset SPLIT/final --weights OUT/weights.safetensors

Writes half-precision weights into ``fittingroom/starter``: the tensors, the settings that rebuild the network, figures,
and a style's tags; nothing of the machine they were trained on. What they were trained on stands in MODEL_CARD.md.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

import fittingroom.starter as starter
from fittingroom.segmentation.predict import KIND as SEGMENTER
from fittingroom.styles.choose import AvailableStyle
from fittingroom.styles.colours import colour_name
from fittingroom.training.weights import halved, read_weights, save_weights
from fittingroom.translation.evaluate import StyleTarget
from fittingroom.translation.predict import KIND as STYLE
from fittingroom.workspace import digest_file, write_text

MOST_BYTES = 20_000_000
FOLDER = Path(starter.__file__).parent
app = typer.Typer(help=__doc__)


@app.command()
def make(
    segmenter: Annotated[Path, typer.Option(help="A trained segmenter's weights.")],
    style: Annotated[list[str] | None, typer.Option(help="name=weights; may be repeated.")] = None,
    category: Annotated[list[str] | None, typer.Option(help="name=category; may be repeated.")] = None,
    colour: Annotated[list[str] | None, typer.Option(help="name=colour, where it is not the mean's.")] = None,
) -> None:
    """Write the files and say how large they are."""
    categories, colours = (dict(pair.split("=", 1) for pair in pairs or ()) for pairs in (category, colour))
    _halve(segmenter, SEGMENTER, FOLDER / "segmenter.safetensors", {})
    for name, path in (pair.split("=", 1) for pair in style or ()):
        tags = _tags(name, Path(path), categories.get(name, ""), colours.get(name))
        _halve(Path(path), STYLE, FOLDER / f"style-{name}.safetensors", {"name": name, starter.TAGS: tags})
    shipped = sorted(FOLDER.glob("*.safetensors"))
    write_text(FOLDER / starter.SUMS, "".join(f"{digest_file(path)}  {path.name}\n" for path in shipped))
    sizes = {path.name: path.stat().st_size for path in shipped}
    print(sizes, f"{sum(sizes.values()):,} bytes in all")
    if sum(sizes.values()) > MOST_BYTES:
        raise SystemExit(f"expected at most {MOST_BYTES:,} bytes")


def _halve(path: Path, kind: str, target: Path, more: dict[str, Any]) -> None:
    file = read_weights(path, kind)
    kept = {key: file.info[key] for key in ("metrics", "name", "steps", "target") if key in file.info}
    save_weights(target, kind, halved(file.tensors), file.settings, kept | more)
    target.chmod(0o644)


def _tags(name: str, path: Path, category: str, colour: str | None) -> dict[str, str]:
    """What a registered version of the style would be tagged with. Of several colours ``colour`` names the main one."""
    target = StyleTarget.from_json(read_weights(path, STYLE).info["target"])
    colours = [lab for lab in target.colours if colour in (None, colour_name(lab))]
    if not colours:
        raise SystemExit(f"{name}: expected {colour} among its colours")
    lab = tuple(float(value) for value in np.mean(colours, axis=0))
    style = AvailableStyle(name, colour or colour_name(lab), target.pattern or "", category, lab)  # type: ignore[arg-type]
    return style.to_tags()


if __name__ == "__main__":
    app()
