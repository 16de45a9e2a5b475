"""The record's own key is the truth: where people swap, correct or empty ids, values go to whoever bears the id now."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from pipedrive_cli.run import connection
from pipedrive_cli.sandbox import SandboxTransport
from tests.harness import Event, Scene, alias, group, identify, outcomes, track, viewed, with_delivery
from tests.run.test_preview import previewed

ADA, BO = "Ada Holm", "Bo Lind"


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene(tmp_path)


def met(scene: Scene) -> dict[str, int]:
    """A run has brought Ada (u-1) and Bo (u-2). Their ids in Pipedrive by name."""
    scene.run([identify("u-1", 1, name=ADA, email="ada@x.test"), identify("u-2", 1, name=BO, email="bo@x.test")])
    return {row["name"]: row["id"] for row in scene.sandbox.contents(ids=True)["persons"]}


def rekey(scene: Scene, record: int, key: str | None) -> None:
    """Somebody types another user id into a person, or empties it."""
    scene.sandbox.set_value("persons", record, scene.key("persons", "User id"), key)


def people(scene: Scene, field: str = "Role") -> dict[str, tuple[str | None, Any]]:
    """Name -> (user id, value of a field)."""
    rows = scene.contents()["persons"]
    return {row["name"]: (row["custom_fields"].get("User id"), row["custom_fields"].get(field)) for row in rows}


def codes(summary: Any) -> set[tuple[str, str | None]]:
    return {(problem.code, problem.outcome) for problem in summary.problems}


def strangers(number: int) -> list[Event]:
    """So many unknown users that the account is listed, which shows the ids before anything is decided."""
    return [identify(f"x-{n}", 50, name=f"X {n}") for n in range(number)]


@pytest.mark.parametrize("listed", [0, 4], ids=["not listed", "listed"])
@pytest.mark.parametrize("lookahead", [1, 1000])
@pytest.mark.parametrize("users", [("u-1",), ("u-2",), ("u-1", "u-2"), ("u-2", "u-1")], ids="-".join)
def test_values_follow_ids_that_were_swapped(scene: Scene, users: Iterable[str], lookahead: int, listed: int) -> None:
    """Whoever has events: each value lands on the person that bears the id now, and on nobody else."""
    ids = met(scene)
    rekey(scene, ids[ADA], "u-2")
    rekey(scene, ids[BO], "u-1")
    scene.config = with_delivery(lookahead=lookahead)
    summary = scene.run([*strangers(listed), *(identify(user, 9, role=f"of {user}") for user in users)])
    found = {name: value for name, value in people(scene).items() if name in ids}
    assert found == {
        ADA: ("u-2", "of u-2" if "u-2" in users else None),
        BO: ("u-1", "of u-1" if "u-1" in users else None),
    }
    assert summary.exit_code == 0
    # From then on the journal knows it: no look-up by key is made again.
    scene.run([identify(user, 19, role="later") for user in users])
    assert not [call for call in scene.sent if "search" in call or call == "GET /api/v2/persons"]
    assert {name: role for name, (_, role) in people(scene).items() if role == "later"} == {
        {"u-1": BO, "u-2": ADA}[user]: "later" for user in users
    }


@pytest.mark.parametrize("lookahead", [1, 1000])
def test_an_id_that_nobody_bears_any_more_names_its_event(scene: Scene, lookahead: int) -> None:
    """Ada was given another id: nothing is written into her, nobody is made, and it is so on every rerun."""
    ids = met(scene)
    rekey(scene, ids[ADA], "u-9")
    scene.config = with_delivery(lookahead=lookahead)
    events = [identify("u-1", 9, role="lost"), track("u-1", "Demo", 10), identify("u-2", 9, role="of u-2")]
    for again in (False, True):
        summary = scene.run(events)
        assert people(scene) == {ADA: ("u-9", None), BO: ("u-2", "of u-2")}
        assert ("identity_conflict", "rejected") in codes(summary)
        assert summary.events.rejected == 2
        assert scene.names("leads") == []
        assert scene.writes == [] or not again
    assert outcomes(scene.run([identify("u-9", 11, role="new")])) == {"delivered": 1}
    assert people(scene)[ADA] == ("u-9", "new")


def test_an_emptied_id_is_no_other_id(scene: Scene) -> None:
    """The record stays ours: it is written, gets its id again, and a stranger with its email does not adopt it."""
    ids = met(scene)
    rekey(scene, ids[ADA], None)
    scene.run([identify("u-5", 9, name="Eve", email="ada@x.test"), *strangers(4)])
    assert people(scene)[ADA] == (None, None)
    assert people(scene)["Eve"] == ("u-5", None)
    assert outcomes(scene.run([identify("u-1", 11, role="mine")])) == {"delivered": 1}
    assert people(scene)[ADA] == ("u-1", "mine")


def test_ids_swapped_while_a_run_is_under_way(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """The answer to the update shows the other id: what was written there is taken back, and goes where it belongs."""
    ids = met(scene)
    scene.sandbox.set_value("persons", ids[BO], scene.key("persons", "Role"), "Bo's own")
    real = SandboxTransport.handle_async_request
    done: list[str] = []

    async def handle(self: SandboxTransport, request: Any) -> Any:
        if request.method == "PATCH" and not done:
            done.append("swapped")
            rekey(scene, ids[ADA], "u-2")
            rekey(scene, ids[BO], "u-1")
        return await real(self, request)

    monkeypatch.setattr(SandboxTransport, "handle_async_request", handle)
    events = [identify("u-1", 9, role="of u-1", city="Rome"), identify("u-2", 9, role="of u-2", phone="+1 555 0100")]
    assert outcomes(scene.run(events)) == {"delivered": 2}
    assert people(scene) == {ADA: ("u-2", "of u-2"), BO: ("u-1", "of u-1")}
    assert people(scene, "City") == {ADA: ("u-2", None), BO: ("u-1", "Rome")}
    phones = {row["name"]: [phone["value"] for phone in row["phones"]] for row in scene.contents()["persons"]}
    assert phones == {ADA: ["+1 555 0100"], BO: []}


@pytest.mark.parametrize("swapped", [False, True])
def test_an_alias_merges_those_who_bear_its_ids_now(scene: Scene, swapped: bool) -> None:
    """A merge cannot be undone: the persons are those that show the ids, whatever the journal had known."""
    ids = met(scene)
    cleo = int(scene.sandbox.add_record("persons", {"name": "Cleo", "emails": [{"value": "cleo@x.test"}]}))
    if swapped:
        rekey(scene, ids[ADA], "u-2")
        rekey(scene, ids[BO], "u-1")
    else:
        rekey(scene, ids[ADA], "u-9")
        rekey(scene, cleo, "u-1")
    assert outcomes(scene.run([alias("u-1", "u-2", 9)])) == {"delivered": 1}
    left = {ADA: ("u-2", None)} if swapped else {ADA: ("u-9", None), BO: ("u-2", None)}
    assert people(scene) == left | ({"Cleo": (None, None)} if swapped else {})


def test_an_alias_of_an_id_that_nobody_bears_merges_nobody(scene: Scene) -> None:
    """It is rejected as a conflict of identities."""
    ids = met(scene)
    rekey(scene, ids[ADA], "u-9")
    summary = scene.run([alias("u-1", "u-2", 9)])
    assert ("identity_conflict", "rejected") in codes(summary)
    assert people(scene) == {ADA: ("u-9", None), BO: ("u-2", None)}


def test_a_lead_goes_to_whoever_bears_the_id_now(scene: Scene) -> None:
    """Also where nothing but the lead is sent."""
    ids = met(scene)
    rekey(scene, ids[ADA], "u-2")
    rekey(scene, ids[BO], "u-1")
    assert outcomes(scene.run([track("u-1", "Demo", 9)])) == {"delivered": 1}
    (lead,) = scene.contents()["leads"]
    assert lead["person"]["name"] == BO


def test_pipedrives_id_beside_an_id_that_was_moved(scene: Scene) -> None:
    """The event names the record that bears its user id now: what the journal knew of that id is no conflict."""
    ids = met(scene)
    rekey(scene, ids[ADA], "u-9")
    rekey(scene, ids[BO], "u-1")
    named = {"context": {"externalId": [{"id": ids[BO], "type": "pipedrivePersonId"}]}}
    assert outcomes(scene.run([identify("u-1", 9, role="of u-1") | named])) == {"delivered": 1}
    assert people(scene) == {ADA: ("u-9", None), BO: ("u-1", "of u-1")}


@pytest.mark.parametrize("what", ["swapped", "moved", "emptied", "deleted"])
def test_a_preview_foretells_it(scene: Scene, what: str) -> None:
    """What people did is met alike by a look at the account and by the run."""
    ids = met(scene)
    if what == "deleted":
        scene.sandbox.delete_record("persons", ids[ADA])
    else:
        rekey(scene, ids[ADA], {"swapped": "u-2", "moved": "u-9", "emptied": None}[what])
    if what == "swapped":
        rekey(scene, ids[BO], "u-1")
    events = [identify("u-1", 9, role="r"), track("u-1", "Demo", 10), identify("u-2", 11, city="Rome")]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(connection, "to_account", lambda _: scene._connect())
        seen = previewed(scene.folder, events, scene.config, online=True, state=scene.state).summary
    summary = scene.run(events)
    assert (seen.records, seen.events) == (summary.records, summary.events)
    assert [(p.code, p.count) for p in seen.problems] == [(p.code, p.count) for p in summary.problems]


def test_organizations_and_products_follow_their_keys(scene: Scene) -> None:
    """So do links to an organization."""
    scene.run([group("u-1", "g-1", 1, name="One"), group(None, "g-2", 1, name="Two")])
    scene.run([viewed("u-1", "c-1", 1, name="Bike"), viewed("u-1", "c-2", 1, name="Car")])
    ids = {row["name"]: row["id"] for kind in ("organizations", "products") for row in _rows(scene, kind)}
    for name, key in (("One", "g-2"), ("Two", "g-1")):
        scene.sandbox.set_value("organizations", ids[name], scene.key("organizations", "Group id"), key)
    for name, key in (("Bike", "c-2"), ("Car", "c-1")):
        scene.sandbox.set_value("products", ids[name], "code", key)
    scene.run([group("u-7", "g-1", 9, industry="of g-1"), viewed("u-1", "c-1", 9, brand="of c-1")])
    branches = {row["name"]: row["custom_fields"].get("Branch") for row in scene.contents()["organizations"]}
    assert branches == {"One": None, "Two": "of g-1"}
    brands = {row["name"]: row["custom_fields"].get("Brand") for row in scene.contents()["products"]}
    assert brands == {"Bike": None, "Car": "of c-1"}
    scene.run([group("u-8", "g-2", 10)])
    links = {row["name"]: row["org"] and row["org"]["name"] for row in scene.contents()["persons"]}
    assert (links["u-7"], links["u-8"]) == ("Two", "One")


def _rows(scene: Scene, kind: str) -> list[dict[str, Any]]:
    return scene.sandbox.contents(ids=True)[kind]
