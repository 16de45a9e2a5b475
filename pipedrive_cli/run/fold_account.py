"""What an account says of its fields to whoever compacts an archive, by GETs alone."""

from __future__ import annotations

import asyncio

from pipedrive_cli.config import Config
from pipedrive_cli.errors import UserMistake
from pipedrive_cli.pipedrive.account import Account
from pipedrive_cli.run.account import AccountKnowledge, config_problems, raise_problems, with_pins
from pipedrive_cli.run.check import NO_ACCOUNT, configured_kinds
from pipedrive_cli.run.connection import asking, connected, whose_key


def fold_account(config: Config, config_file: str, *, sandbox: bool) -> Account | None:
    """The account; None where the config names none. Raises UserMistake, ConfigProblems and StopRun."""
    try:
        return asyncio.run(_learned(config, config_file, sandbox=sandbox))
    except UserMistake as mistake:
        if mistake.code not in NO_ACCOUNT:
            raise
        return None


async def _learned(config: Config, config_file: str, *, sandbox: bool) -> Account:
    async with connected(config, sandbox=sandbox) as connection:
        account = await whose_key(connection)
        account = account if sandbox else with_pins(account, config)
        knowledge = AccountKnowledge(account, None, connection.send, connection.clock.latest())
        kinds = configured_kinds(config)
        with asking(
            "the key may not read the account's fields", code="kind_refused", hint="`--offline` goes without them"
        ):
            await knowledge.learn(kinds, labels="leads" in kinds)
        raise_problems(config_file, config_problems(config, knowledge.account, kinds))
        return knowledge.account
