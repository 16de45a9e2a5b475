"""The command `init`: from nothing to a config, by answers and by options."""

from __future__ import annotations

import json
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from pipedrive_cli.config import load
from pipedrive_cli.sandbox import Sandbox, SandboxOptions

from .desk_for_commands import CANARY, Ended, event_file, pipedrive_cli, served

PEOPLE: list[dict[str, Any]] = [
    {
        "type": "identify",
        "userId": f"u{number}",
        "messageId": f"i{number}",
        "timestamp": f"2026-03-01T10:00:{number:02d}Z",
        "traits": {"name": f"User {number}", "role": "CTO", "jobtitle": "Head", "shoeSize": 40 + number},
    }
    for number in range(6)
]
GROUP = {
    "type": "group", "userId": "u1", "groupId": "g1", "messageId": "g1", "timestamp": "2026-03-01T11:00:00Z",
    "traits": {"name": "Org", "emplyees": 5},
}  # fmt: skip
LEAD = {
    "type": "track", "userId": "u1", "event": "Demo", "messageId": "t1", "timestamp": "2026-03-01T12:00:00Z",
    "properties": {"amount": 5},
}  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A fresh machine's current folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def sandbox() -> Sandbox:
    """An account with a few fields, none of which holds ids."""
    made = Sandbox(SandboxOptions(api_token=CANARY, plan="unlimited", search_lag=0.0))
    made.add_field("persons", name="Role")
    made.add_field("persons", name="Job title")
    made.add_field("organizations", name="Employees", field_type="double")
    return made


@pytest.fixture
def url(sandbox: Sandbox) -> Iterator[str]:
    """Its address."""
    with served(sandbox) as address:
        yield address


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is typed without being shown, in order; the key when nothing is left."""
    keys: list[str] = []
    prompt = typer.prompt

    def ask(text: str, **options: Any) -> Any:
        if options.get("hide_input"):
            return keys.pop(0) if keys else CANARY
        return prompt(text, **options)

    monkeypatch.setattr(typer, "prompt", ask)
    return keys


def answered(*lines: str, arguments: tuple[str | Path, ...] = ()) -> Ended:
    """`init` with somebody who types these lines."""
    text = "".join(f"{line}\n" for line in lines).encode()
    return pipedrive_cli("init", *arguments, stdin=text, keyboard=True)


def names(sandbox: Sandbox, kind: str) -> list[str]:
    """The custom fields of a kind."""
    return [field.name for field in sandbox.account.fields[kind].custom.values()]


def test_options_alone_make_a_config_and_what_it_needs(
    folder: Path, url: str, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A script: the key from the environment, missing fields made, then a run and a second one that sends nothing."""
    monkeypatch.setenv("PIPEDRIVE_API_TOKEN", CANARY)
    events = event_file(folder, *PEOPLE, GROUP, LEAD)
    ended = pipedrive_cli(
        "init", events, "--base-url", url, "--new-fields", "--create-fields", "--currency", "EUR", "--seats", "3",
        "--map", "organizations.emplyees=Employees",
    )  # fmt: skip
    assert ended.code == 0, ended.err
    config = load(folder / "config.yaml", {})
    assert config.fields.persons == {"jobtitle": "Job title", "role": "Role", "shoeSize": "Shoe size"}
    assert config.fields.organizations == {"emplyees": "Employees"}
    assert (config.values.currency, config.pipedrive.seats) == ("EUR", 3)
    assert CANARY not in (folder / "config.yaml").read_text(encoding="utf-8")
    assert names(sandbox, "persons") == ["Role", "Job title", "RudderStack user id", "Shoe size"]
    assert "pipedrive-cli preview" in ended.out
    assert pipedrive_cli("check", events).code == 0
    run = ("replay", events, "--state", folder / "journal", "--json")
    assert pipedrive_cli(*run).json["events"]["delivered"] == 8
    assert pipedrive_cli(*run).json["events"]["duplicate"] == 8
    assert sandbox.contents()["persons"][0]["custom_fields"]["Shoe size"] == 40


