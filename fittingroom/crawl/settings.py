"""What a crawl may do: how polite it is, how much it takes, and where it may never go."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fittingroom import __version__
from fittingroom.crawl.candidates import REASONS
from fittingroom.errors import SettingError
from fittingroom.fields import CheckedSettings, Range, Seconds, Some
from fittingroom.settings import Settings

TimeLimit = Annotated[float, Range(0, above=True)]

RETRIABLE = ("failed", "refused", "skipped", *REASONS)
"""What `CrawlSettings.retry` may name."""
MOST_OF_THE_WEB = 5000
"""Pictures taken from the pages of one source, or a search, where nothing else is said."""
ROBOT_NAME = "FittingroomBot"
"""The name that robots.txt rules are looked up under."""


@dataclass(frozen=True)
class CrawlSettings(CheckedSettings):
    """What a crawl may do. Delays and limits of time are in seconds."""

    contact: str = ""
    """An e-mail address or URL where the owner of a crawled shop reaches you; it goes into the user agent."""
    user_agent: str = ""
    """Empty: made of the robot's name, its version and ``contact``."""
    allow_loopback: bool = False
    """Allow this machine's own addresses (the sample shop). Every other private address stays refused."""

    per_host_delay: Seconds = 1.0
    """Between the starts of two requests to one host; a longer Crawl-delay of its robots.txt wins."""
    connections_per_host: Some = 2
    """Requests under way at once to one host."""
    workers: Some = 16
    """Requests under way at once over all hosts."""
    max_crawl_delay: Seconds = 60.0
    """A host that asks for more than this is left alone."""

    max_pages: Some = 200
    """Pages read for one source."""
    max_images: Some | None = None
    """Pictures taken from one source; None is all of a folder or a list, and `MOST_OF_THE_WEB` of pages or a search.
    Each one left out has its row (``skipped: limit``)."""
    max_page_bytes: Some = 8_000_000
    """Longer pages are not read."""
    max_image_bytes: Some = 25_000_000
    """Larger picture files are not taken."""
    max_pixels: Some = 36_000_000
    """Less where decoding would take more memory than `fittingroom.crawl.images.budget` allows: 25 million for PNG."""
    min_side: Some = 32
    """Pictures with a shorter side than this (logos, tracking pixels) are refused."""
    max_redirects: Annotated[int, Range(0)] = 5
    """Followed for one request."""

    connect_timeout: TimeLimit = 10.0
    """Until a host takes the connection."""
    read_timeout: TimeLimit = 20.0
    """The longest silence in the middle of an answer."""
    total_timeout: TimeLimit = 90.0
    """One request from start to last byte, redirects not counted."""

    attempts: Some = 4
    """Tries in all for what can be retried: time-outs, 429, 5xx, a refused or broken connection."""
    backoff: Seconds = 1.0
    """Before the second try; it doubles each time, with jitter."""
    max_backoff: Seconds = 60.0
    """The longest that the wait before a try may grow to."""
    max_retry_after: Seconds = 120.0
    """A host that asks to wait longer than this ends the try; a later run takes it up again."""

    near_duplicate_bits: Annotated[int, Range(-1)] = 4
    """How many of 64 bits two perceptual hashes may differ by; -1 turns the search for near duplicates off."""
    refresh: bool = False
    """Ask for pictures we already have again, by ETag and Last-Modified."""
    retry: tuple[str, ...] = ()
    """Reasons (`candidates.REASONS`) or statuses that are tried again though they do not pass by themselves."""

    def check_together(self) -> None:
        """What is tried again is something that happens, and the user agent can stand in a header."""
        for reason in self.retry:
            if reason not in RETRIABLE:
                raise SettingError("retry", reason, f"one of {', '.join(RETRIABLE)}")
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
        own = {"contact": installation.contact or "", "allow_loopback": installation.allow_loopback}
        return cls.from_json({**own, **overrides})
