"""Runs one case of the config's own tests: its events into a sandbox with its records, and what differs afterwards.

The run is a real replay in virtual time, in memory. Nothing is asked of any account or network.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import zip_longest
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import msgspec

from pipedrive_cli import virtual_time
from pipedrive_cli.config import Config
from pipedrive_cli.config.cases import Case, Row
from pipedrive_cli.delivery.pending_event import PendingEvent
from pipedrive_cli.errors import UserMistake
from pipedrive_cli.model import KINDS, Kind, Place
from pipedrive_cli.pipedrive.catalog import PRICE_PLANS
from pipedrive_cli.run.connection import client_of
from pipedrive_cli.run.custom_fields import CHOICES, CREATABLE, written_type
from pipedrive_cli.run.embedded import embedded_sandbox
from pipedrive_cli.run.options import RunOptions
from pipedrive_cli.run.preview_rows import PlannedRequest
from pipedrive_cli.run.replay import Replay

if TYPE_CHECKING:
    from pipedrive_cli.sandbox import Sandbox

_ORDER: tuple[Kind, ...] = ("organizations", "products", "persons", "leads")  # links name records that are there
# What a record of a case may name by its name, and the key of a body that holds its id.
_LINKS: Mapping[Kind, Mapping[str, tuple[str, Kind]]] = {
    "persons": {"organization": ("org_id", "organizations")},
    "leads": {"person": ("person_id", "persons"), "organization": ("organization_id", "organizations")},
}
# What every record has, and no event has said.
_DEFAULTS = frozenset({"owner_id", "creator_id", "visible_to", "first_name", "last_name", "picture_id", "origin"})
_PRODUCT_DEFAULTS = frozenset({"is_linkable", "billing_frequency", "billing_frequency_cycles", "source_name"})
_LEAD_DEFAULTS = frozenset({"origin_id", "is_archived", "was_seen", "channel", "channel_id"})
_CONTACTS = frozenset({"emails", "phones"})
_LEFT_OUT = _DEFAULTS | _PRODUCT_DEFAULTS | _LEAD_DEFAULTS


@dataclass(slots=True)
class CaseResult:
    """What a case came to: `differences` from what it expects, and all that was `found`, in the words of the file."""

    differences: list[str] = field(default_factory=list)
    found: dict[str, Any] = field(default_factory=dict)


class _Outcomes:
    """The outcomes of events by message id, with the codes of those that were refused."""

    def __init__(self) -> None:
        self.by_id: dict[str, str] = {}

    def add_event(self, event: PendingEvent) -> None:
        codes = dict.fromkeys(c.code for c in event.complaints if c.outcome is event.outcome)
        self.by_id[event.message_id] = " ".join([event.outcome.value, *codes])

    def add_known_event(self, place: Place, message_id: str) -> None:
        del place
        self.by_id.setdefault(message_id, "duplicate")


def run_case(case: Case, config: Config, config_file: str) -> CaseResult:
    """Runs a case. Raises UserMistake where what is given cannot be."""
    sandbox = embedded_sandbox(config, _types(case))
    _fill(sandbox, case)
    outcomes, requests = _Outcomes(), list[PlannedRequest]()
    wanted = case.expected
    with TemporaryDirectory() as folder:
        job = Replay(
            config,
            config_file,
            RunOptions((str(_source(case, Path(folder))),), sandbox=True),
            connect=lambda: (client_of(sandbox, config), PRICE_PLANS["unlimited"].requests),
            results=outcomes,
            foresee=requests.append if "requests" in wanted else None,
        )
        virtual_time.run(job.run())
    found = {
        "outcomes": outcomes.by_id,
        "records": _records(sandbox),
        "requests": [_request(sandbox, each) for each in requests if each.action != "look up"],
    }
    return CaseResult(_differences(wanted, found), {name: found[name] for name in wanted or ("outcomes", "records")})


def _source(case: Case, folder: Path) -> Path:
    """The file of a case's events; events without a message id get one by their place: `event-1`."""
    if isinstance(case.events, Path):
        if not case.events.exists():
            raise UserMistake(f"{case.path}: given.events: there is no file {case.events}", code="case")
        return case.events
    rows = [{"messageId": f"event-{number}", **event} for number, event in enumerate(case.events, 1)]
    path = folder / "events.ndjson"
    path.write_bytes(b"".join(msgspec.json.encode(row) + b"\n" for row in rows))
    return path


