"""The command `init`: makes a config that passes `check`, with a few questions or with options alone."""

from __future__ import annotations

import asyncio
import shlex
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import get_args

import msgspec
import typer

from pipedrive_cli.cli import init_account as entry
from pipedrive_cli.cli import init_mapping as traits
from pipedrive_cli.cli.conversation import Conversation, at_the_terminal
from pipedrive_cli.cli.init_result import InitResult
from pipedrive_cli.cli.interrupts import signal_of
from pipedrive_cli.cli.printing import standard_input
from pipedrive_cli.cli.reading_shown import ReadingShown
from pipedrive_cli.config import Config, PlanName, values
from pipedrive_cli.config.load import checked_config
from pipedrive_cli.config.rudderstack import Settings, read_settings
from pipedrive_cli.config.values import BadValue
from pipedrive_cli.config.variables import TOKEN_VARIABLE
from pipedrive_cli.config.writing import Draft, yaml_of
from pipedrive_cli.errors import EXIT_OK, ConfigProblem, ConfigProblems, UserMistake, interrupted
from pipedrive_cli.events.event_files import is_url
from pipedrive_cli.events.rows import RowForm
from pipedrive_cli.events.source import resolve_sources
from pipedrive_cli.model import KINDS, Kind
from pipedrive_cli.pipedrive.account import Account, Field
from pipedrive_cli.report.console import show_error, show_note
from pipedrive_cli.report.wording import count
from pipedrive_cli.report.written_file import write_file
from pipedrive_cli.run.custom_fields import CreatedFields, create_lacking, lacking_fields, learn_account
from pipedrive_cli.run.filtering import Columns, row_form
from pipedrive_cli.run.first_events import ENOUGH
from pipedrive_cli.run.organizations_there import organizations_there
from pipedrive_cli.run.reading_needs import ReadingProposal
from pipedrive_cli.run.sample import Sample
from pipedrive_cli.run.traits import TraitsFound, look
from pipedrive_cli.setup.choosing import MappingChoice, Maps, choose
from pipedrive_cli.setup.proposals import as_written, wrong_id_field
from pipedrive_cli.transform.targets import ID_FIELDS, resolve_field

CASES = "cases"  # the folder for tests of the config, beside it
NOTHING_SEEN = TraitsFound(0, True, frozenset(), (), 0)


@dataclass(frozen=True, slots=True)
class Options:
    """The options of `init`, as they were written."""

    config_file: Path
    sources: tuple[str, ...] = ()
    company_domain: str | None = None
    base_url: str | None = None
    token_file: Path | None = None
    keyring: str | None = None
    plan: str | None = None
    seats: int | None = None
    user_id_field: str | None = None
    group_id_field: str | None = None
    maps: tuple[str, ...] = ()
    currency: str | None = None
    new_fields: bool = False
    create_fields: bool = False
    from_rudderstack: Path | None = None
    columns: Columns = (None, None, None, None)  # the options for tables
    offline: bool = False
    force: bool = False
    yes: bool = False


def run_init(options: Options) -> int:
    """Asks, reads, writes the config, and returns the exit code. Raises UserMistake or StopRun before it writes."""
    job = InitRun(options, at_the_terminal(yes=options.yes))
    try:
        return job.run()
    except (KeyboardInterrupt, typer.Abort) as interrupt:
        show_note("")  # the cursor stands behind a question
        number = signal_of(interrupt)
        made = f"; {count(job.made, 'field')} had been made in Pipedrive, and will be found there" if job.made else ""
        raise interrupted(number, "the config is written" if job.written else f"no config was written{made}") from None


