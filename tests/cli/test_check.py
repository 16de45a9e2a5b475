"""The command `check`: what would fail in a run, told before it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from pipedrive_cli.sandbox import Sandbox, SandboxOptions

from .desk_for_commands import CANARY, Ended, account, event_file, pipedrive_cli, served, written_config

KEYS = ["version", "ok", "problems", "unchecked", "account", "events"]
IDENTITY = "identity: {user_id_field: Our id, group_id_field: Their id}\n"


def furnished(**options: Any) -> Sandbox:
    """An account with fields of several types."""
    sandbox = Sandbox(SandboxOptions(api_token=CANARY, **options))
    sandbox.add_field("persons", name="Our id")
    sandbox.add_field("persons", name="Role")
    sandbox.add_field("persons", name="Age", field_type="double")
    sandbox.add_field("persons", name="Plan", field_type="enum", options=("Free", "Pro"))
    sandbox.add_field("organizations", name="Their id")
    return sandbox


def checked(folder: Path, sandbox: Sandbox, text: str, *arguments: str | Path) -> Ended:
    """`check` of a config against an account; it may only have looked."""
    with served(sandbox) as url:
        ended = pipedrive_cli("check", "-c", written_config(folder, account(url) + text), *arguments)
    assert {request.method for request in sandbox.requests} <= {"GET"}
    return ended


def messages(ended: Ended) -> list[str]:
    """The problems' messages."""
    assert list(ended.json) == KEYS
    for problem in ended.json["problems"]:
        assert list(problem) == ["code", "outcome", "count", "message", "hint", "examples"]
    return [problem["message"] for problem in ended.json["problems"]]


def test_a_config_that_fits_is_in_order(tmp_path: Path) -> None:
    """The company, the user, the limits as headers tell them, and what is left of the day are shown; exit code 0."""
    sandbox = furnished(company_name="Acme", plan="growth", seats=2)
    ended = checked(tmp_path, sandbox, f"{IDENTITY}fields: {{persons: {{role: Role}}}}\n")
    assert ended.code == 0
    for told in ("Acme", "Sandbox User, an admin", "40 requests in 2 s", "of 120,000 API tokens left", "is in order"):
        assert told in ended.out
    assert "the config's plan has 20" in ended.out
    left = int(re.findall(r"([0-9,]+) of 120,000", ended.out)[0].replace(",", ""))
    assert f"a run may spend {left - 12_000:,} of them" in ended.out
    again = checked(tmp_path, furnished(), IDENTITY, "--json")
    assert list(again.json) == KEYS
    assert (again.json["ok"], again.json["problems"], again.json["account"]["company"]) == (True, [], "Sandbox")
    assert checked(tmp_path, furnished(), IDENTITY, "--quiet").out == ""


def test_limits_that_nobody_told_are_those_of_the_plan(tmp_path: Path) -> None:
    """Pipedrive may send no headers: then it is said what a run begins with."""
    ended = checked(tmp_path, furnished(headers=False), IDENTITY)
    assert "a run starts from the 20 requests in 2 s" in ended.out
    assert "does not tell" in ended.out


def test_every_mistake_is_told_with_its_line_and_the_nearest_name(tmp_path: Path) -> None:
    """Fields, labels and currencies that the account lacks, all at once; exit code 2."""
    text = (
        f"{IDENTITY}"
        "fields:\n"
        "  persons:\n"
        "    role: Rolle\n"
        "    address.city: Town\n"
        "leads: {default_currency: XTS, label_ids: [Hott]}\n"
    )
    ended = checked(tmp_path, furnished(), text, "--json")
    assert (ended.code, ended.json["ok"]) == (2, False)
    problems = {p["examples"][0]["field"]: p for p in ended.json["problems"]}
    assert set(problems) == {
        "fields.persons.role", "fields.persons.address.city", "leads.default_currency", "leads.label_ids",
    }  # fmt: skip
    assert "did you mean Role?" in problems["fields.persons.role"]["message"]
    assert problems["fields.persons.role"]["examples"][0]["line"] == 5
    assert problems["fields.persons.address.city"]["examples"][0]["line"] == 6
    assert "fields create" in problems["fields.persons.address.city"]["hint"]
    assert "Hot, Cold, Warm" in problems["leads.label_ids"]["message"]
    shown = checked(tmp_path, furnished(), text)
    assert f"{tmp_path / 'config.yaml'}:5  fields.persons.role:" in shown.out
    assert re.search(
        r"4 things must be changed in \S+config.yaml, lines 5, 6, 7, before a run", " ".join(shown.out.split())
    )
    lines = [problem["examples"][0]["line"] for problem in ended.json["problems"]]
    assert lines == sorted(lines)


