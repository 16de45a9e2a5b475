"""What an undo sees of the account: records as they are now, and what others have hung on them.

Deals, activities and notes that were changed since the run are listed, not asked for one by one; what cannot be seen
counts as there.
"""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial

from pipedrive_cli.delivery.effects import Refusal
from pipedrive_cli.delivery.undoing import Undone
from pipedrive_cli.model import KINDS, Kind, Values
from pipedrive_cli.pipedrive.bodies import id_of, values_of
from pipedrive_cli.pipedrive.catalog import get, list_leads, list_others, listing
from pipedrive_cli.pipedrive.reading_lists import Send, read_pages
from pipedrive_cli.timestamps import shown_moment

AT_ONCE = 100  # records that one list shows by their ids
OTHERS = ("deals", "activities", "notes")
_LINKS: Mapping[str, Kind] = {"person_id": "persons", "org_id": "organizations", "lead_id": "leads"}
_OWN_LINKS: Mapping[str, Kind] = {"person": "persons", "organization": "organizations"}  # by their addresses


@dataclass(slots=True)
class UndoLook:
    """Looks for the undo of one run. `since` is Pipedrive's time shortly before the run's first write.

    Every look raises what sending raises.
    """

    send: Send
    since: datetime
    _hangs: dict[Kind, set[int | str]] = field(default_factory=lambda: {kind: set() for kind in KINDS})
    _deals: bool = False  # deals were changed since: products may stand in them

    def hangs(self, kind: Kind, record: int | str) -> bool:
        """Whether something that stays hangs on this record, or may."""
        return record in self._hangs[kind] or (kind == "products" and self._deals)

    async def at_others(self) -> None:
        """What people have hung on records since the run began."""
        for what in OTHERS:
            async for rows in read_pages(self.send, partial(list_others, what, self.since)):
                self._deals = self._deals or (what == "deals" and bool(rows))
                for link, kind in _LINKS.items():
                    self._hangs[kind].update(linked for row in rows if (linked := _linked(row.get(link))) is not None)

    async def at_linking(self, kind: Kind, made: Collection[Kind]) -> dict[int | str, Values]:
        """The records of `kind` that may be linked to some of the kinds `made`, which the run created."""
        found: dict[int | str, Values] = {}
        if kind == "persons" and "organizations" in made:
            async for rows in read_pages(self.send, partial(listing, kind, updated_since=self.since)):
                _take(kind, rows, found)
        elif kind == "leads" and not {"persons", "organizations"}.isdisjoint(made):
            await self._at_leads(found, archived=False)
            await self._at_leads(found, archived=True)
        return found

    async def at(
        self, kind: Kind, wanted: Collection[int | str], found: dict[int | str, Values]
    ) -> dict[int | str, Values]:
        """The records that are wanted as they are now, added to those `found` before; what is gone is missing."""
        if kind == "leads":
            if wanted and not found:
                await self._at_leads(found, archived=False)
            for record in set(wanted) - found.keys():
                with contextlib.suppress(Refusal):  # it is gone
                    answer = await self.send(get("leads", record))
                    _take("leads", [answer.data] if isinstance(answer.data, Mapping) else [], found)
            return found
        ids = [record for record in dict.fromkeys(wanted) if isinstance(record, int) and record not in found]
        for start in range(0, len(ids), AT_ONCE):
            answer = await self.send(listing(kind, ids=ids[start : start + AT_ONCE]))
            _take(kind, answer.rows or (), found)
        return found

    def note_links(self, shown: Mapping[int | str, Values], found: Iterable[Undone] = ()) -> None:
        """What a record that stays is linked to cannot go, save where the undo takes that very link back."""
        undone = {each.id: each for each in found}
        for record, values in shown.items():
            mine = undone.get(record)
            if mine is not None and mine.delete:
                continue
            for address, kind in _OWN_LINKS.items():
                link = _linked(values.get(address))
                if link is not None and not (mine is not None and address in mine.body):
                    self._hangs[kind].add(link)

    async def _at_leads(self, found: dict[int | str, Values], *, archived: bool) -> None:
        """The leads, newest first, down to the run's beginning."""
        async for rows in read_pages(self.send, partial(list_leads, archived=archived, newest_first=True)):
            _take("leads", rows, found)
            oldest = shown_moment(rows[-1].get("add_time")) if rows else None
            if oldest is None or oldest < self.since:
                return


def _take(kind: Kind, rows: Iterable[Mapping[str, object]], found: dict[int | str, Values]) -> None:
    for row in rows:
        record = id_of(kind, row)
        if record is not None and row.get("is_deleted") is not True:
            values = values_of(kind, row)
            if row.get("is_archived"):
                values["update_time"] = "9999-01-01T00:00:00Z"  # somebody has archived it: it is touched
            found[record] = values


def _linked(value: object) -> int | str | None:
    """The id of a linked record; v1 shows some as an object."""
    shown = value.get("value") if isinstance(value, Mapping) else value
    return shown if isinstance(shown, int | str) else None
