"""The command `preview` (and `replay --dry-run`): what it prints, how it ends, and that its output works."""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from pipedrive_cli.cli.reading_shown import ReadingShown
from pipedrive_cli.sandbox import Sandbox, SandboxOptions
from tests.report.terminals import Terminal

from .desk_for_commands import CANARY, account, event_file, pipedrive_cli, served, written_config

FIELDS = """
identity: {user_id_field: User id, group_id_field: Group id}
fields: {persons: {role: Role}}
"""
DOMAIN = "pipedrive: {company_domain: acme}\n"
ANN = {
    "type": "identify",
    "userId": "u1",
    "messageId": "m1",
    "timestamp": "2026-01-01T00:00:00Z",
    "traits": {"name": "Ann", "role": "dev", "email": "a@b.test"},
}
ACME = {
    "type": "group",
    "groupId": "g1",
    "messageId": "m2",
    "timestamp": "2026-01-01T00:00:01Z",
    "traits": {"name": "Acme"},
}
VIEWED = {
    "type": "track",
    "event": "Product Viewed",
    "userId": "u1",
    "messageId": "m3",
    "timestamp": "2026-01-01T00:00:02Z",
    "properties": {"product_id": "p1", "name": "Chair", "price": 5, "currency": "EUR"},
}
BAD = {"type": "identify", "messageId": "m4", "timestamp": "2026-01-01T00:00:03Z", "traits": {}}


def sandbox() -> Sandbox:
    """An account with the fields of these tests."""
    made = Sandbox(SandboxOptions(plan="unlimited", search_lag=0.0, api_token=CANARY))
    for kind, name in (("persons", "User id"), ("persons", "Role"), ("organizations", "Group id")):
        made.add_field(kind, name=name)
    return made


def test_a_long_preview_begins_with_its_summary(tmp_path: Path) -> None:
    """Thousands of lines would scroll it away; at the end its first sentence stands again."""
    config = written_config(tmp_path, DOMAIN + FIELDS)
    people = [{**ANN, "userId": f"u{n}", "messageId": f"m{n}", "traits": {"name": f"N{n}"}} for n in range(120)]
    out = pipedrive_cli("preview", event_file(tmp_path, *people), "-c", config).out
    assert out.startswith("Would be finished after")
    assert out.count("create or update  person of user u") == 120
    assert out.index("What to do next") < out.index("person of user u0")
    assert out.splitlines()[-1].startswith("Would be finished after") or "before the requests." in out.splitlines()[-1]
    short = pipedrive_cli("preview", event_file(tmp_path, *people[:20]), "-c", config).out
    assert short.index("person of user u0") < short.index("Would be finished after")


def test_offline_it_needs_no_key_and_shows_every_request(tmp_path: Path) -> None:
    """Text on stdout, with the totals; exit code 0."""
    config = written_config(tmp_path, DOMAIN + FIELDS)
    ended = pipedrive_cli("preview", event_file(tmp_path, ANN, ACME), "-c", config)
    assert (ended.code, ended.err) == (0, "")
    assert (
        "create or update  person of user u1  (5 tokens)\n    POST https://acme.pipedrive.com/api/v2/persons"
        in ended.out
    )
    assert "{field Role}" in ended.out
    assert "API tokens" in ended.out
    assert "`--online` compares" in ended.out  # what is rejected for its field's type is not known yet


def test_dry_run_is_preview(tmp_path: Path) -> None:
    """The same words on stdout. What a preview does not heed is told: nobody waits for a file of it."""
    config, events = written_config(tmp_path, DOMAIN + FIELDS), event_file(tmp_path, ANN)
    ended = pipedrive_cli("replay", "--dry-run", events, "-c", config, "--rejects", tmp_path / "r", "--quiet")
    assert ended.out == pipedrive_cli("preview", events, "-c", config).out
    assert "nothing: --rejects left aside" in ended.err and not (tmp_path / "r").exists()


@pytest.mark.parametrize("more", [(), ("--summary",)])
def test_json_is_the_summary_and_nothing_else(tmp_path: Path, more: tuple[str, ...]) -> None:
    """One object in the shape of a run's summary, with what would be."""
    config = written_config(tmp_path, DOMAIN + FIELDS)
    ended = pipedrive_cli("preview", event_file(tmp_path, ANN, BAD), "-c", config, "--json", *more)
    assert (ended.code, ended.json["exit_code"], ended.json["status"]) == (1, 1, "partial")
    assert ended.json["records"]["persons"]["created"] == 1
    assert ended.json["events"]["rejected"] == 1
    assert ended.json["tokens"]["spent"] == 27  # whose key it is, the fields, one page of persons, one POST
    assert ended.json["requests"]["by_endpoint"]["POST /api/v2/persons"] == 1


def test_summary_shows_no_request(tmp_path: Path) -> None:
    """The counts alone; an account's address is not even needed."""
    ended = pipedrive_cli("preview", "--summary", event_file(tmp_path, ANN), "-c", written_config(tmp_path, FIELDS))
    assert ended.code == 0
    assert "POST" not in ended.out
    assert "1 event read" in ended.out


@pytest.mark.parametrize("form", ["ndjson", "http", "curl"])
def test_what_a_program_reads_is_on_stdout_alone(tmp_path: Path, form: str) -> None:
    """Rejected events and totals are told on stderr."""
    config = written_config(tmp_path, DOMAIN + FIELDS)
    ended = pipedrive_cli("preview", event_file(tmp_path, ANN, BAD), "-c", config, "--format", form)
    assert ended.code == 1
    assert "missing_user_id" in ended.err
    assert "missing_user_id" not in ended.out
    if form == "ndjson":
        rows = [json.loads(line) for line in ended.out.splitlines()]
        assert [row["action"] for row in rows] == ["look up"] * 3 + ["create or update"]


