"""What one event means: identity, keys, names, ids, traits."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest

from pipedrive_cli.events.decode import decode_event
from pipedrive_cli.model import BrokenText, Complaint, Consent, Event, Outcome

from .event_lines import MARCH, NOW, complaint, decoded, entries, event, line


@pytest.mark.parametrize("written", ["identify", "Identify", " IDENTIFY "])
def test_types_are_compared_trimmed_and_without_case(written: str) -> None:
    """SDKs and hand-made files vary in how they write a type."""
    assert event(type=written).type == "identify"


@pytest.mark.parametrize(
    ("members", "user_id"),
    [
        ({"userId": " u1 "}, "u1"),
        ({"userId": 42}, "42"),
        ({"userId": 42.0}, "42"),
        ({"userId": ..., "traits": {"userId": "t", "id": "i"}}, "t"),
        ({"userId": "", "traits": {"userId": " ", "id": 7}}, "7"),
        ({"userId": None, "context": {"traits": {"userId": "c", "id": "d"}}}, "c"),
        ({"userId": ..., "type": "track", "event": "X", "context": {"traits": {"id": "d"}}}, "d"),
        ({"userId": ..., "type": "group", "groupId": "g", "anonymousId": "a", "traits": {"id": "o"}}, None),
        ({"userId": ..., "type": "track", "event": "X", "anonymousId": "a", "traits": {"id": "o"}}, None),
    ],
)
def test_the_user_id_is_the_first_that_the_event_names(members: dict[str, Any], user_id: str | None) -> None:
    """userId, traits.userId, traits.id on identify alone, context.traits.userId, context.traits.id, in this order."""
    assert event(**members).user_id == user_id


@pytest.mark.parametrize(
    ("members", "group_id"),
    [
        ({"groupId": 5}, "5"),
        ({"traits": {"groupId": "t", "id": "i"}}, "t"),
        ({"traits": {"id": "i"}}, "i"),
        ({"context": {"groupId": "c"}}, "c"),
        ({}, None),
    ],
)
def test_the_group_id_is_the_first_that_the_event_names(members: dict[str, Any], group_id: str | None) -> None:
    """groupId, traits.groupId, traits.id, and Segment's context.groupId."""
    assert event(type="group", **members).group_id == group_id


@pytest.mark.parametrize(
    "members",
    [
        {"previousId": "p"},
        {"traits": {"previousId": "p"}},
        {"context": {"traits": {"previousId": "p"}}},
    ],
)
def test_the_previous_id_of_an_alias_is_found_where_sdks_put_it(members: dict[str, Any]) -> None:
    """An alias names its previous id at the top or among the traits."""
    assert event(type="alias", **members).previous_id == "p"


@pytest.mark.parametrize(
    ("members", "code", "field"),
    [
        ({"type": ...}, "missing_type", "type"),
        ({"type": "  "}, "missing_type", "type"),
        ({"type": "purchase"}, "unknown_type", "type"),
        ({"type": 5}, "unknown_type", "type"),
        ({"type": "track"}, "missing_event_name", "event"),
        ({"type": "track", "event": " "}, "missing_event_name", "event"),
        ({"type": "track", "event": {"name": "X"}}, "missing_event_name", "event"),
        ({"userId": {"id": 7}}, "bad_user_id", "userId"),
        ({"userId": True}, "bad_user_id", "userId"),
        ({"userId": 1.5}, "bad_user_id", "userId"),
        ({"userId": ["u1"]}, "bad_user_id", "userId"),
        ({"userId": ..., "traits": {"id": {"$oid": "f"}}}, "bad_user_id", "traits.id"),
        ({"userId": "u" * 256}, "key_too_long", "userId"),
        ({"userId": ..., "anonymousId": []}, "bad_anonymous_id", "anonymousId"),
        ({"userId": ...}, "missing_user_id", "userId"),
        ({"userId": ..., "type": "track", "event": "Product Viewed"}, "missing_user_id", "userId"),
        ({"userId": ..., "type": "group"}, "missing_user_id", "userId"),
        ({"type": "group", "groupId": False}, "bad_group_id", "groupId"),
        ({"type": "alias", "previousId": {}}, "bad_previous_id", "previousId"),
        ({"traits": "name=Ada"}, "bad_traits", "traits"),
        ({"traits": [1]}, "bad_traits", "traits"),
        ({"context": {"traits": "x"}}, "bad_traits", "context.traits"),
        ({"context": "web"}, "bad_context", "context"),
        ({"type": "track", "event": "X", "properties": [1]}, "bad_properties", "properties"),
        (
            {"context": {"externalId": [{"type": "pipedrivePersonId", "id": "x"}]}},
            "bad_external_id",
            "context.externalId",
        ),
        (
            {"context": {"externalId": [{"type": "pipedrivePersonId", "id": 0}]}},
            "bad_external_id",
            "context.externalId",
        ),
    ],
)
def test_what_cannot_be_used_is_rejected_with_its_field(members: dict[str, Any], code: str, field: str) -> None:
    """A bad event ends as one complaint that names the field, and never as an exception."""
    told = complaint(**members)
    assert (told.code, told.field, told.outcome) == (code, field, Outcome.REJECTED)


