"""`check` with events: mappings that do not suit what comes, a part of very many files, what a replay would cost."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import json
import os
from pathlib import Path
from typing import Any

import pytest

from pipedrive_cli.config import Config
from pipedrive_cli.delivery.journal import Journal
from pipedrive_cli.events.source import resolve_sources
from pipedrive_cli.run.account import PINS
from pipedrive_cli.run.first_events import ENOUGH
from pipedrive_cli.run.sample import Sample
from pipedrive_cli.sandbox import Sandbox

from .desk_for_commands import account, event_file, pipedrive_cli, served, written_config
from .test_check import IDENTITY, checked, furnished


def people(*traits: dict[str, Any]) -> list[dict[str, Any]]:
    """One identify event for each, all of one user."""
    return [{"type": "identify", "messageId": str(n), "userId": "u", "traits": each} for n, each in enumerate(traits)]


def by_field(problems: list[dict[str, Any]], code: str) -> dict[str, dict[str, Any]]:
    """The problems of one code, by the key of the config that they are about."""
    return {problem["examples"][0]["field"]: problem for problem in problems if problem["code"] == code}


def test_a_slip_in_the_mapping_is_told_where_it_stands(tmp_path: Path) -> None:
    """No event has the trait on the left; the line comes with the trait that was perhaps meant."""
    file = event_file(tmp_path, *people({"role": "x", "age": 3}, {"role": "y"}))
    text = f"{IDENTITY}fields:\n  persons:\n    age: Age\n    rol: Role\n"
    ended = checked(tmp_path, furnished(), text, file, "--json")
    assert ended.code == 0
    (problem,) = by_field(ended.json["problems"], "mapping_unused").values()
    assert "no event about persons has this trait (2 looked at)" in problem["message"]
    assert problem["hint"] == "did you mean role? 2 have that one"
    assert problem["examples"][0]["line"] == 6
    shown = checked(tmp_path, furnished(), text, file).out
    assert f"Worth a look\n  {tmp_path / 'config.yaml'}:6  fields.persons.rol: " in shown


def test_a_mapping_of_a_kind_that_no_event_is_about_is_left_alone(tmp_path: Path) -> None:
    """A file of persons says nothing of products."""
    sandbox = furnished()
    sandbox.add_field("products", name="Brand")
    text = f"{IDENTITY}fields: {{products: {{brand: Brand}}}}\n"
    ended = checked(tmp_path, sandbox, text, event_file(tmp_path, *people({"name": "Ann"})), "--json")
    assert ended.json["problems"] == []


def test_a_field_that_can_hold_nothing_of_what_comes_must_be_changed(tmp_path: Path) -> None:
    """Exit code 2, with the line, the type and the values; two values alone prove nothing."""
    text = f"{IDENTITY}fields:\n  persons:\n    age: Age\n"
    young, old = {"age": "young"}, {"age": "old"}
    ended = checked(tmp_path, furnished(), text, event_file(tmp_path, *people(young, old, young)), "--json")
    assert ended.code == 2
    problem = by_field(ended.json["problems"], "config")["fields.persons.age"]
    assert "not one of 3 values fits Age, a field of type double: 'young' × 2, 'old' × 1" in problem["message"]
    assert problem["hint"] == (
        "mend the values, map the trait to a field of a fitting type, or list under `values.nothing` what says nothing"
    )
    assert problem["examples"][0]["line"] == 5
    assert checked(tmp_path, furnished(), text, event_file(tmp_path, *people(young, old))).code == 1
    assert checked(tmp_path, furnished(), text, event_file(tmp_path, *people(young, old, {"age": 3}))).code == 1


def test_a_field_made_for_the_trait_is_offered_instead(tmp_path: Path) -> None:
    """The account has one that bears the trait's name."""
    text = f"{IDENTITY}fields: {{persons: {{plan: Age}}}}\n"
    file = event_file(tmp_path, *people(*[{"plan": "Pro"}] * 3))
    ended = checked(tmp_path, furnished(), text, file, "--json")
    problem = by_field(ended.json["problems"], "config")["fields.persons.plan"]
    assert problem["hint"].startswith("map it to Plan, if that is meant; or ")


