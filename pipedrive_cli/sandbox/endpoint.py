"""What an endpoint is: a method and path, its price, and the function that answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from pipedrive_cli.sandbox.account import Account
from pipedrive_cli.sandbox.bodies import invalid, unknown_parameter
from pipedrive_cli.sandbox.wire import JsonObject, Refusal, Request, v1_refusal, v2_refusal


class Call(msgspec.Struct, frozen=True):
    """A request on its way to an endpoint: the account, the path's values, the query (checked for known names)."""

    account: Account
    request: Request
    version: int
    path: Mapping[str, str]
    query: Mapping[str, str]

    def json_object(self) -> JsonObject:
        """The body, which must be a JSON object sent as such. Raises `Refusal`."""
        body = self._json()
        if not isinstance(body, dict):
            raise self.bad("Request body must be a JSON object")
        return body

    def json_array(self) -> list[Any]:
        """The body, which must be a JSON array that is not empty. Raises `Refusal`."""
        body = self._json()
        if not isinstance(body, list) or not body:
            raise self.bad("Request body must be an array with at least one element")
        return body

    def bad(self, message: str) -> Refusal:
        if self.version == 2:
            return v2_refusal(400, message, "ERR_BAD_REQUEST")
        return v1_refusal(400, message, message)

    def _json(self) -> Any:
        media_type = self.request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if media_type != "application/json":
            raise self.bad(f"Content-Type must be application/json, not '{media_type}'")
        try:
            return msgspec.json.decode(self.request.body)
        except (msgspec.DecodeError, UnicodeDecodeError):
            raise self.bad("Invalid JSON in the request body") from None


class Reply(msgspec.Struct, frozen=True):
    """A good answer: the envelope's `data`, and `additional_data` where there is any."""

    data: Any
    additional_data: Any = None
    status: int = 200


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One row of the API. `path` is without prefix, `{name}` stands for one part; `query` lists all known names."""

    method: str
    version: int
    path: str
    tokens: int
    answer: Callable[[Call], Reply]
    query: frozenset[str] | None = frozenset()  # None: whatever is asked
    search: bool = False  # counts in the search API's own window too
    label: str = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "label", f"{self.method} /api/v{self.version}{self.path}")

    def checked_query(self, request: Request) -> dict[str, str]:
        """The query as a mapping. Raises `Refusal` for unknown and repeated names."""
        values: dict[str, str] = {}
        if self.query is None:
            return values
        problems = []
        for name, value in request.query:
            if name not in self.query:
                problems.append(unknown_parameter(name))
            elif name in values:
                problems.append((name, "Parameter is given more than once"))
            values[name] = value
        if problems:
            if self.version == 2:
                raise invalid(problems)
            raise v1_refusal(400, "Bad request", "; ".join(message for _, message in problems))
        return values
