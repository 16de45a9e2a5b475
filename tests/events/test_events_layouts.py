"""The layouts of lines, told apart line by line."""

from __future__ import annotations

import base64
import io
import json
import tracemalloc
from typing import Any

import pytest

from pipedrive_cli.events import lines
from pipedrive_cli.events.any_source import read_source
from pipedrive_cli.events.source import Source
from pipedrive_cli.events.whole import whole_event
from pipedrive_cli.model import Consent, Event

from .event_lines import MARCH_MICROS, NOW, content, entries, line, reading

ITEM = json.loads(line())
# What RudderStack's gateway wrote from 2020 to May 2024.
JOB = {"job_id": 1, "workspace_id": "w", "uuid": "6935", "user_id": "k<<>>anon", "custom_val": "GW", "event_count": 1,
       "created_at": "2026-03-01T13:00:00Z", "parameters": {"source_id": "s"}}  # fmt: skip
TWO = [line(messageId="a"), line(messageId="b")]


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
        (JOB | {"event_payload": ITEM}, None),
        (JOB | {"event_payload": {"batch": [ITEM], "writeKey": "w"}}, 0),
        (JOB | {"event_payload": json.dumps({"batch": [ITEM]})}, 0),
        (JOB | {"event_payload": [ITEM]}, 0),
        ([ITEM], 0),
        ({"batch": {"0": ITEM}}, 0),
        ({"batch": json.dumps([ITEM])}, 0),
        ({"batch": [json.dumps(ITEM)]}, 0),
        ({"payload": {"batch": json.dumps([json.dumps(ITEM)])}}, 0),
        ({"_pipedrive_cli": {"line": 3}, "raw": json.dumps(ITEM)}, None),
        ({"_pipedrive_cli": {"line": 3}, "raw_base64": base64.b64encode(packed(ITEM)).decode()}, None),
        (ITEM | {"_pipedrive_cli": {"code": "bad_traits"}}, None),
        (ITEM | {"_pipedrive_cli": {"code": "bad_traits"}, "raw": "a trait of its own"}, None),
        ({"_pipedrive_cli": {"code": "bad_traits"}, "batch": [ITEM]}, 0),
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
        ({"batch": "[half"}, "bad_batch"),
        ({"batch": ["{half"]}, "bad_json"),
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
    assert content(alone.event(NOW)) == content(within.event(NOW))
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


@pytest.mark.parametrize("payload", [{"batch": [{**ITEM, "timestamp": None}]}, [{**ITEM, "timestamp": None}]])
def test_events_of_a_job_were_received_when_it_was_made(payload: Any) -> None:
    """Gateway backups have no computed time, and some not even `receivedAt`: filters by time need one."""
    for key, made in (("event_payload", "created_at"), ("EventPayload", "CreatedAt"), ("payload", "createdAt")):
        (entry,) = entries(packed({key: payload, made: "2026-03-01T12:00:00Z"}))
        event = entry.event(NOW)
        assert isinstance(event, Event)
        assert event.time == MARCH_MICROS


@pytest.mark.parametrize(
    ("data", "index"),
    [
        (b"[" + b",".join(TWO) + b"]", True),
        (b"[ " + b" , ".join(TWO) + b" , ]", True),
        (b"".join(TWO), True),
        (b" ".join(TWO) + b"\n", True),
        (b"\0".join(TWO) + b"\0", True),
        (b"\r".join(TWO) + b"\r", True),
        (b"\x1e".join([b"", *TWO]), True),
        ("\u2028".encode().join(TWO), True),
        (b";".join(TWO) + b";\n", True),
        (b";\n".join(TWO) + b";", False),
        ("\u2028\n\xa0".encode().join(TWO) + "\x85".encode(), False),
        (b"[\n" + b",\n".join(TWO) + b"\n]\n", False),
        (b"[\n" + b"\n,".join(TWO) + b"\n]", False),
        (b"[" + b",\n".join(TWO) + b"]\n", False),
        (b"\xef\xbb\xbf[\n" + b",\n".join(TWO) + b",\n]", False),
        (b"\0\0" + b"\0\n\0".join(TWO) + b"\n\0\0", False),
    ],
    ids=[
        *("list", "list-blanks", "back-to-back", "blank", "zeros", "cr", "rs", "unicode", "semicolons", "ends"),
        *("unseen", "lines", "leading", "open", "bom", "nul"),
    ],
)
def test_events_are_read_however_they_stand_side_by_side(data: bytes, index: bool) -> None:
    """On one line they are numbered, as those of a batch; on lines of a list each has its own."""
    found = entries(data, named=False)
    assert [entry.identity for entry in found] == ["a", "b"]
    assert [entry.raw for entry in found] == TWO
    assert [entry.index for entry in found] == ([0, 1] if index else [None, None])


