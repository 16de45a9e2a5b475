"""`--redact` and `report.redact`: no screen, page, log or object that a command writes shows a person."""

from __future__ import annotations

from pathlib import Path

import pytest

from .desk_for_commands import event_file, pipedrive_cli, written_config

CONFIG = (
    "pipedrive: {company_domain: acme}\nidentity: {user_id_field: Our id}\nfields: {persons: {age: Age, role: Role}}\n"
)
EVENTS = [
    {"type": "identify", "messageId": "m-anneliese", "userId": "u-anneliese", "timestamp": "anneliese",
     "traits": {"name": "Anneliese", "role": ["anneliese", {}], "visible_to": "anneliese", "email": [{"value": {}}]}},
    {"type": "alias", "messageId": "m2-anneliese", "userId": "u-anneliese", "previousId": "nobody-anneliese"},
    {"type": "track", "messageId": "m3-anneliese", "userId": "u-anneliese", "properties": "anneliese", "event": "E"},
    {"type": "anneliese", "messageId": "m4-anneliese", "userId": "u-anneliese"},
    '{"type": "identify", "userId": "u-anneliese"',
]  # fmt: skip


@pytest.mark.parametrize("by", ["option", pytest.param("config", marks=pytest.mark.slow)])
@pytest.mark.parametrize(
    "command",
    [
        "replay --sandbox", "replay --sandbox --verbose", "replay --sandbox --json",
        "replay --sandbox --log-format json",
        "rehearse", "check --sandbox", "check --sandbox --json --verbose", "preview", "preview --summary",
        "preview --json", "preview --format ndjson", "preview --format curl", "replay --sandbox --dry-run",
    ],
)  # fmt: skip
def test_nobody_is_shown(tmp_path: Path, command: str, by: str) -> None:
    """On stdout and stderr, with what went wrong and what would be sent; without the option she is there."""
    config = written_config(tmp_path, CONFIG + ("report: {redact: true}\n" if by == "config" else ""))
    name, *more = command.split()
    arguments: list[str | Path] = [name, event_file(tmp_path, *EVENTS), "-c", config, *more]
    told = pipedrive_cli(*arguments, *(["--redact"] if by == "option" else []))
    assert told.code in (0, 1), told.err
    assert "anneliese" not in (told.out + told.err).lower()
    if by == "option":
        plain = pipedrive_cli(*arguments)
        assert "anneliese" in (plain.out + plain.err).lower()


def test_reports_and_past_runs_show_nobody(tmp_path: Path) -> None:
    """The page, the JSON file, and `runs show` in every form; one person has one hash in both files."""
    config, state = written_config(tmp_path, CONFIG), tmp_path / "journal.sqlite"
    page, as_json = tmp_path / "run.html", tmp_path / "run.json"
    events = event_file(tmp_path, *EVENTS)
    asked: list[str | Path] = ["replay", events, "-c", config, "--sandbox", "--state", state, "--redact"]
    asked += ["--user", "u-anneliese"]
    assert pipedrive_cli(*asked, "--report", page, "--report", as_json).code == 1
    for text in (page.read_text(), as_json.read_text()):
        assert "anneliese" not in text.lower()
    for form in ([], ["--json"], ["--records"], ["--html", str(page)], ["--verbose"], ["--records", "--json"]):
        told = pipedrive_cli("runs", "show", "--state", state, "--redact", *form)
        assert told.code == 0, told.err
        assert "anneliese" not in (told.out + told.err + page.read_text()).lower()