def test_a_key_of_255_characters_is_kept() -> None:
    """The limit is what a text field in Pipedrive holds, not one less."""
    assert event(userId="u" * 255).user_id == "u" * 255


@pytest.mark.parametrize(
    "members",
    [
        {"type": "group", "groupId": "g"},
        {"type": "page"},
        {"type": "screen"},
        {"context": {"externalId": [{"type": "pipedrivePersonId", "id": 46}]}},
    ],
)
def test_events_that_need_no_user_id_pass_without_one(members: dict[str, Any]) -> None:
    """A group stands alone, pages become nothing, and Pipedrive's own id names a person too."""
    assert event(userId=..., **members).user_id is None


def test_an_anonymous_id_stands_beside_a_missing_user_id() -> None:
    """What to do with only an anonymous id is the config's to say, so both are told apart."""
    found = event(userId=..., anonymousId=" a ")
    assert (found.user_id, found.anonymous_id) == (None, "a")


def test_a_bad_anonymous_id_costs_nothing_beside_a_user_id() -> None:
    """Nobody asks for the anonymous id of somebody who is known."""
    assert event(anonymousId={}).anonymous_id is None


def test_the_python_sdk_puts_an_identifys_traits_into_the_context() -> None:
    """Traits in context.traits alone are the identify's own; where both name one, the top level counts."""
    assert event(context={"traits": {"name": "Ada"}}).traits == {"name": "Ada"}
    both = event(traits={"name": "Ada"}, context={"traits": {"name": "Old", "plan": "pro"}})
    assert both.traits == {"name": "Ada", "plan": "pro"}
    assert both.context_traits == {"name": "Old", "plan": "pro"}


def test_a_groups_traits_and_its_persons_traits_stay_apart() -> None:
    """On group the top-level traits are the organization's and context.traits the person's."""
    found = event(type="group", groupId="g", traits={"name": "Org"}, context={"traits": {"age": 41}})
    assert (found.traits, found.context_traits) == ({"name": "Org"}, {"age": 41})


def test_the_last_external_id_of_a_type_wins_and_foreign_ones_are_ignored() -> None:
    """externalId holds ids of every destination; ours are whole numbers, perhaps written as text."""
    external = [
        {"type": "pipedrivePersonId", "id": "1"},
        {"type": "brazeExternalId", "id": {}},
        {"type": "pipedrivePersonId", "id": "46"},
        {"type": "pipedriveGroupId", "id": 9.0},
        {"type": ["pipedriveGroupId"], "id": 5},
        "junk",
        {"id": 5},
    ]
    assert event(context={"externalId": external}).ids == {"pipedrivePersonId": 46, "pipedriveGroupId": 9}
    assert event(context={"externalId": external[2]}).ids == {"pipedrivePersonId": 46}  # one that stands there alone
    assert event(context={"externalId": json.dumps(external[:1])}).ids == {"pipedrivePersonId": 1}


def test_an_anonymous_id_that_names_nobody_is_noticed_where_it_is_needed() -> None:
    """Beside a user id nobody reads it."""
    assert event(anonymousId="undefined").nobody == ()
    assert complaint(userId=..., anonymousId="undefined").code == "missing_user_id"


def test_a_track_events_name_is_trimmed() -> None:
    """Names carry spaces in the wild."""
    assert event(type="track", event=" Demo Requested ").name == "Demo Requested"


@pytest.mark.parametrize(("written", "identity"), [(" m1 ", "m1"), (17, "17")])
def test_a_message_id_is_the_identity_as_text(written: Any, identity: str) -> None:
    """A messageId is compared as trimmed text, whatever JSON type it came as."""
    assert event(messageId=written).identity == identity


@pytest.mark.parametrize("written", [..., "", None, {}, True, "m" * 256])
def test_an_event_without_a_usable_message_id_is_known_by_its_hash(written: Any) -> None:
    """The identity is then 128 bits in hex."""
    assert len(bytes.fromhex(event(messageId=written).identity)) == 16


def test_the_hash_overlooks_the_order_of_keys_and_what_transport_adds() -> None:
    """Two copies of one event have one identity, though they went different ways."""
    (first,) = entries(b'{"type": "page", "userId": "u", "context": {"a": 1, "b": 2}, "sentAt": "x"}')
    (second,) = entries(
        b'{"context": {"b": 2, "a": 1}, "userId": "u", "type": "page", "receivedAt": "y", "rudderId": "r", '
        b'"request_ip": "i"}'
    )
    (other,) = entries(b'{"context": {"b": 2, "a": 2}, "userId": "u", "type": "page"}')
    assert first.identity == second.identity != other.identity


def test_a_mended_event_keeps_the_identity_and_time_it_had() -> None:
    """The `_pipedrive_cli` key of a rejects file says which event this was."""
    found = event(messageId=..., timestamp=MARCH, _pipedrive_cli={"identity": "before", "time": 1_700_000_000_000_001})
    assert (found.identity, found.time) == ("before", 1_700_000_000_000_001)


