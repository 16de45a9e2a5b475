"""The commands `fields` and `fields create`."""

from __future__ import annotations

import asyncio
import json
import signal
from pathlib import Path
from typing import Any

import pytest
import typer

from pipedrive_cli.cli import fields_command
from pipedrive_cli.run.custom_fields import create_fields
from pipedrive_cli.sandbox import Sandbox, SandboxOptions

from .desk_for_commands import CANARY, Stream, account, event_file, pipedrive_cli, served, written_config

NAMED = """identity: {user_id_field: Our id}
fields:
  persons: {role: Role, plan: Plan}
  products: {text: description}
  leads: {rating: Rating}
"""


def empty(**options: object) -> Sandbox:
    """An account without custom fields."""
    chosen = {"api_token": CANARY, **options}
    return Sandbox(SandboxOptions(**chosen))  # type: ignore[arg-type]  # options of several types by name


def names(sandbox: Sandbox, kind: str) -> list[tuple[str, str]]:
    """(name, type) of the custom fields of a kind."""
    return [(field.name, field.type) for field in sandbox.account.fields[kind].custom.values()]


def test_fields_are_listed_with_keys_types_and_options(tmp_path: Path) -> None:
    """Custom fields alone, of one kind or of all; leads have those of deals."""
    sandbox = empty()
    plan = sandbox.add_field("persons", name="Plan", field_type="enum", options=("Free", "Pro"))
    rating = sandbox.add_field("deals", name="Rating")
    with served(sandbox) as url:
        config = written_config(tmp_path, account(url))
        shown = pipedrive_cli("fields", "-c", config)
        one = pipedrive_cli("fields", "leads", "-c", config, "--json")
        every = pipedrive_cli("fields", "-c", config, "--json")
    rows = [line.split() for line in shown.out.splitlines()]
    assert rows[1:] == [["persons", "Plan", plan, "enum", "Free,", "Pro"], ["leads", "Rating", rating, "varchar"]]
    assert one.json == {
        "version": 1,
        "fields": {"leads": [{"name": "Rating", "key": rating, "type": "varchar", "options": []}]},
    }
    assert list(every.json["fields"]) == ["persons", "organizations", "products", "leads"]
    assert [option["label"] for option in every.json["fields"]["persons"][0]["options"]] == ["Free", "Pro"]


def test_a_kind_that_does_not_exist_is_a_mistake(tmp_path: Path) -> None:
    """The kinds are named, and nobody is asked."""
    ended = pipedrive_cli("fields", "deals", "-c", written_config(tmp_path, ""))
    assert ended.code == 2
    assert "leads" in ended.err


def test_what_the_config_names_and_the_account_lacks_is_made_once(tmp_path: Path) -> None:
    """Text unless another type is asked for; a second time there is nothing to do; `check` is content then."""
    sandbox = empty()
    sandbox.add_field("persons", name="Our id")
    with served(sandbox) as url:
        config = written_config(tmp_path, account(url) + NAMED)
        made = pipedrive_cli("fields", "create", "-c", config, "--type", "Plan=enum:Free, Pro", "--yes", "--json")
        again = pipedrive_cli("fields", "create", "-c", config, "--yes", "--json")
        assert pipedrive_cli("check", "-c", config).code == 0
    assert names(sandbox, "persons") == [("Our id", "varchar"), ("Role", "varchar"), ("Plan", "enum")]
    assert names(sandbox, "deals") == [("Rating", "varchar")]
    assert [(field["kind"], field["name"]) for field in made.json["created"]] == [
        ("persons", "Role"), ("persons", "Plan"), ("leads", "Rating"),
    ]  # fmt: skip
    assert {field["key"] for field in made.json["created"]} <= {
        key for kind in ("persons", "deals") for key in sandbox.account.fields[kind].custom
    }
    assert again.json == {"version": 1, "created": []}


