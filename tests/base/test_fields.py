"""Fields of settings: what they take, how they read text, what is said of anything else; the page made from them."""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import FrozenInstanceError, dataclass, replace
from typing import Annotated, Any, Literal

import pytest

from docs.write_settings import PARTS, PATH, document
from fittingroom.cutout.settings import CutoutSettings
from fittingroom.errors import SettingError, UnknownSetting
from fittingroom.fields import CheckedSettings, Length, Range, Share, kinds, words
from fittingroom.preparing.square import PrepareSettings
from fittingroom.segmentation import settings as segmenter
from fittingroom.translation import settings as style


@dataclass(frozen=True)
class Example(CheckedSettings):
    epochs: Annotated[int, Range(1, 10_000)] = 30
    rate: Annotated[float, Range(0, 1, above=True)] = 0.5
    decay: Annotated[float, Range(0, 1, below=True)] = 0.0
    share: Share = 0.25
    seconds: Annotated[float, Range(0)] = 1.0
    gain: Annotated[float, Range(-math.inf, 1)] = 0.0
    crop: Annotated[int, Range(32, 1024, multiple_of=4)] | None = None
    kernel: Literal[1, 3, 5] = 3
    norm: Literal["none", "batch"] = "none"
    flip: bool = True
    name: str = ""
    levels: Annotated[tuple[Annotated[int, Range(0, 3)], ...], Length(1)] = (0,)
    zoom: tuple[float, float] = (1.0, 2.0)
    sizes: tuple[tuple[int, ...], ...] = ((1, 2), (3,))

    def check_together(self) -> None:
        if self.norm == "batch":
            self.require("with norm batch", flip=False, kernel=3)


WORDS = {
    "epochs": "a whole number from 1 to 10,000",
    "rate": "a number above 0, up to 1",
    "decay": "a number from 0 to less than 1",
    "share": "a number from 0 to 1",
    "seconds": "a number of at least 0",
    "gain": "a number up to 1",
    "crop": "a whole number from 32 to 1,024, a multiple of 4 or none",
    "kernel": "one of 1, 3, 5",
    "norm": "one of none, batch",
    "flip": "true or false",
    "name": "one line of text",
    "levels": "a list of 1 or more, each a whole number from 0 to 3",
    "zoom": "a list of 2, each a number",
    "sizes": "a list, each a list, each a whole number",
}


def test_every_type_says_what_it_takes() -> None:
    assert {name: words(kind) for name, kind in kinds(Example).items()} == WORDS


@pytest.mark.parametrize(
    ("field", "given", "held"),
    [
        ("epochs", 10_000, 10_000), ("rate", 1, 1.0), ("decay", 0, 0.0), ("gain", -1e9, -1e9), ("crop", None, None),
        ("crop", 64, 64), ("kernel", 5, 5), ("levels", [3, 0], (3, 0)), ("levels", range(2), (0, 1)),
        ("zoom", [1, 2.5], (1.0, 2.5)), ("sizes", [[1], []], ((1,), ())),
    ],
)  # fmt: skip
def test_what_a_field_takes_it_holds_in_its_own_type(field: str, given: Any, held: Any) -> None:
    for made in (Example(**{field: given}), Example().with_overrides({field: given})):
        assert getattr(made, field) == held
        assert repr(getattr(made, field)) == repr(held), "1 is 1.0 where numbers need not be whole"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("epochs", 0), ("epochs", 10_001), ("epochs", 3.0), ("epochs", True), ("epochs", None), ("epochs", 1j),
        ("rate", 0), ("rate", 1.5), ("rate", math.nan), ("rate", False), ("rate", [1]), ("rate", 10**400),
        ("decay", 1), ("seconds", math.inf), ("seconds", -1e-9), ("gain", -math.inf), ("gain", 1.1),
        ("crop", 30), ("crop", 66), ("crop", 1028), ("crop", 64.0), ("kernel", 2), ("kernel", True), ("kernel", 3.0),
        ("norm", None), ("norm", ["none"]), ("flip", 1), ("flip", None), ("name", "a\nb"), ("name", 3), ("name", b"a"),
        ("levels", ()), ("levels", (4,)), ("levels", 1), ("levels", {"a": 1}), ("levels", "01"),
        ("zoom", (1.0,)), ("zoom", (1, 2, 3)), ("zoom", ("1", "2")), ("sizes", [1, 2]), ("sizes", [[1.5]]),
    ],
)  # fmt: skip
def test_anything_else_is_refused_with_field_expected_and_got(field: str, value: Any) -> None:
    for make in (lambda: Example(**{field: value}), lambda: Example().with_overrides({field: value})):
        with pytest.raises(SettingError) as caught:
            make()
        assert caught.value.value is value
        assert str(caught.value) == f"setting {field}: expected {WORDS[field]}, got {value!r}"


