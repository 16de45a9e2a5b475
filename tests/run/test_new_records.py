"""What new records get from the config, and fields that hold users of the account."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from pipedrive_cli.config import Config
from pipedrive_cli.config.mapping_line import NewRecords
from pipedrive_cli.config.model import Fields
from pipedrive_cli.errors import ConfigProblems
from tests.delivery.test_refused import refusing
from tests.harness import CONFIG, Scene, group, identify, outcomes, track, viewed


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene(tmp_path)


def giving(**constants: Any) -> Config:
    """The usual config with these constants for new records."""
    return msgspec.structs.replace(CONFIG, new_records=NewRecords(**constants))


def test_new_records_of_every_kind_get_what_the_config_gives_them(scene: Scene) -> None:
    """Custom fields and standard ones, options by their labels, and an owner."""
    scene.sandbox.add_field("persons", name="Source", field_type="enum", options=("Website", "Fair"))
    scene.sandbox.add_user(12)
    scene.config = giving(
        persons={"Source": "Website", "owner_id": 12},
        organizations={"visible_to": 3, "website": "none yet"},
        products={"description": "from events", "owner_id": "user-12@sandbox.test"},
        leads={"Rating": "cold"},
    )
    summary = scene.run(
        [
            identify("u1", name="Ann"),
            group("u1", "g1", name="Acme"),
            track("u1", "Demo"),
            viewed("u1", "p1", name="Bike"),
        ]
    )
    assert outcomes(summary) == {"delivered": 4}
    contents = scene.contents()
    (person,), (organization,) = contents["persons"], contents["organizations"]
    (product,), (lead,) = contents["products"], contents["leads"]
    assert (person["custom_fields"]["Source"], person["owner_id"]) == ("Website", 12)
    assert (organization["visible_to"], organization["website"]) == (3, "none yet")
    assert (product["description"], product["owner_id"]) == ("from events", 12)
    assert lead["custom_fields"]["Rating"] == "cold"


def test_a_record_that_is_there_already_gets_none_of_it(scene: Scene) -> None:
    """Neither one that this tool made nor one that it took over."""
    scene.run([identify("u1", name="Ann")])
    scene.sandbox.add_record("persons", {"name": "Bo", "emails": [{"value": "bo@x.test"}]})
    scene.config = giving(persons={"City": "Rome"})
    scene.run([identify("u1", role="CTO"), identify("u2", email="bo@x.test", role="CEO")])
    assert [person["custom_fields"].get("City") for person in scene.contents()["persons"]] == [None, None]


def test_what_an_event_says_comes_before_what_the_config_gives(scene: Scene) -> None:
    """On creation, and later: the constant is no person's correction."""
    scene.config = giving(persons={"City": "Rome", "Role": "none"})
    scene.run([identify("u1", name="Ann", city="Oslo")])
    (person,) = scene.contents()["persons"]
    assert person["custom_fields"] == {"User id": "u1", "City": "Oslo", "Role": "none"}
    scene.run([identify("u1", role="CTO")])
    (person,) = scene.contents()["persons"]
    assert person["custom_fields"]["Role"] == "CTO"


@pytest.mark.parametrize(
    ("constants", "message"),
    [
        ({"Sourec": "Website"}, "have no field Sourec"),
        ({"Source": "Web"}, "'Web' is none"),
        ({"owner_id": 99}, "has none with the id 99"),
        ({"owner_id": "nobody@x.test"}, "nobody has this one"),
    ],
)
def test_a_constant_that_the_account_cannot_take_ends_the_run_before_it_begins(
    scene: Scene, constants: dict[str, Any], message: str
) -> None:
    """With its key, and nothing is sent."""
    scene.sandbox.add_field("persons", name="Source", field_type="enum", options=("Website", "Fair"))
    scene.config = giving(persons=constants)
    with pytest.raises(ConfigProblems) as refused:
        scene.run([identify("u1", name="Ann")])
    (problem,) = refused.value.problems
    assert problem.path == f"new_records.persons.{next(iter(constants))}"
    assert message in problem.message
    assert scene.writes == []


def test_a_field_of_type_user_takes_the_email_of_one(scene: Scene) -> None:
    """Whatever its case; ids too. An address of nobody is rejected with its field. The users are listed once a day."""
    scene.sandbox.add_user(12)
    scene.sandbox.add_field("persons", name="Manager", field_type="user")
    scene.config = msgspec.structs.replace(CONFIG, fields=Fields(persons={"manager": "Manager"}))
    summary = scene.run(
        [
            identify("u1", manager="User-12@Sandbox.test "),
            identify("u2", manager=12),
            identify("u3", manager="stranger@x.test"),
            identify("u4", manager=77),
        ]
    )
    assert [person["custom_fields"].get("Manager") for person in scene.contents()["persons"]] == [12, 12, None, None]
    assert outcomes(summary) == {"delivered": 2, "rejected": 2}
    assert scene.sent.count("GET /api/v1/users") == 1
    scene.run([identify("u1", manager=12)])
    assert "GET /api/v1/users" not in scene.sent


def test_users_are_not_listed_where_nothing_names_one(scene: Scene) -> None:
    """It costs 20 tokens."""
    scene.sandbox.add_field("persons", name="Manager", field_type="user")
    scene.run([identify("u1", role="CTO", manager="x@y.test")])
    assert "GET /api/v1/users" not in scene.sent


def test_a_refused_value_of_an_event_takes_no_constant_along(scene: Scene) -> None:
    """Pipedrive names the role: the record is made without that, and with what the config gives it."""
    scene.config = giving(persons={"City": "Rome"})
    role = scene.key("persons", "Role")
    refusing(scene, lambda _, body: f"custom_fields.{role}: no" if role in body.get("custom_fields", {}) else None)
    scene.run([identify("u1", name="Ann", role="bad")])
    (person,) = scene.contents()["persons"]
    assert person["custom_fields"] == {"User id": "u1", "City": "Rome"}
