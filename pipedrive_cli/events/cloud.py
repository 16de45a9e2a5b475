"""Object stores behind one interface: lists objects, streams their bytes, and translates the SDKs' errors.

fsspec reads S3, Google Cloud Storage and Azure alike, each with the credentials (environment, profiles, roles), retries
and time-outs of its SDK. It comes with the extra `cloud` and is loaded when a URL is named.
"""

from __future__ import annotations

import asyncio
import io
import logging
import re
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import Any, BinaryIO, Final, Literal, cast

from pipedrive_cli.errors import PipedriveCliError, StopRun, UserMistake

BLOCK: Final = 4 << 20  # bytes of one fetch; two blocks are held, because the next is fetched while one is read

_PACKAGES: Final = {"s3": "s3fs", "gs": "gcsfs", "az": "adlfs"}
SCHEMES: Final = tuple(_PACKAGES)

_ADVICE: Final = {
    "s3": "Credentials come as for the AWS CLI: `aws configure`, AWS_PROFILE, or AWS_ACCESS_KEY_ID and its kin. "
    "Reading needs s3:ListBucket and s3:GetObject.",
    "gs": "Credentials come as for gcloud: `gcloud auth application-default login`, or GOOGLE_APPLICATION_CREDENTIALS. "
    "Reading needs storage.objects.list and storage.objects.get.",
    "az": "Name the account in AZURE_STORAGE_ACCOUNT_NAME, with AZURE_STORAGE_ACCOUNT_KEY or a login of the Azure CLI. "
    "Reading needs the role Storage Blob Data Reader.",
}
_NOISY_LOGGERS: Final = ("fsspec", "s3fs", "gcsfs", "adlfs", "aiobotocore", "botocore", "azure", "google")
_NO_BUCKET: Final = re.compile(r"(bucket|container) does not exist", re.IGNORECASE)
_TEXT: Final = 300  # characters kept of what a server says

# Names of exceptions: the three SDKs share none, and importing an SDK only for its exceptions would be slow.
_CREDENTIALS: Final = frozenset(
    {
        "NoCredentialsError",
        "PartialCredentialsError",
        "CredentialRetrievalError",
        "ProfileNotFound",
        "SSOError",
        "GoogleAuthError",
        "ClientAuthenticationError",
    }
)
_NETWORK: Final = frozenset(
    {
        "HTTPClientError",  # botocore
        "ClientConnectionError",  # aiohttp
        "ClientPayloadError",
        "ServiceRequestError",  # azure
        "ServiceResponseError",
        "FSTimeoutError",
        "IncompleteReadError",
        "ResponseStreamingError",
        "ConnectionError",
        "TimeoutError",
    }
)

Cause = Literal["missing", "denied", "credentials", "network", "other"]


@dataclass(frozen=True, slots=True)
class CloudObject:
    """One object. `url` is its name in messages. `version` changes whenever the content does (None: unknown)."""

    store: ObjectStore
    path: str  # bucket/key
    size: int  # bytes
    version: str | None

    @property
    def url(self) -> str:
        return f"{self.store.scheme}://{self.path}"

    def open(self) -> BinaryIO:
        """The object's bytes. Reading raises OSError: ConnectionError where trying again may help."""
        return cast(BinaryIO, _ObjectStream(self))

    def open_seekable(self) -> BinaryIO:
        """The same for what is not read from start to end: each read fetches what it needs. Raises OSError."""
        return self.store.open_seekable(self.path)


