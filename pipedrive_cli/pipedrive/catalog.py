"""What Pipedrive's API looks like, as data, said once: endpoints, verbs, token costs, limits, the names in a body.

Nothing else spells a path. Pure: it knows how a request and a record are written, not how one is sent, whether it
should be, or what a field's type is. Costs, limits and names are those of Pipedrive's OpenAPI files (v1 and v2, 2026)
and of its page on rate limiting.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal, TypeAlias
from urllib.parse import quote, urlencode

import msgspec

from pipedrive_cli.model import Kind

Method: TypeAlias = Literal["GET", "POST", "PUT", "PATCH"]

SEARCHES_PER_WINDOW = 10  # on every plan
WINDOW_SECONDS = 2
TOKENS_PER_SEAT = 30_000  # a day, on the smallest plan
MAX_PAGE = 500
MAX_LISTED_FIELDS = 15  # custom fields that a list or a GET can be told to bring
MAX_LISTED_IDS = 100
UNLIMITED = 1_000_000_000


# --- Plans ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Plan:
    """A plan's limits: a seat brings `multiplier` x TOKENS_PER_SEAT a day (None: endless); and requests per window."""

    multiplier: int | None
    requests: int  # with an API token
    oauth_requests: int

    def allowed(self, *, oauth: bool) -> int:
        """Requests per window with that kind of key."""
        return self.oauth_requests if oauth else self.requests

    def tokens(self, seats: int) -> int | None:
        """The company's tokens a day."""
        return None if self.multiplier is None else self.multiplier * TOKENS_PER_SEAT * seats


PLANS: Mapping[str, Plan] = {
    "lite": Plan(1, 20, 80),
    "growth": Plan(2, 40, 160),
    "premium": Plan(5, 100, 400),
    "ultimate": Plan(7, 120, 480),
    # The names until 2025, which older accounts still carry.
    "essential": Plan(1, 20, 80),
    "advanced": Plan(2, 40, 160),
    "professional": Plan(3, 80, 320),
    "power": Plan(5, 100, 400),
    "enterprise": Plan(7, 120, 480),
    "unlimited": Plan(None, UNLIMITED, UNLIMITED),  # the sandbox's
}


# --- Endpoints --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One thing that can be asked. `search`: counts in the search window too. `kind`: the records it is about."""

    method: Method
    path: str  # a template: /api/v2/persons/{id}
    tokens: int
    kind: Kind | None = None
    search: bool = False

    @property
    def repeatable(self) -> bool:
        """Whether sending it twice does what sending it once does. POST creates twice; a merge's loser is gone."""
        return self.method in {"GET", "PATCH"}

    @property
    def label(self) -> str:
        """How reports name it: ``PATCH /api/v2/persons/{id}``."""
        return f"{self.method} {self.path}"


@dataclass(frozen=True, slots=True)
class KindFacts:
    """What differs between the four kinds of record.

    `links` tell how addresses are called in a body; what is not there keeps its name.
    """

    path: str
    create: Endpoint
    update: Endpoint
    get: Endpoint
    list: Endpoint
    search: Endpoint
    list_fields: Endpoint
    create_field: Endpoint
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
        get=Endpoint("GET", f"{path}/{{id}}", 1, kind),
        list=Endpoint("GET", path, 10, kind),
        search=Endpoint("GET", f"{path}/search", 20, kind, search=True),
        list_fields=Endpoint("GET", f"/api/v2/{entity}Fields", 10, kind),
        create_field=Endpoint("POST", f"/api/v2/{entity}Fields", 5, kind),
        key_search=key_search,
        **more,
    )


FACTS: Mapping[Kind, KindFacts] = {
    "persons": _v2(
        "persons",
        "person",
        "custom_fields",
        links={"organization": "org_id"},
        creation_only=frozenset({"add_time"}),
    ),
    "organizations": _v2("organizations", "organization", "custom_fields", creation_only=frozenset({"add_time"})),
    "products": _v2("products", "product", "code"),
    # Leads live in v1 except for their search. They have no fields of their own: custom fields are those of deals.
    "leads": KindFacts(
        path="/api/v1/leads",
        create=Endpoint("POST", "/api/v1/leads", 10, "leads"),
        update=Endpoint("PATCH", "/api/v1/leads/{id}", 10, "leads"),
        get=Endpoint("GET", "/api/v1/leads/{id}", 2, "leads"),
        list=Endpoint("GET", "/api/v1/leads", 20, "leads"),
        search=Endpoint("GET", "/api/v2/leads/search", 20, "leads", search=True),
        list_fields=Endpoint("GET", "/api/v2/dealFields", 10, "leads"),
        create_field=Endpoint("POST", "/api/v2/dealFields", 5, "leads"),
        key_search="custom_fields",
        links={"organization": "organization_id", "person": "person_id"},
        creation_only=frozenset({"origin_id"}),
        flat=True,
    ),
}

ARCHIVED_LEADS = Endpoint("GET", "/api/v1/leads/archived", 40, "leads")
MERGE = Endpoint("PUT", "/api/v1/persons/{id}/merge", 40, "persons")
LEAD_LABELS = Endpoint("GET", "/api/v1/leadLabels", 10, "leads")
CURRENCIES = Endpoint("GET", "/api/v1/currencies", 20)
ME = Endpoint("GET", "/api/v1/users/me", 2)

