"""What a count by name leaves to plans: aliases, records that names do not tell, and what waits for or with these."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import chain

from pipedrive_cli.delivery.backlog import Joining
from pipedrive_cli.delivery.book import Book
from pipedrive_cli.outcomes import Complaint
from pipedrive_cli.run.counts.batch import INITIALS, Odd, only_named
from pipedrive_cli.run.counts.records import Records
from pipedrive_cli.run.counts.window import Window, row_of
from pipedrive_cli.run.preview_backlog import LeanBacklog
from pipedrive_cli.transform.changes import Change, Transformed


@dataclass(slots=True)
class Apart:
    """Brings into `backlog` what plans must be driven for, and knows which names aliases have joined."""

    book: Book
    backlog: LeanBacklog
    records: Records
    _former: set[str] = field(default_factory=set)  # names that an alias has made another name of somebody
    _aliased: dict[str, set[str]] = field(default_factory=dict)  # name -> those that an alias has joined with it

    def take(self, now: Window, row: int, odd: Odd, digest: bytes, complaints: Sequence[Complaint]) -> None:
        """Takes up an event that names will not do for: an alias, or one that goes the whole way of any preview."""
        case = now.case(row)
        case.take(complaints)
        alias = odd.alias
        if alias is None:
            now.whole.append((row, odd))
            now.first[digest] = row
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
        case.open = 1 + len(odd.changes)
        if odd.changes:
            now.said.append((row, odd))
        now.joinings.append(Joining(alias, case))
        now.first[digest] = row

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
        parts: list[tuple[int, Change | Odd]] = list(now.whole)
        parts += [(row, each) for row, odd in now.said for each in odd.changes]
        now.draw(apart)
        now.names -= apart
        for name in apart:
            parts += [(waiting.row, waiting.change(name)) for waiting in now.waiting.pop(name, ())]
            for row in now.leads.pop(name, ()):
                now.leads_apart.add(row)
                lead = now.lead(row)
                parts += [(row, only_named(lead)), (row, lead)] if now.alone(row) else [(row, lead)]
        parts.sort(key=row_of)
        joined = []
        for joining in now.joinings:
            if f"p{joining.previous}" in apart:
                self.backlog.join(joining)
            else:
                joined.append(joining)
        for row, part in parts:
            case = now.case(row)
            if not isinstance(part, Odd):
                case.open -= 1  # the backlog counts it
                self.backlog.add(Transformed((part,)), case)
                continue
            case.open = 0
            refusal = self.backlog.add(Transformed(tuple(part.changes), part.alias), case)
            if refusal is not None:
                case.refuse(refusal)
            if not case.open:
                self.book.end(case)
        return joined

    def _join_names(self, now: Window) -> None:
        """What waits under former ids waits for the person that they name now, and ranks below what that one says."""
        roots: dict[str, list[str]] = {}
        for name in self._former & now.names:
            root = f"p{self.backlog.canonical(name[1:])}"
            if root != name:  # else its alias was refused
                roots.setdefault(root, []).append(name)
        now.draw({*roots, *chain.from_iterable(roots.values())})
        for root, names in roots.items():
            entries, leads = now.waiting.get(root, []), now.leads.get(root, [])
            for name in names:
                for waiting in now.waiting.pop(name):
                    depth = self.backlog.depth(name[1:], waiting.time)
                    entries.append(waiting._replace(former=name, depth=depth))
                leads += now.leads.pop(name, [])
            entries.sort(key=row_of)
            now.waiting[root] = entries
            if leads:
                now.leads[root] = leads
            now.names -= {*names}
            now.names.add(root)
            now.drawn.add(root)

    def _met(self, now: Window) -> set[str]:
        """The names that aliases join with somebody whom earlier windows know, or who is not there yet."""
        found = set[str]()
        for joining in now.joinings:
            previous = f"p{joining.previous}"
            names = self._all_names(previous)
            if previous not in now.names or not self.records.none_of(names):
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
        found |= {name for name in self.records.abroad & now.names if not self.records.take_back(name)}
        for _, odd in (*now.whole, *now.said):
            found.update(odd.names)
        apart: set[str] = set()
        while found:  # what is linked to a record that may not come about, and all names of one person, go together
            name = found.pop()
            apart.add(name)
            linked: set[str] = set()
            if name[0] == "o":
                now.draw({name})
                linked = now.named_in({waiting.row for waiting in now.waiting.get(name, ())})
            found |= (linked | self._aliased.get(name, set())) - apart
        return apart
