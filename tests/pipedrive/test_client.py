"""The edge of the client: the exact requests it sends, and what it makes of every answer and of none."""

from __future__ import annotations

import asyncio
import gzip
import json
import logging
import socket
import traceback
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
import respx

from pipedrive_cli import __version__
from pipedrive_cli.errors import UserMistake
from pipedrive_cli.pipedrive import catalog, client
from pipedrive_cli.pipedrive.answer import Answer, NoAnswer, http_date
from pipedrive_cli.pipedrive.catalog import Call
from pipedrive_cli.pipedrive.client import Client
from pipedrive_cli.secret import Secret
from pipedrive_cli.virtual_time import run as run_virtually

BASE = "https://acme.pipedrive.com"
CANARY = "canary0token0canary0token0canary0token00"
POST = catalog.create("persons", {"name": "Ada Lövelace", "custom_fields": {"a" * 40: "u1"}})

Handler = Callable[[httpx.Request], httpx.Response]


def send(call: Call, handler: Handler | None = None, base: str = BASE) -> Answer:
    """Send one call, through `handler` or whatever respx has put in place of the network."""

    async def main() -> Answer:
        transport = None if handler is None else httpx.MockTransport(handler)
        session = Client(base, ("x-api-token", Secret(CANARY)), timeout=30, transport=transport)
        try:
            return await session.send(call)
        finally:
            await session.aclose()

    return asyncio.run(main())


def answering(status: int, content: bytes, headers: dict[str, str] | None = None) -> Handler:
    """A Pipedrive that says always the same."""
    return lambda request: httpx.Response(status, content=content, headers=headers)


@respx.mock
def test_a_write_is_one_exact_request() -> None:
    """Method, URL, headers and body are what Pipedrive documents; the key stands in its header alone."""
    route = respx.post(f"{BASE}/api/v2/persons").respond(200, json={"success": True, "data": {"id": 1}})
    answer = send(POST)
    assert answer.ok
    assert answer.data == {"id": 1}
    assert route.call_count == 1
    request = route.calls.last.request
    assert request.url.query == b""
    assert json.loads(request.content) == POST.body
    assert dict(request.headers) == {
        "host": "acme.pipedrive.com",
        "accept": "application/json",
        "accept-encoding": "gzip",
        "user-agent": f"pipedrive-cli/{__version__}",
        "x-api-token": CANARY,
        "content-type": "application/json",
        "content-length": str(len(request.content)),
    }


@respx.mock
def test_a_read_has_a_query_and_no_body() -> None:
    """A GET carries its query percent-encoded, and neither body nor content type."""
    route = respx.get(host="acme.pipedrive.com", path="/api/v2/persons/search").respond(200, json={"data": {}})
    send(catalog.find_exact("persons", "a+b@c.d", "email"))
    request = route.calls.last.request
    assert request.url.raw_path.endswith(b"?term=a%2Bb%40c.d&fields=email&exact_match=true&limit=500")
    assert request.content == b""
    assert "content-type" not in request.headers


@respx.mock
def test_an_oauth_token_goes_into_its_own_header() -> None:
    """The name of the header comes with the key."""
    route = respx.get(f"{BASE}/api/v1/users/me").respond(200, json={})

    async def main() -> None:
        session = Client(BASE, ("authorization", Secret("Bearer abc")), timeout=30)
        await session.send(catalog.me())
        await session.aclose()

    asyncio.run(main())
    headers = route.calls.last.request.headers
    assert headers["authorization"] == "Bearer abc"
    assert "x-api-token" not in headers


@respx.mock
def test_no_redirect_is_followed() -> None:
    """A redirect is an answer like another: the key goes nowhere else."""
    respx.get(f"{BASE}/api/v1/users/me").respond(302, headers={"location": "https://evil.example/"})
    elsewhere = respx.get("https://evil.example/")
    answer = send(catalog.me())
    assert answer.status == 302
    assert not answer.ok
    assert not elsewhere.called


