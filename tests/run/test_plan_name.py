"""`preview --online` names its plan, and `replay --expect` sends that plan or nothing."""

from __future__ import annotations

import asyncio
import hashlib
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipedrive_cli.errors import UserMistake
from pipedrive_cli.report.summary import Summary, to_json
from pipedrive_cli.run.plan_name import KEPT, PlanNaming, PlanRow, differences, keep, kept_rows, plans_folder
from pipedrive_cli.run.preview import Preview, PreviewOptions
from pipedrive_cli.secret import Secret
from tests.cli.desk_for_commands import served
from tests.examples import examples
from tests.harness import CANARY, Event, Scene, event, identify, lines, with_delivery
from tests.run.events_of_all_kinds import ALL, FIRST


def plan_of(scene: Scene, events: Iterable[Event]) -> PlanNaming:
    """The plan of a preview that looks at the scene's account; kept as the command keeps it."""
    source = scene.folder / "events.ndjson"
    source.write_bytes(lines(events))
    with served(scene.sandbox) as url:
        pipedrive = msgspec.structs.replace(scene.config.pipedrive, base_url=url, api_token=Secret(CANARY))
        config = msgspec.structs.replace(scene.config, pipedrive=pipedrive)
        options = PreviewOptions((str(source),), online=True, state=scene.state)
        job = Preview(config, "config.yaml", options, plan=PlanNaming())
        summary = asyncio.run(job.run())
    assert job.plan is not None and summary.plan == job.plan.name
    keep(job.plan, plans_folder())
    return job.plan


def people(*names: str) -> list[Event]:
    return [identify(f"u{n}", n, message_id=f"m{n}", name=name, role="CTO") for n, name in enumerate(names, 1)]


@pytest.mark.parametrize("lookahead", [3, 100_000])
def test_the_plan_that_was_previewed_is_sent(tmp_path: Path, lookahead: int) -> None:
    """Events of every kind into an account with a past."""
    scene = Scene(tmp_path, config=with_delivery(lookahead=lookahead))
    scene.run(FIRST)
    plan = plan_of(scene, ALL)
    planned = len(plan.rows)
    summary = scene.run(ALL, expect=plan.name)
    assert summary.reason is None
    assert len(scene.writes) == planned


def test_what_is_looked_up_for_the_comparison_serves_the_run(tmp_path: Path) -> None:
    """A replay that expects its plan asks no more than one that does not; merges aside, which read both persons."""
    events = [event for event in ALL if event["type"] != "alias"]
    sent = []
    for expects in (False, True):
        folder = tmp_path / str(expects)
        folder.mkdir()
        scene = Scene(folder)
        scene.run(FIRST)
        name = plan_of(scene, events).name
        scene.run(events, expect=name if expects else None)
        sent.append(sorted(scene.sent))
    assert Counter(sent[1]) - Counter(sent[0]) == Counter()


def _other_event(scene: Scene, events: list[Event]) -> list[Event]:
    return [*events[:-1], {**events[-1], "traits": {**events[-1]["traits"], "role": "CTo"}}]


def _other_account(scene: Scene, events: list[Event]) -> list[Event]:
    (first, *_) = scene.sandbox.contents(ids=True)["persons"]
    scene.sandbox.set_value("persons", first["id"], scene.key("persons", "Role"), "by hand")
    return events


def _other_journal(scene: Scene, events: list[Event]) -> list[Event]:
    scene.run(events[:1])
    scene.write("events.ndjson", events)
    return events


def _other_config(scene: Scene, events: list[Event]) -> list[Event]:
    fields = msgspec.structs.replace(scene.config.fields, persons={"role": "City"})
    scene.config = msgspec.structs.replace(scene.config, fields=fields)
    return events


