"""The part of the journal that the directory uses: who is known by which key, and records as they were last shown.

As in `journal`, reads are immediate, and writes happen inside its `transaction()`.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, TypeAlias

import msgspec

from pipedrive_cli.delivery.journal.rows import SeenRecord
from pipedrive_cli.model import Kind
from pipedrive_cli.pipedrive.contacts import email_form

Row: TypeAlias = tuple[Any, ...]  # as SQLite gives it

_BATCH = 500  # variables in one SELECT
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

_NAME = "INSERT OR IGNORE INTO names VALUES (?, ?, ?)"
_NAME_ANEW = "INSERT OR REPLACE INTO names VALUES (?, ?, ?)"

_encode = msgspec.msgpack.Encoder().encode


class SeenRows:
    """What was seen of the account's records, and which keys name them."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._db = connection
        self._keyless: dict[str, set[int]] = {}  # email that many have -> who of them had no key; some may have one now
        self._highest: dict[Kind, int] = {}  # ids, where somebody has asked for them
        self._absent: dict[Kind, set[str]] = {}  # keys of the window that were found to name nothing here

    def ask_in(self, query: str, values: Sequence[bytes | str], *first: object) -> Iterator[Row]:
        """The rows of a query that ends in `IN ()`, or goes on after it, for any number of `values` that stand there.

        `first` are the parameters before them. One question has but a part of the values, so rows come in no order.
        """
        for start in range(0, len(values), _BATCH):
            some = values[start : start + _BATCH]
            marks = ",".join("?" * len(some))
            yield from self._db.execute(query.replace(" IN ()", f" IN ({marks})"), (*first, *some))

    def known(self, kind: Kind, keys: Sequence[str]) -> dict[str, int | str]:
        """key -> Pipedrive id, for the keys that our own writes or joins have established."""
        return dict(self.ask_in("SELECT key, id FROM names WHERE kind = ? AND key IN ()", keys, kind))

    def named(self, kind: Kind, key: str) -> int | str | None:
        """The id of the record that this key names, as `known` has it."""
        row = self._db.execute("SELECT id FROM names WHERE kind = ? AND key = ?", (kind, key)).fetchone()
        return None if row is None else row[0]

    def keys_of(self, kind: Kind, record: int | str) -> list[str]:
        """All keys that name one record."""
        rows = self._db.execute("SELECT key FROM names WHERE kind = ? AND id = ?", (kind, record))
        return [row[0] for row in rows]

    def name(self, kind: Kind, key: str, record: int | str, *, anew: bool) -> None:
        """Remembers that a key names a record; `anew`: whatever it has named before."""
        self._db.execute(_NAME_ANEW if anew else _NAME, (kind, key, record))
        self._note(kind, key, record)

    def find_keys(self, kind: Kind, keys: Sequence[str]) -> tuple[dict[str, int | str], dict[str, int]]:
        """The ids of the records that these keys name, and of the oldest ones that were seen with the other keys.

        Until the next time no question is asked for the rest of them, as long as nothing bears one.
        """
        known = self.known(kind, keys)
        others = [key for key in keys if key not in known]
        oldest = "SELECT key, min(id) FROM seen WHERE kind = ? AND key IN () GROUP BY key"
        seen: dict[str, int] = dict(self.ask_in(oldest, others, kind))
        self._absent[kind] = {key for key in others if key not in seen}
        return known, seen

    def is_absent(self, kind: Kind, key: str) -> bool:
        """Whether `find_keys` has found nothing of this key, and nothing came since."""
        return key in self._absent.get(kind, ())

    def _note(self, kind: Kind, key: str | None, record: int | str) -> None:
        if key is not None and (absent := self._absent.get(kind)):
            absent.discard(key)
        highest = self._highest.get(kind)
        if highest is not None and isinstance(record, int) and record > highest:
            self._highest[kind] = record

    def highest_id(self, kind: Kind) -> int:
        """The highest id of all records of a kind that are known or were seen; 0 without any. Not for leads."""
        if (highest := self._highest.get(kind)) is not None:
            return highest
        query = (
            "SELECT * FROM (SELECT id FROM seen WHERE kind = ?1 ORDER BY id DESC LIMIT 1) UNION ALL "
            "SELECT * FROM (SELECT id FROM names WHERE kind = ?1 ORDER BY id DESC LIMIT 1)"
        )
        highest = max((int(row[0]) for row in self._db.execute(query, (kind,))), default=0)
        self._highest[kind] = highest
        return highest

    def see(self, kind: Kind, records: Iterable[SeenRecord]) -> None:
        """Keeps records as they were shown, replacing what was seen before."""
        for record in records:
            self._db.execute(
                "INSERT OR REPLACE INTO seen VALUES (?, ?, ?, ?, ?)",
                (kind, record.id, record.key, record.updated, _encode(record.values)),
            )
            if kind == "persons" and isinstance(record.id, int):
                if record.id <= self.highest_id(kind):  # else nobody has seen it yet
                    self._db.execute("DELETE FROM seen_emails WHERE id = ?", (record.id,))
                emails = {email_form(str(e.get("value", ""))) for e in record.values.get("emails") or ()}
                self._db.executemany(
                    "INSERT OR IGNORE INTO seen_emails VALUES (?, ?)", [(email, record.id) for email in emails if email]
                )
                if not record.key:
                    for email in emails & self._keyless.keys():
                        self._keyless[email].add(record.id)
            self._note(kind, record.key, record.id)

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
            some = "SELECT 1 FROM seen_emails WHERE email = ? LIMIT ?"
            if len(found := self._db.execute(some, (form, _FEW + 1)).fetchall()) <= _FEW:
                return [row[0] for row in self._db.execute(_FREE, (form,))] if found else []
            # A thousand users of one address must not be looked at for each of them.
            self._keyless[form] = {row[0] for row in self._db.execute(_KEYLESS, (form,))}
        keyless = sorted(self._keyless[form])
        return [record for record in keyless if self._db.execute(_IS_FREE, (form, record)).fetchone()]
