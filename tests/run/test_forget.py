"""`forget`: whoever asked is out of Pipedrive, the journal, and every later run; whatever ends it, it goes on."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest

from pipedrive_cli import virtual_time
from pipedrive_cli.config.model import Pipedrive
from pipedrive_cli.delivery.journal import Journal
from pipedrive_cli.delivery.journal.forgetting import TABLES
from pipedrive_cli.errors import StateHeld, UserMistake
from pipedrive_cli.run import connection
from pipedrive_cli.run.forget import ForgetOptions, Forgetting, forget_people, names_meant
from pipedrive_cli.run.journal_file import locked
from pipedrive_cli.run.past import history
from tests.harness import (
    CONFIG,
    Event,
    Killed,
    Scene,
    alias,
    group,
    identify,
    killed_at,
    lines,
    mortal,
    options,
    ordered,
    outcomes,
    track,
)
from tests.test_readme import code_words, first_cells, marked

SECRETS = ("u-gone", "old-gone", "Gonda Goner", "Goner", "gonda@private.test", "second@private.test", "m-gone")
OTHERS = ("u-stays", "Stan Stays", "stan@public.test")


def events() -> list[Event]:
    """Events of one who is to be forgotten, under two ids and two emails, and of one who stays."""
    return [
        identify("old-gone", 1, name="Gonda Goner", email="second@private.test", role=["no", {}]),
        identify("u-gone", 2, name="Gonda Goner", email="Gonda@private.test", city="C"),
        alias("old-gone", "u-gone", 3),
        track("u-gone", "Demo for u-gone", 4, message_id="m-gone-1"),
        track("u-stays", "Demo", 5, message_id="m-stays"),
        identify("u-stays", 6, name="Stan Stays", email="stan@public.test"),
        group("u-gone", "g1", 7, name="Org"),
        {**track("u-gone", "No", 8, message_id="m-gone-2"), "properties": "u-gone"},
        identify("u-gone", 9, visible_to="Gonda Goner"),
        ordered("u-gone", [], 10),
    ]


def forgotten(scene: Scene, *names: str, agree: Callable[[Forgetting], bool] | None = None, **more: Any) -> Forgetting:
    """One `forget` over the scene's account and journal."""
    asked = ForgetOptions(names_meant(names, None), scene.state, **more)
    config = msgspec.structs.replace(scene.config, pipedrive=Pipedrive(company_domain="acme"))
    already = len(scene.sandbox.requests)
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(connection, "to_account", lambda _: scene._connect())
            return virtual_time.run(mortal(forget_people(config, asked, agree or (lambda _: True))))
    finally:
        scene.sent = [f"{r.method} {r.path}" for r in scene.sandbox.requests[already:]]


def strings(scene: Scene) -> bytes:
    """All bytes of the journal's files, in which a name is found in whatever case."""
    found = [path.read_bytes() for path in scene.folder.iterdir() if path.name.startswith("journal.sqlite")]
    return b"\n".join(found).lower()


def holds_none(scene: Scene, secrets: tuple[str, ...] = SECRETS) -> None:
    content = strings(scene)
    assert [secret for secret in secrets if secret.lower().encode() in content] == []


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    """An account after two runs, of which the second has failed in part."""
    scene = Scene(tmp_path)
    source = scene.write("exports.ndjson", events())
    scene.run(source, rejects=tmp_path / "bad.rejects.ndjson")
    scene.faults("refused@PATCH /api/v2/persons/{id}")
    scene.run([identify("u-gone", 20, city="D", name="Gonda Goner"), identify("u-stays", 21, city="E")])
    scene.faults("")
    return scene


@pytest.mark.parametrize("name", ["u-gone", "old-gone", "GONDA@private.test"])
def test_whoever_is_forgotten_is_nowhere_by_whatever_name_she_is_called(scene: Scene, name: str) -> None:
    """Not in Pipedrive, not in the journal's files, in no report; a full replay makes nobody. Others stay."""
    assert len(scene.contents()["leads"]) == 2
    found = forgotten(scene, name)
    assert (found.exit_code, found.deleted, found.kept) == (0, {"persons": 1, "leads": 1}, [])
    assert scene.names("persons") == ["Stan Stays"]
    assert [row["title"] for row in scene.contents()["leads"]] == ["Demo"]
    holds_none(scene)
    content = strings(scene)
    assert [name for name in OTHERS if name.lower().encode() not in content] == []
    for run in history(scene.state).runs:
        assert not any(secret in msgspec.json.encode(run.summary).decode() for secret in SECRETS)
    everything = [*events(), identify("x", 30, email="second@private.test"), track("old-gone", "Demo", 31)]
    summary = scene.run(everything, reread=True)
    assert scene.names("persons") == ["Stan Stays"]
    assert summary.events.delivered == 0
    holds_none(scene)