@pytest.mark.parametrize("own", ["x", [], {"identity": 5, "time": "never"}, {"identity": {}}, None])
def test_a_foreign_use_of_our_key_is_ignored(own: Any) -> None:
    """Nothing that stands under `_pipedrive_cli` can make a good event bad."""
    assert isinstance(decoded(_pipedrive_cli=own), Event)


def test_null_is_the_same_as_missing() -> None:
    """Exporters write null for what an event does not have."""
    found = event(traits=None, context=None, properties=None, integrations=None, groupId=None)
    assert (found.traits, found.properties, found.integrations) == ({}, {}, None)


def test_integrations_are_handed_on_as_they_were_read() -> None:
    """Who receives an event is decided later, from whatever stands there."""
    assert event(integrations={"All": False, "Pipedrive": True}).integrations == {"All": False, "Pipedrive": True}


@pytest.mark.parametrize("depth", [60, 80, 900, 9000, 100_000])
def test_nesting_is_bounded(depth: int) -> None:
    """Whoever walks an event may recurse: what nests deeper than any real event is rejected."""
    raw = b'{"type": "identify", "userId": "u1", "traits": {"deep": %s1%s}}' % (b"[" * depth, b"]" * depth)
    result = decode_event(raw, identity="i", now=NOW)
    assert isinstance(result, Event) if depth == 60 else getattr(result, "code", None) == "too_deep"


def test_a_wide_event_is_not_taken_for_a_deep_one() -> None:
    """An order of hundreds of products is no nesting."""
    assert (
        len(event(type="track", event="Order Completed", properties={"products": [{}] * 500}).properties["products"])
        == 500
    )


@pytest.mark.parametrize("number", ["1e999", "-1e400", "NaN", "-Infinity", "9" * 5000])
def test_a_number_out_of_range_costs_no_event(number: str) -> None:
    """It is a value like any other, until somebody wants to send it."""
    (entry,) = entries(line(traits={"n": 1, "name": "Ann"}).replace(b'"n": 1', b'"n": ' + number.encode()))
    event = entry.event(0)
    assert isinstance(event, Event)
    assert not math.isfinite(event.traits["n"])
    assert event.traits["name"] == "Ann"


def test_half_a_character_costs_no_event() -> None:
    """JavaScript cuts texts in the middle of an emoji: in a place that nobody reads, and in one that somebody does."""
    cut = line(traits={"name": "cut @"}, context={"page": {"title": "Shop @"}}).replace(b"@", b"\\ud83d")
    (entry,) = entries(cut)
    event = entry.event(0)
    assert isinstance(event, Event)
    assert event.traits == {"name": BrokenText("cut \ufffd")}
    whole = entries(line(traits={"name": "\U0001f600"}))[0].event(0)  # two halves that belong together
    assert isinstance(whole, Event)
    assert whole.traits == {"name": "\U0001f600"}


@pytest.mark.parametrize("field", ["userId", "groupId", "previousId", "event"])
def test_half_a_character_in_what_names_something_is_refused_by_its_field(field: str) -> None:
    """Two different ids may differ in what was cut off."""
    kind = {"groupId": "group", "previousId": "alias", "event": "track"}.get(field, "identify")
    (entry,) = entries(line(type=kind, **{field: "x@"}).replace(b"@", b"\\ud83d"))
    refused = entry.event(0)
    assert isinstance(refused, Complaint)
    assert refused.field == field


@pytest.mark.parametrize("empty", [[], "", " ", None])
@pytest.mark.parametrize("field", ["traits", "properties", "context", "integrations"])
def test_nothing_where_an_object_is_meant_says_nothing(field: str, empty: Any) -> None:
    """PHP writes an empty list for an empty object; `[]` in `integrations` keeps nobody from sending."""
    assert event(**{field: empty}) == event(**{field: ...})


@pytest.mark.parametrize("empty", [[], ""])
def test_nothing_in_context_traits_says_nothing(empty: Any) -> None:
    """As `context.traits` is written by analytics-php."""
    assert event(context={"traits": empty}) == event(context={})
    batch = json.dumps({"batch": [json.loads(line())], "context": empty}).encode()
    assert entries(batch)[0].event(NOW) == event()


def test_a_list_with_gaps_is_a_list() -> None:
    """PHP writes one as an object of digits, in the order that it pleases."""
    ids = [{"type": "pipedrivePersonId", "id": 1}, {"type": "pipedrivePersonId", "id": 2}]
    for given in (ids, {"0": ids[0], "7": ids[1]}, {"10": ids[1], "9": ids[0]}):
        assert event(context={"externalId": given}).ids == {"pipedrivePersonId": 2}
    denied = {"consentManagement": {"deniedConsentIds": {"1": "Sales", "3": "Ads"}}}
    assert event(context=denied).consent == Consent(frozenset({"Sales", "Ads"}))


@pytest.mark.parametrize("value", [0, False, "none", [1], ["\ud83d"]])
@pytest.mark.parametrize("kind", ["identify", "Group ", "alias"])
def test_properties_of_an_event_that_has_none_are_not_judged(kind: str, value: object) -> None:
    """Nobody reads them but on track events."""
    assert event(type=kind, groupId="g1", previousId="u0", properties=value).properties == {}