def test_values_that_do_not_fit_come_with_their_number_and_the_lines_of_the_config(tmp_path: Path) -> None:
    """How many of how many, which they are, where the mapping stands; examples show different values."""
    traits = [{"plan": "Gold"}] * 6 + [{"plan": "Pro"}, {"plan": "Silver"}]
    text = f"{IDENTITY}fields:\n  persons:\n    plan: Plan\n"
    ended = checked(tmp_path, furnished(), text, event_file(tmp_path, *people(*traits)), "--json")
    (problem,) = ended.json["problems"]
    assert problem["count"] == 7
    told = f"7 of 8 values do not fit Plan, a field of type enum ({tmp_path / 'config.yaml'}:5)"
    assert problem["hint"].startswith(f"{told}: 'Gold' × 6, 'Silver' × 1. `pipedrive-cli fields create")
    assert [example["line"] for example in problem["examples"]] == [1, 8, 2, 3, 4]


def test_of_many_files_the_beginnings_are_looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each file has its share, short ones leave theirs to the others, and it is said; `--all` reads every event."""
    monkeypatch.setattr("pipedrive_cli.cli.check_command.ENOUGH", 12)
    folder = tmp_path / "exports"
    folder.mkdir()
    for number in range(4):
        events = people(*[{"name": "Ann"}] * (2 if number == 0 else 50))
        (folder / f"{number}.ndjson").write_text("".join(json.dumps(event) + "\n" for event in events))
    ended = checked(tmp_path, furnished(), IDENTITY, folder)
    assert "12 from the beginnings of 4 files; --all reads every event" in ended.out
    found = checked(tmp_path, furnished(), IDENTITY, folder, "--json").json["events"]
    assert (found["read"], found["whole"], found["files"]) == (12, False, 4)
    found = checked(tmp_path, furnished(), IDENTITY, folder, "--all", "--json").json["events"]
    assert (found["read"], found["whole"]) == (152, True)


def test_the_cost_is_what_writing_all_of_it_would_take(tmp_path: Path) -> None:
    """Writes and look-ups, so that no run costs more; more than the day has left is a problem."""
    events = [
        *({"type": "identify", "messageId": f"i{n}", "userId": f"u{n % 3}", "traits": {}} for n in range(9)),
        *({"type": "track", "messageId": f"t{n}", "userId": "u0", "event": "Demo"} for n in range(2)),
    ]
    file = event_file(tmp_path, *events)
    ended = checked(tmp_path, furnished(plan="growth"), IDENTITY, file, "--json")
    least = 3 * 5 + 2 * 10 + 2 + 20 + (30 + 10 + 40 + 20)
    assert ended.json["events"]["tokens_at_most"] == least + 3 * 85 + 2 * 2 + 20
    assert ended.json["events"]["records_at_most"] == {"persons": 3, "leads": 2}
    assert ended.json["problems"] == []
    ended = checked(tmp_path, furnished(daily_tokens=100), IDENTITY, file)
    assert "at most about 35 API tokens if all is new: 3 persons, 2 leads" in ended.out
    assert "budget_short" in ended.out
    assert ended.code == 0


def test_a_renamed_field_is_told_by_check_too(tmp_path: Path) -> None:
    """It is held to the journal's key as a run would hold it; the journal is only read."""
    sandbox = Sandbox(furnished().options)
    key = sandbox.add_field("persons", name="Position")
    state = tmp_path / "journal.sqlite"
    with contextlib.closing(Journal.open(state)) as journal, journal.transaction():
        journal.set_fact(PINS, {"persons": {"Role": key}})
    before = state.read_bytes()
    text = "fields:\n  persons:\n    role: Role\nstate: journal.sqlite\n"
    with served(sandbox) as url:
        config = written_config(tmp_path, account(url) + text)
        ended = pipedrive_cli("check", "-c", config, "--json")
        assert pipedrive_cli("fields", "create", "-c", config, "--yes").code == 0
    problems = by_field(ended.json["problems"], "field_moved")
    assert "is called Position in Pipedrive now" in problems["fields.persons.role"]["message"]
    assert key not in json.dumps(problems)
    assert state.read_bytes() == before
    assert sandbox.account.fields.custom_count == 1


def test_a_label_that_two_labels_bear_is_refused_with_both_ids(tmp_path: Path) -> None:
    """It would be left out of every lead otherwise."""
    sandbox = furnished()
    other = sandbox.account.add_lead_label("Hot", "blue")["id"]
    ended = checked(tmp_path, sandbox, f"{IDENTITY}leads: {{label_ids: [hot]}}\n", "--json")
    assert ended.code == 2
    (problem,) = by_field(ended.json["problems"], "config").values()
    assert "2 lead labels named hot" in problem["message"]
    assert other in problem["message"]


