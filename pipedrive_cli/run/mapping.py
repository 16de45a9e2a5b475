"""The mapping of one run: learned from the account kind by kind, as events need it, then checked and compiled.

What an event needs of the account is fetched when the first such event comes, so that a file of products alone
demands nothing of persons. A config that does not fit the account ends the run here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, Protocol

import msgspec

from pipedrive_cli.config import Config
from pipedrive_cli.delivery.courier import Courier
from pipedrive_cli.delivery.pending_event import EventOrigin, PendingEvent
from pipedrive_cli.delivery.retry import KindStops
from pipedrive_cli.delivery.run_log import RunLog
from pipedrive_cli.errors import EXIT_USAGE, StopRun
from pipedrive_cli.model import KINDS, Complaint, Consent, Event, Kind, Transformed
from pipedrive_cli.pipedrive.account import Account, changed_addresses
from pipedrive_cli.run.account import config_problems, raise_problems, told_refused, told_warnings
from pipedrive_cli.run.settings import delivery_settings, field_names_of
from pipedrive_cli.transform.targets import names_users
from pipedrive_cli.transform.transform import Transform, compile_mapping, kinds_of

REREAD_AFTER: Final = 600.0  # seconds after which a refusal makes the account be read again


def with_companies(config: Config, kinds: frozenset[Kind]) -> frozenset[Kind]:
    """These kinds, and organizations where events about persons name them (`identity.company`)."""
    return kinds | {"organizations"} if config.identity.company is not None and "persons" in kinds else kinds


class AccountView(Protocol):
    """What is known of an account. `account` is None where nobody is asked."""

    @property
    def account(self) -> Account | None: ...

    async def learn(self, kinds: frozenset[Kind], *, labels: bool) -> None:
        """Fetches what events of these kinds need, unless it is known. Raises KindStops, Failure or StopRun."""

    async def learn_users(self) -> None:
        """Fetches the account's users, unless they are known. Raises as `learn` does."""

    async def renew(self, kinds: frozenset[Kind]) -> bool:
        """Fetches again what was kept from earlier about these kinds. Returns whether anything has changed."""

    async def reread(self, kind: Kind) -> None:
        """Fetches again what is known about this kind, however fresh it is."""

    def forget(self) -> None:
        """Drops what was kept from earlier, for it does not fit."""

    def pin(self, config: Config) -> None:
        """The config fits: remembers which keys its names of fields stand for."""


