"""Draw the imports between packages into docs/architecture.md, as they stand in the sources.

python docs/draw_imports.py
"""

from __future__ import annotations

from graphlib import TopologicalSorter
from pathlib import Path

import grimp

PATH = Path(__file__).with_name("architecture.md")
BEGIN, END = "```mermaid\n", "```\n"
ROOTS = ("deployments", "flows", "tasks", "fittingroom")


def imports() -> dict[str, set[str]]:
    """Each package, and each module that stands alone and imports one: the others that it imports."""
    graph = grimp.build_graph(*ROOTS)

    def place(module: str) -> str:
        return ".".join(module.split(".")[: 2 if module.startswith("fittingroom.") else 1])

    found: dict[str, set[str]] = {place(module): set() for module in graph.modules}
    for module in graph.modules:
        found[place(module)] |= {place(each) for each in graph.find_modules_directly_imported_by(module)}
    packages = {name for name in found if graph.find_children(name)} - {"fittingroom"}
    drawn = packages | {name for name, others in found.items() if others & packages}
    return {name: (found[name] & drawn) - {name} for name in sorted(drawn)}


def picture() -> str:
    """The block as it belongs into the page: an arrow to each, but to what another arrow leads to already.

    Raises:
        graphlib.CycleError: packages import each other.
    """
    found = imports()
    led_to: dict[str, set[str]] = {}
    for name in TopologicalSorter(found).static_order():
        led_to[name] = found[name].union(*(led_to[other] for other in found[name]))
    lines = ["graph TD"]
    for name, others in found.items():
        direct = others.difference(*(led_to[other] for other in others))
        lines += [f"    {name} --> {other}" for other in sorted(direct)]
    return BEGIN + "\n".join(lines).replace("fittingroom.", "") + "\n" + END


def document(page: str) -> str:
    """``page`` with the picture as it is now."""
    before, _, rest = page.partition(BEGIN)
    return before + picture() + rest.partition(END)[2]


if __name__ == "__main__":
    PATH.write_text(document(PATH.read_text(encoding="utf-8")), encoding="utf-8")
