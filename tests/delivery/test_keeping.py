"""Which events of an archive are kept: an algebra over the precedence of values."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pipedrive_cli.delivery.keeping import Claim, Clusters, KeptEvents, best_claims, merge_won, winners
from pipedrive_cli.delivery.precedence import PrecedenceRules
from pipedrive_cli.model import Change, Contact, Rank, RecordName

RULES = PrecedenceRules()


@st.composite
def changes(draw: st.DrawFn) -> Change:
    kind = draw(st.sampled_from(["persons", "organizations", "products"]))
    key = draw(st.sampled_from([None, "a", "b"]))
    name = RecordName(kind, key, draw(st.sampled_from([None, 7])) or (None if key else 8))  # type: ignore[arg-type] # one of the kinds
    return Change(
        name,
        draw(st.sampled_from([None, 0, 1, 2])),
        draw(st.sampled_from(list(Rank))) if kind == "persons" else Rank.OWN,
        draw(st.dictionaries(st.sampled_from(["x", "name", "first_name"]), st.sampled_from(["1", "2"]))),
        emails=tuple(Contact(f"{each}@x.example") for each in draw(st.sets(st.sampled_from("abc")))),
        oldest=draw(st.sampled_from([{}, {"unit": "m"}, {"unit": "kg"}])),
        fallback_name=draw(st.sampled_from([None, "a"])),
        may_create=draw(st.booleans()),
    )


# An event is its identity, its place, and what it asks for; of one identity there may be copies.
EVENTS = st.lists(st.tuples(st.sampled_from("klmnop"), changes()), max_size=12).map(
    lambda rows: [(name.encode(), number, change) for number, (name, change) in enumerate(rows, 1)]
)


def fold(events: list[tuple[bytes, int, Change]]) -> KeptEvents:
    kept = KeptEvents(RULES)
    for identity, number, change in events:
        kept.add([change], identity, number, ())
    return kept


def merged(*parts: KeptEvents) -> KeptEvents:
    whole = KeptEvents(RULES)
    for part in parts:
        for name, won in part.won.items():
            merge_won(whole.won.setdefault(name, {}), won)
        whole.joins |= part.joins
    return whole


def places(kept: KeptEvents) -> dict[str, dict[str, Claim]]:
    """Who has won which place."""
    return {name: best_claims(won) for name, won in kept.won.items()}


@given(EVENTS, st.integers(0, 12), st.integers(0, 12))
def test_parts_may_be_folded_anywhere_in_any_order_and_twice(
    events: list[tuple[bytes, int, Change]], first: int, second: int
) -> None:
    """However an archive is cut and merged, the places and who has won them are those of one fold."""
    low, high = sorted((first, second))
    a, b, c = fold(events[:low]), fold(events[low:high]), fold(events[high:])
    whole = fold(events)
    for way in (merged(merged(a, b), c), merged(a, merged(b, c)), merged(c, a, b), merged(a, b, c, b, a)):
        assert places(way) == places(whole)
        assert way.joins == whole.joins


@given(EVENTS)
def test_the_places_of_a_form_are_those_of_each_of_its_changes(events: list[tuple[bytes, int, Change]]) -> None:
    """Which places a change claims is found once for its form: each change for itself would claim the same."""
    assert places(fold(events)) == places(merged(*(fold([event]) for event in events)))


@given(EVENTS)
def test_what_is_kept_is_kept_again_and_wins_what_it_won(events: list[tuple[bytes, int, Change]]) -> None:
    """The events that are kept win the same places when they are alone: a compacted file cannot be compacted."""
    distinct = list({identity: (identity, number, change) for identity, number, change in reversed(events)}.values())
    needed = {name: winners(won) for name, won in fold(distinct).won.items()}
    every = set().union(*needed.values()) if needed else set()
    alone = fold([event for event in distinct if event[0] in every])
    assert {name: winners(won) for name, won in alone.won.items()} == needed


def test_events_of_ever_new_forms_are_not_all_kept() -> None:
    """Of one person's events, each with other traits than all before, those that win a place are kept."""
    person = RecordName("persons", "a")
    traits = [{f"t{bit}": "x" for bit in range(6) if number >> bit & 1} for number in range(64)]
    kept = fold([(b"%d" % n, n, Change(person, n, Rank.OWN, fields)) for n, fields in enumerate(traits, 1)])
    needed = {number for won in kept.won.values() for number in winners(won).values()}
    assert kept.settle() == needed == {1, 64}


def test_joined_names_are_one_whatever_order_they_were_joined_in() -> None:
    """Chains and rings of aliases have one name: the first by alphabet."""
    joins = [("d", "c"), ("c", "b"), ("x", "y"), ("b", "a"), ("a", "d")]
    for ordered in (joins, joins[::-1]):
        clusters = Clusters(ordered)
        assert [clusters.of(name) for name in "abcdxyz"] == ["a", "a", "a", "a", "x", "x", "z"]
