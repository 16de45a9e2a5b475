"""The result of one request: Pipedrive's answer, or none. Uses no HTTP library, so that pure code can judge it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import lru_cache
from typing import Any

import msgspec

FARTHEST = 1_000_000_000  # no account has so many leads
# Dates outside of these years are no date: arithmetic with them would overflow, and no server means them.
BELIEVABLE_YEARS = range(2000, 2201)
_CODE = re.compile(r"[A-Za-z0-9_.-]{1,80}")


class Answer(msgspec.Struct, frozen=True):
    """An HTTP answer.

    `headers` have lower-case names. `body` is the decoded JSON object; None if the answer was anything else, and then
    `text` is its beginning. `sent_at` and `received_at` are the event loop's time in seconds.
    """

    status: int
    headers: Mapping[str, str]
    body: Mapping[str, Any] | None
    text: str = ""
    sent_at: float = 0.0
    received_at: float = 0.0

    @property
    def ok(self) -> bool:
        """Whether the answer reports success. The status alone does not: v1 sometimes refuses with status 200."""
        return 200 <= self.status < 300 and self.body is not None and self.body.get("success") is not False

    @property
    def refuses(self) -> bool:
        """Whether it says no in the form that all parts of Pipedrive share. Somebody in between says it otherwise."""
        return self.body is not None and self.body.get("success") is False

    @property
    def data(self) -> Any:
        return None if self.body is None else self.body.get("data")

    @property
    def rows(self) -> list[Mapping[str, Any]] | None:
        """The objects of a list, without what is none; null is an empty list. None where the data is no list at all."""
        data = self.data
        if isinstance(data, list):
            return [row for row in data if isinstance(row, Mapping)]
        return [] if data is None and self.body is not None and "data" in self.body else None

    @property
    def names_next(self) -> bool:
        """Whether the page of a v2 list says that there is another one, or that there is none."""
        return "next_cursor" in self._additional

    @property
    def next_cursor(self) -> str | None:
        """The cursor of the next page of a v2 list; None after the last page."""
        cursor = self._additional.get("next_cursor")
        return cursor if isinstance(cursor, str) and cursor else None

    @property
    def names_next_start(self) -> bool:
        """Whether the page of a v1 list says whether there is another one."""
        page = self._additional.get("pagination")
        return "more_items_in_collection" in (page if isinstance(page, Mapping) else self._additional)

    @property
    def next_start(self) -> int | None:
        """The start of the next page of a v1 list; None after the last page.

        The specification and its examples disagree whether it is below `pagination`; both forms are read.
        """
        page = self._additional.get("pagination")
        if not isinstance(page, Mapping):
            page = self._additional
        if page.get("more_items_in_collection") is not True:
            return None
        match page:
            case {"next_start": int(start)} if 0 <= start < FARTHEST:
                return start
            case {"start": int(start), "limit": int(limit)} if 0 <= start < FARTHEST and 0 < limit < FARTHEST:
                return start + limit
        return None

    @property
    def error(self) -> str:
        """Pipedrive's error message (perhaps in the user's language); empty if there is none."""
        if self.body is None:
            return self.text
        parts = (self.body.get("error"), self.body.get("error_info"))
        return " · ".join(word for word in parts if isinstance(word, str) and word)

    @property
    def code(self) -> str | None:
        """Pipedrive's error code: ``ERR_SCHEMA_VALIDATION_FAILED``, ``feature_capping_deals_limit``. No other text."""
        for name in ("code", "errorCode"):
            match (self.body or {}).get(name):
                case str(code) | int(code) if _CODE.fullmatch(str(code)):
                    return str(code)
        return None

    @property
    def date(self) -> datetime | None:
        """The time on Pipedrive's clock, UTC."""
        return http_date(self.headers.get("date", ""))

    @property
    def _additional(self) -> Mapping[str, Any]:
        additional = None if self.body is None else self.body.get("additional_data")
        return additional if isinstance(additional, Mapping) else {}


class NoAnswer(Exception):
    """There was no answer. `may_have_arrived`: Pipedrive may have received and carried out the request."""

    def __init__(self, message: str, *, may_have_arrived: bool) -> None:
        super().__init__(message)
        self.message = message
        self.may_have_arrived = may_have_arrived


@lru_cache(maxsize=64)  # answers of one second have one date
def http_date(text: str) -> datetime | None:
    """The date of an HTTP header, in UTC; None if the text is no date, or one that no server can mean."""
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, TypeError, OverflowError):
        return None
    if moment.year not in BELIEVABLE_YEARS:
        return None
    # "-0000" means UTC, too, but the parser returns a time without a zone.
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
