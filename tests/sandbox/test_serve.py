"""The sandbox on a loopback port, seen by a client over real sockets."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import httpx
import pytest

from pipedrive_cli.sandbox import Sandbox, SandboxOptions
from pipedrive_cli.sandbox.serve import serve

KEY = {"x-api-token": "sandbox"}


def _served(sandbox: Sandbox, act: Callable[[httpx.AsyncClient], Awaitable[None]]) -> None:
    """Runs `act` with a client of the sandbox while that is served."""

    async def main() -> None:
        url: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        server = asyncio.create_task(serve(sandbox, started=url.set_result))
        try:
            async with httpx.AsyncClient(base_url=await url, headers=KEY, timeout=60, trust_env=False) as client:
                await act(client)
        finally:
            server.cancel()
            await asyncio.gather(server, return_exceptions=True)

    asyncio.run(main())


def test_a_client_works_over_a_socket() -> None:
    """Requests over HTTP reach the same sandbox that the transport reaches in the process."""
    sandbox = Sandbox(SandboxOptions())

    async def act(client: httpx.AsyncClient) -> None:
        made = await client.post("/api/v2/persons", json={"name": "Jane"})
        assert made.json()["data"]["id"] == 1
        listed = await client.get("/api/v2/persons", params={"limit": 500})
        assert [row["name"] for row in listed.json()["data"]] == ["Jane"]
        assert listed.headers["x-ratelimit-limit"] == "20"
        assert len(listed.headers.get_list("date")) == 1
        assert (await client.get("/v1/nothing")).status_code == 404

    _served(sandbox, act)
    assert sandbox.contents()["persons"][0]["name"] == "Jane"


def test_a_fault_cuts_the_connection(caplog: pytest.LogCaptureFixture) -> None:
    """A reset is one for the client too: no byte of an answer, and the server does not take it for a mistake."""
    sandbox = Sandbox(SandboxOptions(faults="reset-after@POST *, silence@DELETE *"))

    async def act(client: httpx.AsyncClient) -> None:
        with pytest.raises((httpx.ReadError, httpx.RemoteProtocolError)):
            await client.post("/api/v2/persons", json={"name": "Jane"})
        assert (await client.get("/api/v2/persons/1")).status_code == 200
        with pytest.raises(httpx.ReadTimeout):
            await client.delete("/api/v2/persons/1", timeout=httpx.Timeout(60, read=0.05))

    _served(sandbox, act)
    assert [record.getMessage() for record in caplog.records if record.name.startswith("uvicorn")] == []


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.1.1", "example.com", "::"])
def test_the_sandbox_is_served_on_this_machine_alone(host: str) -> None:
    """A host that others could reach is refused: the key is known to everybody."""
    with pytest.raises(ValueError, match="on this machine only"):
        asyncio.run(serve(Sandbox(), host=host))


def test_a_server_without_a_way_to_cut_lines_breaks_off_in_the_middle() -> None:
    """As a plain ASGI application a reset is an answer shorter than it promised."""
    sandbox = Sandbox(SandboxOptions(faults="reset"))
    sent: list[dict[str, object]] = []

    async def receive() -> dict[str, object]:
        return {"type": "http.request", "body": b""}

    async def send(event: object) -> None:
        assert isinstance(event, dict)
        sent.append(event)

    scope = {
        "type": "http",
        "method": "GET",
        "path": "/v1/users/me",
        "query_string": b"",
        "headers": [(b"x-api-token", b"sandbox")],
    }
    asyncio.run(sandbox.app(scope, receive, send))
    assert sent[-1]["more_body"] is True
