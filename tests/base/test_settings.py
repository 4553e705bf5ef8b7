"""Settings come from the environment, else from .env, else from the workspace's file; what is wrong is one line."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from deployments.serve import serve
from fittingroom import doctor
from fittingroom.doctor import Finding, examine
from fittingroom.errors import InputError, SettingError
from fittingroom.served import check_served, known_settings
from fittingroom.settings import Schedules, Settings, get_settings
from flows.parameters import RetrainParameters

Write = Callable[[str], Path]


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Write]:
    """Write the workspace's file, which is its path, and let it be read anew."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FITTINGROOM_WORKSPACE", "w")
    (tmp_path / "w").mkdir()

    def written(text: str) -> Path:
        get_settings.cache_clear()
        path = tmp_path / "w" / "fittingroom.toml"
        path.write_text(text, encoding="utf-8")
        return path

    yield written
    get_settings.cache_clear()


def test_the_environment_wins_over_dotenv_and_that_over_the_file(
    write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write('device = "cpu"\nretention_days = 1\ncontact = "a@b"\n[style_settings]\nepochs = 3\nbatch_size = 2\n')
    (tmp_path / ".env").write_text("FITTINGROOM_RETENTION_DAYS=2\nFITTINGROOM_CONTACT=b@b\n")
    monkeypatch.setenv("FITTINGROOM_CONTACT", "c@b")
    monkeypatch.setenv("FITTINGROOM_STYLE_SETTINGS", '{"epochs": 4}')
    found = get_settings()
    assert (found.device, found.retention_days, found.contact) == ("cpu", 2, "c@b")
    assert found.style_settings == {"epochs": 4, "batch_size": 2}, "each for itself"


def test_paths_in_the_file_are_seen_from_its_folder(write: Write, tmp_path: Path) -> None:
    write('catalog = "catalogs"\nbackbone_weights = "/weights/a.safetensors"\n')
    found = get_settings()
    assert found.catalog == tmp_path / "w" / "catalogs"
    assert found.backbone_weights == Path("/weights/a.safetensors")


def test_schedules_are_cron_or_none(write: Write) -> None:
    write('[schedules]\nclean-up = false\nretrain-styles = "0 1 * * MON"\n')
    found = get_settings().schedules
    assert (found.of("clean-up"), found.of("retrain-styles"), found.of("try-on-batch")) == (
        None,
        "0 1 * * MON",
        "0 6 * * *",
    )
    assert found.of("lifecycle") is None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('prest = "cpu"', "{file}: setting prest: there is none of this name; did you mean preset?"),
        ('preset = "cpuu"', "{file}: preset: expected 'auto', 'demo', 'cpu' or 'standard', got 'cpuu'"),
        ("preset = \n", "{file}: expected TOML: Invalid value (at line 1, column 10)"),
        ("retention_days = 0", "{file}: retention_days: expected greater than 0, got 0"),
        ("style_settings = 3", "{file}: style_settings: expected names with values, got 3"),
        (
            "[schedules]\nclean_up = false",
            "{file}: schedules.clean_up: deployment clean_up: there is none of this name; did you mean clean-up?",
        ),
        (
            '[schedules]\nclean-up = "0 25 * * *"',
            '{file}: schedules.clean-up: expected five fields of cron, such as "30 3 * * *", or false for no '
            "schedule, got '0 25 * * *'",
        ),
        ('workspace = "x"', "{file}: workspace: this file lies in it; FITTINGROOM_WORKSPACE says where that is"),
    ],
)
def test_what_is_wrong_in_the_file_is_one_line_with_file_and_key(write: Write, text: str, said: str) -> None:
    path = write(text)
    with pytest.raises(InputError) as caught:
        get_settings()
    assert str(caught.value) == said.format(file=path)
    assert caught.value.exit_code == 2


def test_a_file_that_cannot_be_read_is_one_line(write: Write) -> None:
    path = write("")
    path.write_bytes(b'preset = "\xff"')
    with pytest.raises(InputError, match=r"fittingroom\.toml: expected TOML: .*utf-8"):
        get_settings()
    path.unlink()
    path.mkdir()
    with pytest.raises(InputError, match=r"fittingroom\.toml: expected a file, got a folder"):
        get_settings()


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        (
            "FITTINGROOM_DEVCE",
            "cpu",
            "variable FITTINGROOM_DEVCE: there is no such setting; did you mean FITTINGROOM_DEVICE?",
        ),
        ("FITTINGROOM_DEVICE", "gpu", "setting FITTINGROOM_DEVICE: expected 'auto', 'cpu', 'cuda' or 'mps', got 'gpu'"),
        ("FITTINGROOM_SCHEDULES", "{", "setting FITTINGROOM_SCHEDULES: expected JSON"),
        (
            "FITTINGROOM_SCHEDULES",
            '{"clean-up": "soon"}',
            'setting FITTINGROOM_SCHEDULES.clean-up: expected five fields of cron, such as "30 3 * * *", or false for '
            "no schedule, got 'soon'",
        ),
    ],
)
def test_what_is_wrong_in_the_environment_names_the_variable(
    write: Write, monkeypatch: pytest.MonkeyPatch, name: str, value: str, said: str
) -> None:
    write('device = "cpu"\n[schedules]\nclean-up = false')
    monkeypatch.setenv(name, value)
    with pytest.raises(InputError) as caught:
        get_settings()
    assert str(caught.value) == said


