"""The command `schedule`: what it prints runs this import, whatever its paths are called, and holds no secret."""

from __future__ import annotations

import importlib.util
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from pipedrive_cli.cli import schedule_command
from pipedrive_cli.setup.schedule_texts import cron_word, systemd_word
from tests.cli.desk_for_commands import CANARY, event_file, pipedrive_cli, written_config

HOSTILE = 'o\'c "5 %$HOME" `id`$(id);&\\%#[x]${{ s }} é'
CONFIG = "pipedrive: {company_domain: acme, api_token: '${PIPEDRIVE_API_TOKEN}'}\nidentity: {user_id_field: User id}\n"
# A tool that notes its arguments and its key, and ends as it is told.
TOOL = """#!/bin/sh
printf "%s\\0" "$@" > "$NOTED"
printf %s "$PIPEDRIVE_API_TOKEN" > "$NOTED.key"
echo "the report" >&2
exit "$CODE"
"""


class Desk:
    """A folder with a config, events and a tool, all under a name that is hard to quote."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = folder / HOSTILE
        (self.folder / "exports").mkdir(parents=True)
        (self.folder / "left").mkdir()
        event_file(self.folder / "exports", {})
        self.config = written_config(self.folder, CONFIG)
        self.tool = self.folder / "pipedrive-cli"
        self.tool.write_text(TOOL, encoding="utf-8")
        self.tool.chmod(0o755)
        self.noted = folder / "noted"
        monkeypatch.setattr(schedule_command, "tool", lambda: (str(self.tool),))
        monkeypatch.setenv("XDG_STATE_HOME", "")
        monkeypatch.setenv("HOME", str(folder))  # without the journals of whoever runs the tests
        monkeypatch.setenv("PIPEDRIVE_API_TOKEN", CANARY)
        monkeypatch.chdir(self.folder)

    def schedule(self, scheduler: str, *more: str | Path) -> str:
        ended = pipedrive_cli("schedule", scheduler, "exports", "s3://bucket/events/", "--folder", "left", *more)
        assert ended.code == 0
        assert ended.err.startswith("written: ") == ("-o" in more)
        return ended.out

    def words(self, place: Path | str | None = None, config: Path | str | None = None, *state: str) -> list[str]:
        """What the tool is to be given."""
        start = f"{place or self.folder / 'left'}/pipedrive-import"
        named = ["replay", f"{self.folder}/exports/", "s3://bucket/events/", "-c", str(config or self.config), *state]
        return [*named, "--rejects", f"{start}.rejects.ndjson", "--metrics", f"{start}.prom", "--quiet"]

    def run(self, *command: str, code: int = 0) -> subprocess.CompletedProcess[str]:
        """Runs a command as a scheduler would; the tool ends with this exit code."""
        environ = {"PATH": f"{self.folder}:/usr/bin:/bin", "NOTED": str(self.noted), "CODE": str(code)}
        return subprocess.run(command, env=environ, capture_output=True, text=True, check=False, cwd="/", timeout=120)

    @property
    def given(self) -> list[str]:
        return self.noted.read_text(encoding="utf-8").split("\0")[:-1]


@pytest.fixture
def desk(monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    """In a folder with a short name: a crontab's lines are not to be long."""
    with tempfile.TemporaryDirectory(prefix="s") as folder:
        yield Desk(Path(folder), monkeypatch)


def as_cron(line: str) -> str:
    """What cron hands to the shell: a percent sign ends it, a backslash before one goes, any other pair stays."""
    command = ""
    for pair in re.findall(r"\\.|.", line.split(" ", 5)[5], re.DOTALL):
        if pair == "%":
            break
        command += "%" if pair == "\\%" else pair
    return command


@pytest.mark.parametrize(("code", "mailed"), [(0, ""), (5, ""), (1, "the report\n"), (4, "the report\n")])
def test_cron_mails_what_somebody_must_see(desk: Desk, code: int, mailed: str) -> None:
    """The log has all; the mail has its end, but not where all went well or another run is under way."""
    (desk.folder / "left" / "pipedrive-import.env").write_text(f"PIPEDRIVE_API_TOKEN='{CANARY}'\n", encoding="utf-8")
    table = desk.schedule("cron")
    assert CANARY not in table
    (line,) = [line for line in table.splitlines() if not line.startswith("#")]
    ended = desk.run("/bin/sh", "-c", as_cron(line), code=code)
    assert (ended.stdout, ended.stderr, desk.given) == (mailed, "", desk.words())
    assert Path(f"{desk.noted}.key").read_text(encoding="utf-8") == CANARY
    assert (desk.folder / "left" / "pipedrive-import.log").read_text(encoding="utf-8") == "the report\n"


