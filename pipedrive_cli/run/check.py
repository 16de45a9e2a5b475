"""Finds what would fail in a run: in the config, in the account behind its key, and in the events.

Sends GETs alone, writes nothing anywhere, and goes on after a problem, so that all are reported at once.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import BinaryIO

from pipedrive_cli.config import Config
from pipedrive_cli.config.places import with_lines
from pipedrive_cli.delivery.backlog import Backlog
from pipedrive_cli.delivery.effects import Refusal
from pipedrive_cli.delivery.journal.past import reading
from pipedrive_cli.delivery.retry import Failure, KindStops
from pipedrive_cli.delivery.run_log import LiveFigures
from pipedrive_cli.errors import EXIT_OK, EXIT_PARTIAL, EXIT_USAGE, ConfigProblem, StopRun, UserMistake
from pipedrive_cli.events.rows import RowForm
from pipedrive_cli.events.source import Source, resolve_sources
from pipedrive_cli.model import KINDS, Kind
from pipedrive_cli.pipedrive.account import Account
from pipedrive_cli.pipedrive.catalog import PRICE_PLANS
from pipedrive_cli.report.problems import NoticeCode
from pipedrive_cli.report.summary import Example, ProblemGroup, config_group, problem_group
from pipedrive_cli.run.account import AccountKnowledge, WarningCode, config_problems, warnings_of, with_pins
from pipedrive_cli.run.connection import Connection, connected, unreachable, whose_key
from pipedrive_cli.run.earlier_runs import EarlierRuns
from pipedrive_cli.run.first_events import ENOUGH
from pipedrive_cli.run.id_fields import unused_id_fields
from pipedrive_cli.run.journal_file import default_path, named_journal
from pipedrive_cli.run.mapping import with_companies
from pipedrive_cli.run.results import clock_wrong
from pipedrive_cli.run.sample import Sample, SampleFound
from pipedrive_cli.run.suppression import digest_of, suppressed_people, suppression_list
from pipedrive_cli.transform.suppression import SuppressionList
from pipedrive_cli.transform.targets import names_users

UNUSED: NoticeCode = "mapping_unused"
BUDGET: NoticeCode = "budget_short"
WITHOUT_ACCOUNT = "`--offline` looks at the config alone"
READING: NoticeCode = "reading_advised"
NO_ACCOUNT = frozenset({"no_account", "no_credentials"})


@dataclass(frozen=True, slots=True)
class AccountFound:
    """The account as a key shows it. The limits are None where no header told them.

    `requests_expected` is what the config's plan allows, None in the sandbox; `tokens_usable` what a run may spend of
    those left, for `delivery.leave_tokens` are for the company's other integrations.
    """

    company: str
    domain: str | None
    user: str | None
    admin: bool | None
    requests_allowed: int | None  # per 2 s
    tokens_a_day: int | None
    tokens_left: int | None
    requests_expected: int | None = None
    tokens_usable: int | None = None


@dataclass(frozen=True, slots=True)
class Checked:
    """What was found. `unchecked` says why the account was not asked, None where it was.

    `obstacles` are the problems to be put right before a run; `warnings` are about lines of the config that work;
    `others` cost events, or nothing.
    """

    obstacles: tuple[ProblemGroup, ...] = ()
    warnings: tuple[ProblemGroup, ...] = ()
    others: tuple[ProblemGroup, ...] = ()
    exit_code: int = EXIT_OK
    account: AccountFound | None = None
    unchecked: str | None = None
    events: SampleFound | None = None

    @property
    def problems(self) -> tuple[ProblemGroup, ...]:
        """All of them, what stands in the way first."""
        return self.obstacles + self.warnings + self.others

    @property
    def ok(self) -> bool:
        """Whether a run may begin, and read all that it is given. Some events may be rejected."""
        return self.exit_code in (EXIT_OK, EXIT_PARTIAL)


def configured_kinds(config: Config) -> frozenset[Kind]:
    """The kinds of record that the config mentions; leads need their persons."""
    kinds: set[Kind] = {kind for kind in KINDS if getattr(config.fields, kind) or getattr(config.new_records, kind)}
    if config.identity.user_id_field is not None:
        kinds.add("persons")
    if config.identity.group_id_field is not None:
        kinds.add("organizations")
    if config.leads.label_ids or config.leads.default_currency is not None:
        kinds.add("leads")
    if "leads" in kinds:
        kinds.add("persons")
    return with_companies(config, frozenset(kinds))


@dataclass(slots=True)
class AccountCheck:
    """One check. `note` shows people something while it works; `most` is how many events are read, None: all.
    With `offline` the account is not asked. `reread` is as in a replay."""

    config: Config
    config_file: str
    sources: Sequence[str] = ()
    sandbox: bool = False
    stdin: BinaryIO | None = None
    note: Callable[[str], None] = lambda _: None
    live_figures: LiveFigures = field(default_factory=LiveFigures)
    most: int | None = ENOUGH
    offline: bool = False
    rows: RowForm | None = None
    reread: bool = False
    _obstacles: list[ProblemGroup] = field(default_factory=list)
    _others: list[ProblemGroup] = field(default_factory=list)
    _mistakes: list[ConfigProblem] = field(default_factory=list)
    _warnings: dict[WarningCode, list[ConfigProblem]] = field(default_factory=dict)
    _exit_code: int = EXIT_OK
    _listed: SuppressionList = field(default_factory=SuppressionList)
    _found: AccountFound | None = None
    _events: SampleFound | None = None

    async def run(self) -> Checked:
        """Raises `UserMistake` for sources that are not there; everything else is in what it returns."""
        self._listed = suppression_list(self.config, self.note)
        sources = resolve_sources(self.sources, self.stdin, rows=self.rows, note=self.note) if self.sources else []
        if self.offline:
            return await self._looked_at(sources, "--offline: nobody was asked")
        unchecked: str | None = None
        try:
            async with connected(self.config, sandbox=self.sandbox) as connection:
                await self._look(connection, sources)
        except UserMistake as mistake:
            hint = WITHOUT_ACCOUNT if mistake.code in NO_ACCOUNT else mistake.hint
            hint = f"{mistake.hint}. {hint}" if mistake.hint and hint != mistake.hint else hint
            self._stop(mistake.code, mistake.message, hint, mistake.exit_code)
            unchecked = mistake.message
        except StopRun as stop:
            self._stop(stop.code, stop.message, stop.hint, stop.exit_code)
            unchecked = stop.message
        return await self._looked_at(sources, unchecked if self._found is None else None)

    async def _looked_at(self, sources: list[Source], unchecked: str | None) -> Checked:
        """What was found, once the events were looked at too."""
        if self._events is None and sources:
            state = named_journal(None, self.config, sandbox=self.sandbox)
            with self._sample(sources, state) as sample:
                self._events = await sample.read(None)
        if self._events is not None:
            self._mistakes += self._events.mistakes
            self._others += [*self._budget(self._events), *self._events.problems]
        return self._checked(unchecked)

    @contextlib.contextmanager
    def _sample(self, sources: list[Source], state: Path | None) -> Iterator[Sample]:
        """A sample of the events. `state` is the journal that remembers who is suppressed, where there is one."""
        with contextlib.ExitStack() as stack:
            journal = None if state is None or not state.exists() else stack.enter_context(reading(state))
            aliases = {} if journal is None else journal.aliases()
            people = suppressed_people(self._listed, journal, Backlog(aliases), keep=False)
            suppression = None if people is None else people.suppression
            earlier = None
            if journal is not None:
                listed = digest_of(self._listed)
                earlier = EarlierRuns.of(journal, self.config, listed, self.rows, reread=self.reread)
                sources = earlier.to_read(sources)
            yield Sample(
                self.config,
                sources,
                most=self.most,
                config_file=self.config_file,
                suppression=suppression,
                earlier=earlier,
                knows_past=self.sandbox or state is not None,
                live_figures=self.live_figures,
            )

    def _checked(self, unchecked: str | None) -> Checked:
        obstacles = [*self._obstacles, *self._of_config(self._mistakes, "config")]
        of_events = EXIT_OK if self._events is None else self._events.exit_code
        exit_code = self._exit_code or (EXIT_USAGE if self._mistakes else of_events)
        unused = () if self._events is None else self._events.warnings
        groups = [*self._reading()]
        groups += [group for code, told in self._warnings.items() for group in self._of_config(told, code)]
        groups += self._of_config(unused, UNUSED)
        warnings = tuple(sorted(groups, key=lambda group: group.examples[0].line or 0))
        return Checked(tuple(obstacles), warnings, tuple(self._others), exit_code, self._found, unchecked, self._events)

    def _of_config(self, problems: Sequence[ConfigProblem], code: str) -> list[ProblemGroup]:
        """Problems of the config, in the order of its lines."""
        placed = sorted(with_lines(Path(self.config_file), problems), key=lambda problem: problem.line or 0)
        return [config_group(self.config_file, problem, code) for problem in placed]

    def _reading(self) -> Iterator[ProblemGroup]:
        """The settings of `values` that the events need."""
        needed = None if self._events is None else self._events.reading
        if needed is None:
            return
        lines = ", ".join(f"`{line}`" for line in needed.lines)
        message = f"{needed.fitting:,} of {needed.misfits:,} values that do not fit would, with {lines}"
        hint = "Write that under `values:` in the config."
        if needed.either_order:
            hint += " Or month first: nothing in these events tells which it is."
        if needed.changed:
            hint += f" {needed.changed:,} events that fit now would then be read otherwise."
        example = Example(file=self.config_file, line=None, message_id=None, field="values")
        yield problem_group(READING, None, needed.fitting, (example,), message=message, hint=hint)

    def _budget(self, events: SampleFound) -> Iterator[ProblemGroup]:
        """What the events may cost, where that is more than a run may spend today."""
        usable = None if self._found is None else self._found.tokens_usable
        if usable is not None and events.cost is not None and events.cost.least > usable:
            message = f"all of it may take {events.cost.least:,} API tokens or more, and {usable:,} are left for today"
            yield problem_group(BUDGET, None, 1, message=message)

    async def _look(self, connection: Connection, sources: list[Source]) -> None:
        account = await whose_key(connection)
        account = account if self.sandbox else with_pins(account, self.config)
        knowledge = AccountKnowledge(account, None, connection.send, connection.clock.latest())
        kinds = configured_kinds(self.config)
        try:
            await self._learn(knowledge, kinds)
            ids: dict[Kind, set[str]] = {}
            if sources:
                state = named_journal(None, self.config, sandbox=self.sandbox)
                if state is None and not self.sandbox:
                    state = default_path(account.company_id or 0)
                with self._sample(sources, state) as sample:
                    sample.now = connection.clock.latest
                    learn = partial(self._learn_more, knowledge)
                    self._events = await sample.read(knowledge.account, learn)
                kinds |= with_companies(self.config, sample.kinds)
                ids = sample.ids
        finally:
            self._found = self._account(account, connection)
        if (wrong := clock_wrong(connection.clock.ahead())) is not None:
            self._others.append(problem_group(wrong.code, None, 1, message=wrong.message))
        if account.admin is False:
            self._others.append(problem_group("not_admin", None, 1))
        if not self.sandbox:
            await self._look_for_ids(connection, knowledge.account, ids)
        self._mistakes += config_problems(self.config, knowledge.account, kinds)
        self._warnings = warnings_of(self.config, knowledge.account, kinds)

    async def _look_for_ids(self, connection: Connection, account: Account, ids: dict[Kind, set[str]]) -> None:
        try:
            self._others += await unused_id_fields(connection.send, self.config, account, ids)
        except Failure as failure:
            raise unreachable(failure) from failure
        except (KindStops, Refusal):
            return  # what the key may not read is told elsewhere

    async def _learn_more(self, knowledge: AccountKnowledge, kinds: frozenset[Kind]) -> Account:
        await self._learn(knowledge, with_companies(self.config, kinds))
        return knowledge.account

    async def _learn(self, knowledge: AccountKnowledge, kinds: frozenset[Kind]) -> None:
        """Fetches what the account says of these kinds; what Pipedrive refuses to show becomes a problem."""
        for kind in sorted(kinds):
            try:
                await knowledge.learn(frozenset({kind}), labels=True)
                if names_users(self.config, knowledge.account, kind):
                    await knowledge.learn_users()
            except Failure as failure:
                raise unreachable(failure) from failure
            except (KindStops, Refusal) as refused:
                message = f"Pipedrive does not show the fields of {kind}: {refused}"
                self._stop("kind_refused", message, None, EXIT_USAGE)

    def _account(self, account: Account, connection: Connection) -> AccountFound:
        a_day = connection.limit_of("x-daily-ratelimit-token-limit")
        left = connection.limit_of("x-daily-ratelimit-token-remaining")
        usable = None if a_day is None or left is None else left - self.config.delivery.leave_tokens.of(a_day)
        plan = PRICE_PLANS[self.config.pipedrive.plan]
        expected = plan.requests if self.config.pipedrive.oauth_token is None else plan.oauth_requests
        return AccountFound(
            company=account.company_name or str(account.company_id),
            domain=account.company_domain,
            user=account.user_name,
            admin=account.admin,
            requests_allowed=connection.limit_of("x-ratelimit-limit"),
            tokens_a_day=a_day,
            tokens_left=left,
            requests_expected=None if self.sandbox else expected,
            tokens_usable=None if usable is None or self.sandbox else max(0, usable),
        )

    def _stop(self, code: str, message: str, hint: str | None, exit_code: int) -> None:
        self._obstacles.append(problem_group(code, None, 1, message=message, hint=hint))
        self._exit_code = self._exit_code or exit_code
