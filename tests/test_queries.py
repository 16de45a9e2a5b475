"""The queries that the page about them shows for DuckDB: what they write is read, and brings what the tables hold."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from pipedrive_cli.events.rows import RowForm
from tests.harness import Scene, outcomes

PAGE = Path(__file__).parent.parent / "pipedrive_cli" / "docs" / "queries.md"
TABLES = """
CREATE TABLE people AS SELECT * FROM (VALUES
    ('u1', TIMESTAMP '2026-03-02 12:00:00', 'ann@acme.example', 'Ann, "the" boss', 'Boss'),
    ('u2', TIMESTAMP '2026-03-03 12:00:00', 'bo@x.example', NULL, NULL)
) AS t(user_id, updated_at, email, name, role);
CREATE TABLE trials AS SELECT 9 AS id, 'u2' AS user_id, TIMESTAMP '2026-03-04 12:00:00' AS created_at, 5 AS rating;
"""


def query(name: str) -> str:
    found = re.search(rf"<!-- query: {name} -->\n```sql\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert found is not None
    return found[1]


def test_what_duckdb_s_queries_write_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows as CSV and events as lines of JSON: both bring the people, and neither brings them again."""
    duckdb = pytest.importorskip("duckdb", reason="the extra test-cloud is not installed")
    monkeypatch.chdir(tmp_path)
    with duckdb.connect() as database:
        database.execute(TABLES)
        database.execute(query("rows"))
        database.execute(query("events"))
    scene = Scene(tmp_path)
    form = RowForm("identify", "user_id", "updated_at")
    assert outcomes(scene.run(tmp_path / "people.csv", rows=form)) == {"delivered": 2}
    assert scene.names("persons") == ['Ann, "the" boss', "bo@x.example"]
    assert outcomes(scene.run(tmp_path / "events.ndjson")) == {"delivered": 1, "unchanged": 2}
    assert scene.names("leads") == ["Trial started"]
    assert set(outcomes(scene.run(tmp_path / "events.ndjson"))) == {"duplicate"}
