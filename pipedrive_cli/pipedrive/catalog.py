"""Pipedrive's API described once, as data: endpoints, methods, token costs, limits, the keys in a body.

No other module spells a path. Pure: it knows the form of requests and records; it sends nothing, and knows nothing of
field types. Costs, limits and names are from Pipedrive's OpenAPI files (v1 and v2, 2026) and its page on rate limiting.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, TypeAlias
from urllib.parse import quote, urlencode

import msgspec

from pipedrive_cli.model import Kind

Method: TypeAlias = Literal["GET", "POST", "PUT", "PATCH", "DELETE"]

SEARCHES_PER_WINDOW = 10  # on every plan
WINDOW_SECONDS = 2
TOKENS_PER_SEAT = 30_000  # a day, on the smallest plan
MAX_PAGE = 500
MAX_LISTED_FIELDS = 15  # custom fields that a list or a GET can name at most
MAX_LISTED_IDS = 100
UNLIMITED = 1_000_000_000
SKEW = timedelta(minutes=2)  # between two of Pipedrive's own clocks


# --- Plans ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class PricePlan:
    """A plan's limits: `multiplier` x TOKENS_PER_SEAT tokens a day per seat (None: no limit); requests per window."""

    multiplier: int | None
    requests: int  # with an API token
    oauth_requests: int

    def allowed(self, *, oauth: bool) -> int:
        """Requests per window, with an OAuth token or an API token."""
        return self.oauth_requests if oauth else self.requests

    def tokens(self, seats: int) -> int | None:
        """The company's tokens a day."""
        return None if self.multiplier is None else self.multiplier * TOKENS_PER_SEAT * seats


PRICE_PLANS: Mapping[str, PricePlan] = {
    "lite": PricePlan(1, 20, 80),
    "growth": PricePlan(2, 40, 160),
    "premium": PricePlan(5, 100, 400),
    "ultimate": PricePlan(7, 120, 480),
    # The names until 2025, which older accounts still have.
    "essential": PricePlan(1, 20, 80),
    "advanced": PricePlan(2, 40, 160),
    "professional": PricePlan(3, 80, 320),
    "power": PricePlan(5, 100, 400),
    "enterprise": PricePlan(7, 120, 480),
    "unlimited": PricePlan(None, UNLIMITED, UNLIMITED),  # the sandbox's
}


# --- Endpoints --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, eq=False)
class Endpoint:
    """One method of one path. `search`: it also counts in the search window. `kind`: the kind of its records.

    Each is made once, here, and is equal to itself alone.
    """

    method: Method
    path: str  # a template: /api/v2/persons/{id}
    tokens: int
    kind: Kind | None = None
    search: bool = False
    label: str = field(init=False, repr=False)  # its name in reports: ``PATCH /api/v2/persons/{id}``

    def __post_init__(self) -> None:
        object.__setattr__(self, "label", f"{self.method} {self.path}")  # it is asked for with each request

    @property
    def repeatable(self) -> bool:
        """Whether sending it twice is harmless: a deletion that was done answers 404. It is not for POST and merges."""
        return self.method in {"GET", "PATCH", "DELETE"}


@dataclass(frozen=True, slots=True)
class KindFacts:
    """The differences between the four kinds of record.

    `links` maps addresses to the keys of a body; other addresses keep their name there.
    """

    path: str
    create: Endpoint
    update: Endpoint
    delete: Endpoint
    get: Endpoint
    list: Endpoint
    search: Endpoint
    list_fields: Endpoint
    create_field: Endpoint
    create_options: Endpoint
    key_search: str  # the `fields` of a search by record key
    links: Mapping[str, str] = field(default_factory=dict)  # address -> body key
    creation_only: frozenset[str] = frozenset()  # body keys that an update refuses
    flat: bool = False  # custom fields at the top level, in v1's form


def _v2(kind: Kind, entity: str, key_search: str, **more: Any) -> KindFacts:
    path = f"/api/v2/{kind}"
    return KindFacts(
        path=path,
        create=Endpoint("POST", path, 5, kind),
        update=Endpoint("PATCH", f"{path}/{{id}}", 5, kind),
        delete=Endpoint("DELETE", f"{path}/{{id}}", 3, kind),
        get=Endpoint("GET", f"{path}/{{id}}", 1, kind),
        list=Endpoint("GET", path, 10, kind),
        search=Endpoint("GET", f"{path}/search", 20, kind, search=True),
        list_fields=Endpoint("GET", f"/api/v2/{entity}Fields", 10, kind),
        create_field=Endpoint("POST", f"/api/v2/{entity}Fields", 5, kind),
        create_options=Endpoint("POST", f"/api/v2/{entity}Fields/{{id}}/options", 5, kind),
        key_search=key_search,
        **more,
    )