def test_cron_says_so_where_the_key_is_missing(desk: Desk) -> None:
    """Nothing is run without the file that holds it, and cron mails the reason."""
    line = desk.schedule("cron").splitlines()[-1]
    assert "pipedrive-import.env" in desk.run("/bin/sh", "-c", as_cron(line)).stderr
    assert not desk.noted.exists()


@given(st.lists(st.text("a '\\%\"$", min_size=1), min_size=1))
def test_any_word_survives_a_crontab(words: list[str]) -> None:
    """Whatever stands before and after percent signs."""
    assert shlex.split(as_cron(f"1 * * * * {' '.join(map(cron_word, words))}")) == words


@given(st.text("a '\\%\"$;{}", min_size=1))
def test_any_word_survives_a_unit(word: str) -> None:
    """Read as systemd's manual has it: specifiers first, then quotes and backslashes."""
    written = systemd_word(word)
    assert not re.search(r"(?<!%)(%%)*%(?!%)", written)
    inner = written.replace("%%", "%")
    assert (re.sub(r"\\(.)", r"\1", inner[1:-1]) if inner.startswith('"') else inner) == word


def test_systemd_takes_the_units(desk: Desk) -> None:
    """A service that runs the words, whose exit codes 1 and 5 are no failure, and its timer; both are verified."""
    desk.schedule("systemd", "-o", "left")
    service, timer = (desk.folder / "left" / f"pipedrive-import.{kind}" for kind in ("service", "timer"))
    lines = service.read_text(encoding="utf-8").splitlines()
    (start,) = [line.removeprefix("ExecStart=:") for line in lines if line.startswith("ExecStart=")]
    words = [found.replace("%%", "%") for found in re.findall(r'"(?:\\.|[^"\\])*"|\S+', start)]
    desk.run(*(re.sub(r"\\(.)", r"\1", word[1:-1] if word.startswith('"') else word) for word in words))
    assert desk.given == desk.words()
    assert "SuccessExitStatus=1 5 143" in lines
    assert "OnCalendar=*-*-* *:17:00" in timer.read_text(encoding="utf-8")
    if shutil.which("systemd-analyze") is None:
        pytest.skip("no systemd-analyze here: the units are not verified")
    for unit in (service, timer):
        (desk.noted.parent / unit.name).write_bytes(unit.read_bytes())
    verified = desk.run("systemd-analyze", "verify", f"{desk.noted.parent}/pipedrive-import.timer")
    told = [line for line in verified.stderr.splitlines() if "pipedrive-import" in line]
    assert (verified.returncode, told) == (0, [])


def documents(text: str) -> list[dict[Any, Any]]:
    return list(yaml.safe_load_all(text))


