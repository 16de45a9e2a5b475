"""Reports without people: places, codes, counts and fields stay, users and values are short hashes."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from pipedrive_cli.model import Outcome
from pipedrive_cli.report.redact import Redactor
from pipedrive_cli.report.run_context import RunContext
from pipedrive_cli.report.summary import Example, Summary, problem_group

EXAMPLE = Example(
    file="a.ndjson", line=3, message_id="m-ann", field="traits.age", index=1, user="ann", value="'ann@x.test'",
    message="takes a number; 'ann@x.test' is none",
)  # fmt: skip
SECRETS = ("ann", "m-ann", "x.test")


def summary_with(*messages: str) -> Summary:
    groups = [problem_group("bad_value", Outcome.REJECTED, 7, [EXAMPLE], message="a value: traits.age")]
    groups += [problem_group("kind_refused", Outcome.PENDING, 1, message=message) for message in messages]
    return Summary(run="2026-11-23T09-15-02Z-7f3a", status="partial", exit_code=1, problems=tuple(groups))


def test_places_codes_counts_and_fields_stay() -> None:
    """Whoever reads the report finds the events, and no person."""
    (group,) = Redactor(b"salt").summary(summary_with()).problems
    assert (group.code, group.outcome, group.count, group.message) == (
        "bad_value",
        "rejected",
        7,
        "a value: traits.age",
    )
    (example,) = group.examples
    assert (example.file, example.line, example.index, example.field) == ("a.ndjson", 3, 1, "traits.age")
    assert example.message is None
    for shown in (example.user, example.message_id, example.value):
        assert re.fullmatch("#[0-9a-f]{8}", shown or "")


def test_one_value_has_one_hash_in_a_report_and_another_in_the_next() -> None:
    """What belongs together is seen, and nobody finds an email by trying."""
    one, other = Redactor(b"one"), Redactor(b"other")
    assert one.hash("ann") == one.hash("ann") != one.hash("bob")
    assert one.hash("ann") != other.hash("ann")


def test_messages_lose_what_they_quote() -> None:
    """Quoted values, emails, and records that are called by their keys."""
    said = (
        "persons 1, 2 all bear 'ann'; the oldest, 1, is taken",
        "Pipedrive takes nothing more of persons: ann@x.test is no email",
        'the name "ann \\" x.test" is too long',
        "person of user ann: update differs in Role",
        "it goes to {lead of event m-ann}",
    )
    for message in said:
        shown = Redactor(b"s").text(message)
        assert not [secret for secret in SECRETS if secret in shown], shown
        assert "#" in shown
    assert Redactor(b"s").text("3 files in exports/ cannot be read") == "3 files in exports/ cannot be read"


def test_a_page_says_no_more_than_its_summary() -> None:
    """Its command and remarks are texts, too."""
    context = Redactor(b"s").context(RunContext(command="replay 'ann.ndjson'", remarks=("of ann@x.test",)))
    assert "ann" not in context.command + "".join(context.remarks)


@given(
    value=st.recursive(
        st.text() | st.integers() | st.none() | st.booleans(),
        lambda v: st.lists(v) | st.dictionaries(st.just("key"), v),
    )
)
def test_of_a_body_only_its_shape_stays(value: object) -> None:
    """Every text and number becomes a hash; keys, yes and no, and what is empty stay."""

    def leaves(each: object) -> list[object]:
        inner = each.values() if isinstance(each, dict) else each if isinstance(each, list) else None
        return [each] if inner is None else [leaf for one in inner for leaf in leaves(one)]

    before, after = leaves(value), leaves(Redactor(b"s").value(value))
    assert len(before) == len(after)
    for old, new in zip(before, after, strict=True):
        kept = old is None or isinstance(old, bool) or old == ""
        assert new == old if kept else re.fullmatch("#[0-9a-f]{8}", str(new))
