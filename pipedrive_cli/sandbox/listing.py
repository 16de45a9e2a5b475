"""Reading a list's query: limits, cursors, sorting, flags and times, each refused when it is not as documented."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable, Mapping

import msgspec

from pipedrive_cli.sandbox.bodies import invalid, parse_datetime
from pipedrive_cli.sandbox.wire import JsonObject, Refusal, v1_refusal


def whole_number(query: Mapping[str, str], name: str) -> int | None:
    """A query value as an integer, None when it is not given. Raises `Refusal`."""
    text = query.get(name)
    if text is None:
        return None
    if not text.removeprefix("-").isascii() or not text.removeprefix("-").isdigit() or len(text) > 18:
        raise invalid([(name, "The value is not a valid 'integer'")])
    return int(text)


def limit_of(query: Mapping[str, str], maximum: int = 500) -> int:
    limit = whole_number(query, "limit")
    if limit is None:
        return 100
    if not 1 <= limit <= maximum:
        raise invalid([("limit", f"The value must be between 1 and {maximum}")])
    return limit


def flag(query: Mapping[str, str], name: str) -> bool:
    text = query.get(name, "false")
    if text not in {"true", "false"}:
        raise invalid([(name, "The value is not a valid 'boolean'")])
    return text == "true"


def choice(query: Mapping[str, str], name: str, allowed: Iterable[str], default: str) -> str:
    text = query.get(name, default)
    allowed = tuple(allowed)
    if text not in allowed:
        raise invalid([(name, f"The value must be one of {', '.join(allowed)}")])
    return text


def words(query: Mapping[str, str], name: str, allowed: Iterable[str] | None = None, most: int = 0) -> list[str] | None:
    """A comma-separated list, None when it is not given. Raises `Refusal` for words that are not allowed."""
    text = query.get(name)
    if text is None:
        return None
    found = [word.strip() for word in text.split(",") if word.strip()]
    if most and len(found) > most:
        raise invalid([(name, f"There can be at most {most} values")])
    if allowed is not None:
        known = set(allowed)
        for word in found:
            if word not in known:
                raise invalid([(name, f"'{word}' is not one of {', '.join(sorted(known))}")])
    return found


def moment(query: Mapping[str, str], name: str) -> int | None:
    """A whole-second RFC 3339 time as seconds since 1970, None when it is not given. Raises `Refusal`."""
    text = query.get(name)
    if text is None:
        return None
    seconds = parse_datetime(text)
    if seconds is None:
        raise invalid([(name, "The value is not a valid datetime")])
    return seconds


def encode_cursor(place: JsonObject) -> str:
    """Where the next page begins, as text that clients are not meant to read."""
    return base64.urlsafe_b64encode(msgspec.json.encode(place)).decode().rstrip("=")


def decode_cursor(query: Mapping[str, str]) -> JsonObject | None:
    """What `encode_cursor` wrote, None when no cursor is given. Raises `Refusal`."""
    text = query.get("cursor")
    if text is None:
        return None
    try:
        place = msgspec.json.decode(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)), type=JsonObject)
    except (ValueError, binascii.Error, msgspec.MsgspecError):
        raise bad_cursor() from None
    return place


def bad_cursor() -> Refusal:
    return invalid([("cursor", "The cursor is not valid")])


def v1_page(query: Mapping[str, str]) -> tuple[int, int]:
    """v1's `start` and `limit`. Raises `Refusal` in v1's shape."""
    try:
        start, limit = whole_number(query, "start") or 0, limit_of(query)
    except Refusal as refused:
        raise v1_refusal(400, "Bad request", str(refused.body["error"])) from None
    if start < 0:
        raise v1_refusal(400, "Bad request", "start must not be negative")
    return start, limit
