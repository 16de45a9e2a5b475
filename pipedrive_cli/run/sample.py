"""Events read for a look at them alone: how many of each kind, what is wrong with them, what no mapping names.

Memory does not grow with their number. What only delivery can find (a person that nobody knows) is not here.
"""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches

from pipedrive_cli.config import Config
from pipedrive_cli.events.entry import Entry
from pipedrive_cli.events.event import Event
from pipedrive_cli.events.reading import read
from pipedrive_cli.events.source import Source
from pipedrive_cli.outcomes import Complaint, Outcome
from pipedrive_cli.pipedrive.account import Account
from pipedrive_cli.report.problems import words
from pipedrive_cli.report.summary import EXAMPLES, Example, ProblemGroup, problem_group, worst_first
from pipedrive_cli.run.intake import kinds_of
from pipedrive_cli.transform.changes import Kind
from pipedrive_cli.transform.rules import LEAD_PROPERTIES, ORGANIZATION_TRAITS, PERSON_TRAITS, PRODUCT_PROPERTIES
from pipedrive_cli.transform.targets import STANDARD, resolve
from pipedrive_cli.transform.transform import Transform, compile_mapping

TRAITS_TOLD = 20
NAMES_KEPT = 20_000  # hostile events could bring a new name each; the frequent ones stay
UNMAPPED = "unmapped_trait"
ALIKE = 0.7  # how much alike two names must be for one to be a slip of the other, from 0 to 1
ALWAYS_READ: dict[Kind, tuple[str, ...]] = {
    "persons": PERSON_TRAITS,
    "organizations": ORGANIZATION_TRAITS,
    "leads": LEAD_PROPERTIES,
    "products": PRODUCT_PROPERTIES,
}
_NAMED = {"product viewed": "Product Viewed", "order completed": "Order Completed"}

_ANY_ITEM = re.compile(r"\[\d+\]")  # the tenth product of an order has no cause of its own

Learn = Callable[[frozenset[Kind]], Awaitable[Account]]
Cause = tuple[str, Outcome | None, str | None]  # code, outcome, and for a bad value its field


@dataclass(frozen=True, slots=True)
class SampleFound:
    """What the events are. `by_kind` is as people call them; `problems` worst first, unmapped traits at the end.

    `dropped` are the traits that no mapping names, the most frequent first.
    """

    read: int
    by_kind: dict[str, int]
    rejected: int
    skipped: int
    problems: tuple[ProblemGroup, ...]
    dropped: dict[Kind, dict[str, int]]


