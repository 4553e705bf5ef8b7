"""The registry on its SQLite default: versions, champions, rollback, and what is read without MLflow."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import textwrap
from dataclasses import replace
from pathlib import Path
from unittest.mock import Mock

import pytest
from mlflow.exceptions import MlflowException

from fittingroom.errors import Damaged, FittingroomError, InputError, MissingInputError, StorageUnavailable
from fittingroom.registry.mlflow_store import experiment_in
from fittingroom.registry.records import Found
from fittingroom.registry.registry import ModelVersion, Registry, content_digest, style_model
from fittingroom.settings import get_settings
from fittingroom.workspace import Workspace

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """One for all tests of this file (making the tables takes seconds): each test has a model of its own."""
    return Workspace(tmp_path_factory.mktemp("registry"))


@pytest.fixture(scope="module")
def registry(workspace: Workspace) -> Registry:
    return Registry(workspace)


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    path = tmp_path / "some-name.safetensors"
    path.write_bytes(b"weights one")
    return path


def test_an_empty_workspace_has_nothing_and_writes_nothing(tmp_path: Path) -> None:
    empty = Registry(tmp_path)
    assert empty.models() == []
    assert empty.champions() == []
    assert empty.champion("segmenter") is None
    assert empty.versions("style-red") == []
    assert list(tmp_path.iterdir()) == []


def test_a_version_carries_everything(registry: Registry, weights: Path, tmp_path: Path) -> None:
    sample = tmp_path / "sheet.png"
    sample.write_bytes(b"picture")
    made = registry.register(
        "style-whole",
        weights,
        {"ciede2000_median": 7.5, "broken": float("nan")},
        {"source": "a" * 64, "target": "b" * 64},
        {"epochs": 50, "optimizer": {"lr": 2e-4}, "name": "recipe", "wide": list(range(2000))},
        {"colour": "navy", "pattern": "striped"},
        files={"samples.png": sample},
        curves={"loss/cycle": [(1, 3.0), (2, 2.0), (3, float("inf"))]},
    )
    (read,) = Registry(tmp_path, registry.uri).versions("style-whole")
    assert read == made
    assert (read.version, read.champion, read.style) == (1, False, "whole")
    assert read.metrics == {"ciede2000_median": 7.5}
    assert read.recipe["optimizer"] == {"lr": 2e-4}
    assert read.recipe["wide"][-1] == 1999
    assert read.digests == {"source": "a" * 64, "target": "b" * 64}
    assert read.tags == {"colour": "navy", "pattern": "striped"}
    assert registry.weights_path(read).read_bytes() == b"weights one"
    assert registry.weights_path(read).with_name("samples.png").read_bytes() == b"picture"
    json.dumps(read.to_json())


def test_curves_and_params_are_in_mlflow_itself(registry: Registry, weights: Path) -> None:
    made = registry.register(
        "style-plots", weights, {"leak": 0.5}, {"d": "1"}, {"epochs": 3}, curves={"loss": [(1, 3.0), (5, 2.0)]}
    )
    from mlflow.tracking import MlflowClient

    client = MlflowClient(registry.uri, registry.uri)
    assert [(m.step, m.value) for m in client.get_metric_history(made.run_id, "loss")] == [(1, 3.0), (5, 2.0)]
    run = client.get_run(made.run_id)
    assert run.data.params["epochs"] == "3"
    assert run.data.metrics["leak"] == 0.5
    assert run.info.status == "FINISHED"


def champion_of(registry: Registry, model: str) -> ModelVersion:
    champion = registry.champion(model)
    assert champion is not None
    return champion


def test_nothing_serves_until_promoted_and_rollback_goes_back_step_by_step(registry: Registry, tmp_path: Path) -> None:
    for number in (1, 2, 3):
        path = tmp_path / f"{number}.safetensors"
        path.write_bytes(b"%d" % number)
        registry.register("style-steps", path, {}, {"data": str(number)}, {})
    assert registry.champion("style-steps") is None
    with pytest.raises(InputError, match="expected a previous champion"):
        registry.rollback("style-steps")
    for number in (1, 3, 2):
        registry.promote("style-steps", number, "above the floor")
    registry.promote("style-steps", 2)  # again: no second entry in the history
    assert champion_of(registry, "style-steps").version == 2
    assert [v.champion for v in registry.versions("style-steps")] == [False, True, False]
    assert registry.rollback("style-steps").version == 3
    assert registry.rollback("style-steps").version == 1
    with pytest.raises(InputError, match="expected a previous champion"):
        registry.rollback("style-steps")
    champion = champion_of(registry, "style-steps")
    assert champion.version == 1
    assert registry.weights_path(champion).read_bytes() == b"1"


def test_a_way_back_that_is_not_there_says_what_to_do(registry: Registry, tmp_path: Path) -> None:
    for number in (1, 2, 3):
        path = tmp_path / f"{number}.safetensors"
        path.write_bytes(b"%d" % number)
        registry.register("style-back", path, {}, {"data": str(number)}, {})
    with pytest.raises(InputError, match="no version has served yet; `fittingroom styles promote back VERSION`"):
        registry.rollback("style-back")
    registry.promote("style-back", 2)
    with pytest.raises(InputError) as told:
        registry.rollback("style-back")
    assert "version 2 is the first that served" in str(told.value)
    assert "`fittingroom styles promote back VERSION` takes another (there is 1, 3)" in str(told.value)
    assert "`fittingroom styles retire back`" in str(told.value)


def test_a_retired_style_does_not_serve_and_comes_back_as_it_was(
    registry: Registry, workspace: Workspace, tmp_path: Path
) -> None:
    from fittingroom.registry.serving import Serving
    from fittingroom.registry.starters import StarterModels

    model = "style-red-solid"
    for number in (1, 2):
        path = tmp_path / f"{number}.safetensors"
        path.write_bytes(b"%d" % number)
        registry.register(model, path, {}, {"data": str(number)}, {})
        registry.promote(model, number)
    with pytest.raises(InputError, match="red-solid: expected a retired style"):
        registry.reinstate(model)
    served = registry.retire(model)
    assert served is not None
    assert served.version == 2
    assert registry.retire(model) is None, "again"
    other = Registry(workspace)  # another process
    assert other.champion(model) is None
    assert other.retired() == {model: "hand"}
    names = [each.name for each in Serving(other, StarterModels()).styles()]
    assert "red-solid" not in names, "neither the starter of that name"
    with pytest.raises(InputError, match="`fittingroom styles retire red-solid --undo` lets it serve again"):
        registry.rollback(model)
    assert registry.reinstate(model).version == 2
    assert registry.retired() == {}
    assert registry.rollback(model).version == 1
    registry.retire(model)
    registry.promote(model, 2)
    assert (champion_of(registry, model).version, registry.retired()) == (2, {})
    registry.retire(model)  # other tests of this module share the registry


def test_a_verdict_is_kept_with_its_version(registry: Registry, weights: Path) -> None:
    version = registry.register("style-verdict", weights, {}, {}, {})
    assert (version.verdict, version.verdict_reasons) == ("", "")
    registry.note_verdict(version, False, "0.1 is not at least 0.5 " * 400)
    found = registry.version("style-verdict", 1)
    assert found.verdict == "refused"
    assert found.verdict_reasons.startswith("0.1 is not at least 0.5")


def test_same_content_is_registered_once(registry: Registry, weights: Path, tmp_path: Path) -> None:
    digests, recipe = {"source": "x", "target": "y"}, {"epochs": 3}
    first = registry.register("style-once", weights, {"a": 1.0}, digests, recipe)
    again = registry.register("style-once", weights, {"a": 1.0}, digests, recipe)
    assert again == first
    assert registry.versions("style-once") == [first]
    assert first.content_digest == content_digest(digests, recipe)
    assert first.content_digest != content_digest({**digests, "source": "z"}, recipe)
    other = tmp_path / "other.safetensors"
    other.write_bytes(b"trained again, came out different")
    second = registry.register("style-once", other, {"a": 2.0}, digests, recipe)
    assert second.version == 2
    assert second.content_digest == first.content_digest


def test_an_experiment_that_is_there_is_not_made_again(registry: Registry) -> None:
    """MLflow 3.0 has no error of its own for that, and a write that fails would take the database's lock."""
    there = registry._connect()
    number = experiment_in(there, None)
    found = there.get_experiment(number)
    client = Mock()
    client.get_experiment_by_name.side_effect = [None, found, found]
    client.create_experiment.side_effect = MlflowException("UNIQUE constraint failed: experiments.name")
    assert experiment_in(client, None) == number, "somebody else was first"
    assert experiment_in(client, None) == number
    assert client.create_experiment.call_count == 1