def test_two_fields_of_one_name_are_named_by_their_keys(tmp_path: Path) -> None:
    """Nobody can tell which one is meant, so the user has to."""
    sandbox = furnished()
    other = sandbox.add_field("persons", name="Role")
    ended = checked(tmp_path, sandbox, f"{IDENTITY}fields: {{persons: {{role: Role}}}}\n", "--json")
    (message,) = messages(ended)
    assert other in message
    assert ended.code == 2


def test_an_id_field_must_be_one_that_can_be_looked_up(tmp_path: Path) -> None:
    """A date cannot be searched for; it is told once."""
    sandbox = furnished()
    sandbox.add_field("persons", name="Born", field_type="date")
    ended = checked(tmp_path, sandbox, "identity: {user_id_field: Born}\n", "--json")
    (message,) = messages(ended)
    assert "identity.user_id_field" in message
    assert "date" in message
    file = event_file(tmp_path, {"type": "identify", "userId": "u"})
    with served(sandbox) as url:
        config = written_config(tmp_path, account(url) + "identity: {user_id_field: Born}\n")
        ended = pipedrive_cli("replay", file, "-c", config, "--state", tmp_path / "journal")
    assert ended.code == 2
    assert ended.err.count("Born") == 1
    assert f"{config}:2 identity.user_id_field: " in ended.err


def test_a_refused_key_is_exit_code_3(tmp_path: Path) -> None:
    """In words and in JSON; what the events are can be told all the same."""
    sandbox = Sandbox(SandboxOptions(api_token="another"))
    ended = checked(tmp_path, sandbox, IDENTITY, "--json")
    assert (ended.code, ended.json["ok"]) == (3, False)
    assert [problem["code"] for problem in ended.json["problems"]] == ["credentials_refused"]
    file = event_file(tmp_path, {"type": "identify", "userId": "u", "traits": {}})
    shown = checked(tmp_path, Sandbox(SandboxOptions(api_token="another")), IDENTITY, file)
    assert shown.code == 3
    assert "refused the credentials" in shown.out
    assert "identify" in shown.out


def test_a_user_who_is_no_admin_is_warned(tmp_path: Path) -> None:
    """Records that the user cannot see would be made a second time; that stops nobody."""
    ended = checked(tmp_path, furnished(admin=False), IDENTITY, "--json")
    assert ended.code == 0
    assert [problem["code"] for problem in ended.json["problems"]] == ["not_admin"]


def test_a_permission_that_is_missing_is_an_obstacle(tmp_path: Path) -> None:
    """The key opens the account, but not its fields."""
    ended = checked(tmp_path, furnished(refusals="permission@fields"), IDENTITY, "--json")
    assert ended.code == 2
    assert "kind_refused" in {problem["code"] for problem in ended.json["problems"]}


@pytest.mark.parametrize("account", ["{company_domain: acme}", "{}", "{company_domain: acme, api_token: '${NOT_SET}'}"])
def test_without_a_key_a_gate_is_shut(tmp_path: Path, account: str) -> None:
    """Exit code 2 with what to do, in JSON too, which says what was not looked at."""
    config = written_config(tmp_path, f"pipedrive: {account}\n{IDENTITY}")
    ended = pipedrive_cli("check", "-c", config)
    assert ended.code == 2
    assert "--offline" in ended.out or "NOT_SET" in ended.out
    said = ended.out.split("could not begin now: ")[1] if "not begin" in ended.out else ended.out
    assert "API token" in said or "company_domain" in said or "NOT_SET" in said, "not `see above`"
    ended = pipedrive_cli("check", "-c", config, "--json")
    assert (ended.code, ended.json["ok"], ended.json["account"]) == (2, False, None)
    assert ended.json["unchecked"]
    assert len(ended.json["problems"]) == 1


def test_the_commands_that_come_next_read_the_same_table(tmp_path: Path) -> None:
    """With the options that say what its columns are."""
    config = written_config(tmp_path, f"pipedrive: {{company_domain: acme}}\n{IDENTITY}")
    (table := tmp_path / "people.csv").write_text("id,when\nu1,2026-03-01\n")
    for more in ([], ["--offline"]):
        ended = pipedrive_cli("check", table, "--as", "identify", "--id", "id", "--time", "when", "-c", config, *more)
        assert "people.csv --as identify --id id --time when -c" in " ".join(ended.out.split())


