"""Serves a sandbox over HTTP on this machine. The only module that knows uvicorn, and only when it is called."""

from __future__ import annotations

import ipaddress
import socket
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from pipedrive_cli.sandbox.asgi import ABORT, Receive, Scope, Send

if TYPE_CHECKING:
    from pipedrive_cli.sandbox.app import Sandbox


_LAST_SECOND = 1.0


async def serve(
    sandbox: Sandbox, host: str = "127.0.0.1", port: int = 0, started: Callable[[str], None] = print
) -> None:
    """Answers until it is cancelled or interrupted. `started` is told the base URL once requests are taken.

    Port 0 is any that is free. Raises `ValueError` for a host that others could reach: a sandbox has a known key.
    `OSError` where the port is taken.
    """
    if not _is_loopback(host):
        raise ValueError(f"the sandbox is served on this machine only, such as 127.0.0.1, not on {host}")
    import uvicorn  # noqa: PLC0415  the rest of the program starts without it
    from uvicorn.protocols.http.h11_impl import H11Protocol  # noqa: PLC0415  likewise

    connections: dict[tuple[str, int], Any] = {}

    class Protocol(H11Protocol):
        """h11's protocol, which remembers its connections so that a fault can cut one."""

        def connection_made(self, transport: Any) -> None:
            super().connection_made(transport)
            connections[transport.get_extra_info("peername")[:2]] = transport

        def connection_lost(self, exc: Exception | None) -> None:
            connections.pop(self.transport.get_extra_info("peername")[:2], None)
            super().connection_lost(exc)

        def shutdown(self) -> None:
            super().shutdown()
            # What is answered is answered by then; a client met with silence would keep the server for ever.
            self.loop.call_later(_LAST_SECOND, self.transport.abort)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        connection = connections.get(tuple(scope.get("client") or ())[:2])
        if connection is not None:
            scope["extensions"] = {**scope.get("extensions", {}), ABORT: connection.abort}
        await sandbox.app(scope, receive, send)

    with _listener(host, port) as listener:
        config = uvicorn.Config(
            app,
            http=Protocol,
            lifespan="off",
            log_config=None,
            log_level="error",
            proxy_headers=False,  # a connection is known by its own address
            access_log=False,
            date_header=False,  # the sandbox sends its own
            server_header=False,
        )
        server = uvicorn.Server(config)
        place = listener.getsockname()
        shown = f"[{place[0]}]" if ":" in place[0] else place[0]
        started(f"http://{shown}:{place[1]}")
        await server.serve(sockets=[listener])


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _listener(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio switches off Nagle's delay only for sockets that were made as TCP by name; without that every answer,
    # which is written as head and body, waits 40 ms for the client's acknowledgement.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        if sys.platform != "win32":  # there it would let two servers share a port
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(256)
    except OSError:
        listener.close()
        raise
    return listener
