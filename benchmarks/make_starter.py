"""Makes the package's starter models out of trained weights, once they meet the bars.

    python -m benchmarks.make_starter --segmenter SEG.safetensors --style red-solid=RED.safetensors \
        --category red-solid='short sleeve top' ...

The segmenter's weights come from a training that resumes from the one that ships, on the photos of
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

from fittingroom.appearance.colours import colour_name
from fittingroom.registry.starters import FOLDER, SUMS, TAGS
from fittingroom.segmentation.predict import KIND as SEGMENTER
from fittingroom.style_card import StyleCard
from fittingroom.training.weights import halved, read_weights, save_weights
from fittingroom.translation.evaluate import StyleTarget
from fittingroom.translation.predict import KIND as STYLE
from fittingroom.workspace import digest_file, write_text

MOST_BYTES = 25_000_000
app = typer.Typer(help=__doc__)


@app.command()
def make(
    segmenter: Annotated[
        Path | None, typer.Option(help="A trained segmenter's weights; else the old one stays.")
    ] = None,
    style: Annotated[list[str] | None, typer.Option(help="name=weights; may be repeated.")] = None,
    category: Annotated[list[str] | None, typer.Option(help="name=category; may be repeated.")] = None,
    colour: Annotated[list[str] | None, typer.Option(help="name=colour, where it is not the mean's.")] = None,
    decided: Annotated[
        list[str] | None,
        typer.Option(help="name=factor: choose a pattern's slots so many times more decidedly than was learnt."),
    ] = None,
) -> None:
    """Write the files and say how large they are."""
    categories, colours, factors = (
        dict(pair.split("=", 1) for pair in pairs or ()) for pairs in (category, colour, decided)
    )
    if segmenter is not None:
        _halve(segmenter, SEGMENTER, FOLDER / "segmenter.safetensors", {})
    for name, path in (pair.split("=", 1) for pair in style or ()):
        tags = _tags(name, Path(path), categories.get(name, ""), colours.get(name))
        more = {"name": name, TAGS: tags}
        _halve(Path(path), STYLE, FOLDER / f"style-{name}.safetensors", more, float(factors.get(name, 1)))
    shipped = sorted(FOLDER.glob("*.safetensors"))
    write_text(FOLDER / SUMS, "".join(f"{digest_file(path)}  {path.name}\n" for path in shipped))
    sizes = {path.name: path.stat().st_size for path in shipped}
    print(sizes, f"{sum(sizes.values()):,} bytes in all")
    if sum(sizes.values()) > MOST_BYTES:
        raise SystemExit(f"expected at most {MOST_BYTES:,} bytes")


def _halve(path: Path, kind: str, target: Path, more: dict[str, Any], decided: float = 1.0) -> None:
    file = read_weights(path, kind)
    last = {f"pattern.2.{part}": decided for part in ("weight", "bias")}
    tensors = {name: tensor * last.get(name, 1) for name, tensor in file.tensors.items()}
    kept = {key: file.info[key] for key in ("metrics", "name", "steps", "target") if key in file.info}
    save_weights(target, kind, halved(tensors), file.settings, kept | more)
    target.chmod(0o644)


def _tags(name: str, path: Path, category: str, colour: str | None) -> dict[str, str]:
    """What a registered version of the style would be tagged with. Of several colours ``colour`` names the main one."""
    weights = read_weights(path, STYLE)
    target = StyleTarget.from_json(weights.info["target"])
    if weights.settings.get("random_dyes"):
        return StyleCard(name, "", target.pattern or "", category).to_tags()  # type: ignore[arg-type]
    colours = [lab for lab in target.colours if colour in (None, colour_name(lab))]
    if not colours:
        raise SystemExit(f"{name}: expected {colour} among its colours")
    lab = tuple(float(value) for value in np.mean(colours, axis=0))
    style = StyleCard(name, colour or colour_name(lab), target.pattern or "", category, lab)  # type: ignore[arg-type]
    return style.to_tags()


if __name__ == "__main__":
    app()