def test_no_cookie_is_sent_back() -> None:
    """What one answer sets does not colour the next request."""
    seen: list[httpx.Headers] = []

    def handler(request: httpx.Request) -> httpx.Response:
        seen.append(request.headers)
        return httpx.Response(200, json={}, headers={"set-cookie": "a=b; Path=/"})

    async def main() -> None:
        session = Client(BASE, ("x-api-token", Secret(CANARY)), timeout=30, transport=httpx.MockTransport(handler))
        await session.send(catalog.me())
        await session.send(catalog.me())
        await session.aclose()

    asyncio.run(main())
    assert [headers.get("cookie") for headers in seen] == [None, None]


def subclasses(kind: type[Exception]) -> Iterator[type[Exception]]:
    """A type of exception and all that derive from it."""
    yield kind
    for child in kind.__subclasses__():
        yield from subclasses(child)


HTTPX_ERRORS = sorted(
    {
        error
        for name in httpx.__all__
        if isinstance(root := getattr(httpx, name), type) and issubclass(root, Exception)
        for error in subclasses(root)
        if error.__module__.startswith("httpx")
    },
    key=lambda error: error.__name__,
)
NEVER_SENT = {"ConnectError", "ConnectTimeout", "PoolTimeout", "ProxyError", "UnsupportedProtocol", "InvalidURL"}
# Raised by our own wrong use of cookies, of which there is none.
NOT_OF_THE_WIRE = {"CookieConflict"}


def made(error: type[Exception], request: httpx.Request) -> Exception:
    """An instance of any of httpx's exceptions, as httpx would raise it."""
    if issubclass(error, httpx.RequestError):
        return error(f"trouble at {request.url}", request=request)
    if issubclass(error, httpx.HTTPStatusError):
        return error("trouble", request=request, response=httpx.Response(500))
    if error.__name__ in {"StreamConsumed", "ResponseNotRead", "RequestNotRead", "StreamClosed"}:
        return error()
    return error("trouble")


@pytest.mark.parametrize("error", HTTPX_ERRORS, ids=lambda error: error.__name__)
def test_every_exception_of_httpx_is_translated(error: type[Exception]) -> None:
    """Whatever httpx raises, now or in its next version, becomes `NoAnswer`, which knows whether we may repeat."""
    if error.__name__ in NOT_OF_THE_WIRE:
        pytest.skip("cannot be raised: no cookie is read")
    if error is httpx.DecodingError:
        pytest.skip("an answer that does not decompress is an answer: proved below")

    def handler(request: httpx.Request) -> httpx.Response:
        raise made(error, request)

    with pytest.raises(NoAnswer) as caught:
        send(POST, handler)
    assert caught.value.may_have_arrived is (error.__name__ not in NEVER_SENT)
    assert BASE in caught.value.message
    assert "POST" not in caught.value.message  # whoever gives up says what was asked


def test_the_key_is_in_no_exception(caplog: pytest.LogCaptureFixture) -> None:
    """A failed request's traceback, all that its exceptions hold, and the log at its loudest do not know the key."""
    caplog.set_level(logging.DEBUG)

    def handler(request: httpx.Request) -> httpx.Response:
        raise httpx.ReadError("broke", request=request)

    with pytest.raises(NoAnswer) as caught:
        send(POST, handler)
    problem: BaseException | None = caught.value
    told = "".join(traceback.format_exception(caught.value)) + caplog.text
    while problem is not None:
        request = getattr(problem, "_request", None)
        told += repr(problem) + repr(vars(problem)) + (repr(request.headers.raw) if request else "")
        problem = problem.__cause__
    assert "ReadError" in told
    assert CANARY not in told


def test_the_key_is_in_no_repr() -> None:
    """A client shows where it sends to, and nothing else."""
    session = Client(BASE, ("x-api-token", Secret(CANARY)), timeout=30)
    assert repr(session) == "<Client https://acme.pipedrive.com>"


class Body(httpx.AsyncByteStream):
    """An answer's body that comes piece by piece, and breaks off, or never ends."""

    def __init__(self, *pieces: bytes, then: Exception | None = None) -> None:
        self.pieces = pieces
        self.then = then

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for piece in self.pieces:
            yield piece
        if self.then:
            raise self.then


