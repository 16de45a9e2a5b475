"""What identify says of a person."""

from __future__ import annotations

from typing import Any

import pytest

from pipedrive_cli.config.model import Fields
from pipedrive_cli.model import Change, Contact, EventText, Outcome, Rank, RecordName

from .transform_scenes import ACCOUNT, NOON, at, codes, compiled, event, refused, run


def person(**more: Any) -> Change:
    """The one change of an identify with these traits."""
    (change,) = run(event("identify", traits=more)).changes
    return change


def test_an_identify_is_a_person_change_of_the_user() -> None:
    """The record key is the user id, and the event's own word counts fully."""
    change = person(name="Ada")
    assert (change.record, change.rank, change.may_create) == (RecordName("persons", "u1"), Rank.OWN, True)
    assert change.fields == {"name": "Ada"}


@pytest.mark.parametrize(
    ("traits", "expected"),
    [
        ({"name": "  Ada Lovelace "}, {"name": "Ada Lovelace"}),
        ({"firstName": "Ada", "lastName": "L."}, {"first_name": "Ada", "last_name": "L."}),
        ({"firstname": "Ada", "lastname": "L."}, {"first_name": "Ada", "last_name": "L."}),
        ({"first_name": "Ada", "last_name": "L."}, {"first_name": "Ada", "last_name": "L."}),
        ({"firstName": " ", "first_name": "Ada"}, {"first_name": "Ada"}),
        ({"name": "Ada", "firstName": "A"}, {"name": "Ada", "first_name": "A"}),
        ({"name": 7}, {"name": "7"}),
        ({"name": ""}, {}),
        ({"name": "\u200b\ufeff", "firstName": " \u2060"}, {}),
        ({"name": None}, {}),
    ],
)
def test_names_have_three_inputs_in_every_spelling(traits: dict[str, Any], expected: dict[str, Any]) -> None:
    """Full, first and last name are kept apart, trimmed, and say nothing when they are blank or null."""
    assert person(**traits).fields == expected


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (" a@x.io ", [Contact("a@x.io")]),
        (["a@x.io", "b@x.io"], [Contact("a@x.io"), Contact("b@x.io")]),
        (["a@x.io", " A@X.IO"], [Contact("a@x.io")]),
        ({"value": "a@x.io", "label": "home"}, [Contact("a@x.io", "home")]),
        ([{"value": "a@x.io", "primary": True}, {"value": ""}], [Contact("a@x.io", None, True)]),
        ([{"value": "a@x.io", "label": " ", "primary": None}], [Contact("a@x.io")]),
        ([], []),
        ("", []),
        ("\u200b", []),
        ("n/a\u200b", []),
        (None, []),
    ],
)
def test_emails_come_in_every_form(given: Any, expected: list[Contact]) -> None:
    """Text, a list, one object or Pipedrive's own list give the same contacts, each once."""
    assert list(person(email=given).emails) == expected


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("+1 555", [Contact("+1 555")]),
        (1555, [Contact("1555")]),
        (["+1 555", "+1-555", "ext 9"], [Contact("+1 555"), Contact("ext 9")]),
    ],
)
def test_phones_are_one_when_digits_and_plus_agree(given: Any, expected: list[Contact]) -> None:
    """Equal phones are kept once, in the form of the first."""
    assert list(person(phone=given).phones) == expected


@pytest.mark.parametrize("bad", [True, {"value": {}, "label": "x", "primary": "?"}, ["x" * 256], {"value": [1]}])
def test_a_bad_contact_is_named_and_the_rest_is_kept(bad: Any) -> None:
    """An email that is none rejects the event with that field; the name is still written."""
    result = run(event("identify", traits={"name": "Ada", "email": [bad, "a@x.io"]}))
    (change,) = result.changes
    if bad == {"value": {}, "label": "x", "primary": "?"}:
        assert codes(result) == []  # an object without a value says nothing
    else:
        assert refused(result) == ["traits.email[0]"]
    assert (change.fields, change.emails) == ({"name": "Ada"}, (Contact("a@x.io"),))


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("2020-01-02T03:04:05.678+02:00", "2020-01-02T01:04:05Z"),
        ("2020-01-02", "2020-01-02T00:00:00Z"),
        (1_577_934_245, "2020-01-02T03:04:05Z"),
        (1_577_934_245_678, "2020-01-02T03:04:05Z"),
        (None, None),
        ("", None),
    ],
)
def test_add_time_is_the_trait_else_left_to_the_events_time(given: Any, expected: str | None) -> None:
    """add_time goes along with a creation alone, as whole-second UTC."""
    change = person(add_time=given)
    assert change.on_creation == ({} if expected is None else {"add_time": expected})
    assert "add_time" not in change.fields


