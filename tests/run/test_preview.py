"""Previews: the requests of a replay, none of them sent, and the journal as it was."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Coroutine, Iterable, Mapping
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipedrive_cli.config import Config
from pipedrive_cli.delivery.desk import Written
from pipedrive_cli.delivery.effects import Write
from pipedrive_cli.delivery.live_desk import LiveDesk
from pipedrive_cli.pipedrive.answer import Answer
from pipedrive_cli.pipedrive.catalog import Call, create
from pipedrive_cli.report.summary import Summary
from pipedrive_cli.run import connection
from pipedrive_cli.run.online_account import OnlyLooks
from pipedrive_cli.run.options import Filters
from pipedrive_cli.run.preview import Preview, PreviewOptions
from pipedrive_cli.run.preview_rows import PlannedRequest, label
from pipedrive_cli.secret import Secret
from tests.cli.desk_for_commands import served
from tests.examples import examples
from tests.harness import (
    CANARY,
    CONFIG,
    Event,
    Scene,
    alias,
    group,
    identify,
    lines,
    ordered,
    track,
    viewed,
    with_delivery,
    with_identity,
)
from tests.run.events_of_all_kinds import ALL, FIRST

SHOP = Path(__file__).parents[2] / "sample-events/shop.ndjson"
ACCOUNT = msgspec.structs.replace(CONFIG.pipedrive, company_domain="acme")


class Seen:
    """What one preview showed."""

    def __init__(self, summary: Summary, rows: list[PlannedRequest]) -> None:
        self.summary = summary
        self.rows = rows

    @property
    def writes(self) -> list[PlannedRequest]:
        return [row for row in self.rows if row.action != "look up"]

    def told(self) -> list[tuple[str, str]]:
        """Action and path of every write."""
        return [(row.action, row.path) for row in self.writes]


def previewed(
    folder: Path,
    events: Iterable[Event],
    config: Config = CONFIG,
    *,
    run: Callable[[Coroutine[Any, Any, Summary]], Summary] = asyncio.run,
    **options: Any,
) -> Seen:
    """A preview of these events. `run`: in virtual time, where nothing is served."""
    source = folder / "previewed.ndjson"
    source.write_bytes(lines(events))
    rows: list[PlannedRequest] = []
    config = msgspec.structs.replace(config, pipedrive=config.pipedrive if options.get("online") else ACCOUNT)
    job = Preview(config, "config.yaml", PreviewOptions((str(source),), **options), show=rows.append)
    return Seen(run(job.run()), rows)


def online(scene: Scene, events: Iterable[Event], **options: Any) -> Seen:
    """A preview that looks at the scene's account, beside its journal."""
    with served(scene.sandbox) as url:
        pipedrive = msgspec.structs.replace(scene.config.pipedrive, base_url=url, api_token=Secret(CANARY))
        config = msgspec.structs.replace(scene.config, pipedrive=pipedrive)
        return previewed(scene.folder, events, config, online=True, **({"state": scene.state} | options))


@pytest.mark.parametrize("lookahead", [1, 3, 100_000])
def test_offline_and_in_the_sandbox_it_counts_what_a_replay_into_an_empty_account_sends(
    tmp_path: Path, lookahead: int
) -> None:
    """Requests by endpoint and tokens are those of the replay, whatever the window."""
    config = with_delivery(lookahead=lookahead)
    events = [event for event in ALL if event["type"] != "alias"]
    scene = Scene(tmp_path, config=config)
    replayed = scene.run(events)
    modes: tuple[dict[str, Any], ...] = ({}, {"sandbox": True})
    for mode in modes:
        seen = previewed(tmp_path, events, config, **mode)
        assert Counter(seen.summary.requests.by_endpoint) == Counter(replayed.requests.by_endpoint)
        assert seen.summary.tokens.spent == replayed.tokens.spent
        assert seen.summary.records == replayed.records
        assert seen.summary.events == replayed.events


@pytest.mark.parametrize("lookahead", [1, 4, 100_000])
def test_online_it_shows_the_writes_that_the_replay_then_sends(tmp_path: Path, lookahead: int) -> None:
    """Method, tokens and the ids of records that are there, on an account with a past; then it is replayed."""
    scene = Scene(tmp_path, config=with_delivery(lookahead=lookahead))
    scene.run(FIRST)
    seen = online(scene, ALL)
    replayed = scene.run(ALL)
    there = [row.call.label for row in seen.writes]
    assert Counter(there) == Counter(
        {label: n for label, n in replayed.requests.by_endpoint.items() if not label.startswith("GET ")}
    )
    assert seen.summary.records == replayed.records
    assert seen.summary.events == replayed.events


