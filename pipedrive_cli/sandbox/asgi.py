"""The sandbox as an ASGI application, without a framework: one request in, one answer out, or a broken line."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any
from urllib.parse import parse_qsl

from pipedrive_cli.sandbox.wire import Request, Response

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Handler = Callable[[Request], Awaitable[Response]]

# A server that can cut a connection puts a function under this name into the scope's extensions.
ABORT = "pipedrive_cli.abort"


class Application:
    """Turns ASGI's events into a `Request` and a `Response` into ASGI's events."""

    def __init__(self, handle: Handler) -> None:
        self._handle = handle

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        body = await _body(receive)
        query = tuple(parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True))
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
        response = await self._handle(Request(scope["method"], scope["path"], query, headers, body))
        if response.ending == "complete":
            await _send(response, send)
        elif response.ending in {"silence", "unreachable"}:
            await _disconnected(receive)
        else:
            await _cut(scope, send)


async def _body(receive: Receive) -> bytes:
    chunks = []
    while True:
        event = await receive()
        chunks.append(event.get("body", b""))
        if not event.get("more_body", False):
            return b"".join(chunks)


async def _send(response: Response, send: Send) -> None:
    headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in response.headers.items()]
    headers.append((b"content-length", str(len(response.body)).encode()))
    await send({"type": "http.response.start", "status": response.status, "headers": headers})
    await send({"type": "http.response.body", "body": response.body})


async def _disconnected(receive: Receive) -> None:
    """Waits until the client has had enough, a day at most."""
    async with asyncio.timeout(86_400):
        while (await receive())["type"] != "http.disconnect":
            pass


async def _cut(scope: Scope, send: Send) -> None:
    """Breaks the connection, or where the server has no way to: promises more than is sent, which ends it too."""
    abort = scope.get("extensions", {}).get(ABORT)
    if abort is not None:
        abort()
        await asyncio.sleep(0)  # the server has to hear of it before this returns, or it takes it for a mistake
        return
    headers = [(b"content-type", b"application/json"), (b"content-length", b"1000")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b'{"succ', "more_body": True})
