"""The sandbox itself: takes a request through key, limits, faults and endpoint to an answer, and keeps the books."""

from __future__ import annotations

import asyncio
import hmac
import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any, NamedTuple

from pipedrive_cli.sandbox import contents, faults, loading, refusals, webapp
from pipedrive_cli.sandbox.account import Account
from pipedrive_cli.sandbox.asgi import Application
from pipedrive_cli.sandbox.clock import Clock, LoopClock, RequestClock, http_date
from pipedrive_cli.sandbox.endpoint import Call, Endpoint, Reply
from pipedrive_cli.sandbox.limits import Limits
from pipedrive_cli.sandbox.listing import encode_cursor
from pipedrive_cli.sandbox.options import SandboxOptions
from pipedrive_cli.sandbox.records import RecordId
from pipedrive_cli.sandbox.routes import Match, find
from pipedrive_cli.sandbox.wire import (
    JsonObject,
    Refusal,
    Request,
    Response,
    gateway,
    html_response,
    json_response,
    refusal,
)

# Of a sandbox that is served for days only the recent past is kept in the log.
_LONGEST_LOG = 1_000_000


class LoggedRequest(NamedTuple):
    """One request of the log. `time` is the clock's; `status` is 0 where no answer went out."""

    time: float
    method: str
    path: str
    status: int
    tokens: int


class _LateWork:
    """Work that is done once, at `due` (the clock's seconds) or when somebody asks for its answer."""

    def __init__(self, due: float, work: Callable[[], Response]) -> None:
        self.due = due
        self._work = work
        self._response: Response | None = None

    def done(self) -> Response:
        """The answer to the work, which is done by then."""
        if self._response is None:
            try:
                self._response = self._work()
            except Refusal as refused:
                self._response = _refused(refused)
        return self._response


