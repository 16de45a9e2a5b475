"""Whatever the environment holds: one sentence that names what is wrong, the right exit code, and no traceback."""

from __future__ import annotations

import os
import pwd
import socket
from pathlib import Path
from typing import Any

import pytest

from pipedrive_cli.cli.endings import error_of
from pipedrive_cli.errors import UserMistake
from pipedrive_cli.sandbox import Sandbox, SandboxOptions

from .desk_for_commands import CANARY, Ended, account, event_file, pipedrive_cli, served, written_config

CONFIG = f"pipedrive: {{company_domain: acme, api_token: {CANARY}}}\nidentity: {{user_id_field: Our id}}\n"
JANE = {"type": "identify", "messageId": "m-1", "userId": "jane", "traits": {"name": "Jane"}}
# Every command that reaches the account.
ONLINE = ("replay FILE", "retry", "preview FILE --online", "rehearse FILE --online", "check", "fields", "fields create")


@pytest.fixture(autouse=True)
def _environment_of_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test meets the proxy or the certificates of the machine that it runs on."""
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    for name in ("SSL_CERT_FILE", "SSL_CERT_DIR", "SSLKEYLOGFILE"):
        monkeypatch.delenv(name, raising=False)


def ended(folder: Path, command: str, *more: str | Path) -> Ended:
    """How a command ended over one event, with `--json`."""
    words = command.replace("FILE", str(event_file(folder, JANE))).split()
    return pipedrive_cli(*words, "-c", written_config(folder, CONFIG), "--json", *more)


def told(ended: Ended) -> tuple[int, Any, str]:
    """The exit code, the one problem's code, and what people read, of which the JSON has the same."""
    problem = ended.json["problems"][0]
    assert problem["message"] in " ".join(ended.err.split()) + " ".join(ended.out.split())
    assert "Traceback" not in ended.err
    return ended.code, problem["code"], problem["message"]


@pytest.mark.parametrize("command", ONLINE)
@pytest.mark.parametrize(
    ("variable", "value", "code"),
    [
        ("ALL_PROXY", "socks5://127.0.0.1:9", "proxy"),
        ("HTTPS_PROXY", "http://127.0.0.1:80a", "proxy"),
        ("SSL_CERT_FILE", "/nowhere/ca.pem", "certificates"),
    ],
)
def test_every_command_names_the_variable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str, variable: str, value: str, code: str
) -> None:
    """Exit code 2 before anything was sent, and the same in the JSON object."""
    monkeypatch.setenv(variable, value)
    exit_code, problem, message = told(ended(tmp_path, command))
    assert (exit_code, problem) == (2, code)
    assert variable in message
    assert value not in message


NO_PROXIES = (
    "socks4://h:9 socks5://h:9 socks5h://u:secret@h:9 ftp://h :// http:// http://:80 http://h:99999 http://h:-1 "
    "http://h:0 h:80a http://[::1 http://hö http://u:secret@h:x file:///etc/passwd"
)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *((name, "socks4://u:secret@h:9") for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy")),
        *(("HTTPS_PROXY", value) for value in [*NO_PROXIES.split(), "http://ho st", "a\tb"]),
    ],
)
def test_no_proxy_that_is_none_ends_in_a_traceback(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    """The variable is named as it is written, and no password that its value may hold."""
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)  # as where socksio is not installed
    monkeypatch.setenv(name, value)
    exit_code, problem, message = told(ended(tmp_path, "check"))
    assert (exit_code, problem) == (2, "proxy")
    assert name in message
    assert "secret" not in message


