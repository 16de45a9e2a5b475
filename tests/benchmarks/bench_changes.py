"""Changing one's mind, measured: `python tests/benchmarks/bench_changes.py [refill|undo|cases [NUMBER [NUMBER]]]`.

`refill`: a new field over 100,000 events of 5,000 users, or as many as are named, that the account has. `undo`: 2,000
events on 300 persons that were there. `cases`: the generated stories of `tests/run/test_undo.py`, 1,000 unless named,
until one fails or the seconds (600) have passed. Exit code 1 where a target is missed or a story fails.
"""

from __future__ import annotations

import os
import sqlite3
import sys
import tempfile
import time
import traceback
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))
os.environ.setdefault("HYPOTHESIS_PROFILE", "long")

import msgspec  # noqa: E402 - the path comes first
from hypothesis import HealthCheck, settings  # noqa: E402
from measuring import Account, config, event_file, told  # noqa: E402
from workload import Mix, events  # noqa: E402

from pipedrive_cli.config import Config  # noqa: E402
from pipedrive_cli.report.summary import Summary  # noqa: E402
from tests.harness import Scene, group, identify, track, viewed  # noqa: E402
from tests.run import test_undo  # noqa: E402

AT_ONCE = 10  # stories between two looks at the clock
STORIES = (
    "test_an_undo_loses_nothing_of_others_and_nothing_without_a_word",
    "test_after_an_undo_and_a_mended_mapping_a_replay_is_that_of_a_first_run",
)


def refill(folder: Path, number: int = 100_000, users: int = 5_000) -> bool:
    """One PATCH for each person that lacks a value, and nothing else; again nothing."""
    source = event_file(folder / "big.ndjson", events(Mix(number, users)))
    account, state = Account(), folder / "journal.sqlite"
    account.replay(source, _with(config(), role="Role"), state)
    lacking = sum("Plan" not in row["custom_fields"] for row in account.sandbox.contents()["persons"])
    began = time.monotonic()
    summary = account.replay(source, config(), state, refill=True)
    took = time.monotonic() - began
    still = sum("Plan" not in row["custom_fields"] for row in account.sandbox.contents()["persons"])
    writes, filled = _writes(summary), lacking - still
    patches = writes.pop("PATCH /api/v2/persons/{id}", 0)
    share = patches / max(1, filled)
    told(
        f"refill of one field, {number:,} events of {users:,} users",
        f"{share:.3f} PATCHes a person",
        "1.05",
        share <= 1.05,
    )
    told("its other writes", f"{sum(writes.values())}", "0", not writes)
    told("what it takes", f"{took:.0f} s, {summary.tokens.spent:,} tokens for {filled:,} persons", "none", True)
    again = account.replay(source, config(), state, refill=True)
    told("the same refill again", f"{sum(_writes(again).values())} writes", "0", not _writes(again))
    return share <= 1.05 and not writes and not _writes(again)


