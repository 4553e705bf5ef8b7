"""What a registry does with files and records that are not what was written: one line, and all else goes on."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from fittingroom.cli import run
from fittingroom.errors import Damaged, InputError, MissingInputError
from fittingroom.images import write_png
from fittingroom.registry.registry import Registry
from fittingroom.registry.serving import Serving
from fittingroom.registry.starters import SUMS, StarterModels
from fittingroom.registry.versions import HISTORY_TAG, RECORD_TAG
from fittingroom.settings import get_settings
from fittingroom.training.weights import save_weights
from fittingroom.tryon.models import Champions
from fittingroom.workspace import digest_file


def weights(path: Path, value: float = 0.0) -> Path:
    save_weights(path, "any", {"w": torch.full((64,), value)}, {}, {"domain": "photo"})
    return path


def flip_a_bit(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[-3] ^= 0x10
    path.write_bytes(data)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace whose registry has a segmenter and two styles, of two versions each. Making one takes seconds."""
    root = tmp_path_factory.mktemp("made")
    registry = Registry(root / "w")
    for model in ("segmenter", "style-blue", "style-green"):
        for number in (1, 2):
            file = weights(root / f"{model}-{number}.safetensors", number)
            registry.register(model, file, {}, {"data": str(number)}, {}, {"colour": "blue", "pattern": "solid"})
            registry.promote(model, number)
    return root / "w"


@pytest.fixture
def place(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of it, as the installation's own."""
    root = tmp_path / "w"
    shutil.copytree(made, root)
    monkeypatch.setenv("FITTINGROOM_WORKSPACE", str(root))
    get_settings.cache_clear()
    return root


def change_tag(place: Path, table: str, key: str, name: str, value: str, version: int | None = None) -> None:
    with sqlite3.connect(place / "registry" / "mlflow.db") as database:
        more = f" AND version = {version}" if version else ""
        done = database.execute(f"UPDATE {table} SET value = ? WHERE name = ? AND key = ?{more}", (value, name, key))
        assert done.rowcount >= 1
    database.close()


def record_of(place: Path, model: str, version: int) -> dict[str, object]:
    with sqlite3.connect(place / "registry" / "mlflow.db") as database:
        query = "SELECT value FROM model_version_tags WHERE name = ? AND version = ? AND key = ?"
        ((text,),) = database.execute(query, (model, version, RECORD_TAG)).fetchall()
    database.close()
    found: dict[str, object] = json.loads(text)
    return found


@pytest.mark.parametrize("model", ["style-blue", "segmenter"])
def test_one_flipped_bit_is_found_before_it_is_served(
    place: Path, made: Path, model: str, capfd: pytest.CaptureFixture[str]
) -> None:
    registry = Registry(place)
    champion = registry.champion(model)
    assert champion is not None
    path = registry.weights_path(champion)
    flip_a_bit(path)
    serving = Serving(registry)
    name = model.removeprefix("style-")
    with pytest.raises(Damaged) as told:
        serving.weights(serving.find(model))  # type: ignore[arg-type]
    assert str(told.value).startswith(f"{path}: damaged: expected SHA-256 {champion.weights_sha256} ({name} version 2)")
    assert f"got {digest_file(path)}; `fittingroom styles rollback {name}`" in str(told.value)
    with pytest.raises(Damaged):
        Champions(serving, "cpu").translator("blue") if champion.style else Champions(serving, "cpu").segmenter()

    # Both ways out do lead out.
    again = registry.register(model, made.parent / f"{model}-2.safetensors", {}, {"data": "2"}, {})
    assert again.version == 2
    assert digest_file(registry.weights_path(champion)) == champion.weights_sha256
    flip_a_bit(path)
    assert run(["styles", "rollback", name]) == 0
    assert capfd.readouterr().out == f"{name}: version 1 serves\n"
    assert serving.weights(serving.find(model)).is_file()  # type: ignore[arg-type]


def test_weights_are_read_once_until_they_change(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from fittingroom.registry import intact

    read: list[Path] = []

    def reading(path: Path) -> str:
        read.append(path)
        return digest_file(path)

    monkeypatch.setattr(intact, "digest_file", reading)
    registry = Registry(place)
    champion = registry.champion("style-green")
    assert champion is not None
    path = registry.weights_path(champion)
    assert registry.weights_path(champion) == path
    assert read == [path]
    same = path.read_bytes()
    path.unlink()
    path.write_bytes(same)
    os.utime(path, (1, 1))
    registry.weights_path(champion)
    assert read == [path, path]


def test_starters_are_those_that_were_shipped(tmp_path: Path) -> None:
    folder = tmp_path / "starter"
    shutil.copytree(StarterModels().folder, folder, ignore=shutil.ignore_patterns("*.py", "__pycache__"))
    serving = Serving(Registry(tmp_path / "w"), StarterModels(folder))
    listed = [line.split()[1] for line in (folder / SUMS).read_text().splitlines()]
    assert listed == [path.name for path in StarterModels().files()]
    for served in serving.all():
        assert serving.weights(served) == served.file
        assert served.file is not None
        flip_a_bit(served.file)
        with pytest.raises(Damaged, match=rf"{served.file.name}: damaged: .*; install Fittingroom again"):
            serving.weights(served)
    (folder / "style-red-solid.safetensors").write_bytes(b"torn")
    others = ["checked", "dotted", "navy-solid", "striped"]
    assert [served.name for served in serving.styles()] == others, "the others go on"
    with pytest.raises(Damaged, match=r"^red-solid: damaged: .*not a readable weights file.*; install Fittingroom"):
        serving.style("red-solid")


def test_a_copied_workspace_serves_none_of_the_files_of_the_place_it_came_from(place: Path, made: Path) -> None:
    registry, old = Registry(place), Registry(made)
    champion = registry.champion("style-blue")
    assert champion is not None
    assert champion.source.startswith(made.as_uri()), "what MLflow has recorded"
    path = registry.weights_path(champion)
    path.unlink()
    with pytest.raises(MissingInputError, match=rf"registered file not found: {path} \(blue version 2; `fittingroom"):
        registry.weights_path(champion)
    assert old.weights_path(champion).is_file()
    registry.register("style-blue", made.parent / "style-blue-2.safetensors", {}, {"data": "2"}, {})
    assert registry.weights_path(champion) == path


def test_a_backup_that_is_put_back_under_a_running_page_is_seen_by_all(place: Path, tmp_path: Path) -> None:
    database = place / "registry" / "mlflow.db"
    page = Serving(Registry(place))
    registry = Registry(place)
    registry.rollback("style-blue")
    shutil.copy2(database, backup := tmp_path / "backup.db")
    registry.promote("style-blue", 2)
    registry.note_verdict(registry.version("style-green", 1), True, "")
    assert page.style("blue").version == 2
    # As `mv` does it: another file, and (a clock set back, another past) one that looks like the one that was read.
    facts, now, past = database.stat(), database.read_bytes(), bytearray(backup.read_bytes())
    for counter in (slice(24, 28), slice(92, 96)):
        past[counter] = now[counter]
    backup.write_bytes(past)
    os.utime(backup, ns=(facts.st_atime_ns, facts.st_mtime_ns))
    backup.replace(database)
    assert page.style("blue").version == 1
    registry.note_verdict(registry.version("style-green", 1), True, "again")
    assert page.style("blue").version == 1
    assert Serving(Registry(place)).style("blue").version == 1
    assert registry.promote("style-blue", 2).version == 2
    assert page.style("blue").version == 2


def _emptied(path: Path) -> None:
    path.write_bytes(b"")


def _garbage(path: Path) -> None:
    path.write_bytes(b"\x9c" * 5000)


def _torn(path: Path) -> None:
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])


