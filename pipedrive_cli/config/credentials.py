"""The address and the key of the account, read when the account is to be contacted. Sends nothing."""

from __future__ import annotations

import importlib
import os
import stat
from pathlib import Path
from typing import Final

from pipedrive_cli.config.model import Config
from pipedrive_cli.config.plain_file import read_small
from pipedrive_cli.config.values import BadValue, secret
from pipedrive_cli.errors import UserMistake
from pipedrive_cli.secret import Secret

KEYRING_SERVICE: Final = "pipedrive-cli"
FILE_BYTES_AT_MOST: Final = 4096


def base_address(config: Config) -> str:
    """The account's URL, without a slash at its end. Raises UserMistake if the config has none."""
    if config.pipedrive.base_url:
        return config.pipedrive.base_url
    if config.pipedrive.company_domain:
        return f"https://{config.pipedrive.company_domain}.pipedrive.com"
    raise UserMistake(
        "the config does not say which Pipedrive account to use",
        code="no_account",
        hint="write pipedrive.company_domain (acme for https://acme.pipedrive.com); --sandbox needs no account",
    )


def credentials(config: Config) -> tuple[str, Secret]:
    """The name and value of the header that authenticates. Raises UserMistake if there is no key."""
    pipedrive = config.pipedrive
    if pipedrive.oauth_token is not None:
        return "Authorization", Secret(f"Bearer {pipedrive.oauth_token.reveal()}")
    if pipedrive.api_token_file is not None:
        return "x-api-token", from_file(pipedrive.api_token_file)
    if pipedrive.keyring is not None:
        return "x-api-token", from_keyring(pipedrive.keyring)
    if pipedrive.api_token is not None:
        return "x-api-token", pipedrive.api_token
    raise UserMistake(
        "there is no API token",
        code="no_credentials",
        hint="set the environment variable PIPEDRIVE_API_TOKEN; you find the token in Pipedrive under "
        "Settings > Personal preferences > API. --sandbox needs none",
    )


def notes(config: Config) -> tuple[str, ...]:
    """Warnings about the credentials. They stop no run."""
    file = config.pipedrive.api_token_file
    if file is None or os.name == "nt":  # Windows has no such bits: every file would count as readable by all
        return ()
    try:
        mode = file.stat().st_mode
    except (OSError, ValueError):
        return ()
    if stat.S_ISREG(mode) and mode & stat.S_IROTH:
        return (f"{file} holds the API token and everybody on this machine can read it: chmod 600 {file}",)
    return ()


def from_file(file: Path) -> Secret:
    try:
        raw = read_small(file, FILE_BYTES_AT_MOST)
    except (OSError, ValueError) as error:
        raise unreadable_file(file, f"cannot be read: {getattr(error, 'strerror', None) or 'no file name'}") from None
    if len(raw) > FILE_BYTES_AT_MOST:
        raise unreadable_file(file, "is too large to be a token")
    try:
        return secret(raw.decode("utf-8-sig"))
    except UnicodeDecodeError:
        raise unreadable_file(file, "is no text") from None
    except BadValue as refusal:
        raise unreadable_file(file, refusal.message) from None


def unreadable_file(file: Path, reason: str) -> UserMistake:
    return UserMistake(
        f"pipedrive.api_token_file: {file} {reason}",
        code="credentials_unreadable",
        hint="the file holds the API token and nothing else",
    )


def from_keyring(entry: str) -> Secret:
    try:
        keyring = importlib.import_module("keyring")
    except ImportError:
        raise UserMistake(
            "pipedrive.keyring needs the package keyring, which is not installed",
            code="keyring_missing",
            hint="pip install 'pipedrive-cli[keyring]', or set PIPEDRIVE_API_TOKEN instead",
        ) from None
    try:
        found = keyring.get_password(KEYRING_SERVICE, entry)
    except Exception as error:  # noqa: BLE001 - each of keyring's many backends has its own errors
        raise UserMistake(
            f"pipedrive.keyring: the system's keyring does not answer ({type(error).__name__})",
            code="credentials_unreadable",
            hint="is it unlocked? cron jobs often have none: use api_token_file there",
        ) from None
    try:
        return secret(found)
    except BadValue as refusal:
        reason = "is not there" if found is None else refusal.message
        raise UserMistake(
            f"pipedrive.keyring: the entry {entry!r} {reason}",
            code="credentials_unreadable",
            hint=f"keyring set {KEYRING_SERVICE} {entry}",
        ) from None
