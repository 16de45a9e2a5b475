"""Whole runs against a sandbox of the test's own, in this process and in virtual time."""

from __future__ import annotations

import asyncio
import itertools
import json
import sqlite3
from collections.abc import Callable, Coroutine, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeVar

import msgspec
import pytest

from pipedrive_cli import virtual_time
from pipedrive_cli.config import Config
from pipedrive_cli.config.model import Delivery, Fields, Identity
from pipedrive_cli.delivery.journal import Journal
from pipedrive_cli.delivery.journal.journal import IN_MEMORY
from pipedrive_cli.pipedrive.catalog import PRICE_PLANS
from pipedrive_cli.pipedrive.client import Client
from pipedrive_cli.report.summary import Summary
from pipedrive_cli.run import connection
from pipedrive_cli.run.options import RunOptions
from pipedrive_cli.run.past import chosen_runs, history
from pipedrive_cli.run.replay import Finished, Replay
from pipedrive_cli.run.undo import undo_past_run
from pipedrive_cli.run.undo_plan import UndoOptions, UndoPlan, UndoResult
from pipedrive_cli.sandbox import Sandbox, SandboxOptions, SandboxTransport
from pipedrive_cli.sandbox import faults as sandbox_faults
from pipedrive_cli.sandbox import refusals as sandbox_refusals
from pipedrive_cli.sandbox.wire import Request, Response
from pipedrive_cli.secret import Secret

Event = dict[str, Any]
T = TypeVar("T")

CANARY = "canary-0123456789abcdef-canary"  # the API token of every run here: it must be found nowhere
ADDRESS = "http://127.0.0.1"
OPEN = SandboxOptions(plan="unlimited", search_lag=0.0, api_token=CANARY)
CONFIG = Config(
    identity=Identity(user_id_field="User id", group_id_field="Group id"),
    fields=Fields(
        persons={"role": "Role", "city": "City"},
        organizations={"industry": "Branch"},
        leads={"rating": "Rating"},
        products={"brand": "Brand"},
    ),
)


def with_delivery(config: Config = CONFIG, **delivery: Any) -> Config:
    """The config with another `delivery` section."""
    return msgspec.structs.replace(config, delivery=Delivery(**delivery))


def with_identity(config: Config = CONFIG, **identity: Any) -> Config:
    """The config with other keys in its `identity` section."""
    return msgspec.structs.replace(config, identity=msgspec.structs.replace(config.identity, **identity))


def options(**other: Any) -> SandboxOptions:
    """A sandbox without limits and lag, save what is named."""
    chosen: dict[str, Any] = {"plan": "unlimited", "search_lag": 0.0, "api_token": CANARY, **other}
    return SandboxOptions(**chosen)


# --- Events -----------------------------------------------------------------------------------------------------------

_numbers = itertools.count(1)


def at(second: int) -> str:
    """An event's time: so many seconds after a noon in the past."""
    hours, rest = divmod(12 * 3600 + second, 3600)
    return f"2024-03-{1 + hours // 24:02d}T{hours % 24:02d}:{rest // 60:02d}:{rest % 60:02d}Z"


def event(kind: str, time: int | None = None, *, message_id: str | None = None, **more: Any) -> Event:
    """An event `time` seconds after noon (by default later than those made before)."""
    number = next(_numbers)
    when = number if time is None else time
    return {"type": kind, "messageId": message_id or f"m-{number}", "timestamp": at(when), **more}


def identify(user: str, time: int | None = None, **traits: Any) -> Event:
    return event("identify", time, userId=user, traits=traits)


def group(user: str | None, organization: str, time: int | None = None, **traits: Any) -> Event:
    return event("group", time, groupId=organization, traits=traits, **({} if user is None else {"userId": user}))


def alias(previous: str, user: str, time: int | None = None) -> Event:
    return event("alias", time, userId=user, previousId=previous)


def track(user: str, name: str, time: int | None = None, message_id: str | None = None, **properties: Any) -> Event:
    return event("track", time, message_id=message_id, userId=user, event=name, properties=properties)


def viewed(user: str, code: str, time: int | None = None, **properties: Any) -> Event:
    return event("track", time, userId=user, event="Product Viewed", properties={"product_id": code, **properties})


