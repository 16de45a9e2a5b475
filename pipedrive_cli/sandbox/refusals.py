"""Standing refusals: what an account, its key or its plan does not allow. A small closed language like the faults'.

    scope@KIND       403, the token lacks the kind's scope          cap@KIND#N   403 past N living records of a kind
    permission@KIND  403, the user may not touch the kind           payment      402 for everything
    off@KIND         415, the feature is switched off                key-dies#N  401 once N requests were answered
    forbidden@KIND:KEY=VALUE    403 for a body of that kind that has this value under this key
    content:TEXT                a firewall's page with status 403 for a body or a query that holds this text

KIND is persons, organizations, products, leads or fields; several are separated by commas.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from pipedrive_cli.sandbox.account import KINDS, Account
from pipedrive_cli.sandbox.endpoint import Endpoint
from pipedrive_cli.sandbox.wire import Request, gateway, refusal

WITH_KIND = ("scope", "permission", "off", "cap", "forbidden")
ALONE = ("payment", "key-dies", "content")
WITH_COUNT = ("cap", "key-dies")
WITH_TEXT = ("forbidden", "content")
_TARGETS = (*KINDS, "fields")

_RULE = re.compile(r"(?P<name>[a-z-]+)(@(?P<kind>[a-z]+))?(#(?P<count>[0-9]+))?(:(?P<text>.+))?")


class RefusalPlanError(ValueError):
    """A list of refusals that cannot be read; the message names the part and what is allowed."""


@dataclass(frozen=True, slots=True)
class Standing:
    """One thing that is always refused."""

    name: str
    kind: str | None
    count: int | None
    text: str = ""


def parse(text: str) -> list[Standing]:
    """Raises `RefusalPlanError`."""
    return [_standing(part.strip()) for part in text.split(",") if part.strip()]


def _standing(text: str) -> Standing:
    parts = _RULE.fullmatch(text)
    if parts is None or parts["name"] not in (*WITH_KIND, *ALONE):
        known = ", ".join((*(f"{name}@KIND" for name in WITH_KIND), *ALONE))
        more = "cap and key-dies with #COUNT, forbidden with :KEY=VALUE, content with :TEXT"
        raise RefusalPlanError(f"refusal {text!r} is unknown; there are {known} ({more})")
    name, kind, count = parts["name"], parts["kind"], parts["count"]
    if (kind is not None) != (name in WITH_KIND) or (kind is not None and kind not in _TARGETS):
        wanted = f"needs one of @{', @'.join(_TARGETS)}" if name in WITH_KIND else "takes no @KIND"
        raise RefusalPlanError(f"refusal {text!r}: {name!r} {wanted}")
    if (count is not None) != (name in WITH_COUNT):
        raise RefusalPlanError(f"refusal {text!r}: {name!r} {'needs' if name in WITH_COUNT else 'takes no'} #COUNT")
    wanted_text = parts["text"] or ""
    if bool(wanted_text) != (name in WITH_TEXT) or (name == "forbidden" and "=" not in wanted_text):
        raise RefusalPlanError(f"refusal {text!r}: forbidden needs :KEY=VALUE, content needs :TEXT, the others neither")
    return Standing(name, kind, None if count is None else int(count), wanted_text)


def blocks(standing: list[Standing], request: Request) -> bool:
    """Whether a firewall dislikes what a request holds."""
    disliked = [rule.text for rule in standing if rule.name == "content"]
    if not disliked:
        return False
    said = [request.body.decode("utf-8", "replace"), *(value for _, value in request.query)]
    return any(words in text for words in disliked for text in said)


def check(standing: list[Standing], endpoint: Endpoint, account: Account, answered: int, body: bytes = b"") -> None:
    """Raises `Refusal` when one of them concerns a call. `answered` counts the requests so far."""
    for rule in standing:
        if rule.name == "payment":
            raise refusal(endpoint.version, 402, "Company not open: please update the payment details", "ERR_PAYMENT")
        if rule.name == "key-dies" and answered >= (rule.count or 0):
            raise gateway(401, "unauthorized access", {"x-401-by-gw": "1"})
        if rule.kind is None or rule.kind != _kind_of(endpoint):
            continue
        if rule.name == "scope":
            raise gateway(403, "Scope and URL mismatch")
        if rule.name == "permission":
            raise refusal(endpoint.version, 403, "You do not have permission to do this", "ERR_FORBIDDEN")
        if rule.name == "forbidden" and _holds(body, rule.text):
            raise refusal(endpoint.version, 403, "You do not have permission to do this", "ERR_FORBIDDEN")
        if rule.name == "off":
            raise refusal(endpoint.version, 415, f"The feature {rule.kind} is not enabled", "ERR_FEATURE_OFF")
        if rule.name == "cap" and endpoint.method == "POST":
            full = rule.kind in account.stores and len(account.stores[rule.kind]) >= (rule.count or 0)
            if full and endpoint.path == f"/{rule.kind}":
                message = f"Couldn't add the {rule.kind.removesuffix('s')}. Open {rule.kind} limit reached."
                raise refusal(endpoint.version, 403, message, f"feature_capping_{rule.kind}_limit")


def _holds(body: bytes, wanted: str) -> bool:
    """Whether a body has this value under this key, at the top or among its custom fields."""
    try:
        read: Any = msgspec.json.decode(body or b"{}")
    except msgspec.DecodeError:
        return False
    key, _, value = wanted.partition("=")
    custom = read.get("custom_fields") if isinstance(read, Mapping) else None
    places = [place for place in (read, custom) if isinstance(place, Mapping)]
    return any(key in place and str(place[key]) == value for place in places)


def _kind_of(endpoint: Endpoint) -> str | None:
    first = endpoint.path.split("/")[1]
    if first.endswith("Fields"):
        return "fields"
    return "leads" if first.startswith("lead") else first
