"""A real S3 server (moto's) on loopback, which counts what it is asked and can break off in the middle of an answer."""

from __future__ import annotations

import itertools
import logging
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import quote, unquote

import httpx

_buckets = itertools.count(1)


class S3Server:
    """Speaks WSGI to moto. `requests` are method and path (with what was asked to be listed); `breaks` says after how
    many bytes the next answers to a GET of a path end, one number each; `asked` is called before each answer.
    """

    def __init__(self, app: Callable[..., Iterable[bytes]]) -> None:
        self._app = app
        self.address = ""
        self.requests: list[str] = []
        self.breaks: dict[str, list[int]] = {}
        self.denied: set[str] = set()
        self.asked: Callable[[str], None] = lambda _: None

    @property
    def environment(self) -> dict[str, str]:
        """The variables by which the SDK finds this server, as another S3 would be found."""
        settings = {
            "ENDPOINT_URL": self.address,
            "ACCESS_KEY_ID": "a",
            "SECRET_ACCESS_KEY": "b",
            "DEFAULT_REGION": "us-east-1",
            "EC2_METADATA_DISABLED": "true",
            "CONFIG_FILE": "/nonexistent",
            "SHARED_CREDENTIALS_FILE": "/nonexistent",
        }
        return {f"AWS_{name}": value for name, value in settings.items()}

    def forget(self) -> None:
        """What one test has set is not for the next."""
        self.breaks.clear()
        self.denied.clear()
        self.requests.clear()
        self.asked = lambda _: None

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        path = environ["PATH_INFO"].encode("latin-1").decode()
        asked = dict(part.partition("=")[::2] for part in environ["QUERY_STRING"].split("&"))
        listed = f"?{unquote(asked['prefix'])}" if "prefix" in asked else ""
        self.requests.append(f"{environ['REQUEST_METHOD']} {path}{listed}")
        self.asked(self.requests[-1])
        if path in self.denied:
            start_response("403 Forbidden", [("Content-Type", "application/xml")])
            return [b"<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>"]
        body = self._app(environ, start_response)
        left = self.breaks.get(path)
        if environ["REQUEST_METHOD"] != "GET" or not left:
            return body
        return _broken(body, left.pop(0))

    def bucket(self) -> str:
        """A new bucket's name."""
        name = f"exports-{next(_buckets)}"
        self._ask("PUT", f"/{name}")
        return name

    def put(self, path: str, content: bytes, **headers: str) -> None:
        """An object at `bucket/key`."""
        self._ask("PUT", f"/{path}", content, headers)

    def _ask(self, method: str, path: str, content: bytes = b"", headers: dict[str, str] | None = None) -> None:
        known = {name.replace("_", "-"): value for name, value in (headers or {}).items()}
        known["Authorization"] = "AWS a:b"  # strangers may not write over an object
        answer = httpx.request(method, self.address + quote(path), content=content, headers=known)
        assert answer.status_code == 200, answer.text


def _broken(body: Iterable[bytes], size: int) -> Iterator[bytes]:
    """The first bytes of an answer, after which the connection is gone."""
    yield b"".join(body)[:size]
    raise ConnectionResetError


@contextmanager
def serving() -> Iterator[S3Server]:
    """The server, while it runs."""
    from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
    from werkzeug.serving import make_server

    logging.getLogger("werkzeug").setLevel(logging.CRITICAL)  # it would tell of every request
    server = S3Server(DomainDispatcherApplication(create_backend_app))
    http = make_server("127.0.0.1", 0, server, threaded=True)
    server.address = f"http://127.0.0.1:{http.port}"
    thread = threading.Thread(target=http.serve_forever, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        http.shutdown()
        thread.join()
        http.server_close()
