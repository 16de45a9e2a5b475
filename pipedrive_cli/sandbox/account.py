"""The account: its records, fields, users, labels and currencies, and what happens to them.

Knows nothing of HTTP, limits or faults. Validation has been done before a value arrives here.
"""

from __future__ import annotations

import copy
import random
import uuid
from functools import cached_property
from typing import Any

from pipedrive_cli.sandbox.bodies import free_price, one_primary
from pipedrive_cli.sandbox.clock import Clock
from pipedrive_cli.sandbox.fields import SEARCHABLE, FieldBook, FieldSet
from pipedrive_cli.sandbox.options import SandboxOptions
from pipedrive_cli.sandbox.records import Record, RecordId, Store
from pipedrive_cli.sandbox.search import Document, SearchIndex
from pipedrive_cli.sandbox.values import searchable_text
from pipedrive_cli.sandbox.wire import JsonObject

KINDS = ("persons", "organizations", "products", "leads")
CURRENCY_NAMES = {
    "EUR": ("Euro", "€", 2),
    "USD": ("US Dollar", "$", 2),
    "GBP": ("British Pound", "£", 2),
    "SEK": ("Swedish Krona", "kr", 2),
    "CHF": ("Swiss Franc", "CHF", 2),
    "JPY": ("Japanese Yen", "¥", 0),
    "BRL": ("Brazilian Real", "R$", 2),
    "INR": ("Indian Rupee", "₹", 2),
}

ME = 1
COLLEAGUE = 2

# Parts of the survivor's own name, whatever the other was called.
_NAME_PARTS = frozenset({"first_name", "last_name"})

_DEFAULTS: dict[str, JsonObject] = {
    "persons": {
        "name": None,
        "first_name": None,
        "last_name": None,
        "owner_id": ME,
        "org_id": None,
        "emails": [],
        "phones": [],
        "visible_to": 3,
        "label_ids": [],
        "picture_id": None,
    },
    "organizations": {
        "name": None,
        "owner_id": ME,
        "address": None,
        "visible_to": 3,
        "label_ids": [],
        "website": None,
        "linkedin": None,
        "industry": None,
        "annual_revenue": None,
        "employee_count": None,
    },
    "products": {
        "name": None,
        "code": None,
        "description": None,
        "unit": None,
        "tax": 0,
        "category": None,
        "is_linkable": True,
        "visible_to": 3,
        "owner_id": ME,
        "billing_frequency": "one-time",
        "billing_frequency_cycles": None,
        "prices": None,
    },
    "leads": {
        "title": None,
        "owner_id": ME,
        "creator_id": ME,
        "label_ids": [],
        "person_id": None,
        "organization_id": None,
        "source_name": "API",
        "origin": "API",
        "origin_id": None,
        "channel": None,
        "channel_id": None,
        "source_deal_id": None,
        "is_archived": False,
        "was_seen": False,
        "value": None,
        "expected_close_date": None,
        "next_activity_id": None,
        "visible_to": "3",
    },
}


_LISTS = {kind: [key for key, value in values.items() if value == []] for kind, values in _DEFAULTS.items()}


def new_values(kind: str) -> JsonObject:
    """What a new record of a kind has before anything is set; a copy of its own."""
    return {**_DEFAULTS[kind], **{key: [] for key in _LISTS[kind]}}


