"""What waits is made small, and nothing can see it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pipedrive_cli.run.sparing import Sparing
from pipedrive_cli.transform.changes import Change, Contact, Rank, RecordName, Transformed

_names = st.sampled_from(["a", "b"]).map(lambda key: RecordName("persons", key))
_values = st.sampled_from(["x", "y", 3, None])
_fields = st.dictionaries(st.sampled_from(["name", "custom_fields.k"]), _values, max_size=2)
_contacts = st.sampled_from([(), (Contact("a@x"),), (Contact("b@x"), Contact("a@x"))])
_changes = st.builds(
    Change,
    _names,
    st.one_of(st.none(), st.integers(0, 5)),
    st.sampled_from(Rank),
    _fields,
    _contacts,
    _contacts,
    st.dictionaries(st.just("add_time"), st.sampled_from(["1", "2"])),
    person=st.one_of(st.none(), _names),
)


@given(st.lists(_changes, max_size=8))
def test_a_change_comes_out_as_it_went_in(changes: list[Change]) -> None:
    """All but the time of creation is equal; and that is still given by the oldest change of each record."""
    sparing = Sparing()
    spared = [sparing.spare(Transformed((change,))).changes[0] for change in changes]
    for before, after in zip(changes, spared, strict=True):
        for field in Change.__struct_fields__:
            if field != "on_creation":
                assert getattr(after, field) == getattr(before, field)
    assert _born(changes) == _born(spared)


def test_equal_things_are_one() -> None:
    """Two changes that say the same share what they say, until the window is over."""
    sparing = Sparing()

    def told() -> Change:
        name = RecordName("persons", "".join(["us", "er"]))
        change = Change(name, 1, Rank.OWN, {"name": "".join(["An", "n"])}, (Contact("a@x"),))
        return sparing.spare(Transformed((change,))).changes[0]

    first, second = told(), told()
    assert first.record is second.record
    assert first.fields is second.fields
    assert first.emails is second.emails
    sparing.forget()
    assert told().fields is not first.fields


def _born(changes: list[Change]) -> dict[str | None, object]:
    """What each record would be created with: the oldest change that says so, the first of several."""
    born: dict[str | None, tuple[int, object]] = {}
    for change in changes:
        at = -1 if change.time is None else change.time
        if change.on_creation and (change.record.key not in born or at < born[change.record.key][0]):
            born[change.record.key] = (at, change.on_creation)
    return {key: value for key, (_, value) in born.items()}
