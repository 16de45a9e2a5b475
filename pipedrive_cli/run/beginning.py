"""What `init` asks an account: whose key it is, which fields there are, and to make those that are missing."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from pipedrive_cli.config import Config
from pipedrive_cli.delivery.asks import Refusal
from pipedrive_cli.delivery.failing import Failure, KindStops
from pipedrive_cli.errors import StopRun
from pipedrive_cli.pipedrive.account import Account
from pipedrive_cli.pipedrive.catalog import PLANS
from pipedrive_cli.run.account import AccountKnowledge
from pipedrive_cli.run.asking import connected, unreachable, whose_key
from pipedrive_cli.run.custom_fields import Wanted, create, missing
from pipedrive_cli.transform.changes import Kind

TODAYS_PLANS = ("lite", "growth", "premium", "ultimate")  # the others are older names of limits that these have too


@dataclass(frozen=True, slots=True)
class Learnt:
    """The account with its fields. `refused` has a sentence per kind whose fields Pipedrive does not show."""

    account: Account
    refused: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Made:
    """Fields that were made, those that are missing still, and what kept them from being made, if anything."""

    fields: tuple[Wanted, ...]
    missing: tuple[Wanted, ...] = ()
    stopped: StopRun | None = None


async def greet(config: Config) -> tuple[Account, str | None]:
    """Whose key this is, and the plan that Pipedrive's limits show. Raises StopRun and UserMistake."""
    async with connected(config) as line:
        account = await whose_key(line)
        told = line.told("x-ratelimit-limit")
    return account, next((plan for plan in TODAYS_PLANS if PLANS[plan].requests == told), None)


async def learn(config: Config, account: Account, kinds: Iterable[Kind]) -> Learnt:
    """The fields of these kinds. Raises StopRun where nobody answers."""
    refused: list[str] = []
    async with connected(config) as line:
        knowledge = AccountKnowledge(account, None, line.send, time.time())
        for kind in kinds:
            try:
                await knowledge.learn(frozenset({kind}), labels=False)
            except Failure as failure:
                raise unreachable(failure) from failure
            except (KindStops, Refusal) as refusal:
                refused.append(f"Pipedrive does not show the fields of {kind}: {refusal}")
    return Learnt(knowledge.account, tuple(refused))


async def lacking(config: Config, types: Mapping[str, str]) -> list[Wanted]:
    """The fields that the config names and the account lacks; `types` by name, text for all others."""
    async with connected(config) as line:
        return await missing(line, config, {name: (each, ()) for name, each in types.items()})


async def make(config: Config, wanted: Sequence[Wanted]) -> Made:
    """Makes them in this order, until one cannot be made."""
    made: list[Wanted] = []
    async with connected(config) as line:
        try:
            for each in wanted:
                await create(line, each)
                made.append(each)
        except StopRun as stop:
            return Made(tuple(made), tuple(wanted[len(made) :]), stop)
    return Made(tuple(made))