def test_pipedrives_id_of_whoever_is_forgotten_is_suppressed(scene: Scene) -> None:
    """An event that names nobody else would be rejected, and so stand in the rejects file."""
    (person,) = (row["id"] for row in scene.sandbox.contents(ids=True)["persons"] if row["name"] == "Gonda Goner")
    forgotten(scene, "u-gone")
    event = identify("", 40, name="Gonda Goner")
    del event["userId"]
    event["context"] = {"externalId": [{"type": "pipedrivePersonId", "id": person}]}
    assert outcomes(scene.run([event])) == {"skipped": 1}


def test_nothing_happens_without_consent_or_in_a_dry_run(scene: Scene) -> None:
    """Both show what is found; neither writes to Pipedrive or to the journal."""
    before = rows(scene)
    for found in (forgotten(scene, "u-gone", dry_run=True), forgotten(scene, "u-gone", agree=lambda _: False)):
        assert (len(found.persons), len(found.leads), found.exit_code) == (1, 1, 0)
        assert {call for call in scene.sent if not call.startswith("GET ")} == set()
        assert found.sources
    assert rows(scene) == before


def rows(scene: Scene) -> list[str]:
    """All that the journal holds, save what it keeps of the account's fields for a day."""
    with sqlite3.connect(scene.state) as db:
        return [line for line in db.iterdump() if 'INTO "facts"' not in line]


def test_a_person_with_deals_stays_and_is_named(scene: Scene) -> None:
    """Somebody works on them. Nothing of hers is in the journal all the same; exit code 1 says that she is there."""
    (person,) = (row["id"] for row in scene.sandbox.contents(ids=True)["persons"] if row["name"] == "Gonda Goner")
    scene.sandbox.add_deal("persons", person)
    found = forgotten(scene, "u-gone")
    assert [(kept.kind, kept.id, kept.code) for kept in found.kept] == [("persons", person, "has_deals")]
    assert (found.exit_code, found.deleted["persons"]) == (1, 0)
    holds_none(scene)


def test_a_lead_that_somebody_else_made_stays_and_is_named(scene: Scene) -> None:
    """Only leads with an origin of ours are deleted."""
    (person,) = (row["id"] for row in scene.sandbox.contents(ids=True)["persons"] if row["name"] == "Gonda Goner")
    lead = scene.sandbox.add_record("leads", {"title": "By hand", "person_id": person})
    found = forgotten(scene, "u-gone")
    assert [(kept.kind, kept.id, kept.code) for kept in found.kept] == [("leads", lead, "not_ours")]
    assert found.deleted == {"persons": 1, "leads": 1}


def test_somebody_whom_the_journal_does_not_know_is_found_in_the_account(tmp_path: Path) -> None:
    """By user id and by email; her events are skipped from then on, though nobody of that name had been there."""
    scene = Scene(tmp_path)
    key = scene.key("persons", "User id")
    scene.sandbox.add_record("persons", {"name": "By id", "custom_fields": {key: "u1"}})
    scene.sandbox.add_record("persons", {"name": "Near", "custom_fields": {key: "U1"}})
    scene.sandbox.add_record("persons", {"name": "By email", "emails": [{"value": "A@b.test"}]})
    scene.sandbox.index_now()
    assert forgotten(scene, "u1", "a@B.test", "nobody").deleted == {"persons": 2, "leads": 0}
    assert scene.names("persons") == ["Near"]
    assert outcomes(scene.run([identify("nobody", name="N"), identify("x", email="a@b.test")])) == {"skipped": 2}


def test_of_several_with_one_email_nobody_is_deleted(tmp_path: Path) -> None:
    """Whose it is nobody can tell; named by user id one goes, and the other's events go on."""
    scene = Scene(tmp_path, config=msgspec.structs.replace(CONFIG))
    scene.run([identify("u1", 1, name="One", email="info@x.test"), identify("u2", 2, name="Two", email="info@x.test")])
    found = forgotten(scene, "info@x.test")
    assert (found.persons, [kept.code for kept in found.kept]) == ([], ["shared_email"])
    assert forgotten(scene, "u1").deleted["persons"] == 1
    assert outcomes(scene.run([identify("u2", 3, city="X", email="info@x.test")])) == {"delivered": 1}


