"""The S3-style store of compose.yaml: its bucket is made once, and MLflow keeps files in it."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Iterator
from pathlib import Path

import pytest

from deployments.bucket import main, make_bucket

moto = pytest.importorskip("moto.server", reason="not installed: moto (extra: dev)")


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Address of an S3-style store in memory, with the variables that compose.yaml gives its users."""
    server = moto.ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    address = f"http://{host}:{port}"
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "fittingroom")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "for a test")
    monkeypatch.setenv("MLFLOW_S3_ENDPOINT_URL", address)
    yield address
    server.stop()


def buckets(address: str) -> list[str]:
    import boto3

    found = boto3.client("s3", endpoint_url=address, region_name="us-east-1").list_buckets()
    return [bucket["Name"] for bucket in found["Buckets"]]


def test_a_bucket_is_made_once(store: str) -> None:
    make_bucket("mlflow")
    assert buckets(store) == ["mlflow"]
    make_bucket("mlflow")
    assert buckets(store) == ["mlflow"], "started again, as containers are"


def test_mlflow_keeps_weights_in_it(store: str, tmp_path: Path) -> None:
    from mlflow.store.artifact.s3_artifact_repo import S3ArtifactRepository

    make_bucket("mlflow")
    weights = tmp_path / "weights.safetensors"
    weights.write_bytes(bytes(range(256)) * 4096)
    kept = S3ArtifactRepository("s3://mlflow/1/run/artifacts")
    kept.log_artifact(str(weights))
    assert [(file.path, file.file_size) for file in kept.list_artifacts()] == [("weights.safetensors", 1_048_576)]
    (tmp_path / "fetched").mkdir()
    fetched = Path(kept.download_artifacts("weights.safetensors", str(tmp_path / "fetched")))
    assert fetched.read_bytes() == weights.read_bytes()
    assert buckets(store) == ["mlflow"]


def test_without_the_extra_it_says_in_a_line_how_to_install_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    there = importlib.metadata.version

    def version(package: str) -> str:
        if package == "boto3":
            raise importlib.metadata.PackageNotFoundError(package)
        return there(package)

    monkeypatch.setattr(importlib.metadata, "version", version)
    assert main(["mlflow"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: making a bucket needs what is not installed: boto3")
    assert line.endswith("pip install -c constraints.txt '.[production]'")


@pytest.mark.parametrize("given", [[], [""], ["a", "b"]])
def test_without_a_name_it_says_how_it_is_called(given: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(given) == 2
    assert capsys.readouterr().err == "error: expected a bucket's name: python -m deployments.bucket NAME\n"
