"""Which events of an archive must be kept so that those alone leave the same records: the fold as an algebra. Pure.

For each name of a record, as events write it, there are *places to be won*: one for each address and rank, where the
event wins whose value delivery would take (`fold.collect_candidates` gives each value its precedence, by the table in
`precedence`); one for each email and phone, where the first event wins; and a few more, for what the oldest event says.
Aliases are not resolved: values that an alias lowers stay below all others of their name, so the winner of each name is
enough. An event that wins nothing is superseded wherever it is replayed.

Two folds are merged place by place. The better claim wins, and claims of equal precedence wait together, because only
the whole input tells which of two copies of one event came first. So merging is associative, commutative and
idempotent, and parts of an archive may be folded anywhere, in any order.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Final, TypeAlias

import msgspec

from pipedrive_cli.delivery.fold import PendingChange, collect_candidates
from pipedrive_cli.delivery.pending_event import EventOrigin, PendingEvent
from pipedrive_cli.delivery.precedence import CONTEXT, NO_TIME, PrecedenceRules, comparable
from pipedrive_cli.model import Alias, Change, Kind, Place, Rank, RecordName

# Sorted by this, organizations come before the persons linked to them.
_KIND_ORDER: Final[dict[Kind, str]] = {"organizations": "1", "persons": "2", "products": "3", "leads": "4"}
_ORIGIN: Final = EventOrigin("", Place("", 1))

Claim: TypeAlias = tuple[int, dict[bytes, int]]  # how good; which events make it, by identity, with their numbers
Won: TypeAlias = dict[str, Claim]  # place -> the best claim so far


def name_of_record(record: RecordName) -> str:
    """The name under which a record's events are folded: kind and key, or Pipedrive's id, or a product's name."""
    if record.key is not None:
        return f"{_KIND_ORDER[record.kind]}k{record.key}"
    if record.pipedrive_id is not None:
        return f"{_KIND_ORDER[record.kind]}i{record.pipedrive_id}"
    return f"{_KIND_ORDER[record.kind]}n{record.name or ''}"


def kind_of_name(name: str) -> Kind | None:
    """The kind of record that such a name is of; None: it is the name of none."""
    return next((kind for kind, order in _KIND_ORDER.items() if name.startswith(order)), None)


class KeptEvents:
    """Folds the changes of events. `won` are the places of each record's name, `joins` the names that events join.

    `all_traits`: the newest event of every trait that no mapping names is kept, too.
    """

    def __init__(self, rules: PrecedenceRules, *, all_traits: bool = False) -> None:
        self._rules = rules
        self._all_traits = all_traits
        self.won: dict[str, Won] = {}
        self.joins: set[tuple[str, str]] = set()

    def add(self, changes: Iterable[Change], identity: bytes, number: int, dropped: Iterable[tuple[Kind, str]]) -> str:
        """Adds what one event asks for; its number is its place in the input, from 1. Returns its record's name.

        An event about a person and others belongs to the person: of equal times its person's events stay in order.
        """
        pending = PendingEvent(b"", _ORIGIN)
        pending.number = number
        owner = ""
        names: dict[str, str] = {}
        time = NO_TIME
        for change in changes:
            time = _time_of(change)
            kind = change.record.kind
            if kind == "leads":
                owner = owner if change.person is None else name_of_record(change.person)
                continue
            name = name_of_record(change.record)
            if not owner or kind == "persons":
                owner = name
            if change.record.key is not None and change.record.pipedrive_id is not None:
                # A pair that Pipedrive does not bear out is rejected alone: what it says takes no other event's place.
                other = name_of_record(RecordName(kind, None, change.record.pipedrive_id))
                self.joins.add((name, other))
                name = f"{name}\0{change.record.pipedrive_id}"
            names.setdefault(kind, name)
            won = self.won.get(name)
            if won is None:
                won = self.won[name] = {}
            self._add(won, kind, change, PendingChange(change, 0, pending), identity, number)
        if self._all_traits:
            for kind, trait in dropped:
                if kind in names:
                    _claim(self.won[names[kind]], f">trait {trait}", time, identity, number)
        return owner

    def _add(self, won: Won, kind: Kind, change: Change, pending: PendingChange, identity: bytes, number: int) -> None:
        age = -_time_of(change)
        rank = 0 if change.rank is Rank.OWN else CONTEXT
        _claim(won, "<first", age, identity, number)
        if change.may_create:
            _claim(won, "<creates", age, identity, number)
        if change.time is not None or change.on_creation:
            _claim(won, "<born", age, identity, number)
        candidates = collect_candidates(kind, (pending,), self._rules)
        for address, candidate in candidates.fields.items():
            ranked, at, numbered = candidate.precedence
            sign = "<" if numbered < 0 else ">"
            _claim(won, f"{sign}{ranked} {address}", at, identity, number)
        if candidates.inputs is not candidates.fields:
            for address, candidate in candidates.inputs.items():
                ranked, at, _ = candidate.precedence
                _claim(won, f">{ranked} name {address}", at, identity, number)
        for listed, contacts in candidates.contacts.items():
            for contact, _ in contacts.values():
                form = comparable(listed, contact.value, self._rules.country)
                _claim(won, f"<{rank} {listed} {form}", age, identity, number)

    def add_alias(self, alias: Alias) -> str:
        """Notes that an alias joins two names. Returns the one that survives; an alias itself is always kept."""
        current = name_of_record(alias.current)
        self.joins.add((name_of_record(alias.previous), current))
        return current

    def merge(self, other: KeptEvents) -> None:
        """Adds what another fold has found."""
        for name, won in other.won.items():
            merge_won(self.won.setdefault(name, {}), won)
        self.joins |= other.joins

    def numbers(self) -> set[int]:
        """The numbers of all events that may be kept."""
        return {number for won in self.won.values() for _, tied in won.values() for number in tied.values()}