@pytest.mark.parametrize(
    "value", ["localhost,[::1]", "fe80::/10", "*", "127.0.0.0/8,::1", ",,", "acme.pipedrive.com:443", "[", "("]
)
def test_no_form_of_no_proxy_ends_in_a_traceback(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    """A list of hosts is read as curl reads it: what is not understood excludes nobody."""
    monkeypatch.setenv("NO_PROXY", value)
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")
    with served(Sandbox(SandboxOptions(plan="unlimited", api_token=CANARY))) as url:
        config = written_config(tmp_path, account(url))
        assert pipedrive_cli("fields", "-c", config, "--json").code == 0


@pytest.mark.parametrize("variable", ["SSL_CERT_FILE", "SSL_CERT_DIR", "SSLKEYLOGFILE"])
@pytest.mark.parametrize("what", ["nothing", "text", "empty", "folder", "pipe", "device"])
def test_certificates_that_are_of_no_use(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str, what: str
) -> None:
    """Whatever stands there, the variable is named, and nobody waits for a pipe."""
    place = tmp_path / "place"
    match what:
        case "text" | "empty":
            place.write_text("no certificate" if what == "text" else "")
        case "folder":
            place.mkdir()
        case "pipe":
            os.mkfifo(place)
        case "device":
            place = Path("/dev/zero")
    monkeypatch.setenv(variable, str(place if what != "nothing" else tmp_path / "not there" / "x"))
    fits = {"SSLKEYLOGFILE": ("text", "empty"), "SSL_CERT_DIR": ("folder",)}.get(variable, ())
    if what in fits:
        return  # of use, or as good as none
    exit_code, problem, message = told(ended(tmp_path, "check"))
    assert (exit_code, problem) == (2, "certificates")
    assert variable in message


def test_a_proxy_that_cannot_be_reached_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Exit code 4: it is not Pipedrive that does not answer."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # nobody listens there
        monkeypatch.setenv("https_proxy", f"http://127.0.0.1:{taken.getsockname()[1]}")
        config = "pipedrive: {company_domain: acme, api_token: k}\ndelivery: {max_attempts: 1}\n"
        told = pipedrive_cli("check", "-c", written_config(tmp_path, config), "--json")
    assert told.code == 4
    assert "through the proxy that the environment variable https_proxy names" in told.json["problems"][0]["message"]


HOMELESS = ("replay FILE --state OWN", "preview FILE --online --state OWN", "runs --state OWN")


@pytest.fixture
def homeless(monkeypatch: pytest.MonkeyPatch) -> None:
    """A user id without a name and without HOME, as containers give."""

    def unknown(_: int) -> Any:
        raise KeyError("getpwuid(): uid not found")

    monkeypatch.setattr(pwd, "getpwuid", unknown)
    monkeypatch.delenv("HOME", raising=False)
    monkeypatch.delenv("XDG_STATE_HOME", raising=False)


@pytest.mark.parametrize("command", ["replay FILE", "preview FILE --online", "rehearse FILE --online", "runs", "retry"])
@pytest.mark.parametrize("relative", [None, "HOME", "XDG_STATE_HOME"])
@pytest.mark.usefixtures("homeless")
def test_without_a_home_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str, relative: str | None
) -> None:
    """The journal has no place: `--state` is named, and nothing is laid into a folder called ~."""
    monkeypatch.chdir(tmp_path)
    if relative is not None:
        monkeypatch.setenv(relative, "state")
    with served(Sandbox(SandboxOptions(plan="unlimited", api_token=CANARY))) as url:
        config = written_config(tmp_path, account(url))
        words = command.replace("FILE", str(event_file(tmp_path, JANE))).split()
        exit_code, problem, message = told(pipedrive_cli(*words, "-c", config, "--json"))
    assert (exit_code, problem) == (2, "journal")
    assert "no place for the journal" in message
    assert (relative or "no home folder") in message
    assert {path.name for path in tmp_path.iterdir()} == {"config.yaml", "events.ndjson"}


@pytest.mark.usefixtures("homeless")
def test_without_a_home_folder_and_with_state_all_is_well(tmp_path: Path) -> None:
    """Whoever names the journal needs no home."""
    state = tmp_path / "journal.sqlite"
    config = written_config(tmp_path, "identity: {user_id_field: Our id}\n")
    done = pipedrive_cli("replay", event_file(tmp_path, JANE), "-c", config, "--sandbox", "--state", state, "--json")
    assert (done.code, done.json["events"]["delivered"]) == (0, 1)
    assert pipedrive_cli("runs", "--state", state, "-c", config).code == 0


@pytest.mark.parametrize("command", ["replay FILE", "preview FILE", "rehearse FILE", "check --sandbox", "runs"])
def test_a_folder_that_is_gone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str) -> None:
    """Whoever stands in a folder that somebody has removed is told to leave it."""
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    exit_code, problem, message = told(ended(tmp_path, command))
    assert (exit_code, problem) == (2, "folder_gone")
    assert "does not exist any more" in message
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("text", ["²", "٣", "0", "-5", "99999999999", "80"])
@pytest.mark.parametrize("name", ["COLUMNS", "LINES"])
def test_any_size_of_a_terminal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, text: str) -> None:
    """A text that is no size counts as none."""
    monkeypatch.setenv(name, text)
    config = written_config(tmp_path, "identity: {user_id_field: Our id}\n")
    shown = pipedrive_cli("check", event_file(tmp_path, JANE), "-c", config, "--sandbox", terminal=True)
    assert (shown.code, "Traceback" in shown.err) == (0, False)
    assert "Jane" not in shown.out
    assert max(map(len, shown.out.splitlines())) < 200


