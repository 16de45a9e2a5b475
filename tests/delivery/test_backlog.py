"""Changes that wait: which of them stand in one job, and how far they rank below the present id."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipedrive_cli.delivery.aliases import Aliases, Step
from pipedrive_cli.delivery.backlog import Backlog
from pipedrive_cli.delivery.pending_event import EventOrigin, PendingEvent
from pipedrive_cli.model import Outcome, Place

from .pretend import Said, alias, everything, group, identify, jobs_of, lead, person, product


def case(event: Said) -> PendingEvent:
    """The case of an event."""
    return PendingEvent(b"", EventOrigin(event.identity, Place("f", 1)))


def test_changes_of_one_record_are_one_job_oldest_first() -> None:
    """One job per record; an event without time comes first."""
    (job,) = jobs_of(identify("e2", "a", 2), identify("e0", "a", None), identify("e1", "a", 1))
    assert [pending.event.message_id for pending in job.changes] == ["e0", "e1", "e2"]
    assert (job.key, job.keys, list(job.nodes)) == ("a", ["a"], [("persons", "key", "a")])


def test_records_of_different_kinds_and_keys_are_different_jobs() -> None:
    """A person and an organization of one key, and a product by its name, have nothing in common."""
    jobs = jobs_of(group("e1", "a", "a", 1), identify("e2", "b", 1), product("e3", None, 1, name="a"))
    assert sorted((job.kind, job.key, job.name) for job in jobs if job.key) == [
        ("organizations", "a", None),
        ("persons", "a", None),
        ("persons", "b", None),
    ]
    assert [job.name for job in jobs if job.kind == "products"] == ["a"]


@pytest.mark.parametrize("at", [0, 1, 2])
def test_an_alias_joins_both_persons_jobs_wherever_it_stands(at: int) -> None:
    """The job is the current one's, and knows both keys."""
    events = [identify("e1", "a", 1), identify("e2", "b", 2)]
    events.insert(at, alias("e3", "a", "b", 3))
    (job,) = jobs_of(*events)
    assert (job.key, job.keys, dict(job.steps)) == ("b", ["a", "b"], {"a": ("b", 3)})
    assert {pending.event.message_id: pending.depth for pending in job.changes} == {"e1": 1, "e2": 0}


def test_a_settled_alias_leads_to_the_present_key() -> None:
    """Aliases of earlier runs count as those of this one."""
    (job,) = jobs_of(identify("e1", "a", 1), aliases={"a": ("b", 5), "b": ("c", 7)})
    assert (job.key, job.keys, job.changes[0].depth) == ("c", ["a", "c"], 2)
    assert dict(job.steps) == {"a": ("b", 5), "b": ("c", 7)}


DEPTHS: list[tuple[dict[str, Step], str | None, int | None, int]] = [
    ({}, "a", 1, 0),
    ({"a": ("b", 5)}, "a", 4, 1),
    ({"a": ("b", 5)}, "a", 5, 1),
    ({"a": ("b", 5)}, "a", 6, 0),
    ({"a": ("b", 5)}, "b", 4, 0),
    ({"a": ("b", 5)}, None, 4, 0),
    ({"a": ("b", 5)}, "a", None, 1),
    ({"a": ("b", None)}, "a", 4, 0),
    ({"a": ("b", None)}, "a", None, 1),
    ({"a": ("b", 5), "b": ("c", 9)}, "a", 4, 2),
    ({"a": ("b", 5), "b": ("c", 9)}, "a", 7, 1),
    ({"a": ("b", 9), "b": ("c", 5)}, "a", 7, 2),
    ({"a": ("b", 9), "b": ("c", 5)}, "b", 7, 0),
]


@pytest.mark.parametrize(("steps", "key", "time", "found"), DEPTHS)
def test_how_far_a_value_ranks_below_the_present_ids(
    steps: dict[str, Step], key: str | None, time: int | None, found: int
) -> None:
    """One per alias from the first on that came after it: below all that the next id had, whenever that was said."""
    assert Aliases(steps).depth(key, time) == found


