"""Who is suppressed: the forms of the list, and by which names an event's people are found."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipedrive_cli.events.decode import decode_event
from pipedrive_cli.events.people import People, people_in, people_in_text, people_of
from pipedrive_cli.model import Event
from pipedrive_cli.transform.suppression import BadLine, Suppression, SuppressionList, read_list

REGULATIONS = {
    "RudderStack's API": {"regulationType": "suppress_with_delete", "users": [{"userId": "u1"}, {"userId": "u2"}]},
    "with further attributes": {"regulationType": "suppress", "users": [{"userId": "u1", "phone": "1"}, {"userId": 2}]},
    "RudderStack's servers": {"items": [{"userId": "u1", "canceled": False}, {"userId": "u2", "sourceIds": []}]},
    "Segment's API": {"regulationType": "SUPPRESS_ONLY", "subjectType": "USER_ID", "subjectIds": ["u1", "u2"]},
    "delete alone": {"regulationType": "DELETE_ONLY", "subjectIds": ["u1", "u2"]},
    "one user": {"userId": "u1", "workspaceId": "w"},
}


@pytest.mark.parametrize("form", REGULATIONS)
def test_regulations_name_people_in_every_form(form: str) -> None:
    """Those of RudderStack's API and servers, and Segment's, one JSON object a line."""
    named = read_list([json.dumps(REGULATIONS[form])]).ids
    assert "u1" in named
    assert named <= {"u1", "u2", "2"}


def test_a_list_has_ids_emails_comments_and_blank_lines() -> None:
    """Ids are compared exactly; an email is found in whatever case and with blanks around it."""
    listed = read_list(
        ["# asked in May\n", "\n", " u1 \n", "Ａnn＠Acme．test\r\n", '{"users": [{"email": "B@c.test"}]}']
    )
    assert listed.ids == {"u1", "Ａnn＠Acme．test"}
    assert listed.emails == {"ann@acme.test", "b@c.test"}
    others = ['"u1"', '"Ann" <ann@acme.test>', "ann@acme.test,", "samlp|acme|ada@acme.test"]
    assert read_list(others).ids >= {"u1", "samlp|acme|ada@acme.test"}


def test_what_is_cancelled_later_is_off_the_list() -> None:
    """RudderStack marks such a user as canceled, Segment sends a regulation of its own."""
    lines = ["u1", '{"userId": "u1", "canceled": true}', "u2", '{"regulationType": "UNSUPPRESS", "subjectIds": ["u2"]}']
    assert not read_list(lines)


@pytest.mark.parametrize("around", ["", " ", "\u200b", "\ufeff", "\u2060 "])
@pytest.mark.parametrize("written", ["u1", "42", 42, 42.0])
def test_the_list_and_the_events_read_an_id_alike(written: Any, around: str) -> None:
    """In every form of the list, whatever stands around the id that cannot be seen, and a number as its digits."""
    shown = f"{around}{written}{around}" if isinstance(written, str) else written
    event = people_of(decoded(userId=shown))
    lines = [json.dumps({"userId": shown}), json.dumps({"subjectIds": [shown]})]
    for line in lines if isinstance(written, float) else [*lines, str(shown)]:
        assert Suppression(read_list([line])).add(event)


@pytest.mark.parametrize("line", [
    '{"userId": "u1"', '{"regulationType": "suppress"}', '{"users": []}', "ann@acme.test;x", "u1,ann@acme.test",
])  # fmt: skip
def test_a_line_that_names_nobody_is_no_list(line: str) -> None:
    """Whoever it should have named would be sent; the message does not repeat it."""
    with pytest.raises(BadLine) as raised:
        read_list(["u0", line])
    assert str(raised.value).startswith("line 2 ")
    assert "u1" not in str(raised.value)


def decoded(**event: Any) -> Event:
    found = decode_event(json.dumps({"type": "identify", **event}).encode(), identity="m", now=1 << 60)
    assert isinstance(found, Event)
    return found


NAMED: dict[str, dict[str, Any]] = {
    "user id": {"userId": "u1"},
    "user id of the traits": {"traits": {"id": "u1"}},
    "user id with what cannot be seen": {"userId": "\ufeffu1\u200b"},
    "previous id with what cannot be seen": {"type": "alias", "userId": "x", "previousId": "u\u200b1"},
    "anonymous id beside another": {"userId": "x", "anonymousId": "u1"},
    "anonymous id alone": {"anonymousId": "u1"},
    "previous id": {"type": "alias", "userId": "x", "previousId": "u1"},
    "email in the traits": {"userId": "x", "traits": {"email": " ANN@acme.test "}},
    "email in context.traits": {"userId": "x", "context": {"traits": {"email": "ann@acme.test"}}},
    "email in context.traits beside another": {
        "userId": "x", "traits": {"email": "x@x.test"}, "context": {"traits": {"email": "ann@acme.test"}},
    },
    "one of several emails": {"userId": "x", "traits": {"email": ["x@x.test", {"value": "Ann@acme.test"}]}},
    "emails as PHP writes lists": {"userId": "x", "traits": {"email": {"0": "x@x.test", "2": "Ann@acme.test"}}},
    "emails as PHP writes lists, in Pipedrive's form": {
        "userId": "x", "context": {"traits": {"email": {"1": {"value": "Ann <Ann@acme.test>"}}}},
    },
    "one of several emails in a text": {"userId": "x", "traits": {"email": "x@x.test; ANN@acme.test"}},
    "email among words": {"userId": "x", "traits": {"email": "Ann (ann@acme.test)"}},
    "email in brackets": {"userId": "x", "traits": {"email": "[ann@acme.test]"}},
    "email of an unknown form": {"userId": "x", "traits": {"email": {"work": {"address": "ann@acme.test"}}}},
    "email with half a character": {"userId": "x", "traits": {"email": "ann@acme.test\ud83d"}},
    "email in the form of an address of the web": {"userId": "x", "traits": {"email": "mailto:ann%40acme.test"}},
    "email with what cannot be seen": {"userId": "x", "traits": {"email": "mailto:ann\u200b@acme.test"}},
    "email in wide letters": {"userId": "x", "traits": {"email": "Ann <Ａnn＠acme．test>"}},
    "wide email in the form of the web": {"userId": "x", "traits": {"email": "mailto:ann%EF%BC%A0acme.test"}},
    "wide user id that is the email": {"userId": "ann＠acme。test"},
    "a user id that is the email": {"userId": "Ann@Acme.test"},
    "email in traits that are a text": {"userId": "x", "traits": json.dumps({"email": "ann@acme.test"})},
    "email in a context that is a text": {"userId": "x", "context": json.dumps({"traits": {"email": "ann@acme.test"}})},
    "context.traits of a group": {
        "type": "group", "groupId": "g", "userId": "x", "context": {"traits": {"email": "ann@acme.test"}},
    },
    "context.traits of a track": {
        "type": "track", "event": "E", "userId": "x", "context": {"traits": {"email": "ann@acme.test"}},
    },
}  # fmt: skip
LISTED = SuppressionList(frozenset({"u1"}), frozenset({"ann@acme.test"}))


@pytest.mark.parametrize("how", NAMED)
def test_an_event_is_suppressed_by_every_name_of_its_people(how: str) -> None:
    """Well-formed or refused: what is refused would stand in the rejects file."""
    assert Suppression(LISTED).add(people_of(decoded(**NAMED[how])))
    assert Suppression(LISTED).add(people_in(json.dumps(NAMED[how]).encode(), None))


@pytest.mark.parametrize(
    "event",
    [
        {"userId": "u10"},
        {"userId": "U1"},
        {"userId": "x", "traits": {"manager_email": "ann@acme.test", "name": "u1"}},
        {"type": "track", "event": "Invited", "userId": "x", "properties": {"email": "ann@acme.test"}},
        {"type": "group", "groupId": "u1", "userId": "x"},
    ],
)
def test_others_are_not_suppressed(event: dict[str, Any]) -> None:
    """Ids are exact, and an email in another place may be anybody's."""
    assert not Suppression(LISTED).add(people_of(decoded(**event)))


