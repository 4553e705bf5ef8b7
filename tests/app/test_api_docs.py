"""docs/api.md says what the API does: its examples are run, as they stand there, against a server."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from fittingroom.app.codes import CODES
from tests.app.serving import Models, photo, serving

TEXT = (Path(__file__).parents[2] / "docs" / "api.md").read_text(encoding="utf-8")


def examples(kind: str) -> list[str]:
    return re.findall(rf"```{kind}\n(.*?)```", TEXT, re.DOTALL)


def test_every_code_is_documented_with_its_status() -> None:
    _, _, table = TEXT.partition("<!-- codes -->\n")
    rows = [line for line in table.splitlines() if line.startswith("| `")]
    assert rows == [f"| `{name}` | {code.status} | {code.title} |" for name, code in CODES.items()]


@pytest.mark.skipif(shutil.which("curl") is None, reason="needs curl")
def test_the_examples_do_what_they_say(tmp_path: Path) -> None:
    (tmp_path / "me.jpg").write_bytes(photo())
    with serving(tmp_path / "workspace", Models()) as (host, port):

        def run(command: list[str], text: str) -> str:
            told = text.replace("127.0.0.1:7860", f"{host}:{port}")
            done = subprocess.run(
                [*command, told], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=120
            )
            assert (done.returncode, done.stderr) == (0, "")
            return done.stdout

        styles, try_ons, later = examples("sh")
        assert json.loads(run(["bash", "-c"], styles))["styles"][0]["name"] == "red-solid"
        run(["bash", "-c"], try_ons)
        assert json.loads((tmp_path / "out.json").read_text())["style"] == {"name": "red-solid", "exact": True}
        run(["bash", "-c"], later)
        for name in ("out.png", "later.png"):
            assert Image.open(tmp_path / name).size == (60, 60)
        (tmp_path / "out.png").unlink()
        (python,) = examples("python")
        said = run([sys.executable, "-W", "ignore::ResourceWarning", "-c"], python)
        assert said.startswith("Changed what is probably a vest to red-solid")
        assert Image.open(tmp_path / "out.png").size == (60, 60)
