"""What a row of a table means as an event: which column is what, and the event's JSON. Pure; knows nothing of files.

The columns are the event's traits (of a track event its properties). `--as`, `--id`, `--time` and `--message-id` say of
which type the events are, and which columns hold whose they are, when they were, and by what they are known again;
without the last a row is known by what it says. A column `address.city` is the trait `city` within `address`. Some
columns are parts of the event instead:

- `context_traits_email`, as RudderStack's warehouses name them, is `context.traits.email`; so it is with the other
  objects of `context`. In a table that has such columns `received_at`, `sent_at`, `original_timestamp`, `anonymous_id`
  and `channel` are those of the event, and what a warehouse notes of its own loading says nothing.
- `Name`, `First name`, `E-mail` and the like, as people write them over columns, are the traits that are read without
  any mapping.
- `event_text`, or else `event`, is the name of a track event.
- `user_id`, or else `userId`, is the user of a group event, whose `--id` names the group.

An empty cell says nothing: an empty column is as good as none. `="0042"`, by which exports keep spreadsheets from
calculating, is what stands in its quotes, and `42.0` in the column of ids is 42, as programs write it that take an
empty cell for a number.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, Literal, NamedTuple, TypeAlias

import msgspec

from pipedrive_cli.config.known_traits import AMOUNTS
from pipedrive_cli.events.decode import Wire
from pipedrive_cli.events.identity import hashed_content, message_identity
from pipedrive_cli.events.refusal import EventRefused, refusal

RowType: TypeAlias = Literal["identify", "group", "track"]
ROW_TYPES: Final[tuple[RowType, ...]] = ("identify", "group", "track")

_ID_KEY: Final[dict[RowType, str]] = {"identify": "userId", "group": "groupId", "track": "userId"}
_CONTEXT: Final = (
    "app",
    "campaign",
    "device",
    "library",
    "location",
    "network",
    "os",
    "page",
    "referrer",
    "screen",
    "traits",
)
_OF_WAREHOUSES: Final = {
    "received_at": "receivedAt",
    "sent_at": "sentAt",
    "original_timestamp": "originalTimestamp",
    "anonymous_id": "anonymousId",
    "channel": "channel",
}
# When a row was loaded, and by what a warehouse knows it: nothing that the event said.
_OF_LOADING: Final = frozenset({"uuid_ts", "loaded_at", "uuid", "id", "timestamp", "user_id"})
_NAMES_OF_TRACKS: Final = ("event_text", "event")
_USERS_OF_GROUPS: Final = ("user_id", "userId")
_NAMES_A_USER: Final = ("id", "userId")  # traits by which `decode` would know a user whose cell is empty
_SAYS_NOTHING: Final = frozenset({None, "", "\\N"})  # the last is how MySQL and PostgreSQL write NULL

# First characters of cells that may say nothing, or hold a list or an object. Blanks go no further than this.
_UNUSUAL: Final = frozenset({"", "[", "{", "\\", "=", *filter(str.isspace, map(chr, range(0x3001)))})

# Traits that are read without any mapping, by their names without case, blanks and marks.
_HEADER_MARKS: Final = re.compile(r"[\s_-]+")
_NAMES: Final = {"name": "name", "firstname": "first_name", "lastname": "last_name"}
_BY_HEADER: Final[dict[RowType, dict[str, str]]] = {
    "identify": _NAMES | {"email": "email", "phone": "phone"},
    "group": {"name": "name"},
    "track": {name: name for name in (*AMOUNTS, "currency")},
}

_encode: Final = msgspec.json.encode


class RowForm(NamedTuple):
    """How the rows of a table become events: their type, and the columns of id, time and message id."""

    type: RowType
    id: str
    time: str
    message_id: str | None = None

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that a table must have."""
        named = (self.id, self.time, self.message_id)
        return tuple(dict.fromkeys(column for column in named if column is not None))

    @property
    def options(self) -> tuple[str, ...]:
        """The options of a command that say so."""
        known = () if self.message_id is None else ("--message-id", self.message_id)
        return ("--as", self.type, "--id", self.id, "--time", self.time, *known)


