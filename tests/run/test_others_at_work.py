"""An account where others work: people and another tool change records between the runs and while they are under way.

Runs are undone, and events fill fields that the mapping gets later. What must hold: no delivered value is lost save to
a later event or a person's hand; no two living records of one key that we made; each event one outcome; a preview shows
what the run then does; the same command again sends nothing.

`python tests/benchmarks/bench_others.py` looks for what breaks it, in as many examples as one has time for.
"""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, ClassVar

import msgspec
import pytest
from hypothesis import HealthCheck, note, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from pipedrive_cli import virtual_time
from pipedrive_cli.config import Config
from pipedrive_cli.delivery.journal import Journal
from pipedrive_cli.errors import StopRun
from pipedrive_cli.events.identity import digest
from pipedrive_cli.report.summary import Summary
from pipedrive_cli.run.preview import Preview, PreviewOptions
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
    options,
    outcomes,
    track,
    viewed,
    with_delivery,
    with_identity,
)

USERS = ("a", "b", "c")
GROUPS = ("g1", "g2")
CODES = ("p1", "p2")
KEYS = {"persons": "User id", "organizations": "Group id"}
VALUES = ("Role", "City")
EFFECTS = ("429", "500-before", "500-after", "reset-after", "silence-after", "garbage-after")

Act = Callable[["Others"], None]


class Others:
    """Those who work in the account beside us. `touched` is what of ours they have had their hands on."""

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        self.touched: set[tuple[str, str]] = set()  # user and field
        self.keys: Counter[tuple[str, str]] = Counter()  # keys that they gave to records
        self.costs: dict[int, dict[str, int]] = {}  # of products' prices, by currency
        self.number = 0

    def rows(self, kind: str) -> list[dict[str, Any]]:
        return self.scene.sandbox.contents(ids=True)[kind]

    def one(self, kind: str, which: int) -> dict[str, Any] | None:
        """One of the living records of a kind."""
        rows = self.rows(kind)
        return rows[which % len(rows)] if rows else None

    def touch(self, row: dict[str, Any], *names: str) -> None:
        """A person's hand was on these fields of the record; without names on all of it."""
        user = row["custom_fields"].get("User id")
        self.touched.update((str(user), name) for name in names or VALUES)

    def new(self) -> str:
        self.number += 1
        return f"hand-{self.number}"


def edits(name: str, which: int) -> Act:
    def act(others: Others) -> None:
        if (row := others.one("persons", which)) is not None:
            others.touch(row, name)
            others.scene.sandbox.set_value("persons", row["id"], others.scene.key("persons", name), others.new())

    return act


def empties(name: str, which: int) -> Act:
    def act(others: Others) -> None:
        if (row := others.one("persons", which)) is not None:
            others.touch(row, *((name,) if name in VALUES else ()))
            others.scene.sandbox.set_value("persons", row["id"], others.scene.key("persons", name), None)

    return act


def rekeys(which: int, user: str) -> Act:
    def act(others: Others) -> None:
        if (row := others.one("persons", which)) is not None:
            others.touch(row)
            others.touched.update((user, name) for name in VALUES)
            others.keys["persons", user] += 1
            others.scene.sandbox.set_value("persons", row["id"], others.scene.key("persons", "User id"), user)

    return act


def deletes(kind: str, which: int) -> Act:
    def act(others: Others) -> None:
        if (row := others.one(kind, which)) is not None:
            if kind == "persons":
                others.touch(row)
            others.touched.add((str(row.get("code")), "prices"))
            others.scene.sandbox.delete_record(kind, row["id"])

    return act


def merges(kind: str, which: int, other: int) -> Act:
    def act(others: Others) -> None:
        loser, survivor = others.one(kind, which), others.one(kind, other)
        if loser is None or survivor is None or loser["id"] == survivor["id"]:
            return
        if kind == "persons":
            others.touch(loser)
            others.touch(survivor)
            # The survivor takes the other's key where it has none.
            others.keys["persons", str(loser["custom_fields"].get("User id"))] += 1
        else:
            others.keys["organizations", str(loser["custom_fields"].get("Group id"))] += 1
        others.scene.sandbox.merge_records(kind, loser["id"], survivor["id"])

    return act


def archives(which: int) -> Act:
    def act(others: Others) -> None:
        if (row := others.one("leads", which)) is not None and not row.get("is_archived"):
            others.scene.sandbox.archive_lead(row["id"])

    return act