def ordered(user: str, products: Sequence[Mapping[str, Any]], time: int | None = None, **more: Any) -> Event:
    properties = {"products": [dict(product) for product in products], **more}
    return event("track", time, userId=user, event="Order Completed", properties=properties)


def lines(events: Iterable[Event]) -> bytes:
    """A file's content."""
    return b"".join(json.dumps(each).encode() + b"\n" for each in events)


# --- Runs -------------------------------------------------------------------------------------------------------------


@dataclass
class Scene:
    """One account (`sandbox`) and one journal file, over several runs."""

    folder: Path
    sandbox_options: SandboxOptions = OPEN
    config: Config = CONFIG
    plan: str = "unlimited"
    sandbox: Sandbox = field(init=False)
    state: Path = field(init=False)
    last: Replay = field(init=False)

    def __post_init__(self) -> None:
        self.state = self.folder / "journal.sqlite"
        self.sandbox = Sandbox(self.sandbox_options)
        self.keys = {
            (kind, name): self.sandbox.add_field(kind, name=name)
            for kind, name in (
                ("persons", "User id"),
                ("persons", "Role"),
                ("persons", "City"),
                ("organizations", "Group id"),
                ("organizations", "Branch"),
                ("deals", "Rating"),
                ("products", "Brand"),
            )
        }

    def key(self, kind: str, name: str) -> str:
        """A custom field's key."""
        return self.keys[kind, name]

    def write(self, name: str, events: Iterable[Event]) -> Path:
        """A file of events."""
        path = self.folder / name
        path.write_bytes(lines(events))
        return path

    def faults(self, plan: str, seed: int = 0) -> None:
        """From here on the sandbox breaks by this plan."""
        self.sandbox.faults = sandbox_faults.parse(plan, seed)

    def refusals(self, plan: str) -> None:
        """From here on the sandbox refuses by this plan."""
        self.sandbox._refusals = sandbox_refusals.parse(plan)

    def run(
        self,
        events: Iterable[Event] | Path | bytes | str,
        *,
        before: Callable[[Replay], None] | None = None,
        stdin: bool = False,
        **more: Any,
    ) -> Summary:
        """One run over these events (or this file, or SOURCE argument); its summary, which is known to add up."""
        return self.finish(events, before=before, stdin=stdin, **more).summary

    def finish(
        self,
        events: Iterable[Event] | Path | bytes | str,
        *,
        before: Callable[[Replay], None] | None = None,
        stdin: bool = False,
        **more: Any,
    ) -> Finished:
        """As `run`, with all that a run returns. `before` is called with the job before it begins."""
        source: str | Path
        if isinstance(events, Path | str):
            source = events
        else:
            source = self.folder / "events.ndjson"
            source.write_bytes(events if isinstance(events, bytes) else lines(events))
        stream = BytesIO(Path(source).read_bytes()) if stdin else None
        asked = RunOptions(sources=("-" if stdin else str(source),), **({"state": self.state} | more))
        self.last = Replay(self.config, "config.yaml", asked, stdin=stream, connect=self._connect)
        if before is not None:
            before(self.last)
        already = len(self.sandbox.requests)
        try:
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(Journal, "open", without_waiting_for_the_disk)
                finished = virtual_time.run(mortal(self.last.run()))
        finally:
            self.sent = [f"{r.method} {r.path}" for r in self.sandbox.requests[already:]]
            self.answers = [(f"{r.method} {r.path}", r.status) for r in self.sandbox.requests[already:]]
        adds_up(finished.summary)
        return finished

    def undo(self, run: str, *, agree: Callable[[UndoPlan], bool] = lambda _: True, **asked: Any) -> UndoResult:
        """Undoes a run, in virtual time."""
        result = UndoResult()
        options = UndoOptions(chosen_runs(history(self.state), run), **asked)
        already = len(self.sandbox.requests)
        try:
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(Journal, "open", without_waiting_for_the_disk)
                patch.setattr(connection, "to_account", lambda _: self._connect())
                virtual_time.run(mortal(undo_past_run(self.config, self.state, options, agree, result)))
        finally:
            self.sent = [f"{r.method} {r.path}" for r in self.sandbox.requests[already:]]
        return result

    def wait(self, seconds: float) -> None:
        """Time passes in the account."""

        async def passing() -> None:
            self.sandbox.clock.monotonic()  # a sandbox's time goes on in each loop from when it is asked for first
            await asyncio.sleep(seconds)
            self.sandbox.clock.monotonic()

        virtual_time.run(passing())

    @property
    def writes(self) -> list[str]:
        """The requests of the last run that were not reading."""
        return [call for call in self.sent if not call.startswith("GET ")]

    def contents(self) -> dict[str, list[dict[str, Any]]]:
        """All living records."""
        return self.sandbox.contents()

    def names(self, kind: str) -> list[str]:
        """The names (leads: titles) of the living records of a kind."""
        return sorted(str(row.get("name", row.get("title"))) for row in self.contents()[kind])

    def _connect(self) -> tuple[Client, int]:
        key = ("x-api-token", Secret(CANARY))
        timeout = self.config.delivery.timeout
        client = Client(ADDRESS, key, timeout=timeout, transport=SandboxTransport(self.sandbox))
        return client, PRICE_PLANS[self.plan].requests


