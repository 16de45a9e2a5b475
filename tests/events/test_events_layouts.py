"""The layouts of lines, told apart line by line."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from pipedrive_cli.model import Event

from .event_lines import MARCH_MICROS, NOW, entries, line

ITEM = json.loads(line())


def packed(value: Any) -> bytes:
    return json.dumps(value).encode()


@pytest.mark.parametrize(
    ("value", "index"),
    [
        (ITEM, None),
        ({"batch": [ITEM]}, 0),
        ({"batch": [ITEM], "sentAt": "2026-03-01T12:00:00Z", "context": {}}, 0),
        ({"batch": [ITEM], "type": "batch"}, 0),
        (
            {
                "userId": "<<>>anon<<>>",
                "payload": {"batch": [ITEM], "receivedAt": "2026-03-01T13:00:00Z"},
                "messageId": "job",
            },
            0,
        ),
        ({"UserID": "r", "CreatedAt": "2026-03-01T13:00:00Z", "EventPayload": ITEM}, None),
        ({"UserID": "r", "EventPayload": {"batch": [ITEM]}}, 0),
        ({"UserID": "r", "EventPayload": json.dumps(ITEM)}, None),
        ({"UserID": "r", "EventPayload": json.dumps({"batch": [ITEM]})}, 0),
        ({"UserID": "r", "EventPayload": [ITEM]}, 0),
        ({"_pipedrive_cli": {"line": 3}, "raw": json.dumps(ITEM)}, None),
        ({"_pipedrive_cli": {"line": 3}, "raw_base64": base64.b64encode(packed(ITEM)).decode()}, None),
        (ITEM | {"_pipedrive_cli": {"code": "bad_traits"}}, None),
        (ITEM | {"_pipedrive_cli": {"code": "bad_traits"}, "raw": "a trait of its own"}, None),
        (ITEM | {"batch": 7, "payload": {}, "EventPayload": "x", "metadata": {}, "data": {}}, None),
    ],
)
def test_the_same_event_is_found_in_every_layout(value: Any, index: int | None) -> None:
    """Whatever wraps it, the event is the one that the SDK sent, and the wrapper's ids name nobody."""
    (entry,) = entries(packed(value))
    event = entry.event(NOW)
    assert isinstance(event, Event)
    assert (event.identity, event.user_id, event.time, entry.index) == ("m1", "u1", MARCH_MICROS, index)


@pytest.mark.parametrize(
    ("value", "code"),
    [
        ({"metadata": {"table": "tracks"}, "data": {"id": 1}}, "other_format"),
        ({"metadata": {"table": "tracks"}, "data": {"id": 1}, "messageId": "m1"}, "other_format"),
        ({"batch": "none"}, "bad_batch"),
        ({"batch": {}}, "bad_batch"),
        ({"batch": []}, "empty_batch"),
        ({"payload": 5}, "bad_batch"),
        ({"EventPayload": "no JSON"}, "bad_batch"),
        ({"EventPayload": "["}, "bad_batch"),
        ({"_pipedrive_cli": {}, "raw": 5}, "bad_json"),
        ({"_pipedrive_cli": {}, "raw": '{"a": '}, "bad_json"),
        ({"_pipedrive_cli": {}, "raw_base64": "%"}, "bad_json"),
        ({"_pipedrive_cli": {"code": "line_too_long"}, "raw": '{"a": '}, "line_too_long"),
        ({"_pipedrive_cli": {}, "raw": '{"_pipedrive_cli": {}, "raw": "{}"}'}, None),
    ],
)
def test_a_line_that_holds_no_event_is_refused_as_what_it_is(value: Any, code: str | None) -> None:
    """One entry for the line, with a code of its own; a rejects line within a rejects line is not unfolded again."""
    _, entry = entries(line() + b"\n" + packed(value))
    assert (entry.refusal.code if entry.refusal else None) == code
    assert not isinstance(entry.event(NOW), Event)


def test_a_bad_item_of_a_batch_is_refused_alone() -> None:
    """Its neighbours are events, and each item has its exact bytes and its place in the batch."""
    first, second = line(messageId="a"), line(messageId="b", traits={"n": 1.50})
    found = entries(b'{"batch": [' + first + b' , 7, "x" , ' + second + b"]}")
    assert [entry.index for entry in found] == [0, 1, 2, 3]
    assert [entry.raw for entry in found] == [first, b"7", b'"x"', second]
    assert [entry.refusal.code if entry.refusal else None for entry in found] == [
        None,
        "not_an_object",
        "not_an_object",
        None,
    ]


def test_what_a_batch_says_once_holds_for_its_events_unless_they_say_otherwise() -> None:
    """context, integrations and receivedAt of the batch are defaults."""
    silent = ITEM | {"timestamp": None}
    loud = silent | {
        "context": {"traits": {"own": 1}},
        "integrations": {"All": True},
        "receivedAt": "2026-03-01T12:00:00Z",
    }
    shared = {
        "context": {"traits": {"shared": 1}, "groupId": "g"},
        "integrations": {"All": False},
        "receivedAt": "2026-03-01T13:00:00Z",
    }
    first, second = (entry.event(NOW) for entry in entries(packed({"batch": [silent, loud], **shared})))
    assert isinstance(first, Event)
    assert isinstance(second, Event)
    assert (first.traits, first.integrations, first.time) == (
        {"shared": 1},
        {"All": False},
        MARCH_MICROS + 3_600_000_000,
    )
    assert (second.traits, second.integrations, second.time) == ({"own": 1}, {"All": True}, MARCH_MICROS)


def test_the_body_of_a_batchs_event_stands_alone() -> None:
    """What the journal keeps reads as the same event without the batch around it; a bare event's body is its bytes."""
    item = ITEM | {"type": "group", "context": {"externalId": [{"type": "pipedriveGroupId", "id": 3}]}}
    value = {
        "payload": {
            "batch": [item],
            "receivedAt": "2026-03-01T11:00:00Z",
            "context": {"groupId": "g", "traits": {"a": 1}},
            "integrations": False,
        }
    }
    (within,) = entries(packed(value))
    (alone,) = entries(within.body())
    assert alone.event(NOW) == within.event(NOW)
    (bare,) = entries(line())
    assert bare.body() == line()


def test_layouts_may_change_from_line_to_line() -> None:
    """A file put together from several producers is read all the same."""
    mixed = [
        packed(ITEM),
        packed({"batch": [ITEM, ITEM]}),
        b"",
        packed({"metadata": {}, "data": {}}),
        packed({"EventPayload": ITEM}),
    ]
    found = entries(b"\n".join(mixed))
    assert [(entry.line, entry.index, entry.refusal is None) for entry in found] == [
        (1, None, True),
        (2, 0, True),
        (2, 1, True),
        (4, None, False),
        (5, None, True),
    ]


def test_bytes_that_were_no_utf8_come_back_intact() -> None:
    """A rejects file's raw_base64 is undone, so that a second rejects file keeps the same bytes."""
    (entry,) = entries(packed({"_pipedrive_cli": {}, "raw_base64": base64.b64encode(b'{"a": "\xe9"}').decode()}))
    assert entry.refusal is not None
    assert (entry.refusal.code, entry.raw) == ("not_utf8", b'{"a": "\xe9"}')
