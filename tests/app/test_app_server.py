"""The page's command: it opens a browser for a person at a terminal, and for nobody else."""

from __future__ import annotations

import sys

import pytest

from fittingroom.app.server import somebody_looks


@pytest.mark.parametrize(
    ("terminal", "variables", "looks"),
    [
        (True, {"DISPLAY": ":0"}, True),
        (True, {"WAYLAND_DISPLAY": "wayland-0"}, True),
        (True, {}, False),
        (False, {"DISPLAY": ":0"}, False),
        (True, {"DISPLAY": ":10", "SSH_CONNECTION": "10.0.0.1 50000 10.0.0.2 22"}, False),
    ],
)
def test_a_browser_is_opened_where_somebody_looks(
    monkeypatch: pytest.MonkeyPatch, terminal: bool, variables: dict[str, str], looks: bool
) -> None:
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(sys.stderr, "isatty", lambda: terminal, raising=False)
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "SSH_CONNECTION"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert somebody_looks() is looks