def test_every_mistake_says_what_to_do_and_what_comes_next(tmp_path: Path) -> None:
    """No hint sends back to `check`; below stands the command to go on with."""
    sandbox = furnished()
    sandbox.add_field("persons", name="Score", field_type="double")
    sandbox.add_field("persons", name="Role")
    text = (
        "identity: {user_id_field: Score, group_id_field: Their id}\n"
        "fields:\n"
        "  persons: {a: role, b: Role, c: job_title, d: Nowhere}\n"
        f"  organizations: {{a: {'ab' * 20}}}\n"
        "leads: {default_currency: XTS, label_ids: [Frozen]}\n"
    )
    ended = checked(tmp_path, sandbox, text, "--json")
    hints = {field: problem["hint"] for field, problem in by_field(ended.json["problems"], "config").items()}
    assert len(hints) == 8
    assert all(hint and "`pipedrive-cli check`" not in hint for hint in hints.values())
    assert "Our id" in hints["identity.user_id_field"]
    assert "upper and lower case" in hints["fields.persons.a"]
    assert "keys" in hints["fields.persons.b"]
    assert "custom field" in hints["fields.persons.c"]
    assert "fields create" in hints["fields.persons.d"]
    assert "fields organizations" in hints["fields.organizations.a"]
    assert "EUR" in hints["leads.default_currency"]
    config = tmp_path / "config.yaml"
    assert f"run `pipedrive-cli check -c {config}` again" in checked(tmp_path, sandbox, text).out
    good = checked(tmp_path, furnished(), IDENTITY, event_file(tmp_path, *people({"name": "Ann"}))).out
    assert "`pipedrive-cli replay" in good


def test_the_number_of_events_looked_at_is_bounded() -> None:
    """`check` stays quick whatever it is given."""
    assert 10_000 <= ENOUGH <= 100_000


def test_an_online_preview_tells_of_renamed_fields_too(tmp_path: Path) -> None:
    """What a replay would warn of is seen before it; the look that is shown names fields, not keys."""
    sandbox = Sandbox(furnished().options)
    key = sandbox.add_field("persons", name="Position")
    ids = sandbox.add_field("persons", name="Our id")
    state = tmp_path / "journal.sqlite"
    with contextlib.closing(Journal.open(state)) as journal, journal.transaction():
        journal.set_fact(PINS, {"persons": {"Role": key, "Our id": ids}})
    file = event_file(tmp_path, *people({"role": "x"}))
    text = "identity: {user_id_field: Our id}\nfields: {persons: {role: Role}}\nstate: journal.sqlite\n"
    with served(sandbox) as url:
        ended = pipedrive_cli("preview", file, "-c", written_config(tmp_path, account(url) + text), "--online")
    assert ended.code == 0
    assert "field_moved" in ended.out
    assert "Position" in ended.out
    assert key not in ended.out
    assert ids not in ended.out


def test_events_of_another_mapping_are_counted_with_what_a_refill_costs(tmp_path: Path) -> None:
    """As a preview and a report do, line by line; also those of files that a replay has passed over since then."""
    sandbox = furnished(search_lag=0.0)
    folder = tmp_path / "exports"
    folder.mkdir()
    events = event_file(
        folder,
        *({"type": "identify", "messageId": f"m{n}", "userId": f"u{n}", "traits": {"role": "dev"}} for n in range(3)),
    )
    with served(sandbox) as url:
        state = f"state: '{tmp_path / 'journal.sqlite'}'\nidentity: {{user_id_field: Our id}}\n"
        config = written_config(tmp_path, account(url) + state)
        assert pipedrive_cli("replay", folder, "-c", config).code == 0
        assert "other_mapping" not in pipedrive_cli("check", events, "-c", config, "--json").out
        for source in (folder, events):
            assert "Nothing is new: a replay would send nothing" in pipedrive_cli("check", source, "-c", config).out
        config = written_config(tmp_path, account(url) + state + "fields: {persons: {role: Role}}\n")
        first = pipedrive_cli("check", folder, "-c", config, "--json").json
        assert "--refill --online` shows what" in " ".join(pipedrive_cli("check", events, "-c", config).out.split())
        assert pipedrive_cli("replay", folder, "-c", config).code == 0
        passed_over = pipedrive_cli("check", folder, "-c", config, "--json").json
    for each, counts in ((first, (3, 3, 0)), (passed_over, (0, 0, 1))):
        assert tuple(each["events"][key] for key in ("read", "duplicate", "passed_over")) == counts
        (problem,) = [problem for problem in each["problems"] if problem["code"] == "other_mapping"]
        assert (problem["count"], problem["examples"][0]["field"]) == (3, "persons: role -> Role")
        assert "--refill" in problem["hint"] and "at most about 15 API tokens" in problem["hint"]


