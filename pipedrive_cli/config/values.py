"""Readers for single values of the config that need more than a type check. They ask the machine only for the home
folder. Messages never show the value, which may be a token that was pasted into the wrong line."""

from __future__ import annotations

import ipaddress
import re
from pathlib import Path
from urllib.parse import urlsplit

import msgspec

from pipedrive_cli.config.paths import BRACES, is_path, placeholders
from pipedrive_cli.config.times import duration
from pipedrive_cli.secret import Secret, looks_like_key

LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
HOST = re.compile(r"[a-z0-9._:-]+")  # `hostname` is in lower case; IPv6 addresses have colons
TOKEN = re.compile(r"[!-~]+")
PERCENT = re.compile(r"([0-9]{1,3}(?:\.[0-9]{1,6})?)\s*%", re.ASCII)
HOUR = 3_600.0


class BadValue(ValueError):
    """A value that cannot be used: the reason, and what to do."""

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class Reserve(msgspec.Struct, frozen=True):
    """The part of the day's tokens that is left to others: a ratio of the day (0.1 for 10 %), or a number of tokens."""

    ratio: float = 0.0
    tokens: int = 0

    def of(self, day: int) -> int:
        """The reserved tokens of a day that has `day` tokens; never more than the day has."""
        return min(day, self.tokens + int(day * self.ratio + 0.5))


def text_value(data: object) -> str:
    """Text that is not blank, trimmed."""
    if not isinstance(data, str):
        hint = "put it in quotes" if isinstance(data, bool | int | float) else None
        raise BadValue("must be text", hint)
    if not data.strip():
        raise BadValue("must not be blank")
    return data.strip()


def secret(data: object) -> Secret:
    """A key or token: visible ASCII, because a header must carry it."""
    trimmed = text_value(data)
    if not TOKEN.fullmatch(trimmed):
        raise BadValue(
            "holds characters that no key has (spaces, line breaks or letters beyond ASCII)", "copy it again"
        )
    return Secret(trimmed)


def company_domain(data: object) -> str:
    """`acme` from `acme`, `acme.pipedrive.com` or `https://acme.pipedrive.com/...`."""
    name = text_value(data).lower()
    name = name.removeprefix("https://").removeprefix("http://")
    name = name.partition("/")[0].removesuffix(".pipedrive.com")
    if looks_like_key(name):
        raise BadValue(
            "looks like an API token", "the key belongs into api_token; here stands acme of acme.pipedrive.com"
        )
    if not LABEL.fullmatch(name):
        raise BadValue(
            "must be the company's name in Pipedrive's address",
            "acme, if you open Pipedrive at https://acme.pipedrive.com; for another host use base_url",
        )
    return name


def base_url(data: object) -> str:
    """A Pipedrive's URL, without a slash at its end. Plain http is allowed only to this machine: the token is sent."""
    url = text_value(data)
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise BadValue("is no address", "write it as in https://acme.pipedrive.com") from None
    if parts.scheme not in {"http", "https"} or not host or not HOST.fullmatch(host):
        raise BadValue("must be an address with https:// before it", "write it as in https://acme.pipedrive.com")
    if looks_like_key(host):
        raise BadValue("has a part that looks like an API token", "the key belongs into api_token")
    if "@" in parts.netloc:
        raise BadValue("must not hold a user name or password", "the key belongs into api_token")
    if "?" in url or "#" in url:
        raise BadValue("must not hold a query or fragment", "the key belongs into api_token")
    if parts.path.strip("/"):
        raise BadValue(
            "must be the address alone, without a path", "leave out what follows the host: /v1 and /api/v2 are added"
        )
    if parts.scheme == "http" and not is_loopback(host):
        raise BadValue("http is allowed to this machine alone (127.0.0.1, ::1, localhost)", "use https://")
    name = f"[{host}]" if ":" in host else host
    return f"{parts.scheme}://{name}" if port is None else f"{parts.scheme}://{name}:{port}"


def web_address(data: object) -> Secret:
    """An https:// URL, which may be a secret; http:// to this machine alone."""
    url = text_value(data)
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise BadValue("is no address", "write it as in https://hooks.example/...") from None
    if not host or not HOST.fullmatch(host) or port == 0 or not TOKEN.fullmatch(url):
        raise BadValue("must be an address with https:// before it")
    if parts.scheme != "https" and not (parts.scheme == "http" and is_loopback(host)):
        raise BadValue("must be an address with https:// before it", "http is allowed to this machine alone")
    return Secret(url)


def is_loopback(host: str) -> bool:
    """Whether a host name or address stands for this machine."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def currency_code(data: object) -> str:
    """A currency code in capitals."""
    code = text_value(data).upper()
    if not re.fullmatch(r"[A-Z]{3}", code):
        raise BadValue("must be a currency's code of three letters, such as EUR")
    return code


def country_code(data: object) -> str:
    """A country's code in capitals."""
    code = text_value(data).upper()
    if not re.fullmatch(r"[A-Z]{2}", code):
        raise BadValue("must be a country's code of two letters, such as DE")
    return {"UK": "GB", "EL": "GR"}.get(code, code)


def title_template(data: object) -> str:
    """A lead's title: text in which braces hold names, such as {event}."""
    template = text_value(data)
    rest = BRACES.sub("", template)
    if "{" in rest or "}" in rest or not all(placeholders(template)):
        raise BadValue("has a brace without a name between it and another", "{event} stands for the event's name")
    return template


def trait_name(data: object) -> str:
    """The name of a trait; dots go down into nested ones."""
    name = text_value(data)
    if is_path(name) or not all(part.strip() for part in name.split(".")):
        raise BadValue("must be the name of a trait", "such as company; dots go down into nested ones")
    return name


def waiting_time(data: object) -> float:
    """Seconds, from 0 to an hour."""
    try:
        seconds = duration(data) if isinstance(data, str | float | int) else None
    except ValueError:
        seconds = None
    if seconds is None or seconds > HOUR:
        raise BadValue("must be a duration of at most an hour, such as 30s, 5m or 500ms")
    return seconds


def answer_time(data: object) -> float:
    """Seconds, more than 0."""
    seconds = waiting_time(data)
    if seconds == 0:
        raise BadValue("must be more than 0: no answer comes in no time")
    return seconds


def reserve(data: object) -> Reserve:
    """A percentage of the day, or a number of tokens."""
    if isinstance(data, int) and not isinstance(data, bool) and data >= 0:
        return Reserve(tokens=data)
    if isinstance(data, str):
        if match := PERCENT.fullmatch(data.strip()):
            percent = float(match[1])
            if percent < 100:  # 100 % would leave nothing for the run
                return Reserve(ratio=percent / 100)
        elif re.fullmatch(r"[0-9]{1,15}", data.strip(), re.ASCII):
            return Reserve(tokens=int(data))
    raise BadValue("must be a percentage such as 10%, or a number of tokens")


def file_path(data: object) -> Path:
    """A file's path; `~` is the home folder. The loader makes relative paths absolute."""
    name = text_value(data)
    if "\0" in name:
        raise BadValue("is no path")
    try:
        return Path(name).expanduser()
    except RuntimeError:
        raise BadValue("names a home folder that is not there") from None
