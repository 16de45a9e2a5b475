"""What to do with the outcome of one call: a decision, not a loop. Pure.

`decide_retry` says: done, send again after so long, slow down, come back later, the day is spent, in doubt, refused,
gone, or give up. A refusal has a cause: the record, its kind, the credentials, the account. `Failure`, `Doubt` and
`KindStops` are what the decision means for whoever sent the call, named by what happens next.

Only what is of Pipedrive's own form (`Answer.refuses`) is Pipedrive's word on a write. A page or other JSON with a
status of 400 to 499 comes from somebody in between, who may have given it after the work was done.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

import msgspec

from pipedrive_cli.model import ComplaintCode, Kind, PipedriveCode, ProblemCode
from pipedrive_cli.pipedrive.answer import Answer, NoAnswer, http_date
from pipedrive_cli.pipedrive.bodies import id_of
from pipedrive_cli.pipedrive.catalog import FACTS, ME, WINDOW_SECONDS, Call

LONGEST_MESSAGE = 10_000  # characters; a longer message helps nobody
_HASH = re.compile(r"[0-9a-f]{40}")


def named_fields(call: Call, message: str) -> tuple[str, ...]:
    """The addresses of the fields of `call` that `message` names, in the order in which they were sent.

    Understood: ``Validation failed: custom_fields.<key>: ...; emails.0.value: ...``, ``Parameter 'x' is not allowed``,
    ``custom_fields: Unknown key 'x'``, ``"owner_id" must be a number``, and a custom field's key anywhere.
    """
    if not call.body or not message:
        return ()
    message = message[:LONGEST_MESSAGE]
    found = dict.fromkeys(address for address, names in _sent(call) if any(_names(name, message) for name in names))
    return tuple(found)


def in_words(message: str, names: Mapping[str, str]) -> str:
    """Pipedrive's words with the names of custom fields in place of their keys, as far as `names` (by key) has them."""
    return _HASH.sub(lambda found: names.get(found[0], found[0]), message) if names else message


def _sent(call: Call) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Each field that was sent: its address, and the regular expressions by which a message may call it."""
    facts = FACTS[call.endpoint.kind] if call.endpoint.kind else None
    addresses = {key: address for address, key in facts.links.items()} if facts else {}
    for key, value in (call.body or {}).items():
        if key == "custom_fields" and isinstance(value, Mapping):
            yield from ((f"custom_fields.{name}", _custom_names(name)) for name in value)
        elif key == "prices" and isinstance(value, list):
            yield from _prices(value)
        elif match := _HASH.match(key):  # a lead's, with or without a suffix
            yield f"custom_fields.{match[0]}", (match[0],)
        else:
            yield addresses.get(key, key), _plain_names(key)


def _plain_names(key: str) -> tuple[str, ...]:
    name = re.escape(key)
    # As a path before a colon (`emails.0.value: ...`), or between quotes, but not as a key of custom_fields.
    return (rf"(?:^|[:;·]\s*){name}(?:[.\[][\w.\[\]]*)?:", rf"Parameter '{name}'", rf'"{name}(?:[.\[][\w.\[\]]*)?"')


def _custom_names(key: str) -> tuple[str, ...]:
    name = re.escape(key)
    return (name,) if _HASH.fullmatch(key) else (rf"custom_fields[.:][^;]*(?<!\w){name}(?!\w)",)


def _prices(rows: Iterable[object]) -> Iterator[tuple[str, tuple[str, ...]]]:
    for index, row in enumerate(rows):
        if isinstance(row, Mapping) and isinstance(row.get("currency"), str):
            yield (
                f"prices.{row['currency']}",
                (
                    rf"\bprices(?:\.{index}\b|\[{index}\])",
                    r"(?:^|[:;·]\s*)prices:",
                    r"\"prices\"",
                    r"Parameter 'prices'",
                ),
            )


def _names(pattern: str, message: str) -> bool:
    return re.search(pattern, message) is not None


BACKOFF_BASE = 0.5  # seconds, doubled by every attempt
BACKOFF_CAP = 60.0
SLOWEST_BURST = 60.0  # seconds; a 429 that asks for a longer pause is about the day
LONGEST_WAIT = 120.0  # seconds; nobody sleeps longer than that because a server says so, unless with --wait
A_MOMENT = 1_000_000_000.0  # a number from here on is a moment, in seconds since 1970 or in milliseconds
MILLISECONDS = 100_000_000_000.0
MESSAGE_CHARACTERS = 500
AGAIN_LATER = frozenset({409, 423, 425})  # a conflict, a lock, too early: the same may be right in a moment

Cause: TypeAlias = Literal["record", "kind", "credentials", "account", "firewall"]


_CREATIONS = frozenset(facts.create for facts in FACTS.values())


class Done(msgspec.Struct, frozen=True):
    """Pipedrive did it, and the answer has what was asked for."""

    answer: Answer


@dataclass(frozen=True, slots=True)
class Again:
    """Send the call again after `after` seconds; this costs an attempt."""

    after: float


@dataclass(frozen=True, slots=True)
class SlowDown:
    """The burst limit: nobody sends anything for `after` seconds; then this call again; this costs no attempt."""

    after: float


@dataclass(frozen=True, slots=True)
class ComeBack:
    """The server asks for a longer wait than anybody sleeps for unasked: so many seconds."""

    after: float
    reason: str


@dataclass(frozen=True, slots=True)
class DaySpent:
    """The day's budget is used up; it comes back in `resume_in` seconds, if Pipedrive says so."""

    resume_in: float | None


