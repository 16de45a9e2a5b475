"""`init`, second part: shows and changes the fields for the ids and the mapping of traits."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from pipedrive_cli.cli.conversation import Conversation
from pipedrive_cli.config.known_traits import ORGANIZATION_TRAITS, PERSON_TRAITS
from pipedrive_cli.config.rules import RESERVED_FIELDS
from pipedrive_cli.config.values import BadValue
from pipedrive_cli.config.writing import MappedTrait
from pipedrive_cli.errors import UserMistake
from pipedrive_cli.model import KINDS, Kind
from pipedrive_cli.pipedrive.account import Account
from pipedrive_cli.report.console import show_note
from pipedrive_cli.report.safe_text import visible_text
from pipedrive_cli.report.tables import show_rows
from pipedrive_cli.report.wording import count
from pipedrive_cli.setup.choosing import GIVEN, KEPT_OUT, ChoiceRow, MappingChoice, named_row, with_new_field
from pipedrive_cli.setup.new_fields import guess_type
from pipedrive_cli.setup.proposals import NEW_ID_FIELDS, Reason, id_field, wrong_id_field
from pipedrive_cli.transform.mapping import short
from pipedrive_cli.transform.targets import FieldTarget, resolve_field

ID_OF: dict[Kind, str] = {"persons": "user id", "organizations": "group id"}
VALUES_SHOWN = 3
VALUES_LENGTH = 28
NAME_LENGTH = 40
UNMAPPED_SHOWN = 25  # the most frequent traits of each kind
NOTHING = "-"
MERELY_ALIKE: Reason = "similar name"


def read_maps(written: Iterable[str]) -> dict[Kind, dict[str, str]]:
    """The lines `persons.role=Role` of --map, by kind; without a field the trait is not mapped. Raises UserMistake."""
    maps: dict[Kind, dict[str, str]] = {}
    for text in written:
        place, equals, name = text.partition("=")
        section, _, trait = place.strip().partition(".")
        kind = next((each for each in KINDS if each == section), None)
        if not equals or kind is None or not trait.strip():
            raise UserMistake(
                f"--map {text}: is not KIND.TRAIT=FIELD",
                code="usage",
                hint=f"such as persons.role=Role; kinds are {', '.join(KINDS)}; without a FIELD the trait is kept out",
            )
        name = name.strip()
        maps.setdefault(kind, {})[trait.strip()] = KEPT_OUT if name == NOTHING else name
    return maps


def refuse_slips(maps: Mapping[Kind, Mapping[str, str]], account: Account | None) -> None:
    """Raises UserMistake for fields of --map that the account does not have, if it has a field of a similar name."""
    slips = []
    for kind in KINDS:
        for trait, name in maps.get(kind, {}).items():
            found = resolve_field(kind, name, account) if name else None
            if isinstance(found, str) and is_new(found) and name.casefold() in RESERVED_FIELDS[kind]:
                found = "no mapping sets that field of Pipedrive's own"
            if isinstance(found, str) and not is_new(found):
                slips.append(f"--map {kind}.{trait}={name}: {found}")
    if slips:
        raise UserMistake("; ".join(slips), code="usage", hint="write the name as Pipedrive has it")


def is_new(refusal: str) -> bool:
    """Whether `resolve_field` refused a name only because the account has no similar field."""
    return "have no field " in refusal and "did you mean" not in refusal and "with the key" not in refusal


def choose_id(conversation: Conversation, kind: Kind, given: str | None, account: Account | None) -> str:
    """The field for a kind's ids: the given one, one of the account, or one that is to be made."""
    if given is not None:
        if wrong := wrong_id_field(kind, given, account):
            raise UserMistake(wrong, code="usage", hint="name another field, or one that is to be made")
        return given
    proposed, there = id_field(kind, account)
    if not conversation.live:
        return proposed
    if there:
        question = f"Text field on {kind} that holds your {ID_OF[kind]}"
    else:
        question = f"Text field on {kind} for your {ID_OF[kind]}; none seems to be there, one of any name can be made"

    def read(answer: str) -> str:
        if wrong := wrong_id_field(kind, answer, account):
            raise BadValue(f"cannot be: {wrong}")
        found = resolve_field(kind, answer, account)
        if isinstance(found, str) and not is_new(found) and answer not in NEW_ID_FIELDS.values():
            raise BadValue(f"is not there: {found}")
        return answer

    return conversation.ask_until(question, read, proposed)


