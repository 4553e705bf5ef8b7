"""What the UI shows: keys Prefect accepts, small pictures inside markdown, throttled progress; never a failed step."""

from __future__ import annotations

import base64
import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from prefect import flow
from prefect.client.orchestration import get_client

from fittingroom.images import write_png
from fittingroom.training.progress import Progress
from tasks import artifacts
from tasks.artifacts import SHEET_SIDE, ProgressBar, artifact_key, data_uri, picture_rows, show_rejected, show_table


def picture(path: Path, height: int = 300, width: int = 600) -> Path:
    write_png(path, np.full((height, width, 3), (200, 30, 30), np.uint8))
    return path


@pytest.mark.parametrize(("parts", "key"), [(("Try On", "Navy_Striped"), "try-on-navy-striped"), (("a--", "9"), "a-9")])
def test_keys_are_lower_case_with_dashes(parts: tuple[str, ...], key: str) -> None:
    assert artifact_key(*parts) == key


def test_a_picture_becomes_a_small_jpeg(tmp_path: Path) -> None:
    with opened(data_uri(picture(tmp_path / "red.png"), side=100)) as image:
        assert image.size == (100, 50)
        assert np.asarray(image)[25, 50, 0] > 180


def opened(uri: str) -> Image.Image:
    head, _, body = uri.partition(",")
    assert head == "data:image/jpeg;base64"
    return Image.open(io.BytesIO(base64.b64decode(body)))


def test_picture_rows_make_a_markdown_table_with_text_escaped(tmp_path: Path) -> None:
    lines = picture_rows(["photo", "words"], [[picture(tmp_path / "red.png"), "a|b"]]).splitlines()
    assert lines[0] == "| photo | words |"
    assert lines[1] == "| --- | --- |"
    assert lines[2].startswith("| ![photo](data:image/jpeg;base64,")
    assert lines[2].endswith("| a\\|b |")


def test_pictures_in_rows_are_as_large_as_asked(tmp_path: Path) -> None:
    sheet = picture(tmp_path / "red.png")
    for side, wanted in ((None, 256), (500, 500), (SHEET_SIDE, 600)):  # never larger than they are
        rows = picture_rows(["sheet"], [[sheet]]) if side is None else picture_rows(["sheet"], [[sheet]], side)
        uri = rows.splitlines()[2].split("(")[1].split(")")[0]
        with opened(uri) as image:
            assert image.width == wanted


def test_outside_a_run_nothing_is_shown_and_nothing_fails() -> None:
    show_table("a", [{"x": 1}], "table")
    ProgressBar("a", "training")(Progress(1, 2, 1, 1))


def test_progress_is_throttled_but_its_end_is_always_told(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[float] = []
    monkeypatch.setattr(artifacts, "create_progress_artifact", lambda percent, *_: told.append(percent))
    monkeypatch.setattr(artifacts, "update_progress_artifact", lambda _, percent, __: told.append(percent))
    monkeypatch.setattr(artifacts, "_create", lambda create: create() or "id")
    bar = ProgressBar("training", "navy-striped", every=3600)
    for number in range(1, 101):
        bar(Progress(number, 100, 1, 1, {"cycle": 0.5}))
    assert told == [1.0, 100.0]
    assert bar.describe(Progress(3, 9, 1, 2, {"cycle": 0.5}, 61.0)) == (
        "navy-striped: epoch 1 of 2, step 3 of 9, cycle 0.5, 61 s left"
    )


@pytest.mark.usefixtures("prefect_server")
def test_the_server_keeps_what_was_shown() -> None:
    rows = [{"status": "refused", "reason": "blurred", "picture": f"{n}.jpg", "detail": ""} for n in range(3)]

    @flow
    def show() -> None:
        show_rejected("rejected-test", rows, "what was refused")
        bar = ProgressBar("progress-test", "training", every=0.0)
        bar(Progress(1, 4, 1, 1))
        bar(Progress(2, 4, 1, 1))

    show()
    found: dict[str | None, Any] = {
        artifact.key: artifact.data for artifact in get_client(sync_client=True).read_artifacts()
    }
    assert "3 in all" in found["rejected-test"]
    assert float(found["progress-test"]) == 50.0