@dataclass(frozen=True, slots=True)
class Refused:
    """Pipedrive will not do it. `cause` is what the refusal is about, and what stops: a record, its kind, the run.

    `code` is Pipedrive's own or ``http_<status>``; `message` its words, unescaped. `fields` are the addresses that the
    words name among those that were sent: an aid, since Pipedrive may change its words at any time. `forbidden`: it was
    a 403, which may be about a value that this user may not set.
    """

    cause: Cause
    code: PipedriveCode
    message: str
    fields: tuple[str, ...] = ()
    forbidden: bool = False


@dataclass(frozen=True, slots=True)
class InDoubt:
    """The write may have been done, and must not be repeated: look first. `refused`: the verdict if it was not done.

    `blocked`: a firewall's page came in answer (403). If the look is answered, what the write says is disliked.
    """

    reason: str
    refused: Refused | None = None
    blocked: bool = False


@dataclass(frozen=True, slots=True)
class Gone:
    """The record with this id is not there (any more)."""


@dataclass(frozen=True, slots=True)
class GiveUp:
    """No more attempts now: the call was not done, or a later run may repeat it."""

    reason: str


Verdict: TypeAlias = Done | Again | SlowDown | ComeBack | DaySpent | InDoubt | Refused | Gone | GiveUp


def _shows_deleted(call: Call, answer: Answer) -> bool:
    """Whether the answer is about one record that is deleted: for 30 days Pipedrive may go on to show it by its id."""
    if call.id is None or call.method not in {"GET", "PATCH"}:
        return False
    return isinstance(answer.data, Mapping) and answer.data.get("is_deleted") is True