def creates(kind: str, key: str | None) -> Act:
    """Another tool makes a record: with our key, or with an email that events have, or a name."""

    def act(others: Others) -> None:
        body: dict[str, Any] = {"name": others.new()}
        if kind == "persons":
            body["emails"] = [{"value": "shared@b.test"}]
        if key is not None:
            others.keys[kind, key] += 1
            others.touched.update((key, name) for name in VALUES)
            body["custom_fields"] = {others.scene.key(kind, KEYS[kind]): key}
        others.scene.sandbox.add_record(kind, body)

    return act


def recodes(which: int, code: str) -> Act:
    """A product gets another code, perhaps another one's."""

    def act(others: Others) -> None:
        if (row := others.one("products", which)) is not None:
            others.touched.update((each, "prices") for each in (row["code"], code))
            others.keys["products", code] += 1
            others.scene.sandbox.set_value("products", row["id"], "code", code)

    return act


def costs(which: int) -> Act:
    """Somebody writes beside each price what the product costs."""

    def act(others: Others) -> None:
        if (row := others.one("products", which)) is not None and row["prices"]:
            others.number += 1
            rows = [{**price, "cost": others.number} for price in row["prices"]]
            others.costs[row["id"]] = {price["currency"]: others.number for price in rows}
            others.scene.sandbox.set_value("products", row["id"], "prices", rows)

    return act


NUMBERS = st.integers(0, 5)
ACTS: st.SearchStrategy[Act] = st.one_of(
    st.builds(edits, st.sampled_from(VALUES), NUMBERS),
    st.builds(empties, st.sampled_from(["User id", *VALUES]), NUMBERS),
    st.builds(rekeys, NUMBERS, st.sampled_from([*USERS, "z"])),
    st.builds(deletes, st.sampled_from(["persons", "organizations", "products", "leads"]), NUMBERS),
    st.builds(merges, st.sampled_from(["persons", "organizations"]), NUMBERS, NUMBERS),
    st.builds(archives, NUMBERS),
    st.builds(recodes, NUMBERS, st.sampled_from([*CODES, "p9"])),
    st.builds(costs, NUMBERS),
    st.builds(creates, st.just("persons"), st.none() | st.sampled_from(USERS)),
    st.builds(creates, st.just("organizations"), st.none() | st.sampled_from(GROUPS)),
)


@st.composite
def events_of(draw: st.DrawFn, number: int) -> Event:
    """One event that says something of its own at a time of its own."""
    kind = draw(st.sampled_from(["identify", "identify", "identify", "group", "track", "viewed", "alias"]))
    time, user = draw(st.integers(0, 20)) * 1000 + number, draw(st.sampled_from(USERS))
    if kind == "alias":
        return alias(f"old-{user}", user, time)
    if kind == "group":
        return group(user, draw(st.sampled_from(GROUPS)), time, industry=f"i{number}")
    if kind == "track":
        return track(user, f"Lead {number}", time, rating=str(number))
    if kind == "viewed":
        currency = draw(st.sampled_from(["EUR", "USD"]))
        return viewed(user, draw(st.sampled_from(CODES)), time, price=number, currency=currency)
    said = draw(
        st.fixed_dictionaries(
            {},
            optional={
                "role": st.just(f"r{number}"),
                "city": st.just(f"c{number}"),
                "name": st.just(f"N{number}"),
                "email": st.sampled_from([f"e{number}@b.test", "shared@b.test"]),
            },
        )
    )
    return identify(draw(st.sampled_from([user, user, f"old-{user}"])), time, **said)


