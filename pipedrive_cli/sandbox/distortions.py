"""Good answers made odd: lists that do not move on, values of other shapes, ids that are none, dates that are wrong.

Each takes the real answer and returns what goes out in its place; the work was done. The faults' language names them.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from email.utils import format_datetime, parsedate_to_datetime
from typing import Any

import msgspec

from pipedrive_cli.sandbox.wire import JsonObject, Response, json_response

Distortion = Callable[[Response, float | None], Response]

ODD_ROWS: tuple[Any, ...] = (None, 7, "row", [], {}, {"id": None}, {"id": "x"}, {"id": -1}, {"id": True})


def _rewritten(change: Callable[[JsonObject], None]) -> Distortion:
    """An answer whose JSON object `change` has been at; any other answer stays as it is."""

    def distortion(real: Response, _: float | None) -> Response:
        body = msgspec.json.decode(real.body) if real.body[:1] == b"{" else None
        if not isinstance(body, dict) or body.get("success") is not True:
            return real
        change(body)
        made = json_response(real.status, body)
        real.body = made.body
        return real

    return distortion


def _stuck(body: JsonObject) -> None:
    """Every page names the same next page."""
    more = body.get("additional_data")
    if isinstance(more, dict) and "next_cursor" in more:
        more["next_cursor"] = "again"
    elif isinstance(more, dict) and isinstance(more.get("pagination"), dict):
        more["pagination"] = {"start": 0, "limit": 500, "more_items_in_collection": True, "next_start": 0}


def _unpaged(body: JsonObject) -> None:
    """A page says nothing of a next one."""
    body.pop("additional_data", None)


def _no_data(body: JsonObject) -> None:
    """null where there should be something."""
    body["data"] = None


def _odd_rows(body: JsonObject) -> None:
    """Rows that are none stand among the others."""
    if isinstance(body["data"], list):
        body["data"] = [*ODD_ROWS, *body["data"], *ODD_ROWS]


def _odd_contacts(body: JsonObject) -> None:
    """Blank and odd entries stand among emails, phones and prices."""
    rows = body["data"] if isinstance(body["data"], list) else [body["data"]]
    for row in rows:
        for name in ("emails", "phones", "prices"):
            if isinstance(row, dict) and isinstance(row.get(name), list):
                row[name] = [None, *row[name], {}, "x", {"value": None}, {"currency": None}]


def _odd_id(number: Any) -> Callable[[JsonObject], None]:
    def change(body: JsonObject) -> None:
        if isinstance(body["data"], dict) and "id" in body["data"]:
            body["data"]["id"] = number

    return change


def _no_origin_id(body: JsonObject) -> None:
    """Leads do not show the origin_id that they were made with."""
    for row in body["data"] if isinstance(body["data"], list) else [body["data"]]:
        if isinstance(row, dict) and "origin_id" in row:
            row["origin_id"] = None


def _undated(real: Response, _: float | None) -> Response:
    real.headers["date"] = ""
    return real


def _misdated(real: Response, seconds: float | None) -> Response:
    """The time of another clock: so many seconds ahead, or behind where the number is negative."""
    moment = parsedate_to_datetime(real.headers["date"]) + timedelta(seconds=seconds or 0.0)
    real.headers["date"] = format_datetime(moment, usegmt=True)
    return real


DISTORTIONS: dict[str, Distortion] = {
    "stuck": _rewritten(_stuck),
    "unpaged": _rewritten(_unpaged),
    "no-data": _rewritten(_no_data),
    "odd-rows": _rewritten(_odd_rows),
    "odd-contacts": _rewritten(_odd_contacts),
    "id-true": _rewritten(_odd_id(True)),
    "id-negative": _rewritten(_odd_id(-1)),
    "id-zero": _rewritten(_odd_id(0)),
    "id-text": _rewritten(_odd_id("")),
    "no-origin-id": _rewritten(_no_origin_id),
    "undated": _undated,
    "misdated": _misdated,
}
