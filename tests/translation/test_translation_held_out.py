"""Real weights through the gate: what learnt nothing fails the floors, and both sides see the same garments."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from fittingroom.errors import MissingInputError
from fittingroom.images import RGB
from fittingroom.masks import Mask
from fittingroom.registry.gates import style_floors, style_gate
from fittingroom.registry.trial import hold_trial
from fittingroom.translation.evaluate import StyleTarget, evaluate_translator
from fittingroom.translation.held_out import held_out_of
from fittingroom.translation.predict import Translator
from fittingroom.translation.result import StyleTraining, read_pictures
from fittingroom.translation.settings import preset
from fittingroom.translation.train import train_style
from tests.translation.style_builders import GREYS, REDS, TINY, write_garments

SIZES = TINY.keys() - {"batch_size", "pool_size", "epochs", "steps_per_epoch", "checkpoint_steps", "sample_steps"}
SMALL = {name: TINY[name] for name in SIZES - {"discriminator_layers", "report_steps", "identity_every"}}


def trained(folder: Path, steps: int) -> StyleTraining:
    """The demo's recipe in small: a palette generator, so that the first step paints red already."""
    if not (folder / "red").exists():
        write_garments(folder / "red", 8, REDS)
        write_garments(folder / "grey", 40, GREYS)
    settings = preset("demo").with_overrides(
        **SMALL, epochs=1, steps_per_epoch=steps, sample_steps=steps, checkpoint_steps=steps
    )
    return train_style("red", folder / "grey", folder / "red", folder / f"out-{steps}", settings, device="cpu")


class Identity(Translator):
    """Gives its input back."""

    def __init__(self, size: int) -> None:
        self._size = size

    @property
    def size(self) -> int:
        """Side of its pictures."""
        return self._size

    def raw(self, images: list[RGB], masks: list[Mask]) -> list[RGB]:  # type: ignore[override]  # noqa: ARG002
        """Those."""
        return list(images)


def test_a_model_of_two_steps_fails_the_floors_of_every_preset_though_its_figures_are_fine(tmp_path: Path) -> None:
    metrics = trained(tmp_path, 2).metrics
    for name in ("demo", "cpu", "standard", "recipe"):
        verdict = style_gate(metrics, floors=style_floors(name))
        assert not verdict.passed
        short = [reason for reason in verdict.reasons if " is not " in reason]
        assert short == [f"steps it learnt from 2 is not at least {style_floors(name).steps_at_least:g}"]
    learnt = trained(tmp_path, 30).metrics
    assert style_gate(learnt, floors=style_floors("demo")).passed, learnt


@pytest.mark.parametrize("colours", [GREYS, [(120, 90, 80)]], ids=["mixed garments", "garments not far from red"])
def test_an_identity_fails_the_floors_of_every_preset(tmp_path: Path, colours: list[tuple[int, int, int]]) -> None:
    pictures = write_garments(tmp_path / "grey", 6, colours)
    target = StyleTarget.of_pictures(write_garments(tmp_path / "red", 6, REDS), 64)
    metrics = evaluate_translator(Identity(64), pictures, target).metrics
    assert metrics["luminance_ssim"] == pytest.approx(1.0), "nothing keeps folds so well"
    assert metrics["colour_moved"] == pytest.approx(0.0)
    for name in ("demo", "cpu", "standard", "recipe"):
        assert not style_gate(metrics, floors=style_floors(name)).passed


def test_a_training_lists_what_it_learnt_from_and_both_sides_are_measured_on_what_it_kept_back(tmp_path: Path) -> None:
    write_garments(tmp_path / "red", 9, [*REDS, (40, 60, 170), *REDS])  # every fifth is blue
    write_garments(tmp_path / "grey", 40, GREYS)
    settings = preset("demo").with_overrides(
        **SMALL, epochs=1, steps_per_epoch=4, sample_steps=4, checkpoint_steps=4, target_spread=15.0
    )
    new = train_style("red", tmp_path / "grey", tmp_path / "red", tmp_path / "new", settings, device="cpu")
    listed = read_pictures(tmp_path / "new")
    assert len(listed["source"]["learnt_from"]) == 38
    assert len(listed["source"]["held_out"]) == 2
    assert not set(listed["source"]["held_out"]) & set(listed["source"]["learnt_from"])
    left = listed["target"]["left_out"]
    assert {row["picture"] for row in left} == {f"{number:032x}.png" for number in (2, 7)}
    assert all("CIEDE2000" in row["reason"] for row in left)
    assert len(listed["target"]["learnt_from"]) == 7

    measure = held_out_of(tmp_path / "new", [tmp_path / "elsewhere", tmp_path / "grey"], "cpu")
    measured = measure(new.weights)
    assert [row["file"] for row in measured.rows] == listed["source"]["held_out"]
    assert measured.figures()["ciede2000_median"] == pytest.approx(new.metrics["ciede2000_median"], abs=1e-3)
    trial = hold_trial(measure, new.weights, new.weights, "itself")
    assert trial.challenger == trial.defended
    assert set(trial.noise.values()) == {0.0}
    assert np.isfinite(list(trial.challenger.values())).all()
    with pytest.raises(MissingInputError, match="held-out picture not found"):
        held_out_of(tmp_path / "new", [tmp_path / "elsewhere"], "cpu")(new.weights)

    (tmp_path / "new" / "pictures.json").unlink()  # as an earlier version left it
    again = train_style("red", tmp_path / "grey", tmp_path / "red", tmp_path / "new", settings, device="cpu")
    assert again.already_done
    assert read_pictures(tmp_path / "new") == listed