def test_offline_the_config_alone_is_looked_at(tmp_path: Path) -> None:
    """No key is needed, and that the account was not looked at stands where people and programs look."""
    config = written_config(tmp_path, f"pipedrive: {{company_domain: acme, api_token: '${{NOT_SET}}'}}\n{IDENTITY}")
    ended = pipedrive_cli("check", "-c", config, "--offline")
    assert ended.code == 0
    assert "not checked" in ended.out
    ended = pipedrive_cli("check", "-c", config, "--offline", "--json")
    assert (ended.code, ended.json["ok"], ended.json["problems"], ended.json["account"]) == (0, True, [], None)
    assert "--offline" in ended.json["unchecked"]
    assert "not checked" in ended.err
    assert pipedrive_cli("check", "-c", config, "--offline", "--sandbox").code == 2


def test_an_account_that_does_not_answer_was_not_looked_at(tmp_path: Path) -> None:
    """`unchecked` says so, beside the problem."""
    config = "pipedrive: {base_url: 'http://127.0.0.1:1', api_token: k}\ndelivery: {max_attempts: 1}\n"
    ended = pipedrive_cli("check", "-c", written_config(tmp_path, config), "--json")
    assert (ended.code, ended.json["ok"]) == (4, False)
    assert "cannot be reached" in ended.json["unchecked"]


def test_mistakes_of_the_file_itself_are_told_like_the_others(tmp_path: Path) -> None:
    """All of them, with their lines, in JSON too."""
    config = written_config(tmp_path, "identity: {user_id_feild: x}\ndelivery: {timeout: soon}\n")
    ended = pipedrive_cli("check", "-c", config, "--json")
    assert ended.code == 2
    assert [problem["examples"][0]["line"] for problem in ended.json["problems"]] == [1, 2]
    assert len(messages(ended)) == 2
    assert pipedrive_cli("check", "-c", tmp_path / "nowhere.yaml").code == 2


def test_nobody_there_is_exit_code_4(tmp_path: Path) -> None:
    """It is neither the config nor the key: later it may work."""
    with served(furnished()) as url:
        pass
    ended = pipedrive_cli("check", "-c", written_config(tmp_path, account(url) + IDENTITY), "--json")
    assert ended.code == 4
    assert [problem["code"] for problem in ended.json["problems"]] == ["unreachable"]


def test_events_are_counted_and_what_would_be_rejected_is_told(tmp_path: Path) -> None:
    """By kind, with file and line; values are held against the types of the account's fields."""
    file = event_file(
        tmp_path,
        {"type": "identify", "messageId": "1", "userId": "u", "traits": {"age": "young", "role": "x"}},
        {"type": "identify", "messageId": "2", "userId": "u", "traits": {"age": 42, "plan": "Gold"}},
        {"type": "track", "messageId": "3", "userId": "u", "event": "Order Completed", "properties": {}},
        {"type": "track", "messageId": "4", "userId": "u", "event": "Demo Requested"},
        {"type": "page", "messageId": "5", "userId": "u"},
        "{broken",
    )
    text = f"{IDENTITY}fields: {{persons: {{age: Age, plan: Plan, role: Role}}}}\n"
    ended = checked(tmp_path, furnished(), text, file, "--json")
    assert (ended.code, ended.json["ok"]) == (1, True)  # as a replay ends
    rejected = {p["message"]: p["examples"] for p in ended.json["problems"] if p["outcome"] == "rejected"}
    places = {message.rpartition(": ")[2]: [example["line"] for example in it] for message, it in rejected.items()}
    assert places == {
        "traits.age": [1],
        "traits.plan": [2],
        "the order has no products": [3],
        "the line is no JSON": [6],
    }
    shown = checked(tmp_path, furnished(), text, file)
    counted = dict(re.findall(r"^  (\S.*?) {2,}([0-9]+)$", shown.out, re.MULTILINE))
    assert (counted["read"], counted["identify"], counted["track, as a lead"]) == ("6", "2", "1")
    assert (counted["Order Completed"], counted["rejected"], counted["skipped"]) == ("1", "4", "1")
    assert f"{file}:1" in shown.out
    assert "order. 4 events would be rejected" in shown.out
    with_alias = event_file(tmp_path, {"type": "alias", "userId": "u", "previousId": "v"}, "{broken", name="a.ndjson")
    shown = checked(tmp_path, furnished(), text, with_alias)
    assert "At least 1 event would be rejected" in shown.out  # whether v is somebody is not looked up