def _torn_in_the_header(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:50])


def _overwritten_inside(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[4096:] = b"\xff" * (len(data) - 4096)
    path.write_bytes(data)


@pytest.mark.parametrize("damage", [_emptied, _garbage, _torn, _torn_in_the_header, _overwritten_inside])
@pytest.mark.parametrize("words", [["styles", "list"], ["styles", "promote", "blue", "1"]])
def test_a_damaged_database_is_said_in_one_line_and_left_as_it_is(
    place: Path, damage: object, words: list[str], capfd: pytest.CaptureFixture[str]
) -> None:
    path = place / "registry" / "mlflow.db"
    damage(path)  # type: ignore[operator]
    before = path.read_bytes()
    assert run(words) == 2
    out, err = capfd.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert f"registry {path} is damaged: " in err
    assert "put a backup of it in its place, or move it away" in err
    assert path.read_bytes() == before
    path.rename(path.with_name("moved.db"))
    assert run(["styles", "list"]) == 0, "as it said"


def test_a_database_whose_first_writer_was_killed_is_empty_and_no_damage(tmp_path: Path) -> None:
    registry = Registry(tmp_path)
    (tmp_path / "registry").mkdir()
    (tmp_path / "registry" / "mlflow.db").touch()
    assert registry.models() == []
    assert registry.register("style-x", weights(tmp_path / "x"), {}, {}, {}).version == 1


RECORDS: dict[str, dict[str, Any]] = {
    "field 'colour_of_buttons': not known here": {"colour_of_buttons": "red"},
    "field metrics: expected numbers by name, got {'a': 'b'}": {"metrics": {"a": "b"}},
    "field weights_sha256: expected a text, got 7": {"weights_sha256": 7},
    "field files: expected a list of names, got 'x'": {"files": "x"},
}


@pytest.mark.parametrize("said", [*RECORDS, "expected JSON, got '{\"metr'"])
def test_one_damaged_record_takes_no_other_down(place: Path, said: str, capfd: pytest.CaptureFixture[str]) -> None:
    record = json.dumps(record_of(place, "style-blue", 2) | RECORDS[said]) if said in RECORDS else '{"metr'
    change_tag(place, "model_version_tags", RECORD_TAG, "style-blue", record, version=2)
    line = f"blue: damaged: version 2: its record: {said}"
    way_out = "`fittingroom styles rollback blue` or `fittingroom styles promote blue VERSION`"

    assert run(["styles", "list"]) == 0
    listed = capfd.readouterr().out.splitlines()
    assert [text.partition(":")[0] for text in listed] == ["segmenter", "blue", "green (blue, solid)"]
    assert listed[1].startswith(line)
    assert way_out in listed[1]
    assert run(["styles", "list", "--json"]) == 0
    document = json.loads(capfd.readouterr().out)
    assert document["style-green"]["version"] == 2
    assert document["style-blue"]["damaged"] == [listed[1]]

    serving = Serving(Registry(place), StarterModels())
    assert [served.name for served in serving.styles()] == ["green"], "neither a starter in its place"
    for action in (lambda: serving.style("blue"), lambda: serving.registry.version("style-blue", 2)):
        with pytest.raises(Damaged) as told:
            action()
        assert str(told.value) == listed[1]
    assert serving.incumbent("style-blue") is None, "trained again, it is judged by itself"
    assert run(["styles", "promote", "blue", "2"]) == 2
    assert capfd.readouterr().err == f"error: {listed[1]}\n"
    assert run(["styles", "rollback", "blue"]) == 0
    assert serving.style("blue").version == 1
    assert run(["styles", "list"]) == 0
    assert "other versions serve without it" in capfd.readouterr().out


def test_no_starter_takes_the_place_of_a_damaged_segmenter(place: Path, capfd: pytest.CaptureFixture[str]) -> None:
    change_tag(place, "model_version_tags", RECORD_TAG, "segmenter", "[]", version=2)
    serving = Serving(Registry(place), StarterModels())
    assert [served.model for served in serving.all()] == ["style-blue", "style-green"]
    with pytest.raises(Damaged, match=r"^segmenter: damaged: version 2: its record: expected an object, got \[\]"):
        serving.segmenter()
    assert run(["doctor", "--json"]) == 1
    (found,) = (each for each in json.loads(capfd.readouterr().out) if each["name"] == "registry")
    assert found["state"] == "broken"
    assert found["detail"].startswith("segmenter: damaged: version 2")
    assert serving.registry.rollback("segmenter").version == 1
    assert serving.segmenter().version == 1


def test_the_doctor_reads_the_weights_of_what_serves(place: Path, capfd: pytest.CaptureFixture[str]) -> None:
    def registry_is() -> dict[str, str]:
        run(["doctor", "--json"])
        (found,) = (each for each in json.loads(capfd.readouterr().out) if each["name"] == "registry")
        return found

    assert registry_is()["state"] == "ok"
    registry = Registry(place)
    blue, green = (registry.champion(f"style-{name}") for name in ("blue", "green"))
    assert blue is not None
    assert green is not None
    flip_a_bit(registry.weights_path(blue))
    registry.weights_path(green).unlink()
    found = registry_is()
    assert found["state"] == "broken"
    of_blue, of_green = found["detail"].split("; registered file not found: ")
    assert "damaged: expected SHA-256" in of_blue
    assert "(blue version 2)" in of_blue
    assert "green version 2; `fittingroom styles rollback green`" in of_green


@pytest.mark.parametrize("torn", ["[1, 2", '{"1": 2}', "[1, null]"])
def test_a_torn_history_is_said_and_begun_anew(place: Path, torn: str, capfd: pytest.CaptureFixture[str]) -> None:
    change_tag(place, "registered_model_tags", HISTORY_TAG, "style-blue", torn)
    said = f"blue: damaged: its list of champions: expected {'JSON' if torn[-1] == '2' else 'a list of versions'}"
    registry = Registry(place)
    assert Serving(registry).style("blue").version == 2, "which serves is known all the same"
    assert run(["styles", "list"]) == 0
    listed = capfd.readouterr().out.splitlines()
    assert listed[1].startswith("blue (blue, solid): version 2")
    assert listed[2].startswith(said)
    assert run(["styles", "rollback", "blue"]) == 2
    err = capfd.readouterr().err
    assert err.startswith(f"error: {said}")
    assert "`fittingroom styles promote blue VERSION` begins it anew\n" in err
    assert registry.rollback("style-green").version == 1
    registry.promote("style-blue", 1)
    assert registry.damaged() == []
    assert registry.rollback("style-blue").version == 2


def test_a_model_that_is_damaged_as_a_whole_is_not_said_to_be_unknown(
    place: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    for version in (1, 2):
        change_tag(place, "model_version_tags", RECORD_TAG, "style-blue", "{}", version=version)
    registry = Registry(place)
    with pytest.raises(Damaged, match="field metrics: expected numbers by name, it is missing"):
        registry.rollback("style-blue")
    with pytest.raises(Damaged):
        registry.champion("style-blue")
    write_png(tmp_path / "me.png", np.full((80, 70, 3), 120, np.uint8))
    assert run(["try-on", str(tmp_path / "me.png"), "--style", "Blue", "-o", str(tmp_path / "out.png")]) == 2
    assert capfd.readouterr().err.startswith("error: blue: damaged: version 2: its record: field metrics")
    registry.rollback("style-green")
    with pytest.raises(InputError, match="expected a previous champion"):
        registry.rollback("style-green")
