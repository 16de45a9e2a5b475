"""A window: what waits, made a job one by one."""

from __future__ import annotations

from pipedrive_cli.delivery.backlog import Backlog
from pipedrive_cli.delivery.pending_event import EventOrigin, PendingEvent
from pipedrive_cli.delivery.window import Window
from pipedrive_cli.model import Place

from .pretend import Said, alias, group, identify, lead, product


def window(*events: Said, aliases: dict[str, tuple[str, int | None]] | None = None) -> Window:
    """A window of these events."""
    backlog = Backlog(aliases or {})
    for event in events:
        backlog.add(event.asks, PendingEvent(b"", EventOrigin(event.identity, Place("f", 1))))
    return Window(backlog)


def test_what_others_are_linked_to_comes_first() -> None:
    """Organizations, products, persons, leads; those of one kind as they were read."""
    waiting = window(
        lead("e1", "a", 1), lead("e2", "b", 1), identify("e3", "b", 1), product("e4", "p", 1), group("e5", "a", "g", 1)
    )
    assert waiting.has_leads
    taken = []
    while (next_one := waiting.take_next()) is not None:
        taken.append((next_one[0].kind, next_one[0].key))
    assert taken == [
        ("organizations", "g"),
        ("products", "p"),
        ("persons", "a"),
        ("persons", "b"),
        ("leads", "e1"),
        ("leads", "e2"),
    ]
    assert len(waiting) == 0


def test_records_are_looked_up_by_every_key_they_may_have() -> None:
    """The present one, those that aliases lead on from, and an exact name where there is no code."""
    waiting = window(
        identify("e1", "a", 1),
        identify("e2", "b", 2),
        alias("e3", "b", "c", 3),
        product("e4", None, 1, name="Tea"),
        aliases={"a": ("d", 1)},
    )
    assert waiting.keys("persons") == ["a", "d", "b", "c"]
    assert waiting.keys("products") == ["\0name:Tea"]
    assert waiting.keys("organizations") == []


def test_whoever_waits_for_a_record_that_nobody_takes_up_is_named() -> None:
    """Each event once for each of its parts: changes and aliases, of records and of leads."""
    waiting = window(identify("e1", "a", 1), alias("e2", "a", "b", 2), lead("e3", "b", 3))
    cases, place = waiting.drop_next()
    assert [case.message_id for case in cases] == ["e1", "e3", "e2"]
    assert place is waiting.group(("persons", "key", "b"))
    cases, place = waiting.drop_next()
    assert ([case.message_id for case in cases], place) == (["e3"], None)
    assert waiting.take_next() is None
