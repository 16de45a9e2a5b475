"""Proposes a mapping from the traits of events and the fields of the account, trait by trait, with reasons. Pure.

The sample's traits and the account's names are hostile: they are compared and never interpreted. Proposals are guesses.
`sure` marks those where the name is the same and the values fit, so that a script may take them without asking.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from difflib import SequenceMatcher
from typing import Any, Final, Literal, TypeAlias

from pipedrive_cli.config.known_traits import ALWAYS_READ
from pipedrive_cli.config.paths import is_path
from pipedrive_cli.config.rules import OF_KNOWN_TRAITS, RESERVED_EVERYWHERE, RESERVED_FIELDS, RESERVED_TRAITS
from pipedrive_cli.model import KINDS, Kind
from pipedrive_cli.pipedrive.account import Account
from pipedrive_cli.pipedrive.values import ReadOtherwise, Unfit, number, plain, says_nothing
from pipedrive_cli.setup.new_fields import FieldNames, bare, guess_type
from pipedrive_cli.text_forms import caseless_form, knows_nothing
from pipedrive_cli.transform.targets import ID_TYPES, NEVER, STANDARD, FieldTarget, resolve_field

Reason: TypeAlias = Literal["same name", "its values are the field's options", "usual name", "similar name"]

ALIKE: Final = 0.8  # similarity, from 0 to 1, at which one name counts as a slip of the other
SHORTEST: Final = 3  # letters: shorter names are similar by chance
FITTING: Final = 0.5  # the share of the sample's values that a field must take
LONGEST_NAME: Final = 200  # characters of a trait: YAML would take 1,024, people cannot read that

_PHONES: Final = (
    "telefon telefonnummer telephone telephonenumber tel phonenumber phoneno mobile mobilephone mobilenumber mobil "
    "handy handynummer mobilnummer cell cellphone téléphone portable telefoon telefoonnummer teléfono telefono "
    "celular móvil telefone telemóvel cellulare puhelin komórka"
)
_FIRST_NAMES: Final = "vorname prénom prenom voornaam förnamn fornavn imię"
_LAST_NAMES: Final = "nachname familienname achternaam efternamn etternavn cognome apellido apellidos"
# Traits of the event specification, and names that people give to its traits -> Pipedrive's fields of another name.
USUAL: Final[dict[Kind, dict[str, str]]] = {
    "persons": {
        "title": "job_title",
        **dict.fromkeys(_PHONES.split(), "phone"),
        **dict.fromkeys(_FIRST_NAMES.split(), "first_name"),
        **dict.fromkeys(_LAST_NAMES.split(), "last_name"),
        **dict.fromkeys(("fullname", "displayname"), "name"),
    },
    "organizations": {"employees": "employee_count", "revenue": "annual_revenue"},
    "leads": {},
    "products": {},
}
USUAL_ID_FIELDS: Final[dict[Kind, tuple[str, ...]]] = {
    "persons": ("rudderstackuserid", "segmentuserid", "userid", "externaluserid", "externalid", "customerid"),
    "organizations": ("rudderstackgroupid", "segmentgroupid", "groupid", "externalgroupid", "accountid", "companyid"),
}
NEW_ID_FIELDS: Final[dict[Kind, str]] = {"persons": "RudderStack user id", "organizations": "RudderStack group id"}

_ORDER: Final[dict[Reason, int]] = {
    "same name": 0,
    "its values are the field's options": 1,
    "usual name": 2,
    "similar name": 3,
}


@dataclass(frozen=True, slots=True)
class TraitSeen:
    """A trait without a mapping: the number of events that have it, and some of its distinct values.

    `whole` marks an object whose parts are also listed as traits (`address` beside `address.city`).
    """

    kind: Kind
    path: str
    count: int
    values: tuple[Any, ...] = ()
    whole: bool = False


@dataclass(frozen=True, slots=True)
class Proposal:
    """What is proposed for one trait. `field` is the field as a config writes it, None where nothing is proposed.

    `misfit` is a value of the sample that the field would refuse, and `why_not` what the field takes instead. `rival`
    is another field of the same name, with its type, that takes the values too. `slip_of` is the trait that was perhaps
    meant. `new_name` and `new_type` describe a new field for the trait; None where no field takes such values.
    """

    trait: TraitSeen
    field: str | None = None
    type: str | None = None
    reason: Reason | None = None
    fitting: int = 0
    misfit: Any = None
    why_not: str | None = None
    rival: str | None = None
    slip_of: str | None = None
    new_name: str | None = None
    new_type: str | None = None

    @property
    def sure(self) -> bool:
        """Whether the field can be taken without asking."""
        return self.field is not None and self.reason == "same name" and self.rival is None


@dataclass(frozen=True, slots=True)
class FieldCandidate:
    """A field of the account to which a trait may go: as a config writes it, and the names to compare."""

    written: str
    names: tuple[str, ...]
    target: FieldTarget
    labels: frozenset[str]
    custom: bool


def propose(
    seen: Sequence[TraitSeen], account: Account | None, *, taken: Iterable[str] = (), placed: Sequence[TraitSeen] = ()
) -> tuple[Proposal, ...]:
    """One proposal per trait that can be mapped, in the order of `seen`; each field is proposed for one trait at most.

    `taken` are the fields that are no longer free, as kind and field (`persons/Role`). `placed` are traits that have a
    field already; other traits may be slips of them. Where an object is mapped as a whole, its parts without a proposal
    are left out.
    """
    traits = [trait for trait in seen if can_be_mapped(trait.kind, trait.path)]
    by_kind: dict[Kind, list[FieldCandidate]] = {kind: candidates(kind, account) for kind in KINDS}
    used, chosen = set(taken), dict[int, Proposal]()
    claims = [
        (_ORDER[reason], -score, -trait.count, index, not candidate.custom, place, reason)
        for index, trait in enumerate(traits)
        for place, candidate in enumerate(by_kind[trait.kind])
        for reason, score in _reasons(trait, candidate)
    ]
    unfit: dict[int, Proposal] = {}
    for _, _, _, index, _, place, reason in sorted(claims):
        trait, candidate = traits[index], by_kind[traits[index].kind][place]
        key = f"{trait.kind}/{candidate.written}"
        if index in chosen or key in used:
            continue
        found = _proposal_of(trait, candidate, reason)
        if found.field is None:
            unfit.setdefault(index, found)
            continue
        free = [each for each in by_kind[trait.kind] if f"{trait.kind}/{each.written}" not in used]
        chosen[index] = replace(found, rival=_rival(trait, candidate, free))
        used.add(key)
    wholes = {(p.trait.kind, p.trait.path) for p in chosen.values() if p.trait.whole}
    names = FieldNames(account)
    proposals: list[Proposal] = []
    for index, trait in enumerate(traits):
        if index in chosen:
            proposals.append(chosen[index])
        elif not trait.whole and (trait.kind, trait.path.rpartition(".")[0]) not in wholes:
            proposals.append(_without_field(unfit.get(index, Proposal(trait)), (*traits, *placed), names))
    return tuple(proposals)


def can_be_mapped(kind: Kind, path: str) -> bool:
    """Whether a config's mapping can name this trait."""
    return (
        len(path) <= LONGEST_NAME
        and all(part.strip() for part in path.split("."))
        and path not in RESERVED_TRAITS[kind]
        and not is_path(path)
        and not any("\ud800" <= character <= "\udfff" for character in path)
    )


