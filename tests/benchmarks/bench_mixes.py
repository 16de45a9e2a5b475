"""What other workloads and accounts cost, beside the least that they could: `python tests/benchmarks/bench_mixes.py
[NAME...]`. Minutes. Accounts answer at ten requests a second, so that runs last hours of their own time.
"""

from __future__ import annotations

import random
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from measuring import COMMAND, Account, config, event_file, ran, served, told, written
from token_floor import ASKING, LISTING, READ, WRITE, Books
from workload import Mix, events

from pipedrive_cli.report.summary import Summary
from pipedrive_cli.sandbox.clock import LoopClock

Event = dict[str, Any]
SHOP = Mix(20_000, 1_000)
PAGE, SEARCH, ME = 10, 20, 2
FIELDS = 10  # one list of fields


def _account() -> Account:
    return Account(plan="lite", seats=10_000, latency=0.15, search_lag=3.0)


def _mix(folder: Path, name: str, made: Iterable[Event], window: int = 100_000) -> None:
    made = list(made)
    least = Books().floor(made, window).tokens
    summary = _account().replay(event_file(folder / "mix.ndjson", made), config(lookahead=window))
    _told(f"{name}, windows of {window:,}", summary, least)


def _told(what: str, summary: Summary, least: int, most: float = 1.05) -> None:
    share = summary.tokens.spent / least
    told(what, f"{summary.tokens.spent:,} tokens, {share:.3f} of the floor", f"{most}", share <= most)


def mixes(folder: Path) -> None:
    """Shares other than the usual ones, in one window and in several."""
    made = {
        "the usual mix": SHOP,
        "a tenth of aliases": replace(SHOP, users=5_000, aliases=0.1),
        "four fifths of leads": replace(SHOP, leads=0.8, aliases=0.0),
        "a firm for every ten of many users": replace(SHOP, users=15_000, leads=0.05),
    }
    for name, mix in made.items():
        for window in (100_000, 4_000):
            _mix(folder, name, events(mix), window)


def shuffled(folder: Path) -> None:
    """The events of a file in any order."""
    made = list(events(replace(SHOP, aliases=0.0)))
    random.Random(3).shuffle(made)
    for window in (100_000, 4_000):
        _mix(folder, "a shuffled file", made, window)


def late(folder: Path) -> None:
    """The later half of the events first, the earlier one in a second run; then all of them again, reversed."""
    made = list(events(replace(SHOP, aliases=0.0)))
    account, books, state = _account(), Books(), folder / "late.sqlite"
    for name, part, asking in (
        ("the later half first", made[10_000:], ASKING + LISTING),
        ("the earlier half after it", made[:10_000], ME + 3 * PAGE),
        ("all of it again, reversed", made[::-1], ME),
    ):
        least = books.floor([] if asking == ME else part, 100_000).writes + asking
        _told(name, account.replay(event_file(folder / "late.ndjson", part), config(), state), least)


def currencies(folder: Path) -> None:
    """Orders in three currencies: a product is written once for each currency that is new to it."""
    chance, made = random.Random(1), []
    for number in range(5_000):
        items = [_item(code) for code in chance.sample(range(300), 3)]
        properties = {"currency": chance.choice(["EUR", "USD", "GBP"]), "products": items}
        made.append(_event(number, type="track", event="Order Completed", properties=properties))
    for window in (100_000, 1_000):
        least = Books().floor(made, window).writes + ME + FIELDS + 2 * PAGE + PAGE
        summary = _account().replay(event_file(folder / "orders.ndjson", made), config(lookahead=window))
        _told(f"orders in three currencies, windows of {window:,}", summary, least)


