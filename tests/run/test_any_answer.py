"""Any answer at any request: no traceback, no twin, an end in bounded time, and tokens within bounds.

Left out are lies that nobody could see through: a well-formed answer that says another thing than what is.
`tests/benchmarks/bench_answers.py` is the long form.
"""

from __future__ import annotations

import os
import tempfile
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st

from pipedrive_cli.report.summary import Summary, to_json
from pipedrive_cli.sandbox import Sandbox
from pipedrive_cli.sandbox.wire import Request, Response
from tests.examples import examples
from tests.harness import CANARY, Event, Scene, alias, group, identify, outcomes, track, viewed, with_delivery

CASES = int(os.environ.get("ANSWERS") or examples(120))
LONGEST = 2 * 3600.0  # seconds of virtual time that a run of a dozen events may take, whatever is answered
MOST_TOKENS = 3_000

HUGE = st.sampled_from([2**63, -(2**70), 10**30])
SCALARS = HUGE | st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8)
JSON = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=5,
)
# What stands for `data` where nobody may take it for a list, a record or the hits of a search.
ODD_DATA: st.SearchStrategy[Any] = (
    st.booleans()
    | st.integers()
    | st.text(max_size=8)
    | st.just({})
    | st.fixed_dictionaries({"items": st.booleans() | st.text(max_size=3) | st.just({})})
    | st.fixed_dictionaries({"id": st.sampled_from([True, False, 0, -1, 1.5, "", None, [], {}, 2**70])})
)
NUMBERS = st.sampled_from(
    ["0", "-1", "1", "59", "61", "119", "121", "86400", "1e300", "nan", "inf", "-inf", "", "soon", "1795975000",
     "1795975000000", "9" * 40, "0x10", "²", "1_0", " 5 ", "2026-11-29", "Mon, 30 Nov 2026 00:00:00 GMT",
     "Mon, 30 Nov 9999 00:00:00 GMT", "Mon, 01 Jan 0001 00:00:00 +2359"]
)  # fmt: skip
HEADERS = st.dictionaries(
    st.sampled_from(
        ["retry-after", "date", "x-ratelimit-reset", "x-ratelimit-limit", "x-ratelimit-remaining",
         "x-daily-ratelimit-token-remaining", "x-daily-ratelimit-token-limit", "x-daily-requests-left",
         "content-type", "location"]
    ),
    NUMBERS,
    max_size=3,
)  # fmt: skip
OUR_NO = st.fixed_dictionaries(
    {"success": st.just(False), "error": JSON}, optional={"code": JSON, "errorCode": JSON, "error_info": JSON}
)
NOBODYS = st.dictionaries(st.sampled_from(["message", "error", "data", "success"]), JSON, max_size=3).filter(
    lambda body: body.get("success") is not False
)


@dataclass(frozen=True)
class Mangled:
    """What becomes of one answer."""

    when: str  # before, after (the work), or changed: the real answer with odd values in it
    status: int
    body: bytes
    headers: Mapping[str, str]
    odd: Any = None


def _bytes(value: Any) -> bytes:
    return msgspec.json.encode(value)


@st.composite
def mangled(draw: st.DrawFn) -> Mangled:
    """Any answer, save that a 429 which speaks of limits was sent before the work: nobody can see through that lie."""
    made = draw(_mangled())
    limits = any(name == "retry-after" or "limit" in name or name.endswith("-left") for name in made.headers)
    return replace(made, when="before") if made.status == 429 and limits else made


@st.composite
def _mangled(draw: st.DrawFn) -> Mangled:
    headers = draw(HEADERS)
    sort = draw(st.sampled_from(["page", "good", "trouble", "no", "nobody's no", "changed", "changed", "headers"]))
    when = draw(st.sampled_from(["before", "after"]))
    if sort in {"changed", "headers"}:
        return Mangled(sort, 0, b"", headers, draw(JSON))
    if sort == "page":
        status = draw(st.sampled_from([200, 201, 204, 301, 302, 400, 401, 403, 404, 408, 413, 422, 429, 500, 502, 599]))
        return Mangled(
            when, status, draw(st.sampled_from([b"", b"<html>no</html>", b"\xff\xfe", b"[", b"null"])), headers
        )
    if sort == "good":
        body = draw(
            st.fixed_dictionaries({"data": ODD_DATA}, optional={"additional_data": JSON, "success": st.just(True)})
        )
        return Mangled("after", draw(st.sampled_from([200, 201, 299])), _bytes(body), headers)
    if sort == "trouble":
        return Mangled(when, draw(st.sampled_from([408, 500, 503, 520])), _bytes(draw(JSON)), headers)
    if sort == "no":
        status = draw(st.sampled_from([400, 401, 402, 403, 409, 415, 422, 423, 425, 429]))
        return Mangled("before", status, _bytes(draw(OUR_NO)), headers)
    status = draw(st.sampled_from([400, 403, 404, 405, 409, 410, 422, 429, 451]))
    return Mangled(when, status, _bytes(draw(NOBODYS)), headers)


