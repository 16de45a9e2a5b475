"""Promise 1, nothing lost and nothing doubled: kills at every journal step, and faults of every kind on every write."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence, Set
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from pipedrive_cli.delivery.journal import Journal
from pipedrive_cli.errors import StopRun
from pipedrive_cli.sandbox.distortions import DISTORTIONS
from pipedrive_cli.sandbox.faults import EFFECTS
from tests.examples import every
from tests.harness import Event, Killed, Scene, identify, killed_at, options, ordered, outcomes, track, with_delivery
from tests.run.events_of_all_kinds import ALL, FIRST, Contents, comparable

WRITES = (
    "POST /api/v2/persons",
    "POST /api/v2/organizations",
    "POST /api/v2/products",
    "POST /api/v1/leads",
    "PATCH /api/v2/persons/{id}",
    "PUT /api/v1/persons/{id}/merge",
)
ALIKE = {"502", "503", "504"}  # to a client these are a 500
STRIKES = [
    f"{effect}-{when}" if len(whens) > 1 else effect
    for effect, whens in EFFECTS.items()
    for when in whens
    if effect not in ALIKE
]
QUICK_STRIKES = {"500-before", "silence-after", "garbage-after"}  # those that are tried in a hurry, too
LOOKS = (
    "429",
    "429-daily",
    "500",
    "503",
    "garbage",
    "empty",
    "html403",
    "success-false",
    "reset",
    "silence",
    "refused",
)
QUICK_LOOKS = {"silence"}
LOOKED_AT = (
    "GET /api/v2/persons*",
    "GET /api/v2/organizations*",
    "GET /api/v2/products*",
    "GET /api/v1/leads",
    "GET /api/v1/leads/archived",
    "GET /api/v2/dealFields",
)


def prepared(folder: Path, *, lookahead: int, new_journal: bool = False) -> Scene:
    """An account that an earlier run has brought two persons to."""
    folder.mkdir()
    scene = Scene(folder, config=with_delivery(lookahead=lookahead))
    scene.run(FIRST)
    if new_journal:
        scene.state = folder / "another.sqlite"
    return scene


@cache
def undisturbed(lookahead: int) -> Contents:
    """What the CRM holds after a run that nothing disturbs."""
    with TemporaryDirectory() as folder:
        scene = prepared(Path(folder) / "undisturbed", lookahead=lookahead)
        summary = scene.run(ALL)
    assert outcomes(summary) == {"delivered": len(ALL) - 2, "duplicate": 2}
    return comparable(scene.contents())


@pytest.mark.campaign
@pytest.mark.parametrize(
    "kept",
    [pytest.param(False, id="before the commit", marks=pytest.mark.slow), pytest.param(True, id="after the commit")],
)
@pytest.mark.parametrize(
    ("lookahead", "new_journal", "step"),
    [
        pytest.param(100_000, False, every(3), id="folded"),
        pytest.param(1, False, every(13), id="one by one", marks=pytest.mark.slow),
        pytest.param(3, True, every(8), id="new journal", marks=pytest.mark.slow),
    ],
)
def test_killed_at_any_journal_step_a_later_run_completes_the_work(
    tmp_path: Path, lookahead: int, new_journal: bool, step: int, kept: bool
) -> None:
    """The process dies at one of its transactions after the other; run again, and the CRM is as if nothing happened."""
    wanted = undisturbed(lookahead)
    for commit in range(1 + kept, 1000, step):
        scene = prepared(tmp_path / str(commit), lookahead=lookahead, new_journal=new_journal)
        try:
            with killed_at(commit, kept=kept):
                scene.run(ALL)
        except Killed:
            summary = scene.run(ALL)
            assert comparable(scene.contents()) == wanted, f"killed at transaction {commit}"
            assert summary.exit_code == 0, f"killed at transaction {commit}: {summary.problems}"
            continue
        assert commit > 15  # the last one had no transaction left to die at
        return


@pytest.mark.campaign
@pytest.mark.parametrize("existing", ["fill", pytest.param("newest", marks=pytest.mark.slow)])
def test_values_of_a_run_that_died_are_still_known_to_be_ours(tmp_path: Path, existing: str) -> None:
    """They are not taken for somebody else's, which `existing` would protect from the next event."""
    events = [identify("u1", 1, name="Ann", role="one"), identify("u1", 2, role="two")]
    for commit in range(1, 100, every(3)):
        (tmp_path / str(commit)).mkdir()
        scene = Scene(tmp_path / str(commit), config=with_delivery(existing=existing))
        try:
            with killed_at(commit, kept=False):
                scene.run(events[:1])
                scene.run(events)
        except Killed:
            scene.run(events)
        else:
            assert commit > 5
            return
        assert scene.contents()["persons"][0]["custom_fields"]["Role"] == "two", f"killed at transaction {commit}"


