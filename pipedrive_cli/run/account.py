"""What a run knows of its account: fetched piece by piece as events need it, kept in the journal for a day."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal, TypeAlias

import msgspec

from pipedrive_cli.config import Config
from pipedrive_cli.config.places import with_lines
from pipedrive_cli.delivery.journal import Journal
from pipedrive_cli.delivery.journal.past import journal_is_there, reading
from pipedrive_cli.delivery.retry import KindStops
from pipedrive_cli.errors import ConfigProblem, ConfigProblems
from pipedrive_cli.model import Complaint, Kind, Place
from pipedrive_cli.pipedrive.account import Account, Field, Label, User
from pipedrive_cli.pipedrive.reading_account import read_currencies, read_fields, read_lead_labels, read_users
from pipedrive_cli.pipedrive.reading_lists import Send
from pipedrive_cli.run.journal_file import default_path
from pipedrive_cli.transform.fitting import lines_of, read_only, resolve_fields
from pipedrive_cli.transform.pins import Pins, moved, pins

DAY = 86_400.0
PINS = "pinned fields"
USERS = "users"
FIELD_MOVED: Final = "field_moved"
FIELD_READ_ONLY: Final = "field_read_only"
WarningCode: TypeAlias = Literal["field_moved", "field_read_only"]


class Kept(msgspec.Struct):
    """Something fetched, and when: seconds since 1970."""

    at: float
    fields: tuple[Field, ...] = ()
    currencies: frozenset[str] = frozenset()
    labels: tuple[Label, ...] = ()
    users: tuple[User, ...] = ()


@dataclass(slots=True)
class AccountKnowledge:
    """The account as far as this run has needed it. `now` is seconds since 1970 at the run's start."""

    account: Account
    journal: Journal | None
    send: Send
    now: float
    _from_journal: set[str] = field(default_factory=set)  # names of the facts that were not fetched in this run

    async def learn(self, kinds: frozenset[Kind], *, labels: bool) -> None:
        """Fetches fields of these kinds, and with leads or products the currencies, unless a day-old copy is kept."""
        if self.journal is not None and not self.account.pinned:
            self.account = msgspec.structs.replace(self.account, pinned=pins_of(self.journal))
        fields = dict(self.account.fields)
        for kind in sorted(kinds - fields.keys()):
            fields[kind] = (await self._kept(f"fields {kind}", kind)).fields
        self.account = msgspec.structs.replace(self.account, fields=fields)
        if self.account.currencies is None and kinds & {"leads", "products"}:
            kept = await self._kept("currencies", None)
            self.account = msgspec.structs.replace(self.account, currencies=kept.currencies)
        if self.account.lead_labels is None and labels and "leads" in kinds:
            kept = await self._kept("lead labels", None)
            self.account = msgspec.structs.replace(self.account, lead_labels=kept.labels)

    async def learn_users(self) -> None:
        """Fetches the account's users, unless a day-old copy is kept."""
        if self.account.users is None:
            self.account = msgspec.structs.replace(self.account, users=(await self._kept(USERS, None)).users)

    def forget(self) -> None:
        """Drops the kept copies, which did not fit: the next `learn` fetches again."""
        self.account = msgspec.structs.replace(self.account, fields={}, currencies=None, lead_labels=None, users=None)
        if self.journal is not None:
            with self.journal.transaction():
                for name in ("fields persons", "fields organizations", "fields products", "fields leads"):
                    self.journal.set_fact(name, None)
                self.journal.set_fact("currencies", None)
                self.journal.set_fact("lead labels", None)
                self.journal.set_fact(USERS, None)

    async def renew(self, kinds: frozenset[Kind]) -> bool:
        """Fetches kept copies about these kinds again, once in a run. Returns whether anything has changed.

        Somebody may have added an option, a label or a currency since, perhaps because the last report said so.
        """
        names = {f"fields {kind}" for kind in kinds}
        names |= {"currencies"} if kinds & {"leads", "products"} else set()
        names |= {"lead labels"} if "leads" in kinds else set()
        names |= set() if self.account.users is None else {USERS}
        stale = names & self._from_journal
        if not stale or self.journal is None:
            return False
        before = self.account
        self._from_journal -= stale
        try:
            await self._learn_anew(kinds, stale, self.journal)
        except KindStops:
            self.account = before  # Pipedrive showed it before: the kept copy still counts
            return False
        return self.account != before

    async def reread(self, kind: Kind) -> None:
        """Fetches what is known about this kind again, however fresh it is: an answer seems to contradict it."""
        if self.journal is None:
            return
        names = {f"fields {kind}"}
        names |= {"currencies"} if kind in {"leads", "products"} else set()
        names |= {"lead labels"} if kind == "leads" and self.account.lead_labels is not None else set()
        before = self.account
        self._from_journal -= names
        try:
            await self._learn_anew(frozenset({kind}), names, self.journal)
        except KindStops:
            self.account = before  # as in `renew`

    async def _learn_anew(self, kinds: frozenset[Kind], stale: set[str], journal: Journal) -> None:
        before = self.account
        with journal.transaction():
            for name in stale:
                journal.set_fact(name, None)
        self.account = msgspec.structs.replace(
            before,
            fields={kind: fields for kind, fields in before.fields.items() if f"fields {kind}" not in stale},
            currencies=None if "currencies" in stale else before.currencies,
            lead_labels=None if "lead labels" in stale else before.lead_labels,
            users=None if USERS in stale else before.users,
        )
        await self.learn(kinds, labels="leads" in kinds)
        if USERS in stale:
            await self.learn_users()

    def pin(self, config: Config) -> None:
        """Remembers which keys the config's names stand for; to be called once the config fits."""
        pinned = pins(config, self.account)
        if self.journal is not None and pinned != pins_of(self.journal):
            with self.journal.transaction():
                self.journal.set_fact(PINS, pinned)

    async def _kept(self, name: str, kind: Kind | None) -> Kept:
        kept = self.journal.fact(name, Kept) if self.journal is not None else None
        if kept is not None and abs(self.now - kept.at) < DAY:
            self._from_journal.add(name)
            return kept
        if kind is not None:
            kept = Kept(self.now, fields=await read_fields(self.send, kind))
        elif name == USERS:
            kept = Kept(self.now, users=await read_users(self.send))
        elif name == "currencies":
            kept = Kept(self.now, currencies=await read_currencies(self.send))
        else:
            kept = Kept(self.now, labels=await read_lead_labels(self.send))
        if self.journal is not None:
            with self.journal.transaction():
                self.journal.set_fact(name, kept)
        return kept