def test_a_deleted_experiment_is_named() -> None:
    client = Mock()
    client.get_experiment_by_name.return_value.lifecycle_stage = "deleted"
    with pytest.raises(FittingroomError, match="the experiment 'fittingroom' was deleted; restore it in MLflow"):
        experiment_in(client, None)


def test_another_process_sees_what_this_one_wrote(registry: Registry, weights: Path, tmp_path: Path) -> None:
    """What is kept in memory is checked against the file, so it is never stale."""
    reader = Registry(tmp_path, registry.uri)
    assert reader.champion("style-fresh") is None
    registry.register("style-fresh", weights, {}, {}, {"n": 1})
    assert reader.champion("style-fresh") is None
    registry.promote("style-fresh", 1)
    assert champion_of(reader, "style-fresh").version == 1


def test_a_try_on_reads_the_registry_without_mlflow(registry: Registry, workspace: Workspace, weights: Path) -> None:
    registry.register("style-quick", weights, {}, {}, {"n": 2})
    registry.promote("style-quick", 1)
    program = f"""
        import sys
        from pathlib import Path
        from fittingroom.registry.registry import Registry
        registry = Registry(Path({str(workspace.root)!r}))
        print(registry.weights_path(registry.champion("style-quick")).read_text())
        assert "mlflow" not in sys.modules and "torch" not in sys.modules
    """
    run = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert (run.returncode, run.stdout.strip(), run.stderr) == (0, "weights one", "")


