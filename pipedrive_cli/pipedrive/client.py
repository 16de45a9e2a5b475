"""Sends calls to Pipedrive and returns the answers. The only module that uses httpx.

It sends each call once and unchanged. Whether and when to send it, and what its answer means, is decided elsewhere.

A call's way out: the body becomes JSON · a request with prepared headers (key, user agent) · the first of several small
connection pools with a free place · verified TLS. The answer's way back: no redirect is followed (that would send the
key elsewhere) · the body is read up to a limit · JSON is decoded · all errors become one exception, `NoAnswer`.
"""

from __future__ import annotations

import asyncio
import importlib.util
import ipaddress
import json
import ssl
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import httpx
import msgspec

from pipedrive_cli.errors import UserMistake
from pipedrive_cli.pipedrive.answer import Answer, NoAnswer
from pipedrive_cli.pipedrive.catalog import Call
from pipedrive_cli.pipedrive.way_out import Proxy, proxy_for, tls_context, untrusted, unusable_proxy
from pipedrive_cli.secret import Secret
from pipedrive_cli.version import __version__

# httpcore tries to import sniffio at every lock, eight times a request, and anyio no longer installs it. The failing
# searches took a fifth of a run. An entry of None in sys.modules makes the import fail at once.
if importlib.util.find_spec("sniffio") is None:
    sys.modules["sniffio"] = None  # type: ignore[assignment]  # the language's own way, unknown to its type stubs

# For every request an httpx pool walks all its connections several times: a pool of eight is a quarter slower.
CONNECTIONS_PER_POOL = 2
# Shorter than any server's limit: a connection that the server closes while we send would leave a write in doubt.
KEEPALIVE_SECONDS = 4.0
# 500 records of an account with many fields are a few MiB.
MAX_BODY_BYTES = 64 * 1024 * 1024
TEXT_CHARACTERS = 300
# Every digit as a zero: a search for nineteen zeros takes a tenth of the time of a pattern.
_DIGITS = bytes.maketrans(b"123456789", b"0" * 9)
_HUGE = b"0" * 19
_decode = msgspec.json.Decoder().decode

# With one of these nothing was sent; after any other exception Pipedrive may have received the request.
_NOT_SENT = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.ProxyError,
    httpx.UnsupportedProtocol,
    httpx.InvalidURL,
)

_PLAIN_WORDS: Mapping[type[Exception], str] = {
    httpx.ConnectTimeout: "connecting took too long",
    httpx.PoolTimeout: "too many requests at once",
    httpx.ReadTimeout: "it took too long",
    httpx.WriteTimeout: "sending took too long",
    TimeoutError: "it took too long altogether",
    httpx.ReadError: "the connection broke",
    httpx.WriteError: "the connection broke while sending",
    httpx.RemoteProtocolError: "the connection was closed in the middle",
}


@dataclass(slots=True)
class _Pool:
    transport: httpx.AsyncBaseTransport
    in_flight: int = 0