def pins_of(journal: Journal) -> Pins:
    """Which keys the names of fields stood for in earlier runs."""
    return journal.fact(PINS, dict[Kind, dict[str, str]]) or {}


def with_pins(account: Account, config: Config) -> Account:
    """The account with the pinned fields of earlier runs. Raises UserMistake for another company's journal.

    Only reads. Without a journal nothing is pinned.
    """
    path = config.state or default_path(account.company_id or 0)
    if not journal_is_there(path):
        return account
    with reading(path) as journal:
        if account.company_id is not None:
            journal.must_be_of(account.company_id, account.company_name)
        return msgspec.structs.replace(account, pinned=pins_of(journal))


def warnings_of(config: Config, account: Account, kinds: frozenset[Kind]) -> dict[WarningCode, list[ConfigProblem]]:
    """What in the config is not as it should be, though it works: fields that were renamed in Pipedrive, or made anew,
    and fields that nobody can write.
    """
    found: dict[WarningCode, Iterable[ConfigProblem]] = {
        FIELD_MOVED: moved(config, account),
        FIELD_READ_ONLY: read_only(config, account),
    }
    return {code: [each for each in warnings if _concerns(each.path, kinds)] for code, warnings in found.items()}


def told_warnings(
    config: Config, file: str, account: Account, kinds: frozenset[Kind]
) -> Iterator[tuple[Complaint, Place]]:
    """The same warnings as a run's report has them, with their places in the config's file."""
    for code, warnings in warnings_of(config, account, kinds).items():
        for warning in with_lines(Path(file), warnings):
            words = f"{warning.message}; {warning.hint}" if warning.hint else warning.message
            yield Complaint(code, words, warning.path), Place(file, warning.line or 1)


def told_refused(
    config: Config, file: str, account: Account, kind: Kind, address: str, words: str
) -> Iterator[tuple[Complaint, Place]]:
    """What a run's report says of a field that Pipedrive refuses of every record, for each line that names it."""
    problems = [
        ConfigProblem(path, f"Pipedrive refuses the field {name} of every record and says: {words}")
        for path, name in lines_of(config, account, kind, address)
    ]
    for problem in with_lines(Path(file), problems):
        yield Complaint(FIELD_READ_ONLY, problem.message, problem.path), Place(file, problem.line or 1)


def config_problems(config: Config, account: Account, kinds: frozenset[Kind]) -> list[ConfigProblem]:
    """What in the config does not fit the account, for the kinds that events are about."""
    problems = [p for p in resolve_fields(config, account) if _concerns(p.path, kinds)]
    for kind, name in (("persons", "user_id_field"), ("organizations", "group_id_field")):
        written = getattr(config.identity, name)
        if written is None and kind in kinds:
            problems.append(
                ConfigProblem(
                    f"identity.{name}",
                    f"is not set, and the events are about {kind}",
                    hint=f"name the custom field on {kind} that holds the {name[:-6].replace('_', ' ')}",
                )
            )
    return problems


def _concerns(path: str, kinds: frozenset[Kind]) -> bool:
    if path.startswith(("fields.", "new_records.")):
        return path.split(".")[1] in kinds
    if path.startswith("identity.user_id"):
        return "persons" in kinds
    if path.startswith("identity.group_id"):
        return "organizations" in kinds
    if path.startswith("leads."):
        return "leads" in kinds
    return True


def raise_problems(file: str, problems: list[ConfigProblem]) -> None:
    """Raises all problems at once with their lines, in the order of the lines; nothing without problems."""
    if problems:
        raise ConfigProblems(file, sorted(with_lines(Path(file), problems), key=lambda problem: problem.line or 0))
