"""Which events of an archive must be kept so that those alone leave the same records: the fold as an algebra. Pure.

For each name of a record, as events write it, there are *places to be won*: one for each address and rank, where the
event wins whose value delivery would take (`fold.collect_candidates` gives each value its precedence, by the table in
`precedence`); one for each email and phone, where the first event wins; and a few more, for what the oldest event says.
Aliases are not resolved: values that an alias lowers stay below all others of their name, so the winner of each name is
enough. An event that wins nothing is superseded wherever it is replayed.

Two folds are merged: the better claim wins, and claims of equal precedence wait together, because only the whole input
tells which of two copies of one event came first. So merging is associative, commutative and idempotent, and parts of
an archive may be folded anywhere, in any order.

Events of one form claim the same places, so these are held and compared as one thing: the better claim to all of them.
Which claim each single place goes to is asked at the end (`best_claims`), or where much has come together (`settled`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Final, NamedTuple, TypeAlias, TypeVar

import msgspec

from pipedrive_cli.delivery.fold import PendingChange, collect_candidates
from pipedrive_cli.delivery.pending_event import EventOrigin, PendingEvent
from pipedrive_cli.delivery.precedence import CONTEXT, NO_TIME, PrecedenceRules, comparable
from pipedrive_cli.model import Alias, Change, Kind, Place, Rank, RecordName

# Sorted by this, organizations come before the persons linked to them.
_KIND_ORDER: Final[dict[Kind, str]] = {"organizations": "1", "persons": "2", "products": "3", "leads": "4"}
_ORIGIN: Final = EventOrigin("", Place("", 1))

Claim: TypeAlias = tuple[int, dict[bytes, int]]  # how good; which events make it, by identity, with their numbers
Won: TypeAlias = dict[tuple[str, ...], Claim]  # places that are claimed together -> the best claim to them so far
MANY: Final = 8  # such groups of places of one record: of more it is asked which claims still win one
Places = TypeVar("Places", str, tuple[str, ...])
FORMS: Final = 10_000  # of changes, whose places are remembered; hostile input may have a new one in every event


class _Places(NamedTuple):
    """What a change claims: places that the newest event wins, and places that the oldest wins."""

    newest: tuple[str, ...]
    oldest: tuple[str, ...]


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
        self._forms: dict[tuple[object, ...], _Places] = {}

    def add(self, changes: Iterable[Change], identity: bytes, number: int, dropped: Iterable[tuple[Kind, str]]) -> str:
        """Adds what one event asks for; its number is its place in the input, from 1. Returns its record's name.

        An event about a person and others belongs to the person: of equal times its person's events stay in order.
        """
        owner = ""
        names: dict[str, str] = {}
        mine = {identity: number}
        time = NO_TIME
        for change in changes:
            time = NO_TIME if change.time is None else change.time
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
            places = self._places(kind, change)
            if places.newest:
                _claim(won, places.newest, (time, mine))
            _claim(won, places.oldest, (-time, mine))
            if (change.emails or change.phones) and self._rules.contacts == "add":
                _claim(won, tuple(self._contacts(change)), (-time, mine))
        if self._all_traits:
            for kind, trait in dropped:
                if kind in names:
                    _claim(self.won[names[kind]], (f">trait {trait}",), (time, mine))
        return owner

    def _places(self, kind: Kind, change: Change) -> _Places:
        """The places that a change claims, but those of single emails and phones.

        Which ones hangs on its form alone, and not on its values and its time: of each form they are found once.
        """
        form = (
            kind,
            change.rank,
            change.time is None,
            change.may_create,
            tuple(change.fields),
            tuple(change.oldest),
            not change.emails,
            not change.phones,
            not change.on_creation,
            not change.fallback_name,
        )
        known = self._forms.get(form)
        if known is None:
            if len(self._forms) >= FORMS:
                self._forms.clear()
            known = self._forms[form] = _places_of(kind, change, self._rules)
        return known

    def _contacts(self, change: Change) -> Iterator[str]:
        """The places of the emails and phones: of each the first event wins."""
        rank = 0 if change.rank is Rank.OWN else CONTEXT
        for listed, contacts in (("emails", change.emails), ("phones", change.phones)):
            for contact in contacts:
                yield f"<{rank} {listed} {comparable(listed, contact.value, self._rules.country)}"

    def add_alias(self, alias: Alias) -> str:
        """Notes that an alias joins two names. Returns the one that survives; an alias itself is always kept."""
        current = name_of_record(alias.current)
        self.joins.add((name_of_record(alias.previous), current))
        return current

    def settle(self) -> set[int]:
        """Drops claims that win no place. Returns the numbers of all events that may be kept."""
        self.won = {name: settled(won) for name, won in self.won.items()}
        return set().union(*map(numbers_in, self.won.values()))


def _places_of(kind: Kind, change: Change, rules: PrecedenceRules) -> _Places:
    """The places that changes of this form claim, by the precedence that delivery gives their values."""
    pending = PendingEvent(b"", _ORIGIN)
    pending.number = 1
    newest: list[str] = []
    oldest = ["<first"]
    if change.may_create:
        oldest.append("<creates")
    if change.time is not None or change.on_creation:
        oldest.append("<born")
    candidates = collect_candidates(kind, (PendingChange(change, 0, pending),), rules)
    for address, candidate in candidates.fields.items():
        rank, _, number = candidate.precedence
        if number > 0:
            newest.append(f">{rank} {address}")
        else:  # without a time it is no older than any other
            (newest if change.time is None else oldest).append(f"<{rank} {address}")
    newest += [f">{candidate.rank} name {address}" for address, candidate in candidates.inputs.items()]
    return _Places(tuple(newest), tuple(oldest))


def _claim(won: dict[Places, Claim], places: Places, claim: Claim) -> None:
    """Makes a claim to a place of a record, or to some. Claims are shared, and never altered."""
    best = won.get(places)
    if best is None or claim[0] > best[0]:
        won[places] = claim
    elif claim[0] == best[0] and claim[1] is not best[1]:
        won[places] = (claim[0], _tied(best[1], claim[1]))


def _tied(some: Mapping[bytes, int], others: Mapping[bytes, int]) -> dict[bytes, int]:
    """The events of two equal claims; of copies of one event the first."""
    tied = dict(some)
    for identity, number in others.items():
        tied[identity] = min(number, tied.get(identity, number))
    return tied


def merge_won(into: Won, other: Won) -> None:
    """Adds the claims of another part to those of one record."""
    for places, claim in other.items():
        _claim(into, places, claim)


def best_claims(won: Won) -> dict[str, Claim]:
    """The claim to which each single place of a record goes."""
    best: dict[str, Claim] = {}
    for places, claim in won.items():
        for place in places:
            _claim(best, place, claim)
    return best


def settled(won: Won) -> Won:
    """The same without claims that win no place, where there are many: a record whose events have ever new forms would
    otherwise keep them all.
    """
    if len(won) <= MANY:
        return won
    groups: dict[int, tuple[Claim, list[str]]] = {}
    for place, claim in best_claims(won).items():
        groups.setdefault(id(claim), (claim, []))[1].append(place)
    return {tuple(places): claim for claim, places in groups.values()}


def numbers_in(won: Won) -> set[int]:
    """The numbers of the events that make the claims of one record."""
    return {number for _, tied in won.values() for number in tied.values()}


def winners(won: Won) -> dict[bytes, int]:
    """The events that one record needs, by identity, with their numbers: of equal claims that which delivery takes.

    A copy counts as where it stood first. The newest value is the later one's, what the oldest says the earlier one's.
    """
    found: dict[bytes, int] = {}
    for place, (_, tied) in best_claims(won).items():
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
decode_won: Final = msgspec.msgpack.Decoder(dict[tuple[str, ...], tuple[int, dict[bytes, int]]]).decode


def iterate_won(kept: KeptEvents) -> Iterator[tuple[str, bytes]]:
    """The places of each record's name, packed."""
    for name, won in kept.won.items():
        yield name, encode_won(won)