def test_nothing_is_made_unless_somebody_agrees(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where nobody can be asked `--yes` is needed; whoever is asked may say no."""
    sandbox = empty()
    with served(sandbox) as url:
        config = written_config(tmp_path, account(url) + NAMED)
        ended = pipedrive_cli("fields", "create", "-c", config)
        assert ended.code == 2
        assert "--yes" in ended.err
        assert "Role (varchar)" in ended.err
        monkeypatch.setattr(Stream, "isatty", lambda stream: True)
        monkeypatch.setattr(typer, "confirm", lambda *_, **__: False)
        refused = pipedrive_cli("fields", "create", "-c", config)
        assert refused.code == 0
    assert {request.method for request in sandbox.requests} == {"GET"}


@pytest.mark.parametrize(
    ("written", "told"),
    [
        ("Plan=choice", "varchar"),
        ("Plan=enum", "enum"),
        ("Plan=text:Free", "options"),
        ("Nobody=text", "Rating"),
        ("Plan", "NAME=TYPE"),
        ("Our id=date", "ids"),
    ],
)
def test_a_type_that_cannot_be_is_told_before_anything_is_asked(tmp_path: Path, written: str, told: str) -> None:
    """Exit code 2, with what is allowed."""
    config = written_config(tmp_path, account("http://127.0.0.1:1") + NAMED)
    ended = pipedrive_cli("fields", "create", "-c", config, "--type", written)
    assert ended.code == 2
    assert told in ended.err


def test_a_field_of_nearly_the_name_is_not_made_a_second_time(tmp_path: Path) -> None:
    """`role` is there and the config says `Role`: that one was meant."""
    sandbox = empty()
    sandbox.add_field("persons", name="role")
    with served(sandbox) as url:
        ended = pipedrive_cli("fields", "create", "-c", written_config(tmp_path, account(url) + NAMED), "--yes")
    assert ended.code == 2
    assert "role" in ended.err
    assert names(sandbox, "persons") == [("role", "varchar")]


def test_a_name_that_two_fields_bear_does_not_become_three(tmp_path: Path) -> None:
    """Which one is meant is for the config to say, by key; making another would help nobody."""
    sandbox = empty()
    for name in ("Our id", "Role", "Role", "Plan"):
        sandbox.add_field("persons", name=name)
    with served(sandbox) as url:
        ended = pipedrive_cli(
            "fields", "create", "-c", written_config(tmp_path, account(url) + NAMED), "--yes", "--json"
        )
    assert [field["name"] for field in ended.json["created"]] == ["Rating"]


def test_a_long_list_of_options_stays_in_its_line(tmp_path: Path) -> None:
    """A pipe is for scripts: one field, one line, whole."""
    sandbox = empty()
    options = [f"a rather long option, number {number}" for number in range(12)]
    sandbox.add_field("persons", name="Plan", field_type="enum", options=options)
    with served(sandbox) as url:
        ended = pipedrive_cli("fields", "-c", written_config(tmp_path, account(url)))
    assert len(ended.out.splitlines()) == 2
    assert ", ".join(options) in ended.out


def test_a_creation_without_an_answer_is_looked_up_and_not_repeated(tmp_path: Path) -> None:
    """The connection breaks after Pipedrive has made the field: it is found, and there is one of it."""
    sandbox = empty(faults="reset-after@POST /api/v2/personFields#1")
    with served(sandbox) as url:
        ended = pipedrive_cli(
            "fields", "create", "-c", written_config(tmp_path, account(url) + NAMED), "--yes", "--json"
        )
    assert ended.code == 0
    assert [name for name, _ in names(sandbox, "persons")] == ["Our id", "Role", "Plan"]
    assert len(ended.json["created"]) == 4
    assert all(len(field["key"]) == 40 for field in ended.json["created"])


def test_a_creation_of_which_nothing_is_known_ends_with_what_to_do(tmp_path: Path) -> None:
    """Neither an answer nor the field: run again, which makes it once."""
    sandbox = empty(faults="reset-before@POST /api/v2/personFields#1")
    with served(sandbox) as url:
        config = written_config(tmp_path, account(url) + NAMED)
        ended = pipedrive_cli("fields", "create", "-c", config, "--yes")
        assert ended.code == 4
        assert "run the same command again" in ended.err
        assert pipedrive_cli("fields", "create", "-c", config, "--yes").code == 0
    assert [name for name, _ in names(sandbox, "persons")] == ["Our id", "Role", "Plan"]


def test_what_pipedrive_refuses_is_told_in_its_own_words(tmp_path: Path) -> None:
    """A permission that is missing, or the plan's limit of fields."""
    sandbox = empty(refusals="permission@fields")
    with served(sandbox) as url:
        ended = pipedrive_cli("fields", "-c", written_config(tmp_path, account(url)))
    assert ended.code == 4
    assert "permission" in ended.err


def test_names_in_the_account_cannot_move_the_terminal(tmp_path: Path) -> None:
    """Somebody else named the fields."""
    sandbox = empty()
    sandbox.add_field("persons", name="\x1b[2J[bold]x", field_type="enum", options=("\x1b]0;owned\x07",))
    with served(sandbox) as url:
        ended = pipedrive_cli("fields", "-c", written_config(tmp_path, account(url)))
    assert "\x1b" not in ended.out
    assert "[bold]x" in ended.out


def test_events_reach_fields_that_were_made(tmp_path: Path) -> None:
    """From an empty account to a first run: create the fields, replay, and the value is there."""
    sandbox = empty(plan="unlimited", search_lag=0.0)
    with served(sandbox) as url:
        config = written_config(tmp_path, account(url) + NAMED)
        assert pipedrive_cli("fields", "create", "-c", config, "--yes").code == 0
        file = event_file(tmp_path, {"type": "identify", "userId": "u", "traits": {"name": "Jane", "role": "CTO"}})
        ended = pipedrive_cli("replay", file, "-c", config, "--state", tmp_path / "j.sqlite")
    assert ended.code == 0, ended.err
    assert sandbox.contents()["persons"][0]["custom_fields"] == {"Our id": "u", "Role": "CTO"}


def test_options_that_events_need_are_made_once(tmp_path: Path) -> None:
    """Each once, however it is spelled; what a map says, and every item of a list; what says nothing is no option."""
    sandbox = empty()
    sandbox.add_field("persons", name="Our id")
    sandbox.add_field("persons", name="Plan", field_type="enum", options=("Pro",))
    sandbox.add_field("persons", name="Tags", field_type="set", options=("a",))
    traits: list[dict[str, Any]] = [
        {"plan": "pro", "tags": ["a", "new one"]},
        {"plan": "Gold", "tags": "a, b"},
        {"plan": "Gold ", "tags": "n/a"},
        {"plan": "Golden", "tags": "New One"},
        {"plan": "GOLDEN", "tags": None},
        {"plan": "", "tags": "new one"},
    ]
    events = tmp_path / "events.ndjson"
    events.write_text(
        "".join(
            json.dumps({"type": "identify", "userId": f"u{n}", "traits": each}) + "\n" for n, each in enumerate(traits)
        )
    )
    mapping = "  persons:\n    plan: {field: Plan, map: {Gold: Golden}, other: keep}\n    tags: Tags\n"
    with served(sandbox) as url:
        config = written_config(tmp_path, f"{account(url)}identity: {{user_id_field: Our id}}\nfields:\n{mapping}")
        refused = pipedrive_cli("fields", "create", events, "--options", "-c", config)
        made = pipedrive_cli("fields", "create", events, "--options", "-c", config, "--yes", "--json")
        again = pipedrive_cli("fields", "create", events, "--options", "-c", config, "--yes", "--json")
        alone = pipedrive_cli("fields", "create", "--options", "-c", config)
        assert pipedrive_cli("check", events, "-c", config).code == 0
    assert (refused.code, "Golden (4)" in refused.err, alone.code) == (2, True, 2)
    assert sorted((row["name"], row["options"]) for row in made.json["options"]) == [
        ("Plan", ["Golden"]),
        ("Tags", ["new one", "b"]),
    ]
    assert again.json["options"] == []
    options = {field.name: field.options for field in sandbox.account.fields["persons"].custom.values()}
    assert [option.label for option in (options["Tags"] or {}).values()] == ["a", "new one", "b"]


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interruption_says_what_had_been_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: signal.Signals, code: int
) -> None:
    """After the first of several fields: its name, in the JSON object too; it is found there the next time."""
    sandbox = empty()
    real = create_fields

    async def interrupted_at_the_second(connection: Any, wanted: Any) -> Any:
        if names(sandbox, "persons"):
            signal.raise_signal(number)
            await asyncio.sleep(0)  # where asyncio lets an interruption in
        return await real(connection, wanted)

    monkeypatch.setattr(fields_command, "create_fields", interrupted_at_the_second)
    with served(sandbox) as url:
        config = written_config(tmp_path, account(url) + NAMED)
        ended = pipedrive_cli("fields", "create", "-c", config, "--yes", "--json")
    assert (ended.code, ended.json["exit_code"]) == (code, code)
    ((name, _),) = names(sandbox, "persons")
    assert f"interrupted: had been made in Pipedrive: persons {name}" in ended.json["problems"][0]["message"]