def test_objects_that_databases_keep_as_texts_are_read() -> None:
    """Traits, properties and context; what is in them holds, and a text that is no object is refused as before."""
    context = {"traits": {"email": "a@example.com"}, "consent": {"categoryPreferences": {"Ads": False}}}
    (found,) = entries(line(traits=json.dumps({"name": "Ann"}), context=json.dumps(context)))
    event = found.event(NOW)
    assert isinstance(event, Event)
    assert event.traits == {"name": "Ann", "email": "a@example.com"}
    assert event.consent is not None and event.consent.categories == {"Ads": False}
    assert whole_event(event)["context"] == context
    deep = json.dumps({"a": "[" * 100})
    assert whole_event(event)["traits"] == {"name": "Ann"}
    for text, code in (("no object", "bad_traits"), ('{"half', "bad_traits"), (deep, None)):
        (found,) = entries(line(traits=text))
        assert getattr(found.event(NOW), "code", None) == code


def test_what_a_batch_shares_may_stand_in_texts() -> None:
    """Its context and integrations hold for its events, as an event's own do."""
    shared = {"context": json.dumps({"traits": {"role": "Boss"}}), "integrations": json.dumps({"All": True})}
    own = {"messageId": "b", "context": {"ip": "::1"}, "integrations": json.dumps({"Pipedrive": False})}
    batch = [json.loads(line(messageId="a")), json.loads(line(**own))]
    found = [entry.event(NOW) for entry in entries(json.dumps({"batch": batch, **shared}).encode() + b"\n")]
    assert [each.context_traits for each in found if isinstance(each, Event)] == [{"role": "Boss"}] * 2
    assert [each.integrations for each in found if isinstance(each, Event)] == [{"All": True}, {"Pipedrive": False}]
    assert isinstance(found[1], Event)
    assert whole_event(found[1])["context"] == {"traits": {"role": "Boss"}, "ip": "::1"}


def test_an_empty_list_is_a_file_without_events() -> None:
    """An API that has nothing to give writes `[]`."""
    for data in (b"[]", b"[\n]\n", b"[ ]\n"):
        assert entries(data, named=False) == []


@pytest.mark.parametrize("around", [(b'{"batch": [', b"]}"), (b"[", b"]"), (b'{"event_payload": {"batch": [', b"]}}")])
@pytest.mark.parametrize(
    ("bad", "code"),
    [
        (b'{"type": "identify", "messageId": "x", "traits": {"a": tru}}', "bad_json"),
        (b'{"type": "identify", "messageId": "x", "traits": {"a": "\xe9"}}', "not_utf8"),
        (b"7", "not_an_object"),
    ],
)
def test_one_bad_event_costs_none_of_its_neighbours(around: tuple[bytes, bytes], bad: bytes, code: str) -> None:
    """Also where the line as a whole is no JSON, or no UTF-8."""
    found = entries(around[0] + b", ".join([TWO[0], bad, TWO[1]]) + around[1])
    assert [entry.identity for entry in found if entry.refusal is None] == ["a", "b"]
    (refused,) = [entry for entry in found if entry.refusal is not None]
    assert refused.refusal is not None
    assert (refused.refusal.code, refused.index, refused.raw) == (code, 1, bad)


