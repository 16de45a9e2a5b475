"""People who asked to be forgotten: out of Pipedrive, out of the journal, and out of every later run.

First the journal is asked, then the account: who bears the ids, which leads of theirs this tool made, what else hangs
on them. Then, in one transaction, the journal exchanges all that names them for hashes and for the list of records
that are to be deleted (`delivery.journal.forgetting`). Only then is anything deleted in Pipedrive; a DELETE may be
repeated. So whatever ends the process, the same command again goes on where it ended.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterator, Mapping, Set
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Final

from pipedrive_cli.config import Config
from pipedrive_cli.delivery.brakes import BrakeCounter, Done
from pipedrive_cli.delivery.directory import LONGEST_TERM
from pipedrive_cli.delivery.effects import Refusal
from pipedrive_cli.delivery.journal import Journal
from pipedrive_cli.delivery.journal.forgetting import (
    PeopleKnown,
    add_shown,
    clean,
    complete,
    left_to_delete,
    note_deleted,
    overwrite_deleted,
    sources_of_runs,
    wipe,
)
from pipedrive_cli.delivery.journal.rows import name_hash
from pipedrive_cli.delivery.journal.scratch import scratch
from pipedrive_cli.delivery.retry import Failure, KindStops
from pipedrive_cli.delivery.run_log import LiveFigures
from pipedrive_cli.errors import EXIT_OK, EXIT_PARTIAL, StopRun, UserMistake
from pipedrive_cli.events.people import people_in
from pipedrive_cli.model import JsonObject, Kind
from pipedrive_cli.pipedrive.catalog import DEALS_OF_PERSON, SKEW, Call, delete, find_exact, get, list_leads, listing
from pipedrive_cli.pipedrive.contacts import email_form
from pipedrive_cli.pipedrive.reading_lists import Row, Send, read_pages
from pipedrive_cli.run.account import AccountKnowledge
from pipedrive_cli.run.connection import asking, connected, whose_key
from pipedrive_cli.run.journal_file import default_path, locked
from pipedrive_cli.run.plan_name import drop_plans, plans_folder
from pipedrive_cli.run.settings import brake_limits, day_budget
from pipedrive_cli.run.suppression import people_listed, salt_of
from pipedrive_cli.transform.suppression import BadLine, Suppression, SuppressionList, read_list
from pipedrive_cli.transform.transform import compile_mapping

LONGEST_PATIENCE: Final = 60.0  # seconds that a creation of an earlier run may still be under way


@dataclass(frozen=True, slots=True)
class ForgetOptions:
    """Options of `forget`. `names` are ids and emails."""

    names: SuppressionList
    state: Path | None = None
    dry_run: bool = False
    max_tokens: int | None = None
    brakes: Mapping[Done, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RecordLeft:
    """A record that stays in Pipedrive, or an email that stays in the journal, and why."""

    kind: str
    id: int | str | None
    code: str
    why: str


@dataclass(slots=True)
class Forgetting:
    """What is found of the people, and what has become of it. `rows` are those of the journal, by table."""

    ids: int = 0
    emails: int = 0
    persons: list[int] = field(default_factory=list)  # to be deleted
    leads: list[str] = field(default_factory=list)
    kept: list[RecordLeft] = field(default_factory=list)
    sources: list[str] = field(default_factory=list)  # of earlier runs
    deleted: dict[Kind, int] = field(default_factory=lambda: {"persons": 0, "leads": 0})
    rows: dict[str, int] = field(default_factory=dict)
    journal: Path | None = None
    figures: LiveFigures = field(default_factory=LiveFigures)
    stopped: StopRun | None = None
    agreed: bool = True
    dry_run: bool = False

    @property
    def records(self) -> list[tuple[Kind, int | str]]:
        """All that is to be deleted, leads before their persons."""
        return [*(("leads", each) for each in self.leads), *(("persons", each) for each in self.persons)]

    @property
    def exit_code(self) -> int:
        """4 where it stopped early, 1 where something is kept."""
        if self.stopped is not None:
            return self.stopped.exit_code
        return EXIT_PARTIAL if self.kept and not self.dry_run else EXIT_OK


def names_meant(given: tuple[str, ...], file: Path | None) -> SuppressionList:
    """The ids and emails of the command line and of `--file`, which has the form of a list of suppressed people."""
    # Taken for an id, a list would be forgotten with success, and nobody in it.
    if (taken := next((each for each in given if Path(each).is_file()), None)) is not None:
        raise UserMistake(
            f"{taken} is a file",
            code="usage",
            hint=f"--file {taken} forgets the people who are listed in it; an id of that name goes into a file, too",
        )
    if any(each.startswith(("#", "{")) for each in given):
        raise UserMistake("an id that begins with # or { is taken from --file alone", code="usage", hint="write a file")
    try:
        listed = read_list(given)
    except BadLine:
        hint = "give each user id or email as an argument of its own"
        raise UserMistake("one argument holds several names", code="usage", hint=hint) from None
    if file is not None:
        more = people_listed(file, f"--file {file}", "name a file that has one user id or email a line")
        listed = SuppressionList(listed.ids | more.ids, listed.emails | more.emails)
    if not listed:
        raise UserMistake("nobody is named", code="usage", hint="name a user id or an email, or a file with --file")
    return listed


async def forget_people(config: Config, options: ForgetOptions, agree: Callable[[Forgetting], bool]) -> Forgetting:
    """Forgets the people, once `agree` has seen what will be done. Raises UserMistake, StateHeld and ConfigProblems.

    What stops it early is in what it returns, together with what was done until then.
    """
    found = Forgetting(dry_run=options.dry_run)
    async with connected(
        config, day=day_budget(config), max_tokens=options.max_tokens, live_figures=found.figures
    ) as connection:
        account = await whose_key(connection)
        path = options.state or config.state or default_path(account.company_id or 0)
        found.journal = path
        with _journal(path, dry_run=options.dry_run) as journal:
            journal.must_be_of(account.company_id or 0, account.company_name)
            knowledge = AccountKnowledge(account, journal, connection.send, connection.clock.now())
            with asking(
                "Pipedrive does not show what is to be forgotten",
                code="look_up_failed",
                hint="nothing was deleted; mend the key's permissions, then run again",
            ):
                await knowledge.learn(frozenset({"persons"}), labels=False)
                key = compile_mapping(config, knowledge.account).user_id_address
                search = _Search(connection.send, journal, key, config.delivery.settle, connection.clock.now, found)
                people = await search.look(options.names)
                found.sources = sources_of_runs(journal)
                brake = BrakeCounter(brake_limits(config, options.brakes), look="forget --dry-run")
                if (stop := brake.stop_before({"deleted": len(found.records)})) is not None:
                    raise stop
            if options.dry_run:
                return found
            found.agreed = agree(found)
            if found.agreed:
                if account.company_id is not None:
                    journal.bind(account.company_id, account.company_name)
                await _carry_out(journal, connection.send, people, found)
    return found


@contextlib.contextmanager
def _journal(path: Path, *, dry_run: bool) -> Iterator[Journal]:
    """The journal, held by this process; a copy of it where nothing is to be written."""
    if dry_run:
        with contextlib.closing(scratch(path)) as journal:
            yield journal
        return
    with locked(path), contextlib.closing(Journal.open(path)) as journal, journal.in_use():
        overwrite_deleted(journal)
        yield journal


@dataclass(slots=True)
class _Search:
    """Looks for all that there is of some people. `key` is the address of the field that holds user ids."""

    send: Send
    journal: Journal
    key: str | None
    settle: float
    now: Callable[[], float]  # Pipedrive's time, in seconds since 1970
    found: Forgetting
    _searched: set[str] = field(default_factory=set)
    _read: set[int] = field(default_factory=set)
    _kept: set[int] = field(default_factory=set)  # persons with deals
    _gone: set[int] = field(default_factory=set)  # persons that are not in Pipedrive any more

    async def look(self, names: SuppressionList) -> PeopleKnown:
        """Everything by which the people are known. What is to be deleted is in `found` then."""
        people = PeopleKnown(set(names.ids), set(names.emails))
        before = -1
        while before < people.size():
            before = people.size()
            complete(self.journal, people)
            await self._add_unsettled(people)
            ids, emails = people.ids - self._searched, (people.emails & names.emails) - self._searched
            long_ids, long_emails = ({each for each in some if len(each) > LONGEST_TERM} for some in (ids, emails))
            if long_ids or long_emails:
                await self._by_listing(people, long_ids, long_emails)
            for name in sorted(ids - long_ids):
                await self._by_id(people, name)
            for email in sorted(emails - long_emails):
                await self._by_email(people, email)
            for person in sorted(people.persons - self._read):
                await self._read_person(people, person)
        for person in sorted(people.persons):
            await self._read_leads(people, person)
        found = self.found
        found.ids = sum(email_form(each) not in people.emails for each in people.ids)
        found.emails = len(people.emails)
        waiting = left_to_delete(self.journal)
        people.persons.update(int(each) for kind, each in waiting if kind == "persons")
        living = (people.persons & self._read) - self._kept - self._gone
        found.persons = sorted(living | {int(each) for kind, each in waiting if kind == "persons"})
        found.leads = sorted({*found.leads, *(str(each) for kind, each in waiting if kind == "leads")})
        for _ in sorted(people.shared):
            why = "an email of theirs is another person's too: its events go on, and the journal keeps it"
            found.kept.append(RecordLeft("emails", None, "shared_email", why))
        return people

    async def _add_unsettled(self, people: PeopleKnown) -> None:
        """A person whose creation was never answered may be there, though no search shows it yet."""
        open_writes = [
            write
            for write in self.journal.open_writes()
            if write.kind == "persons" and write.verb == "create" and write.key in people.ids
        ]
        if not open_writes or self.key is None:
            return
        left = [write.departure for write in open_writes]
        over = max(each.sent_at + (each.patience or LONGEST_PATIENCE) for each in left) + self.settle
        await asyncio.sleep(max(0.0, min(over - self.now(), LONGEST_PATIENCE + self.settle)))
        since = datetime.fromtimestamp(min(each.sent_at for each in left), UTC) - SKEW
        async for rows in read_pages(self.send, lambda cursor: listing("persons", cursor, updated_since=since)):
            people.persons.update(int(row["id"]) for row in rows if self._id_of(row) in people.ids)

    async def _by_id(self, people: PeopleKnown, name: str) -> None:
        self._searched.add(name)
        if self.key is None:
            return
        for hit in await self._hits(lambda cursor: find_exact("persons", name, None, cursor)):
            row = await self._person(int(hit["id"]))
            if row is not None and self._id_of(row) == name:
                people.persons.add(int(hit["id"]))

    async def _by_email(self, people: PeopleKnown, email: str) -> None:
        self._searched.add(email)
        bearers: set[int] = set()
        for hit in await self._hits(lambda cursor: find_exact("persons", email, "email", cursor)):
            row = await self._person(int(hit["id"]))
            if row is not None and email in _emails_of(row):
                bearers.add(int(hit["id"]))
        self._add_bearers(people, email, bearers)

    @staticmethod
    def _add_bearers(people: PeopleKnown, email: str, bearers: set[int]) -> None:
        """Whoever has this email alone; of several nobody can tell which is meant."""
        if len(bearers - people.persons) == 1 and not bearers & people.persons:
            people.persons.update(bearers)
        elif bearers - people.persons:
            people.shared.add(email)

    async def _by_listing(self, people: PeopleKnown, names: Set[str], emails: Set[str]) -> None:
        """Ids and emails that are too long for Pipedrive's search: all persons are listed for them, once."""
        self._searched |= names | emails
        bearers: dict[str, set[int]] = {email: set() for email in emails}
        async for rows in read_pages(self.send, partial(listing, "persons")):
            for row in rows:
                if self._id_of(row) in names:
                    people.persons.add(int(row["id"]))
                for email in emails & _emails_of(row):
                    bearers[email].add(int(row["id"]))
        for email, persons in bearers.items():
            self._add_bearers(people, email, persons)

    async def _hits(self, call: Callable[[str | None], Call]) -> list[Row]:
        return [hit async for hits in read_pages(self.send, call) for hit in hits]

    async def _person(self, person: int) -> JsonObject | None:
        """A person as Pipedrive shows it, with the number of its deals; None where it is gone."""
        try:
            data = (await self.send(get("persons", person, include=DEALS_OF_PERSON))).data
        except Refusal as refused:
            if refused.gone:
                return None
            raise
        return None if not isinstance(data, Mapping) or data.get("is_deleted") else data

    async def _read_person(self, people: PeopleKnown, person: int) -> None:
        self._read.add(person)
        row = await self._person(person)
        if row is None:
            self._gone.add(person)
            return
        if (own := self._id_of(row)) is not None:
            people.ids.add(own)
        add_shown(self.journal, people, row)
        deals = sum(n for name in DEALS_OF_PERSON if isinstance(n := row.get(name), int))
        if deals:
            self._kept.add(person)
            hang = "1 deal hangs" if deals == 1 else f"{deals} deals hang"
            why = f"{hang} on it: move or delete it in Pipedrive, then run again"
            self.found.kept.append(RecordLeft("persons", person, "has_deals", why))

    async def _read_leads(self, people: PeopleKnown, person: int) -> None:
        """The leads of a person: those that this tool made are deleted with it."""
        for archived in (False, True):
            of_person = partial(list_leads, archived=archived, person=person)
            async for rows in read_pages(self.send, of_person):
                for row in rows:
                    if row.get("person_id") != person:
                        continue
                    lead = str(row["id"])
                    if row.get("origin_id") or self.journal.keys_of("leads", lead):
                        people.leads.add(lead)
                        self.found.leads.append(lead)
                    else:
                        why = "it was not made by this tool: delete it in Pipedrive if it is to go"
                        self.found.kept.append(RecordLeft("leads", lead, "not_ours", why))

    def _id_of(self, row: Row) -> str | None:
        """The user id that a person bears."""
        fields = row.get("custom_fields")
        if self.key is None or not isinstance(fields, Mapping):
            return None
        value = fields.get(self.key.removeprefix("custom_fields."))
        return value.strip() or None if isinstance(value, str) else None