@pytest.mark.parametrize(
    ("field", "typed", "held"),
    [
        ("epochs", "3", 3), ("epochs", "1e3", 1000), ("epochs", " 7 ", 7), ("epochs", "1", 1), ("rate", "1e-3", 0.001),
        ("rate", "1", 1.0), ("crop", "64", 64), ("crop", "none", None), ("crop", "null", None), ("kernel", "5", 5),
        ("norm", "none", "none"), ("norm", '"batch"', "batch"), ("flip", "no", False), ("flip", "True", True),
        ("flip", "0", False), ("name", "yes", "yes"), ("name", "12", "12"), ("levels", "[1, 2]", (1, 2)),
        ("zoom", "[1, 2.5]", (1.0, 2.5)),
    ],
)  # fmt: skip
def test_text_is_read_as_the_field_needs_it(field: str, typed: str, held: Any) -> None:
    others = {"flip": False} if held == "batch" else {}
    found = getattr(Example().with_overrides({field: typed}, **others), field)
    assert repr(found) == repr(held)


@pytest.mark.parametrize(
    ("field", "typed"),
    [("epochs", "3.5"), ("epochs", "many"), ("epochs", "0"), ("rate", "NaN"), ("flip", "maybe"), ("zoom", "1, 2")],
)
def test_text_that_means_nothing_there_is_refused_as_typed(field: str, typed: str) -> None:
    with pytest.raises(SettingError) as caught:
        Example().with_overrides({field: typed})
    assert str(caught.value) == f"setting {field}: expected {WORDS[field]}, got {typed!r}"


def test_text_is_read_from_command_lines_and_files_only() -> None:
    with pytest.raises(SettingError, match="setting epochs: expected a whole number"):
        Example(epochs="3")  # type: ignore[arg-type]


def test_overrides_are_given_as_a_mapping_or_by_name_and_the_rest_stays() -> None:
    base = Example(epochs=2, name="a")
    assert base.with_overrides({"rate": 0.1}, epochs=3) == replace(base, rate=0.1, epochs=3)
    assert base.with_overrides() == base
    with pytest.raises(FrozenInstanceError):
        base.epochs = 3  # type: ignore[misc]


def test_a_misspelt_name_is_told_the_nearest() -> None:
    for read in (Example().with_overrides, Example.from_json):
        with pytest.raises(UnknownSetting, match="setting epoch: there is none of this name; did you mean epochs"):
            read({"epoch": 3})


def test_rules_between_fields_hold_whatever_way_one_is_made() -> None:
    with pytest.raises(SettingError, match=r"^setting flip: expected false with norm batch, got True$"):
        Example(norm="batch")
    with pytest.raises(SettingError, match=r"^setting kernel: expected 3 with norm batch, got 5$"):
        Example().with_overrides(norm="batch", flip=False, kernel=5)
    assert Example(norm="batch", flip=False).kernel == 3


def test_json_goes_both_ways_and_what_is_missing_takes_its_default() -> None:
    made = Example(crop=64, levels=(1, 2), sizes=((5,),), name="none")
    assert made.to_json()["sizes"] == [[5]]
    assert Example.from_json(json.loads(json.dumps(made.to_json()))) == made
    assert Example.from_json({"epochs": 4}) == Example(epochs=4)


@pytest.mark.parametrize(
    ("settings", "digest"),
    [
        (segmenter.preset("demo"), "a1e770d1d6cd8029"),
        (segmenter.preset("cpu"), "228f7aa30bfdd6ae"),
        (segmenter.preset("standard"), "6da9f4699f157a9c"),
        (style.preset("recipe"), "fca20cb8633671a1"),
        (style.preset("standard"), "ac2cc7ac55b69c20"),
        (style.preset("cpu"), "8bb18b5f00c5325e"),
        (style.preset("demo"), "a4a4976e73f54824"),
        (style.preset("demo").with_overrides(filters=8, crop_size=None, adam_betas=[0.5, 0.9]), "9796c8bd482b71fa"),
    ],
)
def test_a_change_of_what_trainings_store_is_on_purpose(settings: CheckedSettings, digest: str) -> None:
    """Trainings resume from checkpoints, and steps are found done, only where this JSON is the same byte by byte."""
    assert hashlib.sha256(json.dumps(settings.to_json()).encode()).hexdigest()[:16] == digest


def test_a_change_of_what_manifests_store_is_on_purpose() -> None:
    assert (CutoutSettings().digest(), CutoutSettings().without_tests().digest()) == ("a403dc6e3c97", "24dac3fbfc84")
    assert (PrepareSettings().digest(), PrepareSettings(64, False).digest()) == ("8a829123011e", "70ef039e87ae")


def test_the_page_of_settings_is_what_the_fields_say() -> None:
    assert PATH.read_text(encoding="utf-8") == document(), "write it anew: python docs/write_settings.py"


@pytest.mark.parametrize("settings", [settings for settings, _ in PARTS.values()])
def test_defaults_are_of_their_own_type(settings: type[CheckedSettings]) -> None:
    made = settings()
    for name in kinds(settings):
        if name != "user_agent":  # made of others
            assert repr(getattr(made, name)) == repr(getattr(settings, name))