class TableHead(NamedTuple):
    """What must be known of a table to read its rows: the names of its columns, and what separates cells."""

    names: list[str]
    separator: str


class RowEvent(NamedTuple):
    """The event of one row: its JSON, and its identity."""

    raw: bytes
    identity: str
    wire: Wire | None  # `raw` decoded, where nothing had to be read out of a cell


class Columns:
    """The columns of one table, made ready. Raises EventRefused where one that is needed is missing or there twice.

    `last_needed` is the place of the last one of these: a row that ends before it is cut off.
    """

    def __init__(self, form: RowForm, header: Sequence[str]) -> None:
        self._form = form
        self.names = [name.strip() for name in header]
        for column in form.columns:
            if (times := self.names.count(column)) != 1:
                raise EventRefused(refusal("not_events", _column_trouble(column, times, self.names)))
        self._id = self.names.index(form.id)
        self.last_needed = max(map(self.names.index, form.columns))
        named: dict[str, int | None] = {_ID_KEY[form.type]: self._id, "timestamp": self.names.index(form.time)}
        named["messageId"] = None if form.message_id is None else self.names.index(form.message_id)
        if form.type == "track":
            named["event"] = self._first_of(_NAMES_OF_TRACKS)
            if named["event"] is None:
                columns = " or ".join(_NAMES_OF_TRACKS)
                why = f"a track event needs its name, in a column {columns}; {_listed(self.names)}"
                raise EventRefused(refusal("not_events", why))
        elif form.type == "group" and (user := self._first_of(_USERS_OF_GROUPS)) != self._id:
            named["userId"] = user
        self._named = [(name, place) for name, place in named.items() if place is not None]
        warehouse = any(name.startswith("context_") for name in self.names)
        meant = {} if warehouse else _meant(self.names, form.type)
        self._values = _values_of(form.type)
        paths = [_path(meant.get(name, name), form, warehouse=warehouse) for name in self.names]
        # Nearly all columns are a trait each.
        self._places = [
            (path[1] if path is not None and len(path) == 2 and path[0] == self._values else None, path)
            for path in paths
        ]

    def _first_of(self, names: Iterable[str]) -> int | None:
        return next((self.names.index(name) for name in names if name in self.names), None)

    def event(self, cells: Sequence[Any]) -> RowEvent:
        """One row's event; its cells are as many as the columns."""
        said, plain = self._said(cells)
        values = said[self._values]
        if values and _says_nothing(cells[self._id]):
            for name in _NAMES_A_USER:
                values.pop(name, None)
        event: dict[str, Any] = {"type": self._form.type}
        for name, place in self._named:
            if not _says_nothing(cell := cells[place]):
                event[name] = _id_in(cell) if name in _IDS else cell
        event |= said
        if not values:
            del event[self._values]
        message_id = event.get("messageId")
        if message_id is not None and type(message_id) is not str:
            message_id = msgspec.to_builtins(message_id)  # as it stands in the JSON
        wire = _wire(event) if plain else None
        return RowEvent(_encode(event), message_identity(message_id) or hashed_content(event), wire)

    def _said(self, cells: Sequence[Any]) -> tuple[dict[str, Any], bool]:
        """What the cells put into the event, and whether that is traits alone, which are texts."""
        values: dict[str, Any] = {}
        said: dict[str, Any] = {self._values: values}
        plain = True
        for (trait, path), cell in zip(self._places, cells, strict=True):
            if type(cell) is str and cell[:1] not in _UNUSUAL:  # as nearly all are
                if trait is not None:
                    values.setdefault(trait, cell)
                    continue
            elif _says_nothing(cell):
                continue
            if trait is not None:
                plain = False
                values.setdefault(trait, _structured(cell))
            elif path is not None:
                plain = False
                _put(said, path, cell)
        return said, plain


_IDS: Final = frozenset(_ID_KEY.values())
_FLOAT: Final = re.compile(r"([0-9]{1,15})\.0")
_PROTECTED: Final = re.compile(r'="((?:[^"]|"")*)"')


