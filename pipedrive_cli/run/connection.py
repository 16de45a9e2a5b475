"""The ways to a Pipedrive: the config's account over the network, or a sandbox in this process.

Here are also the connection of commands that are no run, and the pause that Pipedrive's firewall asks for, which is
remembered beside the journal.
"""

from __future__ import annotations

import contextlib
import hashlib
import random
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from pipedrive_cli.config import Config, base_address, credentials
from pipedrive_cli.delivery.budget import Day, Pace
from pipedrive_cli.delivery.effects import Refusal
from pipedrive_cli.delivery.retry import Failure, KindStops
from pipedrive_cli.delivery.run_log import LiveFigures
from pipedrive_cli.delivery.sender import Sender, ServerClock
from pipedrive_cli.errors import StopCode, StopRun
from pipedrive_cli.pipedrive.account import Account
from pipedrive_cli.pipedrive.answer import Answer
from pipedrive_cli.pipedrive.catalog import PRICE_PLANS, Call
from pipedrive_cli.pipedrive.client import Client
from pipedrive_cli.pipedrive.reading_account import read_me
from pipedrive_cli.pipedrive.reading_lists import Send
from pipedrive_cli.run.embedded import ADDRESS, embedded_sandbox
from pipedrive_cli.run.journal_file import state_folder
from pipedrive_cli.secret import Secret

if TYPE_CHECKING:
    from pipedrive_cli.sandbox import Sandbox

CONNECTIONS = 128  # as many as the fastest plan with slow answers can use


def to_account(config: Config) -> tuple[Client, int]:
    """A client, and the requests per 2 s to start from. Raises UserMistake without an address or a key."""
    plan = PRICE_PLANS[config.pipedrive.plan]
    key = credentials(config)
    client = Client(base_address(config), key, timeout=config.delivery.timeout, connections=CONNECTIONS)
    return client, plan.allowed(oauth=config.pipedrive.oauth_token is not None)


def site_of(config: Config, company_domain: str | None = None) -> str | None:
    """The address of the company's web app: under the domain that Pipedrive tells, else under the config's.

    None where the config's address is not Pipedrive's, but a sandbox's.
    """
    base, domain = config.pipedrive.base_url, company_domain or config.pipedrive.company_domain
    if base is not None and not base.endswith(".pipedrive.com"):
        return None
    return f"https://{domain}.pipedrive.com" if domain is not None else base


def to_sandbox(config: Config) -> tuple[Client, int]:
    """The same for an embedded, empty sandbox without limits."""
    return client_of(embedded_sandbox(config), config), PRICE_PLANS["unlimited"].requests


def client_of(sandbox: Sandbox, config: Config) -> Client:
    """A client of a sandbox in this process."""
    from pipedrive_cli.sandbox import SandboxTransport  # noqa: PLC0415 - only the sandbox needs it

    key = ("x-api-token", Secret(sandbox.options.api_token))
    if config.pipedrive.oauth_token is not None:  # with its own limits, which are higher
        key = ("Authorization", Secret(f"Bearer {sandbox.options.oauth_token}"))
    return Client(ADDRESS, key, timeout=config.delivery.timeout, transport=SandboxTransport(sandbox))


MOST_ATTEMPTS = 3  # somebody is waiting at the keyboard


@dataclass(slots=True)
class ToldLimits:
    """The limits as answers told them: the newest headers with limits, by lower-case name."""

    headers: dict[str, str] = field(default_factory=dict)

    def note_answer(self, call: Call, answer: Answer) -> None:
        """Takes the limits from an answer; searches have limits of their own."""
        if not call.endpoint.search:
            self.headers |= {name: text for name, text in answer.headers.items() if "ratelimit" in name}


@dataclass(frozen=True, slots=True)
class Connection:
    """A connection to the account."""

    sender: Sender
    limits: ToldLimits
    clock: ServerClock

    @property
    def send(self) -> Send:
        """Sends one call and repeats it where needed. Raises as `Sender.send` does."""
        return self.sender.send

    def limit_of(self, name: str) -> int | None:
        """A limit as Pipedrive's headers told it, None where they did not."""
        text = self.limits.headers.get(name, "")
        return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else None


@contextlib.asynccontextmanager
async def connected(
    config: Config,
    *,
    sandbox: bool = False,
    day: Day | None = None,
    max_tokens: int | None = None,
    live_figures: LiveFigures | None = None,
) -> AsyncIterator[Connection]:
    """The account that the config names, or the embedded sandbox. Raises UserMistake without address or key.

    Without a `day` no tokens are reserved: a reserve is for runs, and must not stop a search for what is wrong.
    """
    client, limit = (to_sandbox if sandbox else to_account)(config)
    limits, clock = ToldLimits(), ServerClock(time.time)
    sender = Sender(
        client,
        Pace(limit),
        Day(None, leave=0.0) if day is None else day,
        live_figures or LiveFigures(),
        max_attempts=min(MOST_ATTEMPTS, config.delivery.max_attempts),
        jitter=random.random,
        max_tokens=max_tokens,
        observers=(limits, clock),
    )
    try:
        yield Connection(sender, limits, clock)
    finally:
        await client.aclose()


async def whose_key(connection: Connection) -> Account:
    """The account without its fields. Raises StopRun, also where nobody answers."""
    with asking("Pipedrive does not say whose key this is", code="refused"):
        return await read_me(connection.send)


@contextlib.contextmanager
def asking(what: str, *, code: StopCode, hint: str | None = None) -> Iterator[None]:
    """Ends a command that gets no answer from Pipedrive, or a refusal. `what` is the sentence that tells the latter.

    Raises StopRun for all that `Sender.send` raises save Doubt, which only the writer of a write can settle.
    """
    try:
        yield
    except Failure as failure:
        raise unreachable(failure) from failure
    except (KindStops, Refusal) as refused:
        raise StopRun(f"{what}: {refused}", code=code, hint=hint) from refused


def unreachable(failure: Failure) -> StopRun:
    """What ends a command that Pipedrive does not answer."""
    return StopRun(
        f"Pipedrive cannot be reached: {failure.message}",
        code="unreachable",
        hint="check the network and pipedrive.company_domain, then try again",
    )


QUIET = 900.0  # seconds: how long the firewall stays is not documented


def pause_file(address: str, state: Path | None) -> Path:
    """The file that remembers the pause: beside `state`, the journal's own place, else in the user's state folder."""
    folder = state.parent if state is not None else state_folder()
    name = hashlib.blake2b(address.encode(), digest_size=6).hexdigest()
    return folder / f"firewall-{name}"


def firewall_pause(path: Path, now: float) -> StopRun | None:
    """Why nothing may be sent yet, or None. `now` is seconds since 1970."""
    try:
        until = float(path.read_text())
    except (OSError, ValueError):
        return None
    if not now < until <= now + QUIET:
        return None
    return StopRun(
        "Pipedrive's firewall shut this client out a few minutes ago; nothing was sent now",
        code="firewall",
        hint="run again later; each knock makes it longer",
        resume_in=until - now,
    )


def remember_firewall(path: Path, now: float) -> None:
    """Notes that the firewall has just shut us out. If the disk refuses, only this note is lost."""
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{int(now + QUIET)}")  # rounded up it would be too far ahead to be believed
