"""Pictures that take long to decode cost their seconds and no more: one row, or one line, wherever they are read."""

from __future__ import annotations

import io
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fittingroom import images, opening, workers
from fittingroom.cli import run
from fittingroom.crawl import Candidate, CrawlSettings, fetch
from fittingroom.cutout import cut_out_files
from fittingroom.errors import ImageRejected
from fittingroom.preparing.square import prepare_files
from fittingroom.settings import get_settings

SECONDS = 0.3
"""Of processor time: a start of Python takes as much, 600 million pixels over all scans ten times that."""


@pytest.fixture(scope="module")
def slow_jpeg() -> bytes:
    """Half a megabyte that is decoded for seconds: a progressive JPEG with its last scan again and again."""
    buffer = io.BytesIO()
    Image.new("L", (4200, 4000), 90).save(buffer, "JPEG", progressive=True)
    data = buffer.getvalue()
    last = data[data.rindex(b"\xff\xda") : -2]
    return data[:-2] + last * (36 - opening.count_scans(data)) + data[-2:]


@pytest.fixture
def pool(monkeypatch: pytest.MonkeyPatch) -> Iterator[workers.Workers]:
    """The workers that this process shares, with less patience."""
    pool = workers.Workers(1, seconds=SECONDS)
    monkeypatch.setattr(workers, "_shared", {os.getpid(): pool})
    yield pool
    pool.close()


def encoded(image: Image.Image, kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def small(seed: int, kind: str = "JPEG") -> bytes:
    blocks = np.random.default_rng(seed).integers(0, 256, (5, 5, 3), np.uint8)
    return encoded(Image.fromarray(blocks).resize((160, 160), Image.Resampling.NEAREST), kind)


def test_a_slow_picture_is_ended_and_named(slow_jpeg: bytes, pool: workers.Workers, tmp_path: Path) -> None:
    (tmp_path / "slow.jpg").write_bytes(slow_jpeg)
    with pytest.raises(ImageRejected, match=r"slow\.jpg: expected a picture that is decoded within 0\.3 s") as refused:
        images.read_rgb(tmp_path / "slow.jpg")
    assert refused.value.reason == "too_slow"
    assert pool.processes() == []


def test_with_patience_it_is_decoded_elsewhere_to_the_same_pixels(
    slow_jpeg: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("slow.jpg").write_bytes(slow_jpeg)
    patient = workers.Workers(1, seconds=60)
    monkeypatch.setattr(workers, "_shared", {os.getpid(): patient})
    found = images.read_rgb(Path("slow.jpg"))
    assert len(patient.processes()) == 1
    assert found.shape == (4000, 4200, 3)
    assert (found == 90).all()
    patient.close()


@pytest.mark.parametrize(
    ("data", "elsewhere"),
    [
        pytest.param(small(1), False, id="a small JPEG"),
        pytest.param(small(1, "PNG"), False, id="a small PNG"),
        pytest.param(small(1, "AVIF"), True, id="an AVIF, whatever its size"),
        pytest.param(encoded(Image.new("L", (4100, 4000)), "PNG"), True, id="a large PNG"),
    ],
)
def test_only_what_may_be_much_work_gets_a_process(data: bytes, elsewhere: bool, monkeypatch) -> None:
    patient = workers.Workers(1)
    monkeypatch.setattr(workers, "_shared", {os.getpid(): patient})
    pixels = images.read_rgb(data)
    assert (len(patient.processes()) == 1) is elsewhere
    patient.close()
    with opening.opened(data) as image:
        assert np.array_equal(pixels, np.asarray(image.convert("RGB")))


def test_a_worker_decodes_by_itself() -> None:
    """It can be ended already, and is: a further process would outlive that, and the memory it may have is its own."""
    own = workers.Workers(1)
    children = own.run(eval, _COUNT_CHILDREN, {"data": small(1, "AVIF")})
    own.close()
    assert children == 0


_COUNT_CHILDREN = (
    "(__import__('fittingroom.images').images.read_rgb(data),"
    " len(__import__('psutil').Process().children(recursive=True)))[1]"
)


def test_a_forked_process_has_workers_of_its_own() -> None:
    """A data loader's, say: two that talk to one worker would get each other's pictures."""
    data = small(2, "AVIF")
    expected = images.read_rgb(data)
    ours = workers._shared[os.getpid()].processes()
    if not (child := os.fork()):
        signal.alarm(60)
        same = np.array_equal(images.read_rgb(data), expected)
        os._exit(0 if same and not set(workers._shared[os.getpid()].processes()) & set(ours) else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert np.array_equal(images.read_rgb(data), expected)


@pytest.mark.usefixtures("pool")
def test_the_crawler_goes_on(slow_jpeg: bytes, tmp_path: Path) -> None:
    """As one row, and decoded once: what took too long as it was stored is not encoded anew."""
    given = {"a.jpg": small(1), "slow.jpg": slow_jpeg, "z.jpg": small(2)}
    for name, data in given.items():
        (tmp_path / name).write_bytes(data)
    settings = CrawlSettings()
    rows = fetch([Candidate(str(tmp_path / name)) for name in given], tmp_path / "out", settings)
    assert [row.status for row in rows] == ["kept", "failed", "kept"]
    assert rows[1].reason == "too_slow"
    assert "save it again as a plain JPEG or PNG" in rows[1].detail
    rows = fetch([Candidate(str(tmp_path / name)) for name in given], tmp_path / "out", settings)
    assert rows[1].reason == "too_slow"


@pytest.mark.usefixtures("pool")
def test_cutting_out_and_preparing_go_on(slow_jpeg: bytes, tmp_path: Path) -> None:
    shirt = np.full((240, 240, 3), 215, np.uint8)
    shirt[60:190, 70:170] = (30, 60, 160)
    images.write_png(tmp_path / "shirt.png", shirt)
    (tmp_path / "slow.jpg").write_bytes(slow_jpeg)
    files = [tmp_path / "slow.jpg", tmp_path / "shirt.png"]
    for stage in (cut_out_files, prepare_files):
        rows = stage(files, tmp_path / stage.__name__)
        assert [row.reason for row in rows if row.key.endswith("slow.jpg")] == ["too_slow"]
        assert {row.status for row in rows if not row.key.endswith("slow.jpg")} == {"kept"}


@pytest.mark.usefixtures("pool")
def test_a_try_on_is_refused_in_a_line(
    slow_jpeg: bytes, tmp_path: Path, monkeypatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FITTINGROOM_WORKSPACE", str(tmp_path / "w"))
    get_settings.cache_clear()
    person, out = tmp_path / "slow.jpg", tmp_path / "out.png"
    person.write_bytes(slow_jpeg)
    assert run(["try-on", str(person), "--style", "red-solid", "-o", str(out)]) == 2
    said = capsys.readouterr().err
    assert said.startswith(f"error: {person}: expected a picture that is decoded within 0.3 s")
    assert len(said.splitlines()) == 1
    assert not out.exists()
    get_settings.cache_clear()