def _types(case: Case) -> dict[tuple[Kind, str], tuple[str, tuple[str, ...]]]:
    """The fields of a case that are not plain text: type, and the labels of options."""
    types = {}
    for kind, fields in case.fields.items():
        for name, written in fields.items():
            field_type, labels = written_type(written)
            if field_type not in CREATABLE or (field_type in CHOICES) != bool(labels):
                raise UserMistake(
                    f"{case.path}: given.fields.{kind}.{name}: there is no type {written}",
                    code="case",
                    hint=f"types: {', '.join(CREATABLE)}; enum and set have options: enum:First,Second",
                )
            types[kind, name] = (field_type, labels)
    return types


# -- what Pipedrive holds before


def _fill(sandbox: Sandbox, case: Case) -> None:
    ids: dict[tuple[Kind, str], int | str] = {}
    for kind in _ORDER:
        for number, row in enumerate(case.records.get(kind, ())):
            where = f"{case.path}: given.records.{kind}[{number}]"
            try:
                made = sandbox.add_record(kind, _body(sandbox, kind, row, ids, where))
            except ValueError as error:
                raise UserMistake(f"{where}: {error}", code="case") from error
            ids[kind, str(row.get("name", row.get("title")))] = made
    sandbox.index_now()


def _body(
    sandbox: Sandbox, kind: Kind, row: Row, ids: Mapping[tuple[Kind, str], int | str], where: str
) -> dict[str, Any]:
    """A record of a case as the API takes it: custom fields by key, options by id, links by id."""
    body: dict[str, Any] = {}
    custom: dict[str, Any] = {}
    for name, value in row.items():
        if (link := _LINKS.get(kind, {}).get(name)) is not None:
            key, other = link
            if (other, str(value)) not in ids:
                raise UserMistake(f"{where}: no record in {other} is called {value}", code="case")
            body[key] = ids[other, str(value)]
        elif name in _CONTACTS:
            body[name] = _contacts(value)
        elif (known := sandbox.custom_field(kind, name)) is not None:
            custom[known[0]] = _option(value, known[1])
        else:
            body[name] = value
    if kind == "leads":
        return body | custom
    return body | ({"custom_fields": custom} if custom else {})


def _contacts(value: Any) -> list[dict[str, Any]]:
    items = value if isinstance(value, list) else [value]
    return [
        item if isinstance(item, dict) else {"value": str(item), "primary": number == 0, "label": "work"}
        for number, item in enumerate(items)
    ]


def _option(value: Any, options: Mapping[str, int]) -> Any:
    """Labels of options as their ids; other values as they are."""
    if isinstance(value, list):
        return [options.get(str(item), item) for item in value]
    return options.get(str(value), value) if options else value


# -- what it holds afterwards


def _records(sandbox: Sandbox) -> dict[str, list[Row]]:
    """All living records by the names of their fields, without blanks and without what every record has."""
    contents = sandbox.contents()
    return {kind: [_record(row) for row in contents[kind]] for kind in KINDS if contents[kind]}


def _record(row: Mapping[str, Any]) -> Row:
    shown = {name: value for name, value in row.items() if name not in _LEFT_OUT and name != "custom_fields"}
    shown["organization"] = _name_of(shown.pop("org", None) or shown.get("organization"))
    shown["person"] = _name_of(shown.get("person"))
    for name in _CONTACTS & shown.keys():
        shown[name] = [each["value"] for each in shown[name]]
    if "prices" in shown:
        shown["prices"] = [{"price": p["price"], "currency": p["currency"]} for p in shown["prices"]]
    return {name: value for name, value in {**shown, **row["custom_fields"]}.items() if not _blank(value)}