def test_a_script_gets_only_what_is_sure(folder: Path, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that is only alike is left as a comment, and told; nothing is made in the account."""
    monkeypatch.setenv("PIPEDRIVE_API_TOKEN", CANARY)
    ended = pipedrive_cli("init", event_file(folder, *PEOPLE, GROUP), "--base-url", url)
    assert ended.code == 0
    config = load(folder / "config.yaml", {})
    assert config.fields.organizations == {}
    assert "# emplyees: Employees" in (folder / "config.yaml").read_text(encoding="utf-8")
    assert "left as a comment: similar name" in ended.err
    assert "pipedrive-cli fields create" in ended.out


def test_somebody_is_asked_for_what_is_needed(folder: Path, url: str, sandbox: Sandbox, typed: list[str]) -> None:
    """Enter all the way but for the address: the key in a file of its own, the proposals, the fields made."""
    event_file(folder, *PEOPLE, GROUP, LEAD)
    ended = answered(url, "y", "events.ndjson", "", "", "", "all", "", "", arguments=())
    assert ended.code == 0, ended.err
    assert typed == []
    token = folder / "pipedrive-token"
    assert token.read_text(encoding="utf-8") == f"{CANARY}\n"
    assert stat.S_IMODE(token.stat().st_mode) == 0o600
    config = load(folder / "config.yaml", {})
    assert config.pipedrive.api_token_file == token
    assert config.fields.persons["shoeSize"] == "Shoe size"
    assert config.fields.organizations == {}  # a name that is merely alike is offered, and not taken on Enter
    assert "# emplyees: Employees" in (folder / "config.yaml").read_text(encoding="utf-8")
    assert config.values.currency == "EUR"
    assert "RudderStack group id" in names(sandbox, "organizations")
    assert "config.yaml is in order." in ended.out


def test_lines_of_the_mapping_can_be_changed(folder: Path, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """To another field, to none, to a new one; what cannot be is asked again."""
    monkeypatch.setenv("PIPEDRIVE_API_TOKEN", CANARY)
    events = event_file(folder, *PEOPLE)
    ended = answered(
        "",  # the user id's field
        "9", "x",  # no such lines
        "1", "Role", "Rol", "Email", "-",  # jobtitle: taken, a slip, what is never mapped to, none
        "3", "new",  # shoeSize: a field of its own
        "2", "Rank", "y",  # role: a field to be made
        "", "", "y",
        arguments=(events, "--base-url", url),
    )  # fmt: skip
    assert ended.code == 0, ended.err
    assert load(folder / "config.yaml", {}).fields.persons == {"role": "Rank", "shoeSize": "Shoe size"}
    for told in ("is taken: role", "did you mean Role?", "no mapping sets Email", "none of the lines 1 to 3"):
        assert told in ended.err


def test_a_trait_that_is_to_have_no_field_is_offered_none(
    folder: Path, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A new one neither, and no line of the config speaks of it."""
    monkeypatch.setenv("PIPEDRIVE_API_TOKEN", CANARY)
    ended = answered("", "3", "-", "", "y", arguments=(event_file(folder, *PEOPLE), "--base-url", url))
    assert ended.code == 0, ended.err
    assert "New fields can be made" not in ended.err
    assert "shoeSize" not in (folder / "config.yaml").read_text(encoding="utf-8")


def test_nobody_there_means_all_that_is_lacking_is_told(folder: Path) -> None:
    """Exit code 2 with the options to give, and nothing written."""
    ended = pipedrive_cli("init")
    assert ended.code == 2
    assert "--company-domain" in ended.err
    assert "--token-file" in ended.err
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--plan", "huge"), "lite"),
        (("--currency", "euros"), "three letters"),
        (("--map", "role=Role"), "KIND.TRAIT=FIELD"),
        (("--map", "deals.role=Role"), "persons"),
        (("--company-domain", "a b"), "https://acme.pipedrive.com"),
        (("--company-domain", "acme", "--base-url", "https://x.example"), "one of them"),
        (("--base-url", "http://x.example"), "https"),
        (("--token-file", "t", "--keyring", "k"), "one of them"),
        (("--from-rudderstack", "nothing.json"), "nothing.json"),
        (("-c", "nowhere/config.yaml"), "folder"),
        (("--offline", "nothing.ndjson"), "nothing.ndjson"),
        (("nothing.ndjson",), "no such file or folder: nothing.ndjson"),
        (("--offline", "--user-id-field", "email"), "custom"),
    ],
)
def test_options_that_cannot_be_are_told(folder: Path, arguments: tuple[str, ...], told: str) -> None:
    """Exit code 2, what is allowed, and no config."""
    ended = pipedrive_cli("init", *arguments)
    assert ended.code == 2, ended.err
    assert told in ended.err
    assert list(folder.iterdir()) == []


