"""A desk to try the sandbox from: requests by hand, and a clock that moves when it is told to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from pipedrive_cli.sandbox import Sandbox, SandboxOptions
from pipedrive_cli.sandbox.wire import Request

NOON = datetime(2026, 11, 23, 12, 0, 0, tzinfo=UTC)


class HandClock:
    """Stands still until `advance`."""

    def __init__(self, start: datetime = NOON) -> None:
        self._start = start
        self._elapsed = 0.0

    def monotonic(self) -> float:
        return self._elapsed

    def now(self) -> datetime:
        return self._start + timedelta(seconds=self._elapsed)

    def advance(self, seconds: float) -> None:
        self._elapsed += seconds


@dataclass(frozen=True)
class Answer:
    """An answer as a client sees it; `json` is None where the body is none."""

    status: int
    json: Any
    headers: Mapping[str, str]
    ending: str
    delay: float

    @property
    def data(self) -> Any:
        assert self.json["success"] is True, self.json
        return self.json["data"]

    @property
    def error(self) -> str:
        assert self.json["success"] is False, self.json
        return f"{self.json['error']} {self.json.get('error_info', '')}"


class Desk:
    """One sandbox with a clock in hand. Without options: no limits and no search lag."""

    def __init__(self, options: SandboxOptions | None = None) -> None:
        self.clock = HandClock()
        self.sandbox = Sandbox(options or SandboxOptions(plan="unlimited", search_lag=0), self.clock)

    def send(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        headers: Mapping[str, str] | None = None,
        raw: bytes | None = None,
        query: Mapping[str, object] | None = None,
    ) -> Answer:
        content = raw if raw is not None else b"" if body is None else msgspec.json.encode(body)
        sent = {"x-api-token": "sandbox", "content-type": "application/json"} if headers is None else headers
        asked = tuple((name, str(value)) for name, value in (query or {}).items())
        got = self.sandbox.answer(Request(method, path, asked, sent, content))
        try:
            decoded = msgspec.json.decode(got.body)
        except msgspec.DecodeError:
            decoded = None
        return Answer(got.status, decoded, got.headers, got.ending, got.delay)

    def get(self, path: str, **query: object) -> Answer:
        return self.send("GET", path, query=query)

    def post(self, path: str, body: Any) -> Answer:
        return self.send("POST", path, body)

    def patch(self, path: str, body: Any) -> Answer:
        return self.send("PATCH", path, body)

    def person(self, **values: Any) -> int:
        """A new person's id."""
        number: int = self.post("/api/v2/persons", {"name": "Jane Doe", **values}).data["id"]
        return number
