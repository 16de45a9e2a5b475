"""The way to Pipedrive as this machine's environment has it: proxies and certificates. Sends nothing.

A variable that cannot be used is a `UserMistake` that names it, and never what it holds: a proxy's URL may have a
password in it.
"""

from __future__ import annotations

import importlib.util
import os
import ssl
import stat
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from pipedrive_cli.errors import UserMistake

CERTIFICATES: Final = ("SSL_CERT_FILE", "SSL_CERT_DIR")
KEY_LOG: Final = "SSLKEYLOGFILE"
WITHOUT_SOCKS: Final = "name an http:// proxy in HTTPS_PROXY, which comes first; or `pip install socksio`"


@dataclass(frozen=True, slots=True)
class Proxy:
    """A proxy's URL, and by what it is named, in words."""

    url: str
    named_by: str


def proxy_for(scheme: str, host: str) -> Proxy | None:
    """The proxy for an address, if the environment names one: HTTPS_PROXY, ALL_PROXY, NO_PROXY.

    Raises UserMistake for one that cannot be used.
    """
    proxies = getproxies()
    name = scheme if proxies.get(scheme) else "all"
    proxy = proxies.get(name, "").strip()
    if not proxy or proxy_bypass(host):
        return None
    named_by = _variable(f"{name}_proxy")
    url = proxy if "://" in proxy else f"http://{proxy}"
    try:
        parts = urlsplit(url)
        usable = bool(parts.hostname) and parts.port != 0 and url.isascii() and url.isprintable() and " " not in url
    except ValueError:  # no port, brackets that do not match
        usable = False
    if not usable:
        raise unusable_proxy(named_by, "an address that is none", "write http://HOST:PORT, or take it out")
    if parts.scheme not in {"http", "https", "socks5", "socks5h"}:
        raise unusable_proxy(named_by, f"a {parts.scheme}:// proxy, which is not supported", WITHOUT_SOCKS)
    if parts.scheme.startswith("socks") and importlib.util.find_spec("socksio") is None:
        raise unusable_proxy(named_by, "a SOCKS proxy, and the package socksio is not installed", WITHOUT_SOCKS)
    return Proxy(url, named_by)


def unusable_proxy(named_by: str, what: str, hint: str) -> UserMistake:
    """The mistake of a proxy that cannot be used."""
    return UserMistake(f"{named_by} names {what}", code="proxy", hint=hint)


def _variable(name: str) -> str:
    """By what a proxy is named; the small letters come first, as in `getproxies`."""
    found = next((spelled for spelled in (name, name.upper()) if os.environ.get(spelled)), None)
    return "the system's settings" if found is None else f"the environment variable {found}"


def tls_context(made: Callable[[], ssl.SSLContext], environ: Mapping[str, str] = os.environ) -> ssl.SSLContext:
    """The context that `made` makes of the environment. Raises UserMistake where a variable names what is of no use."""
    for name in (*CERTIFICATES, KEY_LOG):
        if (value := environ.get(name)) and _blocks(Path(value)):
            raise _unusable(name, "a pipe or a device")
    named = next((name for name in CERTIFICATES if environ.get(name)), None)
    if named == "SSL_CERT_DIR" and not any(Path(folder).is_dir() for folder in environ[named].split(os.pathsep)):
        raise _unusable(named, "no folder that is there")
    try:
        return made()
    except (OSError, ValueError) as error:
        if environ.get(KEY_LOG) and getattr(error, "filename", None) == environ[KEY_LOG]:
            raise _unusable(KEY_LOG, f"a file that cannot be written: {getattr(error, 'strerror', error)}") from error
        reason = "no certificates" if isinstance(error, ssl.SSLError) else getattr(error, "strerror", None)
        if named is None:
            raise UserMistake(
                f"this Python's certificates cannot be read: {reason or 'they are damaged'}",
                code="certificates",
                hint="install certifi again, or name a file of certificates in the environment variable SSL_CERT_FILE",
            ) from error
        raise _unusable(named, f"a file that is of no use: {reason or 'no file name'}") from error


def _blocks(path: Path) -> bool:
    """Whether opening it may wait for somebody."""
    try:
        mode = path.stat().st_mode
    except (OSError, ValueError):
        return False
    return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))


def _unusable(name: str, what: str) -> UserMistake:
    hint = "take the variable out" if name == KEY_LOG else "name certificates in PEM form, or take the variable out"
    return UserMistake(f"the environment variable {name} names {what}", code="certificates", hint=hint)


def untrusted(environ: Mapping[str, str] = os.environ) -> str:
    """Why a certificate is not trusted, in words."""
    named = next((name for name in CERTIFICATES if environ.get(name)), None)
    where = "the certificates that are trusted are those of the environment variable"
    return (
        "its certificate is not trusted; an authority of your own is named in the environment variable SSL_CERT_FILE"
        if named is None
        else f"its certificate is not trusted; {where} {named}"
    )
