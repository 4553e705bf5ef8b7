"""The flows by name: each loads, each has its parameters, and wrong ones are said in one line before work begins."""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_args, get_type_hints

import pytest

import fittingroom.segmentation.settings as segmenter_settings
import fittingroom.translation.settings as style_settings
from fittingroom.annotations.select import SelectionSettings
from fittingroom.categories import CATEGORY_NAMES
from fittingroom.crawl.settings import CrawlSettings
from fittingroom.cutout.settings import CutoutSettings
from fittingroom.errors import InputError
from fittingroom.fields import CheckedSettings, kinds
from fittingroom.preparing.square import PrepareSettings
from fittingroom.settings import Preset
from fittingroom.style_card import PATTERNS
from fittingroom.tryon.settings import TryOnSettings
from flows.catalogue import FLOWS, find_flow
from flows.parameters import (
    ConvertParameters,
    CrawlParameters,
    LifecycleParameters,
    Parameters,
    PrepareParameters,
    RetrainParameters,
    StylePreset,
    TrainSegmenterParameters,
    TrainStyleParameters,
    TryOnParameters,
)

ROOT = Path(__file__).resolve().parents[2]


def test_every_flow_there_is_can_be_run_by_name() -> None:
    written = {path.stem.replace("_", "-") for path in (ROOT / "flows").glob("*.py") if "@story(" in path.read_text()}
    assert written == set(FLOWS)


@pytest.mark.parametrize("name", FLOWS)
def test_every_flow_loads_and_its_form_says_what_each_parameter_means(name: str) -> None:
    entry = find_flow(name)
    flow = entry.load()
    assert flow.name == name
    form = flow.parameters.properties
    assert set(form) == set(entry.parameters.model_fields)
    assert all(field.get("description") for field in form.values())


def test_the_form_has_choices_and_ranges() -> None:
    form = find_flow("lifecycle").load().parameters.properties
    assert form["preset"]["enum"] == ["auto", "demo", "cpu", "standard"]
    assert (form["trainings_at_once"]["minimum"], form["trainings_at_once"]["maximum"]) == (1, 8)


@pytest.mark.parametrize(
    ("parameters", "settings", "names"),
    [
        (CrawlParameters, CrawlSettings, ["per_host_delay", "max_images"]),
        (ConvertParameters, SelectionSettings, ["train", "validation"]),
        (PrepareParameters, CutoutSettings, ["method", "people"]),
        (PrepareParameters, PrepareSettings, ["size", "flip"]),
        (TrainSegmenterParameters, segmenter_settings.SegmenterSettings, ["seed"]),
        (TrainStyleParameters, style_settings.StyleSettings, ["seed"]),
        (TryOnParameters, TryOnSettings, ["detail", "strict"]),
    ],
)
def test_a_parameter_takes_what_the_setting_takes_that_it_becomes(
    parameters: type[Parameters], settings: type[CheckedSettings], names: list[str]
) -> None:
    asked = get_type_hints(parameters, include_extras=True)
    for name in names:
        assert asked[name] == kinds(settings)[name]
        assert parameters.model_fields[name].default == getattr(settings, name)


def test_ranges_of_settings_hold_for_parameters() -> None:
    form = find_flow("prepare-garments").load().parameters.properties
    assert (form["size"]["minimum"], form["size"]["maximum"], form["size"]["multipleOf"]) == (32, 1024, 4)
    for wrong in (28, 1028, 258):
        with pytest.raises(InputError, match="parameter size: expected "):
            find_flow("prepare-garments").fill_in({"size": wrong})
    assert find_flow("prepare-garments").fill_in({"size": 64}).model_dump()["size"] == 64


@pytest.mark.parametrize(
    ("flow", "values", "said"),
    [
        ("train-style", {}, "parameter style: expected a value, got none"),
        (
            "train-style",
            {"style": "navy", "preset": "huge"},
            "expected 'auto', 'demo', 'cpu', 'standard' or 'recipe', got 'huge'",
        ),
        ("train-style", {"style": "../navy"}, "parameter style"),
        ("try-on", {"persons": ["a.jpg"], "detail": 2}, "expected less than or equal to 1, got 2"),
        (
            "try-on",
            {"persons": ["a.jpg"], "colour": "red"},
            "parameter colour: there is none of this name; did you mean colours?",
        ),
        ("try-on", {"persons": []}, "parameter persons"),
    ],
)
def test_wrong_parameters_are_one_line_with_field_and_what_is_allowed(
    flow: str, values: dict[str, Any], said: str
) -> None:
    with pytest.raises(InputError) as caught:
        find_flow(flow).fill_in(values)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == 2


