"""v1 endpoints that have a twin in v2 and are out of support since August 2026: gone, saying where to."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from pipedrive_cli.sandbox.endpoint import Call, Endpoint, Reply
from pipedrive_cli.sandbox.wire import v1_refusal

_KINDS = ("persons", "organizations", "products", "deals")


def _gone(twin: str) -> Callable[[Call], Reply]:
    def answer(call: Call) -> Reply:
        old = f"{call.request.method} {call.request.path}"
        raise v1_refusal(410, f"{old} is out of support", f"Use {twin} instead.")

    return answer


def _not_served(_: Call) -> Reply:
    raise v1_refusal(501, "The sandbox does not serve this", "Use GET /api/v2/leads/search, which costs half.")


def _endpoints() -> Iterator[Endpoint]:
    for kind in _KINDS:
        for method, path, twin in (
            ("GET", f"/{kind}", f"GET /api/v2/{kind}"),
            ("POST", f"/{kind}", f"POST /api/v2/{kind}"),
            ("GET", f"/{kind}/search", f"GET /api/v2/{kind}/search"),
            ("GET", f"/{kind}/collection", f"GET /api/v2/{kind}"),
            ("GET", f"/{kind}/{{id}}", f"GET /api/v2/{kind}/{{id}}"),
            ("PUT", f"/{kind}/{{id}}", f"PATCH /api/v2/{kind}/{{id}}"),
            ("DELETE", f"/{kind}/{{id}}", f"DELETE /api/v2/{kind}/{{id}}"),
        ):
            yield Endpoint(method, 1, path, 0, _gone(twin), None)
    yield Endpoint("GET", 1, "/itemSearch", 0, _gone("GET /api/v2/itemSearch"), None)
    yield Endpoint("GET", 1, "/itemSearch/field", 0, _gone("GET /api/v2/itemSearch/field"), None)
    yield Endpoint("GET", 1, "/leads/search", 0, _not_served, None)


ENDPOINTS = tuple(_endpoints())
