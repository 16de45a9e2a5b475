"""Requests and answers as plain values, shared by the in-process transport and the served application."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import msgspec

JsonObject = dict[str, Any]

_encode = msgspec.json.Encoder().encode

Ending = Literal["complete", "reset", "refused", "silence", "unreachable"]


class Request(msgspec.Struct, frozen=True):
    """One HTTP request. `path` is decoded; header names are in lower case."""

    method: str
    path: str
    query: tuple[tuple[str, str], ...] = ()
    headers: Mapping[str, str] = {}
    body: bytes = b""


@dataclass(slots=True)
class Response:
    """One HTTP answer, or the want of one.

    `ending` other than `complete`: nothing arrives. The connection breaks (`reset`), cannot be opened (`refused`,
    at once; `unreachable`, never), or nothing is ever said (`silence`). `delay` is in seconds; the work was done
    before it, unless `late` does it: that is called after the delay, and gives the answer.
    """

    status: int
    body: bytes
    headers: dict[str, str]
    ending: Ending = "complete"
    delay: float = 0.0
    late: Callable[[], Response] | None = None


class Refusal(Exception):
    """An answer that says no, with Pipedrive's status and body."""

    def __init__(self, status: int, body: JsonObject, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(body.get("error", status))
        self.status = status
        self.body = body
        self.headers = dict(headers or {})


def gateway(status: int, error: str, headers: Mapping[str, str] | None = None) -> Refusal:
    """The shape of refusals that come from before the application: bad key, too many requests."""
    body = {
        "success": False,
        "error": error,
        "errorCode": status,
        "error_info": "Please check developers.pipedrive.com",
    }
    return Refusal(status, body, headers)


def v2_refusal(status: int, error: str, code: str) -> Refusal:
    return Refusal(status, {"success": False, "error": error, "code": code})


def v1_refusal(status: int, error: str, info: str = "", code: str | None = None) -> Refusal:
    body: JsonObject = {
        "success": False,
        "error": error,
        "error_info": info,
        "data": None,
        "additional_data": None,
    }
    if code is not None:
        body["code"] = code
    return Refusal(status, body)


def refusal(version: int, status: int, error: str, code: str) -> Refusal:
    """The same no in the shape of either version of the API."""
    return v2_refusal(status, error, code) if version == 2 else v1_refusal(status, error, code=code)


def json_response(status: int, body: object) -> Response:
    return Response(status, _encode(body), {"content-type": "application/json; charset=utf-8"})


def html_response(status: int, text: str) -> Response:
    return Response(status, text.encode(), {"content-type": "text/html; charset=UTF-8"})