@dataclass(slots=True)
class RunMapping:
    """The mapping of one run. `courier` and its desk get its settings. `config_file` is named in messages."""

    config: Config
    config_file: str
    view: AccountView
    run_log: RunLog
    courier: Courier
    prepared: Callable[[], None] | None = None  # called whenever the account and its pins are known better
    kinds: frozenset[Kind] = frozenset()  # that it is prepared for
    _transform: Transform | None = None
    _reread: dict[Kind, float] = field(default_factory=dict)  # loop time of the last reading after a refusal
    _changed: set[tuple[Kind, str]] = field(default_factory=set)  # fields that are others than when events were read
    _unfit: StopRun | None = None  # the config does not fit the account as it was found by that reading
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock)  # one job at a time asks about the account
    _renewed: frozenset[Kind] = frozenset()  # kinds that were asked for again because a value did not fit
    _warned: set[tuple[str, str]] = field(default_factory=set)  # code and path of the config

    def transform(self, event: Event) -> Transformed:
        """What one event asks for; its kinds have been prepared."""
        return (self._transform or self._compiled).transform(event)

    def denies(self, consent: Consent | None) -> bool:
        """Whether an event with this consent must not be sent, whatever it asks for."""
        return self._compiled.denies(consent)

    @property
    def asks(self) -> bool:
        """Whether consent counts."""
        return self._compiled.asks

    def told(self, complaint: Complaint) -> Complaint:
        """A complaint about an event that could not be decoded, as reports may show it."""
        return self._compiled.told(complaint)

    @property
    def skips_visitors(self) -> bool:
        """Whether events that have an anonymous id alone are skipped."""
        return self.config.identity.anonymous == "skip"

    @property
    def _compiled(self) -> Transform:
        if self._transform is None:  # for an event of a type that needs nothing of the account
            self._transform = compile_mapping(self.config, self.view.account)
        return self._transform

    @property
    def compiled(self) -> Transform | None:
        """What `prepare` compiled last; it compiles again when more is known of the account."""
        return self._transform

    def may_renew(self, kinds: frozenset[Kind]) -> bool:
        """Whether `renew` would ask for some of these kinds."""
        return not kinds <= self._renewed

    async def prepare(self, kinds: frozenset[Kind], *, begun: bool = False) -> None:
        """Makes ready for events of these kinds. Raises ConfigProblems, or StopRun once something was written.

        `begun`: records are under way, so that this is no time for a list of problems.
        """
        config = self.config
        kinds = with_companies(config, kinds)
        self.kinds |= kinds
        await self._learn(kinds)
        problems = config_problems(config, self._known, self.kinds)
        if problems:
            self.view.forget()  # somebody may have made the field a minute ago
            await self._learn(self.kinds)
            problems = config_problems(config, self._known, self.kinds)
        begun = begun or any(not label.startswith("GET ") for label in self.run_log.live_figures.requests)
        if problems and begun:
            raise StopRun(
                f"the config does not fit the account: {problems[0].path} {problems[0].message}",
                code="config",
                exit_code=EXIT_USAGE,
                hint="`pipedrive-cli check` lists every problem; run again to continue",
            )
        raise_problems(self.config_file, problems)
        self._warn()
        self.view.pin(config)
        if self.prepared is not None:
            self.prepared()
        transform = self._transform = compile_mapping(config, self.view.account)
        refused = self.courier.settings.refused_fields
        terms = msgspec.structs.replace(delivery_settings(config, transform, self._known), refused_fields=refused)
        self.courier.settings, self.courier.account = terms, self
        addresses = {kind: transform.addresses(kind) for kind in KINDS}
        self.courier.desk.equip(terms, addresses, field_names_of(self._known))

    async def renew(self, event: Event) -> bool:
        """A value does not fit its field: perhaps what was kept of the account is old. Returns whether it was."""
        kinds = kinds_of(event) - self._renewed
        if not kinds:
            return False
        self._renewed |= kinds
        before = self._known
        renewed = await self.view.renew(kinds)
        if renewed:
            self._note_changed(before)  # events that were read before wait with what they made of the old one
            await self.prepare(kinds)
        return renewed

    async def learn_kind(self, kind: Kind) -> None:
        """As `AccountWatch` says it. Without a field for group ids there is nothing to learn of organizations."""
        if kind in self.kinds or (kind == "organizations" and self.config.identity.group_id_field is None):
            return
        async with self._turn:
            await self._prepare_late(kind)

    async def _prepare_late(self, kind: Kind) -> None:
        """Prepares while records are under way. The first time that the config does not fit is told to all."""
        if self._unfit is not None:
            raise self._unfit
        try:
            await self.prepare(frozenset({kind}), begun=True)
        except StopRun as unfit:
            self._unfit = unfit
            raise

    async def changed_fields(self, kind: Kind) -> frozenset[str]:
        """As `AccountWatch` says it."""
        async with self._turn:
            if self._unfit is not None:
                raise self._unfit
            now = asyncio.get_running_loop().time()
            if (read := self._reread.get(kind)) is None or now - read >= REREAD_AFTER:
                before = self._known
                await self.view.reread(kind)
                self._reread[kind] = now
                if self._known != before:
                    self._note_changed(before)
                    await self._prepare_late(kind)
        return frozenset(address for of, address in self._changed if of == kind)

    def _note_changed(self, before: Account) -> None:
        for kind in KINDS:  # a currency concerns more than the kind that was asked for
            self._changed |= {(kind, address) for address in changed_addresses(kind, before, self._known)}

    def give_up_field(self, kind: Kind, address: str, words: str) -> None:
        """As `AccountWatch` says it. The lines of the config that name the field are told."""
        for complaint, place in told_refused(self.config, self.config_file, self._known, kind, address, words):
            self.run_log.problem(complaint, PendingEvent(b"", EventOrigin("", place)))

    @property
    def _known(self) -> Account:
        return self.view.account or Account()

    async def _learn(self, kinds: frozenset[Kind]) -> None:
        """Learns the account. A kind whose fields the key may not even read stops; the others go on."""
        for kind in sorted(kinds):
            try:
                await self.view.learn(frozenset({kind}), labels=kind == "leads")
                if self.view.account is not None and names_users(self.config, self.view.account, kind):
                    await self.view.learn_users()
            except KindStops as stops:
                self.courier.kinds_stopped.setdefault(stops.kind, stops)

    def _warn(self) -> None:
        """Warns of fields that have another name than in the config, or cannot be written; of each once in a run."""
        for complaint, place in told_warnings(self.config, self.config_file, self._known, self.kinds):
            if (warned := (complaint.code, complaint.field or "")) not in self._warned:
                self._warned.add(warned)
                self.run_log.problem(complaint, PendingEvent(b"", EventOrigin("", place)))
