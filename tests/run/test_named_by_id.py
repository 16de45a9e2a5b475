"""Records that events name by Pipedrive's id: they must be there, whatever an earlier run has seen."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.harness import Event, Scene, alias, identify, outcomes


def named(user: str, number: int | str, role: str) -> Event:
    """An event that names its person by Pipedrive's id as well."""
    return identify(user, role=role) | {"context": {"externalId": [{"type": "pipedrivePersonId", "id": str(number)}]}}


@pytest.mark.parametrize("strangers", [0, 40], ids=["read alone", "after a list of what has changed"])
@pytest.mark.parametrize("role", ["dev", "ops"], ids=["nothing to write", "something to write"])
@pytest.mark.parametrize("bears", [{}, {"User id": "u7"}], ids=["without a key", "with its key"])
def test_a_record_that_an_earlier_run_saw_and_somebody_deleted_is_not_created_for_its_id(
    tmp_path: Path, strangers: int, role: str, bears: dict[str, str]
) -> None:
    """A list of what has changed leaves out what was deleted: it is no proof that the record is still there."""
    scene = Scene(tmp_path)
    values = {scene.key("persons", name): value for name, value in {"Role": "dev", **bears}.items()}
    record = scene.sandbox.add_record("persons", {"name": "Old", "custom_fields": values})
    scene.run([identify(f"x{n}", name=f"X {n}") for n in range(30)])  # enough for a listing of all
    scene.sandbox.delete_record("persons", record)
    new = [identify(f"y{n}", name=f"Y {n}") for n in range(strangers)]
    summary = scene.run([named("u7", record, role=role), *new])
    assert outcomes(summary) == {"rejected": 1} | ({"delivered": strangers} if strangers else {})
    assert [problem.code for problem in summary.problems] == ["unknown_pipedrive_id"]
    assert scene.names("persons") == sorted([f"X {n}" for n in range(30)] + [f"Y {n}" for n in range(strangers)])


def test_an_alias_that_names_a_person_by_the_id_of_somebody_else_is_rejected(tmp_path: Path) -> None:
    """Nobody is merged, and the run goes on."""
    scene = Scene(tmp_path)
    scene.run([identify("u1", name="Ada"), identify("u2", name="Bo"), identify("u3", name="Cy")])
    ids = {str(row["name"]): row["id"] for row in scene.sandbox.contents(ids=True)["persons"]}
    named = {"context": {"externalId": [{"type": "pipedriveCurrentId", "id": str(ids["Cy"])}]}}
    summary = scene.run([alias("u1", "u2") | named])
    assert outcomes(summary) == {"rejected": 1}
    assert [problem.code for problem in summary.problems] == ["identity_conflict"]
    assert sorted(scene.names("persons")) == ["Ada", "Bo", "Cy"]