class OthersAtWork(RuleBasedStateMachine):
    """Runs, and others between and during them."""

    begun: ClassVar[int] = 0  # examples, for whoever counts them
    runs: ClassVar[int] = 0
    acted: ClassVar[int] = 0
    undone: ClassVar[int] = 0

    def __init__(self) -> None:
        super().__init__()
        OthersAtWork.begun += 1
        self.folder = Path(tempfile.mkdtemp(prefix="others-"))
        self.scene = Scene(self.folder, options(search_lag=3.0))
        self.others = Others(self.scene)
        self.events: list[Event] = []
        self.ended: list[str] = []  # names of the runs that have ended
        self.short = False  # the mapping lacks a line
        self.delivery: dict[str, Any] = {}
        self.by_name: str | None = None

    # -- what happens

    @initialize(
        existing=st.sampled_from(["overwrite", "fill", "newest"]),
        contacts=st.sampled_from(["add", "replace"]),
        by_name=st.none() | st.just("name"),
    )
    def begins(self, existing: str, contacts: str, by_name: str | None) -> None:
        """With some config."""
        self.delivery = {"existing": existing, "contacts": contacts}
        self.by_name = by_name

    @rule(acts=st.lists(ACTS, min_size=1, max_size=3))
    def others_work(self, acts: list[Act]) -> None:
        """Between the runs."""
        for act in acts:
            self._act(act)

    def _act(self, act: Act) -> None:
        OthersAtWork.acted += 1
        act(self.others)

    @rule(
        data=st.data(),
        count=st.integers(1, 6),
        lookahead=st.sampled_from([1000, 1, 3]),
        effects=st.lists(st.sampled_from(EFFECTS), max_size=3, unique=True),
        seed=st.integers(0, 1000),
        kill=st.none() | st.integers(1, 25),
        kept=st.booleans(),
        during=st.lists(st.tuples(st.integers(1, 12), ACTS), max_size=2),
        order=st.randoms(use_true_random=False),
    )
    def replays(
        self,
        data: st.DataObject,
        count: int,
        lookahead: int,
        effects: list[str],
        seed: int,
        kill: int | None,
        kept: bool,
        during: list[tuple[int, Act]],
        order: Any,
    ) -> None:
        """A run over old and new events in any order, with faults, a kill, and others at work while it goes on."""
        for _ in range(count):
            number = len(self.events)
            self.events.append(data.draw(events_of(number)) | {"messageId": f"m-{number}"})
        some = list(self.events)
        order.shuffle(some)
        self.scene.config = self._config(lookahead=lookahead, max_attempts=3)
        self.scene.faults(",".join(f"{effect}:0.05" for effect in effects), seed)
        try:
            with self._others_during(during):
                if kill is None:
                    self._run(some)
                else:
                    with killed_at(kill, kept=kept):
                        self._run(some)
        except Killed:
            note("killed")
        finally:
            self.scene.faults("")

    @rule()
    def the_mapping_changes(self) -> None:
        """A line is added, or taken out."""
        self.short = not self.short

    @rule(
        kill=st.none() | st.integers(1, 15),
        kept=st.booleans(),
        during=st.lists(st.tuples(st.integers(1, 12), ACTS), max_size=1),
    )
    def refills(self, kill: int | None, kept: bool, during: list[tuple[int, Act]]) -> None:
        """All events once more, for what the mapping has got since."""
        self.scene.config = self._config()
        with suppress(Killed), self._others_during(during), killed_at(kill or 10_000, kept=kept):
            self._run(self.events, refill=True)

    @rule(
        which=NUMBERS,
        effects=st.lists(st.sampled_from(EFFECTS), max_size=2, unique=True),
        kill=st.none() | st.integers(1, 8),
        kept=st.booleans(),
    )
    def undoes(self, which: int, effects: list[str], kill: int | None, kept: bool) -> None:
        """One of the runs, however long ago it was."""
        if not self.ended:
            return
        OthersAtWork.undone += 1
        self.scene.wait(5)  # Pipedrive's times are whole seconds
        self.scene.config = self._config()
        self.scene.faults(",".join(f"{effect}:0.05" for effect in effects), which)
        try:
            with suppress(Killed), killed_at(kill or 10_000, kept=kept):
                result = self.scene.undo(self.ended[which % len(self.ended)])
                note(f"undone: {result.deleted} {result.restored} {result.kept} {result.stopped}")
        except StopRun as stop:
            note(f"{stop}")
        finally:
            self.scene.faults("")

    def _config(self, **delivery: Any) -> Config:
        config = with_identity(with_delivery(**self.delivery, **delivery), match_organizations=self.by_name)
        if not self.short:
            return config
        return msgspec.structs.replace(config, fields=msgspec.structs.replace(config.fields, persons={"role": "Role"}))

    @contextmanager
    def _others_during(self, during: list[tuple[int, Act]]) -> Iterator[None]:
        """Somebody acts just before a run's request of each number is carried out."""
        waiting = sorted(during, key=lambda pair: pair[0])
        real, seen = self.scene.sandbox._dispatch, [0]

        def dispatch(*call: Any) -> Any:
            seen[0] += 1
            while waiting and waiting[0][0] <= seen[0]:
                self._act(waiting.pop(0)[1])
            return real(*call)

        self.scene.sandbox._dispatch = dispatch  # type: ignore[assignment,method-assign]  # people work in it
        try:
            yield
        finally:
            del self.scene.sandbox._dispatch

    def _run(self, events: list[Event], **more: Any) -> Summary:
        OthersAtWork.runs += 1
        summary = self.scene.run(events, **more)
        self.ended.append(summary.run)
        note(f"{outcomes(summary)} {summary.reason or ''}")
        return summary

    # -- what holds

    @invariant()
    def no_record_of_ours_is_there_twice(self) -> None:
        """Others may give a key to another record; we never do."""
        contents = self.scene.contents()
        ours: Counter[tuple[str, str]] = Counter()
        for kind, name in KEYS.items():
            ours.update((kind, row["custom_fields"][name]) for row in contents[kind] if row["custom_fields"].get(name))
        ours.update(("leads", row["origin_id"]) for row in contents["leads"])
        ours.update(("products", row["code"]) for row in contents["products"])
        ours.subtract(self.others.keys)
        assert {key: n for key, n in ours.items() if n > 1} == {}

    def teardown(self) -> None:
        """A run that nobody disturbs is foretold, completes the work, and leaves nothing to do."""
        try:
            if self.events:
                self._completed()
        finally:
            shutil.rmtree(self.folder)

    def _completed(self) -> None:
        self.short = False
        self.scene.config = self._config()
        self._run(self.events)  # settles what is in doubt, which no preview can foretell
        self._run(self.events, refill=True)  # what was handled under the shorter mapping
        for act in (creates("persons", None), edits("Role", 0)):
            self._act(act)
        self.events += self._last_events()
        foretold = self._previewed()
        last = self._run(self.events)
        note(f"foretold {outcomes(foretold)} {foretold.records}, done {outcomes(last)} {last.records}")
        assert outcomes(foretold) == outcomes(last)
        assert _written(foretold) == _written(last)
        assert set(outcomes(last)) <= {"delivered", "unchanged", "duplicate", "skipped", "rejected"}
        again = self._run(self.events)
        assert self.scene.writes == []
        assert outcomes(again).get("delivered", 0) == outcomes(again).get("unchanged", 0) == 0
        self.no_record_of_ours_is_there_twice()
        self._nothing_is_lost()

    def _last_events(self) -> list[Event]:
        """Something new of everything."""
        first = len(self.events)
        made = [
            *(identify(user, 30_000 + first + n, role=f"last-{user}") for n, user in enumerate(USERS)),
            identify("new", 30_010 + first, name="New", email="shared@b.test"),
            *(group(USERS[n], name, 30_020 + first + n, industry="last") for n, name in enumerate(GROUPS)),
            track("a", "Last lead", 30_030 + first, rating="5"),
            viewed("b", CODES[0], 30_040 + first, price=7, currency="EUR"),
        ]
        return [event | {"messageId": f"m-{number}"} for number, event in enumerate(made, first)]

    def _previewed(self) -> Summary:
        source = self.folder / "events.ndjson"
        source.write_bytes(lines(self.events))
        asked = PreviewOptions((str(source),), online=True, state=self.scene.state)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("pipedrive_cli.run.connection.to_account", lambda _: self.scene._connect())
            return virtual_time.run(Preview(self.scene.config, "config.yaml", asked).run())

    def _nothing_is_lost(self) -> None:
        """Each value that no hand has touched is that of the newest delivered event that says it. So are costs."""
        products = {row["id"]: row for row in self.scene.sandbox.contents(ids=True)["products"]}
        for record, costs in self.others.costs.items():
            if record in products and (str(products[record]["code"]), "prices") not in self.others.touched:
                now = {price["currency"]: price["cost"] for price in products[record]["prices"]}
                assert {currency: now.get(currency) for currency in costs} == costs
        wanted: dict[tuple[str, str], tuple[str, str]] = {}
        open_to: set[tuple[str, str]] = set()
        for event in self._handled():
            if event["type"] != "identify":
                continue
            for trait, name in (("role", "Role"), ("city", "City")):
                if trait in event["traits"]:
                    user = event["userId"]
                    if user.startswith("old-"):  # said after the alias it counts as the person's own, else below it
                        open_to.add((user.removeprefix("old-"), name))
                        continue
                    place, said = (user, name), (event["timestamp"], event["traits"][trait])
                    wanted[place] = max(wanted.get(place, said), said)
        persons = self.scene.contents()["persons"]
        held = {str(row["custom_fields"].get("User id")): row["custom_fields"] for row in persons}
        for (user, name), (_, value) in wanted.items():
            if (user, name) not in self.others.touched | open_to:
                assert held[user].get(name) == value, (user, name)

    def _handled(self) -> list[Event]:
        """The events that runs have called delivered or unchanged."""
        with contextlib.closing(Journal.open(self.scene.state)) as journal:
            keys = {digest(event["messageId"]): event for event in self.events}
            return [keys[key] for key in journal.recall(list(keys)).handled]


def _written(summary: Summary) -> dict[str, int]:
    """How many records of each kind are written.

    Not told apart: what is made anew, since a preview reads no record that is known only to see whether it lives.
    """
    kinds = msgspec.structs.asdict(summary.records)
    return {kind: counts.created + counts.updated for kind, counts in kinds.items()}


OthersAtWork.TestCase.settings = settings(
    max_examples=examples(30), stateful_step_count=6, suppress_health_check=[HealthCheck.too_slow]
)
TestOthersAtWork = pytest.mark.slow(OthersAtWork.TestCase)