def test_a_kind_that_only_the_events_are_about_is_checked_too(tmp_path: Path) -> None:
    """A file with group events needs the field for group ids, though the config never speaks of organizations."""
    file = event_file(tmp_path, {"type": "group", "userId": "u", "groupId": "g", "traits": {}})
    ended = checked(tmp_path, furnished(), "identity: {user_id_field: Our id}\n", file, "--json")
    assert ended.code == 2
    assert any("identity.group_id_field" in message for message in messages(ended))


def test_traits_that_no_mapping_names_come_with_what_was_perhaps_meant(tmp_path: Path) -> None:
    """The most frequent first: a slip in upper and lower case, a field made for it, or nothing to say."""
    traits = {"Role": "x", "age": 3, "ourId": "u", "shoe": 43}
    events = [{"type": "identify", "messageId": str(n), "userId": "u", "traits": traits} for n in range(3)]
    events.append({"type": "identify", "messageId": "more", "userId": "u", "traits": {"shoe": 44}})
    text = f"{IDENTITY}fields: {{persons: {{role: Role}}}}\n"
    ended = checked(tmp_path, furnished(), text, event_file(tmp_path, *events), "--json")
    slip, *traits_told = ended.json["problems"]
    assert (slip["code"], slip["examples"][0]["field"]) == ("mapping_unused", "fields.persons.role")
    told = [(p["count"], p["message"].split()[-1], p["hint"]) for p in traits_told]
    assert told == [
        (4, "shoe", None),
        (3, "Role", "Did you mean role? Upper and lower case count."),
        (3, "age", "To send it add `age: Age` to fields.persons."),
        (3, "ourId", None),  # the field for user ids is no other trait's
    ]


def test_a_known_trait_that_was_left_out_is_no_slip(tmp_path: Path) -> None:
    """A `sku` beside a `product_id`, an amount behind another: what is known is not proposed in its own place."""
    properties = {"product_id": "p", "sku": "s", "name": "Bike"}
    file = event_file(tmp_path, {"type": "track", "event": "Product Viewed", "userId": "u", "properties": properties})
    (told,) = checked(tmp_path, furnished(), IDENTITY, file, "--json").json["problems"]
    assert (told["message"], told["hint"]) == ("products: no mapping names sku", None)


def test_what_a_product_event_says_of_its_person_is_not_looked_at(tmp_path: Path) -> None:
    """Nothing of it is sent: a mapped trait that only such events have is told as unused by none."""
    context = {"traits": {"role": "cto"}}
    viewed = {"type": "track", "event": "Product Viewed", "userId": "u", "properties": {"sku": "s"}, "context": context}
    known = {"type": "identify", "userId": "u", "traits": {"name": "Ann"}}
    text = f"{IDENTITY}fields: {{persons: {{role: Role}}}}\n"
    (told,) = checked(tmp_path, furnished(), text, event_file(tmp_path, viewed, known), "--json").json["problems"]
    assert (told["code"], told["examples"][0]["field"]) == ("mapping_unused", "fields.persons.role")


def test_unmapped_traits_are_shown_by_kind_as_after_a_run(tmp_path: Path) -> None:
    """A line for each kind, the most frequent first; below it only what there is to advise."""
    file = event_file(
        tmp_path,
        {"type": "identify", "messageId": "1", "userId": "u", "traits": {"Role": "x", "shoe": 43}},
        {"type": "identify", "messageId": "2", "userId": "u", "traits": {"shoe": 44}},
        {"type": "page", "messageId": "3", "userId": "u"},
    )
    shown = checked(tmp_path, furnished(), f"{IDENTITY}fields: {{persons: {{role: Role}}}}\n", file).out
    assert "Traits that are in no mapping\n  persons: shoe (2), Role (1)\n" in shown
    assert "no mapping names Role. Did you mean role? Upper and lower case count." in shown
    assert "no mapping names shoe" not in shown
    assert "Skipped\n  1 × events of this type are not sent: page\n" in shown
    assert "Problems" not in shown


def test_an_account_without_limits_is_told_in_words(tmp_path: Path) -> None:
    """The sandbox's own plan: nobody reads a number of ten digits."""
    shown = checked(tmp_path, furnished(plan="unlimited"), IDENTITY).out
    assert shown.count("no limit") == 2
    assert "000,000" not in shown


def test_a_field_is_only_proposed_where_it_would_work(tmp_path: Path) -> None:
    """Pipedrive knows birthdays, but only in accounts that sync their contacts, and this one does not."""
    file = event_file(tmp_path, {"type": "identify", "userId": "u", "traits": {"birthday": "1990-05-17"}})
    (problem,) = checked(tmp_path, furnished(), IDENTITY, file, "--json").json["problems"]
    assert (problem["code"], problem["hint"]) == ("unmapped_trait", None)