ENDPOINTS: tuple[Endpoint, ...] = (
    *(
        endpoint
        for facts in FACTS.values()
        for endpoint in (
            *(facts.create, facts.update, facts.get, facts.list, facts.search),
            *(facts.list_fields, facts.create_field),
        )
    ),
    *(ARCHIVED_LEADS, MERGE, LEAD_LABELS, CURRENCIES, ME),
)


# --- Calls ------------------------------------------------------------------------------------------------------------


class Call(msgspec.Struct, frozen=True):
    """One request to be sent: an endpoint, filled in."""

    endpoint: Endpoint
    id: int | str | None = None
    query: Mapping[str, str] = {}
    body: Mapping[str, Any] | None = None

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
        """What Pipedrive takes for it from the day's budget."""
        return self.endpoint.tokens

    @property
    def label(self) -> str:
        return self.endpoint.label


def create(kind: Kind, body: Mapping[str, Any]) -> Call:
    """POST a new record; `body` as `body_of` makes it."""
    return Call(FACTS[kind].create, body=body)


def update(kind: Kind, id: int | str, body: Mapping[str, Any]) -> Call:  # noqa: A002  Pipedrive's own word for it
    """PATCH a record. Keys that only a creation takes are left out: Pipedrive would refuse the whole."""
    facts = FACTS[kind]
    return Call(facts.update, id, body={key: value for key, value in body.items() if key not in facts.creation_only})


def get(kind: Kind, id: int | str, custom_fields: Iterable[str] = ()) -> Call:  # noqa: A002  as above
    """GET one record. Products and leads always come whole: their endpoints know no choice of fields."""
    query = _listed(custom_fields) if kind in {"persons", "organizations"} else {}
    return Call(FACTS[kind].get, id, query)


def listing(
    kind: Kind,
    cursor: str | None = None,
    limit: int = MAX_PAGE,
    custom_fields: Iterable[str] = (),
    updated_since: datetime | None = None,
    *,
    ids: Iterable[int] = (),
    sort_by: Literal["id", "update_time", "add_time"] | None = None,
) -> Call:
    """One page of persons, organizations or products (leads: `list_leads`); the next by the answer's `next_cursor`.

    `custom_fields` are keys, at most MAX_LISTED_FIELDS of them; none brings every field of the account. Records that
    were deleted, or that the user may not see, are silently missing.
    """
    if kind == "leads":
        raise ValueError("leads are paged by v1's offset: list_leads")
    query = {"limit": str(min(limit, MAX_PAGE)), **_listed(custom_fields)}
    if named := ",".join(map(str, ids)):
        query["ids"] = named
    if updated_since is not None:
        query["updated_since"] = whole_seconds(updated_since)
    if sort_by is not None:
        query["sort_by"] = sort_by
    if cursor is not None:
        query["cursor"] = cursor
    return Call(FACTS[kind].list, query=query)


def list_leads(start: int = 0, archived: bool = False, *, updated_since: datetime | None = None) -> Call:
    """One page of leads; the next by the answer's `next_start`. Archived ones are listed apart, without a since."""
    query = {"limit": str(MAX_PAGE), "start": str(start)}
    if archived:
        return Call(ARCHIVED_LEADS, query=query)
    if updated_since is not None:
        query["updated_since"] = whole_seconds(updated_since)
    return Call(FACTS["leads"].list, query=query)


def find_exact(kind: Kind, term: str, by: str | None = None, cursor: str | None = None) -> Call:
    """Search for records that hold exactly `term`, whatever its case, in `by` (the record key's place unless given).

    ``custom_fields`` matches any custom field of the record, and the index trails writes: verify what it finds.
    """
    query = {"term": term, "fields": by or FACTS[kind].key_search, "exact_match": "true", "limit": str(MAX_PAGE)}
    return Call(FACTS[kind].search, query=query if cursor is None else {**query, "cursor": cursor})


def find_email(email: str) -> Call:
    """Search for the persons that have this email address."""
    return find_exact("persons", email, by="email")


def merge(loser: int, survivor: int) -> Call:
    """Two persons become one. The id in the path is the one that goes; this cannot be undone."""
    return Call(MERGE, loser, body={"merge_with_id": survivor})


def list_fields(kind: Kind, cursor: str | None = None) -> Call:
    """One page of the fields of a kind; leads have those of deals."""
    query = {"limit": str(MAX_PAGE)}
    return Call(FACTS[kind].list_fields, query=query if cursor is None else {**query, "cursor": cursor})


def create_field(kind: Kind, name: str, type: str, options: Iterable[str] = ()) -> Call:  # noqa: A002  as above
    """A new custom field; `options` are the labels of an enum or set."""
    body: dict[str, Any] = {"field_name": name, "field_type": type}
    if labels := [{"label": label} for label in options]:
        body["options"] = labels
    return Call(FACTS[kind].create_field, body=body)


def me() -> Call:
    """Whose key this is, and of which company."""
    return Call(ME)


def currencies() -> Call:
    """Every currency of the account, inactive ones too."""
    return Call(CURRENCIES)


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
