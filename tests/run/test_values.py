"""Values as people write them, brought into an account: what arrives, and what is told of the rest."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from pipedrive_cli.config import Values
from pipedrive_cli.config.model import Fields
from pipedrive_cli.report.summary import Summary
from tests.harness import CONFIG, Scene, group, identify, ordered, outcomes, track, viewed

FIELDS: dict[str, tuple[str, tuple[str, ...]]] = {
    "Born": ("date", ()),
    "Lifetime value": ("monetary", ()),
    "Points": ("double", ()),
    "Tier": ("enum", ("Café", "Pro\u00a0plan", "São Paulo")),
}
MAPPED = {"role": "Role", "city": "City", "born": "Born", "ltv": "Lifetime value", "score": "Points", "tier": "Tier"}


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    """An account with fields of several types."""
    made = Scene(tmp_path)
    for name, (kind, labels) in FIELDS.items():
        made.sandbox.add_field("persons", name=name, field_type=kind, options=labels)
    made.sandbox.add_field("organizations", name="ARR", field_type="monetary")
    made.config = msgspec.structs.replace(
        CONFIG,
        fields=Fields(persons=MAPPED, organizations={"industry": "Branch", "arr": "ARR"}, products={"brand": "Brand"}),
    )
    return made


def reading(scene: Scene, **values: Any) -> None:
    """From here on the config reads texts so."""
    scene.config = msgspec.structs.replace(scene.config, values=Values(**values))


def persons(scene: Scene, *names: str) -> list[tuple[Any, ...]]:
    """Each person's name and the values of some custom fields, by name."""
    rows = scene.contents()["persons"]
    return sorted(((row["name"], *map(row["custom_fields"].get, names)) for row in rows), key=lambda row: str(row[0]))


def problems(summary: Summary) -> dict[str, int]:
    """How often each problem was met."""
    return {group.code: group.count for group in summary.problems}


@pytest.mark.parametrize("nobody", ["undefined", "null", "[object Object]", "{{userId}}", "0"])
def test_strangers_under_an_id_that_names_nobody_are_rejected(scene: Scene, nobody: str) -> None:
    """They do not become one person, and the report says what stood there."""
    summary = scene.run([identify(nobody, name=f"P{n}", email=f"p{n}@example.com") for n in range(2)])
    assert outcomes(summary) == {"rejected": 2}
    assert scene.contents()["persons"] == []
    (told,) = summary.problems
    assert (told.code, told.examples[0].value) == ("missing_user_id", repr(nobody))


def test_a_group_or_product_that_names_nothing_is_noticed(scene: Scene) -> None:
    """A product has its name then, and a group event without a group is rejected."""
    summary = scene.run([viewed("u1", "null", name="Bike"), group("u1", "None", name="Acme")])
    assert scene.names("products") == ["Bike"]
    assert scene.contents()["organizations"] == []
    assert outcomes(summary) == {"delivered": 1, "rejected": 1}
    assert {(told.code, told.count) for told in summary.problems} == {("placeholder_id", 1), ("missing_group_id", 1)}


def test_nobody_is_adopted_through_what_is_no_email(scene: Scene) -> None:
    """A person of the account whose email is N/A stays as it is."""
    scene.sandbox.add_record("persons", {"name": "Olle", "emails": [{"value": "N/A"}]})
    reading(scene, nothing=())
    summary = scene.run([identify("u1", name="Ada", email="n/a"), identify("u2", name="Bo", email=5)])
    assert scene.names("persons") == ["Ada", "Bo", "Olle"]
    assert outcomes(summary) == {"rejected": 2}
    assert problems(summary) == {"bad_value": 2}


def test_an_address_is_one_whatever_stands_around_it(scene: Scene) -> None:
    """Display names, mailto: and what cannot be seen neither make a second person nor a second address."""
    scene.sandbox.add_record("persons", {"name": "Ada by hand", "emails": [{"value": "ada@example.com"}]})
    written = ("ada@example.com\u200b", "\ufeffada@example.com", "Ada <ADA@example.com>", "mailto:ada@example.com")
    scene.run([identify("u1", email=email) for email in written])
    (ada,) = scene.contents()["persons"]
    assert [item["value"] for item in ada["emails"]] == ["ada@example.com"]


def test_a_number_is_added_once_however_it_is_spelled(scene: Scene) -> None:
    """It stays as it came first; an extension is another number; label and primary flag stay."""
    first = {"value": "+49 171 5550100", "label": "mobile", "primary": True}
    scene.run([identify("u1", name="Ada", phone=[first])])
    reading(scene, country="DE")
    spelled = ("0049 171 5550100", "tel:+49-171-5550100", "0171 / 5550100", "+49 171 5550100 ext. 7")
    scene.run([identify("u1", phone=phone) for phone in spelled])
    (ada,) = scene.contents()["persons"]
    assert [(p["value"], p["label"], p["primary"]) for p in ada["phones"]] == [
        ("+49 171 5550100", "mobile", True),
        ("+49 171 5550100 ext. 7", ada["phones"][1]["label"], False),
    ]