def decide_retry(call: Call, outcome: Answer | NoAnswer, attempt: int, *, max_attempts: int, jitter: float) -> Verdict:
    """What `outcome` of `call` means. `attempt` counts from 1; `jitter` is in [0, 1) and spreads the waiting."""
    if isinstance(outcome, NoAnswer):
        if outcome.may_have_arrived:
            return _unsure(call, outcome.message, None, attempt, max_attempts, jitter)
        return _again(outcome.message, None, attempt, max_attempts, jitter)
    status = outcome.status
    if outcome.ok and _complete(call, outcome):
        return Gone() if _shows_deleted(call, outcome) else Done(outcome)
    if status == 429 and (call.endpoint.repeatable or outcome.refuses or _names_limits(outcome)):
        return _limited(call, outcome)
    if 400 <= status < 500 and status != 408:
        if not outcome.refuses and (not call.endpoint.repeatable or (status == 403 and call.method == "PATCH")):
            reason = f"{call.label} was answered {status} by somebody in between: {_words(outcome)}"
            return InDoubt(reason, blocked=status == 403)
        return _refused(call, outcome, attempt, max_attempts, jitter)
    if 200 <= status < 300 and outcome.body is not None and not outcome.ok:
        # 200 with "success": false contradicts itself: a write that makes something is looked for first.
        refused = _refusal("record", call, outcome)
        return refused if call.endpoint.repeatable else InDoubt(refused.message, refused)
    reason = f"{call.label} was answered {status}: {_words(outcome)}"
    return _unsure(call, reason, _retry_after(outcome), attempt, max_attempts, jitter)


def backoff(attempt: int, jitter: float) -> float:
    """Seconds to wait after attempt number `attempt`: a random part of a span that doubles with every attempt."""
    return jitter * min(BACKOFF_CAP, BACKOFF_BASE * 2.0 ** min(attempt - 1, 16))


def _complete(call: Call, answer: Answer) -> bool:
    """Whether a success brings what was asked for. A look-up without a result must not read as "nothing there"."""
    data, kind = answer.data, call.endpoint.kind
    if call.endpoint in _CREATIONS and kind is not None:
        return id_of(kind, data) is not None
    if call.id is not None and kind is not None and call.endpoint.repeatable:
        shown = id_of(kind, data)
        return shown is not None and str(shown) == str(call.id)
    if call.method != "GET" or call.endpoint == ME:
        return isinstance(data, Mapping)
    if call.endpoint.search:
        return isinstance(data, Mapping) and isinstance(data.get("items", ""), list | None)
    return answer.rows is not None


def _unsure(call: Call, reason: str, server: float | None, attempt: int, max_attempts: int, jitter: float) -> Verdict:
    if not call.endpoint.repeatable:
        return InDoubt(reason)
    return _again(reason, server, attempt, max_attempts, jitter)


def _again(reason: str, server: float | None, attempt: int, max_attempts: int, jitter: float) -> Verdict:
    if attempt >= max_attempts:
        return GiveUp(reason)
    # The server's time counts before our own, and zero is a time.
    wait = backoff(attempt, jitter) if server is None else server
    return Again(wait) if wait <= LONGEST_WAIT else ComeBack(wait, reason)


def _limited(call: Call, answer: Answer) -> Verdict:
    """A 429: of the day or of the last two seconds; a long pause counts as the day.

    Nothing was done either way, so a POST may be sent again.
    """
    retry_after = _retry_after(answer)
    daily = (
        "daily" in answer.error.lower()
        or _below(answer.headers.get("x-daily-ratelimit-token-remaining"), call.tokens)
        or _below(answer.headers.get("x-daily-requests-left"), 1)
        or (retry_after is not None and retry_after > SLOWEST_BURST)
    )
    if daily:
        return DaySpent(retry_after)
    reset = _seconds(answer.headers.get("x-ratelimit-reset"), answer)
    named = [seconds for seconds in (retry_after, reset) if seconds is not None]
    # At least a second: clients that keep knocking end at Pipedrive's firewall.
    wait = max(1.0, *named) if named else float(WINDOW_SECONDS)
    if wait > LONGEST_WAIT:
        return ComeBack(wait, f"{call.label} was answered 429: {_words(answer)}")
    return SlowDown(wait)


def _names_limits(answer: Answer) -> bool:
    """Whether a 429 speaks of limits, as those do that refuse before any work is done."""
    return any(
        name == "retry-after" or "ratelimit" in name or name == "x-daily-requests-left" for name in answer.headers
    )


