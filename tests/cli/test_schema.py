"""The command `schema`."""

from __future__ import annotations

from .desk_for_commands import pipedrive_cli


def test_the_schema_is_json_on_stdout_and_knows_every_section() -> None:
    """An editor can be pointed at what the command prints."""
    ended = pipedrive_cli("schema")
    assert (ended.code, ended.err) == (0, "")
    assert {"pipedrive", "identity", "fields", "events", "delivery", "state"} <= set(str(ended.json).split("'"))
