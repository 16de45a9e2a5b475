"""Searching (v2): by kind, across kinds, and by one field."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from pipedrive_cli.sandbox.account import Account
from pipedrive_cli.sandbox.bodies import invalid
from pipedrive_cli.sandbox.endpoint import Call, Endpoint, Reply
from pipedrive_cli.sandbox.fields import SEARCHABLE
from pipedrive_cli.sandbox.listing import (
    bad_cursor,
    choice,
    decode_cursor,
    encode_cursor,
    flag,
    limit_of,
    whole_number,
    words,
)
from pipedrive_cli.sandbox.records import Record, RecordId
from pipedrive_cli.sandbox.search import Document, matches_words
from pipedrive_cli.sandbox.wire import JsonObject

PARTS = {
    "persons": ("name", "email", "phone", "notes", "custom_fields"),
    "organizations": ("name", "address", "notes", "custom_fields"),
    "products": ("name", "code", "custom_fields"),
    "leads": ("title", "notes", "custom_fields"),
}
ITEM_TYPES = {"person": "persons", "organization": "organizations", "product": "products", "lead": "leads"}
NO_ITEMS = ("deal", "file", "mail_attachment", "project")  # kinds that this account has nothing of
TYPE_OF = {kind: name for name, kind in ITEM_TYPES.items()}
_SYSTEM_FIELDS = frozenset({"name", "title", "email", "phone", "address", "code"})

Hit = tuple[RecordId, Document]


def _term(call: Call, *, exact: bool) -> str:
    term = call.query.get("term", "").strip()
    if not term:
        raise invalid([("term", "The value is required")])
    if len(term) < (1 if exact else 2):
        raise invalid([("term", "The value must have at least 2 characters")])
    if len(term) > call.account.options.longest_term:
        raise invalid([("term", f"The value is longer than {call.account.options.longest_term} characters")])
    return term


def _hits(account: Account, kind: str, parts: Iterable[str], term: str, *, exact: bool) -> list[Hit]:
    if not exact:
        parts = tuple(parts)
        return [hit for hit in account.index.all(kind) if matches_words(hit[1], parts, term)]
    found: dict[RecordId, Document] = {}
    for part in parts:
        found.update(account.index.exact(kind, part, term))
    return sorted(found.items(), key=lambda hit: hit[1].number)


def _page(
    call: Call, rows: list[Any], shown: Callable[[Any], bool], maximum: int = 500
) -> tuple[list[Any], JsonObject]:
    """A page of those rows that are `shown`: one that lacks some may be short or empty, and not be the last."""
    limit = limit_of(call.query, maximum)
    cursor = decode_cursor(call.query)
    start = 0 if cursor is None else cursor.get("start")
    if not isinstance(start, int) or start < 0:
        raise bad_cursor()
    page = rows[start : start + limit]
    kept = [row for row in page if shown(row)]
    more = len(rows) > start + limit or len(kept) < len(page)
    return kept, {"next_cursor": encode_cursor({"start": start + limit}) if more else None}


def _alive(account: Account, kind: str) -> Callable[[Any], bool]:
    """Whether a search shows the record at the head of a row."""
    return lambda row: account.found_by_search(kind, row[0])


def _searched(kind: str) -> Callable[[Call], Reply]:
    def answer(call: Call) -> Reply:
        query = call.query
        exact = flag(query, "exact_match")
        term = _term(call, exact=exact)
        parts = words(query, "fields", PARTS[kind]) or PARTS[kind]
        words(query, "include_fields", _INCLUDES[kind])
        hits = _hits(call.account, kind, parts, term, exact=exact)
        for name, key in (("person_id", "person_id"), ("organization_id", _ORGANIZATION_KEY.get(kind, ""))):
            number = whole_number(query, name)
            if number is not None:
                store = call.account.stores[kind]
                hits = [hit for hit in hits if store.records[hit[0]].values[key] == number]
        page, more = _page(call, hits, _alive(call.account, kind))
        rows = [_row(call.account, kind, hit, query.get("include_fields", "")) for hit in page]
        if kind == "products":
            for row in rows:
                code = row["item"]["code"]
                if code and code.isascii() and code.isdigit() and str(int(code)) == code:
                    row["item"]["code"] = int(code)  # typed as an integer here, as text in itemSearch
        return Reply({"items": rows}, more)

    return answer


_INCLUDES: dict[str, tuple[str, ...]] = {
    "persons": ("person.picture",),
    "organizations": (),
    "products": ("product.price",),
    "leads": ("lead.was_seen",),
}
_ORGANIZATION_KEY = {"persons": "org_id", "leads": "organization_id"}


def _row(account: Account, kind: str, hit: Hit, include: str = "") -> JsonObject:
    record_id, document = hit
    record = account.stores[kind].records[record_id]
    values = record.values
    item: JsonObject = {"id": record_id, "type": TYPE_OF[kind]}
    if kind == "leads":
        item["title"] = document.parts["title"][0]
    else:
        item["name"] = document.parts["name"][0]
    if kind == "persons":
        item["phones"] = list(document.parts["phone"])
        item["emails"] = list(document.parts["email"])
        item["organization"] = _linked(account, "organizations", values["org_id"])
    elif kind == "organizations":
        item["address"] = next(iter(document.parts["address"]), None)
    elif kind == "products":
        item["code"] = next(iter(document.parts["code"]), None)
    else:
        item.update(_lead_item(account, record))
    item["visible_to"] = int(values["visible_to"])
    item["owner"] = {"id": values["owner_id"]}
    item["custom_fields"] = list(document.custom.values())
    if kind != "products":
        item["notes"] = []
    if "person.picture" in include:
        item["picture"] = None
    if "product.price" in include:
        item["prices"] = values["prices"]
    if "lead.was_seen" in include:
        item["was_seen"] = values["was_seen"]
    return {"result_score": 1.0, "item": item}


def _lead_item(account: Account, record: Record) -> JsonObject:
    values = record.values
    person = account.stores["persons"].get(values["person_id"]) if values["person_id"] else None
    return {
        "person": _linked(account, "persons", values["person_id"]),
        "organization": _linked(account, "organizations", values["organization_id"]),
        "phones": [item["value"] for item in person.values["phones"]] if person else [],
        "emails": [item["value"] for item in person.values["emails"]] if person else [],
        "value": values["value"]["amount"] if values["value"] else None,
        "currency": values["value"]["currency"] if values["value"] else None,
        "is_archived": values["is_archived"],
    }


def _linked(account: Account, kind: str, record_id: int | None) -> JsonObject | None:
    record = account.stores[kind].get(record_id) if record_id else None
    return {"id": record.id, "name": record.values["name"]} if record else None


def _item_search(call: Call) -> Reply:
    query = call.query
    exact = flag(query, "exact_match")
    flag(query, "search_for_related_items")
    term = _term(call, exact=exact)
    types = words(query, "item_types", (*ITEM_TYPES, *NO_ITEMS)) or ITEM_TYPES
    every = {part for parts in PARTS.values() for part in parts} | {"description"}
    parts = words(query, "fields", every) or every
    words(query, "include_fields", ("deal.cc_email", "person.picture", "product.price"))
    rows = []
    for name in types:
        if name in ITEM_TYPES:
            kind = ITEM_TYPES[name]
            for hit in _hits(call.account, kind, parts, term, exact=exact):
                rows.append((kind, hit))
    page, more = _page(call, rows, lambda row: call.account.found_by_search(row[0], row[1][0]), 100)
    items = [_row(call.account, kind, hit, query.get("include_fields", "")) for kind, hit in page]
    return Reply({"items": items, "related_items": []}, more)


def _field_search(call: Call) -> Reply:
    query = call.query
    match = choice(query, "match", ("exact", "beginning", "middle"), "exact")
    term = _term(call, exact=match == "exact")
    if "entity_type" not in query or "field" not in query:
        missing = "entity_type" if "entity_type" not in query else "field"
        raise invalid([(missing, "The value is required")])
    name = choice(query, "entity_type", (*ITEM_TYPES, "deal", "project"), "")
    key = query["field"]
    if name in {"deal", "project"}:
        page, more = _page(call, [], bool)
        return Reply(page, more)
    kind = ITEM_TYPES[name]
    field = call.account.fields[kind].by_key.get(key)
    if field is None or (field.type not in SEARCHABLE if field.custom else key not in _SYSTEM_FIELDS):
        raise invalid([("field", f"Field '{key}' does not exist or cannot be searched")])
    index = call.account.index
    candidates: Iterable[Hit] = index.exact(kind, key, term) if match == "exact" else index.all(kind)
    rows = []
    for record_id, document in candidates:
        text = next((text for text in document.of_field(key) if _fits(text, term, match)), None)
        if text is not None:
            rows.append((record_id, document, text))
    page, more = _page(call, rows, _alive(call.account, kind))
    if call.account.options.field_search == "items":
        return Reply([_row(call.account, kind, (found, document)) for found, document, _ in page], more)
    return Reply([{"id": found, key: text} for found, _, text in page], more)


def _fits(text: str, term: str, match: str) -> bool:
    """With the case: this search minds it, the others do not."""
    if match == "exact":
        return text == term
    return text.startswith(term) if match == "beginning" else term in text


_BASE = frozenset({"term", "fields", "exact_match", "limit", "cursor"})
_QUERY = {
    "persons": _BASE | {"organization_id", "include_fields"},
    "organizations": _BASE,
    "products": _BASE | {"include_fields"},
    "leads": _BASE | {"person_id", "organization_id", "include_fields"},
}
_ITEM_QUERY = _BASE | {"item_types", "search_for_related_items", "include_fields"}
_FIELD_QUERY = frozenset({"term", "entity_type", "match", "field", "limit", "cursor"})

ENDPOINTS = (
    *(Endpoint("GET", 2, f"/{kind}/search", 20, _searched(kind), _QUERY[kind], search=True) for kind in PARTS),
    Endpoint("GET", 2, "/itemSearch", 20, _item_search, _ITEM_QUERY, search=True),
    Endpoint("GET", 2, "/itemSearch/field", 20, _field_search, _FIELD_QUERY, search=True),
)
