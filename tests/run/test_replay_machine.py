"""Promise 1 as one machine: whatever happens in whatever order, the same CRM, and each event one outcome."""

from __future__ import annotations

import shutil
import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, note, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, rule

from pipedrive_cli.report.summary import Summary
from pipedrive_cli.run.replay import Replay
from tests.examples import examples
from tests.harness import (
    Event,
    Killed,
    Scene,
    alias,
    group,
    identify,
    killed_at,
    lines,
    outcomes,
    track,
    viewed,
    with_delivery,
)
from tests.run.events_of_all_kinds import comparable

USERS = ("a", "b", "c", "d")
EFFECTS = (
    "429",
    "500-before",
    "500-after",
    "reset-before",
    "reset-after",
    "silence-before",
    "silence-after",
    "garbage-before",
    "garbage-after",
)
DONE = {"delivered", "unchanged", "duplicate", "skipped"}
KEYS = {"persons": "User id", "organizations": "Group id"}  # by these custom fields a record is known


@dataclass(frozen=True, slots=True)
class Way:
    """How one run goes: its lookahead, what the sandbox breaks, and where the process dies."""

    lookahead: int
    faults: str
    seed: int
    kill: int | None
    kept: bool


@st.composite
def ways(draw: st.DrawFn) -> Way:
    effects = draw(st.lists(st.sampled_from(EFFECTS), min_size=draw(st.sampled_from([1, 0])), max_size=4, unique=True))
    chance = draw(st.sampled_from([0.1, 0.15, 0.2])) / max(1, len(effects))
    return Way(
        lookahead=draw(st.sampled_from([1000, 1, 3])),
        faults=",".join(f"{effect}:{chance:.4f}" for effect in effects),
        seed=draw(st.integers(0, 1000)),
        kill=draw(st.none() | st.integers(1, 25)),
        kept=draw(st.booleans()),
    )


def said(number: int, same: str) -> st.SearchStrategy[dict[str, Any]]:
    """What an event may say of a person: values of its own, and some that other events say too."""
    return st.fixed_dictionaries(
        {},
        optional={
            "name": st.just(f"N{number}"),
            "first_name": st.just(f"F{number}"),
            "last_name": st.just(f"L{number}"),
            "role": st.sampled_from([f"r{number}", same]),
            "city": st.just(f"c{number}"),
            "email": st.sampled_from([f"e{number}@b.test", "shared@b.test"]),
            "phone": st.just(f"+1555{number:04d}"),
        },
    )


@st.composite
def events_of(draw: st.DrawFn, number: int, steps: dict[str, str]) -> Event:
    """The event number so and so. `steps` are the aliases there are: no previous id has two, and none is a circle."""
    kind = draw(st.sampled_from(["identify", "identify", "group", "track", "viewed", "alias"]))
    # Any time, but no other event's: ties go by the place in the input, which is what the machine varies.
    time = draw(st.integers(0, 20)) * 1000 + number
    user = draw(st.sampled_from(USERS))
    if kind == "alias":
        free = [(old, new) for old in USERS for new in USERS if old not in steps and old not in _path(new, steps)]
        if free:
            old, new = draw(st.sampled_from(free))
            steps[old] = new
            return alias(old, new, time)
    if kind == "group":
        about = draw(
            st.fixed_dictionaries({}, optional={"name": st.just(f"O{number}"), "industry": st.just(f"i{number}")})
        )
        made = group(draw(st.none() | st.just(user)), draw(st.sampled_from(["g1", "g2"])), time, **about)
        return made | {"context": {"traits": draw(said(number, "group"))}}
    if kind == "track":
        made = track(user, f"Lead {number}", time, rating=str(number))
        return made | {"context": {"traits": draw(said(number, "track"))}}
    if kind == "viewed":
        price = {"price": number, "currency": draw(st.sampled_from(["EUR", "USD"]))}
        about = draw(
            st.fixed_dictionaries({}, optional={"name": st.just(f"P{number}"), "brand": st.just(f"b{number}")})
        )
        return viewed(user, draw(st.sampled_from(["p1", "p2"])), time, **about, **draw(st.sampled_from([{}, price])))
    return identify(user, time, **draw(said(number, "identify")))


def _path(key: str, steps: dict[str, str]) -> list[str]:
    path = [key]
    while (step := steps.get(path[-1])) is not None:
        path.append(step)
    return path