FACTS: Mapping[Kind, KindFacts] = {
    "persons": _v2(
        "persons", "person", "custom_fields", links={"organization": "org_id"}, creation_only=frozenset({"add_time"})
    ),
    "organizations": _v2("organizations", "organization", "custom_fields", creation_only=frozenset({"add_time"})),
    "products": _v2("products", "product", "code"),
    # Leads live in v1 except for their search. They have no fields of their own: custom fields are those of deals.
    "leads": KindFacts(
        path="/api/v1/leads",
        create=Endpoint("POST", "/api/v1/leads", 10, "leads"),
        update=Endpoint("PATCH", "/api/v1/leads/{id}", 10, "leads"),
        delete=Endpoint("DELETE", "/api/v1/leads/{id}", 6, "leads"),
        get=Endpoint("GET", "/api/v1/leads/{id}", 2, "leads"),
        list=Endpoint("GET", "/api/v1/leads", 20, "leads"),
        search=Endpoint("GET", "/api/v2/leads/search", 20, "leads", search=True),
        list_fields=Endpoint("GET", "/api/v2/dealFields", 10, "leads"),
        create_field=Endpoint("POST", "/api/v2/dealFields", 5, "leads"),
        create_options=Endpoint("POST", "/api/v2/dealFields/{id}/options", 5, "leads"),
        key_search="custom_fields",
        links={"organization": "organization_id", "person": "person_id"},
        creation_only=frozenset({"origin_id"}),
        flat=True,
    ),
}

# How many deals hang on a person, among the `include_fields` of a GET.
DEALS_OF_PERSON = (
    *("open_deals_count", "closed_deals_count"),
    *("participant_open_deals_count", "participant_closed_deals_count"),
)
ARCHIVED_LEADS = Endpoint("GET", "/api/v1/leads/archived", 40, "leads")
MERGE = Endpoint("PUT", "/api/v1/persons/{id}/merge", 40, "persons")
LEAD_LABELS = Endpoint("GET", "/api/v1/leadLabels", 10, "leads")
USERS = Endpoint("GET", "/api/v1/users", 20)
CURRENCIES = Endpoint("GET", "/api/v1/currencies", 20)
ME = Endpoint("GET", "/api/v1/users/me", 2)
# What other people hang on records. None of these is ever written.
OTHERS: Mapping[str, Endpoint] = {
    "deals": Endpoint("GET", "/api/v2/deals", 10),
    "activities": Endpoint("GET", "/api/v2/activities", 10),
    "notes": Endpoint("GET", "/api/v1/notes", 20),
}

ENDPOINTS: tuple[Endpoint, ...] = (
    *(
        endpoint
        for facts in FACTS.values()
        for endpoint in (
            *(facts.create, facts.update, facts.delete, facts.get, facts.list, facts.search),
            *(facts.list_fields, facts.create_field, facts.create_options),
        )
    ),
    *(ARCHIVED_LEADS, MERGE, LEAD_LABELS, CURRENCIES, USERS, ME),
    *OTHERS.values(),
)


# --- Calls ------------------------------------------------------------------------------------------------------------


class Call(msgspec.Struct, frozen=True):
    """One request to be sent: an endpoint, filled in."""

    endpoint: Endpoint
    id: int | str | None = None
    query: Mapping[str, str] = {}
    body: Mapping[str, Any] | None = None
    rows: Sequence[Mapping[str, Any]] | None = None  # a body that is a list, in place of an object

    @property
    def path(self) -> str:
        """The endpoint's path with the id in it, percent-encoded."""
        if self.id is None:
            return self.endpoint.path
        return self.endpoint.path.replace("{id}", quote(str(self.id), safe=""))

    @property
    def target(self) -> str:
        """Path and query, as they stand in the request line."""
        return f"{self.path}?{urlencode(self.query, quote_via=quote)}" if self.query else self.path

    @property
    def method(self) -> Method:
        return self.endpoint.method

    @property
    def tokens(self) -> int:
        """The tokens that the call costs of the day's budget."""
        return self.endpoint.tokens

    @property
    def label(self) -> str:
        return self.endpoint.label


def create(kind: Kind, body: Mapping[str, Any]) -> Call:
    """POST a new record; `body` is made by `body_of`."""
    return Call(FACTS[kind].create, body=body)


def update(kind: Kind, id: int | str, body: Mapping[str, Any]) -> Call:  # noqa: A002  Pipedrive's own word for it
    """PATCH a record, without the keys that only a creation takes: Pipedrive would refuse the whole body."""
    facts = FACTS[kind]
    return Call(facts.update, id, body={key: value for key, value in body.items() if key not in facts.creation_only})


def get(
    kind: Kind,
    id: int | str,  # noqa: A002  as above
    custom_fields: Iterable[str] = (),
    *,
    include: Iterable[str] = (),
) -> Call:
    """GET one record. Products and leads always come whole: their endpoints cannot select fields.

    `include` are further fields of persons and organizations, which come only where they are asked for.
    """
    query = _listed(custom_fields) if kind in {"persons", "organizations"} else {}
    if named := ",".join(include):
        query["include_fields"] = named
    return Call(FACTS[kind].get, id, query)


