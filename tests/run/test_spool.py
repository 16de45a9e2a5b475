"""What waits on disk: it comes back as it was, whatever events say."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from pipedrive_cli.delivery.backlog import Backlog
from pipedrive_cli.delivery.pending_event import EventOrigin, PendingEvent
from pipedrive_cli.errors import StopRun
from pipedrive_cli.model import Change, Contact, Kind, Place, Rank, RecordName, Transformed
from pipedrive_cli.run.spool import UNWRITTEN, Spool
from tests.delivery.pretend import everything

TEXTS = st.text(st.characters(codec="utf-8"), max_size=8)
VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=5,
)
KINDS: st.SearchStrategy[Kind] = st.sampled_from(["persons", "organizations", "products", "leads"])
NAMES = st.builds(RecordName, KINDS, st.none() | TEXTS, st.none() | st.integers(1, 2**53), st.none() | TEXTS)
CONTACTS = st.lists(st.builds(Contact, TEXTS, st.none() | TEXTS, st.none() | st.booleans()), max_size=2).map(tuple)
FIELDS = st.dictionaries(TEXTS, VALUES, max_size=3)
CHANGES = st.builds(
    Change,
    NAMES,
    st.none() | st.integers(-(2**62), 2**62),
    st.sampled_from(Rank),
    FIELDS | NAMES.map(lambda name: {"organization": name}),
    CONTACTS,
    CONTACTS,
    FIELDS,
    FIELDS,
    st.none() | TEXTS,
    st.none() | NAMES,
    st.booleans(),
)


def never(why: StopRun) -> None:
    """There is room enough."""
    raise why


@given(st.lists(CHANGES, max_size=5))
def test_a_change_comes_back_as_it_was(changes: list[Change]) -> None:
    """Also the record that a person is linked to, and whatever JSON an event may hold."""
    spool = Spool(never)
    places = [spool.lay(change) for change in changes]
    for change, at in reversed(list(zip(changes, places, strict=True))):
        assert at is not None
        assert spool.change(at) == change
    spool.close()


@given(st.lists(st.binary(max_size=700) | st.just(b"x" * UNWRITTEN), min_size=1, max_size=8))
def test_bytes_come_back_while_others_are_added(pieces: list[bytes]) -> None:
    """Short and long ones, whether they have reached the disk or not."""
    spool = Spool(never)
    for number, piece in enumerate(pieces):
        at = spool.add(piece)
        assert spool.get(at) == piece
        if number % 2:
            spool.add(b"between")
    spool.restart()
    assert spool.get(spool.add(b"anew")) == b"anew"
    spool.close()


def test_a_number_that_is_too_long_for_the_disk_waits_in_memory() -> None:
    """JSON knows no longest number; the event is delivered like every other one."""
    spool = Spool(never)
    change = Change(RecordName("persons", "a"), 1, fields={"size": 10**40})
    assert spool.lay(change) is None
    backlog = Backlog({}, spool)
    backlog.add(Transformed((change,)), PendingEvent(b"", EventOrigin("m", Place("f", 1))))
    ((job,), _) = everything(backlog)
    assert job.changes[0].change == change
    spool.close()


def test_an_event_can_be_told_of_from_its_place_on_disk() -> None:
    """Its message id, its user, and where it stands in the input."""
    spool = Spool(never)
    origin = EventOrigin("m", Place("f", 7, 3), "u", 5, 0)
    case = PendingEvent(b"", spool.add_origin(origin), spool)
    assert case.origin == origin
    assert (case.message_id, case.place) == ("m", Place("f", 7, 3))
    nameless = EventOrigin("m", Place("\udcff.ndjson", 7))
    assert PendingEvent(b"", spool.add_origin(nameless), spool).origin == nameless, "a file name may be no text"
    spool.close()


@given(st.lists(st.binary(max_size=700) | st.just(b"x" * UNWRITTEN), min_size=1, max_size=8))
def test_what_is_dropped_leaves_the_rest_as_it_was(pieces: list[bytes]) -> None:
    """Whether it had reached the disk or not; its room is used again."""
    spool = Spool(never)
    kept: list[tuple[int, bytes]] = []
    for number, piece in enumerate(pieces):
        at = spool.add(piece)
        if number % 2:
            spool.drop_from(at)
            assert spool.add(b"") == at
            spool.drop_from(at)
        else:
            kept.append((at, piece))
    assert [spool.get(at) for at, _ in kept] == [piece for _, piece in kept]
    spool.close()