# The look-ahead, and at which requests the fault strikes.
WAYS = {"one by one": (1, "#1"), "folded": (100_000, "#1-3")}


def paired(names: Sequence[str], others: Iterable[str], quick: Set[str], step: int) -> list[Any]:
    """Each name with one of `step` others in turn; those that are quick with all of them, and the rest is slow."""
    return [
        pytest.param(name, other, marks=() if name in quick else pytest.mark.slow)
        for number, name in enumerate(names)
        for place, other in enumerate(others)
        if name in quick or (number + place) % every(step) == 0
    ]


@pytest.mark.campaign
@pytest.mark.parametrize(("strike", "way"), paired(STRIKES, WAYS, QUICK_STRIKES, 2))
def test_no_fault_of_a_write_loses_or_doubles_a_record(tmp_path: Path, strike: str, way: str) -> None:
    """Each kind of fault on each kind of write, once or three times in a row, before the work and after it."""
    lookahead, count = WAYS[way]
    struck(tmp_path / "account", [f"{strike}@{write}{count}" for write in WRITES], lookahead)


@pytest.mark.campaign
@pytest.mark.parametrize(("write", "way"), paired(WRITES, WAYS, frozenset(), 2))
def test_no_fault_of_one_write_alone_does_either(tmp_path: Path, write: str, way: str) -> None:
    """Where only one kind goes wrong, and the others that need it go on."""
    lookahead, count = WAYS[way]
    for strike in QUICK_STRIKES:
        struck(tmp_path / strike, [f"{strike}@{write}{count}"], lookahead)


def struck(folder: Path, faults: list[str], lookahead: int) -> None:
    """Runs until the faults are used up, and once more: the account is as if there had been none."""
    scene = prepared(folder, lookahead=lookahead)
    scene.faults(",".join(faults))
    for _ in faults:
        if scene.run(ALL).exit_code == 0:
            break
    scene.faults("")
    summary = scene.run(ALL)
    assert comparable(scene.contents()) == undisturbed(lookahead), faults
    assert summary.exit_code == 0, summary.problems


@pytest.mark.campaign
@pytest.mark.parametrize(("fault", "look"), paired(LOOKS, LOOKED_AT, QUICK_LOOKS, 3))
def test_a_look_up_that_fails_creates_nothing(tmp_path: Path, fault: str, look: str) -> None:
    """*Could not look* is not *not found*: with a new journal, nothing that is there is made again."""
    scene = Scene(tmp_path)
    scene.run(ALL)
    before = scene.contents()
    scene.state = tmp_path / "another.sqlite"
    scene.faults(f"{fault}@{look}")
    scene.run(ALL)
    assert [call for call in scene.writes if call.startswith("POST")] == []
    assert scene.contents() == before
    scene.faults("")
    assert scene.run(ALL).exit_code == 0
    assert scene.contents() == before


@pytest.mark.slow
def test_a_listing_that_breaks_off_is_no_complete_listing(tmp_path: Path) -> None:
    """When the second page cannot be had, whoever stood there is not made again, and the rest is found later."""
    scene = Scene(tmp_path)
    events = [identify(f"u{n}", name=f"N{n}") for n in range(600)]
    scene.run(events)
    scene.state = tmp_path / "another.sqlite"
    scene.faults("500@GET /api/v2/persons#2-99,500@GET /api/v2/persons/search")
    scene.run(events)
    assert scene.writes == []
    scene.faults("")
    assert scene.run(events).exit_code == 0
    assert len(scene.contents()["persons"]) == 600


@pytest.mark.parametrize("kind", ["person", "lead", "product"])
def test_what_is_in_doubt_is_not_made_by_the_next_event_either(tmp_path: Path, kind: str) -> None:
    """A creation is lost and cannot be looked for; later events of the same record settle it first."""
    scene = Scene(tmp_path, config=with_delivery(lookahead=1))
    several: dict[str, list[Event]] = {
        "person": [identify("u1", n, role=f"r{n}") for n in range(1, 5)],
        "lead": [track("u1", "Signed Up", n, message_id="m-same") for n in range(1, 5)],
        "product": [ordered("u1", [{"name": "Chair", "price": n}], n, currency="EUR") for n in range(1, 5)],
    }
    path = {"person": "/api/v2/persons", "lead": "/api/v1/leads", "product": "/api/v2/products"}[kind]
    if kind == "lead":
        scene.run([identify("u1", 0, name="Ann"), track("u1", "Earlier", 0)])
    # The listing at the start succeeds; from the lost creation on it fails for longer than one call has patience.
    scene.faults(f"reset-after@POST {path}#1,500@GET {path}#2-9,500@GET {path}/search#2-9")
    scene.run(several[kind])
    scene.faults("")
    summary = scene.run(several[kind])
    assert summary.exit_code == 0
    contents = scene.contents()
    names = [row["title"] for row in contents["leads"] if row["origin_id"] == "m-same"]
    assert len({"person": contents["persons"], "lead": names, "product": contents["products"]}[kind]) == 1


