"""A realistic export, as web forms and a CRM team make it: with the settings that `check` proposes, nearly all fits."""

from __future__ import annotations

import asyncio
import json
import random
from pathlib import Path
from typing import Any

import msgspec
import pytest

from pipedrive_cli.config import Config, Values
from pipedrive_cli.config.model import Fields, Identity
from pipedrive_cli.events.source import resolve_sources
from pipedrive_cli.pipedrive.account import Account, Field, Option
from pipedrive_cli.run.sample import Sample, SampleFound

EVENTS = 1_000
ACCOUNT = Account(
    default_currency="EUR",
    currencies=frozenset({"EUR", "USD", "CHF"}),
    lead_labels=(),
    fields={
        "persons": (
            Field("a" * 40, "User id", "varchar"),
            Field("b" * 40, "Born", "date"),
            Field("c" * 40, "Points", "double"),
            Field("d" * 40, "Lifetime value", "monetary"),
            Field("e" * 40, "Newsletter", "enum", options=(Option(1, "Yes"), Option(2, "No"))),
            Field("f" * 40, "Tier", "enum", options=(Option(3, "Caf\u00e9"), Option(4, "Pro\u00a0plan"))),
            Field("1" * 40, "City", "varchar"),
        ),
        "organizations": (Field("2" * 40, "Group id", "varchar"), Field("3" * 40, "ARR", "monetary")),
        "leads": (),
        "products": (),
    },
)
CONFIG = Config(
    identity=Identity(user_id_field="User id", group_id_field="Group id"),
    fields=Fields(
        persons={
            "born": "Born", "score": "Points", "ltv": "Lifetime value", "newsletter": "Newsletter", "tier": "Tier",
            "city": "City",
        },
        organizations={"arr": "ARR"},
    ),
)  # fmt: skip


def export(chance: random.Random) -> tuple[list[dict[str, Any]], int]:
    """The events, and how many of them are wrong whatever the settings are."""
    events: list[dict[str, Any]] = []
    wrong = 0
    for number in range(EVENTS):
        user, day, month = f"u{number % 900}", chance.randint(1, 28), chance.randint(1, 12)
        amount = chance.choice(["1.200,50 €", "€ 980,00", "2.400,00", "350", 49.9, "n/a", "1.500 EUR"])
        seed: dict[str, Any] = {"messageId": f"m{number}", "userId": user, "timestamp": "2026-03-01T12:00:00Z"}
        kind = chance.random()
        if kind < 0.70:
            traits: dict[str, Any] = {
                "name": chance.choice([f"Person {number}", "null", "-", f"  Dr. Person {number}"]),
                "email": chance.choice([
                    f"p{number}@example.com", f"P {number} <p{number}@example.com>", f"mailto:p{number}@example.com",
                    f"p{number}@example.com\u200b", "n/a", "",
                ]),
                "phone": chance.choice(["+49 171 5550100", "0049 171 5550100", "0171/5550100", "-", None]),
                "born": chance.choice([f"{day}/{month}/1985", f"{day}.{month}.1990", "1990-12-24", "-", 19_901_224]),
                "score": chance.choice(["4,5", "12", 7, "1.250", "unbekannt", "3,75"]),
                "ltv": amount,
                "newsletter": chance.choice(["ja", "no", True, False, "Yes", "n/a"]),
                "tier": chance.choice(["Cafe\u0301", "Pro plan", "pro plan", None]),
                "city": chance.choice(["K\u00f6ln", "-", "N/A", "S\u00e3o Paulo"]),
            }  # fmt: skip
            if chance.random() < 0.02:
                wrong += 1
                traits["email"], traits["born"] = "two@example.com, three@example.com", "31/02/1990"
            events.append(seed | {"type": "identify", "traits": traits})
        elif kind < 0.85:
            traits = {"name": f"Company {number}", "arr": amount}
            events.append(seed | {"type": "group", "groupId": f"g{number % 80}", "traits": traits})
        elif kind < 0.99:
            events.append(seed | {"type": "track", "event": "Demo", "properties": {"value": amount}})
        else:
            wrong += 1
            events.append(seed | {"type": "identify", "userId": "undefined", "traits": {"name": "Somebody"}})
    return events, wrong


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, int]:
    """The export on disk, and how many of its events are wrong."""
    path = tmp_path_factory.mktemp("export") / "events.ndjson"
    events, wrong = export(random.Random(7))
    path.write_text("".join(json.dumps(event) + "\n" for event in events), encoding="utf-8")
    return path, wrong


