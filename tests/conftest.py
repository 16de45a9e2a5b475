"""What all tests share: the same examples in every run, no test sees the user's own environment, and one S3 server."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator

import pytest

from tests.examples import choose
from tests.s3_server import S3Server, serving

# Where bytecode is switched off, each worker rewrites all tests, and each process of a test compiles all modules anew.
sys.dont_write_bytecode = False
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)


def pytest_configure(config: pytest.Config) -> None:
    """Whoever leaves out the slow tests is in a hurry, and gets fewer examples of the others, too."""
    choose(quick="not slow" in config.option.markexpr)


@pytest.fixture(scope="session", autouse=True)
def _own_environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """No test reads the real API token, writes into the real state folder, or depends on the terminal's width."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("PIPEDRIVE_API_TOKEN", "PIPEDRIVE_CLI_CONFIG", "NO_COLOR", "FORCE_COLOR"):
            patch.delenv(name, raising=False)
        # Messages name files of temporary folders, whose names are long for some users and under pytest-xdist: no line
        # of them is to be broken. What a narrow terminal does to a line is for tests that ask for one.
        patch.setenv("COLUMNS", "200")
        patch.setenv("XDG_STATE_HOME", str(tmp_path_factory.getbasetemp() / "state"))
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.getbasetemp() / "cache"))
        yield


@pytest.fixture(scope="session")
def s3_server() -> Iterator[S3Server]:
    """One server for all; each test has its own bucket."""
    pytest.importorskip("moto.server", reason="the extra test-cloud is not installed: no S3 server to test against")
    pytest.importorskip("s3fs", reason="the extra test-cloud is not installed: nothing reads s3://")
    with serving() as server:
        yield server


@pytest.fixture
def s3(s3_server: S3Server, monkeypatch: pytest.MonkeyPatch) -> S3Server:
    """The server, found by the environment as another S3 would be."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    for name, value in s3_server.environment.items():
        monkeypatch.setenv(name, value)
    s3_server.forget()
    return s3_server


@pytest.fixture
def bucket(s3: S3Server) -> str:
    return s3.bucket()
