"""gs:// and az:// against emulators on loopback: what the URLs name, and reading it. S3 has tests of its own."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from typing import Any

import pytest

from pipedrive_cli.errors import SourceMissing
from pipedrive_cli.events.any_source import read_source
from pipedrive_cli.events.source import resolve_sources

from .event_lines import line

GOOD = line()
KEYS = ("x/a.ndjson", "x/deep/b.json", "x/notes.txt", "y/c.json")
KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="  # every emulator's
AZURITE = shutil.which("azurite-blob")

pytestmark = pytest.mark.cloud


def filled(files: Any) -> None:
    for key in KEYS:
        files.pipe_file(f"exports/{key}", GOOD + b"\n" + GOOD)


@pytest.fixture(scope="module")
def gs() -> Iterator[str]:
    """Google's store, as the environment names it."""
    emulator = pytest.importorskip("gcp_storage_emulator.server", reason="the extra test-cloud is not installed")
    port = free_port()
    server = emulator.create_server("127.0.0.1", port, in_memory=True, default_bucket="exports")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("STORAGE_EMULATOR_HOST", f"http://127.0.0.1:{port}")
        patch.setenv("GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT", "false")  # read at the import; it would ask by gRPC
        gcsfs = pytest.importorskip("gcsfs", reason="the extra test-cloud is not installed")
        server.start()
        filled(gcsfs.GCSFileSystem(token="anon", endpoint_url=f"http://127.0.0.1:{port}", skip_instance_cache=True))
        yield "gs"
        server.stop()


@pytest.fixture(scope="module")
def az(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Azure's store, as the environment names it: Azurite, which npm installs."""
    adlfs = pytest.importorskip("adlfs", reason="the extra test-cloud is not installed")
    if AZURITE is None:
        pytest.skip("no azurite-blob here (npm install -g azurite)")
    port = free_port()
    quiet = ["--inMemoryPersistence", "--silent", "--skipApiVersionCheck", "--disableTelemetry"]
    server = subprocess.Popen(
        [AZURITE, "--blobHost", "127.0.0.1", "--blobPort", str(port), *quiet],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd=tmp_path_factory.mktemp("azurite"),
    )
    try:
        wait_for(port, server)
        address = f"http://127.0.0.1:{port}/devstoreaccount1"
        words = f"DefaultEndpointsProtocol=http;AccountName=devstoreaccount1;AccountKey={KEY};BlobEndpoint={address};"
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("AZURE_STORAGE_CONNECTION_STRING", words)
            files = adlfs.AzureBlobFileSystem(connection_string=words, skip_instance_cache=True)
            files.mkdir("exports")
            filled(files)
            yield "az"
    finally:
        server.kill()
        server.wait()


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def wait_for(port: int, server: subprocess.Popen[bytes]) -> None:
    """Until the server answers; at most twenty seconds."""
    until = time.monotonic() + 20
    while time.monotonic() < until and server.poll() is None:
        with socket.socket() as asked:
            asked.settimeout(1)
            if asked.connect_ex(("127.0.0.1", port)) == 0:
                return
    pytest.fail("azurite-blob does not answer")


@pytest.fixture(params=["gs", "az"])
def scheme(request: pytest.FixtureRequest) -> str:
    return str(request.getfixturevalue(request.param))


@pytest.mark.parametrize(
    ("url", "found"),
    [
        ("exports/x", ["x/a.ndjson", "x/deep/b.json"]),
        ("exports", ["x/a.ndjson", "x/deep/b.json", "y/c.json"]),
        ("exports/x/a.ndjson", ["x/a.ndjson"]),
        ("exports/x/*.ndjson", ["x/a.ndjson"]),
        ("exports/**/b.json", ["x/deep/b.json"]),
    ],
)
def test_a_url_names_event_files(scheme: str, url: str, found: list[str]) -> None:
    """A prefix, a bucket, an object and globs, as in S3; with sizes, and versions by which they are known again."""
    sources = resolve_sources([f"{scheme}://{url}"])
    assert [source.name.removeprefix(f"{scheme}://exports/") for source in sources] == found
    assert all(source.size == 2 * len(GOOD) + 1 and source.cloud and source.cloud.version for source in sources)


def test_an_object_is_read(scheme: str) -> None:
    """Event by event, from the store."""
    (source,) = resolve_sources([f"{scheme}://exports/x/a.ndjson"])
    assert len(list(read_source(source))) == 2


@pytest.mark.parametrize("url", ["nowhere/x", "exports/none.json"])
def test_what_is_not_there_is_missing(scheme: str, url: str) -> None:
    """A bucket or an object."""
    with pytest.raises(SourceMissing):
        resolve_sources([f"{scheme}://{url}"])
