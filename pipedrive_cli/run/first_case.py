"""The first case of a config's tests, made by `init` from the events it has seen: one of each kind, with values masked.

Nothing that an event says of a person is in it: ids, names and texts are replaced by made-up ones of the same form,
the same text by the same one. What a mapping reads gets a value that fits its field.
"""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import msgspec

from pipedrive_cli.config import Config
from pipedrive_cli.config.cases import case_of, given_text, written_case
from pipedrive_cli.errors import UserMistake
from pipedrive_cli.events.rows import RowForm
from pipedrive_cli.events.source import resolve_sources
from pipedrive_cli.model import KINDS, Event, Kind
from pipedrive_cli.pipedrive.account import Account
from pipedrive_cli.report.written_file import write_file
from pipedrive_cli.run.case import run_case
from pipedrive_cli.run.custom_fields import CHOICES, CREATABLE, TEXT
from pipedrive_cli.run.first_events import FirstEvents

LOOKED_AT: Final = 5_000  # events, from the beginnings of the files
KINDS_KEPT: Final = 8  # events of a case: one of each type and name, the first ones
_IDS: Final = ("userId", "groupId", "previousId", "anonymousId")
_KEPT: Final = ("type", "event", *_IDS, "timestamp", "traits", "properties")
_KINDS: Final[Mapping[str, tuple[Kind, ...]]] = {"group": ("organizations",), "track": ("leads", "products")}
_FITTING: Final[Mapping[str, Any]] = {
    "date": "2026-01-31",
    "double": 42,
    "monetary": {"amount": 42, "currency": "EUR"},
    "phone": "+1 555 0100",
}


def first_case(
    sources: Sequence[str],
    config: Config,
    config_file: str,
    account: Account | None,
    path: Path,
    *,
    rows: RowForm | None = None,
) -> bool:
    """Writes the case, with what it comes to as what is expected. False: there is no event to make one of, or no room.

    Raises UserMistake for sources that cannot be read, and where the case cannot be written.
    """
    events = list(_one_of_each(sources, rows))
    if not events or path.exists():
        return False
    fields = dict(_types(config, account))
    types = {kind: {name: written for (of, name), written in fields.items() if of == kind} for kind in KINDS}
    mask = Mask(config, account)
    text = given_text(types, [mask.event(row) for row in events])
    try:
        found = run_case(case_of(text, path), config, config_file).found
    except UserMistake:  # the config fits no sandbox, and its mistakes are told by `check`
        return False
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserMistake(f"{path.parent}: no folder can be made there ({error.strerror})", code="output") from error
    write_file("the first case", path, written_case(text, found).encode())
    return True


def _one_of_each(sources: Sequence[str], rows: RowForm | None) -> Iterator[dict[str, Any]]:
    """The first event of each type and, of track events, name; as JSON."""
    seen: set[tuple[str, str | None]] = set()
    for entry in FirstEvents(resolve_sources(sources, None, rows=rows), LOOKED_AT):
        event = entry.event(0)
        if not isinstance(event, Event) or event.type not in {"identify", "group", "alias", "track"}:
            continue
        sort = (event.type, event.name)
        if sort in seen or len(seen) == KINDS_KEPT:
            continue
        with contextlib.suppress(msgspec.DecodeError):  # what is not quite JSON is read by others, and no example
            row = msgspec.json.decode(entry.body(), type=dict[str, Any])
            seen.add(sort)
            yield row


def _types(config: Config, account: Account | None) -> Iterator[tuple[tuple[Kind, str], str]]:
    """The fields that the config maps to and that are not text, as a case has them: `enum:Pro,Free`."""
    for kind in KINDS:
        named = {str(getattr(line, "field", line)) for line in getattr(config.fields, kind).values()}
        for each in account.fields.get(kind, ()) if account else ():
            written = each.key if each.key in named else each.name
            if not each.custom or written not in named or each.type == TEXT or each.type not in CREATABLE:
                continue
            labels = [option.label for option in each.options if "," not in option.label]
            if each.type not in CHOICES:
                yield (kind, written), each.type
            elif labels:
                yield (kind, written), f"{each.type}:{','.join(labels)}"


@dataclass(slots=True)
class Mask:
    """Replaces what events say, by what the fields of the account take where a trait is mapped."""

    config: Config
    account: Account | None
    _made_up: dict[tuple[str, str], str] = field(default_factory=dict)
    _numbers: Counter[str] = field(default_factory=Counter)

    def event(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """An event of the same form, whose values are made up."""
        kinds = _KINDS.get(str(row.get("type")), ("persons",))
        masked: dict[str, Any] = {}
        for key in _KEPT:
            value = row.get(key)
            if value is None:
                continue
            if key in _IDS:
                masked[key] = self._text(str(value), key.removesuffix("Id"))
            elif key in {"type", "event", "timestamp"}:
                masked[key] = value
            else:
                masked[key] = self._value(value, "", kinds)
        return masked

    def _value(self, value: Any, path: str, kinds: Iterable[Kind]) -> Any:
        if (fitting := self._fitting(path, kinds)) is not None:
            return fitting
        if isinstance(value, dict):
            return {key: self._value(each, f"{path}.{key}".lstrip("."), kinds) for key, each in value.items()}
        if isinstance(value, list):
            return [self._value(each, path, kinds) for each in value[:3]]
        if isinstance(value, bool) or value is None:
            return value
        if isinstance(value, int | float):
            return 42
        text = str(value)
        if "@" in text:
            return f"{self._text(text, 'person').replace(' ', '')}@example.com"
        return text if path.rpartition(".")[2] == "currency" else self._text(text, path.rpartition(".")[2] or "text")

    def _fitting(self, path: str, kinds: Iterable[Kind]) -> Any:
        """A value for the field that this trait is mapped to; None for text and for what is not mapped."""
        for kind in kinds:
            line = getattr(self.config.fields, kind).get(path)
            written = str(getattr(line, "field", line))
            for each in self.account.fields.get(kind, ()) if self.account and line is not None else ():
                if written in {each.key, each.name}:
                    return each.options[0].label if each.options else _FITTING.get(each.type)
        return None

    def _text(self, text: str, word: str) -> str:
        """The made-up text for this one: the same for the same text."""
        if (word, text) not in self._made_up:
            self._numbers[word] += 1
            self._made_up[word, text] = f"{word} {self._numbers[word]}"
        return self._made_up[word, text]
