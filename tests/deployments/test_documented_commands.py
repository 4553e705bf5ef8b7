"""What the documentation tells people to type is there: commands, options, flows, parameters, variables and extras."""

from __future__ import annotations

import re
import shlex
import tomllib

import pytest

from fittingroom.settings import Settings
from tests.deployments.documented import PROGRAMS, ROOT, fault

PAGES = {
    str(page.relative_to(ROOT)): page.read_text(encoding="utf-8")
    for page in [
        *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md", "deployments/README.md")),
        *sorted((ROOT / "docs").glob("*.md")),
    ]
}
NO_SETTINGS = {"FITTINGROOM_ROOT"}
"""Read by deployments/prefect.yaml."""


def commands(text: str) -> list[list[str]]:
    """Command lines as words, in blocks (without what is said of them after two spaces) and within sentences."""
    text = re.sub(r"\\\n *", "", text)
    fenced = [line for block in re.findall(r"```\w*\n(.*?)```", text, re.DOTALL) for line in block.splitlines()]
    text = re.sub(r"```.*?```", "", text, flags=re.DOTALL)
    indented = [line.strip() for line in text.splitlines() if line.startswith("    ")]
    inline = [" ".join(span.split()) for span in re.findall(r"(?<!`)`([^`]+)`(?!`)", text)]
    found = []
    for line in [*fenced, *indented, *inline]:
        try:
            words = shlex.split(line.split("  ")[0], comments=True)
        except ValueError:  # an apostrophe: a sentence
            continue
        while words and re.fullmatch(r"[A-Z_]+=.*", words[0]):
            words = words[1:]
        if len(words) > 1 and words[0] in PROGRAMS:
            found.append([word for word in words if word != "..."])
    return found


def test_commands_are_found_wherever_they_stand() -> None:
    page = "Type `make\ndemo`:\n\n    A=b fittingroom run \\\n        x    # or y\n\n```sh\nprefect config view\n```\n"
    assert commands(page) == [["prefect", "config", "view"], ["fittingroom", "run", "x"], ["make", "demo"]]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("fittingroom styles list --json", ""),
        ("fittingroom styles lists", "no command lists"),
        ("fittingroom try-on me.jpg --colours red", "no option --colours"),
        ("fittingroom run try-on --param persons=a.jpg", ""),
        ("fittingroom run try-on --param photos=a.jpg", "try-on: no parameter photos"),
        ("fittingroom run try-off", "no flow try-off"),
        ("prefect deployment run try-on/try-on --param photos=a", "try-on: no parameter photos"),
        ("make check tests", "no target tests"),
        ("python -m deployments.automatons", "no such program"),
        ("python benchmarks/training.py cyclegan --breadth 32", "no option --breadth"),
    ],
)
def test_a_mistake_is_said(line: str, said: str) -> None:
    assert fault(shlex.split(line)) == said


@pytest.mark.parametrize("page", PAGES)
def test_commands_of_the_documentation_are_there(page: str) -> None:
    faults = {shlex.join(words): said for words in commands(PAGES[page]) if (said := fault(words))}
    assert not faults


def test_variables_of_the_documentation_are_settings() -> None:
    named = {name for text in PAGES.values() for name in re.findall(r"\bFITTINGROOM_[A-Z_]+\b", text)}
    assert "FITTINGROOM_WORKSPACE" in named
    assert named - NO_SETTINGS <= {f"FITTINGROOM_{field}".upper() for field in Settings.model_fields}


def test_extras_of_the_documentation_are_there() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    named = {
        extra for text in PAGES.values() for one in re.findall(r"'\.\[([\w,]+)\]'", text) for extra in one.split(",")
    }
    assert named
    assert named <= project["optional-dependencies"].keys()