def changed(body: Any, odd: Any) -> Any:
    """A real answer with odd values where they say nothing of who and what is there."""
    if not isinstance(body, dict) or body.get("success") is not True:
        return body
    rows = body["data"] if isinstance(body["data"], list) else [body["data"]]
    for row in rows:
        if isinstance(row, dict):
            for key in ("emails", "phones", "prices", "visible_to", "update_time", "add_time", "label_ids", "owner_id"):
                if key in row:
                    row[key] = odd
            row["another"] = odd
    if isinstance(body["data"], list):
        strange = odd if not isinstance(odd, dict) else {"id": None, "odd": odd}
        body["data"] = [strange, *body["data"], None, {}]
    body["another"] = odd
    return body


class Mangler:
    """Answers in the sandbox's place, as `plan` says: the number of a request, and what becomes of its answer."""

    def __init__(self, sandbox: Sandbox, plan: Mapping[int, Mangled]) -> None:
        self._real = sandbox.answer
        self._plan = plan
        self._count = 0

    def answer(self, request: Request) -> Response:
        self._count += 1
        how = self._plan.get(self._count)
        if how is None:
            return self._real(request)
        note(f"{self._count}: {request.method} {request.path} {how}")
        if how.when == "before":
            return Response(how.status, how.body, dict(how.headers))
        real = self._real(request)
        if how.when == "after":
            return Response(how.status, how.body, dict(how.headers))
        if how.when == "changed":
            real.body = msgspec.json.encode(changed(msgspec.json.decode(real.body), how.odd))
        real.headers.update(how.headers)
        return real


def events() -> list[Event]:
    """Every kind of record, and a merge."""
    return [
        identify("u1", 1, name="Ann", email="ann@b.test", phone="+1555", role="dev", visible_to=3),
        identify("u2", 2, name="Ben", email="ben@b.test"),
        group("u1", "g1", 3, name="Acme", industry="steel"),
        viewed("u1", "p1", 4, name="Chair", price=3, currency="EUR"),
        track("u1", "Signed Up", 5, message_id="lead-1"),
        track("u2", "Signed Up", 6, message_id="lead-2"),
        alias("u2", "u1", 7),
        identify("u1", 8, city="Rome", email="ann@c.test"),
    ]


EVENTS = events()
KEYS = {"persons": "User id", "organizations": "Group id"}


def run(scene: Scene, plan: Mapping[int, Mangled]) -> Summary:
    """One run under the plan."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(scene.sandbox, "answer", Mangler(scene.sandbox, plan).answer)
        return scene.run(EVENTS)


def no_twins(scene: Scene) -> None:
    """One living record per key."""
    contents = scene.contents()
    keys = [(kind, row["custom_fields"].get(name)) for kind, name in KEYS.items() for row in contents[kind]]
    keys += [("leads", row["origin_id"]) for row in contents["leads"]]
    keys += [("products", row["code"]) for row in contents["products"]]
    assert [key for key, times in Counter(keys).items() if times > 1] == []


@given(st.dictionaries(st.integers(1, 40), mangled(), max_size=6), st.sampled_from([1, 3, 100_000]))
@settings(max_examples=CASES, suppress_health_check=[HealthCheck.too_slow])
def test_no_answer_breaks_doubles_or_holds_up_a_run(plan: dict[int, Mangled], lookahead: int) -> None:
    """One run under any answers ends well and soon; the next, undisturbed, completes the work."""
    with tempfile.TemporaryDirectory() as folder:
        scene = Scene(Path(folder), config=with_delivery(lookahead=lookahead))
        summary = run(scene, plan)
        assert summary.exit_code in {0, 1, 3, 4}
        assert summary.seconds < LONGEST
        assert summary.tokens.spent < MOST_TOKENS
        assert CANARY.encode() not in to_json(summary)
        no_twins(scene)
        summary = run(scene, {})
        note(f"{outcomes(summary)} {[(p.code, p.message) for p in summary.problems]}")
        no_twins(scene)
        assert summary.exit_code == 0
        assert summary.seconds < LONGEST
