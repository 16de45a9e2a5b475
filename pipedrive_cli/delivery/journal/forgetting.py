"""People taken out of the journal: what it knows of them, and how that is wiped so that no file holds it any more.

One transaction replaces all that names them by hashes (`suppressed`) and by the list of the records that are still to
be deleted from Pipedrive (`to_delete`), which names nobody. Then the file is written anew, for a deleted row stays in
it. A process that dies in between leaves a mark, and the next `forget` goes on from there.
"""

from __future__ import annotations

import json
import re
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec

from pipedrive_cli.delivery.journal.journal import Journal, Row
from pipedrive_cli.delivery.journal.suppressed import drop_unfinished, suppress
from pipedrive_cli.model import Kind
from pipedrive_cli.pipedrive.contacts import email_form

UNCLEAN: Final = "to be written anew"  # a fact: the file may hold what was wiped
SHORTEST: Final = 4  # characters; a shorter name is found only where it is the whole text
WIPED: Final = "[forgotten]"

# What becomes of each table's rows about people who are forgotten. The docs say so, too: `docs/privacy.md`.
TABLES: Final[Mapping[str, str]] = {
    "facts": "states of their deleted records",
    "runs": "texts in summaries and command lines",
    "counts": "names that are theirs",
    "examples": "all that are about them",
    "events": "nothing: it holds digests alone",
    "unfinished": "all of their events",
    "files": "paths that name them",
    "torn_files": "paths that name them",
    "names": "theirs, and those of their leads",
    "mappings": "nothing: it names nobody",
    "mapping_lines": "nothing: it holds lines of configs",
    "befores": "of their persons and leads",
    "aliases": "all of their ids",
    "states": "of their persons and leads",
    "seen": "of their persons and leads",
    "seen_emails": "of their persons",
    "created": "their persons and leads",
    "writes": "all that are about them",
    "suppressed": "nothing: it keeps their hashes",
    "to_delete": "nothing: it holds Pipedrive's ids alone",
}


@dataclass(slots=True)
class PeopleKnown:
    """Everything by which some people are known. `words` are their names as people write them: Ann Lee.

    `persons` and `leads` are Pipedrive's ids of their records. `shared` are emails that others have, too.
    """

    ids: set[str] = field(default_factory=set)
    emails: set[str] = field(default_factory=set)  # in the form in which emails are compared
    persons: set[int] = field(default_factory=set)
    leads: set[str] = field(default_factory=set)
    words: set[str] = field(default_factory=set)
    shared: set[str] = field(default_factory=set)

    def size(self) -> int:
        return len(self.ids) + len(self.emails) + len(self.persons)


def complete(journal: Journal, people: PeopleKnown) -> None:
    """Adds all that the journal knows of these people: their other ids, their records, their emails and names."""
    db = journal.connection
    before = -1
    while before < people.size():
        before = people.size()
        for name in list(people.ids):
            rows = db.execute("SELECT previous, current FROM aliases WHERE previous = ?1 OR current = ?1", (name,))
            people.ids.update(each for row in rows.fetchall() for each in row)
            for table in ("names", "seen"):
                query = f"SELECT id FROM {table} WHERE kind = 'persons' AND key = ?"  # noqa: S608 - constants
                people.persons.update(row[0] for row in db.execute(query, (name,)))
        for email in people.emails - people.shared:
            found = _bearers(journal, email)
            if len(found) == 1:
                people.persons.update(found)
            elif len(set(found) - people.persons) > 0:
                people.shared.add(email)  # whose it is nobody can tell
        for person in list(people.persons):
            _add_person(journal, people, person)
        for email in [each for each in people.shared if not set(_bearers(journal, each)) - people.persons]:
            people.shared.discard(email)  # those who have it turned out to be one
            people.emails.add(email)
    people.emails -= people.shared


def _add_person(journal: Journal, people: PeopleKnown, person: int) -> None:
    people.ids.update(journal.keys_of("persons", person))
    seen, state = journal.seen("persons", person), journal.state("persons", person)
    if seen is not None:
        if seen.key is not None:
            people.ids.add(seen.key)
        add_shown(journal, people, seen.values)
    if state is not None:
        if state.key is not None:
            people.ids.add(state.key)
        _add_emails(journal, people, state.added.get("emails", ()))
        held = [state.fields.get("name"), *state.inputs.values()]
        people.words.update(str(each.sent) for each in held if each is not None and isinstance(each.sent, str))


def add_shown(journal: Journal, people: PeopleKnown, values: Mapping[str, Any]) -> None:
    """Adds the names and emails that a person's record shows."""
    for address in ("name", "first_name", "last_name"):
        if isinstance(values.get(address), str):
            people.words.add(values[address])
    emails = values.get("emails")
    listed = emails if isinstance(emails, list) else ()
    _add_emails(journal, people, [str(each.get("value", "")) for each in listed if isinstance(each, Mapping)])