_open = Journal.open


@cache
def _new_journal() -> bytes:
    """The file of a journal that nothing is in yet."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "journal.sqlite"
        _open(path).close()
        return path.read_bytes()


@cache
def _new_in_memory() -> Journal:
    """As above, for journals in memory."""
    return _open()


def without_waiting_for_the_disk(path: Path = IN_MEMORY) -> Journal:
    """No test loses power, and thousands of runs would wait for minutes. So would they for the tables to be made."""
    if path == IN_MEMORY:
        database = sqlite3.connect(path, isolation_level=None)
        _new_in_memory().connection.backup(database)
        return Journal(database, path)
    if path.is_file() and path.stat().st_size == 0:  # whoever locked it has made it
        path.write_bytes(_new_journal())
    journal = _open(path)
    journal.connection.execute("PRAGMA synchronous = OFF")
    return journal


class Killed(SystemExit):
    """The process died: nobody catches this, and nothing is written after it."""


async def mortal(main: Coroutine[Any, Any, T]) -> T:
    """The coroutine, in a loop that says nothing of the tasks that died with their process: nobody can ask them."""

    def told(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        if not isinstance(context.get("exception"), SystemExit):
            loop.default_exception_handler(context)

    asyncio.get_running_loop().set_exception_handler(told)
    return await main


@contextmanager
def killed_at(commit: int, *, kept: bool) -> Iterator[list[int]]:
    """The process dies at the journal's transaction number `commit`: before it, or with `kept` right after it.

    Yields a list that holds how many transactions were begun so far.
    """
    begun = [0]
    real = Journal.transaction

    @contextmanager
    def transaction(journal: Journal) -> Iterator[None]:
        begun[0] += 1
        number = begun[0]
        if number > commit:
            raise Killed
        with real(journal):
            yield
            if number == commit and not kept:
                raise Killed
        if number == commit:
            raise Killed

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Journal, "transaction", transaction)
        yield begun


@contextmanager
def killed_after(scene: Scene, method: str, path: str) -> Iterator[None]:
    """The process dies right after the first such request has left: it hears no answer, and writes nothing more."""
    real, dead = scene.sandbox.answer, False
    begin = Journal.transaction

    def answer(request: Request) -> Response:
        nonlocal dead
        response = real(request)
        if (request.method, request.path) == (method, path):
            dead = True
            raise Killed
        return response

    @contextmanager
    def transaction(journal: Journal) -> Iterator[None]:
        if dead:
            raise Killed
        with begin(journal):
            yield

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(scene.sandbox, "answer", answer)
        patch.setattr(Journal, "transaction", transaction)
        yield


def adds_up(summary: Summary) -> None:
    """Every event that was read has exactly one outcome."""
    counts = msgspec.structs.asdict(summary.events)
    read = counts.pop("read")
    assert read == sum(counts.values()), counts


OUTCOMES = ("read", "delivered", "unchanged", "duplicate", "skipped", "rejected", "failed", "pending")


def outcomes(summary: Summary) -> dict[str, int]:
    """The outcomes that occurred, and how often."""
    return {name: n for name in OUTCOMES[1:] if (n := getattr(summary.events, name))}
