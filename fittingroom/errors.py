"""Every error Fittingroom raises on purpose, and the exit code each one ends the command line with.

::

    FittingroomError                 exit 1: it ran, and something failed or fell short
    ├── InputError                   exit 2: refused before work began
    │   ├── SettingError             a setting: its name, the value, what is allowed
    │   │   └── UnknownSetting       no such setting: its name, and the nearest there is
    │   ├── CatalogError             a catalog file: the line and the field
    │   ├── AnnotationError          an annotation file: the file and the field
    │   ├── MissingInputError        a file, folder or style that is not there
    │   └── ImageRejected            a picture we will not decode: a reason from a closed list
    ├── NoGarmentFound               the segmenter saw nothing to change
    ├── NothingNear                  no style that serves comes near the wanted one
    ├── TrainingDiverged             the loss stopped being a number, twice
    ├── WeightsRejected              a weights file that is not ours, or not of this kind
    ├── Damaged                      exit 2: what was kept is not what was written; how to go on
    ├── NothingProduced              a stage ended with no output at all
    └── TransientError               may pass by itself: tasks retry these and no others
        ├── HostUnavailable          time-outs, 429, 5xx; may carry ``retry_after`` seconds
        └── StorageUnavailable       a full disk, a registry that does not answer

Messages are one line: what was wrong, what was expected, what came.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from fittingroom.names import not_known, printable
from fittingroom.redaction import redacted


class FittingroomError(Exception):
    """The root of the tree. ``exit_code`` is what the command line ends with."""

    exit_code = 1

    def __str__(self) -> str:
        return redacted(super().__str__())

    def __reduce__(self) -> tuple[Any, ...]:
        """Errors pass between processes whole, whatever their constructors ask for."""
        return _restored, (type(self), self.args, self.__dict__)


def _restored(kind: type[FittingroomError], arguments: tuple[Any, ...], state: dict[str, Any]) -> FittingroomError:
    error = kind.__new__(kind, *arguments)
    error.__dict__.update(state)
    return error


class InputError(FittingroomError):
    """Wrong usage or input, refused before work began."""

    exit_code = 2


class SettingError(InputError):
    """A setting outside what is allowed."""

    def __init__(self, field: str, value: object, allowed: str) -> None:
        self.field, self.value, self.allowed = field, value, allowed
        super().__init__(f"setting {field}: expected {allowed}, got {value!r}")


class UnknownSetting(SettingError):
    """A setting that there is not; the message names the nearest one that there is."""

    def __init__(self, name: str, value: object, known: Iterable[str]) -> None:
        names = list(known)
        super().__init__(name, value, "one of " + ", ".join(names))
        self.args = (not_known("setting", name, names),)


class CatalogError(InputError):
    """A catalog file that cannot be used; the message names file, line and field."""


class AnnotationError(InputError):
    """An annotation file that cannot be read at all; single bad garments are findings, not errors."""


class MissingInputError(InputError):
    """Something the user named is not there, or is something else: a file where a folder is wanted."""

    def __init__(self, what: str, path: Path | str, hint: str = "") -> None:
        hint = hint or _instead(path)
        super().__init__(f"{what} not found: {printable(path)}" + (f" ({hint})" if hint else ""))


def _instead(path: Path | str) -> str:
    """What lies at a path after all; nothing of what is no path, but a name."""
    if not isinstance(path, Path):
        return ""
    for there, kind in ((os.path.isdir, "folder"), (os.path.isfile, "file"), (os.path.exists, "device or a socket")):
        if there(path):
            return f"that is a {kind}"
    return "that is a link to nothing" if os.path.islink(path) else ""  # noqa: PTH114  pathlib's raises what os.path answers


class ImageRejected(InputError):
    """A picture that will not be decoded. ``reason`` is one of `REASONS`, for manifests and reports."""

    REASONS = (
        "empty",
        "too_many_bytes",
        "too_many_pixels",
        "too_many_scans",
        "too_much_memory",
        "too_slow",
        "format_not_allowed",
        "unreadable",
        "truncated",
        "zero_size",
        "name_not_utf8",
    )

    def __init__(self, reason: str, name: str, detail: str) -> None:
        self.reason, self.name, self.detail = reason, printable(name), detail
        super().__init__(f"{self.name}: {detail}")


class NoGarmentFound(FittingroomError):
    """No garment was found where one is needed. ``reason`` says it in a word, as an `ImageRejected` does."""

    reason = "no_garment"


class DoubtfulMask(NoGarmentFound):
    """A garment was found, and its mask is not to be trusted, where only a sure one will do."""

    reason = "doubtful_mask"


class NothingNear(FittingroomError):
    """No style that serves has the wanted pattern (or, painting in its own colours alone, the wanted colour).

    ``what`` is that in words, without a way out, which is another one in a browser.
    """

    def __init__(self, what: str, way_out: str = "") -> None:
        self.what, self.way_out = what, way_out
        super().__init__(f"{what}; {way_out}" if way_out else what)


class TrainingDiverged(FittingroomError):
    """The loss stopped being finite and going back to the last good checkpoint did not help."""


class WeightsRejected(FittingroomError):
    """A weights file that is damaged, of another kind, or made for another network."""


class Damaged(FittingroomError):
    """Something kept on disk is not what was written there; the message names the file or record, and the way out."""

    exit_code = 2


class NothingProduced(FittingroomError):
    """A stage ran to its end and produced nothing that a later stage could use."""


class TransientError(FittingroomError):
    """May pass by itself; the pipeline retries these, with growing delays, and no others."""

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        self.retry_after = retry_after
        super().__init__(message)


class HostUnavailable(TransientError):
    """A host that timed out, refused for now (429) or failed (5xx)."""


class StorageUnavailable(TransientError):
    """A disk that is full or a registry that does not answer."""