def _refused(call: Call, answer: Answer, attempt: int, max_attempts: int, jitter: float) -> Verdict:
    status = answer.status
    if status == 401:
        return _refusal("credentials", call, answer)
    if status == 402:
        return _refusal("account", call, answer)
    if status == 403:
        return _refusal(_forbidden(call, answer), call, answer)
    if not answer.refuses:
        # A page of somebody in between says nothing about a record; believing it would create a second one.
        reason = f"{call.label} was answered {status} by somebody in between: {_words(answer)}"
        return _again(reason, _retry_after(answer), attempt, max_attempts, jitter)
    if status in AGAIN_LATER:
        reason = f"{call.label} was answered {status}: {_words(answer)}"
        return _again(reason, _retry_after(answer), attempt, max_attempts, jitter)
    if status == 415:  # Pipedrive's word for a feature that the account has switched off
        return _refusal("kind", call, answer)
    if status in {404, 410} and call.id is not None:
        return Gone()
    return _refusal("record", call, answer)


def _forbidden(call: Call, answer: Answer) -> Cause:
    """What a 403 is about. Its words may be in any language, so they only add to what the call itself tells.

    A write's 403 is its record's own: somebody else's record, a value that this user may not set, a field that is
    switched off. That it is the kind's shows when others get the same (`Writes`).
    """
    if not answer.refuses:
        return "firewall"
    if (answer.code or "").startswith("feature_capping") or "scope" in answer.error.lower():
        return "kind" if call.endpoint.kind else "credentials"
    if call.method != "GET" or call.id is not None:
        return "record"
    return "kind" if call.endpoint.kind else "credentials"


def _refusal(cause: Cause, call: Call, answer: Answer) -> Refused:
    code = answer.code
    if code is None or code.isdecimal():
        code = f"http_{answer.status}"
    named = named_fields(call, answer.error)
    return Refused(cause, PipedriveCode(code), _words(answer), named, forbidden=answer.status == 403)


def _words(answer: Answer) -> str:
    words = " ".join(answer.error.split()) or "no reason given"
    return words if len(words) <= MESSAGE_CHARACTERS else words[: MESSAGE_CHARACTERS - 1] + "…"


def _retry_after(answer: Answer) -> float | None:
    """How long the server wants us to wait, in seconds. A date counts from the server's own Date, not from ours."""
    text = answer.headers.get("retry-after", "")
    if _number(text) is not None:
        return _seconds(text, answer)
    until, now = http_date(text), answer.date
    return max(0.0, (until - now).total_seconds()) if until and now else None


def _seconds(text: str | None, answer: Answer) -> float | None:
    """A wait that is given as seconds, or as the moment at which it ends; None for what is no number."""
    number = _number(text)
    if number is None or number < A_MOMENT:
        return None if number is None else max(0.0, number)
    moment = number / 1000 if number >= MILLISECONDS else number
    return None if answer.date is None else max(0.0, moment - answer.date.timestamp())


def _number(text: str | None) -> float | None:
    try:
        number = float(text or "")
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _below(text: str | None, least: int) -> bool:
    number = _number(text)
    return number is not None and number < least


class Failure(Exception):
    """Gave up after retries: the events are failed and can be run again."""

    def __init__(self, code: ComplaintCode, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class Doubt(Exception):
    """A write that must not be repeated may have been done. `refused`: why it was refused, if it was not done.

    `blocked`: a firewall's page came in answer.
    """

    def __init__(self, reason: str, refused: Refused | None = None, *, blocked: bool = False) -> None:
        super().__init__(reason)
        self.refused = refused
        self.blocked = blocked


class KindStops(Exception):
    """Nothing more of one kind of record can be written in this run."""

    def __init__(self, kind: Kind, code: ProblemCode, message: str) -> None:
        super().__init__(message)
        self.kind = kind
        self.code = code
        self.message = message