def discuss(conversation: Conversation, choice: MappingChoice) -> None:
    """Shows the proposals and asks for changes; then asks which new fields to make for traits without a field."""
    show_choice(choice, asked=True)
    if not choice.rows:
        return
    while True:
        answer = conversation.ask_text(
            "Enter takes the mapping as it is (new fields come next), a number changes or confirms that line, "
            "- maps nothing"
        )
        if not answer:
            break
        if answer == NOTHING:
            choice.rows[:] = [replace(row, field=None, make=None) for row in choice.rows]
            return
        number = int(answer) if answer.isascii() and answer.isdigit() and len(answer) < 9 else 0
        if not 1 <= number <= len(choice.rows):
            show_note(f"That is none of the lines 1 to {len(choice.rows)}.")
            continue
        choice.rows[number - 1] = _ask_change(conversation, choice, choice.rows[number - 1])
        show_note(_line(choice.rows[number - 1]))
    _offer_new(conversation, choice)


def show_choice(choice: MappingChoice, *, asked: bool) -> None:
    """Shows the rows as a table per kind, and the notes. Unless somebody is `asked`, unsure rows become comments."""
    numbers = {(row.trait.kind, row.trait.path): number for number, row in enumerate(choice.rows, 1)}
    for kind in KINDS:
        rows = choice.rows_of(kind)
        unmapped = [row for row in rows if row.field is None]
        left_out = unmapped[UNMAPPED_SHOWN:]
        shown = [row for row in rows if row not in left_out]
        if shown:
            show_note("")
            show_note(f"{kind.capitalize()}")
            cells = [(str(numbers[kind, row.trait.path]), *_cells(row, asked=asked)) for row in shown]
            show_rows(("#", "trait", "events", "such as", "field", ""), cells, ("#", "events"))
        if left_out:
            show_note(f"and {count(len(left_out), 'rarer trait')} without a field")
    show_note("")
    known = [name for name in dict.fromkeys((*PERSON_TRAITS, *ORGANIZATION_TRAITS)) if "_" not in name]
    show_note(f"Known without any mapping: {', '.join(known)}; amounts, currencies and prices.")
    for note in choice.notes:
        show_note(f"Note: {note}{'' if note.endswith('?') else '.'}")


def accept_new(choice: MappingChoice) -> None:
    """Chooses a new field for every trait that can have one."""
    choice.rows[:] = [with_new_field(row) for row in choice.rows]


def mapped(choice: MappingChoice, *, all_of_them: bool) -> dict[Kind, list[MappedTrait]]:
    """The lines of the mapping by kind. Unless `all_of_them` are active, unsure lines become comments, and names that
    are merely alike do in any case."""
    found: dict[Kind, list[MappedTrait]] = {}
    unmapped: Counter[Kind] = Counter()
    for row in choice.rows:
        kept = found.setdefault(row.trait.kind, [])
        seen = f"in {count(row.trait.count, 'event')}" if row.trait.count else "in no event looked at"
        if row.field is not None:
            words = [seen, row.why, *([f"a new field, {row.make}"] if row.make and row.why != "a new field" else [])]
            # A name that is merely alike is offered: whoever means it says so, by the number of its line.
            active = row.sure or (all_of_them and row.why != MERELY_ALIKE)
            kept.append(MappedTrait(row.trait.path, row.field, "; ".join(words), active))
        elif (
            not row.kept_out
            and (new := row.proposal) is not None
            and new.new_name
            and unmapped[row.trait.kind] < UNMAPPED_SHOWN
        ):
            unmapped[row.trait.kind] += 1
            note = f"{seen}; no field yet ({new.new_type})"
            kept.append(MappedTrait(row.trait.path, new.new_name, note, active=False))
    return found


