"""What track events become when they are not about products."""

from __future__ import annotations

from typing import Any

import pytest

from pipedrive_cli.config.model import Events, Fields, Leads
from pipedrive_cli.model import Change, Outcome, Rank, RecordName, Transformed

from .transform_scenes import HOT, NOON, at, codes, event, refused, run

U1 = RecordName("persons", "u1")


def lead(properties: dict[str, Any], **sections: Any) -> Transformed:
    """A track event with these properties."""
    return run(event("track", name="Demo Requested", properties=properties), **sections)


def fields(result: Transformed) -> dict[str, Any]:
    """The lead's fields but its title."""
    return {address: value for address, value in result.changes[-1].fields.items() if address != "title"}


def test_a_track_event_is_a_lead_of_its_person() -> None:
    """The message id is its key; the person is named by a change of the lowest rank, so that it is there first."""
    result = run(event("track", name="Demo Requested", context_traits={"name": "Ada"}))
    assert result.changes == (
        Change(U1, NOON, Rank.CONTEXT, {"name": "Ada"}),
        Change(RecordName("leads", "m1"), NOON, fields={"title": "Demo Requested"}, person=U1),
    )


def test_the_leads_person_is_created_only_if_the_config_says_so() -> None:
    """`create_missing_persons: false` stands on the person's change."""
    result = lead({}, identity={"create_missing_persons": False})
    assert [c.may_create for c in result.changes] == [False, True]


def test_a_lead_may_name_its_person_by_pipedrives_id() -> None:
    """Both names are joined."""
    result = run(event("track", name="x", ids={"pipedrivePersonId": 46}))
    assert [result.changes[0].record, result.changes[1].person] == [RecordName("persons", "u1", 46)] * 2


@pytest.mark.parametrize(
    ("properties", "amount"),
    [
        ({"revenue": 5, "value": 6}, 5),
        ({"value": "12.50", "total": 6}, 12.5),
        ({"total": 0, "amount": 6}, 0),
        ({"revenue": None, "value": "", "amount": 7}, 7),
    ],
)
def test_the_amount_is_the_first_that_says_something(properties: dict[str, Any], amount: float) -> None:
    """revenue, value, total, amount; 0 is an amount, and text may be one."""
    result = lead(properties | {"currency": " usd"})
    assert fields(result) == {"value": {"amount": amount, "currency": "USD"}}
    others = [name for name in list(properties)[1:] if properties[name] is not None and amount != properties[name]]
    assert result.dropped == tuple(("leads", name) for name in others if properties[name] != "")


def test_an_amount_without_a_currency_takes_the_configs_or_rejects_the_event() -> None:
    """The lead is made without it, and the event can be mended."""
    assert fields(lead({"value": 5}, leads=Leads(default_currency="EUR")))["value"] == {"amount": 5, "currency": "EUR"}
    result = lead({"value": 5})
    wanted: tuple[Any, ...] = ({}, ["amount_without_currency"], ["properties.value"])
    assert (fields(result), codes(result), refused(result)) == wanted


@pytest.mark.parametrize(
    ("properties", "field"),
    [
        ({"value": "a lot", "currency": "USD"}, "properties.value"),
        ({"value": True, "currency": "USD"}, "properties.value"),
        ({"value": 5, "currency": "JPY"}, "properties.currency"),
        ({"value": 5, "currency": ["USD"]}, "properties.currency"),
        ({"expected_close_date": "soon"}, "properties.expected_close_date"),
        ({"label_ids": ["Hot", "Lukewarm"]}, "properties.label_ids"),
        ({"visible_to": "all"}, "properties.visible_to"),
        ({"rating": "good"}, "properties.rating"),
    ],
)
def test_a_value_that_does_not_fit_is_named_and_the_lead_is_made_without_it(
    properties: dict[str, Any], field: str
) -> None:
    """The currency must be one of the account's, a label one that exists."""
    result = lead(properties)
    assert (refused(result), fields(result)) == ([field], {})


def test_the_properties_with_a_meaning_are_converted() -> None:
    """A date-time becomes its date, a label's name its id, visible_to the text that leads take."""
    result = lead(
        {"expected_close_date": "2026-12-01T10:00:00Z", "label_ids": "hot", "visible_to": 3, "rating": "4", "spend": 9},
        leads=Leads(default_currency="EUR"),
    )
    assert fields(result) == {
        at(21): 4,
        at(22): {"value": 9, "currency": "EUR"},
        "expected_close_date": "2026-12-01",
        "label_ids": [HOT],
        "visible_to": "3",
    }


