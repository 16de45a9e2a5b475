"""Who is suppressed in a run: the list that the config names, and what the journal remembers as hashes."""

from __future__ import annotations

import contextlib
import hashlib
import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import msgspec

from pipedrive_cli.config import Config
from pipedrive_cli.delivery.backlog import Backlog, LaidTransformed
from pipedrive_cli.delivery.journal import Journal
from pipedrive_cli.delivery.journal.rows import name_hash
from pipedrive_cli.delivery.journal.suppressed import ids_by_email, kept_names, suppress
from pipedrive_cli.delivery.pending_event import PendingEvent
from pipedrive_cli.errors import UserMistake
from pipedrive_cli.events.people import People
from pipedrive_cli.model import Complaint
from pipedrive_cli.report.wording import data_size
from pipedrive_cli.transform.suppression import BadLine, NameKind, Suppression, SuppressionList, names_in, read_list

SALT: Final = "suppression salt"  # a fact of the journal
SALT_BYTES: Final = 16
LARGE: Final = 5_000_000  # bytes of a list; a second or two


def suppression_list(config: Config, note: Callable[[str], None]) -> SuppressionList:
    """The list that `privacy.suppress` names. Raises UserMistake where it cannot be read: nothing may be sent then.

    `note` is told of a list that takes its time.
    """
    path = config.privacy.suppress
    if path is None:
        return SuppressionList()
    with contextlib.suppress(OSError):
        if (size := path.stat().st_size) >= LARGE:
            note(f"first the list of people who must not be sent is read: {path}, {data_size(size)}")
    named = f"the list of people who must not be sent, {path},"
    return people_listed(path, named, "mend privacy.suppress in the config")


def people_listed(path: Path, named: str, hint: str) -> SuppressionList:
    """The people in a file, each an id, an email or a regulation on a line of its own. Raises UserMistake.

    `named` is what messages call the file, `hint` what is to be done where it is not there.
    """
    try:
        with path.open(encoding="utf-8-sig") as lines:
            return read_list(lines)
    except OSError as error:
        why = f"cannot be read: {error.strerror or error}"
    except UnicodeDecodeError:
        why, hint = "is not UTF-8", "save it as UTF-8, one user id or email a line"
    except BadLine as bad:
        why, hint = str(bad), "write one user id or email a line, or one regulation as JSON"
    raise UserMistake(f"{named} {why}", code="suppress_file", hint=hint)


def digest_of(listed: SuppressionList) -> bytes:
    """A digest of what the list says: with another one, files must be read again. Nothing where nobody is on it."""
    if not listed:
        return b""
    digest = hashlib.blake2b(digest_size=16)
    for name in names_in(listed):
        digest.update(name.encode("utf-8", "surrogatepass") + b"\n")
    return digest.digest()


class HeldEvent(msgspec.Struct, gc=False):
    """An event that is held back until its window was read, for only then it is known whether it is suppressed.

    `asked` None: it is refused, and `why` says so.
    """

    pending: PendingEvent
    people: People
    asked: LaidTransformed | None = None
    why: Complaint | None = None


@dataclass(slots=True)
class SuppressedPeople:
    """Judges the events of a run, window by window, and has the journal remember what they tell of suppressed people.

    `journal` None: nothing is remembered.
    """

    suppression: Suppression
    journal: Journal | None
    _salt: bytes | None = None
    _kept: set[str] = field(default_factory=set)
    _held: list[HeldEvent] = field(default_factory=list)
    _names: dict[People, People] = field(default_factory=dict)  # of the held events: most of a window are of few people

    def hold(
        self, pending: PendingEvent, people: People, asked: LaidTransformed | None, why: Complaint | None = None
    ) -> None:
        """Holds an event back until `judged`."""
        self._held.append(HeldEvent(pending, self._names.setdefault(people, people), asked, why))

    def judged(self) -> Iterator[tuple[HeldEvent, bool]]:
        """The held events in their order, and whether each is suppressed. The window is over then."""
        doubtful = self.suppression.judge()
        self.remember()
        held, self._held = self._held, []
        for each in held:
            yield each, doubtful and self.suppression.holds_back(each.people)
        self.suppression.next_window()
        self._names.clear()

    def remember(self) -> None:
        """Keeps the ids that came with a suppressed email, as hashes; in a transaction of its own."""
        met = self.suppression.met
        if self.journal is None or len(met) == len(self._kept):
            return
        with self.journal.transaction():
            salt = self._salt = salt_of(self.journal)
            new = [(name, email) for name, email in met.items() if name not in self._kept]
            suppress(
                self.journal, [(name_hash(salt, "id", name), name_hash(salt, "email", email)) for name, email in new]
            )
        self._kept.update(met)


def suppressed_people(
    listed: SuppressionList, journal: Journal | None, backlog: Backlog, *, keep: bool = True
) -> SuppressedPeople | None:
    """Who is suppressed in a run with this list and journal; None: nobody. Without `keep` nothing is remembered."""
    rows = [] if journal is None else kept_names(journal)
    if not listed and not rows:
        return None
    salt = None if journal is None else journal.fact(SALT, bytes)
    hashes: set[bytes] = set()
    if salt is not None:
        reasons = {name for name, because in rows if name == because}
        if any(because not in reasons for _, because in rows):
            reasons |= {name_hash(salt, "email", email) for email in listed.emails}
        hashes = {name for name, because in rows if because in reasons}

    def remembered(kind: NameKind, name: str) -> bool:
        return name_hash(salt or b"", kind, name) in hashes

    suppression = Suppression(
        listed,
        remembered if hashes else None,
        backlog.canonical,
        backlog.former_ids(),
        None if journal is None else lambda person: journal.keys_of("persons", person),
    )
    if journal is not None and listed.emails:
        for name, email in ids_by_email(journal, sorted(listed.emails)):
            suppression.meet(name, email)
    return SuppressedPeople(suppression, journal if keep else None)


def salt_of(journal: Journal) -> bytes:
    """The journal's salt, which is made when it is first needed; in a transaction."""
    salt = journal.fact(SALT, bytes)
    if salt is None:
        salt = secrets.token_bytes(SALT_BYTES)
        journal.set_fact(SALT, salt)
    return salt
