"""The flows by name: each loads, each has its parameters, and wrong ones are said in one line before work begins."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from fittingroom.errors import InputError
from flows.catalogue import FLOWS, find_flow

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
    with pytest.raises(InputError, match=r"parameter person: .*did you mean persons"):
        find_flow("try-on").fill_in({"person": "/x"})
