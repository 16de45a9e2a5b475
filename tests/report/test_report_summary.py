"""The summary's JSON is a contract with scripts; its arithmetic is checked in every run."""

from __future__ import annotations

import json
from collections import Counter

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipedrive_cli.model import Outcome
from pipedrive_cli.report.summary import (
    EventCounts,
    Example,
    Records,
    Summary,
    adds_up,
    from_json,
    mismatch,
    problem_group,
    problem_groups,
    to_json,
    worst_first,
)

from .report_scenes import HOSTILE, eventful, hostile

COUNTS = st.dictionaries(st.sampled_from(list(Outcome)), st.integers(0, 10**9))


def bare(events: EventCounts) -> Summary:
    """A summary of which only the events matter."""
    return Summary(run="r", status="complete", exit_code=0, events=events)


def test_the_json_has_exactly_the_keys_of_version_1_in_their_order() -> None:
    """Scripts are written against these keys: adding, renaming or moving one is a new version."""
    written = json.loads(to_json(eventful()))
    assert written["version"] == 1
    assert list(written) == [
        "version", "run", "status", "exit_code", "reason", "input_complete", "filtered", "events", "records",
        "requests", "tokens", "problems", "dropped_traits", "seconds",
    ]  # fmt: skip
    assert list(written["events"]) == [
        "read", "delivered", "unchanged", "duplicate", "skipped", "rejected", "failed", "pending",
    ]  # fmt: skip
    assert list(written["records"]) == ["persons", "organizations", "products", "leads"]
    assert {tuple(counts) for counts in written["records"].values()} == {("created", "updated", "unchanged", "merged")}
    assert list(written["requests"]) == ["total", "retried", "by_endpoint"]
    assert list(written["tokens"]) == ["spent", "left_today", "by_endpoint"]
    for problem in written["problems"]:
        assert list(problem) == ["code", "outcome", "count", "message", "hint", "examples"]
        assert all(list(example)[:4] == ["file", "line", "message_id", "field"] for example in problem["examples"])


def test_a_run_of_nothing_has_every_key_too() -> None:
    """A script need not ask whether a key is there."""
    written = json.loads(to_json(bare(EventCounts())))
    assert written["reason"] is None
    assert written["tokens"] == {"spent": 0, "left_today": None, "by_endpoint": {}}
    assert written["records"]["leads"] == {"created": 0, "updated": 0, "unchanged": 0, "merged": 0}
    assert written["problems"] == []


def test_the_json_is_one_line_that_reads_back_as_the_same_summary() -> None:
    """`runs show` prints from the stored JSON what the run itself printed."""
    data = to_json(eventful())
    assert data.count(b"\n") == 1
    assert data.endswith(b"\n")
    assert from_json(data) == eventful()


def test_what_is_no_summary_is_refused() -> None:
    """A stored report of another version is not taken for one of ours."""
    with pytest.raises(msgspec.ValidationError):
        from_json(b'{"version": 2, "run": "r", "status": "complete", "exit_code": 0}')


def test_no_text_can_break_the_json() -> None:
    """Lone surrogates, which UTF-8 cannot hold, are written as visible escapes; all else comes back as it was."""
    written = json.loads(to_json(hostile()))
    fields = [problem["examples"][0]["field"] for problem in written["problems"]]
    assert fields == [text.replace("\ud800", "\\ud800") for text in HOSTILE]


@given(COUNTS, st.integers(-5, 5))
def test_a_run_adds_up_when_and_only_when_each_event_has_one_outcome(counts: dict[Outcome, int], off: int) -> None:
    """The sum of the seven outcomes is the number of events read; any other number is called a bug."""
    summary = bare(EventCounts.of(sum(counts.values()) + off, counts))
    assert adds_up(summary) is (off == 0)
    assert (mismatch(summary) is None) is (off == 0)


def test_counters_become_the_counts_of_the_contract() -> None:
    """Whoever runs counts what occurs; the summary names what did not occur as zero."""
    records = Records.of(Counter({("persons", "created"): 2, ("leads", "created"): 1}))
    assert records.persons.created == 2
    assert records.persons.merged == 0
    assert records.leads.created == 1
    assert EventCounts.of(3, Counter({Outcome.FAILED: 3})).failed == 3


def test_problems_come_worst_first() -> None:
    """Lost events before waiting ones before what cost nothing; the frequent before the rare."""
    groups = [
        problem_group("noticed", None, 99),
        problem_group("skip", Outcome.SKIPPED, 50),
        problem_group("later", Outcome.PENDING, 40),
        problem_group("few", Outcome.REJECTED, 1),
        problem_group("many", Outcome.FAILED, 7),
    ]
    assert [group.code for group in worst_first(groups)] == ["many", "few", "later", "skip", "noticed"]


def test_groups_are_made_from_counts_and_examples() -> None:
    """One group for each cause, with its own examples, worst first."""
    example = Example("f", 1, None, None)
    groups = problem_groups(
        {
            ("clock_ahead", None, None): 9,
            ("depends_on", Outcome.PENDING, None): 2,
            ("depends_on", Outcome.REJECTED, None): 1,
        },
        [("depends_on", Outcome.REJECTED, example)],
    )
    assert [(group.code, group.outcome, group.count, group.examples) for group in groups] == [
        ("depends_on", Outcome.REJECTED, 1, (example,)),
        ("depends_on", Outcome.PENDING, 2, ()),
        ("clock_ahead", None, 9, ()),
    ]


def test_values_are_grouped_by_the_field_that_they_do_not_fit() -> None:
    """Each field is mended in a place of its own; the items of a list are one, and other values come first."""
    examples = [
        Example("f", line, None, field, value=value)
        for line, field, value in (
            (1, "traits.age", "'x'"),
            (2, "traits.age", "'x'"),
            (3, "traits.age", "'y'"),
            (4, "properties.products[7].price", "'z'"),
        )
    ]
    groups = problem_groups(
        {
            ("bad_value", Outcome.REJECTED, "traits.age"): 3,
            ("bad_value", Outcome.REJECTED, "properties.products[].price"): 1,
        },
        [("bad_value", Outcome.REJECTED, example) for example in examples],
    )
    assert [(group.count, group.message.rpartition(": ")[2]) for group in groups] == [
        (3, "traits.age"),
        (1, "properties.products[].price"),
    ]
    assert [[example.line for example in group.examples] for group in groups] == [[1, 3, 2], [4]]


def test_a_problem_keeps_five_examples_and_the_words_of_its_code() -> None:
    """Five are enough to understand; the words come from one place."""
    group = problem_group("missing_user_id", Outcome.REJECTED, 9, (Example("f", n, None, None) for n in range(9)))
    assert [example.line for example in group.examples] == [0, 1, 2, 3, 4]
    assert "user" in group.message
    assert group.hint