def test_texts_that_say_nothing_leave_what_is_there(scene: Scene) -> None:
    """They are counted by field, and overwrite neither a name nor a role."""
    scene.run([identify("u1", name="Ada", role="Head of Sales", phone="+49 171 5550100")])
    summary = scene.run([identify("u1", name="null", role=" n/a ", city="-", phone="N/A")])
    assert persons(scene, "Role", "City") == [("Ada", "Head of Sales", None)]
    assert outcomes(summary) == {"unchanged": 1}
    assert {told.examples[0].field for told in summary.problems} == {
        "traits.name",
        "traits.role",
        "traits.city",
        "traits.phone",
    }


def test_dates_numbers_and_amounts_are_read_as_the_config_says(scene: Scene) -> None:
    """The day first, a decimal comma, and the currency that a sign tells."""
    reading(scene, dates="day first", decimals="comma")
    scene.run([identify("u1", name="Ada", born="24/12/1990", score="4,5", ltv="1.200,50 €")])
    money = {"value": 1200.5, "currency": "EUR"}
    assert persons(scene, "Born", "Points", "Lifetime value") == [("Ada", "1990-12-24", 4.5, money)]


def test_without_those_settings_they_are_rejected_with_each_field(scene: Scene) -> None:
    """Nothing is guessed; each field of the event is named, and the rest is sent."""
    summary = scene.run([identify("u1", name="Ada", born="24/12/1990", score="4,5", ltv="1.200,50 €", role="CTO")])
    assert persons(scene, "Role", "Born", "Points", "Lifetime value") == [("Ada", "CTO", None, None, None)]
    assert {told.examples[0].field for told in summary.problems} == {"traits.born", "traits.score", "traits.ltv"}


def test_an_amount_without_a_currency_can_be_mended_in_every_kind(scene: Scene) -> None:
    """The event is rejected with it, and delivers it once the config has a currency."""
    events = [
        identify("u1", name="Ada", ltv=5),
        group("u1", "g1", name="Acme", arr=4300.0),
        viewed("u1", "bike", name="Bike", price=10),
        ordered("u1", [{"sku": "lamp", "name": "Lamp", "price": 7}]),
        track("u1", "Demo", value=9),
    ]
    summary = scene.run(events)
    assert outcomes(summary) == {"rejected": 5}
    assert problems(summary) == {"amount_without_currency": 1}  # of each field
    assert len(summary.problems) == 5
    assert "values.currency" in (summary.problems[0].hint or "")
    reading(scene, currency="EUR")
    assert outcomes(scene.run(events)) == {"delivered": 5}
    contents = scene.contents()
    assert persons(scene, "Lifetime value") == [("Ada", {"value": 5, "currency": "EUR"})]
    assert contents["organizations"][0]["custom_fields"]["ARR"] == {"value": 4300.0, "currency": "EUR"}
    assert sorted(row["prices"][0]["price"] for row in contents["products"]) == [7, 10]
    assert [row["value"] for row in contents["leads"]] == [{"amount": 9, "currency": "EUR"}]


def test_a_sign_that_is_not_the_currency_beside_it_is_refused(scene: Scene) -> None:
    """Dollars are never written as euros."""
    reading(scene, currency="EUR")
    both = {"value": "5 €", "currency": "USD"}
    summary = scene.run([identify("u1", name="Ada", ltv="$ 5"), identify("u2", name="Bo", ltv=both)])
    assert outcomes(summary) == {"rejected": 2}
    assert persons(scene, "Lifetime value") == [("Ada", None), ("Bo", None)]


@pytest.mark.parametrize(
    ("written", "born"),
    [
        (92_707_200_000, "1972-12-09"),
        (-69_552_000_000, "1967-10-19"),
        (92_707_200, "1972-12-09"),
        (639_100_800_000, "1990-04-03"),
        (20_260_301, "2026-03-01"),
        ("2026-03-01 12:00:00 UTC", "2026-03-01"),
        ("2026-W09-7", "2026-03-01"),
    ],
)
def test_a_number_or_text_is_the_day_that_it_names(scene: Scene, written: Any, born: str) -> None:
    """By the rules of the times of events; never another day."""
    scene.run([identify("u1", name="Ada", born=written, add_time=written)])
    assert persons(scene, "Born") == [("Ada", born)]
    assert scene.sandbox.contents(times=True)["persons"][0]["add_time"].startswith(born)