def test_a_storm_of_faults_ends_with_the_same_records(tmp_path: Path) -> None:
    """A quarter of all requests goes wrong in every way there is; a few runs later all is there once."""
    scene = Scene(tmp_path, config=with_delivery(lookahead=40, max_attempts=4))
    events = _crowd(150)
    calm = tmp_path / "calm"
    calm.mkdir()
    other = Scene(calm, config=with_delivery(lookahead=40))
    other.run(events)
    tame = {
        "429-daily",
        "slow",
        *DISTORTIONS,
    }  # they end a run, break nothing, or lie
    effects = [effect for effect in STRIKES if effect not in tame and not effect.startswith("html403")]
    wild = ",".join(f"{effect}:{0.25 / len(effects):.4f}" for effect in effects)
    for seed in range(6):
        scene.faults(wild if seed < 5 else "", seed)
        scene.run(events)
    assert comparable(scene.contents()) == comparable(other.contents())
    assert outcomes(scene.run(events)) == {"duplicate": len(events)}


def test_the_second_of_two_lost_answers_is_settled_by_the_next_run(tmp_path: Path) -> None:
    """What a dead run left open is settled before anything else, and its writes are then no longer open."""
    scene = Scene(tmp_path)
    scene.faults("silence-after@POST /api/v2/persons")
    with killed_at(5, kept=True), pytest.raises(Killed):
        scene.run([identify(f"u{n}", name=f"N{n}") for n in range(10)])
    scene.faults("")
    summary = scene.run([identify(f"u{n}", name=f"N{n}") for n in range(10)])
    assert scene.names("persons") == sorted(f"N{n}" for n in range(10))
    assert summary.exit_code == 0
    journal = Journal.open(scene.state)
    assert journal.open_writes() == []
    journal.close()


def test_a_search_index_that_trails_does_not_double_anybody(tmp_path: Path) -> None:
    """A person made a moment ago is known from the journal, however long the search index takes."""
    scene = Scene(tmp_path, options(search_lag=3600.0), config=with_delivery(lookahead=1))
    scene.run([identify("u1", 1, name="Ann"), identify("u1", 2, role="dev"), track("u1", "Signed Up", 3)])
    scene.run([identify("u1", 4, city="Rome")])
    assert len(scene.contents()["persons"]) == 1


def test_an_interruption_finishes_what_is_in_flight_and_says_what_is_left(tmp_path: Path) -> None:
    """After `stop` nothing new is sent, what was sent is recorded, and a later run does the rest."""
    scene = Scene(tmp_path, options(latency=1.0), config=with_delivery(concurrency=4))
    events = _crowd(40)
    why = StopRun("interrupted", code="interrupted", exit_code=130)

    async def in_a_while() -> None:
        await asyncio.sleep(14.5)
        scene.last.stop(why)

    tasks: list[asyncio.Task[None]] = []

    async def watched() -> None:
        tasks.append(asyncio.get_running_loop().create_task(in_a_while()))

    summary = scene.run(events, before=lambda job: setattr(job, "watch", _watching(watched)))
    assert (summary.exit_code, summary.status, summary.reason) == (130, "stopped", "interrupted")
    assert summary.events.delivered > 0
    assert summary.events.pending > 0
    journal = Journal.open(scene.state)
    assert journal.open_writes() == []
    journal.close()
    assert scene.run(events).exit_code == 0
    assert len(scene.contents()["leads"]) == 20


def _crowd(number: int) -> list[Event]:
    """So many events about half as many persons and leads."""
    made: Iterable[list[Event]] = (
        [identify(f"u{n}", 2 * n, name=f"N{n}", role=f"r{n}"), track(f"u{n}", f"Lead {n}", 2 * n + 1)]
        for n in range(number // 2)
    )
    return [each for pair in made for each in pair]


def _watching(begin: object) -> object:
    import contextlib
    from collections.abc import AsyncIterator

    @contextlib.asynccontextmanager
    async def watch(_: object) -> AsyncIterator[None]:
        assert callable(begin)
        await begin()
        yield

    return watch
