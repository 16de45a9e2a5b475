"""Fields given by name are held to the key that the first run found: what people rename in Pipedrive loses nothing."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest

from pipedrive_cli.delivery.journal import Journal
from pipedrive_cli.errors import ConfigProblems
from pipedrive_cli.report.summary import Summary
from pipedrive_cli.run.replay import Replay
from tests.harness import Scene, event, identify


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    """An account in which one run has written to the field Role."""
    scene = Scene(tmp_path)
    scene.run([identify("u1", name="Ann", role="dev")])
    return scene


def a_day_later(scene: Scene) -> None:
    """The account's fields are not known from the day before any more."""
    with contextlib.closing(Journal.open(scene.state)) as journal, journal.transaction():
        for kind in ("persons", "organizations", "products", "leads"):
            journal.set_fact(f"fields {kind}", None)


def rename(scene: Scene, kind: str, key: str, name: str) -> None:
    """As somebody does in Pipedrive's settings."""
    field = scene.sandbox.account.fields[kind].part(key)
    assert field is not None
    field[0].name = name
    a_day_later(scene)


def values(scene: Scene) -> dict[str, str]:
    """What the one person has in its custom fields, by their names of now, without its user id."""
    (person,) = scene.contents()["persons"]
    return {name: value for name, value in person["custom_fields"].items() if name != "User id"}


def warnings(summary: Summary) -> list[tuple[int | None, str | None, str]]:
    """(line, path, what was said) of the warnings about fields."""
    return [
        (example.line, example.field, example.message or "")
        for problem in summary.problems
        if problem.code == "field_moved"
        for example in problem.examples
    ]


def test_a_field_that_was_renamed_keeps_its_values_and_is_told(scene: Scene) -> None:
    """The name of the config stands for the key of the first run; the report names the new name, and no key."""
    role = scene.key("persons", "Role")
    rename(scene, "persons", role, "Position")
    summary = scene.run([identify("u1", role="boss")])
    assert values(scene) == {"Position": "boss"}
    ((_, path, message),) = warnings(summary)
    assert path == "fields.persons.role"
    assert "Role" in message
    assert "write Position instead" in message
    assert role not in message
    assert (summary.status, summary.exit_code) == ("complete", 0)


def test_another_field_that_takes_the_old_name_gets_nothing(scene: Scene) -> None:
    """A new field of the old name is another field; whoever means it writes its key, which is told."""
    role = scene.key("persons", "Role")
    rename(scene, "persons", role, "Position")
    other = scene.sandbox.add_field("persons", name="Role")
    summary = scene.run([identify("u1", role="boss")])
    assert values(scene) == {"Position": "boss"}
    ((_, _, message),) = warnings(summary)
    assert other in message


def test_a_twin_of_a_field_that_kept_its_name_is_refused_with_both_keys(scene: Scene) -> None:
    """Nobody can tell which of the two the config means by now, so the user has to."""
    other = scene.sandbox.add_field("persons", name="Role")
    a_day_later(scene)
    with pytest.raises(ConfigProblems) as raised:
        scene.run([identify("u1", role="boss")])
    (problem,) = raised.value.problems
    assert other in problem.message
    assert scene.key("persons", "Role") in problem.message


def test_a_field_that_was_deleted_and_made_anew_is_used_and_told_once(scene: Scene) -> None:
    """The old one's key is of no use any more; the new one is held from then on."""
    role = scene.key("persons", "Role")
    scene.sandbox.account.fields["persons"].drop(role)
    scene.sandbox.add_field("persons", name="Role")
    a_day_later(scene)
    summary = scene.run([identify("u1", role="boss")])
    assert values(scene) == {"Role": "boss"}
    ((_, _, message),) = warnings(summary)
    assert "another field" in message
    assert warnings(scene.run([identify("u1", role="chief")])) == []


def test_the_id_field_is_held_too(scene: Scene) -> None:
    """Were it lost by a rename, every person would be made a second time."""
    rename(scene, "persons", scene.key("persons", "User id"), "Our number")
    summary = scene.run([identify("u1", role="boss"), identify("u2", name="Bob")])
    assert sorted(scene.names("persons")) == ["Ann", "Bob"]
    assert [path for _, path, _ in warnings(summary)] == ["identity.user_id_field"]


def test_a_warning_stands_where_the_config_names_the_field(scene: Scene) -> None:
    """The file and its line, as with mistakes."""
    config = scene.folder / "config.yaml"
    config.write_text("fields:\n  persons:\n    city: City\n    role: Role\n", encoding="utf-8")
    rename(scene, "persons", scene.key("persons", "Role"), "Position")

    def of_this_file(job: Replay) -> None:
        job.config_file = str(config)

    ((line, _, _),) = warnings(scene.run([event("identify", userId="u1", traits={"role": "x"})], before=of_this_file))
    assert line == 4
