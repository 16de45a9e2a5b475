"""The endpoints, one module per part of the API, and the table that finds them by method and path."""

from __future__ import annotations

from collections import defaultdict
from functools import lru_cache

import msgspec

from pipedrive_cli.sandbox.endpoint import Endpoint
from pipedrive_cli.sandbox.routes import crud, fields, leads, merge, others, retired, searches, settings

ENDPOINTS: tuple[Endpoint, ...] = (
    *settings.ENDPOINTS,
    *crud.ENDPOINTS,
    *leads.ENDPOINTS,
    *fields.ENDPOINTS,
    *searches.ENDPOINTS,
    *merge.ENDPOINTS,
    *others.ENDPOINTS,
    *retired.ENDPOINTS,
)


class Match(msgspec.Struct, frozen=True):
    """What a path leads to: the version it speaks, the endpoints by method, and the values in the path."""

    version: int
    methods: dict[str, Endpoint]
    values: dict[str, str]


def _table() -> dict[tuple[int, int], list[tuple[tuple[str, ...], dict[str, Endpoint]]]]:
    by_path: defaultdict[tuple[int, str], dict[str, Endpoint]] = defaultdict(dict)
    for endpoint in ENDPOINTS:
        by_path[endpoint.version, endpoint.path].setdefault(endpoint.method, endpoint)
    table: defaultdict[tuple[int, int], list[tuple[tuple[str, ...], dict[str, Endpoint]]]] = defaultdict(list)
    # Literal paths come before patterns: /persons/search is no person.
    for (version, path), methods in sorted(by_path.items(), key=lambda item: item[0][1].count("{")):
        parts = tuple(path.strip("/").split("/"))
        table[version, len(parts)].append((parts, methods))
    return dict(table)


_TABLE = _table()


@lru_cache(maxsize=4096)  # most requests go to a few paths
def find(path: str) -> Match | None:
    """The endpoints of a full path. v2 answers under `/api/v2` alone, v1 under `/v1` and `/api/v1`."""
    for prefix, version in (("/api/v2/", 2), ("/v1/", 1), ("/api/v1/", 1)):
        if path.startswith(prefix):
            parts = path[len(prefix) :].split("/")
            for pattern, methods in _TABLE.get((version, len(parts)), ()):
                values: dict[str, str] = {}
                for wanted, part in zip(pattern, parts, strict=True):
                    if wanted[0] == "{" and part:
                        values[wanted[1:-1]] = part
                    elif wanted != part:
                        break
                else:
                    return Match(version, methods, values)
    return None