@pytest.mark.parametrize("language", ["", "C", "xx_YY.bogus", "de_DE@euro", "../../etc", "\udcff"])
def test_any_language(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, language: str) -> None:
    """Locales change nothing that is written."""
    for name in ("LANG", "LC_ALL", "TERM", "TZ"):
        monkeypatch.setenv(name, language)
    config = written_config(tmp_path, "identity: {user_id_field: Our id}\n")
    assert pipedrive_cli("replay", event_file(tmp_path, JANE), "-c", config, "--sandbox", "--quiet") == Ended(0, "", "")


@pytest.mark.parametrize("command", ["replay FILE", "preview FILE --online", "rehearse FILE --online"])
def test_no_temporary_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str) -> None:
    """TMPDIR is named, with exit code 2."""

    def none(*_: object, **__: object) -> Any:
        raise FileNotFoundError(2, "No usable temporary directory found in ['/tmp']")

    monkeypatch.setattr("tempfile.TemporaryFile", none)
    with served(Sandbox(SandboxOptions(plan="unlimited", api_token=CANARY))) as url:
        config = written_config(tmp_path, account(url))
        words = command.replace("FILE", "-").split()
        done = pipedrive_cli(*words, "-c", config, "--json", stdin=b"")
    if "preview" in command:
        assert done.code == 0  # it needs none
        return
    assert told(done)[:2] == (2, "temporary_file")
    assert "TMPDIR" in done.json["problems"][0]["hint"]


SPECIAL = ("pipe", "folder", "socket", "device", "loop", "under a file")


def special(folder: Path, what: str) -> Path:
    """Something that is no file."""
    place = folder / "place"
    match what:
        case "pipe":
            os.mkfifo(place)
        case "folder":
            place.mkdir()
        case "socket":
            with socket.socket(socket.AF_UNIX) as made:
                made.bind(str(place))
        case "device":
            return Path("/dev/null")
        case "loop":
            place.symlink_to(place)
        case "under a file":
            place.write_text("")
            return place / "x"
    return place


@pytest.mark.parametrize("what", SPECIAL)
@pytest.mark.parametrize(
    "command", ["replay FILE --sandbox", "preview FILE", "rehearse FILE", "runs", "runs prune --keep 1", "retry"]
)
def test_no_journal_at_a_place_that_is_no_file(tmp_path: Path, what: str, command: str) -> None:
    """Exit code 2 and a sentence with the path; nobody waits, and what stands there stays."""
    place = special(tmp_path, what)
    before = os.lstat(place) if what != "under a file" else None
    with served(Sandbox(SandboxOptions(plan="unlimited", api_token=CANARY))) as url:
        config = written_config(tmp_path, account(url))
        words = command.replace("FILE", str(event_file(tmp_path, JANE))).split()
        done = pipedrive_cli(*words, "-c", config, "--state", place)
    if command == "rehearse FILE":  # it remembers nothing there
        assert done.code in {0, 2}
    else:
        assert done.code == 2
        assert f"the journal {place}" in done.err.replace("\n", "")
    assert "Traceback" not in done.err
    if before is not None:
        assert os.path.samestat(before, os.lstat(place))


@pytest.mark.parametrize("what", SPECIAL)
@pytest.mark.parametrize(
    "command", ["replay FILE --sandbox", "preview FILE", "rehearse FILE", "check", "runs", "fields"]
)
def test_no_config_at_a_place_that_is_no_file(tmp_path: Path, what: str, command: str) -> None:
    """The same for -c; an empty device is an empty config."""
    place = special(tmp_path, what)
    words = command.replace("FILE", str(event_file(tmp_path, JANE))).split()
    done = pipedrive_cli(*words, "-c", place, "--json")
    assert "Traceback" not in done.err
    if what != "device":
        assert done.code == 2
        assert done.json["problems"][0]["code"] == "config"


