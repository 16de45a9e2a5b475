"""A masked value is shown nowhere: not by a run, a preview or a check, nor in any file that they write."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.cli.desk_for_commands import pipedrive_cli

SECRET = "4711-0815-secret"
CONFIG = """\
identity: {user_id_field: User id, group_id_field: Group id}
fields:
  persons:
    tax_id: {field: Customer hash, mask: sha256}
    $.context.ip: {field: Address hash, mask: sha256}
    tier: {field: Tier, map: {a: b}, mask: sha256}
  leads:
    card: {field: Card hash, mask: sha256}
"""


def events() -> list[dict[str, Any]]:
    """Values that fit and values that do not, in events that are well-formed and in some that are not."""
    context = {"ip": SECRET}
    objects: list[Any] = [SECRET, {"no": SECRET}, [SECRET], [[SECRET]], {"value": SECRET}]
    made: list[dict[str, Any]] = [
        {"type": "identify", "userId": f"u{n}", "context": context, "traits": {"tax_id": each, "tier": each}}
        for n, each in enumerate(objects)
    ]
    made += [{"type": "track", "userId": "u1", "event": "Asked", "properties": {"card": each}} for each in objects]
    made += [
        {"type": "identify", "userId": "u8", "traits": [{"tax_id": SECRET}]},
        {"type": "identify", "userId": "u9", "context": {"traits": [SECRET]}},
        {"type": "track", "userId": "u1", "event": "Asked", "properties": SECRET},
    ]
    return [{"messageId": f"m{n}", "timestamp": "2026-03-01T12:00:00Z", **each} for n, each in enumerate(made)]


@pytest.mark.parametrize(
    "words",
    [
        ("replay", "--report", "r.json", "--report", "r.html", "--results", "out.ndjson", "--state", "j.sqlite"),
        ("replay", "--json", "-v"),
        ("replay", "--log-format", "json", "-v", "--metrics", "m.prom"),
        ("preview", "--format", "curl"),
        ("preview", "--format", "ndjson"),
        ("check", "--all", "--json"),
        ("check", "--all"),
        ("rehearse",),
    ],
    ids=" ".join,
)
def test_a_masked_value_is_shown_nowhere(
    words: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether it fits, is refused, or stands in an event that cannot be read."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "config.yaml").write_text(CONFIG)
    source = tmp_path / "events.ndjson"
    source.write_text("".join(json.dumps(event) + "\n" for event in events()))
    command, *options = words
    sandbox = () if command == "rehearse" else ("--sandbox",)
    ended = pipedrive_cli(command, source, *sandbox, *options)
    # `check` takes a field that not one value fits for a mistake of the config.
    assert ended.code in ({2} if command == "check" else {0, 1}), ended.err
    written = [file for file in tmp_path.rglob("*") if file.is_file() and file != source]
    assert SECRET not in ended.out + ended.err
    assert [file.name for file in written if SECRET.encode() in file.read_bytes()] == []