class _WholeTimeout:
    """Bounds what each of many requests may take altogether, as `asyncio.timeout` does, with one timer for all.

    A timer of its own for each, which is nearly always cancelled, would cost a tenth of sending a request.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._under_way: dict[_Bounded, None] = {}  # in the order of their ends
        self._timer: asyncio.TimerHandle | None = None
        self._loop: asyncio.AbstractEventLoop | None = None  # the timer's

    def begin(self, loop: asyncio.AbstractEventLoop) -> _Bounded:
        """For a `with` around a request of the task that calls this."""
        task = asyncio.current_task(loop)
        assert task is not None  # noqa: S101 - a coroutine runs in a task
        bounded = _Bounded(self._under_way, task, loop.time() + self._seconds)
        self._under_way[bounded] = None
        if self._timer is None or self._loop is not loop:
            self._loop, self._timer = loop, loop.call_at(bounded.end, self._look, loop, bounded.end)
        return bounded

    def _look(self, loop: asyncio.AbstractEventLoop, now: float) -> None:
        # `now` is the time that the timer was set to: a loop may call it a little too early.
        self._timer = None
        for bounded in list(self._under_way):
            if bounded.end > now:
                self._timer = loop.call_at(bounded.end, self._look, loop, bounded.end)
                return
            bounded.expire()

    def aclose(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


class _Bounded:
    """One request under way. Raises TimeoutError at its end."""

    __slots__ = ("_cancelled_before", "_expired", "_task", "_under_way", "end")

    def __init__(self, under_way: dict[_Bounded, None], task: asyncio.Task[Any], end: float) -> None:
        self._under_way = under_way
        self._task = task
        self._cancelled_before = task.cancelling()
        self._expired = False
        self.end = end

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: object) -> None:
        self._under_way.pop(self, None)
        # Somebody else may have cancelled the task as well: then it ends.
        if self._expired and self._task.uncancel() <= self._cancelled_before and kind is asyncio.CancelledError:
            raise TimeoutError from error

    def expire(self) -> None:
        del self._under_way[self]
        self._expired = True
        self._task.cancel()


class Client:
    """A connection to one Pipedrive.

    `base_url` is ``https://acme.pipedrive.com``, or http to a loopback address. `credentials` are a header's name and
    the key in it (``x-api-token``, or ``authorization`` with ``Bearer ...``). `timeout`, in seconds, applies to
    connecting, to sending and to each silence of the server; the whole may take four times as long. `transport`
    replaces the network. More than `connections` calls at once wait for each other. Proxies are taken from the
    environment, but not for loopback. Raises `UserMistake` for a `base_url` to which the key must not be sent, and for
    a key that no header can carry.
    """

    def __init__(
        self,
        base_url: str,
        credentials: tuple[str, Secret],
        *,
        timeout: float,
        transport: httpx.AsyncBaseTransport | None = None,
        connections: int = 40,
    ) -> None:
        self._base, loopback = _checked(base_url)
        header, key = credentials[0], credentials[1].reveal()
        if not key or not key.isascii() or not key.isprintable():
            # httpx and h11 would refuse the key, too, but show it in their message.
            raise UserMistake("the API token has characters that a token never has", code="api_token")
        self._secret_header = header
        # Copied for each request: httpx would spend as long on these as on the rest of a request.
        self._headers = httpx.Headers(
            [
                (b"host", httpx.URL(self._base).netloc),
                (b"accept", b"application/json"),
                (b"accept-encoding", b"gzip"),
                (b"user-agent", f"pipedrive-cli/{__version__}".encode()),
                (header.encode(), key.encode()),
            ]
        )
        self._headers_of_content = lru_cache(maxsize=4096)(self._with_content)  # by the content's length
        self._extensions = {"timeout": httpx.Timeout(timeout).as_dict()}
        self._whole_timeout = _WholeTimeout(timeout * 4)
        self._transport = transport
        # Loading the certificates is slow: once for all pools, and only for TLS.
        tls = self._base.startswith("https:") and transport is None
        self._tls = tls_context(httpx.create_ssl_context) if tls else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self._proxy = None if loopback or transport is not None else _proxy_for(httpx.URL(self._base))
        self._most_pools = 1 if transport else max(1, -(-connections // CONNECTIONS_PER_POOL))
        self._pools: list[_Pool] = []
        # Parsing the same address for every request would cost a tenth of sending it.
        self._url = lru_cache(maxsize=256)(lambda target: httpx.URL(self._base + target))

    def __repr__(self) -> str:
        return f"<Client {self._base}>"

    async def send(self, call: Call) -> Answer:
        """Send the call once. Raises `NoAnswer` when no answer came, or when it could not be read to its end."""
        loop = asyncio.get_running_loop()
        sent_at = loop.time()
        request = self._request(call)
        pool = self._pool()
        pool.in_flight += 1
        try:
            with self._whole_timeout.begin(loop):
                # Without httpx.AsyncClient, which would handle redirects, cookies and hooks that we do not use.
                response = await pool.transport.handle_async_request(request)
                headers = {n.decode("latin-1").lower(): v.decode("latin-1") for n, v in response.headers.raw}
                body, text = await _read(response, encoded="content-encoding" in headers)
        except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError, TimeoutError) as problem:
            # The exception holds the request, which must not hold the key.
            request.headers.pop(self._secret_header, None)
            raise _no_answer(problem, self._base, self._proxy) from problem
        finally:
            pool.in_flight -= 1
        return Answer(response.status_code, headers, body, text, sent_at, loop.time())

    async def aclose(self) -> None:
        """Close every connection."""
        self._whole_timeout.aclose()
        for pool in self._pools:
            await pool.transport.aclose()
        self._pools.clear()

    def _request(self, call: Call) -> httpx.Request:
        # Made by hand: `AsyncClient.build_request` takes 60 µs to merge URLs, headers and cookies, and a request that
        # is given its content instead of a stream takes 25 µs to find out its headers.
        sent = call.body if call.rows is None else call.rows
        content = b"" if sent is None else _encoded(sent)
        return httpx.Request(
            call.method,
            self._url(call.target),
            headers=self._headers if sent is None else self._headers_of_content(len(content)),
            stream=httpx.ByteStream(content),
            extensions=self._extensions,
        )

    def _with_content(self, length: int) -> httpx.Headers:
        return httpx.Headers(
            [*self._headers.raw, (b"content-type", b"application/json"), (b"content-length", b"%d" % length)]
        )

    def _pool(self) -> _Pool:
        """The first pool with a free place. So a run with few calls at once keeps few connections open."""
        for pool in self._pools:
            if pool.in_flight < CONNECTIONS_PER_POOL:
                return pool
        if len(self._pools) < self._most_pools:
            pool = _Pool(self._transport or self._connected())
            self._pools.append(pool)
            return pool
        return min(self._pools, key=lambda pool: pool.in_flight)

    def _connected(self) -> httpx.AsyncHTTPTransport:
        limits = httpx.Limits(
            max_connections=CONNECTIONS_PER_POOL,
            max_keepalive_connections=CONNECTIONS_PER_POOL,
            keepalive_expiry=KEEPALIVE_SECONDS,
        )
        proxy = None if self._proxy is None else self._proxy.url
        return httpx.AsyncHTTPTransport(verify=self._tls, limits=limits, proxy=proxy, trust_env=False)


def _proxy_for(url: httpx.URL) -> Proxy | None:
    """The proxy that the environment names for this address. Raises UserMistake for one that httpx cannot use."""
    proxy = proxy_for(url.scheme, url.host)
    if proxy is not None:
        try:
            httpx.AsyncHTTPTransport(verify=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), proxy=proxy.url, trust_env=False)
        except (httpx.InvalidURL, ValueError, ImportError) as problem:
            raise unusable_proxy(
                proxy.named_by, "a proxy that cannot be used", "write http://HOST:PORT, or take it out"
            ) from problem
    return proxy


def _checked(base_url: str) -> tuple[str, bool]:
    """The URL without a slash at its end, and whether it is a loopback address."""
    hint = "use https://<company>.pipedrive.com, or http://127.0.0.1:<port> for a Pipedrive on this machine"
    try:
        url = httpx.URL(base_url)
    except (httpx.InvalidURL, TypeError) as problem:
        raise UserMistake("pipedrive.base_url is no URL", code="base_url", hint=hint) from problem
    loopback = _is_loopback(url.host)
    if not url.host or url.userinfo or url.query or url.fragment:
        raise UserMistake(
            "pipedrive.base_url must be a host, without user, query or fragment", code="base_url", hint=hint
        )
    if url.scheme != "https" and not (url.scheme == "http" and loopback):
        raise UserMistake("pipedrive.base_url would send the key unencrypted", code="base_url", hint=hint)
    return str(url).rstrip("/"), loopback


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _encoded(body: Mapping[str, Any] | Sequence[Mapping[str, Any]]) -> bytes:
    try:
        return msgspec.json.encode(body)
    except UnicodeEncodeError:
        # Half of a surrogate pair, from a file that was cut carelessly: JSON can escape it.
        return json.dumps(body).encode()


async def _read(response: httpx.Response, *, encoded: bool) -> tuple[dict[str, Any] | None, str]:
    """The JSON object of an answer, or the beginning of its text if it is anything else. Closes the answer."""
    content = bytearray()
    stream = response.stream
    assert isinstance(stream, httpx.AsyncByteStream)  # noqa: S101 - an asynchronous transport gives no other
    try:
        if isinstance(stream, httpx.ByteStream) and not encoded:
            content += b"".join(stream)  # the sandbox's, in memory: asyncio keeps account of each asynchronous iterator
        else:
            # What is not compressed need not go through httpx's decoders.
            async for chunk in response.aiter_bytes() if encoded else stream:
                content += chunk
                if len(content) > MAX_BODY_BYTES:
                    break
    except httpx.DecodingError:
        return None, "an answer that does not decompress"
    finally:
        await stream.aclose()
    if len(content) > MAX_BODY_BYTES:
        return None, f"an answer of more than {MAX_BODY_BYTES // 2**20} MiB"
    try:
        body = _decode(content)
    except (msgspec.DecodeError, RecursionError):
        body = None
    if isinstance(body, dict):
        return (_bounded(body) if _HUGE in content.translate(_DIGITS) else body), ""
    return None, content[: 4 * TEXT_CHARACTERS].decode("utf-8", "replace")[:TEXT_CHARACTERS]


def _bounded(value: Any) -> Any:
    """JSON without whole numbers that fit nowhere: beyond 64 bits they become floating point numbers, or null."""
    if isinstance(value, dict):
        return {key: _bounded(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_bounded(inner) for inner in value]
    if not isinstance(value, int) or -(2**63) <= value < 2**63:
        return value
    return float(value) if abs(value) < 10**300 else None


def _no_answer(problem: Exception, base: str, proxy: Proxy | None) -> NoAnswer:
    unsent = isinstance(problem, _NOT_SENT)
    what = "no connection to" if unsent else "no answer from"
    through = "" if proxy is None else f" through the proxy that {proxy.named_by} names"
    reason = _PLAIN_WORDS.get(type(problem), str(problem) or type(problem).__name__)
    if "CERTIFICATE_VERIFY_FAILED" in reason:
        reason = untrusted()
    return NoAnswer(f"{what} {base}{through}: {reason}", may_have_arrived=not unsent)