@dataclass(slots=True)
class InitRun:
    """One run of `init`. `made` counts the fields that were made; `written`: the config is written."""

    options: Options
    conversation: Conversation
    made: int = 0
    written: bool = False
    _settings: Settings = field(default_factory=Settings)
    _rows: RowForm | None = None

    def run(self) -> int:
        options, conversation = self.options, self.conversation
        self._rows = row_form(*options.columns)
        plan = _plan(options.plan)
        currency = _currency(options.currency)
        given = traits.read_maps(options.maps)
        if options.from_rudderstack is not None:
            self._settings = read_settings(options.from_rudderstack)
            self._tell_of_strangers()
        self._may_write()
        # A slip in a name is told before anybody looks for the key.
        resolve_sources([source for source in options.sources if not is_url(source)], standard_input(), rows=self._rows)
        address, key = self._address_and_key()
        access = None
        if not options.offline:
            assert address is not None  # noqa: S101 - offline alone goes without
            assert key is not None  # noqa: S101 - as above
            access = entry.open_account(conversation, address, key, self._settings.api_token, self._token_file())
            address, key = access.address, access.key
        sources = self._sources()
        found = self._read_traits(sources)
        kinds = self._kinds(found, given)
        account = None if access is None else self._read_account(access, kinds)
        traits.refuse_slips(given, account)
        ids = self._ids(kinds, account)
        choice = choose(found.seen, account, given=given, settings=self._settings.maps, ids=ids)
        self._discuss(choice)
        draft = Draft(
            company_domain=None if address is None else address.company_domain,
            base_url=None if address is None else address.base_url,
            api_token_file=None if key is None or key.file is None else _path_for_config(options.config_file, key.file),
            keyring=None if key is None else key.keyring,
            plan=plan or (access.plan if access and access.plan else "lite"),
            seats=options.seats,
            user_id_field=ids["persons"],
            group_id_field=ids["organizations"],
            create_persons=self._settings.create_persons,
            match_organizations=None
            if access is None
            else self._ask_by_name(access, found, account, ids["organizations"]),
            currency=currency or self._ask_currency(found, account),
            purposes=self._settings.purposes,
            require=self._settings.require,
            mapping=traits.mapped(choice, all_of_them=conversation.live),
        )
        text = yaml_of(draft)
        config = _read_back(text, options.config_file)
        needed = _reading_needs(config, _with_new_fields(account, choice), sources, self._rows)
        if needed is not None:
            draft = _with_reading(draft, needed)
            text = yaml_of(draft)
            config = _read_back(text, options.config_file)
        made = CreatedFields(()) if access is None else self._make_fields(access, config, choice)
        self._write(text, key)
        result = InitResult(options.config_file, sources, made.missing, offline=options.offline, rows=self._rows)
        active = sum(row.active for rows in draft.mapping.values() for row in rows)
        result.show(None if key is None else key.secret, active)
        self._write_case(sources, config, account)
        if made.stopped is not None:
            show_error(made.stopped)
            return made.stopped.exit_code
        return EXIT_OK

    def _write_case(self, sources: tuple[str, ...], config: Config, account: Account | None) -> None:
        """Writes the first case for `test`, beside the config; a case that is there already stays."""
        if not sources or "-" in sources:
            return
        from pipedrive_cli.run.first_case import first_case  # noqa: PLC0415 - starts a sandbox, only where there are events

        path = self.options.config_file.parent / CASES / "first.yaml"
        try:
            written = first_case(sources, config, str(self.options.config_file), account, path, rows=self._rows)
        except UserMistake as mistake:  # the config stands, and can be used without a case
            show_note(f"Note: no first case for tests of this config was written. {mistake.message}.")
            return
        if written:
            command = f"pipedrive-cli test {shlex.quote(str(path))}"
            show_note(f"Wrote {path}: a first case for tests of this config, with values masked. `{command}` runs it.")

    def _tell_of_strangers(self) -> None:
        """Says what is taken over of `enableUserCreation`."""
        if self._settings.create_persons == "none":
            show_note(
                "Note: RudderStack's settings do not switch enableUserCreation on, so that destination created nobody. "
                "The config says the same (identity.create_persons: none): events of unknown persons are skipped. "
                "Change it to all, or to identify, if persons are to be created."
            )

    def _may_write(self) -> None:
        """Asks before a config is replaced; raises UserMistake where nobody can be asked or the folder is missing."""
        file = self.options.config_file
        if not file.absolute().parent.is_dir():
            raise UserMistake(f"-c {file}: its folder is not there", code="usage", hint="make the folder first")
        if self.options.force or not file.exists():
            return
        if file.is_dir():
            raise UserMistake(f"-c {file}: is a folder", code="usage", hint="name the file in it")
        if not self.conversation.live:
            raise UserMistake(f"{file} is there already", code="usage", hint="--force replaces it; -c names another")
        if not self.conversation.confirm(f"{file} is there already. Replace it at the end?", default=False):
            raise UserMistake(f"{file} stays as it is", code="usage", hint="-c names another file")

    def _token_file(self) -> Path:
        return self.options.token_file or self.options.config_file.parent / entry.TOKEN_FILE

    def _address_and_key(self) -> tuple[entry.AccountAddress | None, entry.Key | None]:
        """From the options, else by asking. Raises UserMistake with all that is missing if nobody can be asked."""
        options, known = self.options, self._settings.api_token
        address = entry.address_of(options.company_domain, options.base_url)
        key = entry.key_of(options.config_file, options.token_file, options.keyring, known)
        if options.offline:
            return address, key
        if not self.conversation.live:
            lacks = [] if address else ["the account: --company-domain NAME or --base-url URL"]
            if key is None:
                kept = " (the key of RudderStack's settings is written there)" if known else ""
                lacks.append(
                    f"the API token: {TOKEN_VARIABLE} in the environment, --token-file FILE{kept}, or --keyring"
                )
            if lacks:
                raise UserMistake(
                    f"nobody is there to be asked for {'; and for '.join(lacks)}",
                    code="usage",
                    hint="give these options; --offline does without an account, and leaves its fields unverified",
                )
        if address is None:
            address = entry.ask_address(self.conversation)
        return address, key or entry.ask_key(self.conversation, known, self._token_file())

    def _sources(self) -> tuple[str, ...]:
        """The sources of the options; without any, asks for one."""
        if self.options.sources or not self.conversation.live:
            return self.options.sources

        def read(answer: str) -> tuple[str, ...]:
            named = (str(Path(answer).expanduser()),) if answer else ()
            try:
                resolve_sources(named, rows=self._rows)
            except UserMistake as mistake:
                raise BadValue(f"cannot be read: {mistake.message}") from None
            return named

        return self.conversation.ask_until("Events to look at (a file or folder; Enter for none)", read)

    def _read_traits(self, sources: Sequence[str]) -> TraitsFound:
        if not sources:
            return NOTHING_SEEN
        resolved = resolve_sources(sources, standard_input(), rows=self._rows, note=show_note)
        with ReadingShown() as shown:
            found = look(resolved, live_figures=shown.figures)
        which = "the first " if not found.whole else "all " if found.events > 1 else ""
        show_note(f"Looked at {which}{count(found.events, 'event')}.")
        return found

    def _kinds(self, found: TraitsFound, given: Maps) -> tuple[Kind, ...]:
        """The kinds of record that events, mapping or settings name; without events all kinds."""
        named = {*found.kinds, *given, *self._settings.maps}
        if self.options.user_id_field is not None:
            named.add("persons")
        if self.options.group_id_field is not None:
            named.add("organizations")
        return tuple(kind for kind in KINDS if kind in named or not found.kinds)

    def _ids(self, kinds: Sequence[Kind], account: Account | None) -> dict[Kind, str | None]:
        """The fields for the ids: from the options, the settings, the account, or by asking."""
        ids: dict[Kind, str | None] = {}
        given = {"persons": self.options.user_id_field, "organizations": self.options.group_id_field}
        set_there = {"persons": self._settings.user_id_field, "organizations": self._settings.group_id_field}
        for kind, _ in ID_FIELDS:
            written_as = given[kind] or _usable_id_field(kind, set_there[kind], account)
            needed = kind in kinds or written_as is not None
            ids[kind] = traits.choose_id(self.conversation, kind, written_as, account) if needed else None
        return ids

    def _read_account(self, access: entry.Access, kinds: Iterable[Kind]) -> Account:
        learnt = asyncio.run(learn_account(entry.configured(access.address, access.key), access.account, kinds))
        for sentence in learnt.refused:
            show_note(f"Note: {sentence}.")
        return learnt.account

    def _discuss(self, choice: MappingChoice) -> None:
        if self.options.new_fields:
            traits.accept_new(choice)
        if self.conversation.live:
            traits.discuss(self.conversation, choice)
        else:
            traits.show_choice(choice, asked=False)

    def _ask_by_name(
        self, access: entry.Access, found: TraitsFound, account: Account | None, field: str | None
    ) -> str | None:
        """Says how many organizations of the events are there by name, and asks whether groups take them over."""
        if not found.organizations or account is None:
            return None
        config = entry.configured(access.address, access.key)
        there = asyncio.run(organizations_there(config, account, field, found.organizations))
        if not there.once and not there.several:
            return None
        some = "" if there.whole else f" of the first {count(there.looked_at, 'organization')} that were looked at"
        several = f"; {there.several:,} names are borne by several, and none of those is taken" if there.several else ""
        show_note(
            f"{count(there.once, 'organization')} of your {len(found.organizations):,} groups can be recognised by name"
            f"{some}{several}."
        )
        if not there.once or not self.conversation.live:
            return None
        asked = "Shall groups take over organizations that are there, by their names (identity.match_organizations)?"
        return "name" if self.conversation.confirm(asked) else None

    def _ask_currency(self, found: TraitsFound, account: Account | None) -> str | None:
        if not found.amounts_without_currency or not self.conversation.live:
            return None

        def read(answer: str) -> str | None:
            return None if answer in {"", traits.NOTHING} else values.currency_code(answer)

        proposed = (account.default_currency if account else None) or traits.NOTHING
        amounts = count(found.amounts_without_currency, "event")
        show_note(
            f"{amounts} with an amount or price and no currency. Such events are rejected with it, unless the config "
            "says which currency is meant, for every kind of record (values.currency)."
        )
        return self.conversation.ask_until("Currency of amounts without one (- for none)", read, proposed)

    def _make_fields(self, access: entry.Access, config: Config, choice: MappingChoice) -> CreatedFields:
        """Makes the fields that the account lacks, if somebody agrees."""
        types = {row.field: row.make for row in choice.rows if row.field and row.make}
        config = msgspec.structs.replace(config, pipedrive=entry.configured(access.address, access.key).pipedrive)
        wanted = asyncio.run(lacking_fields(config, types))
        if not wanted:
            return CreatedFields(())
        for each in wanted:
            show_note(f"{each.kind}: {each.name} ({each.type})")
        agreed = self.options.create_fields
        if not agreed and self.conversation.live:
            it = "it" if len(wanted) == 1 else "them"
            agreed = self.conversation.confirm(f"The account lacks {count(len(wanted), 'field')}. Make {it} now?")
        if not agreed:
            return CreatedFields((), missing=tuple(wanted))
        made = asyncio.run(create_lacking(config, wanted))
        self.made = len(made.fields)
        show_note(f"Made {count(self.made, 'field')} in Pipedrive.")
        return made

    def _write(self, text: str, key: entry.Key | None) -> None:
        if key is not None and key.write and key.file is not None and key.secret is not None:
            write_file("--token-file", key.file, f"{key.secret.reveal()}\n".encode())
            show_note(
                f"Wrote {key.file}: it holds the API token, and only you can read it. Keep it out of version control."
            )
        write_file("-c", self.options.config_file, text.encode())
        self.written = True