def test_the_configs_constants_go_with_every_lead_and_yield_to_the_event() -> None:
    """owner_id comes from the config alone."""
    constants = Leads(title="Web: {event}", owner_id=7, visible_to=5, label_ids=("Hot",))
    result = lead({"owner_id": 99, "visible_to": 3}, leads=constants)
    assert result.changes[-1].fields == {
        "title": "Web: Demo Requested",
        "visible_to": "3",
        "owner_id": 7,
        "label_ids": [HOT],
    }
    assert result.dropped == (("leads", "owner_id"),)


def test_labels_pass_as_they_are_without_an_account() -> None:
    """Offline nobody knows their ids."""
    assert fields(lead({"label_ids": ["Hot"]}, account=None)) == {"label_ids": ["Hot"]}


def test_a_label_that_nothing_can_keep_rejects_the_lead_without_an_account_too() -> None:
    """A whole number beyond 64 bits fits neither Pipedrive nor the journal."""
    result = lead({"label_ids": [2**70]}, account=None)
    assert fields(result) == {}
    assert codes(result) == ["bad_value"]


def test_a_title_can_come_from_a_property() -> None:
    """A mapping says so; what is longer than Pipedrive's titles is shortened."""
    (change,) = [each for each in run(event("track", name="x" * 300)).changes if each.record.kind == "leads"]
    assert change.fields["title"] == "x" * 254 + "…"
    mapped = lead({"subject": "Big deal"}, fields=Fields(leads={"subject": "title"}))
    assert mapped.changes[-1].fields == {"title": "Big deal"}


@pytest.mark.parametrize(
    ("name", "events", "code"),
    [
        ("Demo Requested", Events(include=("demo*",)), None),
        (" DEMO requested ", Events(include=("x", " Demo ?equested")), None),
        ("Demo [x]", Events(include=("Demo [x]",)), None),
        ("Demo x", Events(include=("Demo [x]",)), "event_not_included"),
        ("Demo", Events(include=()), "event_not_included"),
        ("Heartbeat 1", Events(exclude=("heartbeat*",)), "event_excluded"),
        ("Product Viewed", Events(exclude=("product*",)), "event_excluded"),
        ("Product Viewed", Events(include=("Demo",)), None),
        ("axbxcxd", Events(include=("a*x?x*d",)), None),
        ("Demo\nx", Events(include=("demo*x",)), None),
        ("aba", Events(include=("ab*ba",)), "event_not_included"),
        ("a" * 100_000 + "b", Events(include=("*a*a*a?a*a*a*a***c",)), "event_not_included"),
        ("a" * 100_000 + "b", Events(include=("*" + "a*" * 50 + "b",)), None),
    ],
)
def test_the_config_chooses_track_events_by_name(name: str, events: Events, code: str | None) -> None:
    """include limits leads, exclude any track event; * and ? alone are special, case and outer spaces are not."""
    result = run(event("track", name=name, properties={"product_id": "p"}), events=events)
    assert codes(result) == ([] if code is None else [code])
    assert bool(result.changes) == (code is None)


def test_a_lead_without_a_person_is_skipped_or_rejected() -> None:
    """An anonymous id alone is skipped; a track event without a name is rejected."""
    anonymous = run(event("track", name="x", user_id=None, anonymous_id="a1"))
    assert (codes(anonymous), anonymous.changes) == (["anonymous_only"], ())
    assert refused(run(event("track"))) == ["event"]


@pytest.mark.parametrize(
    ("integrations", "sent"),
    [
        (None, True),
        ({}, True),
        ({"All": True}, True),
        ({"All": False}, False),
        ({"All": False, "Pipedrive": True}, True),
        ({"All": False, "Pipedrive": {"x": 1}}, True),
        ({"Pipedrive": False}, False),
        ({"Actions Pipedrive": False}, False),
        ({"pipedrive": False}, True),
        ({"Pipedrive": None, "All": False}, False),
        ({"All": "yes", "Pipedrive": True}, False),
        (True, False),
        ([], False),
    ],
)
def test_the_integrations_object_says_whether_the_event_is_for_us(integrations: Any, sent: bool) -> None:
    """Our name first, else All; what is neither object nor boolean sends nowhere."""
    result = run(event("identify", integrations=integrations))
    assert bool(result.changes) == sent
    assert [(c.code, c.outcome) for c in result.complaints] == ([] if sent else [("integrations_off", Outcome.SKIPPED)])
    assert run(event("identify", integrations=integrations), events=Events(integrations=())).changes


@pytest.mark.parametrize("kind", ["page", "screen"])
def test_pages_and_screens_are_skipped(kind: str) -> None:
    """They become nothing in Pipedrive."""
    assert [(c.code, c.outcome) for c in run(event(kind)).complaints] == [("type_not_supported", Outcome.SKIPPED)]
