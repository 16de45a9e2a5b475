"""The command `rehearse`: what a replay would come to, told as text and as the summary's JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pipedrive_cli.report.summary import from_json

from .desk_for_commands import event_file, pipedrive_cli, written_config

CONFIG = "identity: {user_id_field: Our id, group_id_field: Group id}\nfields: {persons: {role: Role}}\n"


@pytest.fixture
def config(tmp_path: Path) -> Iterator[Path]:
    """A config without any account."""
    yield written_config(tmp_path, CONFIG)


def _lead(number: int) -> dict[str, Any]:
    when = f"2024-01-01T00:{number // 60:02d}:{number % 60:02d}Z"
    user = f"u{number}"
    return {"type": "track", "event": "Signed Up", "messageId": f"m{number}", "userId": user, "timestamp": when}


def test_the_json_is_a_summary_with_the_time_foretold(config: Path, tmp_path: Path) -> None:
    """One JSON object on stdout with the keys of a run's summary; a growing number of leads takes more virtual time."""
    source = event_file(tmp_path, *(_lead(number) for number in range(50)))
    ended = pipedrive_cli("rehearse", source, "-c", config, "--json")
    assert ended.code == 0
    summary = from_json(ended.out)
    assert summary.version == 1
    assert summary.records.leads.created == 50
    assert summary.records.persons.created == 50
    assert summary.seconds > 9  # a hundred writes at ten a second
    assert set(ended.json) == set(json.loads(pipedrive_cli("replay", source, "-c", config, "--sandbox", "--json").out))


def test_progress_has_no_requests_per_second(config: Path, tmp_path: Path) -> None:
    """They go by at hundreds a second of real time, which would stand beside a limit that holds in virtual time."""
    shown = pipedrive_cli("rehearse", event_file(tmp_path, _lead(1)), "-c", config, terminal=True).err
    assert " sent · " in shown
    assert "/s" not in shown


def test_the_text_says_days_and_tokens_per_day(config: Path, tmp_path: Path) -> None:
    """Where the day's budget does not last, the days and what each of them costs are told."""
    written_config(tmp_path, CONFIG + "delivery: {daily_tokens: 300}\n")
    source = event_file(tmp_path, *(_lead(number) for number in range(40)))
    ended = pipedrive_cli("rehearse", source, "-c", config)
    assert ended.code == 0
    told = " ".join(ended.out.split())
    assert "Would be finished after 2 d" in told
    assert "300 API tokens a day" in told
    assert "It knew nothing of what your account holds" in told
    assert "3 days" in told


def test_plans_can_be_compared(config: Path, tmp_path: Path) -> None:
    """A bigger plan takes less time and costs the same; a plan that does not exist is a usage error."""
    source = event_file(tmp_path, *(_lead(number) for number in range(60)))
    small, big = (
        from_json(pipedrive_cli("rehearse", source, "-c", config, "--json", "--plan", plan, "--seats", "2").out)
        for plan in ("lite", "ultimate")
    )
    assert big.seconds < small.seconds
    assert big.tokens.spent == small.tokens.spent
    wrong = pipedrive_cli("rehearse", source, "-c", config, "--plan", "gold")
    assert (wrong.code, wrong.out) == (2, "")
    assert "growth" in wrong.err


def test_a_guess_at_the_seats_is_called_one(config: Path, tmp_path: Path) -> None:
    """Without seats in the config one is assumed, and the text says so; with --seats it does not."""
    source = event_file(tmp_path, _lead(1))
    assert "assumed" in pipedrive_cli("rehearse", source, "-c", config).out
    assert "assumed" not in pipedrive_cli("rehearse", source, "-c", config, "--seats", "3").out


def test_what_would_be_rejected_is_told_before_it_happens(config: Path, tmp_path: Path) -> None:
    """Exit code 1, the problem in the report, and the event in the rejects file, as a run would have it."""
    rejects = tmp_path / "rejects.ndjson"
    source = event_file(tmp_path, _lead(1), {"type": "identify", "messageId": "m"})
    ended = pipedrive_cli("rehearse", source, "-c", config, "--rejects", rejects)
    assert ended.code == 1
    assert "missing_user_id" in ended.out
    assert len(rejects.read_text().splitlines()) == 1


def test_the_page_says_that_it_is_foretold_and_what_it_means_on_the_plan(config: Path, tmp_path: Path) -> None:
    """With the sentences that the terminal has, and the plan's limit in the picture."""
    page = tmp_path / "run.html"
    source = event_file(tmp_path, *(_lead(number) for number in range(40)))
    pipedrive_cli("rehearse", source, "-c", config, "--plan", "growth", "--seats", "2", "--report", page)
    shown = page.read_text(encoding="utf-8")
    for told in ("Foretold by a rehearsal", "On the plan growth with 2 seats", "the limit: 40<"):
        assert told in shown


def test_nothing_is_left_behind(config: Path, tmp_path: Path) -> None:
    """The journal of a rehearsal is in memory: the same again has the same result."""
    source = event_file(tmp_path, _lead(1), _lead(2))
    before = sorted(path.name for path in tmp_path.iterdir())
    first, again = (from_json(pipedrive_cli("rehearse", source, "-c", config, "--json").out) for _ in range(2))
    assert first.events == again.events
    assert sorted(path.name for path in tmp_path.iterdir()) == before


@pytest.mark.parametrize("command", [("rehearse",), ("replay", "--sandbox")])
def test_the_journal_of_the_config_is_the_accounts(command: tuple[str, ...], tmp_path: Path) -> None:
    """What happened in a sandbox never passes for what Pipedrive holds, nor is another company's journal refused."""
    config = written_config(tmp_path, f"{CONFIG}state: acme.sqlite\n")
    source = event_file(tmp_path, _lead(1))
    for _ in range(2):
        ended = pipedrive_cli(*command, source, "-c", config, "--json")
        assert (ended.code, ended.json["events"]["delivered"]) == (0, 1), ended.err
    seen = pipedrive_cli("preview", source, "-c", config, "--sandbox", "--json").json["events"]
    assert (seen["delivered"], seen["duplicate"]) == (1, 0)
    assert not [path for path in tmp_path.iterdir() if path.name.startswith("acme")]


def test_what_the_config_names_of_an_account_is_there(tmp_path: Path) -> None:
    """Labels, owner and currencies: nobody can know them without the account, so they are taken to be right."""
    leads = "{owner_id: 77, label_ids: [Customer, 5D1F0000-0000-4000-8000-000000000001], default_currency: NOK}"
    config = written_config(tmp_path, f"{CONFIG}leads: {leads}\n")
    priced = {"product_id": "p", "name": "P", "price": 3, "currency": "PLN"}
    viewed = _lead(2) | {"event": "Product Viewed", "properties": priced}
    source = event_file(tmp_path, _lead(1) | {"properties": {"value": 5}}, viewed)
    for command in (("rehearse",), ("replay", "--sandbox")):
        ended = pipedrive_cli(*command, source, "-c", config, "--json")
        assert (ended.code, ended.json["problems"]) == (0, []), ended.err
        assert ended.json["records"]["leads"]["created"] == ended.json["records"]["products"]["created"] == 1
