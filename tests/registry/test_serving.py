"""One answer to what serves: the champion, else the starter, and what world each learnt from."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from fittingroom.appearance.choose import AvailableStyle
from fittingroom.cli import run
from fittingroom.errors import MissingInputError
from fittingroom.registry.admission import Trained, admit_segmenter, admit_style
from fittingroom.registry.registry import Registry
from fittingroom.registry.serving import Serving
from fittingroom.registry.starters import StarterModels
from fittingroom.settings import get_settings
from fittingroom.training.weights import save_weights

GOOD = {"ciede2000_median": 4.0, "luminance_ssim": 0.9, "leak": 0.0, "mask_ap50": 0.9, "largest_iou": 0.9}
NAVY = AvailableStyle("navy-striped", "navy", "striped", "vest")


def weights_of(path: Path, **info: str) -> Path:
    save_weights(path, "any", {"w": torch.zeros(1)}, {}, info)
    return path


def unasked(weights: Path) -> Any:
    """Measures nothing: there is nothing to be set next to."""
    raise AssertionError(f"{weights} was to be measured")


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    return Registry(tmp_path / "w")


def test_starters_serve_until_ones_own_do_styles_and_segmenter_each(registry: Registry, tmp_path: Path) -> None:
    serving = Serving(registry, StarterModels())
    assert [(s.title, s.starter, s.version, s.domain) for s in serving.all()] == [
        ("segmenter", True, None, "photo"),
        ("style checked", True, None, "photo"),
        ("style dotted", True, None, "photo"),
        ("style navy-solid", True, None, "photo"),
        ("style red-solid", True, None, "photo"),
        ("style striped", True, None, "photo"),
    ]
    assert serving.style("Red Solid").words() == "style red-solid (red, solid): starter model, trained on photos"
    assert serving.style("red-solid").recipe["filters"] == 24
    assert all(serving.weights(served).is_file() for served in serving.all())
    with pytest.raises(MissingInputError, match=r"style not found: rot \(there is .*navy-solid .*, red-solid .*\)"):
        serving.style("rot")

    admit_style(
        Serving(registry),
        NAVY,
        Trained(weights_of(tmp_path / "a", domain="rendered"), GOOD, "demo", {"d": "1"}, {}),
        unasked,
    )
    assert [(s.name, s.starter) for s in serving.all()] == [("segmenter", True), ("navy-striped", False)]
    assert (serving.style("navy-striped").domain, serving.style("navy-striped").version) == ("rendered", 1)
    with pytest.raises(MissingInputError, match=r"style not found: red-solid \(there is navy-striped "):
        serving.style("red-solid")
    admit_segmenter(
        Serving(registry), Trained(weights_of(tmp_path / "b", domain="photo"), GOOD, "demo", {"d": "2"}, {}), unasked
    )
    assert (serving.segmenter().starter, serving.segmenter().domain) == (False, "photo")

    dull = GOOD | {"leak": 1.0}
    admit_style(
        Serving(registry),
        AvailableStyle("teal", "", ""),
        Trained(weights_of(tmp_path / "c"), dull, "demo", {"d": "3"}, {}),
        unasked,
    )
    with pytest.raises(MissingInputError, match=r"teal \(1 registered, none passed its gate; there is navy-striped"):
        serving.style("teal")


def test_older_versions_are_of_the_rendered_world_only_where_that_is_known(registry: Registry, tmp_path: Path) -> None:
    demos = {"filters": 16, "blocks": 4}
    serving = Serving(registry)
    for name, recipe in (("demos", demos), ("own", {"filters": 24, "blocks": 5})):
        path = weights_of(tmp_path / name)
        admit_style(
            Serving(registry), AvailableStyle(name, "", ""), Trained(path, GOOD, "demo", {"d": name}, recipe), unasked
        )
    admit_segmenter(
        Serving(registry), Trained(weights_of(tmp_path / "s"), GOOD, "demo", {"d": "s"}, {"backbone": "small"}), unasked
    )
    assert {served.domain for served in serving.all()} == {""}, "nothing says where they come from"
    (tmp_path / "w" / "sample").mkdir()
    (tmp_path / "w" / "sample" / "world.json").write_text("{}")
    assert {served.name: served.domain for served in serving.all()} == {
        "segmenter": "rendered", "demos": "rendered", "own": "",
    }  # fmt: skip


def test_the_command_line_lists_and_shows_starters_and_worlds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FITTINGROOM_WORKSPACE", str(tmp_path / "w"))
    get_settings.cache_clear()
    try:
        assert run(["styles", "show", "red-solid", "--json"]) == 0
        shown = json.loads(capsys.readouterr().out)
        assert (shown["champion"], shown["versions"]) == (None, [])
        assert (shown["serves"]["starter"], shown["serves"]["domain"]) == (True, "photo")
        assert run(["styles", "show", "red-solid"]) == 0
        assert "starter model, trained on photos" in capsys.readouterr().out
        assert run(["styles", "show", "rot"]) == 2
        assert "navy-solid (blue, solid), red-solid" in capsys.readouterr().err

        weights = weights_of(tmp_path / "a", domain="rendered")
        admit_style(Serving(Registry(tmp_path / "w")), NAVY, Trained(weights, GOOD, "demo", {"d": "1"}, {}), unasked)
        assert run(["styles", "list"]) == 0
        listed = capsys.readouterr().out.splitlines()
        assert "navy-striped (navy, striped): version 1, trained on the rendered sample world" in listed
        assert "segmenter: starter model, trained on photos" in listed
        assert run(["styles", "list", "--json"]) == 0
        styles = json.loads(capsys.readouterr().out)
        assert styles["style-navy-striped"]["domain"] == "rendered"
        assert run(["styles", "show", "navy-striped", "--json"]) == 0
        assert [v["domain"] for v in json.loads(capsys.readouterr().out)["versions"]] == ["rendered"]
    finally:
        get_settings.cache_clear()
