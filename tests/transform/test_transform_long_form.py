"""The long form of a mapping line, paths of the event, several lines for one field, and what is not wanted."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipedrive_cli.config.mapping_line import MappingLine
from pipedrive_cli.config.model import Fields, Leads
from pipedrive_cli.model import Change, Contact, Event, EventText, Rank, RecordName, Transformed
from pipedrive_cli.pipedrive.account import Account

from .transform_scenes import ACCOUNT, NOON, at, codes, compiled, event, refused, run

TIERS = {"pro": "Pro", "basic": "Free", "none": None}


def whole(event_type: Any, **more: Any) -> Event:
    """An event with the JSON that it was read from; `more` are its keys as a file has them."""
    told = {"type": event_type, "messageId": "m1", "userId": "u1", **more}
    context = more.get("context", {})
    return event(
        event_type,
        name=more.get("event"),
        traits=more.get("traits", {}),
        properties=more.get("properties", {}),
        context_traits=context.get("traits", {}),
        group_id=more.get("groupId"),
        text=EventText(json.dumps(told).encode()),
    )


def person(lines: dict[str, Any], account: Account | None = ACCOUNT, /, **traits: Any) -> Transformed:
    """An identify event under a mapping of persons."""
    return compiled(account, fields=Fields(persons=lines)).transform(whole("identify", traits=traits))


def fields(result: Transformed) -> dict[str, Any]:
    return dict(result.changes[0].fields)


# --- map and other ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "option"), [("pro", 32), (" pro ", 32), ("PRO", 32), ("basic", 31), ("none", None), ("", None)]
)
def test_a_map_says_what_stands_for_a_value(value: str, option: int | None) -> None:
    """Before the field's own conversion, so that it names options; null says nothing."""
    result = person({"tier": MappingLine("Plan", map=TIERS)}, tier=value)
    assert fields(result) == ({} if option is None else {at(3): option})
    assert codes(result) == []


@pytest.mark.parametrize(
    ("other", "expected", "rejected"),
    [("reject", {}, ["traits.tier"]), ("keep", {at(2): "gold"}, []), ("drop", {}, [])],
)
def test_other_says_what_becomes_of_a_value_that_is_not_in_the_map(
    other: Any, expected: dict[str, Any], rejected: list[str]
) -> None:
    """It is rejected with its event, kept, or dropped as if it said nothing."""
    result = person({"tier": MappingLine("Role", map=TIERS, other=other)}, tier="gold", name="Ada")
    assert fields(result) == {**expected, "name": "Ada"}
    assert refused(result) == rejected


def test_numbers_and_booleans_are_mapped_by_how_they_are_written() -> None:
    """1 and true are the names 1 and true."""
    lines = {"a": MappingLine("Role", map={"1": "one"}), "b": MappingLine("City", map={"true": "yes"})}
    assert fields(person(lines, a=1, b=True)) == {at(2): "one", at(4): "yes"}


def test_upper_and_lower_case_differ_where_two_of_the_map_do() -> None:
    """Then the exact one counts, and no other."""
    lines = {"a": MappingLine("Role", map={"no": "none", "No": "Norway"})}
    assert fields(person(lines, a="No")) == {at(2): "Norway"}
    assert refused(person(lines, a="NO")) == ["traits.a"]


def test_each_item_of_a_list_is_mapped() -> None:
    """What says nothing is left out of it."""
    lines = {"tags": MappingLine("label_ids", map={"vip": "Customer", "old": None}, other="drop")}
    assert fields(person(lines, tags=["vip", "old", "x"])) == {"label_ids": [9]}


@pytest.mark.parametrize("account", [ACCOUNT, None], ids=["account", "offline"])
def test_a_map_counts_without_the_account_too(account: Account | None) -> None:
    """A preview offline shows the mapped value, not the event's."""
    result = person({"tier": MappingLine("Role", map=TIERS)}, account, tier="pro")
    assert list(fields(result).values()) == ["Pro"]


# --- mask -------------------------------------------------------------------------------------------------------------


def test_a_mask_is_the_sha_256_of_what_would_have_been_sent() -> None:
    """After map and blanks, and as long as it may be: the field's limit is for what is sent."""
    digest = hashlib.sha256(b"Pro").hexdigest()
    masked = MappingLine("Role", map=TIERS, other="keep", mask="sha256")
    assert fields(person({"tier": masked}, tier=" pro ")) == {at(2): digest}
    assert fields(person({"tier": masked}, tier="none")) == fields(person({"tier": masked}, tier=" ")) == {}
    long = "x" * 5_000
    assert fields(person({"tier": masked}, tier=long)) == {at(2): hashlib.sha256(long.encode()).hexdigest()}


