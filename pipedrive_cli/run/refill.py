"""Events that were handled under another mapping: how many there are, and which `--refill` takes up again.

Who adds a field to the mapping wants the old events to fill it. The journal knows the run in which an event was
handled, and the mapping of that run, kind by kind. A journal from before knows no mapping: all its events count.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from pipedrive_cli.config import Config
from pipedrive_cli.delivery.journal import Journal
from pipedrive_cli.delivery.journal.mappings import last_run, mappings, runs_of
from pipedrive_cli.events.identity import digest
from pipedrive_cli.events.parts import processes_for
from pipedrive_cli.events.source import Source
from pipedrive_cli.model import Complaint, Event, Kind, ProblemCode, Transformed
from pipedrive_cli.pipedrive.catalog import FACTS
from pipedrive_cli.run.account import pins_of
from pipedrive_cli.transform.fingerprint import mapping_by_kind
from pipedrive_cli.transform.transform import kinds_of

OTHER_MAPPING: ProblemCode = "other_mapping"


@dataclass(slots=True)
class HandledOtherwise:
    """What the journal knows of events that were handled under another mapping. `refill`: they are taken up again.

    What differs is told as the lines of the mapping that such events know nothing of, by kind.
    """

    journal: Journal
    refill: bool
    _all: Mapping[Kind, tuple[str, ...]]  # what an event of an unknown mapping knows nothing of
    _differing: Mapping[int, Mapping[Kind, tuple[str, ...]]]  # by run
    possible: bool  # False: every event of the journal was handled under the present mapping

    @classmethod
    def of(cls, journal: Journal, config: Config, *, refill: bool, run: int = 0) -> HandledOtherwise:
        """Compares the mappings of all earlier runs with the config's; `run` is the present one."""
        now = mapping_by_kind(config, pins_of(journal))
        known = mappings(journal)
        differing: dict[int, Mapping[Kind, tuple[str, ...]]] = {
            number: {
                kind: lines
                for kind, (fingerprint, known_lines) in then.items()
                if fingerprint != now[kind].fingerprint
                and (lines := _unknown_lines(now[kind].lines, known_lines, refill=refill))
            }
            for number, then in known.items()
        }
        differing[run] = {}
        every_line = {kind: mapping.lines for kind, mapping in now.items() if mapping.lines}
        unknown = any(number not in known for number in range(1, run or last_run(journal) + 1))
        return cls(journal, refill, every_line, differing, unknown or any(differing.values()))

    def processes(self, sources: Sequence[Source]) -> int:
        """How many other processes may read these sources: none where mappings must be compared, event by event."""
        return 0 if self.possible else processes_for(sources)

    def lines(self, digests: Sequence[bytes]) -> dict[bytes, Mapping[Kind, tuple[str, ...]]]:
        """Of these known events those that were handled under another mapping, with what they know nothing of."""
        if not (digests and self.possible):
            return {}
        found = {}
        for key, run in runs_of(self.journal, digests).items():
            if differing := self._differing.get(run, self._all):
                found[key] = differing
        return found


def _unknown_lines(now: tuple[str, ...], then: tuple[str, ...], *, refill: bool) -> tuple[str, ...]:
    """The lines of the mapping that events of another one know nothing of: those that it did not have.

    Where it had them all they may have meant something else, by an option or the `values` of the config. If it had
    more, it is most likely that of another config with the same journal: that is no notice, but a refill looks.
    """
    missing = tuple(line for line in now if line not in then)
    return missing or (now if refill or len(then) == len(now) else ())


@dataclass(slots=True)
class RefillNeeds:
    """What a sample of events says of a refill: which were handled under another mapping, and what it would write."""

    otherwise: HandledOtherwise
    _records: set[tuple[Kind, int]] = field(default_factory=set)  # hashes of their keys are kept, not the keys

    def add_event(self, identity: str | None, event: Event, transformed: Transformed) -> list[Complaint]:
        """The notices about one event; none for one that was not handled, or not under another mapping."""
        key = b"" if identity is None else digest(identity)
        if not (key and self.otherwise.possible and self.otherwise.journal.recall([key]).handled):
            return []
        lines = self.otherwise.lines([key]).get(key, {})
        kinds = kinds_of(event) & lines.keys()
        for change in transformed.changes:
            if (name := change.record).kind in kinds:
                self._records.add((name.kind, hash(name.key or name.name or name.pipedrive_id)))
        return other_mapping(lines, kinds)

    def cost(self, scale: float) -> str:
        """The most that the refill of all events may cost, in words; `scale` is as in `Estimate.cost`."""
        records = Counter(kind for kind, _ in self._records)
        tokens = sum(FACTS[kind].update.tokens * n for kind, n in records.items())
        return f"It costs at most about {round(tokens * scale):,} API tokens, besides looking up."


def other_mapping(differing: Mapping[Kind, tuple[str, ...]], kinds: frozenset[Kind]) -> list[Complaint]:
    """The notices about an event of these kinds that was handled under another mapping, one for each line of it."""
    return [
        Complaint(OTHER_MAPPING, f"it was handled before this line was in fields.{kind}", f"{kind}: {line}")
        for kind, lines in differing.items()
        if kind in kinds
        for line in lines
    ]