class ObjectStore:
    """The object stores of one scheme, with the credentials that their SDK finds."""

    def __init__(self, scheme: str, url: str) -> None:
        """Raises UserMistake where the packages that read this scheme are missing."""
        self.scheme = scheme
        try:
            import fsspec  # noqa: PLC0415 - an extra, and slow to load

            self._kind: Any = fsspec.get_filesystem_class(scheme)
        except ImportError as error:
            package = _PACKAGES[scheme]
            raise UserMistake(
                f"{scheme}:// needs the package {package}, which is not installed",
                code="cloud_missing",
                hint=f"pip install 'pipedrive-cli[cloud]', or with pipx: pipx inject pipedrive-cli {package}",
            ) from error
        for name in _NOISY_LOGGERS:  # their log lines repeat what the exception says
            logging.getLogger(name).addHandler(logging.NullHandler())
        with self.translated_errors(url):
            # A new instance: fsspec would share one, together with its cache of listings.
            self._files: Any = self._kind(use_listings_cache=False, skip_instance_cache=True)

    def __reduce__(self) -> tuple[Callable[[str], ObjectStore], tuple[str]]:
        """In another process: with the credentials that are found there, and once for all objects."""
        return _store_here, (self.scheme,)

    def path_of(self, url: str) -> str:
        """`bucket/key` of a URL, without slashes at its end."""
        return str(self._kind._strip_protocol(self._url(url.partition("://")[2]))).rstrip("/")

    def find_object(self, path: str) -> CloudObject | None:
        """The object at `path`, None if it is a folder. Raises FileNotFoundError, UserMistake, StopRun."""
        with self.translated_errors(self._url(path)):
            found = self._files.info(path)
        return None if found["type"] == "directory" else self._object(found)

    def list_folder(self, path: str) -> tuple[list[str], list[CloudObject]]:
        """Folders and objects directly in a folder, by path. Raises as `find_object` does."""
        with self.translated_errors(self._url(path)):
            rows = self._files.ls(path, detail=True)
        folders = [str(row["name"]).rstrip("/") for row in rows if row["type"] == "directory"]
        return folders, [self._object(row) for row in rows if row["type"] != "directory"]

    def list_below(self, path: str) -> list[CloudObject]:
        """All objects below a folder at any depth, listed a thousand at once. Raises as `find_object` does."""
        with self.translated_errors(self._url(path)):
            rows = self._files.find(path, detail=True)
        return [self._object(row) for row in rows.values() if row["type"] != "directory"]

    def open_seekable(self, path: str) -> BinaryIO:
        """An object that can be read from any place. Raises OSError."""
        try:
            return cast(BinaryIO, self._files.open(path, "rb", block_size=BLOCK))
        except Exception as error:
            raise _as_os_error(error) from error

    def start_fetch(self, path: str, start: int, end: int) -> Future[bytes]:
        """Starts to fetch these bytes of an object."""
        return asyncio.run_coroutine_threadsafe(self._files._cat_file(path, start=start, end=end), self._files.loop)

    @contextmanager
    def translated_errors(self, url: str) -> Iterator[None]:
        """Translates the SDKs' exceptions into `UserMistake` and `StopRun`; a missing object is FileNotFoundError."""
        try:
            yield
        except PipedriveCliError:
            raise
        except Exception as error:
            cause = cloud_cause(error)
            if cause == "missing" and not _is_bucket(error, self.path_of(url)):
                raise FileNotFoundError(url) from error
            raise self._mistake(cause, url, error) from error

    def _mistake(self, cause: Cause, url: str, error: Exception) -> PipedriveCliError:
        match cause:
            case "missing":
                bucket = self.path_of(url).partition("/")[0]
                hint = "Check the name; nothing was read or sent."
                return UserMistake(f"{url}: there is no bucket {bucket}", code="source_missing", hint=hint)
            case "denied":
                hint = _ADVICE[self.scheme]
                return UserMistake(f"{url}: access denied ({_brief(error)})", code="source_unreadable", hint=hint)
            case "credentials":
                hint = _ADVICE[self.scheme]
                return UserMistake(f"{url}: no credentials ({_brief(error)})", code="source_unreadable", hint=hint)
            case "network":
                hint = "See to the network, then run again; nothing was read or sent."
                return StopRun(f"{url} cannot be reached ({_brief(error)})", code="source_unreachable", hint=hint)
        hint = _ADVICE[self.scheme]
        return UserMistake(f"{url}: it cannot be listed ({_brief(error)})", code="source_unreadable", hint=hint)

    def _url(self, path: str) -> str:
        return f"{self.scheme}://{path}"

    def _object(self, row: dict[str, Any]) -> CloudObject:
        return CloudObject(self, str(row["name"]), int(row["size"] or 0), _version(row))


@cache
def _store_here(scheme: str) -> ObjectStore:
    return ObjectStore(scheme, f"{scheme}://")


class _ObjectStream(io.RawIOBase):
    """Reads an object from start to end, block by block."""

    def __init__(self, source: CloudObject) -> None:
        super().__init__()
        self._source = source
        self._position = 0  # where the next fetch begins
        self._fetch: Future[bytes] | None = None
        self._expected = 0
        self._block = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if not self._block:
            self._block = memoryview(self._next())
        taken = self._block[: len(buffer)]
        buffer[: len(taken)] = taken
        self._block = self._block[len(taken) :]
        return len(taken)

    def close(self) -> None:
        if self._fetch is not None:
            self._fetch.cancel()
            self._fetch = None
        super().close()

    def _next(self) -> bytes:
        if self._fetch is None:
            self._start_fetch()
        if self._fetch is None:
            return b""
        fetch, self._fetch = self._fetch, None
        try:
            block = fetch.result()
        except Exception as error:
            raise _as_os_error(error) from error
        if len(block) != self._expected:
            raise OSError(f"the object is no longer as it was listed: {len(block)} bytes instead of {self._expected}")
        self._start_fetch()
        return block

    def _start_fetch(self) -> None:
        source = self._source
        end = min(self._position + BLOCK, source.size)
        if end > self._position:
            self._fetch = source.store.start_fetch(source.path, self._position, end)
            self._expected = end - self._position
            self._position = end


def _as_os_error(error: Exception) -> OSError:
    message = _brief(error)
    return ConnectionError(message) if cloud_cause(error) == "network" else OSError(message)


def cloud_cause(error: BaseException) -> Cause:
    """The cause that an SDK's exception stands for."""
    names = {kind.__name__ for kind in type(error).__mro__}
    status = getattr(error, "status_code", None) or getattr(error, "code", None)  # azure, gcsfs
    if names & _CREDENTIALS:
        return "credentials"
    if isinstance(error, FileNotFoundError) or status == 404:
        return "missing"
    if isinstance(error, PermissionError) or status in {401, 403}:
        return "denied"
    if names & _NETWORK or (isinstance(status, int) and status >= 500):
        return "network"
    return "other"


def _is_bucket(error: Exception, path: str) -> bool:
    return "/" not in path or _NO_BUCKET.search(str(error)) is not None


def _brief(error: BaseException) -> str:
    text = str(error) or type(error).__name__
    return text if len(text) <= _TEXT else f"{text[:_TEXT]}…"


def _version(row: dict[str, Any]) -> str | None:
    """The version of an object's content in a listing: its ETag, Google's generation, or the time of the last write."""
    for name in ("ETag", "generation", "etag", "md5Hash"):
        if row.get(name):
            return f"{name} {row[name]}"
    for name in ("LastModified", "last_modified", "updated", "mtime"):
        written = row.get(name)
        if isinstance(written, datetime):
            return f"{name} {written.astimezone(UTC).isoformat()}"
        if written:
            return f"{name} {written}"
    return None