@given(
    st.recursive(
        st.text("SECRET", min_size=6) | st.integers(10**6),
        lambda inner: st.lists(inner) | st.dictionaries(st.just("k"), inner),
    )
)
def test_nothing_of_a_masked_value_is_in_what_an_event_asks_for(value: Any) -> None:
    """Neither in changes nor in complaints, whether it fits or not."""
    masked = {
        "tax": MappingLine("Role", map={"a": "b"}, other="reject", mask="sha256"),
        "x": MappingLine("City", mask="sha256"),
    }
    result = person(masked, tax=value, x=value)
    shown = repr(result)
    for secret in [value] if isinstance(value, str | int) else []:
        assert str(secret) not in shown
    assert "SECRET" not in shown


# --- several lines for one field --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("traits", "expected"),
    [
        ({"role": "CTO", "Role": "CEO"}, "CTO"),
        ({"role": " ", "Role": "CEO"}, "CEO"),
        ({"role": None, "title": "VP", "Role": "CEO"}, "CEO"),
        ({"title": "VP"}, "VP"),
    ],
)
def test_the_first_line_that_says_something_counts(traits: dict[str, Any], expected: str) -> None:
    """In the order of the config, whatever the order of the event."""
    assert fields(person({"role": "Role", "Role": "Role", "title": "Role"}, **traits)) == {at(2): expected}


def test_a_value_that_does_not_fit_leaves_its_field_to_no_other_line() -> None:
    """The event is to be mended: until then it says neither this nor that."""
    result = person({"age": "Age", "years": "Age"}, age="old", years=40)
    assert (fields(result), refused(result)) == ({}, ["traits.age"])
    dropped = person({"age": MappingLine("Age", map={"x": 1}, other="drop"), "years": "Age"}, age="old", years=40)
    assert fields(dropped) == {at(5): 40}


# --- what is not wanted -----------------------------------------------------------------------------------------------


def test_null_keeps_a_standard_trait_out() -> None:
    """It is neither sent nor counted as missed."""
    result = person({"phone": None, "name": None, "hobby": None}, phone="1", name="Ada", hobby="x", email="a@x.io")
    (change,) = result.changes
    assert (change.phones, change.fields, result.dropped) == ((), {}, ())
    assert change.emails == (Contact("a@x.io"),)


def test_null_keeps_amounts_out_of_leads_and_prices_out_of_products() -> None:
    """Without an amount there is nothing to miss a currency for."""
    lines = Fields(leads={"revenue": None, "currency": None}, products={"price": None})
    lead = run(whole("track", event="x", properties={"revenue": 5, "currency": "EUR"}), fields=lines)
    assert dict(lead.changes[-1].fields) == {"title": "x"}
    bike = run(whole("track", event="Product Viewed", properties={"sku": "b", "price": 5}), fields=lines)
    assert (dict(bike.changes[0].fields), codes(bike)) == ({}, [])


# --- paths ------------------------------------------------------------------------------------------------------------

CAMPAIGN = {"campaign": {"source": "mail"}, "ip": "10.0.0.1"}


def test_a_path_reaches_every_place_of_the_event() -> None:
    """Traits are one part of it; a part that is not there says nothing."""
    lines = {"$.context.campaign.source": "Role", "$.context.ip": "City", "$.context.page.url": "Age"}
    made = run(whole("identify", context=CAMPAIGN), fields=Fields(persons=lines))
    assert made.changes[0].fields == {at(2): "mail", at(4): "10.0.0.1"}


def test_the_path_timestamp_is_the_events_time() -> None:
    """As it counts for everything else, whatever the event wrote and whether it wrote one at all."""
    made = run(whole("identify", timestamp="2030-01-01T00:00:00Z"), fields=Fields(persons={"$.timestamp": "Role"}))
    assert made.changes[0].fields == {at(2): "2026-03-01T12:00:00Z"}
    assert made.changes[0].time == NOON
    timeless = whole("identify", timestamp="2030-01-01T00:00:00Z")
    timeless.time = None
    assert run(timeless, fields=Fields(persons={"$.timestamp": "Role"})).changes[0].fields == {}