def _plan(name: str | None) -> str | None:
    if name is not None and name not in get_args(PlanName):
        raise UserMistake(
            f"--plan {name}: there is no such plan", code="usage", hint=f"one of {', '.join(get_args(PlanName))}"
        )
    return name


def _currency(code: str | None) -> str | None:
    try:
        return None if code is None else values.currency_code(code)
    except BadValue as refusal:
        raise UserMistake(f"--currency {refusal.message}", code="usage", hint=refusal.hint) from None


def _usable_id_field(kind: Kind, key: str | None, account: Account | None) -> str | None:
    """The field for ids in RudderStack's settings, by name if that is unambiguous. None, with a note, if unfit."""
    if key is None:
        return None
    target = resolve_field(kind, key, account)
    wrong = target if isinstance(target, str) else wrong_id_field(kind, key, account)
    if isinstance(wrong, str):
        show_note(f"Note: RudderStack's field for the {traits.ID_OF[kind]} cannot be used: {wrong}.")
        return None
    if account is None or isinstance(target, str):
        return key
    return as_written(kind, target.address.removeprefix("custom_fields."), target.name, account)


def _path_for_config(config_file: Path, file: Path) -> str:
    """The file's path for the config: relative if the file is in the config's folder."""
    folder, absolute = config_file.absolute().parent, file.absolute()
    return str(absolute.relative_to(folder)) if absolute.is_relative_to(folder) else str(absolute)