@dataclass(slots=True)
class Sample:
    """One look. `kinds` are the kinds of record that the events are about."""

    config: Config
    sources: Sequence[Source]
    kinds: frozenset[Kind] = frozenset()
    _read: int = 0
    _outcomes: Counter[Outcome] = field(default_factory=Counter)
    _by_kind: Counter[str] = field(default_factory=Counter)
    _causes: Counter[Cause] = field(default_factory=Counter)
    _examples: dict[Cause, list[Example]] = field(default_factory=dict)
    _dropped: Counter[tuple[Kind, str]] = field(default_factory=Counter)

    async def read(self, account: Account | None, learn: Learn | None = None) -> SampleFound:
        """Reads all there is. `learn` is asked for the account again when events are about kinds it did not show."""
        transform = compile_mapping(self.config, account)
        now = time.time_ns() // 1000
        for entry in self._entries():
            self._read += 1
            event = entry.event(now)
            if isinstance(event, Complaint):
                self._take(entry, None, (event,))
                continue
            if not (kinds := kinds_of(event)) <= self.kinds:
                self.kinds |= kinds
                if learn is not None:
                    account = await learn(self.kinds)
                    transform = compile_mapping(self.config, account)
            self._take_event(entry, event, transform)
        return SampleFound(
            self._read,
            dict(self._by_kind.most_common()),
            self._outcomes[Outcome.REJECTED],
            self._outcomes[Outcome.SKIPPED],
            (*worst_first(self._groups()), *self._unmapped(account)),
            self._dropped_by_kind(),
        )

    def _dropped_by_kind(self) -> dict[Kind, dict[str, int]]:
        found: dict[Kind, dict[str, int]] = {}
        for (kind, trait), count in self._dropped.most_common():
            if trait not in getattr(self.config.fields, kind):  # a wrong field of a mapping is told elsewhere
                found.setdefault(kind, {})[trait] = count
        return found

    def _entries(self) -> Iterator[Entry]:
        for source in self.sources:
            yield from read(source)

    def _take_event(self, entry: Entry, event: Event, transform: Transform) -> None:
        name = event.type if event.type != "track" else _NAMED.get((event.name or "").casefold(), "track, as a lead")
        self._by_kind[name] += 1
        transformed = transform.transform(event)
        self._dropped.update(transformed.dropped)
        if len(self._dropped) > NAMES_KEPT:
            self._dropped = Counter(dict(self._dropped.most_common(NAMES_KEPT // 2)))
        self._take(entry, event.user_id or event.anonymous_id, transformed.complaints)

    def _take(self, entry: Entry, user: str | None, complaints: Sequence[Complaint]) -> None:
        outcomes = {complaint.outcome for complaint in complaints}
        for outcome in (Outcome.REJECTED, Outcome.SKIPPED):
            if outcome in outcomes:
                self._outcomes[outcome] += 1
                break
        for complaint in complaints:
            # Of values the field is the cause: each is mended in a place of its own.
            where = _ANY_ITEM.sub("[]", complaint.field or "") if complaint.code == "bad_value" else None
            cause = (complaint.code, complaint.outcome, where)
            self._causes[cause] += 1
            kept = self._examples.setdefault(cause, [])
            if len(kept) < EXAMPLES:
                kept.append(
                    Example(
                        file=entry.file,
                        line=entry.line,
                        message_id=entry.identity,
                        field=complaint.field,
                        index=entry.index,
                        user=user,
                        value=complaint.value,
                        message=complaint.message,
                    )
                )

    def _groups(self) -> Iterator[ProblemGroup]:
        for cause, count in self._causes.items():
            code, outcome, where = cause
            message = None if where is None else f"{words(code).message}: {where}"
            yield problem_group(code, outcome, count, self._examples[cause], message=message)

    def _unmapped(self, account: Account | None) -> Iterator[ProblemGroup]:
        """The most frequent traits that no mapping names, with the mapped name that was perhaps meant."""
        ranked = sorted(self._dropped.items(), key=lambda item: (-item[1], item[0]))
        told = 0
        for (kind, trait), count in ranked:
            mapped = getattr(self.config.fields, kind)
            if trait in mapped:
                continue  # its field is what is wrong, and that is told
            if (told := told + 1) > TRAITS_TOLD:
                return
            message = f"{kind}: no mapping names {trait}"
            yield problem_group(UNMAPPED, None, count, message=message, hint=self._advice(kind, trait, account))

    def _advice(self, kind: Kind, trait: str, account: Account | None) -> str | None:
        """The mapped name that was perhaps meant, or the field that seems to be made for it."""
        parent, _, leaf = trait.rpartition(".")
        leaves = {
            name.rpartition(".")[2].casefold(): name
            for name in (*ALWAYS_READ[kind], *getattr(self.config.fields, kind))
            if name.rpartition(".")[0].casefold() == parent.casefold()
        }
        if near := get_close_matches(leaf.casefold(), leaves, 1, ALIKE):
            return f"Did you mean {leaves[near[0]]}? Upper and lower case count."
        custom = () if account is None else account.fields.get(kind, ())
        names = (*STANDARD[kind], *(field.name for field in custom if field.custom))
        made_for_it = next((name for name in names if _bare(name) == _bare(trait)), None)
        if made_for_it is None or isinstance(resolve(kind, made_for_it, account), str):
            return None
        return f"To send it add `{trait}: {made_for_it}` to fields.{kind}."


def _bare(name: str) -> str:
    """A name by its letters and digits alone: `jobTitle`, `job_title` and `Job title` are one."""
    return "".join(character for character in name.casefold() if character.isalnum())
