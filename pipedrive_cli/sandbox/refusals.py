"""Standing refusals: what an account, its key or its plan does not allow. A small closed language like the faults'.

    scope@KIND       403, the token lacks the kind's scope          cap@KIND#N   403 past N living records of a kind
    permission@KIND  403, the user may not touch the kind           payment      402 for everything
    off@KIND         415, the feature is switched off                key-dies#N  401 once N requests were answered

KIND is persons, organizations, products, leads or fields; several are separated by commas.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from pipedrive_cli.sandbox.account import KINDS, Account
from pipedrive_cli.sandbox.endpoint import Endpoint
from pipedrive_cli.sandbox.wire import gateway, refusal

WITH_KIND = ("scope", "permission", "off", "cap")
ALONE = ("payment", "key-dies")
WITH_COUNT = ("cap", "key-dies")
_TARGETS = (*KINDS, "fields")

_RULE = re.compile(r"(?P<name>[a-z-]+)(@(?P<kind>[a-z]+))?(#(?P<count>[0-9]+))?")


class RefusalPlanError(ValueError):
    """A list of refusals that cannot be read; the message names the part and what is allowed."""


@dataclass(frozen=True, slots=True)
class Standing:
    """One thing that is always refused."""

    name: str
    kind: str | None
    count: int | None


def parse(text: str) -> list[Standing]:
    """Raises `RefusalPlanError`."""
    return [_standing(part.strip()) for part in text.split(",") if part.strip()]


def _standing(text: str) -> Standing:
    parts = _RULE.fullmatch(text)
    if parts is None or parts["name"] not in (*WITH_KIND, *ALONE):
        known = ", ".join((*(f"{name}@KIND" for name in WITH_KIND), *ALONE))
        raise RefusalPlanError(f"refusal {text!r} is unknown; there are {known} (cap and key-dies with #COUNT)")
    name, kind, count = parts["name"], parts["kind"], parts["count"]
    if (kind is not None) != (name in WITH_KIND) or (kind is not None and kind not in _TARGETS):
        wanted = f"needs one of @{', @'.join(_TARGETS)}" if name in WITH_KIND else "takes no @KIND"
        raise RefusalPlanError(f"refusal {text!r}: {name!r} {wanted}")
    if (count is not None) != (name in WITH_COUNT):
        raise RefusalPlanError(f"refusal {text!r}: {name!r} {'needs' if name in WITH_COUNT else 'takes no'} #COUNT")
    return Standing(name, kind, None if count is None else int(count))


def check(standing: list[Standing], endpoint: Endpoint, account: Account, answered: int) -> None:
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
        if rule.name == "off":
            raise refusal(endpoint.version, 415, f"The feature {rule.kind} is not enabled", "ERR_FEATURE_OFF")
        if rule.name == "cap" and endpoint.method == "POST":
            full = rule.kind in account.stores and len(account.stores[rule.kind]) >= (rule.count or 0)
            if full and endpoint.path == f"/{rule.kind}":
                message = f"Couldn't add the {rule.kind.removesuffix('s')}. Open {rule.kind} limit reached."
                raise refusal(endpoint.version, 403, message, f"feature_capping_{rule.kind}_limit")


def _kind_of(endpoint: Endpoint) -> str | None:
    first = endpoint.path.split("/")[1]
    if first.endswith("Fields"):
        return "fields"
    return "leads" if first.startswith("lead") else first
