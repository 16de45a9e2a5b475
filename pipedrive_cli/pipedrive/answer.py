"""What came of one request: Pipedrive's answer, or none. Knows no HTTP library, so that pure code can judge it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer.

    `headers` have lower-case names. `body` is the decoded JSON object, None where the answer was anything else; then
    `text` is its beginning. `sent_at` and `received_at` are the event loop's seconds.
    """

    status: int
    headers: Mapping[str, str]
    body: Mapping[str, Any] | None
    text: str = ""
    sent_at: float = 0.0
    received_at: float = 0.0

    @property
    def ok(self) -> bool:
        """Whether it is a success in Pipedrive's form. v1 has been seen to answer 200 to what it refused."""
        return 200 <= self.status < 300 and self.body is not None and self.body.get("success") is not False

    @property
    def data(self) -> Any:
        return None if self.body is None else self.body.get("data")

    @property
    def next_cursor(self) -> str | None:
        """Where the next page of a v2 list begins; None after the last."""
        cursor = self._additional.get("next_cursor")
        return cursor if isinstance(cursor, str) and cursor else None

    @property
    def next_start(self) -> int | None:
        """Where the next page of a v1 list begins; None after the last.

        The specification and its own examples disagree on whether `pagination` stands between; both are read.
        """
        page = self._additional.get("pagination")
        if not isinstance(page, Mapping):
            page = self._additional
        if page.get("more_items_in_collection") is not True:
            return None
        match page:
            case {"next_start": int(start)}:
                return start
            case {"start": int(start), "limit": int(limit)} if limit > 0:
                return start + limit
        return None

    @property
    def error(self) -> str:
        """What Pipedrive says went wrong, in its own words (perhaps in the user's language); empty if nothing."""
        if self.body is None:
            return self.text
        said = (self.body.get("error"), self.body.get("error_info"))
        return " · ".join(word for word in said if isinstance(word, str) and word)

    @property
    def code(self) -> str | None:
        """Pipedrive's code of the error: ``ERR_SCHEMA_VALIDATION_FAILED``, ``feature_capping_deals_limit``."""
        for name in ("code", "errorCode"):
            match (self.body or {}).get(name):
                case str(code) | int(code) if code:
                    return str(code)
        return None

    @property
    def date(self) -> datetime | None:
        """The time by Pipedrive's own clock, UTC."""
        return http_date(self.headers.get("date", ""))

    @property
    def _additional(self) -> Mapping[str, Any]:
        additional = None if self.body is None else self.body.get("additional_data")
        return additional if isinstance(additional, Mapping) else {}


class NoAnswer(Exception):
    """There was no answer. `may_have_arrived`: whether Pipedrive may have done what was asked all the same."""

    def __init__(self, message: str, *, may_have_arrived: bool) -> None:
        super().__init__(message)
        self.message = message
        self.may_have_arrived = may_have_arrived


def http_date(text: str) -> datetime | None:
    """A date as HTTP headers write it, in UTC; None where it is none."""
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    # "-0000" stands for UTC too, but is read as a time without a zone.
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