@pytest.mark.parametrize(
    "line",
    [
        b'{"type": "identify", "userId": "u1", "traits": {"na',
        b'{"userId" : "x", "traits": {"email": "Ann@acme.test", "a": NaN}}',
        b'{"userId": {"a": NaN}, "traits": {"email": {"0": "x@x.test", "1": "Ann@\\u0061cme.test"}}}',
        b'{"anonymousId":"u1"',
        b'[{"user_id": "u1"}',
    ],
)
def test_a_line_that_is_no_json_is_searched_for_names(line: bytes) -> None:
    """It was cut off or edited by hand, and would stand in the rejects file."""
    assert Suppression(LISTED).add(people_in(line, None))
    assert not Suppression(LISTED).add(people_in(line.replace(b"u1", b"u2").replace(b"Ann", b"Bob"), None))


def test_a_long_bad_line_is_searched_in_one_go() -> None:
    """Whatever it is made of: a search that tried each of its characters anew would take hours."""
    for filling in ("a" * 300_000, "@" * 300_000, "a@" * 150_000):
        assert Suppression(LISTED).add(people_in_text(f"{filling} ann@acme.test"))


def judged(rules: Suppression, window: list[People]) -> list[bool]:
    """Which events of a window are suppressed."""
    at_once = [rules.add(people) for people in window]
    rules.judge()
    found = [first or rules.holds_back(people) for first, people in zip(at_once, window, strict=True)]
    rules.next_window()
    return found