def test_a_body_that_breaks_off_is_no_answer() -> None:
    """A write whose answer broke in the middle may have been done."""
    body = Body(b'{"success": tr', then=httpx.ReadError("broke"))
    with pytest.raises(NoAnswer) as caught:
        send(POST, lambda request: httpx.Response(200, stream=body))
    assert caught.value.may_have_arrived


def test_an_endless_body_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    """No more of an answer is kept than the largest that makes sense."""
    monkeypatch.setattr(client, "MAX_BODY_BYTES", 1024)
    answer = send(POST, lambda request: httpx.Response(200, stream=Body(*[b"x" * 100] * 11)))
    assert answer.body is None
    assert not answer.ok


def test_silence_in_small_pieces_ends_too() -> None:
    """Answers that drip on for ever are given up, each after four times the timeout, in the loop's time.

    Others are not, and a caller who is cancelled is cancelled, at the very end of the request too.
    """

    class Drip(httpx.AsyncBaseTransport):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            await asyncio.sleep(10_000 if request.method == "POST" else 100)
            return httpx.Response(200, json={"success": True})

    async def main() -> None:
        session = Client(BASE, ("x-api-token", Secret(CANARY)), timeout=30, transport=Drip())
        now = asyncio.get_running_loop().time

        async def send(call: Call, begin: float) -> tuple[str, float]:
            await asyncio.sleep(begin)
            try:
                await session.send(call)
            except NoAnswer as none:
                assert none.may_have_arrived
                return "given up", now()
            return "answered", now()

        get = catalog.get("persons", 1)
        asked = [
            asyncio.create_task(send(*each)) for each in ((POST, 0), (get, 10), (POST, 50), (POST, 60), (POST, 70))
        ]
        await asyncio.sleep(90)
        asked[3].cancel()
        asyncio.get_running_loop().call_at(190, asked[4].cancel)
        ended = await asyncio.gather(*asked, return_exceptions=True)
        assert ended[:3] == [("given up", 120), ("answered", 110), ("given up", 170)]
        assert [type(end) for end in ended[3:]] == [asyncio.CancelledError] * 2
        await session.aclose()

    run_virtually(main())


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b"<html>" + b"x" * 1000, "<html>" + "x" * 294),
        (b"", ""),
        (b'{"success": true', '{"success": true'),
        (b"[1, 2]", "[1, 2]"),
        (b"null", "null"),
        (b"\xff\xfe{}", "\ufffd\ufffd{}"),
        (b'{"a":' * 5000, '{"a":' * 60),
    ],
    ids=["html", "empty", "cut", "list", "null", "no UTF-8", "deep"],
)
def test_what_is_no_json_object_is_kept_as_text(content: bytes, text: str) -> None:
    """An answer in any other form has no body, and the first 300 characters as text."""
    answer = send(POST, answering(200, content))
    assert (answer.ok, answer.body, answer.text) == (False, None, text)


def test_a_body_is_decompressed() -> None:
    """gzip is asked for and understood; where it is broken the answer has no body, but is one."""
    whole = gzip.compress(b'{"success": true, "data": {"id": 1}}')
    assert send(POST, answering(200, whole, {"content-encoding": "gzip"})).ok
    broken = Body(b"no gzip")
    answer = send(POST, lambda request: httpx.Response(503, stream=broken, headers={"content-encoding": "gzip"}))
    assert (answer.status, answer.body) == (503, None)


def test_half_a_surrogate_pair_is_sent_escaped() -> None:
    """A character that UTF-8 cannot carry reaches Pipedrive as JSON's own escape."""
    seen: list[bytes] = []

    def handler(request: httpx.Request) -> httpx.Response:
        seen.append(request.content)
        return httpx.Response(200, json={})

    send(catalog.create("persons", {"name": "\ud83d"}), handler)
    assert json.loads(seen[0]) == {"name": "\ud83d"}