@pytest.mark.parametrize("what", SPECIAL)
def test_no_key_in_a_place_that_is_no_file(tmp_path: Path, what: str) -> None:
    """The same for api_token_file."""
    place = special(tmp_path, what)
    config = written_config(tmp_path, f"pipedrive: {{company_domain: acme, api_token_file: '{place}'}}\n")
    done = pipedrive_cli("fields", "-c", config, "--json")
    assert (done.code, done.json["problems"][0]["code"]) == (2, "credentials_unreadable")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_journal_that_may_not_be_looked_at(tmp_path: Path) -> None:
    """A folder without permission is said, by every command."""
    folder = tmp_path / "closed"
    folder.mkdir(mode=0o000)
    config = written_config(tmp_path, "identity: {user_id_field: Our id}\n")
    for command in ("replay", "preview"):
        done = pipedrive_cli(
            command, event_file(tmp_path, JANE), "-c", config, "--sandbox", "--state", folder / "j", "--json"
        )
        assert (done.code, done.json["reason"]) == (2, "journal")


FAULT = "a text with Jane in it"


@pytest.mark.parametrize(
    ("command", "module"),
    [
        *(("replay FILE", "replay_command"), ("retry", "replay_command"), ("preview FILE", "preview_command")),
        *(
            ("rehearse FILE", "rehearse_command"),
            ("check", "check_command"),
            ("fields", "fields_command"),
            ("runs", "runs_command"),
        ),
    ],
)
@pytest.mark.parametrize("error", [KeyError, RecursionError, MemoryError, AssertionError, OSError, ExceptionGroup])
def test_what_nobody_has_foreseen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str, module: str, error: type[Exception]
) -> None:
    """Exit code 70, one sentence with its place, nothing of its text, and one JSON object."""

    def broken(*_: object, **__: object) -> None:
        raise error(FAULT, [KeyError(FAULT)])

    monkeypatch.setattr(f"pipedrive_cli.cli.{module}.load", broken)
    exit_code, problem, message = told(done := ended(tmp_path, command))
    assert (exit_code, problem) == (70, "tool_fault")
    assert done.json.get("exit_code", 70) == 70
    assert FAULT not in done.out + done.err
    assert f"{'KeyError' if error is ExceptionGroup else error.__name__} in " in message
    assert "report it" in done.err.replace("\n", "")


@pytest.mark.parametrize("metrics", ["--metrics {}", "--metrics={}"])
def test_a_fault_has_its_metrics_and_its_line_in_the_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, metrics: str
) -> None:
    """Monitoring sees exit code 70 too."""

    def broken(*_: object, **__: object) -> None:
        raise RuntimeError(FAULT)

    monkeypatch.setattr("pipedrive_cli.run.session.Session.run", broken)
    config, file = written_config(tmp_path, "identity: {user_id_field: Our id}\n"), tmp_path / "run.prom"
    words = metrics.format(file).split()
    done = pipedrive_cli(
        "replay", event_file(tmp_path, JANE), "-c", config, "--sandbox", "--log-format", "json", *words
    )
    assert done.code == 70
    assert 'pipedrive_cli_last_run_exit_code{import="run"} 70.0' in file.read_text()
    assert '"code": "tool_fault"' in done.err.splitlines()[-1]


@pytest.mark.parametrize("words", ["--nope", "--limit x", "--since soon", "-c /nowhere.yaml", "--deadline never"])
def test_a_command_that_was_called_wrongly_has_its_metrics(tmp_path: Path, words: str) -> None:
    """However a command ends, the file says with which exit code; the times of before are kept."""
    file = tmp_path / "run.prom"
    done = pipedrive_cli("replay", event_file(tmp_path, JANE), *words.split(), "--metrics", file)
    assert done.code == 2
    assert 'pipedrive_cli_last_run_exit_code{import="run"} 2.0' in file.read_text()


def test_a_fault_after_the_run_leaves_what_was_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The JSON object of the run is printed once, and its metrics stay."""

    def broken(*_: object, **__: object) -> None:
        raise RuntimeError(FAULT)

    monkeypatch.setattr("pipedrive_cli.cli.replay_command.write_report", broken)
    config, file = written_config(tmp_path, "identity: {user_id_field: Our id}\n"), tmp_path / "run.prom"
    words = ["--json", "--metrics", str(file), "--report", str(tmp_path / "r.json")]
    done = pipedrive_cli("replay", event_file(tmp_path, JANE), "-c", config, "--sandbox", *words)
    assert (done.code, done.json["exit_code"]) == (70, 0)
    assert 'pipedrive_cli_last_run_exit_code{import="run"} 0.0' in file.read_text()


def test_an_error_in_a_group_is_the_one_that_was_foreseen() -> None:
    """A task group wraps what its tasks raise: the sentence for people is found in it."""
    inner = UserMistake("mend this", code="usage")
    assert error_of(ExceptionGroup("", [RuntimeError(), ExceptionGroup("", [inner])])) is inner
