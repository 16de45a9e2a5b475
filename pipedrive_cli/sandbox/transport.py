"""An httpx transport that reaches the sandbox without a socket, and breaks as a socket would.

Timeouts are httpx's own, measured in the event loop's time, so that silence is a timeout under virtual time too.
"""

from __future__ import annotations

import asyncio
import itertools
from functools import lru_cache
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, unquote

import httpx

from pipedrive_cli.sandbox.wire import Request, Response

if TYPE_CHECKING:
    from pipedrive_cli.sandbox.app import Sandbox


class SandboxTransport(httpx.AsyncBaseTransport):
    """Sends an `httpx.AsyncClient`'s requests to a sandbox in the same process.

    The host is ignored. Raises httpx's own exceptions: `ConnectError`, `ConnectTimeout`, `ReadError`, `ReadTimeout`,
    `RemoteProtocolError`.
    """

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox
        self._resets = itertools.count()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        stream = request.stream
        # A body that is in memory takes no asynchronous reading.
        body = b"".join(stream) if isinstance(stream, httpx.ByteStream) else await request.aread()
        timeouts = request.extensions.get("timeout", {})
        response = self._sandbox.answer(_translated(request, body))
        await self._wait(response, timeouts.get("connect"), timeouts.get("read"), request)
        if response.late is not None:
            response = response.late()
        # As a stream, as the network gives it: of a content, httpx works out headers that nobody reads.
        return httpx.Response(response.status, headers=response.headers, stream=httpx.ByteStream(response.body))

    async def _wait(
        self, response: Response, connect: float | None, read: float | None, request: httpx.Request
    ) -> None:
        """Spends the time that the answer takes, or raises for the answer that does not come."""
        ending = response.ending
        if ending == "unreachable":
            await _sleep(connect)
            raise httpx.ConnectTimeout("the sandbox cannot be reached", request=request)
        if ending == "refused":
            await asyncio.sleep(0)
            raise httpx.ConnectError("the sandbox refused the connection", request=request)
        if ending == "silence" or (read is not None and response.delay > read):
            await _sleep(read)
            raise httpx.ReadTimeout("the sandbox said nothing", request=request)
        await asyncio.sleep(response.delay)
        if ending == "reset":
            # Both are what a connection that breaks looks like from inside httpx; clients must know both.
            if next(self._resets) % 2:
                raise httpx.RemoteProtocolError("Server disconnected without sending a response.", request=request)
            raise httpx.ReadError("the sandbox broke the connection", request=request)


async def _sleep(seconds: float | None) -> None:
    if seconds is None:
        await asyncio.get_running_loop().create_future()  # without a timeout one waits forever
    else:
        await asyncio.sleep(seconds)


def _translated(request: httpx.Request, body: bytes) -> Request:
    path, query = _parsed(request.url.raw_path)
    headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in request.headers.raw}
    return Request(request.method, path, query, headers, body)


@lru_cache(maxsize=1024)  # most requests go to a few addresses
def _parsed(raw_path: bytes) -> tuple[str, tuple[tuple[str, str], ...]]:
    path, _, query = raw_path.decode("ascii").partition("?")
    return unquote(path), tuple(parse_qsl(query, keep_blank_values=True))
