"""What an earlier run has seen of a record may be over: somebody gave it to another user, or another email."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.harness import Scene, identify, viewed, with_delivery


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    """An account with Old, whom the user u7 is, and a run that has listed it all and written none of it."""
    scene = Scene(tmp_path)
    bears = {scene.key("persons", "User id"): "u7"}
    scene.sandbox.add_record("persons", {"name": "Old", "custom_fields": bears})
    for n in range(40):
        scene.sandbox.add_record("persons", {"name": f"P {n}"})
    scene.sandbox.add_record("persons", {"name": "Eve", "emails": [{"value": "e@x.test"}]})
    scene.run([identify(f"x{n}", name=f"X {n}") for n in range(20)])
    return scene


def record_of(scene: Scene, name: str) -> int:
    (number,) = (row["id"] for row in scene.sandbox.contents(ids=True)["persons"] if row["name"] == name)
    return int(number)


def roles(scene: Scene) -> dict[str, tuple[str | None, str | None]]:
    """Name -> user id and role, of the persons that have a role."""
    rows = [(row["name"], row["custom_fields"]) for row in scene.contents()["persons"]]
    return {name: (fields.get("User id"), fields["Role"]) for name, fields in rows if fields.get("Role")}


@pytest.mark.parametrize("others", [0, 40], ids=["read alone", "after a list of what has changed"])
@pytest.mark.parametrize("heir", [False, True])
def test_a_person_who_is_another_user_now_is_left_alone(scene: Scene, others: int, heir: bool) -> None:
    """Neither values nor the user id of the one whom it was come back to it; whoever bears that id now gets them."""
    scene.sandbox.set_value("persons", record_of(scene, "Old"), scene.key("persons", "User id"), "u8")
    if heir:
        bears = {scene.key("persons", "User id"): "u7"}
        scene.sandbox.add_record("persons", {"name": "Heir", "custom_fields": bears})
    scene.run([identify("u7", role="ops"), *(identify(f"y{n}", name=f"Y {n}") for n in range(others))])
    assert roles(scene) == {"Heir" if heir else "u7": ("u7", "ops")}
    scene.run([identify("u8", role="dev")])
    assert roles(scene)["Old"] == ("u8", "dev")


def test_a_person_who_has_another_email_now_is_not_adopted(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where so much has changed since that looking the email up is cheaper than a list of it."""
    scene.sandbox.set_value("persons", record_of(scene, "Eve"), "emails", [{"value": "other@x.test"}])
    for n in range(10):
        scene.sandbox.set_value("persons", record_of(scene, f"P {n}"), "name", f"Q {n}")
    monkeypatch.setattr("pipedrive_cli.pipedrive.catalog.MAX_PAGE", 2)
    scene.run([identify("u9", role="ops", email="e@x.test")])
    assert roles(scene) == {"e@x.test": ("u9", "ops")}


@pytest.mark.parametrize("existing", ["overwrite", "fill", "newest"])
def test_an_event_from_before_ours_does_not_replace_what_somebody_put_in_its_place(
    tmp_path: Path, existing: str
) -> None:
    """It is older than the value that they replaced."""
    scene = Scene(tmp_path, config=with_delivery(existing=existing))
    scene.run([identify("u7", 20, name="Ann", role="ours")])
    scene.sandbox.set_value("persons", record_of(scene, "Ann"), scene.key("persons", "Role"), "theirs")
    others = [identify(f"y{n}", name=f"Y {n}") for n in range(40)]  # worth a list, which shows the value
    scene.run([identify("u7", 10, role="before", city="Rome"), *others])
    assert roles(scene) == {"Ann": ("u7", "theirs")}


def test_a_price_keeps_what_people_wrote_beside_it(tmp_path: Path) -> None:
    """Costs and notes of every currency stay; the event's price alone changes."""
    scene = Scene(tmp_path)
    rows = [
        {"currency": "EUR", "price": 10, "cost": 4, "direct_cost": 2, "notes": "list of 2025"},
        {"currency": "GBP", "price": 9, "cost": 3, "notes": "ask Bo"},
    ]
    scene.sandbox.add_record("products", {"name": "Bike", "code": "bike-1", "prices": rows})
    summary = scene.run([viewed("u1", "bike-1", 1, currency="EUR", price=11)])
    (bike,) = scene.contents()["products"]
    prices = {row["currency"]: row for row in bike["prices"]}
    kept = ("price", "cost", "direct_cost", "notes")
    assert [prices["EUR"][key] for key in kept] == [11, 4, 2, "list of 2025"]
    assert [prices["GBP"][key] for key in kept] == [9, 3, None, "ask Bo"]
    assert summary.events.delivered == 1
    assert scene.run([viewed("u1", "bike-1", 2, currency="EUR", price=11)]).requests.by_endpoint.keys() <= {
        "GET /api/v1/users/me",
        "GET /api/v2/products",
        "GET /api/v2/products/{id}",
        "GET /api/v2/productFields",
        "GET /api/v1/currencies",
    }


def test_a_price_that_cannot_go_back_costs_the_events_prices_alone(tmp_path: Path) -> None:
    """The account has given its currency up: the other values arrive, and no row of people's is dropped for ours."""
    scene = Scene(tmp_path)
    rows = [{"currency": "SEK", "price": 10}, {"currency": "EUR", "price": 1}]
    scene.sandbox.add_record("products", {"name": "Bike", "code": "bike-1", "prices": rows})
    account = scene.sandbox.account
    object.__setattr__(account.options, "currencies", ("EUR", "USD"))
    summary = scene.run([viewed("u1", "bike-1", 1, currency="EUR", price=11, brand="Bianchi")])
    (bike,) = scene.contents()["products"]
    assert ({row["currency"]: row["price"] for row in bike["prices"]}, bike["custom_fields"]["Brand"]) == (
        {"SEK": 10, "EUR": 1},
        "Bianchi",
    )
    assert [(each.outcome, each.code) for each in summary.problems] == [("rejected", "refused_value")]