class Account:
    """One company's data, and the rules by which it changes."""

    def __init__(self, options: SandboxOptions, clock: Clock) -> None:
        self.others: dict[str, list[JsonObject]] = {"deals": [], "activities": [], "notes": []}
        self.options = options
        self.clock = clock
        self.fields = FieldBook(options.seed, organization_details=options.organization_details)
        self.stores = {kind: Store() for kind in KINDS}
        self.index = SearchIndex(options.search_lag, clock.monotonic)
        self.lead_labels: dict[str, JsonObject] = {}
        self.users = [ME, COLLEAGUE]
        self._random = random.Random(f"ids/{options.seed}")
        for name, color in (("Hot", "red"), ("Cold", "blue"), ("Warm", "yellow")):
            self.add_lead_label(name, color)

    # What validation asks.

    def add_other(self, what: str, row: JsonObject) -> None:
        """A deal, an activity or a note of somebody, which hangs on the records that it names."""
        self.others[what].append({"id": len(self.others[what]) + 1, "update_time": self.seconds(), **row})

    def exists(self, kind: str, record_id: object) -> bool:
        if kind == "users":
            return record_id in self.users
        if not isinstance(record_id, int):
            return False
        store = self.stores[kind]
        return store.get(record_id) is not None or (self.options.dead_links == "take" and record_id in store.records)

    def found_by_search(self, kind: str, record_id: RecordId) -> bool:
        """Whether a search shows a record that its index knows: a deleted one may be shown long after its end."""
        record = self.stores[kind].records[record_id]
        now = self.clock.now().timestamp()
        return not record.deleted or kind == "organizations" or now - record.updated < self.options.dead_found_for

    def has_currency(self, code: object) -> bool:
        return code in self.options.currencies

    def option_ids(self, kind: str, key: str) -> frozenset[int]:
        return frozenset(self.fields[kind].by_key[key].options or ())

    # Changing records. `custom` is in v2's form; None clears a value.

    def create(self, kind: str, values: JsonObject, custom: JsonObject) -> Record:
        store = self.stores[kind]
        number = store.next_number()
        now = self._moment(kind)
        record_id: RecordId = self.new_uuid() if kind == "leads" else number
        added = values.pop("add_time", now)
        record = Record(record_id, number, new_values(kind), added, now)
        self._assign(kind, record, values, custom)
        if kind == "organizations" and not self.options.organization_details:
            for key in ("website", "linkedin", "industry", "annual_revenue", "employee_count"):
                del record.values[key]
        if kind == "products" and record.values["prices"] is None:
            record.values["prices"] = [free_price(self.options.default_currency)]
        store.add(record)
        self.indexed(kind, record)
        return record

    def update(self, kind: str, record: Record, values: JsonObject, custom: JsonObject) -> None:
        self._assign(kind, record, values, custom)
        self.stores[kind].touch(record, self._moment(kind))
        if not record.deleted:
            self.indexed(kind, record)

    def clear_custom(self, record: Record) -> None:
        record.custom.clear()

    def delete(self, kind: str, record: Record) -> None:
        self.stores[kind].delete(record, self._moment(kind))
        if not self.options.search_keeps_dead:
            self.index.put(kind, record.id, None)

    def merge(self, kind: str, loser: Record, survivor: Record) -> None:
        """The loser's values fill the survivor's blanks; what hung on the loser hangs on the survivor."""
        for key, value in loser.values.items():
            if key not in _NAME_PARTS and survivor.values.get(key) in (None, [], ""):
                survivor.values[key] = copy.deepcopy(value)
        for key, value in loser.custom.items():
            survivor.custom.setdefault(key, value)
        if kind == "persons" and self.options.merge_contacts == "union":
            for key in ("emails", "phones"):
                here = {item["value"].strip().casefold() for item in survivor.values[key]}
                more = [i for i in loser.values[key] if i["value"].strip().casefold() not in here]
                kept = survivor.values[key] + [{**item, "primary": False} for item in more]
                survivor.values[key] = one_primary(kept)
        self._relink(kind, loser.id, survivor.id)
        self.delete(kind, loser)
        self.update(kind, survivor, {}, {})

    def _relink(self, kind: str, old: RecordId, new: RecordId) -> None:
        links = {
            "persons": (("leads", "person_id"),),
            "organizations": (("leads", "organization_id"), ("persons", "org_id")),
        }
        for other, key in links[kind]:
            for record in self.stores[other].living():
                if record.values[key] == old:
                    record.values[key] = new

    def _assign(self, kind: str, record: Record, values: JsonObject, custom: JsonObject) -> None:
        record.values.update(values)
        for key, value in custom.items():
            if value is None:
                record.custom.pop(key, None)
            else:
                record.custom[key] = value
        if kind == "persons":
            _settle_name(record.values, values)

    def add_user(self, number: object) -> None:
        """Somebody else of the company, whom records may belong to."""
        if isinstance(number, int) and number not in self.users:
            self.users.append(number)

    # Lead labels.

    def add_lead_label(self, name: str, color: str) -> JsonObject:
        now = self.clock.now().timestamp()
        label = {"id": self.new_uuid(), "name": name, "color": color, "add_time": now, "update_time": now}
        self.lead_labels[str(label["id"])] = label
        return label

    def add_named_label(self, text: str) -> None:
        """A label by its name or its id, unless there is one."""
        if text.lower() in self.lead_labels or any(label["name"] == text for label in self.lead_labels.values()):
            return
        label = self.add_lead_label(text, "gray")
        try:
            chosen = str(uuid.UUID(text))
        except ValueError:
            return
        del self.lead_labels[str(label["id"])]
        self.lead_labels[chosen] = {**label, "id": chosen}

    def new_uuid(self) -> str:
        return str(uuid.UUID(int=self._random.getrandbits(128), version=4))

    # Odds and ends.

    def seconds(self) -> int:
        return int(self.clock.now().timestamp())

    def _moment(self, kind: str) -> float:
        """Now, in the resolution that a kind's times have."""
        now = self.clock.now().timestamp()
        return round(now, 3) if kind == "leads" else int(now)

    @cached_property
    def currencies(self) -> list[JsonObject]:
        rows = []
        for number, code in enumerate(self.options.currencies, 1):
            name, symbol, decimals = CURRENCY_NAMES.get(code, (code, code, 2))
            rows.append(
                {
                    "id": number,
                    "code": code,
                    "name": name,
                    "decimal_points": decimals,
                    "symbol": symbol,
                    "active_flag": True,
                    "is_custom_flag": False,
                }
            )
        return rows

    def indexed(self, kind: str, record: Record) -> None:
        """Lets searches find the record as it is now, once their lag has passed."""
        self.index.put(kind, record.id, _document(kind, record, self.fields[kind]))


def _settle_name(values: JsonObject, given: JsonObject) -> None:
    """Derives a person's whole name from its parts, or the parts from the name, whichever was given."""
    if "name" in given:
        first, _, last = values["name"].partition(" ")
        values["first_name"], values["last_name"] = first, last.strip() or None
    elif "first_name" in given or "last_name" in given:
        parts = (values["first_name"] or None, values["last_name"] or None)
        values["first_name"], values["last_name"] = parts
        values["name"] = " ".join(part for part in parts if part)


def _document(kind: str, record: Record, fields: FieldSet) -> Document:
    values = record.values
    parts: dict[str, tuple[Any, ...]] = {}
    if kind == "leads":
        parts["title"] = (values["title"],)
    else:
        parts["name"] = (values["name"],)
    if kind == "persons":
        parts["email"] = tuple(item["value"] for item in values["emails"])
        parts["phone"] = tuple(item["value"] for item in values["phones"])
    elif kind == "organizations":
        parts["address"] = (values["address"]["value"],) if values["address"] else ()
    elif kind == "products":
        parts["code"] = (values["code"],) if values["code"] else ()
    custom = {
        key: searchable_text(value)
        for key, value in record.custom.items()
        if key in fields.custom and fields.custom[key].type in SEARCHABLE
    }
    return Document(record.number, parts, custom)