def test_an_add_time_that_is_no_time_rejects_the_field_and_the_events_time_stands_in() -> None:
    """The rest of the event is written, and a new person is not dated today."""
    result = run(event("identify", traits={"name": "Ada", "add_time": "soon"}))
    assert refused(result) == ["traits.add_time"]
    assert (result.changes[0].on_creation, result.changes[0].time) == ({}, NOON)


def test_an_event_without_any_time_sets_no_add_time() -> None:
    """Nothing is invented."""
    (change,) = run(event("identify", time=None, traits={"name": "Ada"})).changes
    assert (change.time, change.on_creation) == (None, {})


def test_mapped_traits_go_to_their_fields_converted() -> None:
    """Dots go down, labels become option ids, text becomes numbers, money takes the event's currency."""
    change = person(
        role="dev", plan="pro", address={"city": "Oslo", "street": "x"}, age="12.5", budget="100", currency="eur"
    )
    assert change.fields == {
        at(2): "dev",
        at(3): 32,
        at(4): "Oslo",
        at(5): 12.5,
        at(6): {"value": 100, "currency": "EUR"},
    }


def test_traits_of_other_names_may_be_names_and_phone_numbers() -> None:
    """A line says so: its name comes before the trait's own, its numbers join those of the trait `phone`."""
    lines = {"Vorname": "first_name", "kontakt.tel": "phone", "$.context.handy": "phone", "Mobil": "phone"}
    traits = {"firstName": "A", "Vorname": "Ada", "phone": "+1 555 0100", "kontakt": {"tel": "+49 30 12345"}}
    text = EventText(b'{"context": {"handy": ["0171 555", "+15550100"]}}')
    given = event("identify", traits={**traits, "Mobil": "keine"}, text=text)
    result = run(given, fields=Fields(persons=lines))
    (change,) = result.changes
    assert change.fields == {"first_name": "Ada"}
    assert [phone.value for phone in change.phones] == ["+1 555 0100", "+49 30 12345", "0171 555"]
    assert [(each.code, each.field) for each in result.complaints] == [("bad_value", "traits.Mobil")]
    assert result.dropped == ()


def test_a_name_that_holds_the_dots_itself_is_found_too() -> None:
    """Flattened exports write `address.city` as one name."""
    assert person(**{"address.city": "Oslo"}).fields == {at(4): "Oslo"}


def test_money_without_a_currency_rejects_the_event_so_that_it_can_be_mended() -> None:
    """The field is named, and the rest is sent."""
    result = run(event("identify", traits={"budget": 5}))
    wanted: tuple[Any, ...] = (["amount_without_currency"], ["traits.budget"], {})
    assert (codes(result), refused(result), result.changes[0].fields) == wanted


def test_unfit_values_are_left_out_and_named() -> None:
    """The event is rejected with the field as the user wrote it; the rest stays."""
    result = run(event("identify", traits={"name": "Ada", "age": "old", "plan": "Gold", "visible_to": 2}))
    assert refused(result) == ["traits.plan", "traits.age", "traits.visible_to"]
    assert result.complaints[1].value == "'old'"
    assert "Free, Pro" in result.complaints[0].message
    assert result.changes[0].fields == {"name": "Ada"}


@pytest.mark.parametrize("given", [3, "3", 3.0])
def test_visible_to_is_a_number(given: Any) -> None:
    """Text and number alike."""
    assert person(visible_to=given).fields == {"visible_to": 3}


def test_unmapped_traits_are_named_as_a_mapping_would_name_them() -> None:
    """Nested ones by dots; owner_id and org_id too, for they are never taken; null is no trait."""
    address = {"city": "Oslo", "zip": {"code": 1}}
    traits = {"name": "Ada", "rol": "dev", "owner_id": 5, "org_id": 6, "address": address, "x": None}
    result = run(event("identify", traits=traits))
    assert result.dropped == tuple(("persons", n) for n in ("rol", "owner_id", "org_id", "address.zip.code"))
    assert result.changes[0].fields == {"name": "Ada", at(4): "Oslo"}


def test_deep_objects_are_named_down_to_a_depth() -> None:
    """Names stay readable however deep an object goes."""
    deep: Any = 1
    for _ in range(60):
        deep = {"a": deep}
    assert run(event("identify", traits={"a": deep})).dropped == (("persons", "a.a.a.a.a"),)


def test_what_is_kept_of_a_hostile_event_is_bounded() -> None:
    """A hundred thousand unknown traits or bad contacts do not become as many notes."""
    result = run(event("identify", traits={"email": [True] * 10_000} | {f"t{n}": 1 for n in range(10_000)}))
    assert len(result.complaints) == len(result.dropped) == 100