def test_an_option_that_a_map_rejects_is_not_made_and_check_says_what_helps(tmp_path: Path) -> None:
    """Nothing would come to it; what the map says is made, and shown."""
    sandbox = empty()
    sandbox.add_field("persons", name="Our id")
    sandbox.add_field("persons", name="Plan", field_type="enum", options=("Pro",))
    plans = ("gold", "gold", "silver", "pro")
    events = event_file(
        tmp_path, *({"type": "identify", "userId": f"u{n}", "traits": {"plan": plan}} for n, plan in enumerate(plans))
    )
    mapping = "fields: {persons: {plan: {field: Plan, map: {pro: Pro, silver: Silver}}}}\n"
    with served(sandbox) as url:
        config = written_config(tmp_path, f"{account(url)}identity: {{user_id_field: Our id}}\n{mapping}")
        made = pipedrive_cli("fields", "create", events, "--options", "-c", config, "--yes")
        checked = pipedrive_cli("check", events, "-c", config)
    assert ("Silver" in made.out, "gold" in made.out) == (True, False)
    (options,) = (field.options for field in sandbox.account.fields["persons"].custom.values() if field.name == "Plan")
    assert [option.label for option in (options or {}).values()] == ["Pro", "Silver"]
    assert [request.path for request in sandbox.requests].count("/api/v1/users/me") == 2, "once a command"
    assert "Add the values to the line's `map`" in checked.out