def test_what_is_read_directly_is_what_mlflow_itself_says(
    registry: Registry, workspace: Workspace, weights: Path
) -> None:
    for number in (1, 2, 3):
        weights.write_bytes(b"%d" % number)
        registry.register("style-told", weights, {"a": 1.0}, {"d": str(number)}, {}, {"colour": "red"})
        registry.promote("style-told", number)
    from mlflow.tracking import MlflowClient

    from fittingroom.registry.database import read
    from fittingroom.registry.records import read_all

    client = MlflowClient(registry.uri, registry.uri)
    client.delete_model_version("style-told", "2")
    client.create_registered_model("somebody-elses")
    direct, asked = read(workspace.registry / "mlflow.db"), read_all(client, None)

    def told(found: Found) -> list[ModelVersion]:
        return sorted(found.versions, key=lambda each: (each.model, each.version))

    assert told(direct) == told(asked)
    assert direct.damaged == asked.damaged == []
    registry.register("style-other", weights, {}, {}, {})
    whole = read(workspace.registry / "mlflow.db")
    for name in ("style-told", "style-other", "style-none"):
        alone = read(workspace.registry / "mlflow.db", name)
        assert told(alone) == [version for version in told(whole) if version.model == name]
        assert told(Found(Registry(workspace).versions(name), [])) == told(alone)
    afresh = Registry(workspace)
    assert [len(afresh.versions(name)) for name in ("style-other", "style-none", "style-told")] == [1, 0, 2]
    assert [version.version for version in registry.versions("style-told")] == [3, 1]


def test_lost_and_changed_weights_are_said(registry: Registry, weights: Path) -> None:
    made = registry.register("style-lost", weights, {}, {}, {"n": 4})
    path = registry.weights_path(made)
    path.write_bytes(b"cut")
    with pytest.raises(Damaged, match=rf"{path}: damaged: expected SHA-256 {made.weights_sha256} \(lost version 1\)"):
        registry.weights_path(made)
    path.unlink()
    with pytest.raises(MissingInputError, match="registered file not found"):
        registry.weights_path(made)


def test_a_moved_workspace_still_serves(
    registry: Registry, workspace: Workspace, weights: Path, tmp_path: Path
) -> None:
    registry.register("style-moved", weights, {}, {}, {"n": 5})
    shutil.copytree(workspace.root, tmp_path / "elsewhere")
    moved = Registry(tmp_path / "elsewhere")
    path = moved.weights_path(moved.version("style-moved", 1))
    assert path.is_relative_to(tmp_path / "elsewhere")
    assert path.read_bytes() == b"weights one"


def test_a_moved_workspace_registers_into_itself(tmp_path: Path, weights: Path) -> None:
    Registry(tmp_path / "here").register("style-moved", weights, {}, {}, {"n": 1})
    (tmp_path / "here").rename(tmp_path / "there")
    weights.write_bytes(b"weights two")
    moved = Registry(tmp_path / "there")
    version = moved.register("style-moved", weights, {}, {}, {"n": 2})
    assert moved.weights_path(version).is_relative_to(tmp_path / "there")
    assert not (tmp_path / "here").exists()
    assert [v.version for v in moved.versions("style-moved")] == [2, 1]


def test_wrong_input_is_refused_before_anything_is_written(registry: Registry, weights: Path, tmp_path: Path) -> None:
    with pytest.raises(MissingInputError, match="nowhere"):
        registry.register("style-bad", tmp_path / "nowhere", {}, {}, {})
    with pytest.raises(InputError, match="model: expected"):
        registry.register("Style Bad", weights, {}, {}, {})
    with pytest.raises(InputError, match="file name"):
        registry.register("style-bad", weights, {}, {}, {}, files={"../x.png": weights})
    with pytest.raises(MissingInputError, match="style-bad 1"):
        registry.promote("style-bad", 1)
    with pytest.raises(MissingInputError, match="registered model not found: bad"):
        registry.rollback("style-bad")
    assert "style-bad" not in registry.models()


def test_an_unknown_version_lists_those_there_are(registry: Registry, weights: Path) -> None:
    registry.register("style-known", weights, {}, {}, {"n": 6})
    with pytest.raises(MissingInputError, match=r"style-known 7 \(there are 1\)"):
        registry.promote("style-known", 7)