def test_a_creation_in_doubt_is_looked_for(tmp_path: Path) -> None:
    """No search shows it yet, and the journal knows no id: it would stay for ever."""
    scene = Scene(tmp_path, sandbox_options=options(search_lag=3600.0))
    with pytest.raises(Killed), killed_at_answer():
        scene.run([identify("u-gone", 1, name="Gonda Goner")])
    assert scene.names("persons") == ["Gonda Goner"]
    assert forgotten(scene, "u-gone").deleted["persons"] == 1
    assert scene.contents()["persons"] == []
    holds_none(scene)


@contextmanager
def killed_at_answer() -> Iterator[None]:
    """The process dies when a record of its own making is answered, before the journal has it."""

    def save_record(*_: Any) -> None:
        raise Killed

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Journal, "save_record", save_record)
        yield


def test_brakes_and_budget_are_obeyed(scene: Scene) -> None:
    """One record too many stops it before the first; a spent budget stops it in the middle, and it goes on."""
    with pytest.raises(Exception, match="brake"):
        forgotten(scene, "u-gone", brakes={"deleted": 1})
    assert len(scene.contents()["persons"]) == 2
    looked = forgotten(scene, "u-gone", dry_run=True).figures.tokens_spent
    stopped = forgotten(scene, "u-gone", max_tokens=looked + 7)
    assert stopped.stopped is not None
    assert (stopped.exit_code, stopped.deleted) == (4, {"persons": 0, "leads": 1})
    holds_none(scene)
    assert forgotten(scene, "u-gone").deleted == {"persons": 1, "leads": 0}


def test_what_pipedrive_does_not_delete_is_named(scene: Scene) -> None:
    """A refusal and a silence; the next `forget`, of whomever, tries again."""
    scene.faults("500@DELETE /api/v1/leads/{id}")
    found = forgotten(scene, "u-gone")
    assert [(kept.kind, kept.code) for kept in found.kept] == [("leads", "in_doubt")]
    assert found.exit_code == 1
    scene.faults("")
    again = forgotten(scene, "somebody-else")
    assert (again.deleted, again.kept) == ({"persons": 0, "leads": 1}, [])
    holds_none(scene)


@pytest.mark.parametrize("kept", [pytest.param(False, marks=pytest.mark.slow), True])
def test_killed_at_any_step_it_goes_on(tmp_path: Path, kept: bool) -> None:
    """The process dies before or after each of its transactions; the same command again finishes it."""
    for step in range(1, 8):
        folder = tmp_path / str(step)
        folder.mkdir()
        scene = Scene(folder)
        scene.run(events())
        done = False
        try:
            with killed_at(step, kept=kept):
                forgotten(scene, "u-gone")
                done = True
        except Killed:
            pass
        found = forgotten(scene, "u-gone")
        assert (found.exit_code, found.stopped) == (0, None)
        assert scene.names("persons") == ["Stan Stays"]
        holds_none(scene)
        scene.run(events(), reread=True)
        assert scene.names("persons") == ["Stan Stays"]
    assert done, "the last step was beyond the end"


def test_every_table_of_the_journal_has_its_rule(tmp_path: Path) -> None:
    """Whoever adds a table says what becomes of people in it."""
    path = tmp_path / "journal.sqlite"
    Journal.open(path).close()
    with sqlite3.connect(path) as db:
        names = {row[0] for row in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    assert names == set(TABLES)


def test_the_journal_is_held(scene: Scene) -> None:
    """Not beside a run."""
    with locked(scene.state), pytest.raises(StateHeld):
        forgotten(scene, "u-gone")


def test_names_come_from_the_command_line_and_a_file(tmp_path: Path) -> None:
    """The file has the form of a list of suppressed people; nobody at all is a mistake, and so is a file as an id."""
    listed = tmp_path / "asked.txt"
    listed.write_text('# May\nu2\n{"users": [{"userId": "u3"}]}\n')
    assert names_meant(("u1", "A@b.test"), listed).ids == {"u1", "u2", "u3", "A@b.test"}
    for given, file in (((), None), (("{",), None), (("u1",), tmp_path / "none"), ((str(listed),), None)):
        with pytest.raises(UserMistake):
            names_meant(given, file)


def test_lines_of_the_report_stay_readable(scene: Scene) -> None:
    """Summaries are still of their form, with their counts."""
    before = [run.summary.events for run in history(scene.state).runs]
    forgotten(scene, "u-gone")
    assert [run.summary.events for run in history(scene.state).runs] == before
    assert json.loads(lines(events()).splitlines()[0])
    assert replace(Forgetting(), ids=1).ids == 1


def test_the_page_on_privacy_has_every_table() -> None:
    """With what is in it and what becomes of it."""
    assert code_words(first_cells(marked("tables"))) == list(TABLES)