def test_an_id_that_comes_with_a_suppressed_email_is_suppressed_from_then_on() -> None:
    """The events before it in its window too, and its anonymous id."""
    rules = Suppression(LISTED)
    window = [People("u7"), People("u8"), People("u7", None, ("a7",), ("ann@acme.test",)), People("a7")]
    assert judged(rules, window) == [True, False, True, True]
    assert judged(rules, [People("u7"), People("a7"), People("u8")]) == [True, True, False]
    assert rules.met == {"u7": "ann@acme.test", "a7": "ann@acme.test"}


def test_an_alias_joins_its_previous_id_and_not_the_current_one() -> None:
    """The previous id is a name of whoever is suppressed; who is called her successor is not suppressed by that."""
    rules = Suppression(LISTED)
    assert judged(rules, [People("old"), People("u1", "older"), People("older", "old")]) == [True, True, True]
    assert judged(rules, [People("new", "u1"), People("new")]) == [True, False]
    assert judged(rules, [People("old")]) == [False], "an alias that was suppressed joins nobody for good"


def test_aliases_that_are_known_join_both_ways() -> None:
    """They made one person of the two, whichever of its ids is on the list."""
    steps = {"old": "new", "older": "old"}

    def canonical(key: str) -> str:
        while key in steps:
            key = steps[key]
        return key

    for listed in ("new", "old", "older"):
        rules = Suppression(SuppressionList(frozenset({listed})), None, canonical, list(steps))
        assert judged(rules, [People("new"), People("old"), People("older"), People("x")]) == [True] * 3 + [False]
    rules = Suppression(LISTED, None, canonical, list(steps))
    assert judged(rules, [People("older", None, (), ("ann@acme.test",)), People("new")]) == [True, True]


def test_a_person_is_known_by_pipedrives_id() -> None:
    """An event may name nobody but Pipedrive's record: whose that is the journal knows, or remembers."""
    rules = Suppression(LISTED, None, persons=lambda number: ["u1"] if number == 46 else [])
    assert judged(rules, [People(None, None, (), (), (46,)), People(None, None, (), (), (47,))]) == [True, False]
    refused = {"userId": [], "context": {"externalId": {"0": {"type": "pipedrivePersonId", "id": "46"}}}}
    assert rules.add(people_in(json.dumps(refused).encode(), None))
    kept = Suppression(SuppressionList(), lambda kind, name: (kind, name) == ("pipedrive_id", "46"))
    assert judged(kept, [People(None, None, (), (), (46,))]) == [True]


IDS = st.sampled_from(["a", "b", "c", "u1"])
PEOPLE = st.builds(
    People,
    user=IDS,
    previous=st.none() | IDS,
    others=st.just(()) | st.tuples(IDS),
    emails=st.sampled_from([(), (), ("ann@acme.test",)]),
)


@given(window=st.lists(PEOPLE, max_size=8), seed=st.randoms())
def test_the_order_of_a_window_does_not_matter(window: list[People], seed: Any) -> None:
    """Whatever comes first, the same events are suppressed, and the same ids are remembered."""
    mixed = list(range(len(window)))
    seed.shuffle(mixed)
    first, second = Suppression(LISTED), Suppression(LISTED)
    found = judged(first, window)
    again = judged(second, [window[place] for place in mixed])
    assert [found[place] for place in mixed] == again
    assert first.met.keys() == second.met.keys()
