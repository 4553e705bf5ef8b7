"""Any photo to a garment-only picture, or a reason why not.

A flat-lay or hanger shot before a plain (or mildly textured) background needs no model: `plain` learns the border's
colours and finds what differs. Other pictures need a garment finder. `judge` holds the tests a cut-out must pass;
`cut` puts the two together for one picture and `shard` for many files.

Example::

    cutout = cut_out(read_rgb(Path("shirt.jpg")))
    write_png(Path("shirt.png"), cutout.rgba)
"""

from fittingroom.cutout.cut import Cutout, cut_out
from fittingroom.cutout.judge import REFUSAL_REASONS, Refused
from fittingroom.cutout.settings import CutoutSettings
from fittingroom.cutout.shard import Overrides, cut_out_files, load_overrides

__all__ = [
    "REFUSAL_REASONS",
    "Cutout",
    "CutoutSettings",
    "Overrides",
    "Refused",
    "cut_out",
    "cut_out_files",
    "load_overrides",
]
