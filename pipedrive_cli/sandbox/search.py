"""The search index, which trails the records by a few seconds, as Pipedrive's does.

Every write puts a snapshot of what can be searched into a queue; a search first takes in what has become old
enough. Until then new records are not found. Deleted ones stay in it, unless they are taken out.
"""

from __future__ import annotations

import math
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Iterator

import msgspec

from pipedrive_cli.sandbox.records import RecordId


class Document(msgspec.Struct, frozen=True, eq=False):
    """What the index knows of one record: texts per part (`name`, `email`, ...) and per custom field's key."""

    number: int
    parts: dict[str, tuple[str, ...]]
    custom: dict[str, str]

    def texts(self, part: str) -> Iterable[str]:
        return self.custom.values() if part == "custom_fields" else self.parts.get(part, ())

    def of_field(self, key: str) -> Iterable[str]:
        return (self.custom[key],) if key in self.custom else self.parts.get(key, ())


class SearchIndex:
    """One index for all kinds. `lag` in seconds of the clock that is passed in."""

    def __init__(self, lag: float, monotonic: Callable[[], float]) -> None:
        self._lag = lag
        self._monotonic = monotonic
        # By kind, since most accounts are searched for one or two kinds; the others' writes just wait.
        self._queues: defaultdict[str, deque[tuple[float, RecordId, Document | None]]] = defaultdict(deque)
        self._documents: defaultdict[str, dict[RecordId, Document]] = defaultdict(dict)
        # (kind, part or custom key) -> folded text -> ids
        self._exact: defaultdict[tuple[str, str], dict[str, set[RecordId]]] = defaultdict(dict)

    def put(self, kind: str, record_id: RecordId, document: Document | None) -> None:
        """Notes the new state of a record, None for its deletion."""
        self._queues[kind].append((self._monotonic() + self._lag, record_id, document))

    def exact(self, kind: str, part: str, term: str) -> list[tuple[RecordId, Document]]:
        """Documents with exactly this text in a part (or custom field), whatever the case; oldest first."""
        self._catch_up(kind, self._monotonic())
        ids = self._exact[kind, part].get(term.casefold(), ())
        return sorted(((i, self._documents[kind][i]) for i in ids), key=lambda found: found[1].number)

    def all(self, kind: str) -> Iterator[tuple[RecordId, Document]]:
        """Every document of a kind, oldest first."""
        self._catch_up(kind, self._monotonic())
        return iter(sorted(self._documents[kind].items(), key=lambda found: found[1].number))

    def take_in_all(self) -> None:
        """Makes every write findable now, as if the lag had passed."""
        for kind in list(self._queues):
            self._catch_up(kind, math.inf)

    def _catch_up(self, kind: str, until: float) -> None:
        queue = self._queues[kind]
        while queue and queue[0][0] <= until:
            _, record_id, document = queue.popleft()
            self._replace(kind, record_id, document)

    def _replace(self, kind: str, record_id: RecordId, document: Document | None) -> None:
        old = self._documents[kind].pop(record_id, None)
        if old is not None:
            for part, text in _entries(old):
                ids = self._exact[kind, part][text]
                ids.discard(record_id)
                if not ids:
                    del self._exact[kind, part][text]
        if document is not None:
            self._documents[kind][record_id] = document
            for part, text in _entries(document):
                self._exact[kind, part].setdefault(text, set()).add(record_id)


def _entries(document: Document) -> set[tuple[str, str]]:
    entries = {(part, text.casefold()) for part, texts in document.parts.items() for text in texts}
    for key, text in document.custom.items():
        entries.add((key, text.casefold()))
        entries.add(("custom_fields", text.casefold()))
    return entries


def matches_words(document: Document, parts: Iterable[str], term: str) -> bool:
    """Whether every word of the term stands somewhere in the parts."""
    text = "\n".join(text for part in parts for text in document.texts(part)).casefold()
    return all(word in text for word in term.casefold().split())
