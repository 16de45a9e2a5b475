"""A key in the wrong place is never repeated, and no JSON obeys what a terminal would."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipedrive_cli.cli.command_line import json_log_wanted
from pipedrive_cli.errors import ConfigProblem, ConfigProblems, UserMistake
from pipedrive_cli.report.json_line import json_line, json_text
from pipedrive_cli.sandbox import Sandbox, SandboxOptions
from pipedrive_cli.secret import LOOKS_LIKE_A_KEY, Secret, without_keys, without_secrets

from .desk_for_commands import Ended, event_file, pipedrive_cli, served, written_config

KEY = "4f1e5a0c9b7d2e6f8a3b5c1d0e9f7a6b4c2d8e1f"
JANE = {"type": "identify", "messageId": "m-1", "userId": "jane", "traits": {"name": "Jane"}}
LONG = "a key of another maker: sk_live-51Hx/+=abc"  # as an OAuth token may look

CONFIGS = [
    "pipedrive: {{company_domain: acme, api_token_file: {0}}}",
    "pipedrive: {{company_domain: acme, {0}: x}}",
    "pipedrive: {{company_domain: acme, {0}}}",
    "pipedrive: {{company_domain: acme, api_token: [{0}]}}",
    "pipedrive: {{company_domain: acme, api_token: {{key: {0}}}}}",
    "pipedrive: {{company_domain: acme, plan: {0}}}",
    "pipedrive: {{company_domain: acme, keyring: {0}}}",
    "pipedrive: {{company_domain: {0}}}",
    "pipedrive: {{company_domain: 'https://{0}.pipedrive.com'}}",
    "pipedrive: {{base_url: 'https://acme.pipedrive.com/?api_token={0}'}}",
    "pipedrive: {{base_url: 'https://{0}@acme.pipedrive.com'}}",
    "pipedrive: {{base_url: 'https://{0}.example.com'}}",
    "pipedrive: {{base_url: '{0}'}}",
    "pipedrive: {{base_url: 'http://127.0.0.1:1', api_token: '${{{0}}}'}}",
    "pipedrive: {0}",
    "{0}: x",
    "{0}",
    "api_token:{0}",
    "pipedrive:\n  api_token:{0}\n  company_domain: acme",
    "pipedrive: {{company_domain: acme, api_token: '{0} {0}'}}",
    "delivery: {{timeout: {0}}}",
    "delivery: {{{0}: 1}}",
    "privacy: {{consent: {{require: {0}}}}}",
    "pipedrive: {{company_domain: acme, api_token: {0}",
]


def shown(folder: Path, ended: Ended) -> str:
    """All that a command has written, to streams and to files."""
    files = [path for path in folder.iterdir() if path.suffix in {".prom", ".html"} or path.name == "report.json"]
    return ended.out + ended.err + "".join(path.read_text() for path in files)


@pytest.mark.parametrize(
    ("text", "known"), [*((text, False) for text in CONFIGS), (CONFIGS[0], True), (CONFIGS[1], True)]
)
def test_a_key_in_a_wrong_line_of_the_config(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, *, known: bool
) -> None:
    """Whether it is the key in use or looks like one: the line is told, and not what stands in it."""
    if known:
        monkeypatch.setenv("PIPEDRIVE_API_TOKEN", KEY)
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:1")  # nobody is asked
    config = written_config(tmp_path, text.format(KEY) + "\n")
    preview: list[str | Path] = ["preview", event_file(tmp_path, JANE), "--online"]
    for words in (["fields", "--json"], ["check", "--json"], preview):
        ended = pipedrive_cli(*words, "-c", config)
        assert KEY not in shown(tmp_path, ended), words
        assert ended.code != 0
    log = ["--metrics", str(tmp_path / "run.prom"), "--report", str(tmp_path / "report.json"), "--log-format", "json"]
    ended = pipedrive_cli("replay", event_file(tmp_path, JANE), "-c", config, "--json", *log)
    assert json_log_wanted(log)
    assert KEY not in shown(tmp_path, ended)


@pytest.mark.parametrize(
    "words",
    [
        *(
            "replay {0}",
            "replay FILE -c {0}",
            "replay FILE --state {0}/x",
            "replay FILE --limit {0}",
            "replay FILE --{0}",
        ),
        *(
            "replay FILE --api-token {0}",
            "replay FILE --api-token={0}",
            "replay FILE --since {0}",
            "replay FILE --type {0}",
        ),
        *(
            "replay FILE --deadline {0}",
            "replay FILE --report {0}",
            "replay FILE --metrics {0}",
            "replay FILE --rejects {0}/x",
        ),
        *(
            "replay FILE --log-format {0}",
            "replay https://acme.pipedrive.com/?api_token={0}",
            "preview FILE --format {0}",
        ),
        *("rehearse FILE --plan {0}", "rehearse FILE --latency {0}", "check {0}", "fields {0}", "runs show {0}", "{0}"),
        *(
            "fields create --type {0}",
            "runs prune --older-than {0}",
            "retry {0}",
            "init {0} --offline",
            "sandbox --faults {0}",
        ),
        *("init --from-rudderstack {0}", "sandbox --plan {0}", "preview s3x://{0}/x", "runs --state {0}/x"),
    ],
)
def test_a_key_in_a_wrong_word_of_the_command_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: str) -> None:
    """No message of the parser or of a command repeats it."""
    monkeypatch.chdir(tmp_path)
    config = "pipedrive: {base_url: 'http://127.0.0.1:1', api_token: k}\ndelivery: {max_attempts: 1}\n"
    written_config(tmp_path, config)
    event_file(tmp_path, JANE)
    line = words.format(KEY).replace("FILE", "events.ndjson").split()
    for more in ([], ["--json"]):
        ended = pipedrive_cli(*line, *more)
        assert KEY not in ended.out + ended.err
        assert ended.code != 0


@pytest.mark.parametrize("key", [KEY, LONG.replace(" ", "-")])
def test_the_key_in_use_is_hidden_wherever_it_got_to(tmp_path: Path, key: str) -> None:
    """In events too: a report, a page, a log and a preview of them show stars."""
    event = {**JANE, "userId": f"u {key}", "traits": {"name": key, "email": 5, key: 1}}
    event["messageId"] = key
    with served(Sandbox(SandboxOptions(plan="unlimited", api_token=key))) as url:
        text = f"pipedrive: {{base_url: '{url}', api_token: '{key}'}}\nidentity: {{}}\n"
        config, events = written_config(tmp_path, text), event_file(tmp_path, event)
        files = ["--report", str(tmp_path / "report.json"), "--report", str(tmp_path / "report.html")]
        words = [*files, "--metrics", str(tmp_path / "run.prom"), "--state", str(tmp_path / "j")]
        for ended in (
            pipedrive_cli("replay", events, "-c", config, "-v", *words),
            pipedrive_cli("replay", events, "-c", config, "--json", "--log-format", "json", *words),
            *(
                pipedrive_cli("preview", events, "-c", config, "--format", form)
                for form in ("text", "ndjson", "curl", "http")
            ),
            pipedrive_cli("runs", "show", "-c", config, "--state", tmp_path / "j", "--json"),
            pipedrive_cli("check", events, "-c", config),
        ):
            assert key not in shown(tmp_path, ended)


def test_keys_of_fields_are_shown(tmp_path: Path) -> None:
    """They look like API tokens, and people need them."""
    sandbox = Sandbox(SandboxOptions(plan="unlimited", api_token="k"))
    field = sandbox.add_field("persons", name="Role")
    assert LOOKS_LIKE_A_KEY.fullmatch(field)
    with served(sandbox) as url:
        config = written_config(tmp_path, f"pipedrive: {{base_url: '{url}', api_token: k}}\n")
        assert field in pipedrive_cli("fields", "-c", config).out
        assert pipedrive_cli("fields", "-c", config, "--json").json["fields"]["persons"][0]["key"] == field
    problem = ConfigProblem("fields.persons.role", f"the account has no field {field}")
    assert field in ConfigProblems("c.yaml", [problem]).problems[0].message
    assert field not in ConfigProblems("c.yaml", [ConfigProblem("pipedrive.plan", f"no {field}")]).problems[0].message
    assert field not in UserMistake(f"no {field}", code="usage", hint=field).message


@given(st.text(), st.text())
def test_what_looks_like_a_key_is_hidden_in_any_text(before: str, behind: str) -> None:
    """Whatever stands around it, save more of such digits."""
    text = f"{before}.{KEY}.{behind}"
    assert KEY not in without_keys(text)
    assert without_keys(text).startswith(without_keys(before))


def test_short_secrets_hide_no_words() -> None:
    """What is too short for a key would hide half of every report."""
    Secret("replayed")
    assert without_secrets("replayed 5 events") == "replayed 5 events"


@given(
    st.recursive(
        st.text(st.characters(exclude_categories=["Cs"])) | st.integers(), lambda inner: st.lists(inner, max_size=3)
    )
)
def test_json_holds_no_sign_that_a_terminal_obeys(value: object) -> None:
    """C0, C1, direction marks and other invisible signs are escapes, and what is read back is the same."""
    text = json_text(value)
    assert text.isprintable()
    assert json.loads(text) == value


@pytest.mark.parametrize(
    "sign", ["\x1b[31m", "\x9b31m", "\x7f", "\x85", "\u202e", "\u2066", "\u200b", "\ufeff", "\u2028", "\U000e0041"]
)
def test_every_json_that_is_printed_escapes(tmp_path: Path, sign: str) -> None:
    """On stdout and in files alike, and no information is lost."""
    event = {**JANE, "messageId": f"m{sign}1", "traits": {"name": f"J{sign}", "visible_to": f"n{sign}"}}
    config, events = written_config(tmp_path, "identity: {user_id_field: Our id}\n"), event_file(tmp_path, event)
    report, results = tmp_path / "report.json", tmp_path / "results.ndjson"
    words = ["--json", "--report", str(report), "--results", str(results), "--sandbox"]
    outputs = [
        pipedrive_cli("replay", events, "-c", config, *words).out,
        pipedrive_cli("check", events, "-c", config, "--sandbox", "--json").out,
        report.read_text(encoding="utf-8"),
        results.read_text(encoding="utf-8"),
        json_line({"a": sign}).decode(),
    ]
    for output in outputs:
        assert output.removesuffix("\n").isprintable()
    assert json.loads(outputs[0])["problems"][0]["examples"][0]["message_id"] == f"m{sign}1"
