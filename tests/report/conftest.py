"""What tests of the report share."""

from __future__ import annotations

import pytest


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """A terminal of 80 columns with colours, whatever the machine that tests has."""
    for name in ("NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE", "LINES"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("TERM", "xterm-256color")