@pytest.mark.parametrize(
    "base",
    [
        "http://acme.pipedrive.com",
        "http://127.0.0.1.evil.example",
        "http://10.0.0.1:8080",
        "ftp://127.0.0.1",
        "acme.pipedrive.com",
        "https://",
        "https://user:pass@acme.pipedrive.com",
        "https://acme.pipedrive.com?a=b",
        "https://acme.pipedrive.com#a",
        "https://acme\x00.pipedrive.com",
        "",
    ],
)
def test_the_key_goes_to_no_such_place(base: str) -> None:
    """Anything but https, or http to this machine, is refused before anything is sent."""
    with pytest.raises(UserMistake) as caught:
        Client(base, ("x-api-token", Secret(CANARY)), timeout=30)
    assert caught.value.code == "base_url"


@pytest.mark.parametrize("key", ["canary\n", "canäry", "canary\x00", ""])
def test_a_key_that_no_header_can_carry_is_refused_unseen(key: str) -> None:
    """A key with a newline or the like is refused at once; HTTP libraries would quote it in their complaint."""
    with pytest.raises(UserMistake) as caught:
        Client(BASE, ("x-api-token", Secret(key)), timeout=30)
    assert caught.value.code == "api_token"
    assert not key or key not in str(caught.value)
    assert caught.value.__context__ is None


@pytest.mark.parametrize(
    "base", ["http://127.0.0.1:8080", "http://localhost:8080/", "http://[::1]:8080", "https://acme.pipedrive.com/"]
)
def test_these_places_are_fine(base: str) -> None:
    """http to loopback, and https anywhere, with or without a slash at the end."""
    urls: list[str] = []

    def handler(request: httpx.Request) -> httpx.Response:
        urls.append(str(request.url))
        return httpx.Response(200, json={})

    send(catalog.me(), handler, base)
    assert urls == [f"{base.rstrip('/')}/api/v1/users/me"]


def test_a_proxy_never_sees_what_goes_to_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """http to loopback ignores the environment's proxy, which would read the key."""
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
    monkeypatch.setenv("HTTP_PROXY", "http://proxy.invalid:3128")
    monkeypatch.setenv("ALL_PROXY", "http://proxy.invalid:3128")
    with respx.mock(using="httpcore") as router:
        route = router.get(f"http://127.0.0.1:{port}/api/v1/users/me").respond(200, json={})
        send(catalog.me(), base=f"http://127.0.0.1:{port}")
        assert route.called


