"""Commands that look at an account whose answers are odd: a sentence, an exit code of its own, and the JSON object."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from pipedrive_cli.sandbox import Sandbox, SandboxOptions
from pipedrive_cli.sandbox.wire import Request, Response, html_response, json_response
from tests.cli.desk_for_commands import CANARY, account, event_file, pipedrive_cli, served, written_config

EVENTS: tuple[dict[str, Any], ...] = (
    {
        "type": "identify",
        "messageId": "m1",
        "userId": "u1",
        "traits": {"name": "Ann", "email": "a@b.test", "role": "x"},
    },
    {"type": "track", "messageId": "m2", "userId": "u1", "event": "Signed Up"},
    {"type": "track", "messageId": "m3", "userId": "u1", "event": "Product Viewed", "properties": {"product_id": "p1"}},
)
CONFIG = """\
identity: {user_id_field: User id}
fields: {persons: {role: Role}}
leads: {label_ids: [Hot]}
delivery: {max_attempts: 1, timeout: 2s}
"""
QUICK = ("check", "replay")  # those that are tried in a hurry, too
COMMANDS = [
    *QUICK,
    *(pytest.param(name, marks=pytest.mark.slow) for name in ("preview --online", "fields", "rehearse --online")),
]


def good(data: Any, **more: Any) -> Response:
    return json_response(200, {"success": True, "data": data, **more})


def changed(how: Callable[[Any], Any]) -> Callable[[Response], Response]:
    """The real answer with its data changed."""

    def answer(real: Response) -> Response:
        body = msgspec.json.decode(real.body)
        return json_response(real.status, {**body, "data": how(body.get("data"))})

    return answer


ROWS: list[Any] = [None, 1, "x", [], {}, {"id": 7}, {"field_code": 7, "options": 3}, {"code": None}, {"name": []}]
ODD: dict[str, Callable[[Response], Response]] = {
    "null": lambda _: good(None),
    "number": lambda _: good(7),
    "text": lambda _: good("rows"),
    "object": lambda _: good({}),
    "odd rows": lambda _: good(ROWS),
    "odd rows beside the real ones": changed(lambda data: [*data, *ROWS] if isinstance(data, list) else data),
    "odd next page": lambda _: good([], additional_data={"next_cursor": 7, "pagination": {"next_start": -1}}),
    "the same page again": lambda _: good([], additional_data={"next_cursor": "a", "pagination": {"start": 0}}),
    "list at the top": lambda _: json_response(200, [1]),
    "no JSON": lambda _: html_response(200, "<html>"),
    "a page of somebody in between": lambda _: html_response(404, "<html>"),
    "a long wait": lambda _: Response(503, b"", {"retry-after": "86400"}),
    "a firewall": lambda _: html_response(403, "<html>"),
    "huge numbers": changed(lambda data: [{**row, "id": 2**70, "n": 2**70} for row in data if isinstance(row, dict)]
                            if isinstance(data, list) else data),
}  # fmt: skip


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("odd", ODD)
def test_a_command_survives_whatever_is_answered(tmp_path: Path, command: str, odd: str) -> None:
    """At every endpoint but the one that names the company: never a fault of the tool itself."""
    sandbox = Sandbox(SandboxOptions(plan="unlimited", search_lag=0.0, api_token=CANARY))
    for name in ("User id", "Role"):
        sandbox.add_field("persons", name=name)
    real = sandbox.answer

    def answer(request: Request) -> Response:
        response = real(request)
        return response if request.path.endswith("/users/me") else ODD[odd](response)

    sandbox.answer = answer  # type: ignore[method-assign] # an account of odd answers
    with served(sandbox) as url:
        config = written_config(tmp_path, account(url) + CONFIG)
        name, *more = command.split()
        files = () if command == "fields" else (event_file(tmp_path, *EVENTS),)
        state = ("--state", tmp_path / "journal.sqlite") if name in {"preview", "replay"} else ()
        ended = pipedrive_cli(name, *files, *more, "-c", config, *state, "--json")
    assert ended.code in {0, 1, 2, 4}, ended.err
    assert isinstance(ended.json, dict)
    assert re.search("Traceback|fault of the tool", ended.err) is None