def _reading_needs(
    config: Config, account: Account | None, sources: Sequence[str], rows: RowForm | None
) -> ReadingProposal | None:
    """The settings of `values` that the events need under this config. Standard input cannot be read twice."""
    if not sources or "-" in sources:
        return None
    with ReadingShown() as shown:
        sample = Sample(config, resolve_sources(sources, rows=rows), most=ENOUGH, live_figures=shown.figures)
        return asyncio.run(sample.read(account)).reading


def _with_new_fields(account: Account | None, choice: MappingChoice) -> Account | None:
    """The account as it is once the fields are made that the mapping lacks."""
    if account is None:
        return None
    fields = {kind: {field.name: field for field in known} for kind, known in account.fields.items()}
    for row in choice.rows:
        if row.field and row.make and row.trait.kind in fields:
            made = Field(f"new {row.field}", row.field, row.make)
            fields[row.trait.kind].setdefault(row.field, made)
    return msgspec.structs.replace(account, fields={kind: tuple(known.values()) for kind, known in fields.items()})


def _with_reading(draft: Draft, needed: ReadingProposal) -> Draft:
    """The draft with the settings that are sure; says what they are. The currency is asked for, not guessed."""
    values = needed.values
    dates = "iso" if needed.either_order else values.dates
    draft = replace(draft, dates=dates, decimals=values.decimals, nothing=values.nothing)
    lines = [line for line in needed.lines if not line.startswith("currency") and not needed.either_order]
    bare = values.currency if values.currency != draft.currency else None
    if lines:
        fitting = f"{needed.fitting:,} of {needed.misfits:,} values" if bare is None else "Values"
        show_note(f"{fitting} that would not fit do, with {', '.join(lines)}: that stands under values.")
    if bare is not None:
        show_note(
            f"Note: amounts that come without a currency are rejected with their events. If {bare} is meant, give "
            f"`--currency {bare}`, or write `currency: {bare}` under values."
        )
    if needed.either_order:
        show_note(
            "Note: dates such as 03/04/2026 do not tell which comes first: set values.dates to day or month first."
        )
    return draft


def _read_back(text: str, file: Path) -> Config:
    """The config in the text. Raises ConfigProblems if a chosen value is not allowed."""
    problems: list[ConfigProblem] = []
    config = checked_config(text, {}, sandbox=False, problems=problems)
    if problems:
        raise ConfigProblems(str(file), problems)
    return config