def test_a_config_that_is_there_is_not_replaced_unasked(folder: Path) -> None:
    """Not by a script without --force, and not by somebody who says no."""
    file = folder / "config.yaml"
    file.write_text("state: mine\n", encoding="utf-8")
    assert pipedrive_cli("init", "--offline").code == 2
    assert answered("", arguments=("--offline",)).code == 2
    assert file.read_text(encoding="utf-8") == "state: mine\n"
    assert pipedrive_cli("init", "--offline", "--force").code == 0
    assert "state: mine" not in file.read_text(encoding="utf-8")


def test_offline_writes_what_can_be_known(folder: Path) -> None:
    """Pipedrive's own fields by their names, ids under the recommended names, new fields as comments."""
    group = {**GROUP, "traits": {"website": "https://x.example", "tier": "pro"}}
    ended = pipedrive_cli("init", event_file(folder, *PEOPLE, group), "--offline", "--company-domain", "acme")
    assert ended.code == 0, ended.err
    config = load(folder / "config.yaml", {})
    assert config.pipedrive.company_domain == "acme"
    assert config.identity.user_id_field == "RudderStack user id"
    assert config.fields.organizations == {"website": "website"}
    assert "not checked" in ended.out


def test_a_table_alone_makes_a_config_and_what_it_needs(folder: Path) -> None:
    """Its columns are proposed, save those that the options name; the next commands and the first case have rows."""
    table = folder / "people.csv"
    table.write_text("user_id,updated_at,role\nu1,2026-01-01T00:00:00Z,Boss\n")
    rows = ("--as", "identify", "--id", "user_id", "--time", "updated_at")
    ended = pipedrive_cli("init", "people.csv", *rows, "--offline", "--yes", "--new-fields")
    assert ended.code == 0
    config = load(folder / "config.yaml", {}, sandbox=True)
    assert config.fields.persons == {"role": "Role"}
    assert f"preview people.csv {' '.join(rows)} --online" in " ".join(ended.out.split())
    assert "role: role 1" in (folder / "cases" / "first.yaml").read_text()
    checked = pipedrive_cli("check", "people.csv", *rows, "--offline", "--json")
    assert checked.json["events"]["dropped_traits"] == {}
    missing = pipedrive_cli("init", "people.csv", "--as", "identify", "--offline", "--yes", "--force")
    assert missing.code == 2
    assert "--id is missing" in missing.err