def checked(file: Path, values: Values | None = None) -> SampleFound:
    """What `check` finds under these settings."""
    config = CONFIG if values is None else msgspec.structs.replace(CONFIG, values=values)
    return asyncio.run(Sample(config, resolve_sources([str(file)]), most=None).read(ACCOUNT))


@pytest.mark.slow
def test_the_settings_that_check_proposes_leave_only_what_is_wrong(file: tuple[Path, int]) -> None:
    """More than half is rejected without them, and at most three of a hundred with them: those that are wrong."""
    path, wrong = file
    before = checked(path)
    assert before.rejected > EVENTS / 2
    needed = before.reading
    assert needed is not None
    assert (needed.values.dates, needed.values.decimals, needed.values.currency) == ("day first", "comma", "EUR")
    assert "unbekannt" in needed.values.nothing
    assert not needed.either_order
    after = checked(path, needed.values)
    assert after.rejected == wrong <= 0.03 * EVENTS
    assert after.reading is None
    left = {group.code: group.count for group in after.problems if group.outcome == "rejected"}
    assert left.keys() == {"bad_value", "missing_user_id"}
    still = sum(group.count for group in after.problems if group.code == "bad_value")
    assert needed.fitting == pytest.approx(needed.misfits - still, rel=0.01)  # of very many events a part is tried


def test_a_proposal_says_what_it_changes_in_values_that_fit(tmp_path: Path) -> None:
    """1.250 is a number already, and another one with decimal commas."""
    scores = ["1.250", "2.500", "4,5", "4,75", "12,5"]
    path = tmp_path / "events.ndjson"
    path.write_text(
        "".join(
            json.dumps({"type": "identify", "messageId": f"m{n}", "userId": f"u{n}", "traits": {"score": score}}) + "\n"
            for n, score in enumerate(scores)
        )
    )
    needed = checked(path).reading
    assert needed is not None
    assert (needed.lines, needed.fitting, needed.misfits, needed.changed) == (("decimals: comma",), 3, 3, 2)


def test_dates_that_do_not_tell_their_order_are_told_as_such(tmp_path: Path) -> None:
    """03/04/2026 is read either way."""
    path = tmp_path / "events.ndjson"
    path.write_text('{"type": "identify", "messageId": "m", "userId": "u", "traits": {"born": "03/04/2026"}}\n')
    needed = checked(path).reading
    assert needed is not None
    assert needed.either_order


def test_the_currency_of_the_other_amounts_is_proposed(tmp_path: Path) -> None:
    """Not the account's, where the amounts that say theirs all say another one; and a short year is told as such."""
    path = tmp_path / "events.ndjson"
    arr = ["US$ 1,200", "USD 300", "800", "950"]
    events: list[dict[str, Any]] = [
        {"type": "group", "groupId": f"g{n}", "traits": {"arr": v}} for n, v in enumerate(arr)
    ]
    events.append({"type": "identify", "userId": "u1", "traits": {"name": "A", "born": "21.02.86"}})
    path.write_text("".join(json.dumps(event) + "\n" for event in events), encoding="utf-8")
    found = checked(path)
    assert found.reading is not None
    assert found.reading.lines == ("currency: USD",)
    (told,) = [each for group in found.problems for each in group.examples if each.value == "'21.02.86'"]
    assert told.message is not None
    assert "two digits may be of either century" in told.message
