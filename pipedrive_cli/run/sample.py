"""A sample of the events: how many there are of each kind, what is wrong with them, and what no mapping names.

Of very many events a part is read: the first of each file. Memory does not grow with their number. What only
delivery can find (a person that nobody knows) is not here.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import msgspec

from pipedrive_cli.config import Config
from pipedrive_cli.config.places import with_lines
from pipedrive_cli.delivery.run_log import LiveFigures
from pipedrive_cli.errors import EXIT_OK, EXIT_PARTIAL, EXIT_STOPPED, ConfigProblem
from pipedrive_cli.events.entry import Entry
from pipedrive_cli.events.identity import OTHER_CONTENT, digest
from pipedrive_cli.events.people import People, people_of
from pipedrive_cli.events.source import Source, named_columns
from pipedrive_cli.model import Complaint, Event, Kind, Outcome, Transformed, cause_of
from pipedrive_cli.pipedrive.account import Account
from pipedrive_cli.report.problems import NoticeCode, words_for
from pipedrive_cli.report.summary import (
    EXAMPLES,
    Example,
    ProblemGroup,
    heading,
    problem_group,
    varied,
    worst_first,
)
from pipedrive_cli.run.advice import mapping_advice
from pipedrive_cli.run.earlier_runs import EarlierRuns
from pipedrive_cli.run.estimate import Cost, Estimate
from pipedrive_cli.run.first_events import ENOUGH, TOLD_EVERY, FirstEvents
from pipedrive_cli.run.intake import COMPARED
from pipedrive_cli.run.left_files import LeftFile, left_file
from pipedrive_cli.run.mapped_traits import MappedTraits, Trait, path_of
from pipedrive_cli.run.reading_needs import ReadingNeeds, ReadingProposal
from pipedrive_cli.run.refill import OTHER_MAPPING
from pipedrive_cli.text_forms import caseless_form
from pipedrive_cli.transform.consent import DENIED, PurposesSeen
from pipedrive_cli.transform.suppression import SUPPRESSED, Suppression
from pipedrive_cli.transform.transform import Transform, compile_mapping, kinds_of

TRAITS_SHOWN = 20
IDS_KEPT = 1_000  # user and group ids, to see whether the account knows any
NAMES_KEPT = 20_000  # hostile events could bring a new name each; the frequent ones stay
COPIES_KNOWN = 500_000  # events by which copies are told; those after them count as events of their own
EXAMPLES_KEPT = 20  # of each cause; those that differ are chosen from them
UNMAPPED: NoticeCode = "unmapped_trait"
_NAMED = {"product viewed": "Product Viewed", "order completed": "Order Completed"}

Learn = Callable[[frozenset[Kind]], Awaitable[Account]]
_Held = tuple[Entry, Event | Complaint, People, bool]  # True: suppressed, whatever comes after it
Cause = tuple[str, Outcome | None, str | None, Trait | None]  # code, outcome, for a bad value its field and trait


@dataclass(frozen=True, slots=True)
class SampleFound:
    """What the events are. `by_kind` is as people call them; `problems` worst first, unmapped traits at the end.

    `dropped` are the traits that no mapping names, the most frequent first. `mistakes` and `warnings` are about lines
    of the config: fields that can hold nothing of what comes, and mapped traits that nothing has. `whole` is False
    where there are more events than were read; `cost` is for all of them then, as far as sizes tell.
    """

    read: int
    by_kind: dict[str, int]
    rejected: int
    skipped: int
    duplicate: int
    problems: tuple[ProblemGroup, ...]
    dropped: dict[Kind, dict[str, int]]
    whole: bool = True
    files: int = 0
    cost: Cost | None = None
    mistakes: tuple[ConfigProblem, ...] = ()
    warnings: tuple[ConfigProblem, ...] = ()
    purposes: dict[str, tuple[int, int]] = field(default_factory=dict)  # of consent: named by and refused by how many
    left: tuple[LeftFile, ...] = ()  # files that were not read to their end
    passed_over: int = 0  # files that earlier runs have read: a replay does not read them again
    knows_past: bool = True  # False: whether there were runs before is not known

    @property
    def exit_code(self) -> int:
        """The exit code of a replay that finds nothing else wrong."""
        if any(each.verdict == "stops" for each in self.left):
            return EXIT_STOPPED
        return EXIT_PARTIAL if self.rejected or any(each.verdict == "told" for each in self.left) else EXIT_OK

    reading: ReadingProposal | None = None  # settings of `values` under which more would fit


@dataclass(slots=True)
class Sample:
    """One sample. `kinds` are the kinds of record that the events are about.

    `most` is how many events are read, None: all. `config_file` is where lines of the config are looked up.
    `now` is in seconds since 1970: no event is later.
    `suppression` None: nobody is suppressed.
    """

    config: Config
    sources: Sequence[Source]
    kinds: frozenset[Kind] = frozenset()
    most: int | None = None
    config_file: str | None = None
    now: Callable[[], float] = time.time
    suppression: Suppression | None = None
    earlier: EarlierRuns | None = None  # None: no event was handled before
    knows_past: bool = True
    live_figures: LiveFigures = field(default_factory=LiveFigures)
    _read: int = 0
    _said: dict[bytes, int] = field(default_factory=dict)  # what events said that come to something, as checksums
    _compared: Counter[str] = field(default_factory=Counter)  # by file, events of earlier runs that were compared
    _first: FirstEvents = field(init=False)
    _outcomes: Counter[Outcome] = field(default_factory=Counter)
    _by_kind: Counter[str] = field(default_factory=Counter)
    _causes: Counter[Cause] = field(default_factory=Counter)
    _examples: dict[Cause, list[Example]] = field(default_factory=dict)
    _dropped: Counter[tuple[Kind, str]] = field(default_factory=Counter)
    _estimate: Estimate = field(init=False)
    _mapped: MappedTraits = field(init=False)
    _purposes: PurposesSeen = field(default_factory=PurposesSeen)
    ids: dict[Kind, set[str]] = field(default_factory=lambda: {"persons": set(), "organizations": set()})
    _reading: ReadingNeeds = field(init=False)

    def __post_init__(self) -> None:
        self._mapped = MappedTraits(self.config)
        self._reading = ReadingNeeds(self.config)
        self._estimate = Estimate(self.config.delivery.lookahead)
        self._first = FirstEvents(self.sources, self.most, self.live_figures)

    async def read(self, account: Account | None, learn: Learn | None = None) -> SampleFound:
        """Reads the sample. `learn` is called for the account again when events are about kinds it did not show
        yet."""
        transform = compile_mapping(self.config, account)
        now = int(self.now() * 1_000_000)
        for nth, (entry, event, suppressed) in enumerate(self._judged(now)):
            if not nth % TOLD_EVERY:
                await asyncio.sleep(0)  # Ctrl-C is heard
            if self.earlier is not None and self.earlier.passes_over(entry.file):
                self._note_refill(entry, event, transform)
                continue
            self._read += 1
            handled = self.earlier is not None and self.earlier.handled(_key(entry))
            consent = event.consent if isinstance(event, Event) else entry.consent()
            self._purposes.add(consent)
            denied = transform.denies(consent) and entry.identity is not None
            if suppressed or denied:
                # Of an event without consent nothing is reported but its place.
                silent = msgspec.structs.replace(entry, identity=None)
                self._outcomes[Outcome.DUPLICATE] += handled
                self._count(silent, None, [] if handled else [(SUPPRESSED if suppressed else DENIED, None)])
                continue
            if isinstance(event, Complaint):
                self._count(entry, None, [(transform.told(event), None)])
                continue
            self._note_ids(event)
            if not (kinds := kinds_of(event)) <= self.kinds:
                self.kinds |= kinds
                if learn is not None:
                    account = await learn(self.kinds)
                    transform = compile_mapping(self.config, account)
            self._count_event(entry, event, transform, handled=handled)
        dropped = self._dropped_by_kind()
        seen_torn = (lambda _: False) if self.earlier is None else self.earlier.files.seen_torn
        found = (left_file(reading, seen_torn) for reading in self._first.left)
        left = tuple(each for each in found if each is not None)
        passed_over = 0 if self.earlier is None else self.earlier.passed_over
        return SampleFound(
            self._read,
            dict(self._by_kind.most_common()),
            self._outcomes[Outcome.REJECTED],
            self._outcomes[Outcome.SKIPPED],
            self._outcomes[Outcome.DUPLICATE],
            (*worst_first((*_of_files(left), *self._groups(account))), *self._unmapped(dropped, account)),
            dropped,
            whole=self._first.whole,
            files=self._first.files,
            cost=self._estimate.cost(self._scale()),
            mistakes=tuple(self._mapped.wrong(account)),
            warnings=() if passed_over else tuple(self._mapped.unused(dropped)),  # those files may have the traits
            purposes=self._purposes.found(),
            left=left,
            passed_over=passed_over,
            knows_past=self.knows_past,
            reading=self._reading.propose(account),
        )

    def _note_ids(self, event: Event) -> None:
        for kind, key in (("persons", event.user_id), ("organizations", event.group_id)):
            ids = self.ids[cast(Kind, kind)]
            if key is not None and len(ids) < IDS_KEPT:
                ids.add(key)

    def _judged(self, now: int) -> Iterator[tuple[Entry, Event | Complaint, bool]]:
        """The entries of the sample, decoded, and whether each is suppressed: judged by windows, as a run does."""
        if self.suppression is None:
            yield from ((entry, entry.event(now), False) for entry in self._first)
            return
        held: list[_Held] = []
        for entry in self._first:
            event = entry.event(now)
            people = entry.people() if isinstance(event, Complaint) else people_of(event)
            held.append((entry, event, people, self.suppression.add(people)))
            if len(held) >= min(self.config.delivery.lookahead, ENOUGH):
                yield from self._judge(self.suppression, held)
                held = []
        yield from self._judge(self.suppression, held)

    def _judge(
        self, suppression: Suppression, held: Sequence[_Held]
    ) -> Iterator[tuple[Entry, Event | Complaint, bool]]:
        suppression.judge()
        for entry, event, people, suppressed in held:
            yield entry, event, suppressed or suppression.holds_back(people)
        suppression.next_window()

    def _dropped_by_kind(self) -> dict[Kind, dict[str, int]]:
        found: dict[Kind, dict[str, int]] = {}
        used = named_columns(self.sources)
        for (kind, trait), count in sorted(self._dropped.items(), key=lambda item: (-item[1], item[0])):
            if trait not in used and trait not in self.config.fields.lines(
                kind
            ):  # a wrong field of a mapping is reported elsewhere
                found.setdefault(kind, {})[trait] = count
        return found

    def _scale(self) -> float:
        """The number of all events divided by that of those read, as far as the files' sizes tell."""
        sizes = [source.size for source in self.sources]
        if self._first.whole or not self._first.bytes_read or any(size is None for size in sizes):
            return 1.0
        return max(1.0, sum(size or 0 for size in sizes) / self._first.bytes_read)

    def _count_event(self, entry: Entry, event: Event, transform: Transform, *, handled: bool) -> None:
        name = event.type if event.type != "track" else _NAMED.get(caseless_form(event.name or ""), "track, as a lead")
        self._by_kind[name] += 1
        user = event.user_id or event.anonymous_id
        key = _key(entry)
        copied = handled or key in self._said
        if copied:
            self._outcomes[Outcome.DUPLICATE] += 1
            if self._says_otherwise(entry, event, key, handled=handled):
                self._count(entry, user, [(OTHER_CONTENT, None)])
            if not handled:
                return
        transformed = transform.transform(event)
        if not copied:
            self._estimate.add_event(transformed)
        self._reading.add(event, transformed)
        self._dropped.update(transformed.dropped)
        if len(self._dropped) > NAMES_KEPT:
            self._dropped = Counter(dict(self._dropped.most_common(NAMES_KEPT // 2)))
        about: list[Trait | None] = [None] * len(transformed.complaints)
        if not any(complaint.outcome is Outcome.SKIPPED for complaint in transformed.complaints):
            about = self._mapped.add_event(event, transformed.complaints)
        complaints = list(zip(transformed.complaints, about, strict=True))
        if copied:
            notices = self._of_refill(entry, event, transformed)
            foretold = [(msgspec.structs.replace(complaint, outcome=None), trait) for complaint, trait in complaints]
            complaints = [*((notice, None) for notice in notices), *(foretold if notices else ())]
        elif key and len(self._said) < COPIES_KNOWN and not any(told.outcome for told, _ in complaints):
            self._said[key] = entry.content_of(event)
        self._count(entry, user, complaints)

    def _note_refill(self, entry: Entry, event: Event | Complaint, transform: Transform) -> None:
        """Counts an event that a replay would not read, where it was handled under another mapping."""
        if isinstance(event, Event) and not transform.denies(event.consent):
            notices = self._of_refill(entry, event, transform.transform(event))
            self._count(entry, event.user_id or event.anonymous_id, [(notice, None) for notice in notices])

    def _of_refill(self, entry: Entry, event: Event, transformed: Transformed) -> list[Complaint]:
        refill = None if self.earlier is None else self.earlier.refill
        return [] if refill is None else refill.add_event(entry.identity, event, transformed)

    def _says_otherwise(self, entry: Entry, event: Event, key: bytes, *, handled: bool) -> bool:
        """Whether a copy says something else than the event before it; of known events as many are asked as by a
        run."""
        now = entry.content_of(event)
        if not handled:
            before = self._said[key]
        elif self.earlier is None or self.suppression is not None or self._compared[entry.file] >= COMPARED:
            return False
        else:
            self._compared[entry.file] += 1
            before = self.earlier.content([key])
        return bool(now and before and now != before)

    def _count(self, entry: Entry, user: str | None, complaints: Sequence[tuple[Complaint, Trait | None]]) -> None:
        outcomes = {complaint.outcome for complaint, _ in complaints}
        for outcome in (Outcome.REJECTED, Outcome.SKIPPED):
            if outcome in outcomes:
                self._outcomes[outcome] += 1
                break
        # An event that has one problem twice (in two products of an order) counts once.
        causes: dict[Cause, Complaint] = {}
        for complaint, trait in complaints:
            where = cause_of(complaint.code, complaint.field, entry.file, complaint.value)
            causes.setdefault((complaint.code, complaint.outcome, where, trait), complaint)
        for cause, complaint in causes.items():
            self._causes[cause] += 1
            kept = self._examples.setdefault(cause, [])
            if len(kept) < EXAMPLES_KEPT:
                kept.append(_example(entry, user, complaint))

    def _groups(self, account: Account | None) -> Iterator[ProblemGroup]:
        places = self._places()
        for cause, count in self._causes.items():
            code, outcome, where, trait = cause
            hint = None
            if code == "bad_value" and trait is not None:
                hint = self._mapped.advice(trait, places[trait], account)
            elif code == OTHER_MAPPING and self.earlier is not None and self.earlier.refill is not None:
                hint = f"{words_for(code).hint} {self.earlier.refill.cost(self._scale())}"
            examples = varied(self._examples[cause])[:EXAMPLES]
            yield problem_group(code, outcome, count, examples, message=heading(code, where), hint=hint)

    def _places(self) -> dict[Trait, str]:
        """Where the config maps each trait whose values do not fit: `config.yaml:12`, or the key."""
        traits = list(self._mapped.unfit)
        problems = [ConfigProblem(path_of(*trait), "") for trait in traits]
        if self.config_file is None:
            return {trait: problem.path for trait, problem in zip(traits, problems, strict=True)}
        placed = with_lines(Path(self.config_file), problems)
        return {
            trait: problem.path if problem.line is None else f"{self.config_file}:{problem.line}"
            for trait, problem in zip(traits, placed, strict=True)
        }

    def _unmapped(self, dropped: dict[Kind, dict[str, int]], account: Account | None) -> Iterator[ProblemGroup]:
        """The most frequent traits that no mapping names, with the mapped name that was perhaps meant."""
        named = [(count, kind, trait) for kind, traits in dropped.items() for trait, count in traits.items()]
        for count, kind, trait in sorted(named, key=lambda each: (-each[0], each[1:]))[:TRAITS_SHOWN]:
            hint = mapping_advice(kind, trait, self.config, account)
            yield problem_group(UNMAPPED, None, count, message=f"{kind}: no mapping names {trait}", hint=hint)


def _key(entry: Entry) -> bytes:
    return b"" if entry.identity is None else digest(entry.identity)


def _of_files(left: Sequence[LeftFile]) -> Iterator[ProblemGroup]:
    """The files that were not read to their end, grouped as in a run's report."""
    causes: dict[tuple[str, str | None], list[Example]] = {}
    for place, why, _ in left:
        example = Example(place.file, place.line or None, None, None, message=why.message)
        causes.setdefault((why.code, cause_of(why.code, why.field, place.file)), []).append(example)
    for (code, where), examples in causes.items():
        shown = examples[:EXAMPLES]
        yield problem_group(code, None, len(examples), shown, message=heading(code, where, shown))


def _example(entry: Entry, user: str | None, complaint: Complaint) -> Example:
    return Example(
        file=entry.file,
        line=entry.line,
        message_id=entry.identity,
        field=complaint.field,
        index=entry.index,
        user=user,
        value=complaint.value,
        message=complaint.message,
    )