def candidates(kind: Kind, account: Account | None) -> list[FieldCandidate]:
    """The fields of a kind that a mapping may write, each under the shortest unambiguous name."""
    found: list[FieldCandidate] = []
    fields = () if account is None else account.fields.get(kind, ())
    shown = {field.key: field.name for field in fields if not field.custom}
    for key in STANDARD[kind]:
        target = resolve_field(kind, key, account)
        if isinstance(target, FieldTarget) and target.type in {"enum", "set"} and target.convert is None:
            continue  # its options are unknown, so nobody can say which values fit
        if isinstance(target, FieldTarget) and not target.writable:
            continue
        if isinstance(target, FieldTarget) and key not in RESERVED_FIELDS[kind] | {"visible_to", "label_ids"}:
            names = tuple(dict.fromkeys(filter(None, (bare(key), bare(shown.get(key, ""))))))
            if key in OF_KNOWN_TRAITS[kind]:
                names = ()  # many traits are alike: `company.name`, `last_seen`
            found.append(FieldCandidate(key, names, target, frozenset(), custom=False))
    for field in fields:
        if not field.custom or not field.writable:
            continue
        written = as_written(kind, field.key, field.name, account)
        target = resolve_field(kind, written, account)
        if isinstance(target, FieldTarget):
            labels = frozenset(caseless_form(option.label) for option in field.options)
            found.append(FieldCandidate(written, (bare(field.name),), target, labels, custom=True))
    return found


def as_written(kind: Kind, key: str, name: str, account: Account | None) -> str:
    """How a config names this custom field: by name where the name is unambiguous, else by key."""
    name = name.strip()
    if not name or name in RESERVED_FIELDS[kind] | RESERVED_EVERYWHERE | NEVER or not name.isprintable():
        return key
    target = resolve_field(kind, name, account)
    return name if isinstance(target, FieldTarget) and target.address == f"custom_fields.{key}" else key


def id_field(kind: Kind, account: Account | None) -> tuple[str, bool]:
    """The custom field for a kind's ids, as a config writes it; and whether the account has that field already."""
    fields = () if account is None else account.fields.get(kind, ())
    custom = [field for field in fields if field.custom and field.writable and field.type in ID_TYPES]
    for usual in USUAL_ID_FIELDS[kind]:
        named = [field for field in custom if bare(field.name) == usual]
        if len(named) == 1:
            return as_written(kind, named[0].key, named[0].name, account), True
    new = NEW_ID_FIELDS[kind]
    other_type = any(bare(field.name) == bare(new) for field in fields)
    return (f"{new} (text)" if other_type else new), False