def _ask_change(conversation: Conversation, choice: MappingChoice, row: ChoiceRow) -> ChoiceRow:
    kind, trait = row.trait.kind, row.trait
    can_be_new = with_new_field(replace(row, field=None)).field is not None

    def read(answer: str) -> ChoiceRow:
        if answer in {NOTHING, ""}:
            return ChoiceRow(trait, proposal=row.proposal, kept_out=True)
        if answer == "new":
            if not can_be_new:
                if guess_type(trait.path, trait.values) is None:
                    raise BadValue("cannot be: no field that can be made takes such values")
                raise BadValue(
                    "cannot be: a field of that name is there already", "write the name that the new field is to have"
                )
            return with_new_field(replace(row, field=None, kept_out=False))
        if (other := choice.taken_fields(kind, trait.path).get(answer)) is not None:
            raise BadValue(f"is taken: {visible_text(other)} goes there")
        found = resolve_field(kind, answer, choice.account)
        if isinstance(found, FieldTarget):
            return named_row(trait, answer, choice.account, GIVEN)
        if not is_new(found):
            raise BadValue(f"cannot be: {visible_text(found)}")
        if answer.casefold() in RESERVED_FIELDS[kind]:
            raise BadValue(
                f"cannot be: no mapping sets {visible_text(answer)}, Pipedrive's own field",
                f"if {visible_text(trait.path)} is a slip, correct it in what sends the events",
            )
        if not conversation.confirm(f"{kind} have no field {answer}. Shall it be made?"):
            raise BadValue("was not taken")
        make = guess_type(trait.path, trait.values) or "varchar"
        return ChoiceRow(trait, answer, "a new field", sure=True, make=make, proposal=row.proposal)

    new = ", new for one of its own" if can_be_new else ""
    return conversation.ask_until(f"Field for {trait.path} (a name{new}, - for none)", read, row.field or NOTHING)


def _offer_new(conversation: Conversation, choice: MappingChoice) -> None:
    free = [(n, row) for n, row in enumerate(choice.rows, 1) if row.field is None and not row.kept_out]
    numbers = [n for n, row in free if with_new_field(row).field is not None]
    if not numbers:
        return

    def read(answer: str) -> Sequence[int]:
        if answer.casefold() in {"", "none", NOTHING}:
            return ()
        if answer.casefold() == "all":
            return numbers
        parts = answer.replace(",", " ").split()
        wanted = [int(part) for part in parts if part.isascii() and part.isdigit() and len(part) < 9]
        if len(wanted) != len(parts) or not set(wanted) <= set(numbers):
            raise BadValue(f"must be all, none, or some of {_listed(numbers)}")
        return wanted

    show_note(f"New fields can be made for traits that have none: {_listed(numbers)}.")
    for number in conversation.ask_until("New fields for (all, some of these numbers, or Enter for none)", read):
        choice.rows[number - 1] = with_new_field(choice.rows[number - 1])


def _listed(numbers: Sequence[int]) -> str:
    return ", ".join(map(str, numbers[:40])) + (", ..." if len(numbers) > 40 else "")


def _line(row: ChoiceRow) -> str:
    if row.field is None:
        return f"{row.trait.path}: not mapped"
    return f"{row.trait.path} -> {row.field}" + (f" ({_remark(row)})" if _remark(row) else "")


def _cells(row: ChoiceRow, *, asked: bool) -> tuple[str, str, str, str, str]:
    values = visible_text(
        ", ".join(visible_text(_shown(value), VALUES_LENGTH) for value in row.trait.values[:VALUES_SHOWN]),
        VALUES_LENGTH,
    )
    name = visible_text(row.trait.path, NAME_LENGTH)
    taken = row.sure or row.field is None or (asked and row.why != MERELY_ALIKE)
    comment = "" if taken else "left as a comment: "
    return name, f"{row.trait.count:,}", values, visible_text(row.field or NOTHING, NAME_LENGTH), comment + _remark(row)


def _shown(value: object) -> str:
    return value if isinstance(value, str) else short(value)


def _remark(row: ChoiceRow) -> str:
    """Why the trait has this field or none, and which values would be refused."""
    proposal = row.proposal
    parts = [row.why] if row.why else []
    if row.why == "same name" and proposal is not None and proposal.rival is not None:
        parts.append(f"{proposal.rival} bears it too")
    if row.make is not None:
        parts = [f"new, of type {row.make}"]
    if row.field is None and proposal is not None:
        if proposal.slip_of is not None:
            parts.append(f"a slip of {proposal.slip_of}?")
        if proposal.why_not is not None:
            parts.append(proposal.why_not)
        elif proposal.new_name is not None:
            parts.append(f"could be new: {proposal.new_name} ({proposal.new_type})")
    elif row.field is not None and row.why_not is not None and row.fitting is not None:
        of = len(row.trait.values)
        parts.append(f"{of - row.fitting} of {of} values do not fit, such as {_shown(row.misfit)[:30]}")
    return "; ".join(parts)