def test_the_choices_are_those_that_the_library_knows() -> None:
    assert sorted(get_args(Preset)) == sorted(["auto", *segmenter_settings.PRESETS])
    assert sorted(get_args(StylePreset)) == sorted(["auto", *style_settings.PRESETS])
    form = find_flow("train-style").load().parameters.properties
    assert form["pattern"]["enum"] == ["", *PATTERNS]
    assert form["category"]["anyOf"][0]["enum"] == list(CATEGORY_NAMES.values())


def test_a_flow_hands_on_what_its_parts_ask_too() -> None:
    asked: dict[str, Any] = {"workspace": Path("w"), "seed": 7, "device": "cpu", "domain_a": "all-others"}
    crawling: dict[str, Any] = {"catalog": Path("c.yaml"), "per_host_delay": 2.0, "max_images": 5, "max_age_hours": 9.0}
    style: dict[str, Any] = {"settings": {"epochs": 1}, "from_nearest": True, "preset": "recipe"}
    retrain = RetrainParameters(**asked, **crawling, **style, styles=["navy", "red"], left_catalog="retire")
    assert retrain.part(CrawlParameters, styles=["navy"]) == CrawlParameters(
        workspace=Path("w"), styles=["navy"], **crawling
    )
    assert retrain.part(TrainStyleParameters, style="navy") == TrainStyleParameters(style="navy", **asked, **style)

    whole = LifecycleParameters(
        **asked, **crawling, dataset=Path("d"), persons=[Path("p")], train=3, style={"epochs": 1}, preset="demo"
    )
    assert whole.part(PrepareParameters, styles=["navy"]) == PrepareParameters(workspace=Path("w"), styles=["navy"])
    assert whole.part(TrainStyleParameters, style="navy") == TrainStyleParameters(style="navy", **asked)
    segmenter = whole.part(TrainSegmenterParameters)
    assert (segmenter.dataset, segmenter.preset, segmenter.seed) == ("garments", "demo", 7), "a photo folder is no name"
    converting = whole.part(ConvertParameters, source=whole.dataset)
    assert (converting.train, converting.validation, converting.seed) == (3, 54, 7)


def test_a_form_asks_first_what_has_to_be_filled_in() -> None:
    for entry in FLOWS.values():
        asked = entry.parameters.asked()
        assert sorted(asked) == sorted(entry.parameters.model_fields)
        required = [entry.parameters.model_fields[name].is_required() for name in asked]
        assert required == sorted(required, reverse=True)
        assert asked[-1] == "workspace"


def test_lists_may_be_typed_with_commas() -> None:
    filled = find_flow("try-on").fill_in({"persons": "a.jpg, b.jpg", "styles": "navy,red"})
    assert filled.persons == [Path("a.jpg"), Path("b.jpg")]  # type: ignore[attr-defined]
    assert filled.styles == ["navy", "red"]  # type: ignore[attr-defined]


def test_an_unknown_flow_is_refused_with_those_there_are() -> None:
    with pytest.raises(InputError, match="expected one of crawl-garments"):
        find_flow("bake-bread")
    with pytest.raises(InputError, match=r"^flow train-stile: .*did you mean train-style\?$"):
        find_flow("train-stile")


@pytest.mark.parametrize("persons", ["", [""], ["a.jpg", " "], "a.jpg,"])
def test_an_empty_path_is_not_the_current_folder(persons: object) -> None:
    with pytest.raises(InputError, match="parameter persons: expected a path, got an empty one"):
        find_flow("try-on").fill_in({"persons": persons})


def test_a_misspelt_name_is_said_before_the_one_that_is_missing_for_it() -> None:
    with pytest.raises(InputError, match=r"parameter catalgo: .*did you mean catalog"):
        find_flow("crawl-garments").fill_in({"catalgo": "/x"})
