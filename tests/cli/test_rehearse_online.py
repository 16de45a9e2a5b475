"""`rehearse --online`: the account is looked at, never written, and what is foretold is what a replay then does."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from pipedrive_cli.report.summary import Summary, from_json
from pipedrive_cli.sandbox import Sandbox, SandboxOptions

from .desk_for_commands import CANARY, Ended, account, event_file, pipedrive_cli, served, written_config

CONFIG = """\
identity: {user_id_field: Our id, group_id_field: Group id}
fields: {persons: {role: Role, level: Level}, leads: {source: Source}}
delivery: {leave_tokens: 0}
"""

# A busy machine delays requests on their way, and the account counts them where they arrive: some would be too many in
# two seconds, and be repeated. No rehearsal can foretell that.
UNLIMITED = "unlimited"


class Desk:
    """A served account, and a config for it."""

    def __init__(self, folder: Path, **options: Any) -> None:
        chosen: dict[str, Any] = {"plan": "ultimate", "seats": 5, "search_lag": 0.0, "api_token": CANARY, **options}
        self.folder = folder
        self.state = folder / "journal.sqlite"
        self.sandbox = Sandbox(SandboxOptions(**chosen))
        self.key = self.sandbox.add_field("persons", name="Our id")
        self.role = self.sandbox.add_field("persons", name="Role")
        self.level = self.sandbox.add_field("persons", name="Level", field_type="enum", options=("low", "high"))
        self.sandbox.add_field("organizations", name="Group id")
        self.source = self.sandbox.add_field("deals", name="Source", field_type="set", options=("ads", "fair"))
        self.url = ""

    def person(self, user: str | None, **values: Any) -> Any:
        custom = {} if user is None else {"custom_fields": {self.key: user, **values.pop("custom_fields", {})}}
        return self.sandbox.add_record("persons", {"name": f"Person {user}", **custom, **values})

    def config(self, more: str = "") -> Path:
        return written_config(self.folder, account(self.url) + CONFIG + more)

    def rehearse(self, *arguments: str | Path, **streams: Any) -> Ended:
        return pipedrive_cli(
            "rehearse", *arguments, "-c", self.config(), "--state", self.state, "--online", "--json", **streams
        )

    def replay(self, *arguments: str | Path) -> Summary:
        ended = pipedrive_cli("replay", *arguments, "-c", self.config(), "--state", self.state, "--json")
        return from_json(ended.out)

    def writes(self) -> list[str]:
        return [label for label in self.sandbox.calls if not label.startswith("GET ")]


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Callable[..., Desk]]:
    """Makes the one desk of a test, its account served."""
    with ExitStack() as stack:

        def made(**options: Any) -> Desk:
            new = Desk(tmp_path, **options)
            new.url = stack.enter_context(served(new.sandbox))
            return new

        yield made


def _identify(user: str, number: int, **traits: Any) -> dict[str, Any]:
    when = f"2024-01-01T{number // 3600:02d}:{number // 60 % 60:02d}:{number % 60:02d}Z"
    return {"type": "identify", "messageId": f"i{number}", "userId": user, "timestamp": when, "traits": traits}


def _lead(user: str, number: int, source: str) -> dict[str, Any]:
    event = {"type": "track", "event": "Signed Up", "messageId": f"t{number}", "userId": user}
    return {**event, "timestamp": "2024-01-02T00:00:00Z", "properties": {"source": source}}


def _same(foretold: Summary, real: Summary) -> None:
    assert foretold.events == real.events
    assert foretold.records == real.records
    assert foretold.tokens.spent == real.tokens.spent
    assert foretold.requests.by_endpoint == real.requests.by_endpoint


@pytest.mark.slow
def test_what_is_foretold_is_what_a_replay_does(desk: Callable[..., Desk], tmp_path: Path) -> None:
    """Creations, updates, what is unchanged, requests and tokens: the same, and looking writes and keeps nothing."""
    here = desk(plan=UNLIMITED)
    for number in range(600):
        here.person(f"u{number}", custom_fields={here.role: "dev"})
    made = [_identify(f"u{n}", n, role="dev" if n % 3 else "lead", level="high") for n in range(500, 700)]
    made += [_identify(f"u{n}", n, name=f"Person u{n}", role="dev") for n in range(200)]
    made += [_lead(f"u{n}", n, "fair") for n in range(0, 700, 40)]
    source = event_file(tmp_path, *made)
    before = here.sandbox.contents(ids=True, times=True)
    ended = here.rehearse(source)
    assert ended.code == 0, ended.err
    assert here.writes() == []
    assert here.sandbox.contents(ids=True, times=True) == before
    assert not here.state.exists()
    spent = here.sandbox.tokens_spent
    assert f"has cost {spent} API tokens" in ended.err
    foretold = from_json(ended.out)
    assert foretold.records.persons.created == 100
    assert foretold.records.persons.updated == 100
    _same(foretold, here.replay(source))


@pytest.mark.slow
def test_few_keys_of_a_large_account_are_looked_up(desk: Callable[..., Desk], tmp_path: Path) -> None:
    """The look lists no more than a run would, and the rehearsed run finds as many pages before it looks up."""
    here = desk(plan=UNLIMITED)
    for number in range(5_000):
        here.person(f"u{number}")
    source = event_file(tmp_path, *(_identify(f"u{n}", n, role="dev") for n in (5, 4_500, 4_999, 7_000)))
    foretold = from_json(here.rehearse(source).out)
    assert here.sandbox.calls["GET /api/v2/persons"] < 10
    assert (foretold.records.persons.updated, foretold.records.persons.created) == (3, 1)
    real = here.replay(source)
    _same(foretold, real)
    assert real.requests.by_endpoint["GET /api/v2/persons/search"] >= 1


@pytest.mark.slow
def test_the_journal_of_earlier_runs_counts(desk: Callable[..., Desk], tmp_path: Path) -> None:
    """Events handled before are duplicates, records made before are known, and the journal stays as it was."""
    here = desk(plan=UNLIMITED)
    for number in range(1_200):
        here.person(f"old{number}")
    first = [_identify(f"u{n}", n, role="dev") for n in range(3)] + [_lead("u1", 1, "ads")]
    here.replay(event_file(tmp_path, *first, name="first.ndjson"))
    kept = here.state.read_bytes()
    later = [*first, _identify("u1", 90, role="lead"), _identify("old1100", 91, role="dev"), _identify("new", 92)]
    source = event_file(tmp_path, *later, name="later.ndjson")
    foretold = from_json(here.rehearse(source).out)
    assert here.state.read_bytes() == kept
    assert foretold.events.duplicate == 4
    assert (foretold.records.persons.updated, foretold.records.persons.created) == (2, 1)
    _same(foretold, here.replay(source))


def test_standard_input_is_looked_at_and_rehearsed(desk: Callable[..., Desk], tmp_path: Path) -> None:
    """What comes through a pipe is there for the look and for the rehearsal."""
    here = desk()
    here.person("u1")
    source = event_file(tmp_path, _identify("u1", 1, role="dev"), _identify("u2", 2, role="dev"))
    ended = here.rehearse("-", stdin=source.read_bytes())
    foretold = from_json(ended.out)
    assert (foretold.records.persons.updated, foretold.records.persons.created) == (1, 1)


def test_the_look_keeps_to_what_it_may_cost(desk: Callable[..., Desk], tmp_path: Path) -> None:
    """--max-tokens ends the look with exit code 4 and its reason, and nothing is foretold from half of an account."""
    here = desk()
    for number in range(2_000):
        here.person(f"u{number}")
    source = event_file(tmp_path, *(_identify(f"u{n}", n, role="dev") for n in range(300)))
    ended = here.rehearse(source, "--max-tokens", "30")
    assert (ended.code, ended.json["reason"], ended.json["events"]["read"]) == (4, "max_tokens", 0)
    assert here.sandbox.tokens_spent <= 30
    assert "did not come to its end" in ended.err


def test_the_reserve_of_the_day_is_left_to_others(desk: Callable[..., Desk], tmp_path: Path) -> None:
    """delivery.leave_tokens holds for the look as it does for a run."""
    here = desk(daily_tokens=100)
    for number in range(4_000):
        here.person(f"u{number}")
    source = event_file(tmp_path, *(_identify(f"u{n}", n, role="dev") for n in range(300)))
    config = here.config().read_text().replace("leave_tokens: 0", "leave_tokens: 50")
    config_file = tmp_path / "leaves.yaml"
    config_file.write_text(config)
    ended = pipedrive_cli("rehearse", source, "-c", config_file, "--state", here.state, "--online")
    assert ended.code == 4
    assert here.sandbox.tokens_spent <= 50


def test_max_tokens_without_a_look_is_a_mistake(desk: Callable[..., Desk], tmp_path: Path) -> None:
    """Without --online nothing is spent, so there is nothing to bound."""
    here = desk()
    ended = pipedrive_cli("rehearse", event_file(tmp_path), "-c", here.config(), "--max-tokens", "5")
    assert ended.code == 2
    assert "--online" in ended.err


def test_the_text_says_what_looking_has_cost(desk: Callable[..., Desk], tmp_path: Path) -> None:
    """Whoever reads the text is told on stderr, and of the plan as Pipedrive tells it instead of a guess."""
    here = desk(daily_tokens=77_000)
    here.person("u1")
    source = event_file(tmp_path, _identify("u1", 1, role="dev"))
    ended = pipedrive_cli("rehearse", source, "-c", here.config(), "--state", here.state, "--online")
    assert "Looking at the account has cost 22 API tokens (3 requests, no writes)" in " ".join(ended.err.split())
    assert "77,000 API tokens a day" in " ".join(ended.out.split())
    assert "assumed" not in ended.out