def test_online_shows_old_and_new_per_field_and_nothing_where_nothing_changes(tmp_path: Path) -> None:
    """One person changes a role, the other repeats what is there."""
    scene = Scene(tmp_path)
    scene.run([identify("u1", 1, name="Ann", role="dev"), identify("u2", 2, name="Ben")])
    seen = online(scene, [identify("u1", 3, name="Ann", role="cto"), identify("u2", 4, name="Ben")])
    ((row,), summary) = (seen.writes, seen.summary)
    assert (row.action, row.path) == ("update", "/api/v2/persons/1")
    assert [(field.name, field.old, field.new, field.known) for field in row.fields] == [("Role", "dev", "cto", True)]
    assert (summary.records.persons.updated, summary.records.persons.unchanged) == (1, 1)


def test_online_no_record_has_a_field_that_is_called_as_on_another_kind(tmp_path: Path) -> None:
    """`add_time` is "Product created" on products alone, however many kinds the events are about."""
    everybody = online(Scene(tmp_path), ALL).writes
    assert {row.path for row in everybody} >= {"/api/v2/persons", "/api/v2/products"}
    named = {field.name for row in everybody if row.path == "/api/v2/persons" for field in row.fields}
    assert "add_time" in named
    assert not any("Product" in name for name in named)


def test_online_sends_gets_alone_and_leaves_journal_and_folder_as_they_were(tmp_path: Path) -> None:
    """Bytes of the journal, names in its folder, and the account's contents are the same afterwards."""
    scene = Scene(tmp_path)
    scene.run(FIRST)
    scene.write("previewed.ndjson", [])
    before = scene.state.read_bytes(), sorted(p.name for p in tmp_path.iterdir()), scene.contents()
    already = len(scene.sandbox.requests)
    online(scene, ALL)
    assert (scene.state.read_bytes(), sorted(p.name for p in tmp_path.iterdir()), scene.contents()) == before
    assert {request.method for request in scene.sandbox.requests[already:]} == {"GET"}


def test_it_works_beside_a_run_that_holds_the_journal(tmp_path: Path) -> None:
    """The journal is open, with a transaction under way: the preview sees what was committed before."""
    from pipedrive_cli.delivery.journal import Journal

    scene = Scene(tmp_path)
    scene.run([identify("u1", 1, name="Ann")])
    journal = Journal.open(scene.state)
    with journal.transaction():
        journal.set_fact("being written", True)
        seen = online(scene, [identify("u1", 2, name="Anna")])
    journal.close()
    assert seen.told() == [("update", "/api/v2/persons/1")]


def test_a_journal_of_another_company_is_refused(tmp_path: Path) -> None:
    """As a replay would refuse it."""
    from pipedrive_cli.delivery.journal import Journal
    from pipedrive_cli.errors import UserMistake

    scene = Scene(tmp_path)
    journal = Journal.open(scene.state)
    journal.bind(99, "Somebody else")
    journal.close()
    with pytest.raises(UserMistake, match="belongs to the company"):
        online(scene, FIRST)


def test_what_only_the_account_knows_is_shown_as_such(tmp_path: Path) -> None:
    """Ids by the name of their record, fields by their own."""
    seen = previewed(tmp_path, [group("u1", "g1", name="Acme"), track("u1", "Signed Up", message_id="m")])
    organization, person, lead = seen.writes
    assert [row.action for row in seen.writes] == ["create or update"] * 3
    assert organization.body == {
        "add_time": organization.body and organization.body["add_time"],
        "name": "Acme",
        "custom_fields": {"{field Group id}": "g1"},
    }
    assert person.body is not None
    assert lead.body is not None
    assert person.body["org_id"] == "{organization of group g1}"
    assert lead.body["person_id"] == "{person of user u1}"
    assert len(person.events) == 2


def test_a_record_made_in_an_earlier_window_is_updated_under_its_name(tmp_path: Path) -> None:
    """The second window knows what the first one would have done."""
    events = [identify("u1", 1, name="Ann"), identify("u1", 2, name="Anna"), identify("u1", 3, name="Anna")]
    seen = previewed(tmp_path, events, with_delivery(lookahead=1))
    assert seen.told() == [
        ("create or update", "/api/v2/persons"),
        ("update", "/api/v2/persons/{person of user u1}"),
    ]
    assert seen.summary.records.persons.unchanged == 1


