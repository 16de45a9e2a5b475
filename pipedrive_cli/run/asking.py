"""A look at the account outside a run: a few requests, no journal, and no write unless a command is there to write."""

from __future__ import annotations

import contextlib
import random
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from pipedrive_cli.config import Config, address, credentials
from pipedrive_cli.delivery.budget import Day, Pace
from pipedrive_cli.delivery.sender import Failure, Sender
from pipedrive_cli.delivery.tally import Tally
from pipedrive_cli.errors import StopRun
from pipedrive_cli.pipedrive.account import Account
from pipedrive_cli.pipedrive.answer import Answer
from pipedrive_cli.pipedrive.catalog import PLANS, Call
from pipedrive_cli.pipedrive.client import Client
from pipedrive_cli.pipedrive.reading_account import Send, read_me
from pipedrive_cli.run.embedded import ADDRESS, embedded_sandbox
from pipedrive_cli.secret import Secret

MOST_ATTEMPTS = 3  # somebody is waiting at the keyboard


@dataclass(slots=True)
class Line:
    """A connection to the account. `headers` are the newest that told of limits, by lower-case name."""

    sender: Sender
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def send(self) -> Send:
        """Sends one call with all patience; raises as `Sender.send` does."""
        return self.sender.send

    def told(self, name: str) -> int | None:
        """A limit as Pipedrive's headers told it, None where they did not."""
        text = self.headers.get(name, "")
        return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else None

    def heard(self, call: Call, answer: Answer) -> None:
        """Takes note of the limits that an answer tells of; those of searches are others."""
        if not call.endpoint.search:
            self.headers |= {name: text for name, text in answer.headers.items() if "ratelimit" in name}


@contextlib.asynccontextmanager
async def connected(config: Config, *, sandbox: bool = False) -> AsyncIterator[Line]:
    """The account that the config names, or the embedded sandbox. Raises UserMistake without address or key."""
    plan = PLANS["unlimited" if sandbox else config.pipedrive.plan]
    timeout = config.delivery.timeout
    if sandbox:
        from pipedrive_cli.sandbox import SandboxTransport  # noqa: PLC0415 - only the sandbox needs it

        embedded = embedded_sandbox(config)
        key = ("x-api-token", Secret(embedded.options.api_token))
        client = Client(ADDRESS, key, timeout=timeout, transport=SandboxTransport(embedded))
    else:
        key = credentials(config)
        client = Client(address(config), key, timeout=timeout)
    limit = plan.oauth_requests if key[0].lower() == "authorization" else plan.requests
    sender = Sender(
        client,
        Pace(limit),
        Day(None, leave=0.0),  # the reserve is for runs: whoever looks at what is wrong must not be stopped by it
        Tally(),
        max_attempts=min(MOST_ATTEMPTS, config.delivery.max_attempts),
        jitter=random.random,
    )
    line = Line(sender)
    sender.on_answer = line.heard
    try:
        yield line
    finally:
        await client.aclose()


async def whose_key(line: Line) -> Account:
    """The account without its fields. Raises StopRun, also where nobody answers."""
    try:
        return await read_me(line.send)
    except Failure as failure:
        raise unreachable(failure) from failure


def unreachable(failure: Failure) -> StopRun:
    """What ends a command that Pipedrive does not answer."""
    return StopRun(
        f"Pipedrive cannot be reached: {failure.message}",
        code="unreachable",
        hint="check the network and pipedrive.company_domain, then try again",
    )
