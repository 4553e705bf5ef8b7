"""After a clean-up no byte of the workspace tells of the photos: neither their names, nor their pixels, nor base64 of
them. Looked for in every file, databases and their logs included.
"""

from __future__ import annotations

import base64
import contextlib
import os
import re
import sqlite3
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import numpy as np
import pytest

from fittingroom.images import encode_jpeg
from fittingroom.workspace import write_bytes

ROOT = Path(__file__).resolve().parents[2]
NAMES = ["Anna Karenina", "Wronski", "Lewin"]
"""Photos that the batch takes, that lies elsewhere, and that shows no garment."""

TRY_ON = """
    import sys
    from pathlib import Path
    from deployments.server import server_for_a_run
    from fittingroom.workspace import Workspace
    place, outside = Workspace(Path(sys.argv[1])), Path(sys.argv[2])
    import fittingroom.segmentation.predict, fittingroom.translation.predict
    from stand_ins import Finder, Painter
    fittingroom.segmentation.predict.Segmenter.load = staticmethod(lambda *_, **__: Finder())
    fittingroom.translation.predict.Translator.load = staticmethod(lambda *_, **__: Painter())
    with server_for_a_run(place, print):
        from flows.try_on import try_on
        from flows.try_on_batch import try_on_batch
        try_on(persons=[outside], workspace=place.root, styles=["red-solid"])
        try_on_batch(workspace=place.root, styles=["red-solid"])
"""
COMMAND = "import sys; from fittingroom.cli import run; sys.exit(run(sys.argv[1:]))"


def photo(path: Path, shade: int) -> Path:
    pixels = np.random.default_rng(shade).integers(0, max(shade, 1), (160, 140, 3)).astype(np.uint8)
    write_bytes(path, encode_jpeg(pixels))
    return path


def run(home: Path, *words: object) -> str:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PREFECT_", "FITTINGROOM_"))}
    done = subprocess.run(
        [sys.executable, *map(str, words)],
        cwd=ROOT,
        env=kept | {"HOME": str(home), "PYTHONPATH": f"{ROOT}:{ROOT / 'tests' / 'tryon'}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def found_in(root: Path, words: dict[str, bytes]) -> set[tuple[str, str]]:
    """Which words stand in which file, as text or in a file's name."""
    found = set()
    for path in root.rglob("*"):
        content = (path.read_bytes() if path.is_file() and not path.is_symlink() else b"") + os.fsencode(path.name)
        found |= {(name, path.relative_to(root).as_posix()) for name, word in words.items() if word in content}
    return found


def named_in(database: Path) -> set[str]:
    """Tables of an SQLite database in which one of the photos is named."""
    with contextlib.closing(sqlite3.connect(database)) as connection:
        tables = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        return {
            table
            for table in tables
            for row in connection.execute(f"SELECT * FROM {table}")
            if any(name in str(row) for name in NAMES)
        }


@pytest.mark.slow
def test_a_clean_up_leaves_neither_names_nor_pictures(tmp_path: Path) -> None:
    place = tmp_path / "w"
    anna = photo(place / "persons" / f"{NAMES[0]}.jpg", 200)
    photo(place / "persons" / f"{NAMES[2]}.jpg", 0)
    outside = photo(tmp_path / "elsewhere" / f"{NAMES[1]}.jpg", 120)
    run(tmp_path, "-c", textwrap.dedent(TRY_ON), place, outside)

    database = place / "prefect" / "prefect.db"
    with sqlite3.connect(database) as connection:
        artifacts = " ".join(str(data) for (data,) in connection.execute("SELECT data FROM artifact"))
    connection.close()
    pictures = re.findall(r"base64,[A-Za-z0-9+/]{1400}([A-Za-z0-9+/]{200})", artifacts)  # after JPEG's tables
    assert len(pictures) >= 4, "two photos, before and after"
    words = {name: name.encode() for name in NAMES}
    words |= {f"artifact {n}": text.encode() for n, text in enumerate(pictures)}
    for name, path in (("Anna's photo", anna), ("Wronski's photo", outside)):
        middle = path.read_bytes()[2000:2090]
        words |= {name: middle, f"{name} in base64": base64.b64encode(middle)}
    for picture in (place / "tryon").rglob("*.png"):
        data = picture.read_bytes()
        middle = data[len(data) // 2 :][:60]
        words |= {picture.name: middle} if len(set(middle)) > 40 else {}  # else it is one colour, as in any picture
    before = found_in(place, words)
    assert {name for name, _ in before} >= {*NAMES, "Anna's photo", "artifact 0", "red-solid.png"}
    assert named_in(database) == {"flow_run"}, "a parameter; all else that is kept says ids"

    for path in [*(place / "persons").iterdir(), *(place / "tryon").rglob("*"), *(place / "cache").iterdir()]:
        os.utime(path, (time.time() - 86_400,) * 2)
    said = run(tmp_path, "-c", COMMAND, "run", "clean-up", "--param", f"workspace={place}", "--param", "days=0.00001")
    assert found_in(place, words) == set(), said
    assert outside.exists(), "it is not ours"
    with sqlite3.connect(database) as connection:
        (names,) = zip(
            *connection.execute("SELECT flow.name FROM flow_run JOIN flow ON flow.id = flow_id"), strict=True
        )
    connection.close()
    assert names == ("clean-up",)
