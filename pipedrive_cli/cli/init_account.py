"""`init`, first part: the account, its key, and a test of the key."""

from __future__ import annotations

import asyncio
import os
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec

from pipedrive_cli.cli.conversation import Conversation
from pipedrive_cli.config import Config, credentials, values
from pipedrive_cli.config.model import Pipedrive
from pipedrive_cli.config.values import BadValue
from pipedrive_cli.config.variables import TOKEN_VARIABLE
from pipedrive_cli.errors import StopRun, UserMistake
from pipedrive_cli.pipedrive.account import Account
from pipedrive_cli.report.console import show_note
from pipedrive_cli.run.custom_fields import account_of_key
from pipedrive_cli.secret import Secret

TOKEN_FILE = "pipedrive-token"  # noqa: S105 - a file's name, beside the config
WHERE = "in Pipedrive under Settings > Personal preferences > API"
TYPED_KEYS = 3


@dataclass(frozen=True, slots=True)
class AccountAddress:
    """The account's address: one of the two, or neither while we are offline. `typed`: it was typed at the terminal."""

    company_domain: str | None = None
    base_url: str | None = None
    typed: bool = False


@dataclass(frozen=True, slots=True)
class Key:
    """The API token and where it is kept: in `file` or `keyring`, else in the environment.

    `secret` is the token itself, if it is known here; `write`: the file is yet to be written.
    """

    secret: Secret | None = None
    file: Path | None = None
    keyring: str | None = None
    write: bool = False


@dataclass(frozen=True, slots=True)
class Access:
    """An account that was opened with a key. `plan` is the plan that its limits show."""

    address: AccountAddress
    key: Key
    account: Account
    plan: str | None


def address_of(company_domain: str | None, base_url: str | None) -> AccountAddress | None:
    """The address that the options give. Raises UserMistake."""
    if company_domain is not None and base_url is not None:
        raise UserMistake("--company-domain and --base-url say the same: give one of them", code="usage")
    try:
        if base_url is not None:
            return AccountAddress(base_url=values.base_url(base_url))
        return None if company_domain is None else AccountAddress(company_domain=values.company_domain(company_domain))
    except BadValue as refusal:
        option = "--company-domain" if base_url is None else "--base-url"
        raise UserMistake(f"{option} {refusal.message}", code="usage", hint=refusal.hint) from None


def key_of(config_file: Path, token_file: Path | None, keyring: str | None, known: Secret | None) -> Key | None:
    """The key from options, environment or the config's folder; `known` is the one of RudderStack's settings."""
    if token_file is not None and keyring is not None:
        raise UserMistake("--token-file and --keyring say the same: give one of them", code="usage")
    if keyring is not None:
        return Key(keyring=keyring)
    if token_file is not None:
        if token_file.exists():
            return Key(file=token_file)
        return None if known is None else Key(known, token_file, write=True)
    if os.environ.get(TOKEN_VARIABLE, "").strip():
        return Key()
    beside = config_file.parent / TOKEN_FILE
    return Key(file=beside) if beside.is_file() else None


def ask_address(conversation: Conversation) -> AccountAddress:
    """Asks for the account: a name, a host, or an address from the browser."""

    def read(answer: str) -> AccountAddress:
        try:
            return AccountAddress(company_domain=values.company_domain(answer), typed=True)
        except BadValue as refusal:
            try:
                return AccountAddress(base_url=values.base_url("/".join(answer.split("/")[:3])), typed=True)
            except BadValue:
                raise refusal from None

    show_note("Which Pipedrive account? Its name as in https://acme.pipedrive.com; your browser's address will do.")
    return conversation.ask_until("Account", read)


def ask_key(conversation: Conversation, known: Secret | None, into: Path, *, explain: bool = True) -> Key:
    """Asks for the key, or takes that of RudderStack's settings. Where to keep it is asked after it has been tested."""
    if known is not None and conversation.confirm("RudderStack's settings hold an API token. Use that one?"):
        return Key(known, into, write=True)
    if explain:
        show_note(f"You find the API token {WHERE}. Use an admin's: others do not see every record.")
    return Key(conversation.ask_secret("API token (stays hidden)"), into, write=True)


def configured(address: AccountAddress, key: Key) -> Config:
    """A config with only the address and the key of the account."""
    section = Pipedrive(company_domain=address.company_domain, base_url=address.base_url, keyring=key.keyring)
    if key.secret is not None:
        section = msgspec.structs.replace(section, api_token=key.secret)
    elif key.file is not None:
        section = msgspec.structs.replace(section, api_token_file=key.file.absolute())
    elif key.keyring is None:
        section = msgspec.structs.replace(section, api_token=_from_environment())
    return Config(pipedrive=section)


def open_account(
    conversation: Conversation, address: AccountAddress, key: Key, known: Secret | None, into: Path
) -> Access:
    """Asks Pipedrive whose key it is. A wrong key or address can be typed again; other errors raise StopRun."""
    for attempt in range(1, TYPED_KEYS + 1):
        config = configured(address, key)
        credentials(config)  # raises if the file or keyring has no key
        try:
            account, plan = asyncio.run(account_of_key(config))
        except StopRun as stop:
            if attempt == TYPED_KEYS:
                raise
            if conversation.live and stop.code == "credentials_refused":
                whose = (
                    f" in {key.file}" if key.file and not key.write else "" if key.secret else f" in {TOKEN_VARIABLE}"
                )
                show_note(f"Pipedrive refused the API token{whose}. Is it complete, and of this company?")
                key = ask_key(conversation, None, key.file or into, explain=False)
            elif address.typed and stop.code in {"unreachable", "no_pipedrive"}:
                show_note(f"{stop.message}. Is the company's name right?")
                address = ask_address(conversation)
            else:
                raise
        else:
            access = Access(address, key, account, plan)
            show_note(_welcome(access))
            return replace(access, key=_ask_where_to_keep(conversation, key))
    raise AssertionError("the last attempt returns or raises")


def _ask_where_to_keep(conversation: Conversation, key: Key) -> Key:
    """Asks where to keep a key that was typed. The config never holds it."""
    if not key.write or not conversation.live:
        return key
    question = f"Keep the key in the file {key.file}, which only you can read?"
    if conversation.confirm(question):
        return key
    show_note(f"Then the environment variable {TOKEN_VARIABLE} has to hold it whenever a command runs.")
    return replace(key, file=None, write=False)


def _from_environment() -> Secret:
    try:
        return values.secret(os.environ.get(TOKEN_VARIABLE, ""))
    except BadValue as refusal:
        raise UserMistake(
            f"the environment variable {TOKEN_VARIABLE} {refusal.message}", code="no_credentials", hint=refusal.hint
        ) from None


def _welcome(access: Access) -> str:
    account = access.account
    who = account.user_name or "unnamed"
    admin = ", who is no admin: records that this user cannot see would be doubled" if account.admin is False else ""
    plan = f"; its limits are those of the plan {access.plan}" if access.plan else ""
    return f"The key opens {account.company_name or account.company_id}, as {who}{admin}{plan}."