def test_champions_of_all_styles(registry: Registry, weights: Path) -> None:
    from fittingroom.appearance.choose import AvailableStyle
    from fittingroom.registry.serving import Serving

    style = AvailableStyle("listed", "navy", "dotted", "skirt", (20.0, 5.0, -30.0))
    registry.register(style_model("listed"), weights, {}, {}, {"n": 7}, style.to_tags())
    assert style not in [served.style for served in Serving(registry).styles()]
    registry.promote("style-listed", 1)
    assert style in [served.style for served in Serving(registry).styles()]


def test_two_processes_may_write_at_once(tmp_path: Path) -> None:
    """They also create the tables at once; every one gets a version of its own."""
    program = f"""
        import sys
        from pathlib import Path
        from fittingroom.registry.registry import Registry
        number = sys.argv[1]
        weights = Path({str(tmp_path)!r}) / f"{{number}}.safetensors"
        weights.write_text(number)
        made = Registry(Path({str(tmp_path)!r}) / "ws").register("style-race", weights, {{}}, {{"d": number}}, {{}})
        print(made.version)
    """
    started = [
        subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(program), str(n)],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for n in range(2)
    ]
    outputs = [process.communicate() for process in started]
    assert [process.returncode for process in started] == [0, 0], outputs
    assert sorted(out.strip() for out, _ in outputs) == ["1", "2"]
    assert all(error == "" for _, error in outputs), outputs  # no chatter from MLflow or its migrations
    registry = Registry(tmp_path / "ws")
    for version in registry.versions("style-race"):
        assert registry.weights_path(version).read_text() == version.digests["d"]


def test_a_server_that_does_not_answer_is_transient(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with pytest.raises(StorageUnavailable, match=r"registry http://127\.0\.0\.1:9 does not answer"):
        Registry(tmp_path, "http://127.0.0.1:9").champion("segmenter")
    assert list(tmp_path.iterdir()) == []


class _Server:
    """Stands in for a remote MLflow: hands out artifacts of a folder."""

    def __init__(self, content: bytes) -> None:
        self.content, self.asked = content, 0

    def download_artifacts(self, run_id: str, path: str, folder: str) -> str:
        assert run_id
        self.asked += 1
        target = Path(folder) / path
        target.write_bytes(self.content)
        return str(target)


def test_weights_of_a_server_are_fetched_once_and_checked(registry: Registry, weights: Path, tmp_path: Path) -> None:
    made = registry.register("style-remote", weights, {}, {}, {"n": 8})
    served = replace(made, source="mlflow-artifacts:/1/x/artifacts")
    remote = Registry(tmp_path / "kept", "http://127.0.0.1:9")
    remote._client = server = _Server(b"weights one")  # type: ignore[assignment]
    path = remote.weights_path(served)
    assert path.read_bytes() == b"weights one"
    assert remote.weights_path(served) == path
    assert server.asked == 1
    assert [p.name for p in (tmp_path / "kept").rglob("*") if p.is_file()] == ["weights.safetensors"]

    other = Registry(tmp_path / "other", "http://127.0.0.1:9")
    other._client = _Server(b"weights two")  # type: ignore[assignment]
    with pytest.raises(Damaged, match="expected weights of SHA-256"):
        other.weights_path(served)
    assert not [p for p in (tmp_path / "other").rglob("*") if p.is_file()]


@pytest.mark.parametrize("name", ["ready? yes", "50%20 off #1, 옷"])
def test_the_database_lies_inside_whatever_the_folders_name(tmp_path: Path, weights: Path, name: str) -> None:
    place = Workspace(tmp_path / name)
    version = Registry(place).register("style-x", weights, {"leak": 0.5}, {}, {})
    Registry(place).promote("style-x", version.version)
    champion = Registry(place).champion("style-x")
    assert champion is not None
    assert Registry(place).weights_path(champion).is_relative_to(place.registry)
    assert (place.registry / "mlflow.db").is_file()
    assert {path.name for path in tmp_path.iterdir()} == {name, weights.name}


def test_the_installation_says_where_its_registry_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FITTINGROOM_WORKSPACE", str(tmp_path / "own"))
    asked = Workspace(tmp_path / "asked")
    get_settings.cache_clear()
    assert [Registry.from_settings(place).folder for place in (None, asked)] == [
        tmp_path / "own" / "registry",
        asked.registry,
    ]
    monkeypatch.setenv("FITTINGROOM_TRACKING_URI", "http://127.0.0.1:9")
    get_settings.cache_clear()
    assert {Registry.from_settings(place).uri for place in (None, asked)} == {"http://127.0.0.1:9"}
    get_settings.cache_clear()
