"""Undo in an account where others work: generated runs, people and later runs between run and undo, and kills.

What must hold is read off four pictures of the account: before the run, after it, before the undo, and after it.

`python tests/benchmarks/bench_changes.py cases` tries as many examples as one has time for.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st

from pipedrive_cli import virtual_time
from pipedrive_cli.config import Config
from pipedrive_cli.delivery.undoing import KeptRecord
from pipedrive_cli.run.preview import Preview, PreviewOptions
from tests.examples import examples
from tests.harness import CONFIG, Event, Killed, Scene, identify, killed_after, killed_at, outcomes, viewed
from tests.run.test_others_at_work import ACTS, Act, Others, events_of

Picture = dict[tuple[str, Any], dict[str, Any]]  # (kind, id) -> the record's fields
SWAPPED = msgspec.structs.replace(
    CONFIG, fields=msgspec.structs.replace(CONFIG.fields, persons={"role": "City", "city": "Role"})
)
MADE_BY_PIPEDRIVE = {"update_time", "add_time", "first_name", "last_name", "is_archived"}


LINKS = ("person", "org", "organization")


def picture(scene: Scene) -> Picture:
    """All living records, with what their fields hold; of a link, whether there is one."""
    return {
        (kind, row["id"]): {
            **{
                name: bool(value) if name in LINKS else value
                for name, value in row.items()
                if name not in {"custom_fields", "id", *MADE_BY_PIPEDRIVE}
            },
            **row["custom_fields"],
        }
        for kind, rows in scene.sandbox.contents(ids=True).items()
        for row in rows
    }


def parts(name: str, value: Any) -> set[str]:
    """What a list is made of that a write replaces as a whole."""
    rows = value if isinstance(value, list) else []
    return {str(row.get("value") if name != "prices" else (row["currency"], row["price"])) for row in rows}


def theirs_is_kept(run: Picture, since: Picture, after: Picture) -> Iterator[str]:
    """What people and later runs have made or changed and that the undo has lost."""
    for record, fields in since.items():
        before = run.get(record)
        changed = {
            name for name in fields.keys() | (before or {}).keys() if fields.get(name) != (before or {}).get(name)
        }
        if before is not None and not changed:
            continue
        if (now := after.get(record)) is None:
            yield f"{record} is gone"
            continue
        for name in changed:
            if name in {"emails", "phones", "prices"}:
                had, has, gets = (parts(name, each.get(name)) for each in (before or {}, fields, now))
                if not has - had <= gets or (had - has) & gets:
                    yield f"{record} {name}: {had} -> {has}, and then {gets}"
            elif now.get(name) != fields.get(name):
                yield f"{record} {name}: {fields.get(name)!r} is {now.get(name)!r}"


def nothing_else_happened(
    start: Picture, run: Picture, since: Picture, after: Picture, kept: list[KeptRecord]
) -> Iterator[str]:
    """What the undo has done beside giving back, and what it has left without a word."""
    named = {(each.kind, each.id, each.field) for each in kept}
    whole = {(kind, record) for kind, record, field in named}
    yield from (f"{record} came from nowhere" for record in after.keys() - since.keys())
    yield from (f"{record} was there before the run" for record in start.keys() & since.keys() - after.keys())
    for record in after.keys() & start.keys():
        for name in after[record].keys() | start[record].keys():
            now, then, value = after[record].get(name), start[record].get(name), since[record].get(name)
            if now == then or name in {"emails", "phones", "prices"}:
                continue
            if now != value:
                yield f"{record} {name}: neither {then!r} nor {value!r} but {now!r}"
            elif record not in whole and run[record].get(name) != then:
                yield f"{record} {name}: {value!r} stays, and nobody says so"


def unlinked(start: Picture, since: Picture, after: Picture) -> Iterator[str]:
    """Records whose person or organization has gone."""
    for record, fields in after.items():
        for link in LINKS:
            if since[record].get(link) and not fields.get(link) and start.get(record, {}).get(link, True):
                yield f"{record} has lost its {link}"


@st.composite
def some_events(draw: st.DrawFn, first: int, most: int) -> list[Event]:
    """Events of their own numbers."""
    count = draw(st.integers(1, most))
    return [draw(events_of(first + n)) | {"messageId": f"m-{first + n}"} for n in range(count)]


class Story:
    """A first run, the run that is undone, and what happens until it is. `mapping` is that of the undone run."""

    def __init__(
        self,
        folder: Path,
        first: list[Event],
        wrong: list[Event],
        between: list[Act | list[Event]],
        mapping: Config = CONFIG,
    ) -> None:
        self.scene = Scene(folder)
        others = Others(self.scene)
        if first:
            self.scene.run(first)
        self.start = picture(self.scene)
        self.scene.config = mapping
        summary = self.scene.run(wrong)
        self.scene.config = CONFIG
        self.run, self.delivered = summary.run, outcomes(summary)
        self.after_run = picture(self.scene)
        self.scene.wait(5)  # Pipedrive's times are whole seconds
        for each in between:
            if isinstance(each, list):
                self.scene.run(each)
            else:
                each(others)
        self.since = picture(self.scene)


@pytest.mark.parametrize("kill", range(1, 6))
def test_what_a_killed_undo_has_taken_back_is_no_duplicate_for_the_next_replay(tmp_path: Path, kill: int) -> None:
    """Whoever replays instead of ending the undo gets what the events say."""
    scene = Scene(tmp_path)
    events = [identify("a", 1, name="Ada", city="Oslo"), viewed("a", "p1", 2, price=4, currency="EUR")]
    summary = scene.run(events)
    before = scene.contents()
    scene.wait(5)
    with suppress(Killed), killed_at(kill, kept=True):
        scene.undo(summary.run)
    scene.run(events)
    assert scene.contents() == before


@pytest.mark.parametrize("cut", ["DELETE /api/v2/persons/2", "PATCH /api/v2/persons/1", "an answer"])
def test_what_an_undo_did_that_nobody_noted_is_found_before_the_next_replay(tmp_path: Path, cut: str) -> None:
    """It died, or was told nothing, after the work was done: no event is unchanged that the record lacks."""
    scene = Scene(tmp_path)
    scene.run([identify("a", 1, name="Ada", role="CTO")])
    events = [identify("a", 5, role="CEO", city="Oslo"), identify("b", 6, name="Ben")]
    summary = scene.run(events)
    before = scene.contents()
    scene.wait(5)
    if cut == "an answer":
        scene.faults("500-after@DELETE *,500-after@PATCH *")
        assert {each.why for each in scene.undo(summary.run).kept} == {"in_doubt"}
        scene.faults("")
    else:
        with suppress(Killed), killed_after(scene, *cut.split()):
            scene.undo(summary.run)
    assert scene.contents() != before
    source = scene.write("events.ndjson", events)
    asked = PreviewOptions((str(source),), online=True, state=scene.state)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("pipedrive_cli.run.connection.to_account", lambda _: scene._connect())
        foretold = virtual_time.run(Preview(scene.config, "config.yaml", asked).run())
    assert outcomes(foretold) == outcomes(scene.run(events)), "and a preview knows it too"
    assert scene.contents() == before


@pytest.mark.slow
@settings(max_examples=examples(60), suppress_health_check=list(HealthCheck))
@given(
    first=st.just([]) | some_events(0, 5),
    wrong=some_events(10, 6),
    between=st.lists(ACTS | some_events(20, 3), max_size=3),
    kill=st.none() | st.integers(1, 8),
    kept=st.booleans(),
)
def test_an_undo_loses_nothing_of_others_and_nothing_without_a_word(
    first: list[Event], wrong: list[Event], between: list[Act | list[Event]], kill: int | None, kept: bool
) -> None:
    """Whatever people and later runs did since; killed in the middle it ends the same; and again it does nothing."""
    with TemporaryDirectory() as folder, TemporaryDirectory() as other:
        story = Story(Path(folder), first, wrong, between)
        scene = story.scene
        if kill is not None:
            with suppress(Killed), killed_at(kill, kept=kept):
                scene.undo(story.run)
        result = scene.undo(story.run)
        after = picture(scene)
        for name, each in (("start", story.start), ("run", story.after_run), ("since", story.since), ("after", after)):
            note(f"{name}: {each}")
        note(f"{result.kept}")
        assert list(theirs_is_kept(story.after_run, story.since, after)) == []
        assert list(nothing_else_happened(story.start, story.after_run, story.since, after, result.kept)) == []
        assert list(unlinked(story.start, story.since, after)) == []
        scene.undo(story.run)
        assert picture(scene) == after and scene.writes == []
        if kill is not None:
            calm = Story(Path(other), first, wrong, between)
            calm.scene.undo(calm.run)
            assert calm.scene.contents() == scene.contents()


@pytest.mark.slow
@settings(max_examples=examples(30), suppress_health_check=list(HealthCheck))
@given(first=st.just([]) | some_events(0, 5), wrong=some_events(10, 6))
def test_after_an_undo_and_a_mended_mapping_a_replay_is_that_of_a_first_run(
    first: list[Event], wrong: list[Event]
) -> None:
    """Where nobody acted in between, and nothing was merged; the undo alone leaves the account as it was before."""
    with TemporaryDirectory() as folder, TemporaryDirectory() as other:
        story = Story(Path(folder), first, wrong, [], SWAPPED)
        scene = story.scene
        result = scene.undo(story.run)
        note(f"{story.start} {story.after_run} {picture(scene)} {result.kept}")
        if not result.plan.merges:
            assert result.kept == []
            assert picture(scene) == story.start
            right = Story(Path(other), first, wrong, [])
            assert outcomes(scene.run(wrong)) == right.delivered
            assert _without_ids(picture(scene)) == _without_ids(right.after_run)


def _without_ids(shown: Picture) -> list[str]:
    links = {"person_id", "org_id", "organization_id"}
    return sorted(
        f"{kind} {sorted((name, str(value)) for name, value in fields.items() if name not in links)}"
        for (kind, _), fields in shown.items()
    )