def test_context_traits_tell_what_traits_do_not() -> None:
    """A null or blank trait hides nothing; a trait that says something wins."""
    result = run(
        event(
            "identify",
            traits={"name": "Ada", "email": None, "role": " "},
            context_traits={"name": "Old", "email": "a@x.io", "role": "dev", "visible_to": 7, "add_time": "2020-01-01"},
        )
    )
    (change,) = result.changes
    assert change.fields == {at(2): "dev", "name": "Ada", "visible_to": 7}
    assert change.emails == (Contact("a@x.io"),)
    assert change.on_creation == {"add_time": "2020-01-01T00:00:00Z"}


def test_pipedrives_own_id_names_the_person_too() -> None:
    """With the user id it joins both names; alone it suffices."""
    both = run(event("identify", ids={"pipedrivePersonId": 46}))
    alone = run(event("identify", user_id=None, anonymous_id="a1", ids={"pipedrivePersonId": 46}))
    assert both.changes[0].record == RecordName("persons", "u1", 46)
    assert alone.changes[0].record == RecordName("persons", None, 46)


def test_an_anonymous_person_is_skipped_unless_the_config_uses_it() -> None:
    """`identity.anonymous: use` lets the anonymous id stand in for the user id."""
    made = event("identify", user_id=None, anonymous_id="a1", traits={"name": "Ada"})
    skipped = run(made)
    assert (skipped.changes, skipped.complaints[0].code, skipped.complaints[0].outcome) == (
        (),
        "anonymous_only",
        Outcome.SKIPPED,
    )
    assert run(made, identity={"anonymous": "use"}).changes[0].record == RecordName("persons", "a1")


def test_an_event_of_nobody_is_rejected() -> None:
    """Neither a user nor an anonymous id."""
    result = run(event("identify", user_id=None))
    assert (result.changes, codes(result), refused(result)) == ((), ["missing_user_id"], ["userId"])


def test_without_an_account_values_pass_as_they_are() -> None:
    """Fields given by name stand as `{field Name}`; blanks still say nothing; standard fields still fit."""
    result = run(
        event("identify", traits={"role": ["dev"], "plan": "Gold", "age": "", "label": 3}),
        account=None,
        fields=Fields(persons={"role": "Role", "plan": "0" * 40, "age": "Age", "label": "visible_to"}),
    )
    assert result.changes[0].fields == {
        "custom_fields.{field Role}": ["dev"],
        f"custom_fields.{'0' * 40}": "Gold",
        "visible_to": 3,
    }


def test_the_first_mapped_trait_that_says_something_wins_a_field() -> None:
    """Two traits may go to one field; the config's order decides."""
    both = Fields(persons={"role": "Role", "title": "Role"})
    assert run(event("identify", traits={"title": "t", "role": "r"}), fields=both).changes[0].fields == {at(2): "r"}
    assert run(event("identify", traits={"title": "t", "role": ""}), fields=both).changes[0].fields == {at(2): "t"}


def test_a_garbled_text_is_sent_and_told() -> None:
    """Nobody can be sure; whoever wrote the file can look."""
    result = run(event("identify", traits={"name": "JosÃ©", "email": "jose@example.com"}))
    assert result.changes[0].fields == {"name": "JosÃ©"}
    assert [(each.code, each.value, each.outcome) for each in result.complaints] == [("garbled_text", "'JosÃ©'", None)]
    assert codes(run(event("identify", traits={"name": "José"}))) == []


def test_problems_of_time_are_counted() -> None:
    """A clock ahead and a time that cannot be read cost the event nothing."""
    result = run(event("identify", traits={"name": "Ada"}, clock_ahead=True, unreadable_times=("timestamp",)))
    assert [(c.code, c.outcome) for c in result.complaints] == [("unreadable_time", None), ("clock_ahead", None)]
    assert len(result.changes) == 1


def test_the_fields_of_record_keys_are_told() -> None:
    """Delivery writes the user id and the group id there."""
    assert (compiled().user_id_address, compiled().group_id_address) == (at(1), at(11))
    nameless = compiled(identity={"user_id_field": None, "group_id_field": "Gid"}, account=None)
    assert (nameless.user_id_address, nameless.group_id_address) == (None, "custom_fields.{field Gid}")


def test_types_are_told_by_address() -> None:
    """Delivery compares values by the type at their address."""
    made = compiled(account=ACCOUNT)
    assert made.type_at("persons", at(5)) == "double"
    assert made.type_at("organizations", "address") == "address"
    assert made.type_at("products", "prices.EUR") == "price"
    assert made.type_at("persons", "custom_fields.other") is None