def foreign(folder: Path) -> None:
    """Persons that the account knows by their email alone: half of 10,000, of 200, and of 20 events in 50,000."""
    for number in (10_000, 200, 20):
        account = _account()
        for user in range(50_000):
            account.sandbox.add_record("persons", {"name": f"P {user}", "emails": [{"value": _email(user)}]})
        made = [_identify(50_000 // number * n if n % 2 else 100_000 + n, 1) for n in range(number)]
        looks = min(100 * PAGE, number * 2 * SEARCH + number // 2 * READ)
        summary = account.replay(event_file(folder / "foreign.ndjson", made), config())
        least = number * WRITE + looks + ME + FIELDS
        # Nobody knows beforehand how large the account is: looking may cost twice as much.
        most = max(1.05, (least + 1.05 * looks) / least)
        _told(f"{number:,} emails in an account of 50,000", summary, least, most)


def known_slowly(folder: Path) -> None:
    """10,000 persons with emails, of whom a fifth changed: the run lasts longer than a listing stays young."""
    account = _account()
    key, role, plan = (account.keys[name] for name in ("User id", "Role", "Plan"))
    for user in range(10_000):
        custom = {key: f"user-{user}", role: "dev", plan: "free"}
        body = {"name": f"Person {user}", "emails": [{"value": _email(user)}], "custom_fields": custom}
        account.sandbox.add_record("persons", body)
    made = [_identify(user, 2, role="lead" if user % 5 == 0 else "dev") for user in range(10_000)]
    summary = account.replay(event_file(folder / "known.ndjson", made), config())
    _told("10,000 known persons, a fifth changed", summary, 2_000 * WRITE + 20 * PAGE + ME + FIELDS)


def hourly(folder: Path) -> None:
    """A backfill of 10,000 persons, then every hour a hundred that change and three new ones."""
    account, state = _account(), folder / "hourly.sqlite"
    account.replay(event_file(folder / "h.ndjson", [_identify(n, 1) for n in range(10_000)]), config(), state)
    for hour in range(1, 5):
        _pass(account, 3_600)
        changed = random.Random(hour).sample(range(10_000), 100)
        made = [_identify(user, 1 + hour, role=f"role {hour}") for user in changed]
        made += [_identify(20_000 + 3 * hour + n, 1 + hour) for n in range(3)]
        looks = 3 * 2 * SEARCH if hour <= 2 else PAGE
        least = 103 * WRITE + looks + ME
        # The backfill's own writes count as changed since its listing: looking up is the better choice at first.
        most = (least + looks) / least if hour <= 2 else 1.05
        _told(
            f"hour {hour} after a backfill",
            account.replay(event_file(folder / "h.ndjson", made), config(), state),
            least,
            most,
        )


def meddled(folder: Path) -> None:
    """Between two runs a tenth of the persons are deleted, or merged into others, by people."""
    for what in ("deleted", "merged away"):
        account, state = _account(), folder / f"{what}.sqlite"
        account.replay(event_file(folder / "m.ndjson", [_identify(n, 1) for n in range(2_000)]), config(), state)
        ids = {row["custom_fields"]["User id"]: row["id"] for row in account.sandbox.contents(ids=True)["persons"]}
        store = account.sandbox.account
        for user in range(0, 2_000, 10):
            if what == "deleted":
                account.sandbox.delete_record("persons", ids[f"user-{user}"])
            else:
                gone, stays = (store.stores["persons"].records[ids[f"user-{user + n}"]] for n in (0, 1))
                store.merge("persons", gone, stays)
        _pass(account, 3_600)
        made = [_identify(n, 2, role="lead") for n in range(2_000)]
        # That a record is gone shows when it is written; then it is looked for, and made anew.
        least = 2_200 * WRITE + ME + 4 * PAGE
        summary = account.replay(event_file(folder / "m.ndjson", made), config(), state)
        _told(f"a tenth {what} between two runs", summary, least)


def named(folder: Path) -> None:
    """5,000 persons whom events name by Pipedrive's id."""
    account = _account()
    for user in range(10_000):
        account.sandbox.add_record("persons", {"name": f"Person {user}"})
    made = []
    for user in range(0, 10_000, 2):
        external = [{"type": "pipedrivePersonId", "id": str(user + 1)}]
        made.append(_identify(user, 1) | {"context": {"externalId": external}})
    summary = account.replay(event_file(folder / "named.ndjson", made), config())
    # Emails are added to a list that is replaced whole: it is read again, a hundred persons a page.
    least = 5_000 * WRITE + 50 * PAGE + 20 * PAGE + ME + FIELDS
    _told("5,000 persons named by Pipedrive's id", summary, least)


def foretold(folder: Path) -> None:
    """A rehearsal of 100,000 events beside the replay of them into a served account."""
    source = event_file(folder / "big.ndjson", events(Mix(100_000, 5_000)))
    offline = written(folder / "offline.yaml", "http://127.0.0.1")
    rehearsed = ran(*COMMAND, "rehearse", source, "-c", offline, "--json", "--quiet")
    with served(folder, "--plan", "unlimited") as url:
        config_file = written(folder / "served.yaml", url)
        replayed = ran(
            *COMMAND, "replay", source, "-c", config_file, "--state", folder / "f.sqlite", "--json", "--quiet"
        )
    said, was = (each.json["tokens"]["spent"] for each in (rehearsed, replayed))
    off = abs(said - was) / was
    told("tokens of a rehearsal to those of the replay", f"{said:,} to {was:,}, {off:.2%} off", "2 %", off <= 0.02)


def _email(user: int) -> str:
    return f"user{user}@shop.example"


def _item(code: int) -> Event:
    return {"product_id": f"item-{code}", "name": f"Item {code}", "price": code + 0.5}


def _event(number: int, **more: Any) -> Event:
    when = f"2025-01-01T{number // 3600:02d}:{number // 60 % 60:02d}:{number % 60:02d}Z"
    return {"messageId": f"o{number}", "userId": f"user-{number % 100}", "timestamp": when, **more}


def _identify(user: int, day: int, role: str = "dev") -> Event:
    traits = {"name": f"Person {user}", "email": _email(user), "role": role, "plan": "free"}
    event = {"type": "identify", "messageId": f"{user}/{day}", "userId": f"user-{user}", "traits": traits}
    return {**event, "timestamp": f"2025-01-{day:02d}T00:00:00Z"}


def _pass(account: Account, seconds: float) -> None:
    """Time goes by between two runs, on this machine too: lists go by the earlier of both clocks."""
    clock = account.sandbox.clock
    assert isinstance(clock, LoopClock)
    clock._start += timedelta(seconds=seconds)
    time.time = lambda: clock.now().timestamp()


MEASURES: tuple[Callable[[Path], None], ...] = (
    mixes,
    shuffled,
    late,
    currencies,
    foreign,
    known_slowly,
    hourly,
    meddled,
    named,
    foretold,
)

if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as name:
        for measure in (m for m in MEASURES if m.__name__ in sys.argv[1:] or not sys.argv[1:]):
            measure(Path(name))