def test_a_refused_key_ends_with_its_own_code(folder: Path, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """3 for a script; nothing is written."""
    monkeypatch.setenv("PIPEDRIVE_API_TOKEN", "wrong")
    assert pipedrive_cli("init", "--base-url", url).code == 3
    assert list(folder.iterdir()) == []


def test_a_question_breaks_between_words(folder: Path, url: str, typed: list[str]) -> None:
    """A narrow terminal would cut them anywhere."""
    typed += [CANARY]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COLUMNS", "40")
        ended = answered("n", "", "", "", "n", arguments=("--base-url", url))
    assert "Keep the key in the file\npipedrive-token, which only" in ended.err


def test_a_key_that_was_mistyped_is_asked_for_again(folder: Path, url: str, typed: list[str]) -> None:
    """Somebody at the terminal has a second try, and need not begin anew."""
    typed += ["wrong", CANARY]
    ended = answered("n", "", "", "", "n", arguments=("--base-url", url))
    assert ended.code == 0, ended.err
    assert "refused the API token" in ended.err
    assert not (folder / "pipedrive-token").exists()
    assert "export PIPEDRIVE_API_TOKEN=" in ended.out


def test_nobody_answering_ends_with_its_own_code(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """4, as for every command."""
    monkeypatch.setenv("PIPEDRIVE_API_TOKEN", CANARY)
    assert pipedrive_cli("init", "--base-url", "http://127.0.0.1:1").code == 4
    assert list(folder.iterdir()) == []


def test_an_interruption_leaves_nothing_half_written(folder: Path, url: str, typed: list[str]) -> None:
    """The input ends while a question waits, as Ctrl-C and Ctrl-D end it: 130, and no file."""
    event_file(folder, *PEOPLE)
    ended = answered("y", "events.ndjson", "", arguments=("--base-url", url))
    assert ended.code == 130
    assert "no config was written" in ended.err
    assert [file.name for file in folder.iterdir()] == ["events.ndjson"]


def test_rudderstacks_settings_are_taken_over(folder: Path, url: str, sandbox: Sandbox) -> None:
    """Keys of fields become names, the key to the account goes into a file, what the account lacks is told."""
    user = sandbox.add_field("persons", name="Our id")
    role = next(key for key, field in sandbox.account.fields["persons"].custom.items() if field.name == "Role")
    employees = next(iter(sandbox.account.fields["organizations"].custom))
    settings = {
        "apiToken": CANARY,
        "userIdToken": user,
        "groupIdToken": "f" * 40,
        "enableUserCreation": False,
        "personsMap": [{"from": "role", "to": role}, {"from": "gone", "to": "e" * 40}],
        "organizationMap": [{"from": "employees", "to": employees}],
    }
    (folder / "settings.json").write_text(json.dumps({"config": settings}), encoding="utf-8")
    ended = pipedrive_cli(
        "init", event_file(folder, *PEOPLE, GROUP), "--base-url", url, "--from-rudderstack", "settings.json",
        "--token-file", "key", "--create-fields",
    )  # fmt: skip
    assert ended.code == 0, ended.err
    config = load(folder / "config.yaml", {})
    assert (config.identity.user_id_field, config.identity.group_id_field) == ("Our id", "RudderStack group id")
    assert config.identity.create_persons == "none"
    assert "that destination created nobody" in ended.err
    assert config.fields.persons["role"] == "Role"
    assert "was emplyees meant?" in ended.err
    assert "gone" in ended.err
    assert (folder / "key").read_text(encoding="utf-8") == f"{CANARY}\n"


def test_hostile_traits_and_fields_move_no_terminal(
    folder: Path, url: str, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Names and values come from strangers: shown escaped, written so that the file means what it did."""
    monkeypatch.setenv("PIPEDRIVE_API_TOKEN", CANARY)
    trait = 'x\x1b[2J\n"\u202e: ${HOME}'
    sandbox.add_field("persons", name=f"{trait} field")
    event = {**PEOPLE[0], "traits": {trait: "\x1b]0;owned\x07", "role": "\u202e"}}
    ended = answered("", "", "", "n", arguments=(event_file(folder, event), "--base-url", url))
    assert ended.code == 0, ended.err
    assert "\x1b" not in ended.out + ended.err
    assert "\u202e" not in ended.out + ended.err + (folder / "config.yaml").read_text(encoding="utf-8")


def test_what_could_not_be_made_is_told_and_the_config_written(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No answer of somebody's is lost because Pipedrive gave none; the exit code says that something is left to do."""
    monkeypatch.setenv("PIPEDRIVE_API_TOKEN", CANARY)
    limited = Sandbox(SandboxOptions(api_token=CANARY, faults="reset-before@POST /api/v2/personFields#1"))
    with served(limited) as address:
        ended = pipedrive_cli("init", event_file(folder, *PEOPLE), "--base-url", address, "--create-fields")
    assert ended.code == 4
    assert (folder / "config.yaml").exists()
    assert "fields create" in ended.out


def test_a_slip_in_map_is_no_new_field(folder: Path, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """`Rol` is not made beside `Role`."""
    monkeypatch.setenv("PIPEDRIVE_API_TOKEN", CANARY)
    ended = pipedrive_cli("init", "--base-url", url, "--map", "persons.role=Rol", "--create-fields")
    assert ended.code == 2
    assert "did you mean Role?" in ended.err
    ended = pipedrive_cli("init", "--base-url", url, "--map", "persons.emial=email", "--create-fields")
    assert ended.code == 2
    assert "persons.emial=email: no mapping sets that field" in ended.err


def test_organizations_that_are_there_are_counted_and_asked_for(
    folder: Path, url: str, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By name, without regard to case; whoever says yes has groups take them over."""
    monkeypatch.setenv("PIPEDRIVE_API_TOKEN", CANARY)
    for name in ("ORG", "Twice", "twice", "Other"):
        sandbox.add_record("organizations", {"name": name})
    twice = {**GROUP, "messageId": "g-2", "groupId": "g-2", "traits": {"name": "Twice"}}
    source = event_file(folder, GROUP, twice)
    silent = pipedrive_cli("init", source, "--base-url", url, "--yes")
    assert "1 organization of your 2 groups can be recognised by name; 1 names are borne by several" in silent.err
    assert load(folder / "config.yaml", {}).identity.match_organizations is None
    ended = answered("", "", "", "", "y", "n", arguments=(source, "--base-url", url, "--force"))
    assert ended.code in {0, 2}, ended.err
    assert load(folder / "config.yaml", {}).identity.match_organizations == "name"