def wrong_id_field(kind: Kind, written: str, account: Account | None) -> str | None:
    """Why this field cannot hold ids; None where it can, or has yet to be made."""
    if written in STANDARD[kind] or written in RESERVED_FIELDS[kind] | RESERVED_EVERYWHERE | NEVER:
        return f"{written} is a field of Pipedrive's own; ids need a custom field of type text"
    target = resolve_field(kind, written, account)
    if isinstance(target, FieldTarget) and target.type is not None and target.type not in ID_TYPES:
        return f"{written} is of type {target.type}; ids need a custom field of type text"
    return None


def near_trait(path: str, others: Iterable[str]) -> str | None:
    """The most similar of `others` below the same parent, of which `path` is perhaps a slip, or None."""
    parent, _, leaf = path.rpartition(".")
    best, most = None, ALIKE
    for other in others:
        other_parent, _, other_leaf = other.rpartition(".")
        if other == path or bare(other_parent) != bare(parent):
            continue
        score = _similarity(bare(leaf), bare(other_leaf))
        if score >= most:
            best, most = other, score
    return best


def fit(trait: TraitSeen, target: FieldTarget) -> tuple[int, Any, str | None]:
    """How many of the trait's values fit the field, the first that does not, and what the field takes instead.

    A value fits, too, that fits under another setting of `values`, or that one of its words would leave out: a config
    that is made from these events has these settings.
    """
    fitting = 0
    unfit: list[tuple[Any, str]] = []
    unsaid: list[tuple[Any, str]] = []
    for value in trait.values:
        try:
            if target.type == "monetary" and not isinstance(value, dict):
                number(value)  # the currency comes with the event
            elif target.convert is not None:
                target.convert(value)
            fitting += 1
        except ReadOtherwise:
            fitting += 1
        except Unfit as why:
            nothing = isinstance(value, str) and knows_nothing(value)
            (unsaid if nothing else unfit).append((value, f"{target.name} {why}"))
    if fitting:
        fitting += len(unsaid)
    else:
        unfit += unsaid
    return (fitting, *(unfit[0] if unfit else (None, None)))


def _reasons(trait: TraitSeen, candidate: FieldCandidate) -> Iterator[tuple[Reason, float]]:
    """The reasons why the trait may belong to the field, each with a score to compare within that reason."""
    full, leaf = bare(trait.path), bare(trait.path.rpartition(".")[2])
    if trait.whole:
        if full in candidate.names and candidate.target.type in {"address", "monetary"}:
            yield "same name", 2.0
        return
    if full and full in candidate.names:
        yield "same name", 2.0
    elif leaf and leaf in candidate.names:
        # `company.name` is not the person's name: the last part alone counts as the same name for custom fields only.
        yield ("same name", 1.0) if candidate.custom else ("similar name", 1.0)
    if USUAL[trait.kind].get(leaf) == candidate.written:
        yield "usual name", 1.0
    likeness = max((_similarity(full, name) for name in candidate.names), default=0.0)
    if likeness >= ALIKE:
        yield "similar name", likeness
    if candidate.custom and len(candidate.labels) > 1:
        values = {caseless_form(str(plain(value))) for value in trait.values if not says_nothing(value)}
        if len(values) > 1 and values <= candidate.labels:
            yield "its values are the field's options", len(values) / len(candidate.labels)


def _similarity(one: str, other: str) -> float:
    """The similarity of two names, from 0 to 1; 0 also, to save time, where it cannot reach `ALIKE`."""
    shorter, longer = sorted((len(one), len(other)))
    if shorter < SHORTEST or 2 * shorter < ALIKE * (shorter + longer):
        return 0.0
    matcher = SequenceMatcher(None, one, other, autojunk=False)
    return matcher.ratio() if matcher.quick_ratio() >= ALIKE else 0.0


def _proposal_of(trait: TraitSeen, candidate: FieldCandidate, reason: Reason) -> Proposal:
    """The proposal of this field; without the field where it would refuse most values of the sample."""
    fitting, misfit, why_not = fit(trait, candidate.target)
    fits = not trait.values or fitting >= FITTING * len(trait.values)
    return Proposal(trait, candidate.written if fits else None, candidate.target.type, reason, fitting, misfit, why_not)


def _rival(trait: TraitSeen, chosen: FieldCandidate, free: Sequence[FieldCandidate]) -> str | None:
    """Another free field with the same name that takes the values too, so that somebody must choose."""
    for other in free:
        twins = other.written != chosen.written and not {*other.names}.isdisjoint(chosen.names)
        if twins and _proposal_of(trait, other, "same name").field is not None:
            return f"{other.written} ({other.target.type})"
    return None


def _without_field(proposal: Proposal, traits: Sequence[TraitSeen], names: FieldNames) -> Proposal:
    trait = proposal.trait
    better = [other.path for other in traits if other.kind == trait.kind and other.count >= 2 * trait.count]
    slip = near_trait(trait.path, (*ALWAYS_READ[trait.kind], *better))
    new_type = guess_type(trait.path, trait.values)
    if slip is not None or new_type is None:
        return replace(proposal, reason=None, slip_of=slip)
    return replace(proposal, reason=None, new_name=names.make_name(trait.kind, trait.path), new_type=new_type)