@pytest.mark.parametrize(("code", "ended"), [(0, 0), (1, 0), (5, 0), (4, 4)])
def test_kubernetes_runs_the_words(desk: Desk, code: int, ended: int) -> None:
    """With the events where they lie here, the journal on a volume of its own, and everything else read-only."""
    (desk.folder / "token").write_text(CANARY, encoding="utf-8")
    written_config(desk.folder, CONFIG.replace("api_token: '${PIPEDRIVE_API_TOKEN}'", "api_token_file: token"))
    text = desk.schedule("kubernetes", "--image", "registry.example/pipedrive-cli:1")
    assert CANARY not in text
    claim, cron_job = documents(text)
    assert cron_job["spec"]["concurrencyPolicy"] == "Forbid"
    pod = cron_job["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert container["securityContext"]["readOnlyRootFilesystem"] is True
    command = [word.replace("$$", "$") for word in (*container["command"], *container["args"])]
    assert desk.run(*command, code=code).returncode == ended
    assert desk.given == desk.words("/state", "/config/config.yaml", "--state", "/state/journal.sqlite")
    mounted = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
    assert mounted == {"config": "/config", "state": "/state", "tmp": "/tmp", "events-1": f"{desk.folder}/exports"}
    volumes = {volume["name"]: volume for volume in pod["volumes"]}
    assert volumes.keys() == mounted.keys()
    assert [item["path"] for item in volumes["config"]["secret"]["items"]] == ["config.yaml", "token"]
    assert volumes["state"]["persistentVolumeClaim"]["claimName"] == claim["metadata"]["name"]


def test_kubernetes_can_stop_a_run_in_order(desk: Desk) -> None:
    """The shell hands SIGTERM on to the tool, and ends with the tool's exit code."""
    desk.tool.write_text(
        "#!/bin/sh\ntrap 'exit 143' TERM\nkill -TERM $PPID\nn=0; while [ $n -lt 9999999 ]; do n=$((n+1)); done\n",
        encoding="utf-8",
    )
    (container,) = documents(desk.schedule("kubernetes"))[1]["spec"]["jobTemplate"]["spec"]["template"]["spec"][
        "containers"
    ]
    assert desk.run(*container["command"], "pipedrive-cli").returncode == 143


@pytest.mark.parametrize(("code", "ended", "told"), [(0, 0, ""), (1, 0, "::warning"), (5, 0, "::notice"), (3, 3, "")])
def test_github_runs_the_words(desk: Desk, code: int, ended: int, told: str) -> None:
    """On a runner of one's own, with the key among the repository's secrets."""
    text = desk.schedule("github")
    (flow,) = documents(text)
    (step,) = flow["jobs"]["import"]["steps"]
    assert step["env"] == {"PIPEDRIVE_API_TOKEN": "${{ secrets.PIPEDRIVE_API_TOKEN }}"}
    script = step["run"].replace("${{ '${{' }}", "${{")
    ran = desk.run("bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", script, code=code)
    assert (ran.returncode, desk.given) == (ended, desk.words())
    muted, heard, *said = ran.stdout.splitlines()
    assert muted == f"::stop-commands::{heard.strip(':')}"  # what events say in the log is no command of the workflow
    assert len(heard) == len("::") * 2 + 32
    assert [line.startswith(told) for line in said] == [True] * bool(told)


@pytest.mark.skipif(
    importlib.util.find_spec("kubernetes_validate") is None, reason="the extra test-schedules is missing"
)
def test_kubernetes_takes_the_manifest(desk: Desk) -> None:
    """By the schemas of Kubernetes itself, strictly."""
    import kubernetes_validate

    for document in documents(desk.schedule("kubernetes")):
        kubernetes_validate.validate(document, kubernetes_validate.latest_version(), strict=True)


@pytest.mark.skipif(importlib.util.find_spec("check_jsonschema") is None, reason="the extra test-schedules is missing")
def test_github_takes_the_workflow(desk: Desk) -> None:
    """By the schema of workflows."""
    desk.schedule("github", "-o", desk.noted.parent / "import.yml")
    words = ["-m", "check_jsonschema", "--builtin-schema", "vendor.github-workflows", f"{desk.noted.parent}/import.yml"]
    ended = desk.run(sys.executable, *words)
    assert ended.returncode == 0, ended.stdout


def test_what_the_config_reads_is_told_and_not_shown(desk: Desk) -> None:
    """The names of its variables, so that they can be given; a key that stands in a file needs none."""
    more = "fields: {persons: {role: '${ROLE_FIELD}', plan: '$${not one}'}}\n"
    written_config(desk.folder, CONFIG + more)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ROLE_FIELD", "Role of theirs")
        assert "# ROLE_FIELD, PIPEDRIVE_API_TOKEN" in desk.schedule("cron").replace(
            "PIPEDRIVE_API_TOKEN, ROLE_FIELD", "ROLE_FIELD, PIPEDRIVE_API_TOKEN"
        )
        assert "Role of theirs" not in desk.schedule("github")
    written_config(desk.folder, "pipedrive: {company_domain: acme, api_token_file: token}\n")
    assert ".env" not in desk.schedule("systemd")


@pytest.mark.parametrize(
    ("words", "config", "told"),
    [
        (["cron", "-"], CONFIG, "a schedule has no standard input"),
        (["cron", "nowhere"], CONFIG, "no such file or folder: nowhere"),
        (["cron", "two\nlines*"], CONFIG, "cannot stand in a schedule"),
        (["at", "exports"], CONFIG, "there is no such scheduler"),
        (["cron", "exports", "--folder", "exports"], CONFIG, "would be read as events"),
        (["cron", "exports", "--name", "a b"], CONFIG, "--name"),
        (["cron", *["exports"] * 30], CONFIG, "crontabs take 998"),
        (["systemd", "exports", "-o", "file"], CONFIG, "name a folder, as there are 2 files"),
        (["cron", "exports", "-o", "config.yaml"], CONFIG, "is the config"),
        (["kubernetes", "exports"], "pipedrive: {keyring: acme}\n", "a cluster has no keyring"),
        (["kubernetes", "exports"], "privacy: {suppress: ../people}\n", "outside of its folder"),
        (["cron", "exports"], "identitty: {}\n", "1 problem"),
    ],
)
def test_what_cannot_be_scheduled_is_refused(desk: Desk, words: list[str], config: str, told: str) -> None:
    """With exit code 2, and what to do."""
    written_config(desk.folder, config)
    ended = pipedrive_cli("schedule", *words)
    assert (ended.code, ended.out) == (2, "")
    assert told in " ".join(ended.err.split())


def test_the_journal_is_named_where_the_environment_would_not_name_it(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A scheduler knows no XDG_STATE_HOME: the one journal there is named outright, or asked for."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "mine"))
    assert (
        "name the journal's file with --state" in pipedrive_cli("schedule", "cron", "exports", "--folder", "left").err
    )
    (tmp_path / "mine" / "pipedrive-cli").mkdir(parents=True)
    journal = tmp_path / "mine" / "pipedrive-cli" / "company-1.sqlite"
    journal.touch()
    assert f"--state {journal}" in desk.schedule("cron")