def test_a_copy_in_a_later_window_is_a_duplicate(tmp_path: Path) -> None:
    """No second lead is shown."""
    one = track("u1", "Signed Up", 1, message_id="m")
    seen = previewed(tmp_path, [one, identify("u2", 2), one], with_delivery(lookahead=2))
    assert seen.summary.events.duplicate == 1
    assert seen.summary.records.leads.created == 1


def test_a_limit_does_not_make_persons_known(tmp_path: Path) -> None:
    """A person of whom nothing is known is created or updated, whether the input ends behind or at the limit."""
    events = [identify("u1", 1, name="Ann"), identify("u2", 2, name="Ben")]
    for limit in (1, 2):
        seen = previewed(tmp_path, events, limit=limit)
        assert seen.told() == [("create or update", "/api/v2/persons")] * limit
        assert seen.summary.records.persons.created == limit


def test_online_what_waits_behind_a_limit_is_pending(tmp_path: Path) -> None:
    """As in the replay: whoever is not there yet may come."""
    scene = Scene(tmp_path)
    events = [identify("new", 1, name="New"), alias("old", "new", 5), identify("old", 3, city="Rome")]
    seen = online(scene, events, limit=2)
    assert (seen.summary.events.delivered, seen.summary.events.pending) == (1, 1)
    assert [problem.code for problem in seen.summary.problems] == ["waits_for_input"]
    assert scene.run(events, limit=2).events == seen.summary.events


def test_an_alias_of_somebody_unknown_shows_the_merge_that_may_come(tmp_path: Path) -> None:
    """Both persons by name, and that it cannot be undone."""
    seen = previewed(tmp_path, [identify("new", 1, name="Ann"), alias("old", "new", 2)])
    merge = seen.writes[-1]
    assert (merge.action, merge.method, merge.path) == (
        "merge",
        "PUT",
        "/api/v1/persons/{person of user old}/merge",
    )
    assert merge.body == {"merge_with_id": "{person of user new}"}
    assert merge.note is not None
    assert "cannot be undone" in merge.note
    assert seen.summary.exit_code == 0


def test_a_fold_that_may_turn_into_a_merge_says_so(tmp_path: Path) -> None:
    """Both ids wait in one job: a create, unless Pipedrive has them both already."""
    seen = previewed(tmp_path, [identify("old", 1, name="Ann"), alias("old", "new", 2), identify("new", 3)])
    (row,) = seen.writes
    assert row.action == "create or update"
    assert row.note is not None
    assert "cannot be undone" in row.note
    assert row.irreversible


def test_a_person_who_must_not_be_created_is_shown_as_an_update(tmp_path: Path) -> None:
    """With `create_missing_persons: false` only the account knows whether somebody is there."""
    config = with_identity(create_missing_persons=False)
    seen = previewed(tmp_path, [track("u1", "Signed Up", message_id="m")], config)
    (lead,) = seen.writes
    assert lead.body is not None
    assert lead.body["person_id"] == "{person of user u1}"


def test_rejected_events_make_it_partial(tmp_path: Path) -> None:
    """The exit code is 1, and the problem names the place."""
    seen = previewed(tmp_path, [ordered("u1", []), identify("u1", name="Ann")])
    assert (seen.summary.exit_code, seen.summary.status, seen.summary.events.rejected) == (1, "partial", 1)
    assert seen.summary.problems[0].examples[0].line == 1


def test_filters_and_limit_are_those_of_replay(tmp_path: Path) -> None:
    """What a filter leaves out is counted as filtered, and a limit ends the reading."""
    events = [identify("u1", name="Ann"), viewed("u1", "p1", name="Chair"), identify("u2", name="Ben")]
    seen = previewed(tmp_path, events, filters=Filters(types=frozenset({"identify"})), limit=1)
    assert [row.record for row in seen.writes] == ["person of user u1"]
    assert seen.summary.filtered == 1
    assert not seen.summary.input_complete


def test_a_preview_lets_nothing_but_looks_through() -> None:
    """Whatever is wrong elsewhere: a POST does not reach the client."""
    passed: list[Call] = []

    async def through(call: Call) -> Answer:
        passed.append(call)
        return Answer(200, {}, {})

    only = OnlyLooks(through, lambda call: None)
    with pytest.raises(ValueError, match="must not send POST"):
        asyncio.run(only.send(create("persons", {"name": "Ann"})))
    assert passed == []


def test_offline_nothing_that_could_send_is_even_loaded() -> None:
    """No HTTP library, and no sandbox."""
    code = "import sys, pipedrive_cli.cli.preview_command; print([m for m in ('httpx', 'rich') if m in sys.modules])"
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ended.stdout.strip() == "[]"


