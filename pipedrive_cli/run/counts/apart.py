"""What a count by name leaves to plans: aliases, records that names do not tell, and what waits for or with these."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from pipedrive_cli.delivery.backlog import Joining
from pipedrive_cli.delivery.book import Book
from pipedrive_cli.delivery.gathering import Part
from pipedrive_cli.outcomes import Complaint
from pipedrive_cli.run.counts.brief import INITIALS, SILENT, Brief, change, transformed, who
from pipedrive_cli.run.counts.records import Records, unpacked
from pipedrive_cli.run.counts.window import Window, batched, row_of
from pipedrive_cli.run.preview_backlog import LeanBacklog
from pipedrive_cli.transform.changes import Transformed


@dataclass(slots=True)
class Apart:
    """Brings into `backlog` what plans must be driven for, and knows which names aliases have joined."""

    book: Book
    backlog: LeanBacklog
    records: Records
    _former: set[str] = field(default_factory=set)  # names that an alias has made another name of somebody
    _aliased: dict[str, set[str]] = field(default_factory=dict)  # name -> those that an alias has joined with it

    def take(self, now: Window, row: int, brief: Brief, complaints: Sequence[Complaint]) -> None:
        """Takes up an event that names will not do for: an alias, or one that goes the whole way of any preview."""
        case = now.case(row)
        case.take(complaints)
        alias = who(brief).alias
        if alias is None:
            now.whole.append(row)
            now.first[brief.digest] = row
            return
        refusal = self.backlog.refusal(alias)
        if refusal is not None:
            case.refuse(refusal)
            self.book.end(case)
            del now.cases[row]
            return
        self.backlog.link(alias)
        previous, current = f"p{alias.previous.key}", f"p{alias.current.key}"
        self._former.add(previous)
        self._aliased.setdefault(previous, set()).add(current)
        self._aliased.setdefault(current, set()).add(previous)
        case.open = 1
        now.joinings.append(Joining(alias, case))
        now.first[brief.digest] = row

    def set_apart(self, now: Window) -> list[Joining]:
        """Puts into the backlog what plans must be driven for, in the order of reading; returns the other aliases.

        What waits under former ids has been brought to the ids that are theirs now.
        """
        met = self._met(now)
        self._join_names(now)
        apart = self._names_apart(now, met)
        if not apart and not now.whole:
            return now.joinings
        self.records.abroad |= apart
        parts: list[tuple[int, msgspec.Raw | None]] = [(row, None) for row in now.whole]
        for name in apart:
            parts += batched(now.waiting.pop(name, ()))
            for row in now.leads.pop(name, ()):
                brief = now.rows[row]
                parts += [(row, part) for part in brief.parts[0 if brief.marks & SILENT else 1 :]]
        parts.sort(key=row_of)
        joined = []
        for joining in now.joinings:
            if f"p{joining.previous}" in apart:
                self.backlog.join(joining)
            else:
                joined.append(joining)
        for row, part in parts:
            case = now.case(row)
            if part is not None:
                case.open -= 1  # the backlog counts it
                self.backlog.add(Transformed((unpacked(part),)), case)
                continue
            case.open = 0
            brief = now.rows[row]
            refusal = self.backlog.add(transformed(brief, who(brief)), case)
            if refusal is not None:
                case.refuse(refusal)
            if not case.open:
                self.book.end(case)
        return joined

    def _join_names(self, now: Window) -> None:
        """What waits under former ids waits for the person that they name now, and ranks below what that one says."""
        for name in self._former & now.waiting.keys():
            root = f"p{self.backlog.canonical(name[1:])}"
            if root == name:
                continue  # its alias was refused
            entries: list[tuple[int, Any]] = list(batched(now.waiting.get(root, ())))
            for row, packed in batched(now.waiting.pop(name)):
                part = change(packed)
                depth = self.backlog.depth(part.record.key, part.time)
                entries.append((row, Part(part, depth, row)))
            entries.sort(key=row_of)
            now.waiting[root] = [item for entry in entries for item in entry]
            if name in now.leads:
                now.leads[root] = [*now.leads.get(root, ()), *now.leads.pop(name)]

    def _met(self, now: Window) -> set[str]:
        """The names that aliases join with somebody whom earlier windows know, or who is not there yet."""
        waiting, found = now.waiting, set[str]()
        for joining in now.joinings:
            previous = f"p{joining.previous}"
            names = self._all_names(previous)
            if previous not in waiting or not self.records.none_of(names):
                found.add(previous)
        return found

    def _all_names(self, name: str) -> set[str]:
        """All that aliases have joined with this name, directly or not."""
        names, found = set[str](), {name}
        while found:
            name = found.pop()
            names.add(name)
            found |= self._aliased.get(name, set()) - names
        return names

    def _names_apart(self, now: Window, met: set[str]) -> set[str]:
        """The names of all records that plans must be driven for."""
        found = {INITIALS[kind] + key for kind, key in self.backlog.waiting_keys()}
        found |= met
        found |= {name for name in self.records.abroad & now.waiting.keys() if not self.records.take_back(name)}
        for row in now.whole:
            brief = now.rows[row]
            found.update(brief.names)
        apart: set[str] = set()
        while found:  # what is linked to a record that may not come about, and all names of one person, go together
            name = found.pop()
            apart.add(name)
            linked: set[str] = set()
            if name[0] == "o":
                for row in now.waiting.get(name, ())[::2]:
                    linked.update(now.rows[row].names)
            found |= (linked | self._aliased.get(name, set())) - apart
        return apart