def _emails_of(row: Row) -> set[str]:
    """The emails that a person shows, in the form in which they are compared."""
    shown = row.get("emails")
    return {email_form(str(each.get("value", ""))) for each in (shown if isinstance(shown, list) else ())}


async def _carry_out(journal: Journal, send: Send, people: PeopleKnown, found: Forgetting) -> None:
    """Wipes the journal, then deletes what is to be deleted."""
    judge = Suppression(SuppressionList(frozenset(people.ids), frozenset(people.emails)))
    with journal.transaction():
        salt = salt_of(journal)
        hashes = [name_hash(salt, "id", each) for each in people.ids]
        hashes += [name_hash(salt, "email", each) for each in people.emails]
        hashes += [name_hash(salt, "pipedrive_id", str(each)) for each in people.persons]
        found.rows = wipe(journal, people, hashes, found.records, lambda body: judge.add(people_in(body, None)))
    drop_plans(plans_folder())
    if not clean(journal):
        why = "another process is reading the journal, which may still hold what was wiped: run again when it is done"
        found.kept.append(RecordLeft("journal", None, "journal_in_use", why))
    try:
        for kind, record in left_to_delete(journal):
            if (kept := await _deleted(send, kind, record)) is not None:
                found.kept.append(kept)
                continue
            with journal.transaction():
                note_deleted(journal, kind, record)
            found.deleted[kind] += 1
    except (StopRun, KindStops) as stop:
        found.stopped = (
            stop
            if isinstance(stop, StopRun)
            else StopRun(f"Pipedrive deletes no {stop.kind}: {stop.message}", code="kind_refused")
        )


async def _deleted(send: Send, kind: Kind, record: int | str) -> RecordLeft | None:
    """Deletes a record; returns why it is still there, or None."""
    try:
        await send(delete(kind, record))
    except Refusal as refused:
        return None if refused.gone else RecordLeft(kind, record, str(refused.code), f"Pipedrive refuses: {refused}")
    except Failure as failure:
        why = f"nobody knows whether it was deleted ({failure.message}): run again"
        return RecordLeft(kind, record, "in_doubt", why)
    return None
