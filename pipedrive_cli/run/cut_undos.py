"""Undos that were cut off, by a kill or a lost answer: what they had done is noted before a run goes by the journal."""

from __future__ import annotations

from pipedrive_cli.config import Config
from pipedrive_cli.delivery.journal import Journal
from pipedrive_cli.delivery.journal.befores import under_way
from pipedrive_cli.run.account import AccountKnowledge
from pipedrive_cli.run.past import history


async def catch_up_with_undos(config: Config, journal: Journal, account: AccountKnowledge) -> None:
    """Notes what such undos had done; else an event would ask for nothing of a record that has just been deleted.

    Raises StopRun.
    """
    if not (cut := under_way(journal)):
        return
    from pipedrive_cli.run.undo import Undoing  # noqa: PLC0415 - few runs follow an undo that was cut off

    runs = {run.number: run for run in history(journal.path).runs}
    for number, kinds in cut.items():
        await Undoing(config, journal, account, account.send, runs[number], account.now, kinds).catch_up()