def _add_emails(journal: Journal, people: PeopleKnown, emails: Iterable[str]) -> None:
    for email in filter(None, map(email_form, emails)):
        if set(_bearers(journal, email)) - people.persons:
            people.shared.add(email)  # another person's, too: her events must go on
        else:
            people.emails.add(email)


def _bearers(journal: Journal, email: str) -> list[int]:
    """The persons that were seen with this email."""
    return [row[0] for row in journal.connection.execute("SELECT id FROM seen_emails WHERE email = ?", (email,))]


class _Mentions:
    """Finds names in texts, as whole words; a short one only where it is the whole text."""

    def __init__(self, exact: Iterable[str], caseless: Iterable[str]) -> None:
        found = [*((name, "") for name in exact), *((name, "i") for name in caseless)]
        spelled = {(spelling, flag) for name, flag in found for spelling in (name, json.dumps(name)[1:-1]) if name}
        ordered = sorted(spelled, key=lambda each: (-len(each[0]), each))
        whole = [_pattern(each) for each in ordered]
        inside = [_pattern(each) for each in ordered if len(each[0]) >= SHORTEST]
        self._whole = re.compile("|".join(whole).encode()) if whole else None
        self._inside = re.compile(rf"(?<![\w.@-])(?:{'|'.join(inside)})(?![\w@-])".encode()) if inside else None

    def __call__(self, value: object) -> bool:
        if self._whole is None or not isinstance(value, str | bytes):
            return False
        text = value.encode("utf-8", "surrogatepass") if isinstance(value, str) else value
        return self._whole.fullmatch(text) is not None or (
            self._inside is not None and self._inside.search(text) is not None
        )

    def wiped(self, text: str) -> str:
        """The text without the names."""
        if self._inside is None:
            return text
        raw = self._inside.sub(WIPED.encode(), text.encode("utf-8", "surrogatepass"))
        return raw.decode("utf-8", "surrogatepass")


def _pattern(spelling: tuple[str, str]) -> str:
    name, flag = spelling
    escaped = re.escape(name)
    return f"(?i:{escaped})" if flag else escaped


def wipe(
    journal: Journal,
    people: PeopleKnown,
    hashes: Iterable[bytes],
    to_delete: Iterable[tuple[Kind, int | str]],
    is_theirs: Callable[[bytes], bool],
) -> dict[str, int]:
    """Takes the people out of every table; within a transaction. Returns how many rows went or were changed, by table.

    `hashes` stay as those of suppressed names, `to_delete` are the records that are to be deleted from Pipedrive.
    `is_theirs` tells of the bytes of an event whether it is about them.
    """
    db = journal.connection
    changed: Counter[str] = Counter()
    names = _Mentions(people.ids, people.emails)
    texts = _Mentions([*people.ids, *people.words], people.emails)
    db.create_function("mentions", 1, names)
    db.create_function("mentions_text", 1, texts)

    def run(table: str, query: str, rows: Sequence[Row] | None = None) -> None:
        done = db.execute(query) if rows is None else db.executemany(query, rows)
        changed[table] += max(0, done.rowcount)

    suppress(journal, [(each, each) for each in hashes])
    db.executemany("INSERT OR IGNORE INTO to_delete VALUES (?, ?)", list(to_delete))
    _wipe_unfinished(journal, names, is_theirs, changed)
    message_ids = [(row[0],) for each in people.leads for row in _keys(db, "leads", each)]
    records: list[Row] = [("persons", each) for each in people.persons] + [("leads", each) for each in people.leads]
    ids: list[Row] = [(each,) for each in people.ids]
    for table in ("names", "states", "seen", "created", "befores"):
        run(table, f"DELETE FROM {table} WHERE kind = ? AND id = ?", records)  # noqa: S608 - constants
    for table in ("names", "seen", "created"):
        run(table, f"DELETE FROM {table} WHERE kind = 'persons' AND key = ?", ids)  # noqa: S608 - constants
    run("states", "DELETE FROM states WHERE kind = 'leads' AND mentions(state)")
    run("seen_emails", "DELETE FROM seen_emails WHERE id = ?", [(each,) for each in people.persons])
    run("aliases", "DELETE FROM aliases WHERE previous = ?1 OR current = ?1", ids)
    run("writes", "DELETE FROM writes WHERE kind = 'persons' AND key = ?", ids)
    run("writes", "DELETE FROM writes WHERE kind = 'leads' AND key = ?", message_ids)
    run("writes", "DELETE FROM writes WHERE mentions(key) OR mentions(target) OR mentions(picture)")
    columns = " OR ".join(f"mentions_text({name})" for name in ("user", "message", "message_id", "field", "value"))
    run("examples", f"DELETE FROM examples WHERE {columns}")  # noqa: S608 - constants
    run("examples", "DELETE FROM examples WHERE message_id = ?", message_ids)
    run("counts", "DELETE FROM counts WHERE mentions(name)")
    run("facts", "DELETE FROM facts WHERE name LIKE 'lost %' AND (mentions(name) OR mentions(value))")
    run("facts", "DELETE FROM facts WHERE name = ?", [(f"lost persons {each}",) for each in people.ids])
    run("files", "DELETE FROM files WHERE mentions(path)")
    run("torn_files", "DELETE FROM torn_files WHERE mentions(path)")
    _wipe_runs(db, texts, {row[0] for row in message_ids}, changed)
    journal.set_fact(UNCLEAN, True)
    return {table: n for table, n in changed.items() if n > 0}