@pytest.mark.parametrize("value", [b"NaN", b"-Infinity", b"1e400", b'"cut \\ud83d"'])
def test_a_value_that_is_not_quite_json_costs_neither_its_event_nor_the_batch(value: bytes) -> None:
    """As Python's SDK sends NaN, and JavaScript half an emoji."""
    odd = TWO[1].replace(b'"userId"', b'"context": {"x": ' + value + b'}, "userId"')
    for data in (odd, b'{"batch": [' + TWO[0] + b"," + odd + b"]}", TWO[0] + odd):
        found = [entry.event(NOW) for entry in entries(data)]
        assert all(isinstance(event, Event) for event in found)
        assert isinstance(found[-1], Event)
        assert found[-1].identity == "b"


def test_what_a_batch_says_holds_also_where_an_event_of_it_is_not_quite_json() -> None:
    """Its consent above all."""
    said = b'"context": {"consentManagement": {"deniedConsentIds": ["Sales"]}, "x": 1e400}'
    odd = TWO[1].replace(b'"userId"', b'"x": NaN, "userId"')
    for event in (entry.event(NOW) for entry in entries(b'{"batch": [' + TWO[0] + b"," + odd + b"], " + said + b"}")):
        assert isinstance(event, Event)
        assert event.consent == Consent(frozenset({"Sales"}))


def test_the_body_of_an_event_that_is_not_quite_json_stands_alone() -> None:
    """What the journal keeps of it has the batch's values, and reads as the same event."""
    odd = TWO[1].replace(b'"userId"', b'"x": NaN, "y": "\\ud83d", "userId"')
    (within,) = entries(b'{"batch": [' + odd + b'], "context": {"traits": {"a": 1}}}')
    (alone,) = entries(within.body())
    assert alone.event(NOW) == within.event(NOW)


def test_what_has_no_end_on_a_line_of_many_is_left_alone() -> None:
    """The whole ones before it are read; a found file is taken up again, a named one has one refused piece."""
    torn = b"".join(TWO) + TWO[0][:40]
    found, named = reading(torn, named=False), entries(torn)
    assert [entry.identity for entry in found] == ["a", "b"]
    assert found.torn
    assert [entry.refusal.code if entry.refusal else None for entry in named] == [None, None, "bad_json"]
    begun = reading(b"[" + b",".join(TWO), named=False)
    assert len(list(begun)) == 2
    assert begun.torn


def test_a_file_of_one_endless_line_costs_no_memory() -> None:
    """Firehose writes objects back to back; a list may be as long. Each event has its place in the line."""
    size, number = 3000, 8000  # 24 MB
    one = line(messageId="x", noise="y" * size)
    for before, between, after in ((b"", b"", b""), (b"[", b",", b"]")):
        data = before + between.join([one] * number) + after
        tracemalloc.start()
        try:
            source = Source("x", named=False, size=len(data), stream=io.BytesIO(data))
            places = [entry.index for entry in read_source(source) if entry.refusal is None]
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert places == list(range(number))
        assert peak < 40 << 20


def test_a_batch_line_may_have_64_mib_and_an_event_4(monkeypatch: pytest.MonkeyPatch) -> None:
    """The events of a long batch are counted one by one; of what is too long the first KiB is kept, with its place."""
    monkeypatch.setattr(lines, "LINE_LIMIT", 8 << 20)
    big = line(messageId="big", noise="y" * (lines.EVENT_LIMIT + 1))
    batch = b'{"batch": [' + b",".join([TWO[0], big, TWO[1]]) + b"]}"
    found = entries(batch + b"\n" + TWO[0])
    assert [(entry.line, entry.index, entry.cut) for entry in found] == [
        (1, 0, False),
        (1, 1, True),
        (1, 2, False),
        (2, None, False),
    ]
    assert found[1].raw == big[: lines.KEPT]
    longer = b'{"batch": [' + b",".join([line(noise="z" * (3 << 20))] * 3) + b"]}"
    assert [(entry.line, entry.cut) for entry in entries(longer + b"\n" + TWO[0])] == [(1, True), (2, False)]
