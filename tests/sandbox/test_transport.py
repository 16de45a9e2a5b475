"""The transport: httpx's timeouts in the loop's time, and broken connections as httpx tells them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import httpx
import pytest

from pipedrive_cli.sandbox import Sandbox, SandboxOptions, SandboxTransport
from pipedrive_cli.virtual_time import run

T = TypeVar("T")
TIMEOUT = httpx.Timeout(30, connect=5)


def _with_client(options: SandboxOptions, act: Callable[[httpx.AsyncClient], Awaitable[T]]) -> tuple[T, float]:
    """What `act` returns, and the virtual seconds it took."""

    async def main() -> tuple[T, float]:
        transport = SandboxTransport(Sandbox(options))
        async with httpx.AsyncClient(
            transport=transport,
            base_url="https://sandbox.test",
            headers={"x-api-token": "sandbox"},
            timeout=TIMEOUT,
        ) as client:
            return await act(client), asyncio.get_running_loop().time()

    return run(main())


def _me(client: httpx.AsyncClient) -> Awaitable[httpx.Response]:
    return client.get("/v1/users/me")


def test_requests_and_answers_pass_unchanged() -> None:
    """Query, body, status, headers and JSON arrive as through a socket."""

    async def act(client: httpx.AsyncClient) -> list[httpx.Response]:
        return [
            await client.post("/api/v2/persons", json={"name": "Ää ✓"}),
            await client.get("/api/v2/persons/search", params={"term": "ää ✓"}),
            await client.get("/api/v2/persons", params={"ids": "1,2", "limit": 5}),
        ]

    (made, found, listed), _ = _with_client(SandboxOptions(search_lag=0), act)
    assert made.json()["data"]["name"] == "Ää ✓"
    assert made.headers["X-RateLimit-Limit"] == "20"
    assert found.json()["data"]["items"][0]["item"]["id"] == 1
    assert listed.status_code == 200


@pytest.mark.parametrize(
    ("fault", "error", "seconds"),
    [
        ("silence", httpx.ReadTimeout, 30),
        ("slow=31", httpx.ReadTimeout, 30),
        ("unreachable", httpx.ConnectTimeout, 5),
        ("refused", httpx.ConnectError, 0),
        ("reset", httpx.ReadError, 0),
    ],
)
def test_a_connection_that_breaks_raises_what_httpx_raises(fault: str, error: type[Exception], seconds: float) -> None:
    """Silence is a timeout after exactly the time that the client allows; the rest breaks at once."""

    async def act(client: httpx.AsyncClient) -> None:
        with pytest.raises(error):
            await _me(client)

    _, took = _with_client(SandboxOptions(faults=fault), act)
    assert took == pytest.approx(seconds)


def test_resets_come_in_both_kinds_that_httpx_knows() -> None:
    """A broken connection is a read error one time and a protocol error the next."""

    async def act(client: httpx.AsyncClient) -> None:
        for error in (httpx.ReadError, httpx.RemoteProtocolError, httpx.ReadError):
            with pytest.raises(error):
                await _me(client)

    _with_client(SandboxOptions(faults="reset"), act)


def test_latency_passes_in_the_loops_time_and_side_by_side() -> None:
    """Requests that are in flight together wait together."""

    async def act(client: httpx.AsyncClient) -> None:
        await asyncio.gather(*(_me(client) for _ in range(10)))
        await _me(client)

    _, took = _with_client(SandboxOptions(latency=0.15), act)
    assert took == pytest.approx(0.3)


def test_the_work_is_done_when_the_client_gives_up() -> None:
    """A request whose answer comes too late was carried out."""
    sandbox = Sandbox(SandboxOptions(faults="slow=60@POST *"))

    async def main() -> None:
        async with httpx.AsyncClient(transport=SandboxTransport(sandbox), timeout=10) as client:
            with pytest.raises(httpx.ReadTimeout):
                await client.post(
                    "http://sandbox.test/api/v2/persons",
                    json={"name": "Jane"},
                    headers={"x-api-token": "sandbox"},
                )

    run(main())
    assert len(sandbox.contents()["persons"]) == 1


def test_limits_and_search_lag_follow_the_loops_time() -> None:
    """A burst is over after two virtual seconds, and a new record is found after three."""

    async def act(client: httpx.AsyncClient) -> list[int]:
        await client.post("/api/v2/persons", json={"name": "Jane"})
        burst = [(await _me(client)).status_code for _ in range(20)]
        await asyncio.sleep(2)
        found = []
        for _ in range(2):
            hits = await client.get("/api/v2/persons/search", params={"term": "jane"})
            found.append(len(hits.json()["data"]["items"]))
            await asyncio.sleep(1)
        return [burst.count(429), *found]

    assert _with_client(SandboxOptions(), act)[0] == [1, 0, 1]


def test_a_sandbox_outlives_a_loop() -> None:
    """What one event loop wrote the next one reads, and time does not run backwards."""
    sandbox = Sandbox(SandboxOptions())

    async def once() -> float:
        async with httpx.AsyncClient(transport=SandboxTransport(sandbox)) as client:
            await client.get("http://sandbox.test/v1/users/me", headers={"x-api-token": "sandbox"})
            await asyncio.sleep(5)
            return sandbox.clock.monotonic()

    assert run(once()) == pytest.approx(5)
    assert run(once()) == pytest.approx(10)
    assert sandbox.clock.monotonic() == pytest.approx(10)
