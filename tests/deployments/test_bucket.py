"""The S3-style store of compose.yaml: its bucket is made once, and MLflow keeps files in it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from deployments.bucket import make_bucket

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
