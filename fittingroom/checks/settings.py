"""What each check allows, and how hard it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal, get_args

from fittingroom.errors import SettingError
from fittingroom.fields import CheckedSettings, Range, Share

Severity = Literal["blocking", "warning"]
CheckName = Literal[
    "catalog_names",
    "catalog_sources",
    "catalog_licences",
    "catalog_offered",
    "crawl_kept",
    "crawl_refused",
    "cut_out_kept",
    "cut_out_colours",
    "annotation_findings",
    "training_leak",
    "training_balance",
]
"""The checks, in the order of the stages; a field of `CheckSettings` says what each allows."""
_WARNINGS = ("catalog_names", "catalog_sources", "catalog_licences", "training_balance")
"""Those that block nothing where nobody says so."""
Count = Annotated[int, Range(0)]


@dataclass(frozen=True)
class CheckSettings(CheckedSettings):
    """What each check between two stages allows. Those that find more, or less, block the style or the data set, or
    warn: ``blocking``, ``warning`` and ``off`` name checks that shall do otherwise than by default."""

    catalog_names: Count = 0
    """Other styles whose names differ in hyphens only, at most."""
    catalog_sources: Count = 0
    """Sources of a style that stand in the catalog more than once, at most."""
    catalog_licences: Count = 0
    """Sources of a style that state no licence, at most; lists with columns and Openverse state one a picture."""
    catalog_offered: Count = 4
    """Pictures that a style's sources offer, at least."""
    crawl_kept: Count = 4
    """Pictures of a style that were kept, at least."""
    crawl_refused: Share = 0.3
    """How far the share of pictures that were refused or failed may rise over that of the style's last crawl."""
    cut_out_kept: Share = 0.2
    """Share of a style's pictures that gave a cut-out, at least; what a person dropped does not count."""
    cut_out_colours: Annotated[float, Range(0)] = 15.0
    """Mean difference (CIEDE2000) of the garments' colours to that of the most typical one, at most; not asked of
    styles without a colour."""
    annotation_findings: Annotated[float, Range(0)] = 0.05
    """How far the findings of a kind may rise over those of the last data set, in findings a photo."""
    training_leak: Share = 0.02
    """Share of validation photos that are nearly a photo to learn from, at most."""
    training_balance: Share = 0.9
    """Share that one category may have of the garments to learn from, where several are annotated."""
    blocking: tuple[CheckName, ...] = ()
    """Checks that block, though they warn by default."""
    warning: tuple[CheckName, ...] = ()
    """Checks that warn, though they block by default."""
    off: tuple[CheckName, ...] = ()
    """Checks that are left out."""

    def check_together(self) -> None:
        """A check is one thing."""
        named = [name for names in (self.blocking, self.warning, self.off) for name in names]
        for name in named:
            if named.count(name) > 1:
                raise SettingError("off", list(self.off), f"{name} once in blocking, warning and off")

    def severity(self, name: str) -> Severity | None:
        """How hard a check is; None: it is left out."""
        if name in self.off:
            return None
        if name in self.warning:
            return "warning"
        return "warning" if name in _WARNINGS and name not in self.blocking else "blocking"


CHECKS: tuple[CheckName, ...] = get_args(CheckName)
