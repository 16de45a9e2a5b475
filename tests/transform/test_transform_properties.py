"""What holds for every event, however odd."""

from __future__ import annotations

import copy
from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from pipedrive_cli.config.model import Leads
from pipedrive_cli.model import Event, Outcome

from .transform_scenes import ACCOUNT, compiled

NAMES = (
    *("name", "firstName", "last_name", "email", "phone", "visible_to", "add_time", "role", "plan", "address", "age"),
    *(
        "budget",
        "currency",
        "branch",
        "sector",
        "rating",
        "spend",
        "value",
        "total",
        "label_ids",
        "expected_close_date",
    ),
    *("products", "product_id", "sku", "price", "quantity", "tax", "brand", "owner_id", "city", "primary", "label"),
)
TELLING = st.sampled_from(
    ["", " ", "Ada", "3", "12.5", "EUR", "JPY", "pro", "Hot", "2026-03-01", "2026-03-01T10:00:00Z", "[bold]", "\ud800"]
)
SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5) | TELLING
JSON = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=3),
    max_leaves=8,
)
TRAITS = st.dictionaries(st.sampled_from(NAMES) | st.text(max_size=3), JSON, max_size=6)
KEYS = st.none() | st.sampled_from(["u1", "u2"])
EVENTS = st.builds(
    Event,
    identity=st.just("m1"),
    type=st.sampled_from(["identify", "group", "alias", "track", "page", "screen"]),
    time=st.none() | st.integers(0, 253_402_300_799_000_000),
    user_id=KEYS,
    anonymous_id=KEYS,
    group_id=KEYS,
    previous_id=KEYS,
    name=st.none() | st.sampled_from(["Product Viewed", "Order Completed", "Demo"]),
    integrations=st.none() | JSON,
    ids=st.dictionaries(st.sampled_from(["pipedrivePersonId", "pipedriveGroupId"]), st.integers(1, 9), max_size=1),
    traits=TRAITS,
    context_traits=TRAITS,
    properties=TRAITS,
    clock_ahead=st.booleans(),
)
ONLINE = compiled(leads=Leads(default_currency="EUR"))
OFFLINE = compiled(account=None)


@given(EVENTS)
def test_the_same_event_gives_the_same_changes_and_is_not_altered(event: Event) -> None:
    """Byte for byte, from the same transform and from one made anew."""
    before = copy.deepcopy(event)
    for made, anew in ((ONLINE, compiled(leads=Leads(default_currency="EUR"))), (OFFLINE, compiled(account=None))):
        first = repr(made.transform(event))
        assert event == before
        assert repr(made.transform(event)) == first
        assert repr(anew.transform(event)) == first


@given(EVENTS)
def test_every_event_asks_for_something_or_says_why_not(event: Event) -> None:
    """Never neither; and what is skipped or rejected as a whole asks for nothing."""
    result = ONLINE.transform(event)
    reasons = [complaint for complaint in result.complaints if complaint.outcome is not None]
    assert result.changes or result.alias or reasons
    if any(complaint.outcome is Outcome.SKIPPED for complaint in reasons):
        assert (result.changes, result.alias) == ((), None)


@given(EVENTS)
def test_nothing_sent_is_blank_and_no_event_says_who_owns_a_record(event: Event) -> None:
    """No null, blank text, empty list or empty object among the fields; owner_id and org_id nowhere."""
    for made in (ONLINE, OFFLINE):
        for change in made.transform(event).changes:
            for address, value in (*change.fields.items(), *change.oldest.items(), *change.on_creation.items()):
                assert address not in {"owner_id", "org_id"}
                assert value is not None
                assert not (isinstance(value, str) and not value.strip())
                assert value not in ([], {})


@given(EVENTS)
def test_complaints_stay_short(event: Event) -> None:
    """However large the value, what is told of it fits a line."""
    for complaint in ONLINE.transform(event).complaints:
        assert len(complaint.value or "") <= 120
        assert len(complaint.message) <= 300


@given(TRAITS)
def test_online_values_have_the_form_of_their_type(traits: dict[str, Any]) -> None:
    """Whatever the trait was: an option's id for an enum, a number for a number, a currency the account has."""
    (change,) = ONLINE.transform(Event("m", "identify", None, user_id="u", traits=traits)).changes
    types = {field.address: field.type for field in ACCOUNT.fields["persons"]}
    for address, value in change.fields.items():
        match types.get(address):
            case "enum":
                assert value in {31, 32}
            case "double":
                assert isinstance(value, int | float) and not isinstance(value, bool)
            case "monetary":
                assert value["currency"] in {"EUR", "USD"}
            case "varchar":
                assert isinstance(value, str) and len(value) <= 255
    assert isinstance(msgspec.to_builtins(change.on_creation), dict)