def test_a_path_has_the_rank_that_its_event_has_for_the_record() -> None:
    """An identify event speaks for its person; a track event fills the person's blanks, even without any trait."""
    lines = Fields(persons={"$.context.campaign.source": "Role"}, leads={"$.context.campaign.source": "Rating"})
    (own,) = run(whole("identify", context=CAMPAIGN), fields=lines).changes
    said, lead = run(whole("track", event="x", context={"campaign": {"source": 5}}), fields=lines).changes
    assert (own.rank, own.fields) == (Rank.OWN, {at(2): "mail"})
    assert (said.rank, said.fields) == (Rank.CONTEXT, {at(2): "5"})
    assert (lead.rank, lead.fields) == (Rank.OWN, {"title": "x", at(21): 5})


def test_what_a_path_names_is_no_unmapped_trait() -> None:
    """Also where it names a trait or a property."""
    lines = Fields(leads={"$.properties.source": "Rating"})
    made = run(whole("track", event="x", properties={"source": 3}), fields=lines)
    assert (made.changes[-1].fields[at(21)], made.dropped) == (3, ())


def test_a_value_of_a_path_that_does_not_fit_is_named_by_the_path() -> None:
    """As the config has it."""
    made = run(whole("identify", context=CAMPAIGN), fields=Fields(persons={"$.context.ip": "Age"}))
    assert refused(made) == ["$.context.ip"]


def test_a_batch_gives_its_events_what_they_do_not_say() -> None:
    """Its context too, part by part."""
    made = whole("identify", context={"ip": "10.0.0.1"})
    assert made.text is not None
    made.text.shared = {"context": {"ip": "10.9.9.9", "campaign": {"source": "ads"}}, "receivedAt": None}
    lines = {"$.context.ip": "City", "$.context.campaign.source": "Role"}
    assert run(made, fields=Fields(persons=lines)).changes[0].fields == {at(4): "10.0.0.1", at(2): "ads"}


def test_a_number_out_of_range_elsewhere_hides_no_path() -> None:
    """JSON that nobody reads may be odd."""
    made = whole("identify")
    made.text = EventText(b'{"context": {"ip": "10.0.0.1"}, "x": 1e999}')
    assert run(made, fields=Fields(persons={"$.context.ip": "City"})).changes[0].fields == {at(4): "10.0.0.1"}


# --- titles -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("template", "title"),
    [
        ("{event}", "Demo"),
        ("Web: {event}", "Web: Demo"),
        ("always", "always"),
        ("{event} of {plan.name}", "Demo of Pro"),
        ("{$.context.campaign.source}/{ plan.name }", "mail/Pro"),
        ("{plan.name} {missing}", "Demo"),
        ("{plan}", "Demo"),
        ("{braces}", "{event}"),
        ("{seats}", "5"),
    ],
)
def test_a_title_is_filled_whole_or_is_the_events_name(template: str, title: str) -> None:
    """Braces hold properties and paths; what fills them is not looked at again."""
    properties = {"plan": {"name": " Pro "}, "braces": "{event}", "seats": 5.0}
    made = run(whole("track", event="Demo", context=CAMPAIGN, properties=properties), leads=Leads(title=template))
    assert made.changes[-1].fields["title"] == title


def test_what_a_title_names_is_no_unmapped_property() -> None:
    """It is used, so nobody needs to be told that it is not."""
    made = run(whole("track", event="Demo", properties={"plan": "Pro"}), leads=Leads(title="{event} {plan}"))
    assert made.dropped == ()


def test_a_title_is_no_longer_than_a_text_of_pipedrives() -> None:
    """It is cut, and shows it."""
    made = run(whole("track", event="Demo", properties={"plan": "x" * 300}), leads=Leads(title="{plan}"))
    assert made.changes[-1].fields["title"] == "x" * 254 + "…"


def test_changes_have_nothing_of_paths_where_the_config_names_none() -> None:
    """The event is read again only where somebody asks."""
    made = whole("identify", traits={"role": "CTO"}, context=CAMPAIGN)
    assert run(made).changes == (Change(RecordName("persons", "u1"), NOON, fields={at(2): "CTO"}),)
    assert made.text is not None
    assert made.text.whole is None


@pytest.mark.parametrize("line", ["budget", "$.traits.budget"])
def test_an_amount_takes_its_own_currency_else_the_configs(line: str) -> None:
    """Without either it is refused. A path of the event is no exception."""
    sections: dict[str, Any] = {"fields": Fields(persons={line: "Budget"}), "leads": Leads(default_currency="EUR")}
    for traits, currency in (({"budget": 5}, "EUR"), ({"budget": 5, "currency": "USD"}, "USD")):
        (change,) = run(whole("identify", traits=traits), **sections).changes
        assert change.fields[at(6)] == {"value": 5, "currency": currency}
    sections.pop("leads")
    assert len(refused(run(whole("identify", traits={"budget": 5}), **sections))) == 1