def listing(
    kind: Kind,
    cursor: str | None = None,
    limit: int = MAX_PAGE,
    custom_fields: Iterable[str] = (),
    updated_since: datetime | None = None,
    *,
    ids: Iterable[int] = (),
    newest_first: bool = False,
) -> Call:
    """One page of persons, organizations or products (leads: `list_leads`); `next_cursor` gives the next page.

    `custom_fields` are at most MAX_LISTED_FIELDS keys; without keys every field of the account comes. Records that were
    deleted, or that the user may not see, are silently missing. `newest_first`: by id, the highest first.
    """
    if kind == "leads":
        raise ValueError("leads are paged by v1's offset: list_leads")
    query = {"limit": str(min(limit, MAX_PAGE)), **_listed(custom_fields)}
    if named := ",".join(map(str, ids)):
        query["ids"] = named
    if updated_since is not None:
        query["updated_since"] = whole_seconds(updated_since)
    if newest_first:
        query |= {"sort_by": "id", "sort_direction": "desc"}
    if cursor is not None:
        query["cursor"] = cursor
    return Call(FACTS[kind].list, query=query)


def delete(kind: Kind, id: int | str) -> Call:  # noqa: A002  as above
    """DELETE a record. Pipedrive keeps it for 30 days, in which a person can restore it."""
    return Call(FACTS[kind].delete, id)


def list_others(what: str, since: datetime, place: str | int | None = None) -> Call:
    """One page of `deals`, `activities` or `notes` that were made or changed since a moment; notes have a start."""
    query = {"limit": str(MAX_PAGE), "updated_since": whole_seconds(since)}
    if place is not None:
        query["start" if what == "notes" else "cursor"] = str(place)
    return Call(OTHERS[what], query=query)


def list_leads(
    start: int | None = 0, archived: bool = False, *, newest_first: bool = False, person: int | None = None
) -> Call:
    """One page of leads that are archived, or of those that are not; `next_start` gives the next page.

    `person`: of this person alone.
    """
    query = {"limit": str(MAX_PAGE), "start": str(start or 0)}
    if newest_first:
        query["sort"] = "add_time DESC"
    if person is not None:
        query["person_id"] = str(person)
    return Call(ARCHIVED_LEADS if archived else FACTS["leads"].list, query=query)


def find_exact(kind: Kind, term: str, by: str | None = None, cursor: str | None = None) -> Call:
    """Search for records that hold exactly `term`, in any case, in the field `by` (by default where the record key is).

    ``custom_fields`` matches any custom field of the record, and the index lags behind writes: verify the results.
    """
    query = {"term": term, "fields": by or FACTS[kind].key_search, "exact_match": "true", "limit": str(MAX_PAGE)}
    return Call(FACTS[kind].search, query=query if cursor is None else {**query, "cursor": cursor})


def merge(loser: int, survivor: int) -> Call:
    """Merge two persons. The id in the path is the loser's; a merge cannot be undone."""
    return Call(MERGE, loser, body={"merge_with_id": survivor})


def list_fields(kind: Kind, cursor: str | None = None) -> Call:
    """One page of the fields of a kind; leads have the fields of deals."""
    query = {"limit": str(MAX_PAGE)}
    return Call(FACTS[kind].list_fields, query=query if cursor is None else {**query, "cursor": cursor})


def create_field(kind: Kind, name: str, type: str, options: Iterable[str] = ()) -> Call:  # noqa: A002  as above
    """A new custom field; `options` are the labels of an enum or set."""
    body: dict[str, Any] = {"field_name": name, "field_type": type}
    if labels := [{"label": label} for label in options]:
        body["options"] = labels
    return Call(FACTS[kind].create_field, body=body)


def create_options(kind: Kind, key: str, labels: Iterable[str]) -> Call:
    """New options of a custom field of type enum or set; all of them or none."""
    return Call(FACTS[kind].create_options, key, rows=[{"label": label} for label in labels])


def me() -> Call:
    """The user and company to which the key belongs."""
    return Call(ME)


def currencies() -> Call:
    """Every currency of the account, inactive ones too."""
    return Call(CURRENCIES)


def users() -> Call:
    """Every user of the company, all in one page."""
    return Call(USERS)


def lead_labels() -> Call:
    """The account's lead labels, all in one page."""
    return Call(LEAD_LABELS)


def whole_seconds(moment: datetime) -> str:
    """RFC 3339 in UTC without fractions, which Pipedrive refuses: ``2026-01-01T10:20:00Z``. `moment` is aware."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _listed(keys: Iterable[str]) -> dict[str, str]:
    named = tuple(keys)
    if len(named) > MAX_LISTED_FIELDS:
        raise ValueError(f"at most {MAX_LISTED_FIELDS} custom fields can be asked for, not {len(named)}")
    return {"custom_fields": ",".join(named)} if named else {}