def test_refused_aliases_ask_for_nothing() -> None:
    """Neither their changes nor their link are taken up; why is told. One that an earlier run has rejected, as of
    somebody unknown, is looked at again."""
    backlog = Backlog({"a": ("b", 1)}, unknown=["a"])
    assert backlog.refusal(alias("e0", "a", "b", 2).asks.alias or pytest.fail()) is None
    for event, code in (
        (alias("e1", "a", "b", 2), "alias_same"),
        (alias("e2", "b", "a", 2), "alias_same"),
        (alias("e3", "a", "c", 2, said={"role": "r"}), "alias_reused"),
    ):
        refused = backlog.add(event.asks, case(event))
        assert refused is not None
        assert refused.code == code
    assert len(backlog) == 0


def test_what_is_put_back_is_there_in_the_next_window() -> None:
    """Parts and aliases alike, joined with what has come since."""
    backlog = Backlog({})
    waiting = [alias("e1", "a", "b", 2), identify("e2", "b", 1)]
    for event in waiting:
        backlog.add(event.asks, case(event))
    ((job,), _) = everything(backlog)
    assert len(backlog) == 0
    backlog.put_back(job.changes, job.pending_aliases)
    assert backlog
    assert not backlog.is_due
    late = identify("e3", "a", 1)
    backlog.add(late.asks, case(late))
    ((again,), _) = everything(backlog)
    assert {pending.event.message_id for pending in again.changes} == {"e2", "e3"}
    assert again.pending_aliases == job.pending_aliases


def test_an_alias_that_was_refused_names_two_persons_again() -> None:
    """From the next event on."""
    backlog = Backlog({"a": ("b", 1)})
    backlog.unlink("a")
    assert backlog.canonical("a") == "a"
    assert backlog.node_of(person("a")) == ("persons", "key", "a")


def test_leads_stand_alone_in_the_order_of_reading() -> None:
    """They are never folded."""
    backlog = Backlog({})
    for number in (2, 1):
        event = lead(f"m{number}", "a", number)
        backlog.add(event.asks, case(event))
    assert len(backlog) == 3
    jobs, leads = everything(backlog)
    assert [pending.change.record.key for pending in leads] == ["m2", "m1"]
    assert len(jobs) == 1


def test_pipedrives_id_joins_what_names_it_but_not_two_keys() -> None:
    """The second key's claim is told as contested."""
    jobs = jobs_of(
        identify("e1", None, 1, pipedrive_id=7),
        identify("e2", "a", 1, pipedrive_id=7),
        identify("e3", "b", 1, pipedrive_id=7),
    )
    assert [(job.key, job.ids, job.contested, len(job.changes)) for job in jobs] == [
        ("a", [7], frozenset(), 2),
        ("b", [7], frozenset({7}), 1),
    ]


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 0, 2)])
def test_of_two_keys_the_one_of_the_older_event_has_pipedrives_id(order: tuple[int, ...]) -> None:
    """In whatever order they are read; what names the record by its id alone goes with it."""
    said = [
        identify("e1", "a", 2, pipedrive_id=7),
        identify("e2", "b", 1, pipedrive_id=7),
        identify("e3", None, 3, pipedrive_id=7),
    ]
    jobs = {job.key: job for job in jobs_of(*(said[number] for number in order))}
    assert {pending.event.message_id for pending in jobs["b"].changes} == {"e2", "e3"}
    assert (jobs["b"].contested, jobs["a"].contested) == (frozenset(), frozenset({7}))


@given(st.lists(st.sampled_from(list(Outcome)), min_size=1, max_size=5))
def test_an_event_has_the_first_outcome_that_applies(outcomes: list[Outcome]) -> None:
    """pending, failed, rejected, delivered, unchanged, duplicate, skipped: in whatever order its parts end."""
    order = ["pending", "failed", "rejected", "delivered", "unchanged", "duplicate", "skipped"]
    ending = PendingEvent(b"", EventOrigin("e", Place("f", 1)))
    ending.open = len(outcomes)
    ends = [ending.end_change(outcome) for outcome in outcomes]
    assert ends == [False] * (len(outcomes) - 1) + [True]
    assert ending.outcome == min(outcomes, key=order.index)