def _id_in(cell: Any) -> Any:
    if type(cell) is not str:
        return cell
    text = _unprotected(cell.strip())
    return text if (found := _FLOAT.fullmatch(text)) is None else found[1]


def _unprotected(cell: str) -> str:
    """What stands in a cell, without the formula around it."""
    found = _PROTECTED.fullmatch(cell) if cell.startswith("=") else None
    return cell if found is None else found[1].replace('""', '"')


def _wire(event: Mapping[str, Any]) -> Wire | None:
    """What decoding the event's JSON would give, whose traits are texts; None where something else is none."""
    user, name = event.get("userId"), event.get("event")
    if not isinstance(user, str | None) or not isinstance(name, str | None):
        return None
    wire = Wire(event["type"], user, None, event.get("groupId"), None, name, event.get("timestamp"))
    wire.traits, wire.properties = event.get("traits"), event.get("properties")
    return wire


def _values_of(kind: RowType) -> str:
    return "properties" if kind == "track" else "traits"


def _meant(names: Sequence[str], kind: RowType) -> dict[str, str]:
    """The headers that people have written for traits which are read without any mapping, as those traits.

    `First Name` is first_name, `E-mail` is email. Where two columns would be one trait, each stays what it says.
    """
    known = _BY_HEADER[kind]
    found = [
        (name, trait) for name in dict.fromkeys(names) if (trait := known.get(_HEADER_MARKS.sub("", name).casefold()))
    ]
    times = Counter(trait for _, trait in found)
    return {name: trait for name, trait in found if times[trait] == 1}


def _path(name: str, form: RowForm, *, warehouse: bool) -> tuple[str, ...] | None:
    """Where in the event a column's cells stand; None: nowhere else than where the form says."""
    if not name:
        return None
    if name.startswith("context_"):
        return ("context", *_within_context(name.removeprefix("context_")))
    if warehouse and name not in form.columns:
        if name in _OF_WAREHOUSES:
            return (_OF_WAREHOUSES[name],)
        if name in _OF_LOADING:
            return None
    if form.type == "track" and name in _NAMES_OF_TRACKS:
        return None
    parts = tuple(name.split("."))
    return (_values_of(form.type), *(parts if all(parts) else (name,)))


def _within_context(name: str) -> tuple[str, ...]:
    for part in _CONTEXT:
        if name.startswith(f"{part}_") and len(name) > len(part) + 1:
            return (part, name[len(part) + 1 :])
    return (name,)


def _put(into: dict[str, Any], path: tuple[str, ...], cell: Any) -> None:
    """Puts a cell into its place. Of two columns of one name the first that says something counts."""
    *way, last = path
    for step in way:
        inner = into.setdefault(step, {})
        if not isinstance(inner, dict):
            return  # a column `address` beside one `address.city`
        into = inner
    into.setdefault(last, _structured(cell))


def _structured(cell: Any) -> Any:
    """A list or an object that a table can only write as text; any other cell as it is."""
    if type(cell) is str and cell[:1] == "=":
        return _unprotected(cell)
    if type(cell) is str and cell[:1] in ("[", "{") and cell[-1:] in ("]", "}"):
        try:
            value = json.loads(cell, parse_constant=_no_constant)
            _encode(value)  # half a character, or a number out of range, cannot be written
        except (ValueError, RecursionError, OverflowError):
            return cell
        return value
    return cell


def _no_constant(name: str) -> None:
    raise ValueError(name)


def _says_nothing(cell: Any) -> bool:
    if type(cell) is str:
        return cell in _SAYS_NOTHING or cell.isspace()
    return cell is None or cell != cell  # noqa: PLR0124 - NaN, which pandas writes for an empty cell


def _column_trouble(column: str, times: int, names: Sequence[str]) -> str:
    if times:
        return f"the table has {times} columns {column!r}, and nobody can tell which is meant"
    alike = [name for name in names if name.casefold() == column.casefold()]
    meant = f"; is {alike[0]!r} meant?" if alike else f"; {_listed(names)}"
    return f"the table has no column {column!r}{meant}"


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(repr(name) for name in names[:12] if name)
    return f"its columns are {shown}{' and more' if len(names) > 12 else ''}"