@pytest.mark.parametrize("change", [_other_event, _other_account, _other_journal, _other_config])
def test_whatever_changes_since_nothing_is_sent_and_the_difference_is_named(
    tmp_path: Path, change: Callable[[Scene, list[Event]], list[Event]]
) -> None:
    """One byte of input, account, journal or config: exit 4, and the record with its field."""
    scene = Scene(tmp_path)
    scene.run([identify("u1", 1, name="Old", role="old"), identify("u2", 2, name="B", role="x")])
    events = [identify(f"u{n}", 10 + n, message_id=f"m{n}", name=f"Person {n}", role="CTO") for n in (1, 2)]
    scene.state = tmp_path / "second.sqlite"  # which has everything to look up
    plan = plan_of(scene, events)
    events = change(scene, events)
    before = scene.contents()
    summary = scene.run(events, expect=plan.name)
    assert (summary.exit_code, summary.reason, summary.events.read) == (4, "plan_changed", 0)
    assert not scene.writes and scene.contents() == before
    told = summary.problems[0].message
    assert "person of user u" in told
    if change is not _other_journal:
        assert "differs in" in told and ("Role" in told or "City" in told)


def test_a_clock_does_not_change_the_name(tmp_path: Path) -> None:
    """An event without time, or of tomorrow, makes a person of now: that is a minute later by the replay."""
    scene = Scene(tmp_path)
    later = event("identify", userId="u1", traits={"name": "Ada"}) | {"timestamp": "2999-01-01T00:00:00Z"}
    plan = plan_of(scene, [later])
    assert scene.run([later], expect=plan.name).events.delivered == 1


def test_a_plan_that_was_not_previewed_here_is_compared_by_its_name_alone(tmp_path: Path) -> None:
    """A name from another machine is as good; the message says why it names no difference."""
    scene = Scene(tmp_path)
    summary = scene.run(people("Ada"), expect="0123456789abcdef")
    assert summary.reason == "plan_changed"
    assert "not previewed here" in summary.problems[0].message


def test_standard_input_cannot_be_compared_first(tmp_path: Path) -> None:
    """It can be read once: said before anything is read."""
    with pytest.raises(UserMistake, match="standard input"):
        Scene(tmp_path).run(people("Ada"), stdin=True, expect="0123456789abcdef")


def test_only_previews_of_an_account_have_the_key_plan() -> None:
    """Other summaries are as they were."""
    summary = Summary(run="r", status="complete", exit_code=0)
    assert b'"plan"' not in to_json(summary)
    assert b'"plan":"ab"' in to_json(msgspec.structs.replace(summary, plan="ab"))


def test_kept_plans_hold_no_values_are_for_their_owner_and_few(tmp_path: Path) -> None:
    """The newest ten, mode 0600, with digests of values alone."""
    scene, folder = Scene(tmp_path), tmp_path / "plans"
    plan = plan_of(scene, people("Ada Secretname"))
    for number in range(KEPT + 3):
        row = PlanRow(f"person of user {number}", "create", {})
        keep(PlanNaming(rows=[row], _digest=hashlib.blake2b(str(number).encode(), digest_size=8)), folder)
    keep(plan, folder)
    files = list(folder.iterdir())
    assert len(files) == KEPT
    assert {file.stat().st_mode & 0o777 for file in files} == {0o600}
    rows = kept_rows(plan.name, folder)
    assert rows == plan.rows
    assert "Secretname" not in str(rows)


_ROWS = st.lists(
    st.builds(
        PlanRow,
        st.sampled_from(["person of user a", "person of user b", "product p"]),
        st.sampled_from(["create", "update"]),
        st.dictionaries(st.sampled_from(["", "Role", "City"]), st.binary(min_size=1, max_size=2), max_size=3),
    ),
    max_size=5,
)


@given(_ROWS, _ROWS)
def test_different_plans_always_have_a_difference_that_is_named(before: list[PlanRow], now: list[PlanRow]) -> None:
    """And of two plans of one content and another order the order is named."""
    if before != now:
        moved = sorted(before, key=repr) == sorted(now, key=repr)
        assert (differences(before, now) == ["the same writes in another order"]) == moved


@settings(max_examples=examples(50))
@given(st.permutations(range(4)))
def test_the_name_depends_on_the_order_of_writes(order: list[int]) -> None:
    """Another order of files is another plan, for it decides which write is first."""
    with TemporaryDirectory() as one, TemporaryDirectory() as two:
        events = people("A", "B", "C", "D")
        first = plan_of(Scene(Path(one)), events).name
        second = plan_of(Scene(Path(two)), [events[n] for n in order]).name
        assert (first == second) == (order == sorted(order))