def _time_of(change: Change) -> int:
    return NO_TIME if change.time is None else change.time


def _claim(won: Won, place: str, order: int, identity: bytes, number: int) -> None:
    best = won.get(place)
    if best is None or order > best[0]:
        won[place] = (order, {identity: number})
    elif order == best[0]:
        tied = best[1]
        tied[identity] = min(number, tied.get(identity, number))


def merge_won(into: Won, other: Mapping[str, Claim]) -> None:
    """Adds the claims of another part to those of one record."""
    for place, (order, tied) in other.items():
        best = into.get(place)
        if best is None or order > best[0]:
            into[place] = (order, dict(tied))
        elif order == best[0]:
            for identity, number in tied.items():
                best[1][identity] = min(number, best[1].get(identity, number))


def winners(won: Mapping[str, Claim]) -> dict[bytes, int]:
    """The events that one record needs, by identity, with their numbers: of equal claims that which delivery takes.

    A copy counts as where it stood first. The newest value is the later one's, what the oldest says the earlier one's.
    """
    found: dict[bytes, int] = {}
    for place, (_, tied) in won.items():
        choose = min if place[0] == "<" else max
        identity = choose(tied, key=tied.__getitem__) if len(tied) > 1 else next(iter(tied))
        found[identity] = min(tied[identity], found.get(identity, tied[identity]))
    return found


class Clusters:
    """Names that aliases and pairs join, as one: events of one record must stay in order among themselves."""

    def __init__(self, joins: Iterable[tuple[str, str]]) -> None:
        self._next: dict[str, str] = {}
        for a, b in joins:
            first, second = sorted((self.of(a), self.of(b)))
            if first != second:
                self._next[second] = first

    def of(self, name: str) -> str:
        """The name of all that are joined to this one: the first in alphabetical order."""
        root = name
        while (above := self._next.get(root)) is not None:
            root = above
        while name != root:
            above = self._next[name]
            self._next[name], name = root, above
        return root


encode_won: Final = msgspec.msgpack.Encoder().encode
decode_won: Final = msgspec.msgpack.Decoder(dict[str, tuple[int, dict[bytes, int]]]).decode


def iterate_won(kept: KeptEvents) -> Iterator[tuple[str, bytes]]:
    """The places of each record's name, packed."""
    for name, won in kept.won.items():
        yield name, encode_won(won)
