"""`runs undo`: what a run created goes, what it replaced comes back, and what was touched since stays."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from pipedrive_cli.cli import undo_command
from pipedrive_cli.cli.undo_command import WHY
from pipedrive_cli.model import KINDS
from pipedrive_cli.run.past import history
from pipedrive_cli.run.undo_plan import UndoPlan
from tests.cli.desk_for_commands import CANARY, Ended, pipedrive_cli, served
from tests.harness import Killed, Scene, alias, group, identify, killed_after, outcomes, track, viewed, with_delivery
from tests.run.test_refill import mapped

CONFIG = """\
pipedrive: {{base_url: '{url}', api_token: {key}}}
identity: {{user_id_field: User id, group_id_field: Group id}}
fields:
  persons: {{role: Role, city: City}}
  organizations: {{industry: Branch}}
  leads: {{rating: Rating}}
  products: {{brand: Brand}}
"""
EVENTS = [
    identify("u1", 1, name="Ada", role="CTO", email="ada@example.com"),
    group("u1", "g1", 2, name="Acme", industry="IT"),
    track("u1", "Asked", 3, rating="5"),
    viewed("u1", "p1", 4, name="Bike", brand="Bianchi"),
]


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene(tmp_path)


def undo(scene: Scene, run: str, *arguments: str) -> Ended:
    config = scene.folder / "undo.yaml"
    with served(scene.sandbox) as url:
        config.write_text(CONFIG.format(url=url, key=CANARY))
        return pipedrive_cli("runs", "undo", run, "-c", config, "--state", scene.state, *arguments)


def undone(scene: Scene, run: str, *kinds: str) -> dict[str, Any]:
    """What undoing a run does, as the command's object tells it."""
    result = scene.undo(run, kinds=frozenset(kinds or KINDS))
    assert result.stopped is None
    kept = [{"kind": each.kind, "id": each.id, "field": each.field, "code": each.why} for each in result.kept]
    counts = {"deleted": result.deleted, "restored": result.restored}
    return {"kept": kept, "merges": result.plan.merges} | {
        name: {kind: counted[kind] for kind in KINDS} for name, counted in counts.items()
    }


def test_what_a_run_created_is_deleted_and_its_events_can_be_sent_again(scene: Scene) -> None:
    """All four kinds; afterwards the replay is that of a first run."""
    run = scene.run(EVENTS).run
    ended = undo(scene, run, "--yes", "--json")
    assert (ended.code, ended.json["status"], ended.json["kept"]) == (0, "complete", [])
    assert ended.json["deleted"] == {"persons": 1, "organizations": 1, "products": 1, "leads": 1}
    assert not any(scene.contents().values())
    assert outcomes(scene.run(EVENTS)) == {"delivered": 4}
    assert [len(rows) for rows in scene.contents().values()] == [1, 1, 1, 1]