def _keys(db: sqlite3.Connection, kind: Kind, record: str) -> list[Row]:
    return db.execute("SELECT key FROM names WHERE kind = ? AND id = ?", (kind, record)).fetchall()


def _wipe_unfinished(
    journal: Journal, names: _Mentions, is_theirs: Callable[[bytes], bool], changed: Counter[str]
) -> None:
    theirs = []
    for event in journal.unfinished():
        body = journal.unfinished_body(event.digest)
        if body is not None and (is_theirs(body) or names(body)):
            theirs.append(event.digest)
    drop_unfinished(journal, theirs)
    changed["unfinished"] += len(theirs)


def _wipe_runs(db: sqlite3.Connection, texts: _Mentions, message_ids: set[str], changed: Counter[str]) -> None:
    for number, sources, command, summary in db.execute(
        "SELECT number, sources, command, summary FROM runs"
    ).fetchall():
        kept = None if summary is None else _wiped_summary(summary, texts, message_ids)
        new = (texts.wiped(sources), texts.wiped(command), kept)
        if new != (sources, command, summary):
            db.execute("UPDATE runs SET sources = ?, command = ?, summary = ? WHERE number = ?", (*new, number))
            changed["runs"] += 1


def _wiped_summary(summary: bytes, texts: _Mentions, message_ids: set[str]) -> bytes:
    """A summary without the examples that are about the people, and without their names in its texts."""
    decoded = msgspec.json.decode(summary)
    before = msgspec.json.encode(decoded)
    for problem in decoded.get("problems", ()):
        kept = [
            example
            for example in problem.get("examples", ())
            if example.get("message_id") not in message_ids and not any(map(texts, example.values()))
        ]
        problem["examples"] = kept
    cleaned = _without(decoded, texts)
    return summary if msgspec.json.encode(cleaned) == before else msgspec.json.encode(cleaned)


def _without(value: Any, texts: _Mentions) -> Any:
    if isinstance(value, str):
        return texts.wiped(value) if texts(value) else value
    if isinstance(value, list):
        return [_without(each, texts) for each in value]
    if isinstance(value, dict):
        return {texts.wiped(key): _without(inner, texts) for key, inner in value.items()}
    return value


def overwrite_deleted(journal: Journal) -> None:
    """From here on SQLite overwrites what it deletes."""
    journal.connection.execute("PRAGMA secure_delete = ON")


def left_to_delete(journal: Journal) -> list[tuple[Kind, int | str]]:
    """The records of forgotten people that are still to be deleted from Pipedrive, leads first."""
    return journal.connection.execute("SELECT kind, id FROM to_delete ORDER BY kind, id").fetchall()


def note_deleted(journal: Journal, kind: Kind, record: int | str) -> None:
    """A record is gone from Pipedrive; in a transaction."""
    journal.connection.execute("DELETE FROM to_delete WHERE kind = ? AND id = ?", (kind, record))


def clean(journal: Journal) -> bool:
    """Writes the file anew, so that nothing of what was wiped is left in it or beside it.

    Returns False where another process that reads the journal prevents it.
    """
    if journal.fact(UNCLEAN, bool) is None:
        return True
    db = journal.connection
    try:
        db.execute("VACUUM")
        (busy, *_) = db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    except sqlite3.OperationalError:
        return False
    if busy:
        return False
    with journal.transaction():
        journal.set_fact(UNCLEAN, None)
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return True


def sources_of_runs(journal: Journal) -> list[str]:
    """What earlier runs have read, as it was written on the command line; newest first, each once."""
    rows = journal.connection.execute("SELECT sources FROM runs WHERE sources != '' ORDER BY number DESC")
    return list(dict.fromkeys(row[0] for row in rows))
