"""Pictures that were withdrawn: known by address and by bytes, in all styles, so that no crawl keeps them again."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path

from fittingroom.manifest import ImageRow, append_line, read_lines
from fittingroom.workspace import Workspace


@dataclass(frozen=True)
class Withdrawal:
    """One address whose picture was withdrawn.

    Attributes:
        style: whose crawl had it. address: its key in that crawl's manifest.
        sha256, source_sha256: of the bytes as stored and as fetched; empty where they were never known.
        why: in a person's words. at: when, ISO 8601 in UTC.
    """

    style: str
    address: str
    sha256: str
    source_sha256: str
    why: str
    at: str

    @property
    def digests(self) -> set[str]:
        """Of its bytes, those that are known."""
        return {self.sha256, self.source_sha256} - {""}


_FIELDS = tuple(field.name for field in fields(Withdrawal))


class Withdrawals:
    """All that were withdrawn from a workspace."""

    def __init__(self, withdrawn: Iterable[Withdrawal] = ()) -> None:
        self.all = list(withdrawn)
        self._by_address = {one.address: one for one in self.all}
        self._by_digest = {digest: one for one in self.all for digest in one.digests}

    @classmethod
    def read(cls, workspace: Workspace) -> Withdrawals:
        """Those of a workspace; torn or foreign lines are skipped."""
        lines = (line for line in read_lines(workspace.withdrawn) if all(isinstance(line.get(n), str) for n in _FIELDS))
        return cls(Withdrawal(**{name: line[name] for name in _FIELDS}) for line in lines)

    @property
    def digests(self) -> frozenset[str]:
        """Of all their bytes."""
        return frozenset(self._by_digest)

    def of_address(self, address: str) -> Withdrawal | None:
        """The one that had this address."""
        return self._by_address.get(address)

    def of_bytes(self, *digests: str) -> Withdrawal | None:
        """The one that had bytes of one of these digests."""
        return next((self._by_digest[digest] for digest in digests if digest in self._by_digest), None)


def withdrawn_beside(crawl: Path) -> Path | None:
    """The file of withdrawals of the workspace that a style's crawl folder lies in; none of a folder elsewhere."""
    parent = crawl.absolute().parent
    return Workspace(parent.parent).withdrawn if parent.name == "crawl" else None


def note_withdrawal(workspace: Workspace, withdrawal: Withdrawal) -> None:
    """Write one down, for good."""
    append_line(workspace.withdrawn, asdict(withdrawal))


def tombstone(row: ImageRow, withdrawal: Withdrawal) -> ImageRow:
    """What is left of a row in a crawl's manifest."""
    return replace(
        row,
        status="withdrawn",
        reason="withdrawn",
        detail=f"{withdrawal.at}: {withdrawal.why}",
        sha256=row.sha256 or withdrawal.sha256,
        source_sha256=row.source_sha256 or withdrawal.source_sha256,
        path="",
        duplicate_of="",
        phash="",
        etag="",
        last_modified="",
    )
