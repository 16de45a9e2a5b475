"""The part of the journal that the directory uses: records as listings and answers showed them.

As in `journal`, reads are immediate, and writes happen inside its `transaction()`.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from pipedrive_cli.delivery.journal.rows import SeenRecord
from pipedrive_cli.model import Kind
from pipedrive_cli.pipedrive.contacts import email_form

_FEW = 20  # persons of one email, who are looked at anew each time
_KEYLESS = (
    "SELECT found.id FROM seen_emails AS found JOIN seen ON seen.kind = 'persons' AND seen.id = found.id "
    "WHERE found.email = ?1 AND coalesce(seen.key, '') = ''"
)
_FREE = (
    "SELECT found.id FROM seen_emails AS found JOIN seen ON seen.kind = 'persons' AND seen.id = found.id "
    "WHERE found.email = ?1 AND coalesce(seen.key, '') = '' "
    "AND NOT EXISTS (SELECT 1 FROM names WHERE names.kind = 'persons' AND names.id = found.id) "
    "ORDER BY found.id"
)
_IS_FREE = (
    "SELECT 1 FROM seen_emails AS found JOIN seen ON seen.kind = 'persons' AND seen.id = found.id "
    "WHERE found.email = ?1 AND found.id = ?2 AND coalesce(seen.key, '') = '' "
    "AND NOT EXISTS (SELECT 1 FROM names WHERE names.kind = 'persons' AND names.id = found.id)"
)

_encode = msgspec.msgpack.Encoder().encode


class SeenRows:
    """What was seen of the account's records."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._db = connection
        self._keyless: dict[str, set[int]] = {}  # email that many have -> who of them had no key; some may have one now

    def see(self, kind: Kind, records: Iterable[SeenRecord]) -> None:
        """Keeps records as they were shown, replacing what was seen before."""
        for record in records:
            self._db.execute(
                "INSERT OR REPLACE INTO seen VALUES (?, ?, ?, ?, ?)",
                (kind, record.id, record.key, record.updated, _encode(record.values)),
            )
            if kind == "persons":
                self._db.execute("DELETE FROM seen_emails WHERE id = ?", (record.id,))
                emails = {email_form(str(e.get("value", ""))) for e in record.values.get("emails") or ()}
                self._db.executemany(
                    "INSERT OR IGNORE INTO seen_emails VALUES (?, ?)", [(email, record.id) for email in emails if email]
                )
                if not record.key and isinstance(record.id, int):
                    for email in emails & self._keyless.keys():
                        self._keyless[email].add(record.id)

    def unsee(self, kind: Kind, ids: Iterable[int | str]) -> None:
        """Forgets records that are no longer there."""
        for record in ids:
            self._db.execute("DELETE FROM seen WHERE kind = ? AND id = ?", (kind, record))
            if kind == "persons":
                self._db.execute("DELETE FROM seen_emails WHERE id = ?", (record,))

    def seen(self, kind: Kind, record: int | str) -> SeenRecord | None:
        """One record as it was last shown."""
        row = self._db.execute(
            "SELECT id, key, updated, shown FROM seen WHERE kind = ? AND id = ?", (kind, record)
        ).fetchone()
        return None if row is None else SeenRecord(row[0], row[1], row[2], msgspec.msgpack.decode(row[3]))

    def records(self, kind: Kind) -> Iterator[SeenRecord]:
        """Every record known: as it was last shown, or with its key alone."""
        rows = self._db.execute(
            "SELECT id, key, updated, shown FROM seen WHERE kind = ?1 UNION ALL "
            "SELECT id, min(key), NULL, NULL FROM names "
            "WHERE kind = ?1 AND id NOT IN (SELECT id FROM seen WHERE kind = ?1) GROUP BY id",
            (kind,),
        )
        for record, key, updated, shown in rows:
            yield SeenRecord(record, key, updated, {} if shown is None else msgspec.msgpack.decode(shown))

    def seen_ids(self, kind: Kind, key: str) -> list[Any]:
        """Ids of all seen records with this key, oldest first."""
        rows = self._db.execute("SELECT id FROM seen WHERE kind = ? AND key = ? ORDER BY id", (kind, key))
        return [row[0] for row in rows]

    def free_by_email(self, email: str) -> list[int]:
        """Ids of the seen persons that have this email and are nobody's, oldest first.

        They show no record key, and no key of ours names them.
        """
        form = email_form(email)
        if form not in self._keyless:
            another = "SELECT 1 FROM seen_emails WHERE email = ? LIMIT 1 OFFSET ?"
            if self._db.execute(another, (form, _FEW)).fetchone() is None:
                return [row[0] for row in self._db.execute(_FREE, (form,))]
            # A thousand users of one address must not be looked at for each of them.
            self._keyless[form] = {row[0] for row in self._db.execute(_KEYLESS, (form,))}
        keyless = sorted(self._keyless[form])
        return [record for record in keyless if self._db.execute(_IS_FREE, (form, record)).fetchone()]