class Sandbox:
    """A Pipedrive account in memory.

    `clock` gives the time to everything in it: the limits, the records' times, the search lag. Raises `ValueError`
    (`FaultPlanError`, `RefusalPlanError`) for options that cannot be read.
    """

    def __init__(self, options: SandboxOptions | None = None, clock: Clock | None = None) -> None:
        self.options = options or SandboxOptions()
        self.clock = RequestClock(clock or LoopClock())
        self.account = Account(self.options, self.clock)
        self.app = Application(self.handle)
        self.requests: list[LoggedRequest] = []
        self.calls: Counter[str] = Counter()
        self.tokens_spent = 0
        self.faults = faults.parse(self.options.faults, self.options.seed)
        self._refusals = refusals.parse(self.options.refusals)
        self._limits = Limits(self.options, self.clock)
        self._answered = 0
        self._late: list[_LateWork] = []

    async def handle(self, request: Request) -> Response:
        """Does the work at once, then lets the answer take its time."""
        response = self.answer(request)
        if response.delay > 0:
            await asyncio.sleep(response.delay)
        return response if response.late is None else response.late()

    def answer(self, request: Request) -> Response:
        """The answer to a request, the work done; `delay` and `ending` say how it reaches the client."""
        self.clock.stop()
        try:
            return self._answer_now(request)
        finally:
            self.clock.go_on()

    def _answer_now(self, request: Request) -> Response:
        if self._late:
            self._do_late_work(self.clock.monotonic())
        match = find(request.path)
        endpoint = match.methods.get(request.method) if match else None
        response, tokens = self._answer(request, match, endpoint)
        self._dated(response)
        response.delay += self.options.latency
        self.tokens_spent += tokens
        self.calls[endpoint.label if endpoint else f"{request.method} {request.path}"] += 1
        if len(self.requests) >= _LONGEST_LOG:
            del self.requests[: _LONGEST_LOG // 2]
        self.requests.append(
            LoggedRequest(self.clock.monotonic(), request.method, request.path, response.status, tokens)
        )
        return response

    def _dated(self, response: Response) -> None:
        """Adds the time, unless a fault has given another or none."""
        response.headers.setdefault("date", http_date(self.account.seconds()))
        if not response.headers["date"]:
            del response.headers["date"]

    def _do_late_work(self, until: float) -> None:
        """Does what was put off and is due by now, whoever still waits for it."""
        due = sorted((work for work in self._late if work.due <= until), key=lambda work: work.due)
        self._late = [work for work in self._late if work.due > until]
        for work in due:
            work.done()

    def _answer(self, request: Request, match: Match | None, endpoint: Endpoint | None) -> tuple[Response, int]:
        """The answer and the tokens it cost."""
        if self._limits.blocked() or refusals.blocks(self._refusals, request):
            return html_response(403, faults.FIREWALL_PAGE), 0
        oauth = "x-api-token" not in request.headers
        try:
            self._authorize(request)
        except Refusal as refused:
            return _refused(refused), 0
        fault = faults.draw(self.faults, request.method, request.path) if self.faults else None
        tokens = 0
        try:
            if fault is not None and fault.effect in {"429", "429-daily"}:
                raise self._limits.burst(oauth=oauth) if fault.effect == "429" else self._limits.daily()
            if fault is not None and fault.when == "before":
                return faults.answer(fault, None, self.options.slow), 0
            price = endpoint.tokens if endpoint else 0
            self._limits.admit(request.method, price, oauth=oauth, search=endpoint is not None and endpoint.search)
            tokens = price
            self._answered += 1
            if fault is not None and fault.when == "later":
                return self._put_off(fault, lambda: self._dispatch(request, match, endpoint)), tokens
            response = self._dispatch(request, match, endpoint)
        except Refusal as refused:
            response = _refused(refused)
        if fault is not None and fault.when == "after":
            response.headers["date"] = http_date(self.account.seconds())
            response = faults.answer(fault, response, self.options.slow)
            if faults.from_between(fault):
                return response, tokens  # it knows nothing of Pipedrive's limits
        response.headers = self._limits.headers(request.method, oauth=oauth) | response.headers
        return response, tokens

    def _put_off(self, fault: faults.Rule, work: Callable[[], Response]) -> Response:
        """An answer to work that is done only later."""
        seconds = self.options.slow if fault.seconds is None else fault.seconds
        late = _LateWork(self.clock.monotonic() + seconds, work)
        self._late.append(late)
        if fault.effect != "late":
            return faults.answer(fault, None, self.options.slow)

        def answer() -> Response:
            response = late.done()
            self._dated(response)
            return response

        return Response(0, b"", {}, delay=seconds, late=answer)

    def _authorize(self, request: Request) -> None:
        token = request.headers.get("x-api-token")
        expected = self.options.api_token
        if token is None:
            scheme, _, token = request.headers.get("authorization", "").partition(" ")
            expected = self.options.oauth_token if scheme.lower() == "bearer" else ""
        in_url = "api_token" in dict(request.query)
        if in_url or not expected or not hmac.compare_digest(token.strip().encode(), expected.encode()):
            raise gateway(401, "unauthorized access", {"x-401-by-gw": "1"})

    def _dispatch(self, request: Request, match: Match | None, endpoint: Endpoint | None) -> Response:
        if match is None:
            raise refusal(2 if "/v2/" in request.path else 1, 404, "Unknown method .", "ERR_NOT_FOUND")
        if endpoint is None:
            allowed = ", ".join(sorted(match.methods))
            refused = refusal(match.version, 405, f"Method {request.method} is not allowed", "ERR_METHOD")
            refused.headers["allow"] = allowed
            raise refused
        refusals.check(self._refusals, endpoint, self.account, self._answered - 1, request.body)
        query = endpoint.checked_query(request)
        reply = endpoint.answer(Call(self.account, request, endpoint.version, match.values, query))
        return _envelope(reply)

    def day_ends(self) -> datetime:
        """When the day's tokens come back."""
        return self._limits.end_of_day()

    # What a person does in the web app: no tokens, no limits, no faults.

    def add_field(
        self,
        kind: str,
        *,
        name: str,
        field_type: str = "varchar",
        options: Iterable[str] = (),
        key: str | None = None,
    ) -> str:
        """Makes a custom field and returns its key. Kinds: persons, organizations, products, deals (leads' too).

        A `key` of 40 hexadecimal digits stands in for another account's field. Raises `ValueError` for a type that
        cannot be created and for a key that is taken or none.
        """
        return self.account.fields.add_custom(kind, name, field_type, options, self.account.seconds(), key).key

    def add_other(self, what: str, **links: int | str) -> None:
        """Somebody makes one of `deals`, `activities` or `notes`; `links` are its person_id, org_id or lead_id."""
        self.account.add_other(what, dict(links))

    def custom_field(self, kind: str, name: str) -> tuple[str, dict[str, int]] | None:
        """A custom field's key and the ids of its options by label; None where no field is called so."""
        for key, field in self.account.fields["deals" if kind == "leads" else kind].custom.items():
            if field.name == name:
                return key, {option.label: number for number, option in (field.options or {}).items()}
        return None

    def add_record(self, kind: str, body: JsonObject) -> RecordId:
        """Makes a record from a body as the API takes it and returns its id. Raises `ValueError` for a bad one."""
        return webapp.add_record(self.account, kind, body)

    def set_value(self, kind: str, record_id: RecordId, key: str, value: Any) -> None:
        """Sets one value, by its key in a body or by a custom field's key. Raises `ValueError` for a bad one."""
        webapp.set_value(self.account, kind, record_id, key, value)

    def add_deal(self, kind: str, record_id: RecordId) -> None:
        """A deal hangs on a person or organization from here on."""
        webapp.add_deal(self.account, kind, record_id)

    def delete_record(self, kind: str, record_id: RecordId) -> None:
        """Deletes a living record. Raises `ValueError` where there is none."""
        webapp.delete_record(self.account, kind, record_id)

    def merge_records(self, kind: str, loser: RecordId, survivor: RecordId) -> None:
        """Merges two persons or organizations: the first goes. Raises `ValueError` where one is not there."""
        webapp.merge_records(self.account, kind, loser, survivor)

    def archive_lead(self, record_id: RecordId) -> None:
        """Archives a lead. Raises `ValueError` where there is none."""
        webapp.archive_lead(self.account, record_id)

    def delete_field(self, kind: str, key: str) -> None:
        """Deletes a custom field; kinds as for `add_field`."""
        webapp.delete_field(self.account, kind, key)

    def delete_option(self, kind: str, key: str, label: str) -> None:
        """Takes an option out of a custom field, and out of the records that have it."""
        webapp.delete_option(self.account, kind, key, label)

    def lock_field(self, kind: str, key: str) -> None:
        """From now on nobody can write this field."""
        webapp.lock_field(self.account, kind, key)

    # What another account holds, in the form of that account's own answers.

    def load_fields(self, kind: str, rows: Iterable[Mapping[str, Any]]) -> None:
        """Fields as v2's field lists show them; kinds as for `add_field`."""
        loading.load_fields(self.account, kind, rows)

    def load_lead_labels(self, rows: Iterable[Mapping[str, Any]]) -> None:
        """Lead labels, in place of the first three."""
        loading.load_lead_labels(self.account, rows)

    def load_records(self, kind: str, rows: Iterable[Mapping[str, Any]]) -> None:
        """Living records as lists show them, with their ids and times; load the fields of leads (deals) first."""
        loading.load_records(self.account, kind, rows)

    def add_lead_label(self, label: str) -> None:
        """A lead label of this name, or with this id should it be one; none where there is one already."""
        self.account.add_named_label(label)

    def add_user(self, number: int) -> None:
        """A user of the company, whom records may belong to."""
        self.account.add_user(number)

    def cursor_after(self, number: int) -> str:
        """The cursor with which a list by id goes on after this id."""
        return encode_cursor({"id": number, "value": number, "by": "id"})

    def index_now(self) -> None:
        """Lets searches find everything that was written so far, as if their lag had passed."""
        self.account.index.take_in_all()

    def contents(self, *, ids: bool = False, times: bool = False) -> dict[str, list[JsonObject]]:
        """The living records of each kind once all late work is done, in an order that does not depend on ids: see
        `contents.py`.
        """
        self._do_late_work(math.inf)
        return contents.contents(self.account, ids=ids, times=times)


def _envelope(reply: Reply) -> Response:
    body: JsonObject = {"success": True, "data": reply.data}
    if reply.additional_data is not None:
        body["additional_data"] = reply.additional_data
    return json_response(reply.status, body)


def _refused(refused: Refusal) -> Response:
    response = json_response(refused.status, refused.body)
    response.headers.update(refused.headers)
    return response