def _name_of(linked: Any) -> Any:
    return linked["name"] if isinstance(linked, dict) else linked


def _blank(value: Any) -> bool:
    return not value and value is not False


def _request(sandbox: Sandbox, request: PlannedRequest) -> Row:
    kind = next(kind for kind in KINDS if kind in request.path)
    fields = {}
    for change in request.fields:
        if change.name not in _LEFT_OUT:
            labels = {
                number: label for label, number in (sandbox.custom_field(kind, change.name) or ("", {}))[1].items()
            }
            fields[change.name] = _label(change.new, labels)
    return {"action": request.action, "record": request.record, "fields": fields}


def _label(value: Any, labels: Mapping[int, str]) -> Any:
    if isinstance(value, list):
        return [_label(item, labels) for item in value]
    return labels.get(value, value) if isinstance(value, int) else value


# -- what differs


def _differences(wanted: Mapping[str, Any], found: Mapping[str, Any]) -> list[str]:
    differences: list[str] = []
    for message_id, outcome in wanted.get("outcomes", {}).items():
        was = found["outcomes"].get(message_id)
        if was is None:
            differences.append(f"outcomes: there is no event {message_id}")
        elif was.split()[: len(outcome.split())] != outcome.split():
            differences.append(f"outcomes: {message_id} is {was}, and {outcome} was expected")
    for kind, rows in wanted.get("records", {}).items():
        differences += _rows_differ(kind, rows, found["records"].get(kind, []))
    if "requests" in wanted:
        differences += _requests_differ(wanted["requests"], found["requests"])
    return differences


def _rows_differ(kind: str, wanted: Sequence[Row], found: Sequence[Row]) -> list[str]:
    """Each expected record is compared with the one that is most like it."""
    left, differences = list(found), []
    pairs = sorted(
        ((len(_fields_differ(want, row)), w, f) for w, want in enumerate(wanted) for f, row in enumerate(found)),
    )
    partner: dict[int, int] = {}
    for _, w, f in pairs:
        if w not in partner and f not in partner.values():
            partner[w] = f
    for w, want in enumerate(wanted):
        if w not in partner:
            differences.append(f"{kind}[{w}]: {_called(want)} was expected, and is not there")
            continue
        row = found[partner[w]]
        left.remove(row)
        differences += [f"{kind}[{w}] ({_called(row)}): {each}" for each in _fields_differ(want, row)]
    return differences + [f"{kind}: {_called(row)} is there, and was not expected" for row in left]


def _requests_differ(wanted: Sequence[Row], found: Sequence[Row]) -> list[str]:
    differences = []
    for number, (want, row) in enumerate(zip_longest(wanted, found)):
        if want is None:
            differences.append(f"requests[{number}]: {row['action']} {row['record']} was not expected")
        elif row is None:
            differences.append(f"requests[{number}]: {_called(want)} was expected, and is not sent")
        else:
            plain = {name: value for name, value in want.items() if name != "fields"}
            told = [*_fields_differ(plain, row), *_fields_differ(want.get("fields") or {}, row["fields"])]
            differences += [f"requests[{number}] ({row['record']}): {each}" for each in told]
    return differences


def _fields_differ(want: Mapping[str, Any], row: Mapping[str, Any]) -> list[str]:
    """The fields of one record that are not as they were expected; what is not named is not compared."""
    differences = []
    for name, value in want.items():
        was = row.get(name)
        if was != value and not (_blank(was) and _blank(value)):
            differences.append(f"{name} is {_shown(was)}, and {_shown(value)} was expected")
    return differences


def _called(row: Mapping[str, Any]) -> str:
    called = row.get("name") or row.get("title") or row.get("record") or _shown(dict(row))
    return str(called)


def _shown(value: Any) -> str:
    return "blank" if _blank(value) and value != 0 else msgspec.json.encode(value).decode()
