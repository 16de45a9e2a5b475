"""v2's persons, organizations and products: list, get, add, change, delete."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any

from pipedrive_cli.sandbox.account import Account
from pipedrive_cli.sandbox.bodies import CONTACT_SYNC, check_body, invalid, unknown_parameter
from pipedrive_cli.sandbox.endpoint import Call, Endpoint, Reply
from pipedrive_cli.sandbox.listing import (
    bad_cursor,
    choice,
    decode_cursor,
    encode_cursor,
    flag,
    limit_of,
    moment,
    whole_number,
    words,
)
from pipedrive_cli.sandbox.records import Record
from pipedrive_cli.sandbox.views import v2_view
from pipedrive_cli.sandbox.wire import JsonObject, Refusal, v2_refusal

SINGULAR = {"persons": "Person", "organizations": "Organization", "products": "Product", "leads": "Lead"}

_COUNTS = (
    *("next_activity_id", "last_activity_id", "open_deals_count", "related_open_deals_count"),
    *(
        "closed_deals_count",
        "related_closed_deals_count",
        "participant_open_deals_count",
        "participant_closed_deals_count",
    ),
    *("email_messages_count", "activities_count", "done_activities_count", "undone_activities_count"),
    *("files_count", "notes_count", "followers_count", "won_deals_count"),
    *("related_won_deals_count", "lost_deals_count", "related_lost_deals_count", "last_incoming_mail_time"),
    *("last_outgoing_mail_time", "marketing_status", "doi_status", "smart_bcc_email"),
)

EXTRA_FIELDS = {"persons": _COUNTS, "organizations": (*_COUNTS, "people_count"), "products": ()}

_SHOW = {"include_fields", "custom_fields", "include_option_labels", "include_labels"}
_PAGE = {"limit", "cursor", "sort_by", "sort_direction", "updated_since", "ids", "owner_id", "filter_id"}
LIST_QUERY = {
    "persons": frozenset(_SHOW | _PAGE | {"org_id", "deal_id", "updated_until"}),
    "organizations": frozenset(_SHOW | _PAGE | {"updated_until"}),
    "products": frozenset(_PAGE | {"custom_fields"}),
}
GET_QUERY = {"persons": frozenset(_SHOW), "organizations": frozenset(_SHOW), "products": frozenset[str]()}

MOST_CUSTOM_FIELDS = 15
MOST_IDS = 100


def _listed(kind: str) -> Callable[[Call], Reply]:
    def answer(call: Call) -> Reply:
        query = call.query
        limit = limit_of(query)
        sort_by = choice(query, "sort_by", _sortable(kind), "id")
        descending = choice(query, "sort_direction", ("asc", "desc"), "asc") == "desc"
        cursor = decode_cursor(query)
        show = _shown(kind, call)
        if whole_number(query, "filter_id") is not None:
            raise v2_refusal(404, "Filter not found", "ERR_NOT_FOUND")
        since = moment(query, "updated_since")
        accept = _filters(kind, call)
        if sort_by == "id":
            after = _number_after(cursor)
            candidates = _by_id(call.account, kind, since, after, descending=descending)
        else:
            candidates = _sorted(call.account, kind, since, sort_by, cursor, descending=descending)
        found = list(islice(filter(accept, candidates), limit + 1))
        following = None
        if len(found) > limit:
            found.pop()
            last = found[-1]
            following = encode_cursor({"id": last.number, "value": _sort_value(last, sort_by), "by": sort_by})
        data = [v2_view(call.account, kind, record, **show) for record in found]
        return Reply(data, {"next_cursor": following})

    return answer


def _sortable(kind: str) -> tuple[str, ...]:
    return ("id", "update_time", "add_time", *(("name",) if kind == "products" else ()))


def _number_after(cursor: JsonObject | None) -> int:
    if cursor is None:
        return 0
    number = cursor.get("id")
    if not isinstance(number, int) or cursor.get("by") != "id":
        raise bad_cursor()
    return number


def _by_id(account: Account, kind: str, since: int | None, after: int, *, descending: bool) -> Iterator[Record]:
    store = account.stores[kind]
    if since is None:
        return store.living(after=after, descending=descending)
    if not descending:
        return store.changed_since(since, after=after)
    return (record for record in store.living(after=after, descending=True) if record.updated >= since)


def _sort_value(record: Record, sort_by: str) -> Any:
    if sort_by == "name":
        return record.values["name"]
    return {"id": record.number, "update_time": record.updated, "add_time": record.added}[sort_by]


def _sorted(
    account: Account, kind: str, since: int | None, sort_by: str, cursor: JsonObject | None, *, descending: bool
) -> Iterator[Record]:
    store = account.stores[kind]
    records = store.living() if since is None else store.changed_since(since)
    keyed = sorted(
        (((_sort_value(record, sort_by), record.number), record) for record in records),
        key=lambda pair: pair[0],
        reverse=descending,
    )
    if cursor is None:
        return (record for _, record in keyed)
    if cursor.get("by") != sort_by or "value" not in cursor or not isinstance(cursor.get("id"), int):
        raise bad_cursor()
    place = (cursor["value"], cursor["id"])
    if isinstance(place[0], str) != (sort_by == "name") or not isinstance(place[0], str | int | float):
        raise bad_cursor()
    return (record for key, record in keyed if (key < place if descending else key > place))


def _filters(kind: str, call: Call) -> Callable[[Record], bool]:
    query = call.query
    until = moment(query, "updated_until")
    owner = whole_number(query, "owner_id")
    organization = whole_number(query, "org_id")
    no_deals = whole_number(query, "deal_id") is not None
    chosen: set[int] | None = None
    listed = words(query, "ids", most=MOST_IDS)
    if listed is not None:
        chosen = {whole_number({"ids": word}, "ids") or 0 for word in listed}

    def accept(record: Record) -> bool:
        return (
            (until is None or record.updated < until)
            and (owner is None or record.values["owner_id"] == owner)
            and (organization is None or record.values["org_id"] == organization)
            and (chosen is None or record.id in chosen)
            and not no_deals
        )

    return accept


def _shown(kind: str, call: Call) -> dict[str, Any]:
    query = call.query
    show: dict[str, Any] = {"only": words(query, "custom_fields", most=MOST_CUSTOM_FIELDS)}
    if kind != "products":
        show["extra"] = words(query, "include_fields", EXTRA_FIELDS[kind]) or ()
        show["option_labels"] = flag(query, "include_option_labels")
        show["labels"] = flag(query, "include_labels")
    return show


def found(call: Call, kind: str, name: str = "id", *, deleted: str = "404") -> Record:
    """The record that the path names; `deleted`: how one is answered for that is deleted. Raises `Refusal`."""
    record = _known(call, kind, name)
    if record.deleted and deleted != "flag":
        raise not_found(kind, int(deleted))
    return record


def not_found(kind: str, status: int = 404) -> Refusal:
    return v2_refusal(status, f"{SINGULAR[kind]} not found", "ERR_NOT_FOUND")


def _known(call: Call, kind: str, name: str = "id") -> Record:
    text = call.path[name]
    if not (text.isascii() and text.isdigit() and len(text) <= 18):
        raise invalid([(name, "The value is not a valid 'integer'")])
    record = call.account.stores[kind].records.get(int(text))
    if record is None:
        raise not_found(kind)
    return record


def _got(kind: str) -> Callable[[Call], Reply]:
    def answer(call: Call) -> Reply:
        show = _shown(kind, call)
        record = found(call, kind, deleted=call.account.options.deleted_get)
        return Reply(v2_view(call.account, kind, record, **show))

    return answer


def _added(kind: str) -> Callable[[Call], Reply]:
    def answer(call: Call) -> Reply:
        values, custom = _checked(kind, call.json_object(), call.account, creating=True)
        record = call.account.create(kind, values, custom)
        status = 201 if kind == "products" else call.account.options.person_post_status
        return Reply(v2_view(call.account, kind, record), status=status)

    return answer


def _changed(kind: str) -> Callable[[Call], Reply]:
    def answer(call: Call) -> Reply:
        record = found(call, kind, deleted=call.account.options.deleted_patch)
        body = call.json_object()
        values, custom = _checked(kind, body, call.account, creating=False)
        _check_merged(kind, record, values)
        if body.get("custom_fields") == {} and call.account.options.empty_custom_fields == "clear":
            call.account.clear_custom(record)
        call.account.update(kind, record, values, custom)
        return Reply(v2_view(call.account, kind, record))

    return answer


def _deleted(kind: str) -> Callable[[Call], Reply]:
    def answer(call: Call) -> Reply:
        record = found(call, kind)
        call.account.delete(kind, record)
        return Reply({"id": record.id})

    return answer


def _checked(kind: str, body: JsonObject, account: Account, *, creating: bool) -> tuple[JsonObject, JsonObject]:
    if kind == "persons" and not CONTACT_SYNC.isdisjoint(body):
        key = sorted(CONTACT_SYNC.intersection(body))[0]
        raise v2_refusal(403, f"'{key}' exists only with contact sync or Campaigns", "ERR_FORBIDDEN")
    if not creating and "add_time" in body:
        raise invalid([unknown_parameter("add_time")])
    values, custom = check_body(kind, body, account.fields[kind], account)
    if kind == "persons" and "name" in values and ("first_name" in values or "last_name" in values):
        message = "Cannot set 'name' and 'first_name'/'last_name' at the same time"
        raise invalid([("name", message)])
    if creating:
        _check_needed(kind, values)
    if kind == "products":
        _check_billing(account, values)
    return values, custom


def _check_needed(kind: str, values: JsonObject) -> None:
    if "name" in values:
        return
    if kind == "persons":
        if "first_name" not in values or "last_name" not in values:
            raise invalid([("name", "Name must be given.")])
        if not values["first_name"] and not values["last_name"]:
            raise invalid([("first_name", "First name and last name cannot both be empty")])
    else:
        raise invalid([("name", f"{SINGULAR[kind]} name must be given.")])


def _check_merged(kind: str, record: Record, values: JsonObject) -> None:
    """What a change may not leave behind, seen together with what stands there."""
    if kind == "persons" and ("first_name" in values or "last_name" in values):
        parts = {**record.values, **values}
        if not parts["first_name"] and not parts["last_name"]:
            raise invalid([("first_name", "First name and last name cannot both be empty")])


def _check_billing(account: Account, values: JsonObject) -> None:
    given = [key for key in ("billing_frequency", "billing_frequency_cycles") if key in values]
    if given and account.options.plan in {"lite", "essential"}:
        raise v2_refusal(403, f"'{given[0]}' needs the Growth plan or above", "ERR_FORBIDDEN")
    frequency = values.get("billing_frequency", "one-time" if given else None)
    cycles = values.get("billing_frequency_cycles")
    if frequency == "one-time" and cycles is not None:
        raise invalid([("billing_frequency_cycles", "Must be null for one-time billing")])
    if frequency == "weekly" and cycles is None:
        raise invalid([("billing_frequency_cycles", "Cannot be null for weekly billing")])


def _endpoints() -> Iterator[Endpoint]:
    for kind in ("persons", "organizations", "products"):
        yield Endpoint("GET", 2, f"/{kind}", 10, _listed(kind), LIST_QUERY[kind])
        yield Endpoint("POST", 2, f"/{kind}", 5, _added(kind))
        yield Endpoint("GET", 2, f"/{kind}/{{id}}", 1, _got(kind), GET_QUERY[kind])
        yield Endpoint("PATCH", 2, f"/{kind}/{{id}}", 5, _changed(kind))
        yield Endpoint("DELETE", 2, f"/{kind}/{{id}}", 3, _deleted(kind))


ENDPOINTS = tuple(_endpoints())
