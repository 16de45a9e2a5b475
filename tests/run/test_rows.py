"""Tables replayed: rows bring what events bring, once."""

from __future__ import annotations

from pathlib import Path

from pipedrive_cli.events.rows import RowForm
from tests.harness import Scene, group, identify, outcomes, track

PEOPLE = "user_id;at;email;role\nu1;2024-03-01T12:00:01Z;ann@acme.example;Boss\nu2;2024-03-01T12:00:02Z;bo@x.example;\n"
TEAMS = "group_id;user_id;at;name;industry\ng1;u1;2024-03-01T12:00:03Z;Acme;Steel\n"
TRIALS = "id;user_id;at;event_text;rating\nm-9;u2;2024-03-01T12:00:04Z;Trial started;5\n"


def test_rows_and_events_of_the_same_people_leave_the_same_records(tmp_path: Path) -> None:
    """Persons, organizations, links and leads, whichever way they came; a second run sends nothing."""
    (tmp_path / "events").mkdir()
    (tmp_path / "rows").mkdir()
    events, rows = Scene(tmp_path / "events"), Scene(tmp_path / "rows")
    events.run(
        [
            identify("u1", 1, email="ann@acme.example", role="Boss"),
            identify("u2", 2, email="bo@x.example"),
            group("u1", "g1", 3, name="Acme", industry="Steel"),
            track("u2", "Trial started", 4, message_id="m-9", rating="5"),
        ]
    )
    tables = (
        ("people.csv", PEOPLE, RowForm("identify", "user_id", "at")),
        ("teams.csv", TEAMS, RowForm("group", "group_id", "at")),
        ("trials.csv", TRIALS, RowForm("track", "user_id", "at", "id")),
    )
    for name, text, form in tables:
        path = rows.folder / name
        path.write_text(text)
        dropped = rows.run(path, rows=form).dropped_traits
        assert not {name for names in dropped.values() for name in names} & set(form.columns), "they are used"
    assert _without_times(rows) == _without_times(events)
    for name, _, form in tables:
        again = rows.run(rows.folder / name, rows=form)
        assert set(outcomes(again)) == {"duplicate"}
        assert rows.writes == []


def _without_times(scene: Scene) -> object:
    own = {"id", "add_time", "update_time", "person_id", "org_id", "organization_id"}
    keys = {key: name for (_, name), key in scene.keys.items()}
    return {
        kind: [
            {keys.get(name, name): value for name, value in row.items() if name not in own}
            | {"linked": bool(row.get("org_id"))}
            for row in rows
        ]
        for kind, rows in scene.contents().items()
    }


def test_a_changed_row_is_a_new_event_and_the_grown_table_is_read_with_its_header(tmp_path: Path) -> None:
    """Of a found table that has grown its old rows are duplicates; the changed one updates its person."""
    scene, folder = Scene(tmp_path), tmp_path / "tables"
    folder.mkdir()
    form = RowForm("identify", "user_id", "at")
    (folder / "a.csv").write_text(PEOPLE)
    scene.run(folder, rows=form)
    (folder / "a.csv").write_text(PEOPLE + "u1;2024-03-02T12:00:00Z;ann@acme.example;Chief\n")
    summary = scene.run(folder, rows=form)
    assert outcomes(summary) == {"delivered": 1, "duplicate": 2}
    assert [write.split()[0] for write in scene.writes] == ["PATCH"]


def test_a_table_read_with_another_column_is_read_again(tmp_path: Path) -> None:
    """What is known of a found table holds for the columns it was read with."""
    scene, folder = Scene(tmp_path), tmp_path / "tables"
    folder.mkdir()
    (folder / "a.csv").write_text(PEOPLE)
    scene.run(folder, rows=RowForm("identify", "user_id", "at"))
    assert scene.run(folder, rows=RowForm("identify", "user_id", "at")).events.read == 0
    assert scene.run(folder, rows=RowForm("identify", "email", "at")).events.read == 2
