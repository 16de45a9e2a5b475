"""Which settings of the config's section `values` the events need: found by trying, proposed as lines of the config.

Events with values that do not fit are kept, and read again under every setting that might help. What a setting would
change in values that fit now is counted too. Memory does not grow with the number of events. Pure.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import product
from typing import Any, Final

import msgspec

from pipedrive_cli.config import Config, Values
from pipedrive_cli.model import Complaint, Event, Transformed
from pipedrive_cli.pipedrive.account import Account
from pipedrive_cli.text_forms import knows_nothing
from pipedrive_cli.timestamps import DateOrder
from pipedrive_cli.transform.transform import Transform, compile_mapping

KEPT: Final = 2_000  # events of each sort; more of them say the same
WORDS_KEPT: Final = 500  # different texts that do not fit
CODES: Final = frozenset({"bad_value", "amount_without_currency"})
STAND_IN: Final = "EUR"  # where the account's own currency is not known
# Numbers that a decimal comma would change: 1.200 and 1,200.
_GROUPED: Final = re.compile(r"(?<![0-9.,])[0-9]{1,3}(?:[.,][0-9]{3})+(?![0-9])")


@dataclass(frozen=True, slots=True)
class ReadingProposal:
    """Settings under which more values fit. `values` is the whole section, `lines` what differs from the present one.

    `fitting` of the `misfits` would fit; `changed` events that fit now would say something else. `either_order`: the
    events do not tell whether the day or the month comes first.
    """

    values: Values
    lines: tuple[str, ...]
    fitting: int
    misfits: int
    changed: int
    either_order: bool = False


@dataclass(slots=True)
class ReadingNeeds:
    """Collects while events are read; `propose` tries."""

    config: Config
    _misfits: int = 0
    _unfit: list[Event] = field(default_factory=list)
    _grouped: list[Event] = field(default_factory=list)  # that fit, and hold numbers that a setting may change
    _words: Counter[str] = field(default_factory=Counter)
    _currencies: Counter[str] = field(default_factory=Counter)  # of amounts that say theirs

    def add(self, event: Event, transformed: Transformed) -> None:
        """Notes what one event brings."""
        self._currencies.update(_currencies_in(transformed))
        misfits = [complaint for complaint in transformed.complaints if complaint.code in CODES]
        if misfits:
            self._misfits += len(misfits)
            if len(self._unfit) < KEPT:
                self._unfit.append(event)
            self._note_words(misfits)
        elif len(self._grouped) < KEPT and any(map(_is_grouped, _texts(event))):
            self._grouped.append(event)

    def _note_words(self, misfits: list[Complaint]) -> None:
        for complaint in misfits:
            text = (complaint.value or "").strip("'\"").strip()
            if knows_nothing(text) and (text in self._words or len(self._words) < WORDS_KEPT):
                self._words[text] += 1

    def propose(self, account: Account | None) -> ReadingProposal | None:
        """The settings under which most values fit, as few as do; None where no setting helps."""
        if not self._unfit:
            return None
        now = self.config.reading
        before = self._count(now, account)
        best, fewest = now, before
        for tried in self._settings(now, account):
            left = self._count(tried, account)
            if left < fewest:
                best, fewest = tried, left
        words = tuple(word for word, _ in self._words.most_common() if word not in best.nothing)
        if words:
            with_words = msgspec.structs.replace(best, nothing=(*best.nothing, *words))
            if (left := self._count(with_words, account)) < fewest:
                best, fewest = with_words, left
        if best == now:
            return None
        other = {"day first": "month first", "month first": "day first"}.get(best.dates)
        either = other is not None and best.dates != now.dates and self._fits_as_well(best, other, fewest, account)
        scale = self._misfits / before if before else 1
        return ReadingProposal(
            best,
            tuple(_lines(now, best)),
            round((before - fewest) * scale),
            self._misfits,
            self._changed(now, best, account),
            either,
        )

    def _currency(self, account: Account | None) -> str:
        """That of most amounts that say theirs; where none does, the account's."""
        if self._currencies:
            return self._currencies.most_common(1)[0][0]
        return STAND_IN if account is None or account.default_currency is None else account.default_currency

    def _fits_as_well(self, best: Values, other: str, fewest: int, account: Account | None) -> bool:
        order: DateOrder = "month first" if other == "month first" else "day first"
        return self._count(msgspec.structs.replace(best, dates=order), account) == fewest

    def _settings(self, now: Values, account: Account | None) -> Iterator[Values]:
        """Every combination that may help, those that change least first."""
        orders: tuple[DateOrder, ...] = ("iso", "day first", "month first") if now.dates == "iso" else (now.dates,)
        signs = ("point", "comma") if now.decimals == "point" else (now.decimals,)
        currencies = (None, self._currency(account)) if now.currency is None else (now.currency,)
        tried = [
            msgspec.structs.replace(now, dates=dates, decimals=decimals, currency=currency)
            for dates, decimals, currency in product(orders, signs, currencies)
        ]
        yield from sorted(tried, key=lambda each: len(_differences(now, each)))

    def _count(self, values: Values, account: Account | None) -> int:
        """How many values of the kept events do not fit."""
        transform = self._transform(values, account)
        return sum(
            complaint.code in CODES for event in self._unfit for complaint in transform.transform(event).complaints
        )

    def _changed(self, now: Values, then: Values, account: Account | None) -> int:
        """How many of the events that fit would say something else."""
        before, after = self._transform(now, account), self._transform(then, account)
        return sum(before.transform(event).changes != after.transform(event).changes for event in self._grouped)

    def _transform(self, values: Values, account: Account | None) -> Transform:
        leads = msgspec.structs.replace(self.config.leads, default_currency=None)
        return compile_mapping(msgspec.structs.replace(self.config, values=values, leads=leads), account)


def _currencies_in(transformed: Transformed) -> Iterator[str]:
    for change in transformed.changes:
        for value in change.fields.values():
            if isinstance(value, dict) and isinstance(code := value.get("currency"), str):
                yield code


def _differences(now: Values, then: Values) -> list[str]:
    return [name for name in Values.__struct_fields__ if getattr(now, name) != getattr(then, name)]


def _lines(now: Values, then: Values) -> Iterator[str]:
    """The lines of the config that differ."""
    for name in _differences(now, then):
        found: Any = getattr(then, name)
        if name == "nothing":
            found = f"[{', '.join(msgspec.json.encode(word).decode() for word in found)}]"
        yield f"{name}: {found}"


def _is_grouped(text: str) -> bool:
    return _GROUPED.search(text) is not None


def _texts(event: Event) -> Iterator[str]:
    """The texts among an event's traits and properties, two levels deep."""
    for values in (event.traits, event.context_traits, event.properties):
        yield from _texts_in(values, 2)


def _texts_in(values: Mapping[str, Any], levels: int) -> Iterator[str]:
    for value in values.values():
        if isinstance(value, str):
            if len(value) <= 40:
                yield value
        elif levels and isinstance(value, dict):
            yield from _texts_in(value, levels - 1)
        elif levels and isinstance(value, list):
            yield from (text for item in value[:20] if isinstance(item, dict) for text in _texts_in(item, 0))
