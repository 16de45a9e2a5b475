"""What all tests share: the same examples in every run, and no test sees the user's own environment."""

from __future__ import annotations

import os

import pytest
from hypothesis import settings

# A change is judged by the same examples as the one before. To look for new ones: HYPOTHESIS_PROFILE=explore
settings.register_profile("settled", derandomize=True, database=None)
settings.register_profile("explore", derandomize=False, print_blob=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "settled"))


@pytest.fixture(autouse=True)
def _own_environment(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """No test reads the real API token, writes into the real state folder, or depends on the terminal's width."""
    monkeypatch.delenv("PIPEDRIVE_API_TOKEN", raising=False)
    monkeypatch.delenv("PIPEDRIVE_CLI_CONFIG", raising=False)
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.delenv("FORCE_COLOR", raising=False)
    # Messages name files of temporary folders, whose names are long for some users and under pytest-xdist: no line of
    # them is to be broken. What a narrow terminal does to a line is for tests that ask for one.
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path_factory.getbasetemp() / "state"))