class Replays(RuleBasedStateMachine):
    """Files appear and grow; runs over some of them go wrong in every way. What must hold stands at the end."""

    files = Bundle("files")

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="replays-"))
        self.inbox = self.folder / "inbox"
        self.inbox.mkdir()
        self.scene = Scene(self.folder)
        self.events: list[Event] = []
        self.written: dict[Path, list[Event]] = {}
        self.steps: dict[str, str] = {}

    # -- files

    @initialize(target=files, data=st.data(), count=st.integers(3, 10))
    def the_first_file(self, data: st.DataObject, count: int) -> Path:
        """Runs over nothing teach nothing."""
        return self._appended(self._new(), data, count)

    @rule(target=files, data=st.data(), count=st.integers(1, 6))
    def a_file(self, data: st.DataObject, count: int) -> Path:
        """A new file."""
        return self._appended(self._new(), data, count)

    @rule(path=files, data=st.data())
    def grows(self, path: Path, data: st.DataObject) -> None:
        """A file that may have been read gets more events."""
        self._appended(path, data, 1)

    def _new(self) -> Path:
        return self.inbox / f"{len(self.written)}.ndjson"

    def _appended(self, path: Path, data: st.DataObject, count: int) -> Path:
        for _ in range(count):
            if self.events and data.draw(st.integers(0, 9)) == 9:
                made = data.draw(st.sampled_from(self.events))
            else:
                number = len(self.events)
                made = data.draw(events_of(number, self.steps)) | {"messageId": f"m-{number}"}
                self.events.append(made)
            self.written.setdefault(path, []).append(made)
        path.write_bytes(lines(self.written[path]))
        return path

    # -- runs

    @rule(paths=st.lists(files, min_size=1, max_size=4, unique=True), way=ways())
    def replays(self, paths: list[Path], way: Way) -> None:
        """Some of the files, in some order."""
        self._run(way, sources=tuple(str(path) for path in paths))

    @rule(way=ways())
    def replays_the_folder(self, way: Way) -> None:
        """All files, as cron would; those that are known are passed over."""
        self._run(way, sources=(str(self.inbox),))

    @rule(way=ways())
    def retries(self, way: Way) -> None:
        """What earlier runs left, without the files."""
        self._run(way, sources=(), retry=True)

    def _run(self, way: Way, **asked: Any) -> None:
        self.scene.config = with_delivery(lookahead=way.lookahead, max_attempts=3)
        self.scene.faults(way.faults, way.seed)
        try:
            if way.kill is None:
                self._summary(self.scene, **asked)
            else:
                with killed_at(way.kill, kept=way.kept):
                    self._summary(self.scene, **asked)
        except Killed:
            note("killed")
        finally:
            self.scene.faults("")

    @staticmethod
    def _summary(scene: Scene, **asked: Any) -> Summary:
        """One run; the harness has checked that its summary adds up."""

        def before(job: Replay) -> None:
            job.options = replace(job.options, **asked)

        summary = scene.run(b"", before=before)
        note(f"{outcomes(summary)} {summary.reason or ''}")
        return summary

    # -- what holds

    @invariant()
    def nothing_is_there_twice(self) -> None:
        """Not even for the time being: one record per key."""
        contents = self.scene.contents()
        keys = [(kind, row["custom_fields"].get(name)) for kind, name in KEYS.items() for row in contents[kind]]
        keys += [("leads", row["origin_id"]) for row in contents["leads"]]
        keys += [("products", row["code"]) for row in contents["products"]]
        assert [key for key, times in Counter(keys).items() if times > 1 or key[1] is None] == []

    def teardown(self) -> None:
        """Undisturbed at last: one run completes the work, a second finds nothing to do."""
        try:
            if self.written:
                self._completed([str(path) for path in self.written])
        finally:
            shutil.rmtree(self.folder)

    def _completed(self, sources: Sequence[str]) -> None:
        calm = self.folder / "calm"
        calm.mkdir()
        other = Scene(calm)
        self.scene.config = other.config
        wanted = self._summary(other, sources=tuple(sources))
        rejected = {"rejected": wanted.events.rejected} if wanted.events.rejected else {}

        first = self._summary(self.scene, sources=tuple(sources))
        assert comparable(self.scene.contents()) == comparable(other.contents())
        assert set(outcomes(first)) <= DONE | set(rejected), first.problems
        # An alias of somebody unknown is rejected once; its link is kept, so that the next run finds both ids one.
        assert first.events.rejected <= wanted.events.rejected
        assert first.events.read == wanted.events.read == sum(map(len, self.written.values()))

        second = self._summary(self.scene, sources=tuple(sources))
        assert self.scene.writes == []
        assert set(outcomes(second)) <= {"duplicate", "skipped"} | set(rejected), second.problems


Replays.TestCase.settings = settings(
    max_examples=examples(30), stateful_step_count=6, suppress_health_check=[HealthCheck.too_slow]
)
TestReplays = Replays.TestCase