@pytest.mark.slow
def test_check_judges_a_folder_as_a_replay_does(tmp_path: Path) -> None:
    """A folder with everything in it, before and after a first run: the same numbers, problems and exit code from all
    four commands.
    """
    good = [{"type": "identify", "messageId": f"g{n}", "userId": f"u{n}", "traits": {"name": "N"}} for n in range(4)]
    other = [{**good[0], "messageId": "same", "traits": {"name": name}} for name in ("A", "B")]
    bad = [{"type": "track", "messageId": "t", "userId": "u1"}, {"type": "record", "messageId": "r", "userId": "u"}]
    as_lines = "".join(json.dumps(event) + "\n" for event in good)
    folder = tmp_path / "exports"
    folder.mkdir()
    for name, content in {
        "a.ndjson": as_lines,
        "b-copies.ndjson": as_lines + "".join(json.dumps(event) + "\n" for event in other),
        "c-batch.json": json.dumps({"batch": bad}) + "\nno JSON\n",
        "d-torn.ndjson": json.dumps({**good[0], "messageId": "d"}) + '\n{"type": "ident',
        "e-torn-too.ndjson": '{"type": "ident',
        "f-pretty.json": json.dumps(good, indent=1),
        ".hidden.ndjson": as_lines,
        "notes.txt": "not read",
    }.items():
        (folder / name).write_text(content)
    (folder / "g-damaged.json.gz").write_bytes(gzip.compress(as_lines.encode())[:-8] + bytes(8))
    (folder / "h-loop.ndjson").symlink_to("h-loop.ndjson")
    (folder / "i-linked.ndjson").symlink_to("a.ndjson")
    os.mkfifo(folder / "j-pipe.ndjson")

    def told(*command: str) -> tuple[int, dict[str, int], list[tuple[str, str | None, int, str]]]:
        ended = pipedrive_cli(*command, folder, "-c", config, "--json")
        found, counts = ended.json, ("read", "rejected", "skipped", "duplicate")
        problems = [(p["code"], p["outcome"], p["count"], p["message"]) for p in found["problems"]]
        return ended.code, {key: found["events"][key] for key in counts}, sorted(problems, key=str)

    with served(furnished(search_lag=0.0)) as url:
        state = f"state: '{tmp_path / 'journal.sqlite'}'\n"
        config = written_config(tmp_path, account(url) + state + "identity: {user_id_field: Our id}\n")
        for expected in ({"read": 14, "rejected": 2, "skipped": 1, "duplicate": 5}, {"read": 1, "duplicate": 1}):
            looks = [told(*command.split()) for command in ("check", "check --offline", "preview", "rehearse --online")]
            run = told("replay")
            assert run[0] == 1
            assert expected.items() <= run[1].items()
            assert looks == [run] * len(looks)
        assert "1; 3 files passed over" in pipedrive_cli("check", folder, "-c", config).out
        config = written_config(tmp_path, account(url) + "identity: {user_id_field: Our id}\n")  # the journal's place?
        assert "is not known without the account" in pipedrive_cli("check", folder, "-c", config, "--offline").out
        for command in ("preview", "rehearse"):
            assert "the account and earlier runs are not looked at" in pipedrive_cli(command, folder, "-c", config).out


def test_an_interrupt_is_heard_while_events_are_read(tmp_path: Path) -> None:
    """`check --all` had read a whole archive to its end first."""
    file = event_file(tmp_path, *people(*({"name": "N"} for _ in range(1200))))
    sample = Sample(Config(), resolve_sources([str(file)]))

    async def interrupted() -> None:
        reading = asyncio.create_task(sample.read(None))
        asyncio.get_running_loop().call_soon(reading.cancel)
        with pytest.raises(asyncio.CancelledError):
            await reading

    asyncio.run(interrupted())
    assert sample.live_figures.events_read < 1000