def test_what_is_misspelt_in_dotenv_is_told(write: Write, tmp_path: Path) -> None:
    write("")
    (tmp_path / ".env").write_text("FITTINGROOM_RETENTION_DAY=3\n")
    with pytest.raises(InputError, match=r"FITTINGROOM_RETENTION_DAY: .*did you mean FITTINGROOM_RETENTION_DAYS\?$"):
        get_settings()


def test_other_variables_of_this_prefix_are_left_alone(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    write("")
    for name in ("ROOT", "SCREENSHOTS", "UI_API_URL"):  # of prefect.yaml, the benchmarks, compose.yaml
        monkeypatch.setenv(f"FITTINGROOM_{name}", "x")
    assert get_settings().preset == "auto"


def test_settings_of_trainings_are_checked_and_name_where_they_were_given(
    write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write('preset = "cpu"\n[style_settings]\nepoch = 3')
    with pytest.raises(InputError) as caught:
        check_served(get_settings())
    assert (
        str(caught.value) == f"{path}: style_settings: setting epoch: there is none of this name; did you mean epochs?"
    )
    write('preset = "cpu"\n[style_settings]\nepochs = 3')
    monkeypatch.setenv("FITTINGROOM_SEGMENTER_SETTINGS", '{"epochs": -1}')
    with pytest.raises(InputError, match=r"^FITTINGROOM_SEGMENTER_SETTINGS: setting epochs: expected"):
        check_served(get_settings())
    monkeypatch.setenv("FITTINGROOM_SEGMENTER_SETTINGS", '{"epochs": 2}')
    get_settings.cache_clear()
    check_served(get_settings())


def test_settings_of_checks_are_looked_at_and_those_of_a_run_hold_over_them(write: Write) -> None:
    path = write("[checks]\ncrawl_keep = 3")
    with pytest.raises(InputError) as caught:
        check_served(get_settings())
    name = "setting crawl_keep: there is none of this name; did you mean crawl_kept?"
    assert str(caught.value) == f"{path}: checks: {name}"
    write('[checks]\ncrawl_kept = 30\ncut_out_kept = 0.5\noff = ["training_leak"]')
    check_served(get_settings())
    asked = RetrainParameters(catalog=Path("c.yaml"), checks={"crawl_kept": 9}).check_settings()
    assert (asked.crawl_kept, asked.cut_out_kept, asked.severity("training_leak")) == (9, 0.5, None)
    with pytest.raises(SettingError, match="setting cut_out_kept: expected a number from 0 to 1, got 7"):
        RetrainParameters(catalog=Path("c.yaml"), checks={"cut_out_kept": 7}).check_settings()


def test_a_catalog_that_is_not_there_is_named_by_the_doctor_and_stops_serve(
    write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write('catalog = "nowhere"')
    said = f"{path}: catalog: expected a file or a folder, there is nothing at {tmp_path / 'w' / 'nowhere'}"
    found = [finding.detail for finding in doctor._settings(get_settings()) if finding.state == "broken"]
    assert found == [said]
    monkeypatch.setattr("signal.signal", lambda *_: None)
    monkeypatch.setattr("deployments.serve._serve", lambda *_: pytest.fail("it serves"))
    with pytest.raises(InputError) as caught:
        serve()
    assert str(caught.value) == said
    (tmp_path / "w" / "nowhere").mkdir()
    check_served(get_settings())


def test_doctor_says_which_file_which_values_and_where_each_comes_from(
    write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(
        'google_api_key = "secret"\ntracking_uri = "http://ann:secret@h/"\npreset = "cpu"\n'
        "[style_settings]\nepochs = 3\n[schedules]\nclean-up = false"
    )
    monkeypatch.setenv("FITTINGROOM_STYLE_SETTINGS", '{"seed": 1}')
    found = {each.name: each.detail for each in _settings_of_doctor(get_settings())}
    assert found == {
        "settings file": str(path),
        "setting workspace": "w (environment)",
        "setting tracking_uri": f"http://***@h/ ({path})",
        "setting google_api_key": f"*** ({path})",
        "setting preset": f"cpu ({path})",
        "setting catalog": "none (default)",
        "setting segmenter_settings": "none (default)",
        "setting checks": "none (default)",
        "setting style_settings": f"epochs 3, seed 1 (environment, {path})",
        "setting schedules": f"retrain-styles 30 3 * * *, try-on-batch 0 6 * * *, clean-up none ({path})",
    }
    write("[style_settings]\nepoch = 3")
    broken = [each.detail for each in _settings_of_doctor(get_settings()) if each.state == "broken"]
    assert len(broken) == 1
    assert "did you mean epochs?" in broken[0]


def _settings_of_doctor(settings: Settings) -> list[Finding]:
    from fittingroom import doctor

    return list(doctor._settings(settings))


def test_doctor_looks_at_the_settings(write: Write) -> None:
    write("")
    names = [finding.name for finding in examine(get_settings())]
    assert "settings file" in names
    assert Schedules.deployments() == ["retrain-styles", "try-on-batch", "clean-up"]
    assert [known.name for known in known_settings(get_settings())][1:] == [
        "preset", "catalog", "segmenter_settings", "style_settings", "checks", "schedules",
    ]  # fmt: skip


def test_an_empty_workspace_is_the_default_and_not_the_current_folder(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FITTINGROOM_WORKSPACE", "")
    get_settings.cache_clear()
    try:
        assert get_settings().workspace == Path("workspace")
    finally:
        get_settings.cache_clear()
