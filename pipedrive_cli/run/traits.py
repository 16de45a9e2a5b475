"""Events read to learn what a mapping could be made of: which traits occur in them, how often, and with what values.

Memory does not grow with the number of events, nor with what strangers put into them. Nobody is asked anything.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from pipedrive_cli.config import Config
from pipedrive_cli.delivery.run_log import LiveFigures
from pipedrive_cli.events.lenient import as_list
from pipedrive_cli.events.source import Source, named_columns
from pipedrive_cli.model import KINDS, Complaint, Event, JsonObject, Kind, Value
from pipedrive_cli.run.first_events import ENOUGH, FirstEvents
from pipedrive_cli.setup.proposals import TraitSeen
from pipedrive_cli.text_forms import caseless_form
from pipedrive_cli.transform.mapping import short
from pipedrive_cli.transform.transform import compile_mapping, kinds_of

TRAITS_KEPT = 500  # hostile events could bring a new name each; the frequent ones stay
VALUES_KEPT = 25
NAMES_KEPT = 20_000  # of organizations
TEXT_KEPT = 300  # characters: enough to see that a short text field does not hold it
ITEMS_KEPT = 20  # of a list or object

Name = tuple[Kind, str]


@dataclass(frozen=True, slots=True)
class TraitsFound:
    """What was read. `whole` says whether that was all; `seen` has the most frequent traits first, by kind.

    `amounts_without_currency` counts events with an amount that Pipedrive cannot take without a currency.
    """

    events: int
    whole: bool
    kinds: frozenset[Kind]
    seen: tuple[TraitSeen, ...]
    amounts_without_currency: int
    organizations: frozenset[str] = frozenset()  # names that group events give, in the form in which they are compared


@dataclass(slots=True)
class _TraitCounts:
    counts: Counter[Name] = field(default_factory=Counter)
    values: dict[Name, dict[str, Value]] = field(default_factory=dict)

    def add_value(self, name: Name, value: Value) -> None:
        self.counts[name] += 1
        kept = self.values.setdefault(name, {})
        if value is not None and len(kept) < VALUES_KEPT:
            kept.setdefault(short(value), _bounded(value))
        if len(self.counts) > 4 * TRAITS_KEPT:
            self.forget_rare()

    def forget_rare(self) -> None:
        self.counts = Counter(dict(self.counts.most_common(TRAITS_KEPT)))
        self.values = {name: self.values[name] for name in self.counts}

    def seen(self, *, whole: bool) -> Iterator[TraitSeen]:
        for name, count in self.counts.items():
            yield TraitSeen(*name, count, tuple(self.values[name].values()), whole)


def look(sources: Sequence[Source], at_most: int = ENOUGH, live_figures: LiveFigures | None = None) -> TraitsFound:
    """Reads up to `at_most` events, from the beginnings of the sources. `live_figures` tell how far it is."""
    transform = compile_mapping(Config())
    now = time.time_ns() // 1000
    traits, objects = _TraitCounts(), _TraitCounts()
    kinds: set[Kind] = set()
    named: set[str] = set()
    events, bare_amounts = 0, 0
    first, used = FirstEvents(sources, at_most, live_figures), named_columns(sources)
    for entry in first:
        events += 1
        event = entry.event(now)
        if isinstance(event, Complaint):
            continue
        transformed = transform.transform(event)
        if transformed.changes:
            kinds |= kinds_of(event)
        if event.type == "group" and isinstance(name := event.traits.get("name"), str) and len(named) < NAMES_KEPT:
            named.add(caseless_form(name))
        bare_amounts += any(complaint.code == "amount_without_currency" for complaint in transformed.complaints)
        for kind, path in dict.fromkeys(name for name in transformed.dropped if name[1] not in used):
            traits.add_value((kind, path), _value(event, kind, path))
        for kind, path in dict.fromkeys((kind, path.rpartition(".")[0]) for kind, path in transformed.dropped):
            if path and isinstance(value := _value(event, kind, path), dict):
                objects.add_value((kind, path), value)
    traits.forget_rare()
    seen = [*traits.seen(whole=False), *objects.seen(whole=True)]
    seen.sort(key=lambda trait: (KINDS.index(trait.kind), -trait.count, trait.path))
    named.discard("")
    return TraitsFound(events, first.whole, frozenset(kinds), tuple(seen), bare_amounts, frozenset(named))


def _value(event: Event, kind: Kind, path: str) -> Value:
    """The value of a trait, None where none is found."""
    for traits in _objects_of(event, kind):
        found: Value = traits
        for part in path.split("."):
            found = found.get(part) if isinstance(found, dict) else None
        if found is None:
            found = traits.get(path)  # flattened exports write the dots into the name
        if found is not None:
            return found
    return None


def _objects_of(event: Event, kind: Kind) -> Iterator[JsonObject]:
    """The objects that hold an event's traits of a kind of record."""
    if kind == "leads":
        yield event.properties
    elif kind == "products":
        yield event.properties
        items = as_list(event.properties.get("products")) or ()
        yield from (item for item in items if isinstance(item, dict))
    elif kind == "organizations":
        yield event.traits
    else:
        if event.type == "identify":
            yield event.traits
        yield event.context_traits


def _bounded(value: Value) -> Value:
    """A value cut to size, for strangers choose how long it is."""
    if isinstance(value, str):
        return value[:TEXT_KEPT]
    if isinstance(value, list):
        return [_bounded(item) for item in value[:ITEMS_KEPT]]
    if isinstance(value, dict):
        return {name: _bounded(inner) for name, inner in list(value.items())[:ITEMS_KEPT]}
    return value
