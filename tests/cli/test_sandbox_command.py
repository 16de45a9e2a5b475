"""The command `sandbox`: a Pipedrive on a port of this machine."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from pipedrive_cli.cli.sandbox_command import SandboxChoice, sandbox_chosen

from .desk_for_commands import PATIENCE, pipedrive_cli, written_config


def _served(*arguments: str | Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "pipedrive_cli", "sandbox", "--port", "0", *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGINT for one process")
def test_one_line_says_where_it_listens_and_an_interrupt_ends_it_well(tmp_path: Path) -> None:
    """A script reads address and key from stdout; the fields of the config are there; the end counts requests."""
    config = written_config(tmp_path, "identity: {user_id_field: Our id}\nfields: {leads: {rating: Rating}}\n")
    with _served("-c", config, "--token", "made-up", "--plan", "unlimited") as process:
        assert process.stdout is not None
        assert process.stderr is not None
        line = process.stdout.readline().split()
        url, token = line[0], line[-1]
        assert token == "made-up"
        for path, name in (("personFields", "Our id"), ("dealFields", "Rating")):
            answer = httpx.get(f"{url}/api/v2/{path}", headers={"x-api-token": token}, trust_env=False)
            assert name in {field["field_name"] for field in answer.json()["data"]}
        process.send_signal(signal.SIGINT)
        assert process.wait(PATIENCE) == 0
        told = process.stderr.read()
        assert process.stdout.read() == ""
    assert f"base_url: {url}" in told
    assert "served 2 requests" in told
    assert "Traceback" not in told


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--faults", "explode"), "429-daily"),
        (("--faults", "slow:2"), "between 0 and 1"),
        (("--refusals", "scope@moon"), "@persons"),
        (("--plan", "gold"), "unlimited"),
        (("--latency", "soon"), "500ms"),
        (("--host", "0.0.0.0"), "127.0.0.1"),
        (("--token", "two words"), "without spaces"),
        (("--token", ""), "letters"),
        (("--seats", "0"), "--seats"),
    ],
)
def test_what_cannot_be_is_a_usage_error_that_says_what_can(arguments: tuple[str, ...], told: str) -> None:
    """Exit code 2, nothing on stdout, and the allowed values beside the mistake."""
    ended = pipedrive_cli("sandbox", "--port", "0", *arguments)
    assert (ended.code, ended.out) == (2, "")
    assert told in ended.err


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGTERM that a process could handle")
def test_what_it_says_for_a_config_is_a_config_that_works(tmp_path: Path) -> None:
    """Its lines, written into a file, let `check` in; without a config the usual two id fields are there."""
    with _served("--plan", "growth") as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        lines = []
        while "Ctrl-C" not in (line := process.stderr.readline()):
            lines.append(line)
        ended = pipedrive_cli("check", "-c", written_config(tmp_path, "".join(lines)))
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE) == 0
    assert ended.code == 0, ended.out
    assert "40 requests in 2 s" in ended.out


def test_a_port_that_is_taken_is_told(tmp_path: Path) -> None:
    """Exit code 2, and that another port helps."""
    with _served() as first:
        assert first.stdout is not None
        port = first.stdout.readline().split()[0].rpartition(":")[2]
        ended = pipedrive_cli("sandbox", "--port", port)
        first.kill()
    assert ended.code == 2
    assert "--port" in ended.err


def test_each_start_is_an_account_of_its_own_unless_a_seed_is_given() -> None:
    """What the journal of yesterday's sandbox remembers is not in today's."""

    def company(seed: int | None) -> int:
        choice = SandboxChoice("127.0.0.1", 0, "lite", 1, "sandbox", "0s", "3s", "", "", seed, None)
        return sandbox_chosen(choice).options.company_id

    assert len({company(None) for _ in range(4)}) > 1
    assert company(0) == company(7)