def test_a_preview_of_a_small_file_loads_only_what_it_needs() -> None:
    """Nothing that starts processes, sends, retries, keeps a budget, reads clouds or writes pages."""
    spared = [
        *("multiprocessing", "httpx", "platformdirs", "filelock", "prometheus_client", "jinja2"),
        *(f"pipedrive_cli.{name}" for name in ("events.cloud", "events.cloud_listing", "report.html")),
        *(f"pipedrive_cli.delivery.{name}" for name in ("live_desk", "writes", "sender", "budget")),
        "pipedrive_cli.delivery.directory",
    ]
    words = ["preview", "--summary", str(SHOP), "--config", str(SHOP.parents[1] / "config.example.yaml")]
    code = (
        "import sys, pipedrive_cli.cli.command_line as line; "
        f"sys.argv[1:] = {words!r}; assert line.run() == 0; "
        f"print([name for name in {spared!r} if name in sys.modules])"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "every one accounted for" in ended.stdout, "it did count"
    assert ended.stdout.splitlines()[-1] == "[]"


_USERS = st.sampled_from(["a", "b", "c"])
_TIMES = st.integers(0, 5)
_EVENTS = st.one_of(
    st.builds(
        lambda user, time, traits: identify(user, time, **traits),
        _USERS,
        _TIMES,
        st.dictionaries(st.sampled_from(["name", "firstName", "role", "city"]), st.sampled_from("xy")),
    ),
    st.builds(lambda user, time, name: group(user, "g", time, name=name), _USERS, _TIMES, st.sampled_from("xy")),
    st.builds(lambda user, time: track(user, "Lead", time), _USERS, _TIMES),
    st.builds(
        lambda code, time, more: viewed("a", code, time, currency="EUR", **more),
        st.sampled_from("pq"),
        _TIMES,
        st.dictionaries(st.sampled_from(["name", "price", "quantity", "brand"]), st.integers(1, 3)),
    ),
    st.builds(alias, _USERS, _USERS, _TIMES),
)


@settings(max_examples=examples(150))
@given(events=st.lists(_EVENTS, max_size=12), lookahead=st.sampled_from([1, 2, 100]))
def test_any_events_are_previewed_as_they_are_replayed(events: list[Event], lookahead: int) -> None:
    """In an empty account the writes, their order and bodies, the records and the outcomes are the same.

    Contacts are left out, for nobody knows what Pipedrive's merge does with them.
    """
    sent: list[Call] = []
    send = LiveDesk.send

    async def noted(desk: LiveDesk, ask: Write, written: Written) -> Mapping[str, Any]:
        sent.append(ask.call)
        return await send(desk, ask, written)

    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        scene = Scene(Path(folder), config=with_delivery(lookahead=lookahead, concurrency=1))
        patch.setattr(connection, "to_account", lambda _: scene._connect())
        patch.setattr(LiveDesk, "send", noted)
        seen = previewed(scene.folder, events, scene.config, online=True, state=scene.state)
        replayed = scene.run(events)
    assert [row.method for row in seen.writes] == [call.method for call in sent]
    assert [_without_ids(row.body) for row in seen.writes] == [_without_ids(call.body) for call in sent]
    assert seen.summary.events == replayed.events
    assert seen.summary.records == replayed.records


def _without_ids(body: Any) -> Any:
    """A body without links: ids that a preview does not know yet."""
    return {key: value for key, value in (body or {}).items() if not key.endswith("_id")}


@pytest.mark.slow
def test_what_is_shown_is_the_same_in_every_process(tmp_path: Path) -> None:
    """Several aliases of one person are named in one order, whatever Python's hashes are."""
    source = tmp_path / "aliases.ndjson"
    source.write_bytes(
        lines([*(identify(f"old-{n}", n) for n in range(6)), *(alias(f"old-{n}", "new", 10 + n) for n in range(6))])
    )
    command = [
        sys.executable,
        "-m",
        "pipedrive_cli",
        "preview",
        str(source),
        "-c",
        str(SHOP.parents[1] / "config.example.yaml"),
    ]
    shown = [
        subprocess.run(command, capture_output=True, check=True, env={**os.environ, "PYTHONHASHSEED": seed}).stdout
        for seed in ("1", "2")
    ]
    assert b"old-0, old-1" in shown[0]
    assert shown[0] == shown[1]


def test_an_organization_without_an_id_is_called_by_its_name() -> None:
    """As a product without a code is."""
    assert label("organizations", None, "acme") == "organization named acme"
    assert label("organizations", "g1") == "organization of group g1"
