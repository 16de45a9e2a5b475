"""The quick way by which pages and screens are told: it never says more than the long way."""

from __future__ import annotations

import msgspec
from hypothesis import example, given
from hypothesis import strategies as st

from pipedrive_cli.config import Config
from pipedrive_cli.events.decode import decode_event
from pipedrive_cli.events.depth import DEPTH_LIMIT
from pipedrive_cli.events.envelope import Whole, decode_whole, entries
from pipedrive_cli.events.pages import page_of, page_type
from pipedrive_cli.model import Complaint, Event, Outcome
from pipedrive_cli.transform.transform import compile_mapping

NOW = 1_790_000_000_000_000
IDS: st.SearchStrategy[object] = st.sampled_from(
    [None, "", " ", "u-1", " u-1", "null", "{{id}}", "\u200bu", "x" * 256, 7, True, [], ["u"], {}]
)
TRAITS: st.SearchStrategy[object] = st.sampled_from(
    [None, {}, [], {"id": "t-1"}, {"userId": ["x"]}, {"userId": "t-2"}, "text"]
)
EXTERNAL = st.sampled_from([None, [], [{"type": "pipedrivePersonId", "id": "x"}], [{"type": "other", "id": 1}]])
EVENTS = st.fixed_dictionaries(
    {"messageId": st.just("m-1")},
    optional={
        "type": st.sampled_from(["page", "screen", "Page", "identify", "pages", None, 1, ["page"]]),
        "userId": IDS,
        "anonymousId": IDS,
        "traits": TRAITS,
        "properties": TRAITS,
        "timestamp": st.sampled_from(["2026-01-01T00:00:00Z", "soon", "2999-01-01T00:00:00Z", []]),
        "integrations": st.sampled_from([{"All": False}, [], "no"]),
        "context": st.fixed_dictionaries({}, optional={"traits": TRAITS, "externalId": EXTERNAL, "groupId": IDS}),
    },
)
TRANSFORM = compile_mapping(Config())


def deep(levels: int) -> dict[str, object]:
    """A page whose properties are nested so deeply."""
    value: object = "x"
    for _ in range(levels):
        value = {"in": value}
    return {"messageId": "m-1", "type": "page", "userId": "u-1", "properties": value}


@given(EVENTS)
@example({"messageId": "m-1", "type": "page", "userId": "u-1"})
@example({"messageId": "m-1", "type": "screen", "anonymousId": "a-1", "properties": {"path": "/"}})
@example({"messageId": "m-1", "type": "page", "userId": "null", "traits": {"userId": ["x"]}})
@example({"messageId": "m-1", "type": "page", "traits": {"userId": ["x"]}})
@example(deep(DEPTH_LIMIT - 1))
@example(deep(DEPTH_LIMIT))
def test_what_is_told_to_be_a_page_is_skipped_as_one_by_the_long_way(event: dict[str, object]) -> None:
    """Where the quick way tells a page or screen, decoding rejects nothing, and the transform skips it by that name."""
    raw = msgspec.json.encode(event)
    wire = decode_whole(raw)
    page = page_type(wire, raw) if type(wire) is Whole else None
    if page is not None:
        _assert_skipped(decode_event(raw, identity="m-1", now=NOW), page)


@given(EVENTS, st.sampled_from([{}, {"receivedAt": 7}, {"context": {"traits": {"userId": ["x"]}}}]))
def test_so_it_is_in_a_batch(event: dict[str, object], shared: dict[str, object]) -> None:
    """Where its batch says of whom, it is left to the long way."""
    line = msgspec.json.encode({"batch": [event], **shared})
    for entry in entries(line, decode_whole(line), "events.ndjson", 1):
        if (page := page_of(entry)) is not None:
            assert "context" not in shared
            _assert_skipped(entry.event(NOW), page)


def _assert_skipped(decoded: Event | Complaint, page: str) -> None:
    assert isinstance(decoded, Event)
    asked = TRANSFORM.transform(decoded)
    assert not asked.changes and asked.alias is None
    first = asked.complaints[0]
    assert (first.code, first.value, first.outcome) == ("type_not_supported", page, Outcome.SKIPPED)


def test_a_page_as_programs_write_it_takes_the_quick_way() -> None:
    """Of a usual page or screen nothing more is decoded."""
    for event in ({"userId": "u-1", "anonymousId": "a-1"}, {"anonymousId": "a-1"}, {"userId": "u-1"}, {}):
        raw = msgspec.json.encode({"messageId": "m-1", "type": "screen", "properties": {"a": 1}, **event})
        wire = decode_whole(raw)
        assert type(wire) is Whole
        assert page_type(wire, raw) == "screen"
        (entry,) = entries(b'{"batch":[%s]}' % raw, decode_whole(b'{"batch":[%s]}' % raw), "events.ndjson", 1)
        assert page_of(entry) == "screen"
