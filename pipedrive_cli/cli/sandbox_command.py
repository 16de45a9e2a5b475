"""The command `sandbox`: serves a Pipedrive of our own on a port of this machine until it is stopped."""

from __future__ import annotations

import asyncio
import os
import re
import secrets
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from pipedrive_cli.config import Config, duration, load
from pipedrive_cli.config.model import Identity
from pipedrive_cli.errors import UserMistake
from pipedrive_cli.report.console import show_note
from pipedrive_cli.report.wording import count
from pipedrive_cli.run.embedded import furnish
from pipedrive_cli.transform.targets import ID_FIELDS

if TYPE_CHECKING:
    from pipedrive_cli.sandbox import Sandbox

UNLIMITED = "unlimited"
TOKEN = re.compile(r"[A-Za-z0-9.~_-]+")
# The custom fields that RudderStack's destination recommends, which many accounts have.
USUAL = Config(identity=Identity(user_id_field="RudderStack user id", group_id_field="RudderStack group id"))


@dataclass(frozen=True, slots=True)
class SandboxChoice:
    """The options of `sandbox`, as they were written."""

    host: str
    port: int
    plan: str
    seats: int
    token: str
    latency: str
    search_lag: str
    faults: str
    refusals: str
    seed: int | None
    daily_tokens: int | None


def serve_sandbox(config_file: Path | None, choice: SandboxChoice) -> int:
    """Serves until Ctrl-C; returns 0. Raises UserMistake for bad options."""
    from pipedrive_cli.sandbox.serve import serve  # noqa: PLC0415 - the web server is for this command alone

    sandbox = sandbox_chosen(choice)
    furnish(sandbox, USUAL if config_file is None else load(config_file, os.environ, sandbox=True))

    def started(url: str) -> None:
        # One line for scripts: the address comes first, the key last.
        sys.stdout.write(f"{url}  API token: {choice.token}\n")
        sys.stdout.flush()
        sys.stderr.write(_advice(url, choice, named=config_file is not None))

    try:
        asyncio.run(serve(sandbox, choice.host, choice.port, started))
    except KeyboardInterrupt:  # SIGTERM too: every end was meant to be one, and the server raises the signal again
        pass
    except ValueError as error:
        raise UserMistake(f"--host {choice.host}: {error}", code="usage") from error
    except OSError as error:
        raise UserMistake(
            f"cannot listen on {choice.host} port {choice.port}: {error.strerror or error}",
            code="port",
            hint="another program may have it: name another --port, or 0 for any that is free",
        ) from error
    show_note(f"served {count(sum(sandbox.calls.values()), 'request')}, {sandbox.tokens_spent:,} API tokens")
    return 0


def _advice(url: str, choice: SandboxChoice, *, named: bool) -> str:
    """The lines for config.yaml; a config that was named has its fields already."""
    lines = [
        f"# This writes a config.yaml for it:  pipedrive-cli init --base-url {url}",
        "# Or put this into yours:",
        "pipedrive:",
        f"  base_url: {url}",
        f'  api_token: "{choice.token}"',
    ]
    if choice.plan != UNLIMITED:  # a config cannot name that plan
        lines.append(f"  plan: {choice.plan}")
    if not named:
        lines += ["identity:", *(f"  {name}: {getattr(USUAL.identity, name)}" for _, name in ID_FIELDS)]
    return "\n".join([*lines, "# Ctrl-C ends the sandbox, and everything in it is gone.", ""])


def sandbox_chosen(choice: SandboxChoice) -> Sandbox:
    """The sandbox that the options ask for. Raises UserMistake for options that cannot be."""
    from pipedrive_cli.sandbox import Sandbox, SandboxOptions  # noqa: PLC0415 - only this needs it

    if not TOKEN.fullmatch(choice.token):
        raise UserMistake("--token: a key is letters, digits and .-_~ without spaces", code="usage")
    try:
        options = SandboxOptions(
            plan=choice.plan,
            seats=choice.seats,
            daily_tokens=choice.daily_tokens,
            api_token=choice.token,
            latency=_seconds("--latency", choice.latency),
            search_lag=_seconds("--search-lag", choice.search_lag),
            faults=choice.faults,
            refusals=choice.refusals,
            seed=choice.seed or 0,
        )
        if choice.seed is None:
            # The journal that remembers what an earlier sandbox held would take this one for the same account.
            options = replace(options, company_id=100_000 + secrets.randbelow(900_000))
        return Sandbox(options)
    except ValueError as error:  # its message says what is allowed
        raise UserMistake(str(error), code="usage", hint="see `pipedrive-cli sandbox --help`") from error


def _seconds(option: str, text: str) -> float:
    try:
        return duration(text)
    except ValueError as error:
        raise ValueError(f"{option} {text}: {error}") from error