@pytest.mark.parametrize(
    ("environment", "asked"),
    [
        ({"HTTPS_PROXY": "http://127.0.0.1:{port}"}, True),
        ({"https_proxy": "127.0.0.1:{port}"}, True),
        ({"ALL_PROXY": "http://127.0.0.1:{port}"}, True),
        ({"HTTPS_PROXY": "http://127.0.0.1:{port}", "NO_PROXY": "pipedrive.invalid"}, False),
        ({"HTTP_PROXY": "http://127.0.0.1:{port}"}, False),
    ],
)
def test_the_environments_proxy_is_asked_for_what_goes_out(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], asked: bool
) -> None:
    """It is asked for a tunnel, so that it never sees the key; NO_PROXY names who needs none."""
    heard: list[bytes] = []

    async def proxy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(b"HTTP/1.1 502 Bad Gateway\r\ncontent-length: 0\r\n\r\n")
        await writer.drain()
        writer.close()

    async def main() -> None:
        server = await asyncio.start_server(proxy, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        for name, value in environment.items():
            monkeypatch.setenv(name, value.format(port=port))
        session = Client("https://acme.pipedrive.invalid", ("x-api-token", Secret(CANARY)), timeout=5)
        with pytest.raises(NoAnswer) as caught:
            await session.send(catalog.me())
        assert not caught.value.may_have_arrived
        await session.aclose()
        server.close()
        await server.wait_closed()

    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    asyncio.run(main())
    assert [line.startswith(b"CONNECT acme.pipedrive.invalid:443") for line in heard] == [True] * asked
    assert CANARY.encode() not in b"".join(heard)


def test_many_calls_at_once_are_spread_over_small_pools() -> None:
    """Twenty calls in flight open ten pools, and two of them no more than one."""

    async def main() -> list[int]:
        counts = []
        for calls in (2, 20):
            session = Client("http://127.0.0.1:1", ("x-api-token", Secret(CANARY)), timeout=30)
            with respx.mock:
                respx.get("http://127.0.0.1:1/api/v1/users/me").mock(side_effect=_slow)
                await asyncio.gather(*(session.send(catalog.me()) for _ in range(calls)))
            counts.append(len(session._pools))
            await session.aclose()
        return counts

    assert asyncio.run(main()) == [1, 10]


async def _slow(request: httpx.Request) -> httpx.Response:
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    return httpx.Response(200, json={})


def told(body: dict[str, Any] | None, status: int = 200, text: str = "", **headers: str) -> Answer:
    """An answer as the client would make it."""
    return Answer(status, headers, body, text)


@pytest.mark.parametrize(
    ("answer", "ok"),
    [
        (told({"success": True}), True),
        (told({}, 201), True),
        (told({"success": False}), False),
        (told({"success": True}, 400), False),
        (told(None), False),
    ],
)
def test_success_is_2xx_with_an_object_that_does_not_deny_it(answer: Answer, ok: bool) -> None:
    """v1 has been seen to say 200 and `success: false`."""
    assert answer.ok is ok


@pytest.mark.parametrize(
    ("additional", "cursor", "start"),
    [
        ({"next_cursor": "abc"}, "abc", None),
        ({"next_cursor": None}, None, None),
        (None, None, None),
        ({"pagination": {"start": 0, "limit": 500, "more_items_in_collection": True, "next_start": 400}}, None, 400),
        ({"pagination": {"start": 500, "limit": 500, "more_items_in_collection": True}}, None, 1000),
        ({"start": 500, "limit": 100, "more_items_in_collection": True}, None, 600),
        ({"start": 500, "limit": 100, "more_items_in_collection": False}, None, None),
        ({"more_items_in_collection": True}, None, None),
    ],
)
def test_both_ways_of_paging_are_read(additional: Any, cursor: str | None, start: int | None) -> None:
    """v2's cursor, and v1's offset in the two places where it has been seen."""
    answer = told({"success": True, "data": [], "additional_data": additional})
    assert (answer.next_cursor, answer.next_start) == (cursor, start)


def test_an_answers_words_are_pipedrives_own() -> None:
    """Error, its details and its code come from the body; without one, from the text."""
    answer = told({"error": "bad", "error_info": "worse", "code": "ERR_X", "errorCode": 400}, 400)
    assert (answer.error, answer.code) == ("bad · worse", "ERR_X")
    assert told({"error": {"not": "text"}, "errorCode": 429}).code == "429"
    assert told({"error": {"not": "text"}}).error == ""
    assert told({}).code is None
    assert told(None, 403, "<html>").error == "<html>"


def test_the_date_is_pipedrives_clock_in_utc() -> None:
    """The Date header, in whatever zone, is an aware UTC time; nonsense is none."""
    assert told({}, date="Mon, 23 Nov 2026 10:00:00 GMT").date == datetime(2026, 11, 23, 10, tzinfo=UTC)
    assert http_date("Mon, 23 Nov 2026 10:00:00 -0000") == datetime(2026, 11, 23, 10, tzinfo=UTC)
    assert http_date("Mon, 23 Nov 2026 12:00:00 +0200") == datetime(2026, 11, 23, 10, tzinfo=UTC)
    assert told({}, date="yesterday").date is None
    assert told({}).date is None


def test_whole_numbers_beyond_64_bits_are_no_whole_numbers() -> None:
    """Neither the journal nor arithmetic could hold them; what is small stays exact."""
    numbers = [1, 2**63 - 1, -(2**63), 2**63, -(2**70), 10**30, 10**400]
    content = json.dumps({"data": [{"n": numbers}]}).encode()
    answer = send(POST, answering(200, content))
    if answer.body is not None:  # a number may be too large for the decoder, too
        assert answer.data == [{"n": [1, 2**63 - 1, -(2**63), 2.0**63, -(2.0**70), 1e30, None]}]
    answer = send(POST, answering(200, json.dumps({"data": numbers[:-1]}).encode()))
    assert [type(number) for number in answer.data] == [int, int, int, float, float, float]
