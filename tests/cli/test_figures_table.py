"""Tables of figures: counts are whole numbers, whether their name heads a column or a row."""

from __future__ import annotations

from rich.console import Console

from fittingroom.cli.figures import figures_table


def printed(rows: dict[str, dict[str, float]], width: int = 60) -> list[list[str]]:
    console = Console(width=width)
    with console.capture() as captured:
        console.print(figures_table("as served", rows))
    return [line.split() for line in captured.get().splitlines()]


def test_counts_are_whole_and_shares_have_three_digits() -> None:
    assert printed({"iou": {"whole": 0.8191, "near": 0.5}, "split": {"whole": 1204.0, "near": 0.0}}) == [
        ["as", "served", "whole", "near"],
        ["iou", "0.819", "0.500"],
        ["split", "1,204", "0"],
    ]
    assert printed({"skirt": {"garments": 3.0, "ap": 1.0}})[1] == ["skirt", "3", "1.000"]
