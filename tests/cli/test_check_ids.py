"""`check` warns of a field for ids that is not the one: every person would be made a second time."""

from __future__ import annotations

from pathlib import Path

from pipedrive_cli.sandbox import Sandbox, SandboxOptions
from tests.cli.desk_for_commands import CANARY, Ended, pipedrive_cli, served
from tests.harness import identify, lines

CONFIG = "identity: {{user_id_field: {field}}}\npipedrive: {{base_url: '{url}', api_token: {key}}}\n"


def account(people: int) -> Sandbox:
    """An account in whose field Ids every person has one; Other is empty."""
    sandbox = Sandbox(SandboxOptions(api_token=CANARY, plan="unlimited"))
    key = sandbox.add_field("persons", name="Ids")
    sandbox.add_field("persons", name="Other")
    for number in range(people):
        sandbox.add_record("persons", {"name": f"P{number}", "custom_fields": {key: f"u{number}"}})
    return sandbox


def checked(folder: Path, sandbox: Sandbox, field: str, users: list[str]) -> Ended:
    events = folder / "events.ndjson"
    events.write_bytes(lines(identify(user, name="A") for user in users))
    with served(sandbox) as url:
        config = folder / "config.yaml"
        config.write_text(CONFIG.format(field=field, url=url, key=CANARY))
        return pipedrive_cli("check", events, "-c", config, "--json")


def told(ended: Ended) -> list[str]:
    return [problem["message"] for problem in ended.json["problems"] if problem["code"] == "id_field_unused"]


def test_a_field_in_which_no_person_has_an_id_is_told(tmp_path: Path) -> None:
    """It stops nobody: before the first backfill it is so."""
    ended = checked(tmp_path, account(7), "Other", ["u1", "u2"])
    assert ended.code == 0
    assert told(ended) == ["identity.user_id_field: none of the 7 persons has a value in Other"]


def test_a_field_with_ids_of_which_the_events_have_none_is_told(tmp_path: Path) -> None:
    """A column of another system, perhaps; a few new users are no reason."""
    others = [f"x-{number}" for number in range(20)]
    assert told(checked(tmp_path, account(7), "Ids", others)) == [
        "identity.user_id_field: 7 persons have an id in Ids, and none of the events has one of these"
    ]
    assert told(checked(tmp_path, account(7), "Ids", others[:2])) == []


def test_the_right_field_and_an_empty_account_are_in_order(tmp_path: Path) -> None:
    """One known id is enough."""
    users = ["u3", *(f"x-{number}" for number in range(20))]
    assert told(checked(tmp_path, account(7), "Ids", users)) == []
    assert told(checked(tmp_path, account(0), "Other", users)) == []
