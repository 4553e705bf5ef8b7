"""What a crawl may do: how polite it is, how much it takes, and where it may never go."""

from __future__ import annotations

from dataclasses import dataclass, fields

from fittingroom import __version__
from fittingroom.crawl.candidates import REASONS
from fittingroom.errors import SettingError, UnknownSetting
from fittingroom.settings import Settings

RETRIABLE = ("failed", "refused", "skipped", *REASONS)
"""What `CrawlSettings.retry` may name."""
MOST_OF_THE_WEB = 5000
"""Pictures taken from the pages of one source, or a search, where nothing else is said."""
ROBOT_NAME = "FittingroomBot"
"""The name that robots.txt rules are looked up under."""


@dataclass(frozen=True)
class CrawlSettings:
    """Seconds, bytes and counts. Every field is checked when the object is made.

    Raises:
        SettingError: naming the field, the value and what is allowed.
    """

    contact: str = ""
    """An e-mail address or URL where the owner of a crawled shop reaches you; it goes into the user agent."""
    user_agent: str = ""
    """Empty: made of the robot's name, its version and ``contact``."""
    allow_loopback: bool = False
    """Allow this machine's own addresses (the sample shop). Every other private address stays refused."""

    per_host_delay: float = 1.0
    """Between the starts of two requests to one host; a longer Crawl-delay of its robots.txt wins."""
    connections_per_host: int = 2
    workers: int = 16
    """Requests under way at once over all hosts."""
    max_crawl_delay: float = 60.0
    """A host that asks for more than this is left alone."""

    max_pages: int = 200
    """Pages read for one source."""
    max_images: int | None = None
    """Pictures taken from one source; None is all of a folder or a list, and `MOST_OF_THE_WEB` of pages or a search.
    Each one left out has its row (``skipped: limit``)."""
    max_page_bytes: int = 8_000_000
    max_image_bytes: int = 25_000_000
    max_pixels: int = 36_000_000
    """Less where decoding would take more memory than `fittingroom.crawl.memory` allows: 25 million for PNG, say."""
    min_side: int = 32
    """Pictures with a shorter side than this (logos, tracking pixels) are refused."""
    max_redirects: int = 5

    connect_timeout: float = 10.0
    read_timeout: float = 20.0
    """The longest silence in the middle of an answer."""
    total_timeout: float = 90.0
    """One request from start to last byte, redirects not counted."""

    attempts: int = 4
    """Tries in all for what can heal: time-outs, 429, 5xx, a refused or broken connection."""
    backoff: float = 1.0
    """Before the second try; it doubles each time, with jitter."""
    max_backoff: float = 60.0
    max_retry_after: float = 120.0
    """A host that asks to wait longer than this ends the try; a later run takes it up again."""

    near_duplicate_bits: int = 4
    """How many of 64 bits two perceptual hashes may differ by; -1 turns the search for near duplicates off."""
    refresh: bool = False
    """Ask for pictures we already have again, by ETag and Last-Modified."""
    retry: tuple[str, ...] = ()
    """Reasons (`candidates.REASONS`) or statuses that are tried again though they do not heal by themselves."""

    def __post_init__(self) -> None:
        least: dict[str, float] = dict.fromkeys(_COUNTS, 1) | dict.fromkeys(_SECONDS, 0.0)
        least |= {"max_redirects": 0, "near_duplicate_bits": -1}
        for name, minimum in least.items():
            if name == "max_images" and self.max_images is None:
                continue
            value: float = getattr(self, name)
            wanted: type | tuple[type, ...] = (int, float) if name in _SECONDS else int
            if isinstance(value, bool) or not isinstance(value, wanted) or not minimum <= value < float("inf"):
                kind = "seconds, a number" if name in _SECONDS else "a whole number"
                raise SettingError(name, value, f"{kind} of at least {minimum:g}")
        for name in ("connect_timeout", "read_timeout", "total_timeout"):
            if getattr(self, name) <= 0:
                raise SettingError(name, getattr(self, name), "seconds above 0")
        object.__setattr__(self, "retry", tuple(self.retry))
        for reason in self.retry:
            if reason not in RETRIABLE:
                raise SettingError("retry", reason, f"one of {', '.join(RETRIABLE)}")
        for name in ("allow_loopback", "refresh"):
            if not isinstance(getattr(self, name), bool):
                raise SettingError(name, getattr(self, name), "true or false")
        for name in ("contact", "user_agent"):
            if not isinstance(getattr(self, name), str) or not getattr(self, name).isprintable():
                raise SettingError(name, getattr(self, name), "one line of text")
        if not self.user_agent:
            contact = f"+{self.contact}" if self.contact else "no contact given"
            object.__setattr__(self, "user_agent", f"{ROBOT_NAME}/{__version__} ({contact})")
        try:
            self.user_agent.encode("latin-1")
        except UnicodeEncodeError:
            raise SettingError("user_agent", self.user_agent, "Latin-1 text, as HTTP headers are") from None

    @classmethod
    def from_installation(cls, installation: Settings, **overrides: object) -> CrawlSettings:
        """The defaults with the contact and the loopback leave of this installation.

        Raises:
            SettingError: an override that is not a field or not allowed.
        """
        known = [field.name for field in fields(cls)]
        for name, value in overrides.items():
            if name not in known:
                raise UnknownSetting(name, value, known)
        values: dict[str, object] = {"contact": installation.contact or ""}
        values |= {"allow_loopback": installation.allow_loopback} | overrides
        return cls(**values)  # type: ignore[arg-type]  # __post_init__ checks every value


_COUNTS = (
    "connections_per_host",
    "workers",
    "max_pages",
    "max_images",
    "max_page_bytes",
    "max_image_bytes",
    "max_pixels",
    "min_side",
    "attempts",
    "max_redirects",
    "near_duplicate_bits",
)
_SECONDS = (
    "per_host_delay",
    "max_crawl_delay",
    "connect_timeout",
    "read_timeout",
    "total_timeout",
    "backoff",
    "max_backoff",
    "max_retry_after",
)