def test_a_time_that_was_never_set_says_nothing(scene: Scene) -> None:
    """As Go and .NET write it; it is counted."""
    summary = scene.run([identify("u1", name="Ada", born="0001-01-01T00:00:00Z", add_time="0001-01-01T00:00:00")])
    assert outcomes(summary) == {"delivered": 1}
    assert persons(scene, "Born") == [("Ada", None)]
    assert {told.code for told in summary.problems} == {"says_nothing"}


@pytest.mark.parametrize("tier", ["Cafe\u0301", "Pro plan", "Sa\u0303o  Paulo", "pro\u202fplan"])
def test_an_option_is_found_in_any_composition_and_with_any_space(scene: Scene, tier: str) -> None:
    """Labels are compared as people read them."""
    assert outcomes(scene.run([identify("u1", name="Ada", tier=tier)])) == {"delivered": 1}


def test_a_time_of_creation_that_comes_too_late_is_told_as_such(scene: Scene) -> None:
    """Mended in the rejects file it arrives no more: skipped and said, not unchanged, and the same again."""
    made = identify("u1", name="Ada", add_time="the day before yesterday")
    summary = scene.run([made])
    assert outcomes(summary) == {"rejected": 1}
    assert "not later" in (summary.problems[0].examples[0].message or "")
    mended = made | {"traits": {"name": "Ada", "add_time": "2020-05-05"}}
    mended["_pipedrive_cli"] = {"identity": made["messageId"], "code": "bad_value", "field": "traits.add_time"}
    for _ in range(2):
        summary = scene.run([mended])
        assert outcomes(summary) == {"skipped": 1}
        assert [told.code for told in summary.problems] == ["too_late"]
    # Whatever else has been mended arrives.
    mended["traits"]["role"] = "CTO"
    summary = scene.run([mended])
    assert outcomes(summary) == {"delivered": 1}
    assert [told.code for told in summary.problems] == ["too_late"]


def test_values_that_others_had_written_are_counted_by_field_when_they_go(scene: Scene) -> None:
    """Not what is filled in, nor what this tool wrote itself, nor blanks that nobody sees."""
    key = scene.key("persons", "Role")
    ada = scene.sandbox.add_record(
        "persons", {"name": "Ada by hand", "emails": [{"value": "ada@example.com"}], "custom_fields": {key: "Boss"}}
    )
    summary = scene.run([identify("u1", 1, name="Ada", email="ada@example.com", role="CEO", city="Oslo")])
    told = {
        group.examples[0].field: group.examples[0].value for group in summary.problems if group.code == "overwritten"
    }
    assert told == {"Name": "'Ada by hand'", "Role": "'Boss'"}
    assert outcomes(summary) == {"delivered": 1}
    assert problems(scene.run([identify("u1", 2, role="CTO")])) == {}
    scene.sandbox.set_value("persons", ada, key, "Head of Sales")
    assert problems(scene.run([identify("u1", 3, role="Adviser")], reread=True)).keys() <= {"overwritten"}
    scene.sandbox.set_value("persons", ada, key, "Adviser\u00a0 of all\u200b")
    summary = scene.run([identify("u1", 4, role="Adviser of all")], reread=True)
    assert (outcomes(summary), problems(summary)) == ({"delivered": 1}, {})


def test_words_for_nothing_in_a_field_of_another_type_are_told_with_the_setting(scene: Scene) -> None:
    """They are not sent, and the reject says where such texts are listed; in a field of text they may be a name."""
    words = ["k.A.", "Keine  Angabe", "unknown", "n\u00e3o informado"]
    summary = scene.run([identify(f"u{n}", n, name=word, born=word) for n, word in enumerate(words)])
    assert outcomes(summary) == {"rejected": 4}
    (group,) = summary.problems
    assert all("add them to values.nothing" in (each.message or "") for each in group.examples)
    assert sorted(row["name"] for row in scene.contents()["persons"]) == sorted(words)


def test_values_that_do_not_fit_are_told_with_counts_and_the_line_that_would_mend_them(scene: Scene) -> None:
    """As `check` tells them. A value of one user alone is no more than an example: it may be a secret."""
    events = [identify(f"u{n}", name=f"P{n}", tier="Fair", score="4,5") for n in range(3)]
    summary = scene.run([*events, identify("u9", 5, name="P9", tier="secret"), identify("u9", 6, tier="secret")])
    told = {group.message.rpartition(" ")[2]: group.hint or "" for group in summary.problems}
    assert "'Fair' × 3." in told["traits.tier"]
    assert "`tier: {field: Tier, map: {Fair: OPTION}}`" in told["traits.tier"]
    assert "secret" not in told["traits.tier"]
    assert "'4,5' × 3." in told["traits.score"] and "`values.decimals: comma`" in told["traits.score"]
