"""The way in: which events are taken up, and when a window is full."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from pipedrive_cli.delivery.journal import Journal
from pipedrive_cli.model import Event, Outcome
from pipedrive_cli.run.options import Filters, passes
from pipedrive_cli.run.spool import Spool
from pipedrive_cli.transform.transform import kinds_of
from tests.harness import Scene, identify, lines, track, with_delivery

NOON = 1_772_366_400_000_000


def made(kind: str = "track", **more: object) -> Event:
    values: dict[str, object] = {"identity": "m", "type": kind, "time": NOON, "user_id": "u1", "name": "Signed Up"}
    return Event(**{**values, **more})  # type: ignore[arg-type]  # the values are those of an event


@pytest.mark.parametrize(
    ("filters", "through"),
    [
        (Filters(), True),
        (Filters(since=NOON), True),
        (Filters(since=NOON + 1), False),
        (Filters(until=NOON + 1), True),
        (Filters(until=NOON), False),
        (Filters(types=frozenset({"identify"})), False),
        (Filters(types=frozenset({"identify", "track"})), True),
        (Filters(names=frozenset({"signed up"})), True),
        (Filters(names=frozenset({"signed"})), False),
        (Filters(users=frozenset({"u1"})), True),
        (Filters(users=frozenset({"u2"})), False),
        (Filters(users=frozenset({"u1"}), types=frozenset({"alias"})), False),
    ],
)
def test_filters_are_half_open_and_all_of_them_must_hold(filters: Filters, through: bool) -> None:
    """`since` lets its own moment in, `until` does not; one that does not hold is enough to be left out."""
    assert passes(made(), filters) is through


def test_an_event_without_a_time_is_in_no_time_range() -> None:
    """Neither after something nor before it."""
    assert not passes(made(time=None), Filters(since=0))
    assert not passes(made(time=None), Filters(until=NOON))
    assert passes(made(time=None), Filters(types=frozenset({"track"})))


def test_an_anonymous_id_is_a_user_too() -> None:
    """`--user` finds events by either id."""
    assert passes(made(user_id=None, anonymous_id="a1"), Filters(users=frozenset({"a1"})))
    assert not passes(made(user_id=None), Filters(users=frozenset({"a1"})))


def test_only_what_events_need_is_asked_of_the_account() -> None:
    """A product asks nothing of persons, a page nothing at all."""
    assert kinds_of(made(name="Product Viewed")) == kinds_of(made(name="ORDER COMPLETED")) == {"products"}
    assert kinds_of(made()) == {"persons", "leads"}
    assert kinds_of(made("group")) == {"persons", "organizations"}
    assert kinds_of(made("identify")) == kinds_of(made("alias")) == {"persons"}
    assert kinds_of(made("page")) == set()


@pytest.mark.parametrize(("lookahead", "writes"), [(1, 4), (2, 2), (100_000, 1)])
def test_the_lookahead_bounds_what_is_folded(
    tmp_path_factory: pytest.TempPathFactory, lookahead: int, writes: int
) -> None:
    """1 sends event by event; the more is read ahead, the fewer writes."""
    scene = Scene(tmp_path_factory.mktemp("scene"), config=with_delivery(lookahead=lookahead))
    scene.run([identify("u1", n, role=f"r{n}") for n in range(4)])
    assert len(scene.writes) == writes
    assert scene.contents()["persons"][0]["custom_fields"]["Role"] == "r3"


def test_a_run_that_stops_while_reading_counts_only_what_it_read(tmp_path_factory: pytest.TempPathFactory) -> None:
    """The account cannot be asked for what the third event needs: two are pending, the others were not read."""
    scene = Scene(tmp_path_factory.mktemp("scene"))
    scene.faults("429-daily@GET /api/v2/dealFields")
    summary = scene.run([identify("u1"), identify("u2"), track("u1", "Signed Up"), identify("u3")])
    assert (summary.events.read, summary.events.pending, summary.input_complete) == (2, 2, False)


def test_bad_lines_take_no_room_however_many_there_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Their outcomes reach the journal while the run goes on, and their bytes leave the temporary file."""
    written: list[int] = []
    places: list[int] = []
    settle, add = Journal.settle_events, Spool.add

    def settling(
        journal: Journal, run: int, ended: Sequence[tuple[bytes, Outcome]], contents: Mapping[bytes, int]
    ) -> None:
        written.append(len(ended))
        settle(journal, run, ended, contents)

    def adding(spool: Spool, piece: bytes) -> int:
        places.append(add(spool, piece))
        return places[-1]

    monkeypatch.setattr("pipedrive_cli.run.intake.UNWRITTEN", 10)
    for block in ("BLOCK", "_PACKED_BLOCK"):
        monkeypatch.setattr(f"pipedrive_cli.events.unpack.{block}", 256)
    monkeypatch.setattr(Journal, "settle_events", settling)
    monkeypatch.setattr(Spool, "add", adding)
    good = lines([identify("u1", role="r")])
    summary = Scene(tmp_path).run(good + b'{"type": "identify"}\n' * 500)
    assert (summary.events.rejected, summary.events.delivered) == (500, 1)
    assert max(written) < 50
    assert max(places) < 1_000