def test_a_problem_shows_five_events_of_many(tmp_path: Path) -> None:
    """Enough to understand it; how many there are is its count."""
    file = event_file(tmp_path, *[{"type": "bogus", "userId": "u"}] * 9)
    (problem,) = checked(tmp_path, furnished(), IDENTITY, file, "--json").json["problems"]
    assert problem["count"] == 9
    assert [example["line"] for example in problem["examples"]] == [1, 2, 3, 4, 5]


def test_a_trait_whose_field_is_wrong_is_not_called_unmapped(tmp_path: Path) -> None:
    """One mistake is told once."""
    file = event_file(tmp_path, {"type": "identify", "userId": "u", "traits": {"role": "x"}})
    ended = checked(tmp_path, furnished(), f"{IDENTITY}fields: {{persons: {{role: Rolle}}}}\n", file, "--json")
    assert [problem["code"] for problem in ended.json["problems"]] == ["config"]


def test_the_embedded_sandbox_needs_neither_key_nor_network(tmp_path: Path) -> None:
    """It has the fields that the config names, so the sample files can be looked at before there is an account."""
    config = written_config(tmp_path, f"{IDENTITY}fields: {{persons: {{role: Role}}}}\n")
    file = event_file(tmp_path, {"type": "identify", "userId": "u", "traits": {"role": "x"}})
    ended = pipedrive_cli("check", file, "-c", config, "--sandbox", "--json")
    assert (ended.json["version"], ended.json["ok"], ended.json["problems"]) == (1, True, [])
    assert (ended.json["events"]["read"], ended.json["events"]["by_kind"]) == (1, {"identify": 1})


def test_events_from_a_pipe_and_files_that_are_not_there(tmp_path: Path) -> None:
    """`-` is standard input; a missing file is a mistake."""
    config = written_config(tmp_path, IDENTITY)
    line = b'{"type": "identify", "userId": "u"}\n'
    assert "identify" in pipedrive_cli("check", "-", "-c", config, "--sandbox", stdin=line).out
    assert pipedrive_cli("check", "nowhere.ndjson", "-c", config, "--sandbox").code == 2


@pytest.mark.parametrize("terminal", [False, True])
def test_neither_events_nor_the_account_can_move_the_terminal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, terminal: bool
) -> None:
    """Names of traits, values, and what the company is called are shown as what they are."""
    hostile = "\x1b]0;owned\x07[bold]x"
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("TERM", "dumb")
    sandbox = furnished(company_name=hostile, user_name=hostile)
    events = [{"type": "identify", "userId": hostile, "traits": {hostile: 1, "age": hostile}}, {"type": hostile}]
    with served(sandbox) as url:
        config = written_config(tmp_path, f"{account(url)}{IDENTITY}fields: {{persons: {{age: Age}}}}\n")
        ended = pipedrive_cli("check", event_file(tmp_path, *events), "-c", config, terminal=terminal)
    assert "\x1b" not in ended.out + ended.err
    assert "[bold]x" in ended.out


def test_files_are_judged_as_a_replay_judges_them(tmp_path: Path) -> None:
    """A found file that cannot be read is exit code 1, one that is named 4; also with --quiet."""
    folder = tmp_path / "exports"
    folder.mkdir()
    (folder / "a.json").write_bytes(b"PK\x03\x04rest")
    event_file(folder, {"type": "identify", "messageId": "1", "userId": "u"}, "{broken", name="b.ndjson")
    config = written_config(tmp_path, f"{IDENTITY}state: {tmp_path / 'journal.sqlite'}\n")
    for source, code in ((folder, 1), (folder / "a.json", 4)):
        ended = pipedrive_cli("check", source, "-c", config, "--offline", "--json")
        assert (ended.code, ended.json["problems"][0]["code"]) == (code, "not_events")
        assert ended.json["problems"][0]["message"].startswith(f"{folder / 'a.json'}: a ZIP archive")
    named = pipedrive_cli("check", folder / "a.json", "-c", config, "--offline")
    assert named.code == 4
    assert "could not begin now" in named.out
    assert "a.json could not be read to the end" in " ".join(named.out.split()).replace("/ ", "/")
    shown = pipedrive_cli("check", folder, "-c", config, "--offline", "--quiet").out
    assert "1 file could not be read to the end" in " ".join(shown.split())
