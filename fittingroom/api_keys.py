"""Keys of the HTTP API: a file of digests, which is read again when it changes.

::

    [shop-a]
    sha256 = "9f86d0..."                    # of the key, which stands nowhere
    requests_per_minute = 60                # try-ons; as many may come in one go
    at_once = 4                             # try-ons under way, those that wait too
    origins = ["https://shop-a.example"]    # sites whose pages may use this key; none if left out

``python -m fittingroom.api_keys shop-a >> keys.toml`` makes a key, adds it, and says it on the terminal, once.
"""

from __future__ import annotations

import hashlib
import hmac
import logging
import re
import secrets
import sys
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from fittingroom.errors import InputError, MissingInputError

_NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,39}$"
_ORIGIN = r"^https?://[a-z0-9.\[\]:-]+$"
MOST_AT_ONCE = 32
"""Try-ons of one key that are under way."""
log = logging.getLogger("fittingroom.app")


class Key(BaseModel):
    """What a key may."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    sha256: str = Field(pattern=r"^[0-9a-f]{64}$", repr=False)
    requests_per_minute: int = Field(60, ge=1, le=100_000)
    at_once: int = Field(4, ge=1, le=MOST_AT_ONCE)
    origins: list[Annotated[str, Field(pattern=_ORIGIN)]] = []


_FILE = TypeAdapter(dict[Annotated[str, Field(pattern=_NAME)], Key])


class Keys:
    """The keys of a file.

    Raises:
        InputError: not there, not as it should be, or without a key. While it is served, what was read last holds, and
            none is as good as any: the last one may be taken away.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen = self._signature()
        self._keys = _read(path)
        if not self._keys:
            raise InputError(f"{path}: expected a key, got none: python -m fittingroom.api_keys NAME")

    def all(self) -> Mapping[str, Key]:
        """By their names."""
        if (signature := self._signature()) != self._seen:
            self._seen = signature
            try:
                self._keys = _read(self._path)
            except InputError as error:
                log.error("the API keys stay as they were: %s", error)
        return self._keys

    def find(self, key: str) -> tuple[str, Key] | None:
        """Whose key this is, and what it may; the time it takes says nothing of which digests are near."""
        digest = hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()
        found = None
        for name, each in self.all().items():
            if hmac.compare_digest(each.sha256, digest):
                found = name, each
        return found

    def _signature(self) -> tuple[int, ...] | None:
        try:
            status = self._path.stat()
        except OSError:
            return None
        return status.st_mtime_ns, status.st_size, status.st_ino


def _read(path: Path) -> dict[str, Key]:
    try:
        if not path.is_file():
            raise MissingInputError("file of API keys", path)
        return _FILE.validate_python(tomllib.loads(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}") from None
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        raise InputError(f"{path}: {'.'.join(map(str, first['loc']))}: {first['msg'].lower()}") from None
    except (ValueError, RecursionError) as error:  # no TOML, no UTF-8, numbers and brackets beyond all measure
        raise InputError(f"{path}: expected TOML: {error}") from None


def new_key(name: str) -> tuple[str, str]:
    """A new key, and its table for the file.

    Raises:
        InputError: the name is none.
    """
    if not re.fullmatch(_NAME, name):
        raise InputError(f"name: expected 1 to 40 letters, digits, '.', '_' and '-', got {name!r}")
    key = f"fr_{secrets.token_urlsafe(32)}"
    return key, f'\n["{name}"]\nsha256 = "{hashlib.sha256(key.encode()).hexdigest()}"\n'


def _main(arguments: list[str]) -> int:
    try:
        if len(arguments) != 1:
            raise InputError("expected one name: python -m fittingroom.api_keys NAME >> keys.toml")
        key, table = new_key(arguments[0])
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    print(table, end="")
    print(f"the key of {arguments[0]}, which is shown this once: {key}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(_main(sys.argv[1:]))