def test_where_nothing_could_be_read_the_account_is_no_next_step(tmp_path: Path) -> None:
    """What is to be done about the file stands beside it; elsewhere an offline preview says what it does not know."""
    config = written_config(tmp_path, DOMAIN + FIELDS)
    table = tmp_path / "people.csv"
    table.write_text("id,name\n1,Ann\n", encoding="utf-8")
    told = pipedrive_cli("preview", table, "-c", config, "--summary")
    assert (told.code, "--as identify" in told.out, "nobody knows" in told.out) == (4, True, False)
    assert "nobody knows" in pipedrive_cli("preview", event_file(tmp_path, ANN), "-c", config, "--summary").out


def test_mistakes_are_told_before_anything_is_read(tmp_path: Path) -> None:
    """Exit code 2 for an unknown format, for two accounts at once, for no account, and for an unset id field."""
    events = event_file(tmp_path, ANN)
    config = written_config(tmp_path, DOMAIN + FIELDS)
    assert pipedrive_cli("preview", events, "-c", config, "--format", "xml").code == 2
    assert pipedrive_cli("preview", events, "-c", config, "--online", "--sandbox").code == 2
    assert pipedrive_cli("preview", tmp_path / "none.ndjson", "-c", config).code == 2
    no_account = pipedrive_cli("preview", events, "-c", written_config(tmp_path, FIELDS))
    assert (no_account.code, "company_domain" in no_account.err) == (2, True)
    unset = pipedrive_cli("preview", events, "-c", written_config(tmp_path, DOMAIN))
    assert (unset.code, "identity.user_id_field" in unset.err) == (2, True)


def test_a_refused_key_ends_an_online_preview_with_3(tmp_path: Path) -> None:
    """As it would a replay."""
    with served(sandbox()) as url:
        config = written_config(tmp_path, account(url, "wrong") + FIELDS)
        ended = pipedrive_cli("preview", "--online", event_file(tmp_path, ANN), "-c", config)
    assert ended.code == 3


@pytest.mark.skipif(shutil.which("curl") is None or shutil.which("sh") is None, reason="needs a shell and curl")
def test_curl_output_pasted_into_a_shell_does_what_replay_does(tmp_path: Path) -> None:
    """Also with names that a shell, curl or JSON could take for more than names."""
    evil = "x'; touch pwned; $(touch pwned) `touch pwned` \"\\ @f {a} [1-9] %41 !!\n# b\r\n\u202e€"
    hostile = {**ANN, "userId": evil, "messageId": evil, "traits": {"name": evil, "role": evil}}
    events = event_file(tmp_path, ANN, ACME, VIEWED, hostile)
    replayed, pasted = sandbox(), sandbox()
    with served(replayed) as url:
        config = written_config(tmp_path, account(url) + FIELDS)
        assert pipedrive_cli("replay", events, "-c", config, "--state", tmp_path / "j", "--quiet").code == 0
    with served(pasted) as url:
        config = written_config(tmp_path, account(url) + FIELDS)
        shown = pipedrive_cli(
            "preview", events, "-c", config, "--online", "--state", tmp_path / "none", "--format", "curl"
        )
        assert shown.code == 0
        folder = tmp_path / "shell"
        folder.mkdir()
        environment = {**os.environ, "PIPEDRIVE_API_TOKEN": CANARY, "NO_PROXY": "*", "no_proxy": "*"}
        ended = subprocess.run(
            ["sh"], input=shown.out, capture_output=True, cwd=folder, env=environment, text=True, check=False
        )
    assert (ended.returncode, ended.stderr) == (0, "")
    assert list(folder.iterdir()) == []
    assert pasted.contents() == replayed.contents()
    assert {person["name"] for person in pasted.contents()["persons"]} == {"Ann", evil}
    assert not (tmp_path / "none").exists()


def test_a_terminal_gets_colours_and_no_color_takes_them_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`NO_COLOR` is honoured."""
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    config, events = written_config(tmp_path, DOMAIN + FIELDS), event_file(tmp_path, ANN)
    assert "\x1b[32mcreate or update\x1b[0m" in pipedrive_cli("preview", events, "-c", config, terminal=True).out
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b[32m" not in pipedrive_cli("preview", events, "-c", config, terminal=True).out


@pytest.mark.parametrize("form", ["ndjson", "http", "curl"])
@pytest.mark.parametrize("other", ["--json", "--summary"])
def test_a_format_of_requests_that_are_not_shown_is_refused(tmp_path: Path, form: str, other: str) -> None:
    """Whoever asks for both is told that there would be none."""
    ended = pipedrive_cli("preview", event_file(tmp_path), "-c", tmp_path / "none.yaml", "--format", form, other)
    assert ended.code == 2
    assert f"--format {form} and {other}" in ended.err


def test_who_waits_at_a_terminal_sees_how_far_reading_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """From the second second on; a quick preview and a pipe show nothing."""
    now = [0.0]
    monkeypatch.setattr("pipedrive_cli.cli.reading_shown.time.monotonic", lambda: now[0])
    for stream, seconds, seen in ((Terminal(), 0.9, False), (Terminal(), 1.1, True), (io.StringIO(), 9.0, False)):
        monkeypatch.setattr("sys.stderr", stream)
        now[0] = 0.0
        with ReadingShown() as shown:
            shown.figures.events_read = 1234
            now[0] = seconds
            shown.refresh()
        assert ("1,234 read" in stream.getvalue()) == seen