def test_an_undo_that_takes_its_time_says_how_far_it_is(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """On stderr: while it looks, and while it deletes; the object stays alone on stdout."""
    run = scene.run([identify(f"u{n}", n, name=f"N{n}") for n in range(30)]).run
    monkeypatch.setattr(undo_command, "EVERY", 0.0)
    ended = undo(scene, run, "--yes", "--json")
    assert (ended.code, ended.json["deleted"]["persons"]) == (0, 30)
    assert "looking at what the run wrote: 1 request so far" in ended.err
    assert "of 30 records undone" in ended.err


def test_a_run_that_only_met_a_rejected_event_again_has_touched_nothing(scene: Scene) -> None:
    """So it is with a job of cron that reads the same file every hour: the first run can be undone all the same."""
    broken = identify("u1", 1, name="Ada", role="CTO", email="no address")
    first = scene.run([broken, identify("u2", 2, name="Bo")]).run
    assert outcomes(scene.run([broken, identify("u3", 3, name="Cy")])) == {"delivered": 1, "rejected": 1}
    found = undone(scene, first)
    assert (found["deleted"]["persons"], found["kept"]) == (2, [])
    assert scene.names("persons") == ["Cy"]
    # A run that had something to say of the record has touched it, though its event was rejected, too.
    second = scene.run([broken]).run
    scene.run([identify("u1", 5, city="Cork", email="no address")])
    assert [each["code"] for each in undone(scene, second)["kept"]] == ["later_run"]


def test_what_a_run_replaced_comes_back_blanks_and_emails_too(scene: Scene) -> None:
    """As if the run had not been: values, the blank that was there, and the list of emails."""
    scene.run([identify("u1", 1, name="Ada", role="CTO", email="ada@example.com")])
    before = scene.contents()
    later = [identify("u1", 5, name="Ada L.", role="CEO", city="Cork", email="new@example.com")]
    run = scene.run(later).run
    assert scene.contents() != before
    found = undone(scene, run)
    assert (found["restored"]["persons"], found["kept"]) == (1, [])
    assert scene.contents() == before
    assert outcomes(scene.run(later)) == {"delivered": 1}
    assert scene.contents()["persons"][0]["custom_fields"]["Role"] == "CEO"


def test_a_record_that_is_made_anew_gets_no_email_of_an_undone_run(scene: Scene) -> None:
    """What was taken back is not known as the record's own any more."""
    scene.run([identify("u1", 1, name="Ada", email="ada@example.com")])
    run = scene.run([identify("u1", 5, email="new@example.com")]).run
    undone(scene, run)
    scene.sandbox.delete_record("persons", scene.sandbox.contents(ids=True)["persons"][0]["id"])
    scene.run([identify("u1", 9, role="CEO")])
    (person,) = scene.contents()["persons"]
    assert [email["value"] for email in person["emails"]] == ["ada@example.com"]


def test_the_links_of_an_undone_run_are_gone_and_those_of_merges_stay(scene: Scene) -> None:
    """An alias is read again as it was the first time; two persons that were merged stay one."""
    unknown = [identify("u1", 1, name="Ada"), alias("nobody", "u1", 2)]
    first = scene.run(unknown)
    undone(scene, first.run)
    assert outcomes(scene.run(unknown)) == outcomes(first)
    scene.run([identify("old", 3, name="Ada B.")])
    merging = [alias("old", "u1", 4)]
    merged = scene.run(merging).run
    found = undone(scene, merged)
    assert (found["merges"], [each["code"] for each in found["kept"]]) == (1, ["merged"])
    assert outcomes(scene.run(merging)) == {"skipped": 1}, "they are one already"


def test_a_dry_run_shows_and_writes_nothing(scene: Scene) -> None:
    """The same numbers, and the account and the journal as they were."""
    run = scene.run(EVENTS).run
    before = scene.contents()
    ended = undo(scene, run, "--dry-run")
    assert ended.code == 0 and "to delete" in ended.out
    assert scene.contents() == before
    assert outcomes(scene.run(EVENTS)) == {"duplicate": 4}


def _by_hand(scene: Scene) -> None:
    person = scene.sandbox.contents(ids=True)["persons"][0]["id"]
    scene.sandbox.set_value("persons", person, scene.key("persons", "Role"), "by hand")


def _a_deal(scene: Scene) -> None:
    scene.sandbox.add_other("deals", person_id=scene.sandbox.contents(ids=True)["persons"][0]["id"])


def _a_note(scene: Scene) -> None:
    scene.sandbox.add_other("notes", person_id=scene.sandbox.contents(ids=True)["persons"][0]["id"])


def _a_later_run(scene: Scene) -> None:
    scene.run([identify("u1", 50, role="later")])


def _a_later_lead(scene: Scene) -> None:
    scene.run([track("u1", "Later", 60)])


def _an_archived_lead_by_hand(scene: Scene) -> None:
    person = scene.sandbox.contents(ids=True)["persons"][0]["id"]
    lead = scene.sandbox.add_record("leads", {"title": "By hand", "person_id": person})
    scene.sandbox.archive_lead(str(lead))


@pytest.mark.parametrize(
    ("touch", "code"),
    [
        (_by_hand, "changed_since"),
        (_a_deal, "something_hangs_on_it"),
        (_a_note, "something_hangs_on_it"),
        (_a_later_lead, "something_hangs_on_it"),
        (_an_archived_lead_by_hand, "something_hangs_on_it"),
        (_a_later_run, "later_run"),
    ],
)
def test_a_created_record_that_was_touched_since_stays(scene: Scene, touch: Callable[[Scene], None], code: str) -> None:
    """A person's work on it, and a later run's, is not thrown away; exit code 1 says that something was kept."""
    run = scene.run([identify("u1", 1, name="Ada", role="CTO")]).run
    touch(scene)
    found = undone(scene, run)
    assert [(each["kind"], each["code"]) for each in found["kept"]] == [("persons", code)]
    assert scene.names("persons") == ["Ada"]


def test_what_stays_keeps_what_it_is_linked_to(scene: Scene) -> None:
    """A lead of the run that somebody works on keeps its person, and that person the organization."""
    run = scene.run(EVENTS).run
    lead = scene.sandbox.contents(ids=True)["leads"][0]["id"]
    scene.sandbox.set_value("leads", lead, scene.key("deals", "Rating"), "by hand")
    found = undone(scene, run)
    assert sorted((each["kind"], each["code"]) for each in found["kept"]) == [
        ("leads", "changed_since"),
        ("organizations", "something_hangs_on_it"),
        ("persons", "something_hangs_on_it"),
    ]
    assert found["deleted"] == {"persons": 0, "organizations": 0, "products": 1, "leads": 0}


def test_an_organization_to_which_a_later_run_has_linked_somebody_stays(scene: Scene) -> None:
    """The person is the later run's."""
    run = scene.run([group(None, "g1", 1, name="Acme")]).run
    scene.run([group("u5", "g1", 2) | {"context": {"traits": {"name": "Eve"}}}])
    assert [each["code"] for each in undone(scene, run)["kept"]] == ["something_hangs_on_it"]
    assert scene.names("organizations") == ["Acme"]


def test_lists_that_a_write_replaces_keep_what_others_put_there(scene: Scene) -> None:
    """An email and a price that people have added since stay; the run's own go."""
    scene.run([identify("u1", 1, name="Ada", email="a@b.test"), viewed("u1", "p1", 2, price=1, currency="EUR")])
    events = [identify("u1", 5, email="run@b.test"), viewed("u1", "p1", 6, price=2, currency="EUR")]
    run = scene.run(events).run
    person, product = (scene.sandbox.contents(ids=True)[kind][0] for kind in ("persons", "products"))
    emails = [*person["emails"], {"value": "hand@b.test"}]
    scene.sandbox.set_value("persons", person["id"], "emails", emails)
    prices = [{"currency": "EUR", "price": 2}, {"currency": "GBP", "price": 9}]
    scene.sandbox.set_value("products", product["id"], "prices", prices)
    assert undone(scene, run)["kept"] == []
    found = scene.contents()
    assert [each["value"] for each in found["persons"][0]["emails"]] == ["a@b.test", "hand@b.test"]
    assert {each["currency"]: each["price"] for each in found["products"][0]["prices"]} == {"EUR": 1, "GBP": 9}


def test_a_value_that_somebody_changed_since_stays_and_the_others_come_back(scene: Scene) -> None:
    """Field by field."""
    scene.run([identify("u1", 1, name="Ada", role="old", city="old")])
    run = scene.run([identify("u1", 5, role="new", city="new")]).run
    _by_hand(scene)
    found = undone(scene, run)
    assert [(each["code"]) for each in found["kept"]] == ["changed_since"]
    custom = scene.contents()["persons"][0]["custom_fields"]
    assert (custom["Role"], custom["City"]) == ("by hand", "old")


def test_undoing_hands_its_values_on_to_a_later_run(scene: Scene) -> None:
    """Undo the middle one, then the later one: the value is the first run's."""
    scene.run([identify("u1", 1, name="Ada", role="first")])
    middle = scene.run([identify("u1", 5, role="middle")]).run
    last = scene.run([identify("u1", 9, role="last")]).run
    found = undone(scene, middle)
    assert [each["code"] for each in found["kept"]] == ["later_run"]
    assert scene.contents()["persons"][0]["custom_fields"]["Role"] == "last"
    undone(scene, last)
    assert scene.contents()["persons"][0]["custom_fields"]["Role"] == "first"
    assert outcomes(scene.run([identify("u1", 3, role="between")])) == {"delivered": 1}, "newer than what stands there"


def test_runs_are_undone_one_after_the_other_the_newest_first(scene: Scene) -> None:
    """What an undo has given back is nobody's touch; what people did between the runs is."""
    for touched in (False, True):
        first = scene.run([identify("u1", 1, name="Ada", role="first")]).run
        scene.wait(5)
        if touched:
            person = scene.sandbox.contents(ids=True)["persons"][0]["id"]
            scene.sandbox.set_value("persons", person, scene.key("persons", "City"), "by hand")
        last = scene.run([identify("u1", 9, email="later@b.test")]).run
        scene.wait(5)
        assert undone(scene, last)["kept"] == []
        scene.wait(5)
        assert [each["code"] for each in undone(scene, first)["kept"]] == (["changed_since"] if touched else [])


def test_values_are_handed_on_to_the_run_that_replaced_them(scene: Scene) -> None:
    """A run between that wrote another field of the record has nothing to do with it."""
    scene.run([identify("u1", 1, name="Ada", role="first")])
    middle = scene.run([identify("u1", 5, role="middle")]).run
    between = scene.run([identify("u1", 7, city="Cork")]).run
    last = scene.run([identify("u1", 9, role="last")]).run
    undone(scene, middle)
    assert undone(scene, between)["kept"] == []
    undone(scene, last)
    custom = scene.contents()["persons"][0]["custom_fields"]
    assert custom["Role"] == "first" and custom.get("City") is None


def test_what_a_later_run_has_said_too_is_its_own(scene: Scene) -> None:
    """Its event changed nothing, and is handled: nobody would send it again."""
    scene.run([identify("u1", 1, role="first")])
    run = scene.run([identify("u1", 5, role="same"), identify("u2", 5, role="same")]).run
    scene.run([identify("u1", 9, role="same"), identify("u2", 9, role="same")])
    found = undone(scene, run)
    assert [(each["code"], each["field"] is None) for each in found["kept"]] == [
        ("later_run", True),
        ("later_run", False),
    ]
    assert [row["custom_fields"]["Role"] for row in scene.contents()["persons"]] == ["same", "same"]


def test_only_the_kinds_that_are_named_are_undone(scene: Scene) -> None:
    """Wrong leads, right persons."""
    run = scene.run(EVENTS).run
    assert undone(scene, run, "leads")["deleted"]["leads"] == 1
    assert scene.names("persons") == ["Ada"] and not scene.contents()["leads"]


def test_a_brake_stops_an_undo_before_its_first_write(scene: Scene) -> None:
    """Exit code 4; nothing was deleted."""
    run = scene.run(EVENTS).run
    assert undo(scene, run, "--yes", "--max-deleted", "2").code == 4
    assert scene.names("persons") == ["Ada"]


def test_nobody_to_ask_is_a_mistake_before_anything_is_asked_of_pipedrive(scene: Scene) -> None:
    """A script says --yes."""
    run = scene.run(EVENTS).run
    before = len(scene.sandbox.requests)
    assert (undo(scene, run).code, len(scene.sandbox.requests)) == (2, before)


def test_a_run_that_was_undone_is_marked_and_undoing_it_again_says_so(scene: Scene) -> None:
    """In the list of runs, and when somebody tries once more; a run that wrote nothing is no contradiction."""
    run, nothing = scene.run(EVENTS).run, scene.run([]).run
    assert "there is nothing to undo" in undo(scene, nothing, "--yes").out
    told = undo(scene, run, "--yes").out
    assert "Undone: 4 records deleted, 0 kept." in told
    assert "with --reread" in " ".join(told.split())
    listed = pipedrive_cli("runs", "--json", "--state", scene.state).json["runs"]
    assert {row["run"]: row["undone"] for row in listed} == {run: "complete", nothing: None}
    again = undo(scene, run, "--yes")
    assert (again.code, "was undone already" in again.out, "Undone" in again.out) == (0, True, False)
    assert "undone on" in pipedrive_cli("runs", "show", run, "--state", scene.state).err


@pytest.mark.parametrize("fault", ["500-before", "json400-before"])
def test_a_record_that_pipedrive_does_not_delete_is_named(scene: Scene, fault: str) -> None:
    """No fault of the tool; afterwards the same command does what is left."""
    run = scene.run(EVENTS[:1]).run
    scene.faults(f"{fault}@DELETE /api/v2/persons/{{id}}")
    told = undo(scene, run, "--yes")
    assert (told.code, f"stays: {WHY['in_doubt']} (" in told.err) == (1, True)
    scene.faults("")
    assert undone(scene, run)["deleted"]["persons"] == 1


def test_an_undo_that_may_not_look_stops_with_a_sentence(scene: Scene) -> None:
    """A permission that is missing."""
    run = scene.run(EVENTS[:1]).run
    scene.refusals("permission@persons")
    assert undo(scene, run, "--yes").code == 4


def test_an_undone_refill_leaves_its_events_handled_as_they_were(scene: Scene) -> None:
    """A record that people have deleted since is not made anew by the next plain run; a refill takes them up again."""
    scene.config = mapped(persons={"role": "Role"})
    scene.run(EVENTS)
    scene.config = mapped(persons={"role": "Role", "city": "City"})
    run = scene.run([identify("u1", 1, name="Ada", city="Cork", message_id=EVENTS[0]["messageId"])], refill=True).run
    assert undone(scene, run)["restored"]["persons"] == 1
    scene.sandbox.delete_record("leads", scene.sandbox.contents(ids=True)["leads"][0]["id"])
    assert outcomes(scene.run(EVENTS)) == {"duplicate": 4}
    assert not scene.contents()["leads"]


def test_refills_are_undone_one_after_the_other_though_one_wrote_nothing(scene: Scene) -> None:
    """The events of both are then handled as they were by the first run."""
    configs = mapped(persons={"role": "Role"}), mapped(persons={"role": "Role", "city": "City"})
    events = [identify("u1", 1, name="Ada", city="Cork"), track("u1", "Asked", 2)]
    runs = []
    for config in (configs[0], configs[1], configs[0]):
        scene.config = config
        runs.append(scene.run(events, refill=True).run)
    assert scene.undo(runs[2]).complete
    assert undone(scene, runs[1]) | {"deleted": None} == {
        **{"kept": [], "merges": 0, "deleted": None},
        "restored": {"persons": 1, "organizations": 0, "products": 0, "leads": 0},
    }
    assert outcomes(scene.run(events)) == {"duplicate": 2}


def test_runs_that_can_be_undone_are_not_pruned_unless_that_is_said(scene: Scene) -> None:
    """For 30 days; an undo of one that was forgotten says so."""
    run = scene.run(EVENTS[:1]).run
    scene.run([])
    prune = ("runs", "prune", "--keep", "1", "--state", scene.state)
    assert "1 run of the last 30 days kept" in pipedrive_cli(*prune).err
    assert len(pipedrive_cli("runs", "--json", "--state", scene.state).json["runs"]) == 2
    pipedrive_cli(*prune, "--undoable")
    assert "`runs prune` has forgotten" in undo(scene, run, "--yes").err


def test_the_cost_is_that_of_deleting_and_writing_alone(scene: Scene) -> None:
    """At most 3.2 tokens a record created, 6.2 a lead, 6 an update, and the looks at what hangs on records."""
    events = [identify(f"u{n}", n, name=f"P{n}") for n in range(1, 101)]
    run = scene.run(events).run
    before = scene.sandbox.tokens_spent
    undone(scene, run)
    overhead = 2 + 10 + 10 + 10 + 20 + 20 + 40  # who it is, the fields, deals, activities, notes, leads, archived ones
    assert scene.sandbox.tokens_spent - before <= 3.2 * 100 + overhead


def test_what_a_lead_hangs_on_that_pipedrive_did_not_delete_stays(scene: Scene) -> None:
    """The lead's person and its organization go once the lead has gone, and not before."""
    run = scene.run([group("u1", "g1", 1, name="Acme"), track("u1", "Demo", 2)]).run
    scene.faults("success-false-before@DELETE /api/v1/leads/{id}")
    kept = {each["kind"]: each["code"] for each in undone(scene, run)["kept"]}
    hangs = "something_hangs_on_it"
    assert kept == {"leads": "refused", "persons": hangs, "organizations": hangs}
    scene.faults("")
    assert undone(scene, "last")["kept"] == []
    assert not any(scene.contents().values())


def test_a_value_that_is_refused_keeps_no_other_from_coming_back(scene: Scene) -> None:
    """It stays and is named; it comes back with the next undo, once Pipedrive takes it."""
    scene.run([group("u1", "g1", 1, name="Acme"), identify("u1", 2, role="CEO")])
    run = scene.run([group("u1", "g2", 10, name="Bolt"), identify("u1", 11, role="CTO")]).run
    first = scene.sandbox.account.stores["organizations"].records[1]
    first.deleted = True
    kept = [(each["kind"], each["code"], each["field"]) for each in undone(scene, run)["kept"]]
    assert kept == [("persons", "refused", "organization"), ("organizations", "something_hangs_on_it", None)]
    (person,) = scene.contents()["persons"]
    assert person["custom_fields"]["Role"] == "CEO"
    first.deleted = False
    assert undone(scene, run)["kept"] == []
    assert scene.names("organizations") == ["Acme"]


def test_a_creation_whose_answer_was_lost_is_named_by_the_undo_of_its_run(scene: Scene) -> None:
    """Nobody knows yet what it made; once a run has found that out, it can be undone."""
    with suppress(Killed), killed_after(scene, "POST", "/api/v2/persons"):
        scene.run([identify("u1", 1, name="Ada")])
    assert [(each["code"], each["id"]) for each in undone(scene, "last")["kept"]] == [("in_doubt", "u1")]
    first = history(scene.state).runs[0].name
    scene.run([identify("u1", 1, name="Ada")])
    undone(scene, "last")
    assert undone(scene, first)["kept"] == []
    assert scene.names("persons") == []


def test_what_people_do_while_an_undo_asks_is_seen(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever answers after lunch deletes and overwrites nothing of those who worked meanwhile."""
    scene.run([identify("u1", 1, name="Ada", role="CEO")])
    run = scene.run([identify("u1", 5, role="CTO"), identify("u2", 6, name="Ben"), identify("u3", 7, name="Cy")]).run
    scene.wait(5)
    monkeypatch.setattr("pipedrive_cli.run.undo.LOOK_AFTER", 0.0)

    def asked(_: UndoPlan) -> bool:
        persons = scene.sandbox.contents(ids=True)["persons"]
        ids = {row["name"]: row["id"] for row in persons}
        scene.sandbox.set_value("persons", ids["Ada"], scene.key("persons", "Role"), "by hand")
        scene.sandbox.add_other("deals", person_id=ids["Ben"])
        return True

    result = scene.undo(run, agree=asked)
    assert {(each.why, each.field is None) for each in result.kept} == {
        ("changed_since", False),
        ("something_hangs_on_it", True),
    }
    assert scene.names("persons") == ["Ada", "Ben"]


def test_a_record_that_goes_while_an_undo_is_under_way_got_nothing_back(scene: Scene) -> None:
    """It is named as not seen, and counts as undone where the undo was to delete it."""
    scene.run([identify("u1", 1, name="Ada", role="CEO")])
    run = scene.run([identify("u1", 5, role="CTO"), identify("u2", 6, name="Ben")]).run

    def asked(_: UndoPlan) -> bool:
        for record in scene.sandbox.account.stores["persons"].records.values():
            record.deleted = True
        return True

    result = scene.undo(run, agree=asked)
    assert [(each.kind, each.why) for each in result.kept] == [("persons", "not_seen")]
    assert (result.deleted["persons"], result.restored["persons"]) == (1, 0)


def test_a_list_of_emails_that_was_replaced_comes_back_whole(scene: Scene) -> None:
    """With `contacts: replace` the run's list goes, phones where there were none too; what people added stays."""
    scene.config = with_delivery(contacts="replace")
    scene.run([identify("u1", 1, name="Ada", email="a@b.test")])
    before = scene.contents()
    again = [identify("u1", 5, email="b@b.test", phone="+15550100")]
    run = scene.run(again).run
    undone(scene, run)
    assert scene.contents() == before
    run = scene.run(again).run
    person = scene.sandbox.contents(ids=True)["persons"][0]
    scene.sandbox.set_value("persons", person["id"], "emails", [*person["emails"], {"value": "by@hand.test"}])
    undone(scene, run)
    (person,) = scene.contents()["persons"]
    assert {email["value"] for email in person["emails"]} == {"a@b.test", "by@hand.test"}