def undo(folder: Path) -> bool:
    """300 persons that are there, and a run of 2,000 events that changes them and makes records."""
    scene = Scene(folder)
    scene.run([identify(f"u{n}", n, name=f"Person {n}", role="dev", email=f"u{n}@b.test") for n in range(300)])
    before, size = scene.contents(), _pages(scene.state)
    wrong = [
        *(
            identify(f"u{n % 300}", 1_000 + n, role=f"r{n}", city="Cork", email=f"more{n % 300}@b.test")
            for n in range(900)
        ),
        *(track(f"u{n % 300}", "Demo", 2_000 + n, rating="5") for n in range(500)),
        *(identify(f"new{n}", 3_000 + n, name=f"New {n}", role="dev") for n in range(400)),
        *(group(f"new{n}", f"g{n}", 4_000 + n, name=f"Org {n}") for n in range(100)),
        *(viewed(f"u{n}", f"p{n}", 5_000 + n, name=f"Bike {n}", price=n, currency="EUR") for n in range(100)),
    ]
    run = scene.run(wrong).run
    kept = _kept_for_undo(scene.state, run)
    tokens = scene.sandbox.tokens_spent
    result = scene.undo(run)
    spent = scene.sandbox.tokens_spent - tokens
    deleted, restored = Counter(result.deleted), result.restored.total()
    leads = deleted.pop("leads", 0)
    created = sum(deleted.values())
    as_before = scene.contents() == before
    told("undo of 2,000 events", f"{created} records, {leads} leads, {restored} updates", "", True)
    told("the account afterwards", "as before" if as_before else "another", "as before", as_before)
    told("what is kept", f"{len(result.kept)}", "0", not result.kept)
    allowed, fixed = 3.2 * created + 6.2 * leads + 6 * restored, 232
    told("its tokens", f"{spent:,}", f"{allowed:,.0f} and {fixed} for looking", spent <= allowed + fixed)
    told("the journal's rows of values before", f"{kept[0]} of {restored} updates", "as many", kept[0] == restored)
    states = kept[2]
    told("their size", f"{kept[1]:,} bytes", f"that of their states and values, {states:,}", kept[1] <= states)
    told("the journal before the run", f"{size:,} bytes", "none", True)
    return as_before and not result.kept and spent <= allowed + fixed and kept[0] == restored


def cases(number: int = 1_000, seconds: float = 600.0) -> bool:
    """New stories in every run."""
    began, done = time.monotonic(), 0
    chosen = settings(max_examples=AT_ONCE, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    while done < number and time.monotonic() - began < seconds:
        for name in STORIES:
            story: Any = getattr(test_undo, name)
            story._hypothesis_internal_use_settings = chosen
            try:
                story()
            except BaseException:  # noqa: BLE001 - whatever it is, it is a finding; Ctrl-C has its figures too
                traceback.print_exc()
                told("stories of an undo", f"one of {done + AT_ONCE} failed", "none", False)
                return False
            done += AT_ONCE
    told("stories of an undo", f"{done} in {time.monotonic() - began:.0f} s, none failed", f"{number}", True)
    return True


def _with(given: Config, **persons: str) -> Config:
    fields = msgspec.structs.replace(given.fields, persons=persons)
    return msgspec.structs.replace(given, fields=fields)


def _writes(summary: Summary) -> dict[str, int]:
    return {label: n for label, n in summary.requests.by_endpoint.items() if not label.startswith("GET ")}


def _pages(journal: Path) -> int:
    with closing(sqlite3.connect(journal)) as db:
        (pages,), (size,) = db.execute("PRAGMA page_count").fetchone(), db.execute("PRAGMA page_size").fetchone()
    return int(pages * size)


def _kept_for_undo(journal: Path, run: str) -> tuple[int, int, int]:
    """Of the rows that a run kept for its undo: how many, their bytes, and those of the states of the same records."""
    with closing(sqlite3.connect(journal)) as db:
        (number,) = db.execute("SELECT number FROM runs WHERE name = ?", (run,)).fetchone()
        rows = "SELECT kind, id, packed FROM befores WHERE run = ?"
        count, size = db.execute(f"SELECT count(*), sum(length(packed)) FROM ({rows})", (number,)).fetchone()
        states = f"SELECT sum(length(state)) FROM states JOIN ({rows}) USING (kind, id)"
        (of_states,) = db.execute(states, (number,)).fetchone()
    return int(count), int(size or 0), int(of_states or 0)


def main(*arguments: str) -> int:
    """What is named, or all."""
    numbers = [int(each) for each in arguments if each.isdigit()]
    names = [each for each in arguments if not each.isdigit()] or ["refill", "undo", "cases"]
    good = True
    for name in names:
        with tempfile.TemporaryDirectory() as folder:
            if name == "cases":
                good = cases(*numbers) and good
            else:
                good = (undo(Path(folder)) if name == "undo" else refill(Path(folder), *numbers)) and good
    return int(not good)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
