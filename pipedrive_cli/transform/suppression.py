"""Decides which events are about people who asked not to be sent, or to be forgotten. Pure.

An event is suppressed if an id or an email of it is on the list, or an id that is another name of one of these. An id
that comes with a suppressed email is suppressed from then on. A window is judged when all of it was read: a later event
may tell whose id an earlier one bears. That an alias names somebody who is suppressed says so of its previous id, which
from then on is a name of that person, and not of its current one: who is merely called another's successor is not
silenced by that.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal, NamedTuple, TypeAlias

import msgspec

from pipedrive_cli.events.people import People
from pipedrive_cli.model import Complaint, JsonObject, Outcome
from pipedrive_cli.pipedrive.contacts import email_address, email_form
from pipedrive_cli.pipedrive.values import Unfit
from pipedrive_cli.text_forms import key_text, narrow, visible

SUPPRESSED = Complaint("suppressed", "the user asked not to be sent", outcome=Outcome.SKIPPED)
VERDICTS_KEPT: Final = 200_000  # answers of `remembered`; hostile input may have a new id in every event

NameKind: TypeAlias = Literal["id", "email", "pipedrive_id"]
Learned: TypeAlias = tuple[dict[str, str], dict[str, set[str]]]


class SuppressionList(NamedTuple):
    """Who must not be sent: user ids, compared exactly, and emails, in the form in which emails are compared."""

    ids: frozenset[str] = frozenset()
    emails: frozenset[str] = frozenset()

    def __bool__(self) -> bool:
        return bool(self.ids or self.emails)


class BadLine(ValueError):
    """A line of the list that says nobody: its number, and why."""

    def __init__(self, line: int, why: str) -> None:
        super().__init__(f"line {line} {why}")


def read_list(lines: Iterable[str]) -> SuppressionList:
    """The list in a file's lines: an id or an email each, or a regulation as JSON. Raises BadLine.

    Lines that begin with `#` are comments. A name with an @ counts as an id and as an email. What a later regulation
    cancels is off the list again.
    """
    ids: dict[str, None] = {}
    emails: dict[str, None] = {}
    for number, written in enumerate(lines, start=1):
        line = visible(written)
        if not line or line.startswith("#"):
            continue
        if line.startswith("{"):
            try:
                regulation = msgspec.json.decode(line)
            except ValueError:
                raise BadLine(number, "is no JSON object, though it begins like one") from None
            found = _people_of_regulation(regulation)
            if not found:
                raise BadLine(number, "is a regulation that names no user by `userId` or `email`")
        elif "@" in narrow(line) and _COLUMNS.search(line) is not None and not _is_address(line):
            raise BadLine(number, "has several columns: write one user id or email a line")
        else:
            bare = line[1:-1] if line[0] == line[-1] == '"' else line  # as tables quote cells
            found = [(bare, bare, False)]
        for user, email, cancelled in found:
            _put(ids, user, cancelled=cancelled)
            _put(emails, email_form(email) if email is not None and "@" in narrow(email) else None, cancelled=cancelled)
    return SuppressionList(frozenset(ids), frozenset(emails))


_COLUMNS: Final = re.compile(r"[,;\t]")  # no bars: Auth0 has ids such as `samlp|acme|ada@acme.test`


def _is_address(line: str) -> bool:
    try:
        return bool(email_address(line))
    except Unfit:
        return False


def _put(names: dict[str, None], name: str | None, *, cancelled: bool) -> None:
    if name is None:
        return
    if cancelled:
        names.pop(name, None)
    else:
        names[name] = None


def _people_of_regulation(regulation: JsonObject) -> list[tuple[str | None, str | None, bool]]:
    """(user id, email, cancelled) of everybody in one regulation.

    RudderStack's API has `{regulationType, users: [{userId, email, ...}]}`, its servers `{userId, canceled}` (also as
    `items`), Segment's API `{regulationType, subjectType: "USER_ID", subjectIds}`. A regulation to delete counts as one
    to suppress: the events of an archive are what was to be deleted.
    """
    kind = regulation.get("regulationType") or regulation.get("regulation_type")
    off = regulation.get("canceled") is True or (isinstance(kind, str) and kind.upper() == "UNSUPPRESS")
    users: list[object] = [regulation]
    for name in ("users", "userAttributes", "items"):
        listed = regulation.get(name)
        users += listed if isinstance(listed, list) else [] if listed is None else [listed]
    subjects = regulation.get("subjectIds")
    named = map(_text, subjects if isinstance(subjects, list) else ())
    found: list[tuple[str | None, str | None, bool]] = [(name, name, off) for name in named if name is not None]
    for user in users:
        if not isinstance(user, Mapping):
            continue
        user_id, email = _text(user.get("userId")), _text(user.get("email"))
        if user_id is not None or email is not None:
            found.append((user_id, email or user_id, off or user.get("canceled") is True))
    return found


def _text(value: object) -> str | None:
    return key_text(value) or None


@dataclass(slots=True)
class Suppression:
    """Who is suppressed in one run. `add` every event of a window, `judge` it, then ask `holds_back` for each event.

    `remembered` tells of a name whether earlier runs have kept it as suppressed. `canonical` gives the present id of
    the person that an id names, by all aliases that are known; `former` are ids that such aliases have replaced.
    `persons` gives the user ids of Pipedrive's persons.
    """

    listed: SuppressionList
    remembered: Callable[[NameKind, str], bool] | None = None
    canonical: Callable[[str], str] | None = None
    former: Iterable[str] = ()
    persons: Callable[[int], Sequence[str]] | None = None
    met: dict[str, str] = field(default_factory=dict)  # ids that came with a suppressed email -> that email
    _roots: set[str] = field(default_factory=set)  # present ids of people who are suppressed under another name
    _steps: dict[str, set[str]] = field(default_factory=dict)  # the window's aliases: current -> previous ids
    _joined: set[str] = field(default_factory=set)  # ids that the window's aliases join to somebody suppressed
    _verdicts: dict[tuple[NameKind, str], bool] = field(default_factory=dict)
    _met_more: bool = False  # in this window

    def __post_init__(self) -> None:
        for former in self.former:
            if self._is_named(former):
                self._mark(former)

    def add(self, people: People) -> bool:
        """Learns what an event tells. Returns whether it is suppressed, whatever comes after it."""
        if people.previous is not None and people.user is not None:
            self._steps.setdefault(people.user, set()).add(people.previous)
        for written in people.emails:
            email = email_form(written)
            if self._is_suppressed_email(email):
                for each in people.ids:
                    self.meet(each, email)
                return True
        return self._is_suppressed(people)

    def meet(self, name: str, email: str) -> None:
        """Notes that an id came with a suppressed email."""
        if name not in self.met:
            self.met[name] = email
            self._met_more = True
            self._mark(name)

    def learned(self) -> Learned:
        """What events have told in this window: ids with the suppressed emails they came with, and the aliases."""
        return self.met, self._steps

    def learn(self, told: Learned) -> None:
        """Learns what events of another part of the window have told. In which order does not matter."""
        met, steps = told
        for name, email in met.items():
            self.meet(name, email)
        for current, previous in steps.items():
            self._steps.setdefault(current, set()).update(previous)

    def judge(self) -> bool:
        """To be called when a window was read: follows the window's aliases back from whoever is suppressed.

        Returns whether an event may be suppressed of which `add` has said that it is not.
        """
        found = [current for current in self._steps if self._is_suppressed_id(current)]
        while found:
            for previous in self._steps.get(found.pop(), ()):
                if previous not in self._joined:
                    self._joined.add(previous)
                    found.append(previous)
        return bool(self._joined) or self._met_more

    def holds_back(self, people: People) -> bool:
        """Whether an event of the judged window is suppressed."""
        if self._joined and not self._joined.isdisjoint(people.ids):
            return True
        return self._is_suppressed(people)

    def next_window(self) -> None:
        """Forgets the window's aliases: those that hold are known by now."""
        self._steps.clear()
        self._joined.clear()
        self._met_more = False

    def _is_suppressed(self, people: People) -> bool:
        if people.user is not None and self._is_suppressed_id(people.user):
            return True
        if people.previous is not None and self._is_suppressed_id(people.previous):
            return True
        return any(map(self._is_suppressed_id, people.others)) or any(map(self._is_person, people.pipedrive_ids))

    def _is_person(self, pipedrive_id: int) -> bool:
        if self._was_kept("pipedrive_id", str(pipedrive_id)):
            return True
        return self.persons is not None and any(map(self._is_suppressed_id, self.persons(pipedrive_id)))

    def _is_suppressed_id(self, name: str) -> bool:
        if self._is_named(name):
            return True
        if self.canonical is None:
            return False
        root = self.canonical(name)
        return root in self._roots or (root != name and self._is_named(root))

    def _is_named(self, name: str) -> bool:
        """Whether this very id is suppressed."""
        if name in self.listed.ids or name in self.met or self._was_kept("id", name):
            return True
        return "@" in narrow(name) and self._is_suppressed_email(email_form(name))

    def _is_suppressed_email(self, email: str) -> bool:
        return email in self.listed.emails or self._was_kept("email", email)

    def _was_kept(self, kind: NameKind, name: str) -> bool:
        if self.remembered is None:
            return False
        verdict = self._verdicts.get((kind, name))
        if verdict is None:
            if len(self._verdicts) >= VERDICTS_KEPT:
                self._verdicts.clear()
            verdict = self._verdicts[kind, name] = self.remembered(kind, name)
        return verdict

    def _mark(self, name: str) -> None:
        if self.canonical is not None:
            self._roots.add(self.canonical(name))


def names_in(listed: SuppressionList) -> Iterator[str]:
    """All that the list says, in an order of its own: what its digest is made from."""
    yield from sorted(listed.ids)
    yield ""
    yield from sorted(listed.emails)
