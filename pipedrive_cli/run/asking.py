"""A look at the account outside a run: a few requests, no journal, and no write unless a command is there to write."""

from __future__ import annotations

import contextlib
import random
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from pipedrive_cli.config import Config
from pipedrive_cli.delivery.budget import Day, Pace
from pipedrive_cli.delivery.failing import Failure
from pipedrive_cli.delivery.sender import Sender
from pipedrive_cli.delivery.tally import Tally
from pipedrive_cli.errors import StopRun
from pipedrive_cli.pipedrive.account import Account
from pipedrive_cli.pipedrive.answer import Answer
from pipedrive_cli.pipedrive.catalog import Call
from pipedrive_cli.pipedrive.reading_account import Send, read_me
from pipedrive_cli.run.connecting import to_account, to_sandbox

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
async def connected(
    config: Config,
    *,
    sandbox: bool = False,
    day: Day | None = None,
    max_tokens: int | None = None,
    tally: Tally | None = None,
) -> AsyncIterator[Line]:
    """The account that the config names, or the embedded sandbox. Raises UserMistake without address or key.

    Without a `day` there is no reserve: that is for runs, and whoever looks at what is wrong must not be stopped by it.
    """
    client, limit = (to_sandbox if sandbox else to_account)(config)
    sender = Sender(
        client,
        Pace(limit),
        Day(None, leave=0.0) if day is None else day,
        tally or Tally(),
        max_attempts=min(MOST_ATTEMPTS, config.delivery.max_attempts),
        jitter=random.random,
        max_tokens=max_tokens,
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
