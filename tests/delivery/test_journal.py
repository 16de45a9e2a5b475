"""The journal: guarded states, durable rows, one company, one owner."""

from __future__ import annotations

import itertools
import sqlite3
import stat
from pathlib import Path

import pytest

from pipedrive_cli.delivery.journal import Departure, Journal, SeenRecord
from pipedrive_cli.delivery.journal import schema as journal_schema
from pipedrive_cli.delivery.journal.past import reading, unfinished_runs
from pipedrive_cli.delivery.journal.rows import TRANSITIONS, WRITE_STATES
from pipedrive_cli.delivery.journal.scratch import scratch
from pipedrive_cli.delivery.precedence import FieldState, RecordState
from pipedrive_cli.errors import UserMistake
from pipedrive_cli.events.identity import digest
from pipedrive_cli.model import Outcome

# The shortest way into each state, by allowed transitions alone.
WAYS: dict[str, tuple[str, ...]] = {
    "sent": (),
    "done": ("done",),
    "refused": ("refused",),
    "doubt": ("doubt",),
    "absent": ("doubt", "absent"),
}


DEPARTURE = Departure(1_700_000_000.0, 1_700_000_001.0, 30.0, 7, 1_699_999_880.0)


def write_in(journal: Journal, state: str) -> int:
    """A write that has been brought into `state`."""
    with journal.transaction():
        number = journal.begin_write(1, "create", "persons", key="u1", target=None, picture=None, departure=DEPARTURE)
        for step in WAYS[state]:
            journal.move_write(number, step)
    return number


@pytest.mark.parametrize(("leaves", "enters"), sorted(TRANSITIONS))
def test_a_write_moves_along_every_allowed_transition(leaves: str, enters: str) -> None:
    """What the table of transitions allows can be done."""
    journal = Journal.open()
    number = write_in(journal, leaves)
    with journal.transaction():
        journal.move_write(number, enters)
    assert [write.state for write in journal.open_writes()] == ([enters] if enters in {"sent", "doubt"} else [])
    journal.close()


@pytest.mark.parametrize(
    ("leaves", "enters"), sorted(set(itertools.product(WRITE_STATES, (*WRITE_STATES, "lost", ""))) - TRANSITIONS)
)
def test_every_other_transition_is_refused_and_changes_nothing(leaves: str, enters: str) -> None:
    """A pair that is not in the table raises, and the write stays where it was."""
    journal = Journal.open()
    number = write_in(journal, leaves)
    before = journal.open_writes()
    with pytest.raises(ValueError, match=f"write {number} cannot go"), journal.transaction():
        journal.move_write(number, enters)
    assert journal.open_writes() == before
    journal.close()


def test_a_write_that_is_not_there_cannot_move() -> None:
    """An unknown number is an error of the program and is not passed over."""
    journal = Journal.open()
    with pytest.raises(ValueError, match="cannot go from None"), journal.transaction():
        journal.move_write(7, "done")
    journal.close()


def test_the_table_of_transitions_speaks_of_every_state() -> None:
    """No state is a dead name: each one can be reached, and only ended writes have no way on."""
    assert {enters for _, enters in TRANSITIONS} == set(WRITE_STATES)
    assert set(WRITE_STATES) - {leaves for leaves, _ in TRANSITIONS} == {"done", "refused"}


def test_a_journal_is_for_its_owners_eyes_alone(tmp_path: Path) -> None:
    """The file and what SQLite puts beside it have mode 0600, and the folders above are made."""
    path = tmp_path / "deep" / "state" / "journal.sqlite"
    journal = Journal.open(path)
    with journal.transaction():
        journal.set_fact("x", 1)
    files = list(path.parent.iterdir())
    assert path in files
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}
    journal.close()


def test_a_commit_waits_for_the_disk(tmp_path: Path) -> None:
    """Every commit is durable against power loss: WAL with synchronous=FULL."""
    journal = Journal.open(tmp_path / "j")
    assert journal._db.execute("PRAGMA synchronous").fetchone() == (2,)
    assert journal._db.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    journal.close()


def test_a_journal_belongs_to_one_company_for_good(tmp_path: Path) -> None:
    """A key of another company is refused, with both companies named and nothing changed."""
    journal = Journal.open(tmp_path / "j")
    journal.bind(4711, "Acme")
    journal.bind(4711, "Acme under a new name")
    with pytest.raises(UserMistake) as refused:
        journal.bind(4712, "Rival")
    assert refused.value.code == "journal_of_another_company"
    assert all(word in refused.value.message for word in ("Acme", "4711", "Rival", "4712", str(journal.path)))
    journal.close()
    again = Journal.open(tmp_path / "j")
    again.bind(4711, "Acme")
    again.close()


def test_an_older_journal_is_brought_to_the_newest_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A migration runs once, keeps what is there, and its number says that it ran."""
    path = tmp_path / "j"
    journal = Journal.open(path)
    with journal.transaction():
        journal.set_fact("kept", "yes")
    journal.close()
    known = journal_schema.MIGRATIONS
    monkeypatch.setattr(journal_schema, "MIGRATIONS", (*known, "CREATE TABLE later (x INTEGER)"))
    for _ in range(2):
        newer = Journal.open(path)
        assert newer.fact("kept", str) == "yes"
        assert newer._db.execute("PRAGMA user_version").fetchone() == (len(known) + 1,)
        assert newer._db.execute("SELECT count(*) FROM later").fetchone() == (0,)
        newer.close()


def of_the_first_version(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A journal as the first version made them, with the run `r` in it."""
    path = folder / "journal.sqlite"
    with monkeypatch.context() as patch:
        patch.setattr(journal_schema, "MIGRATIONS", journal_schema.MIGRATIONS[:1])
        first = Journal.open(path)
        with first.transaction():
            first._db.execute("INSERT INTO runs (name, started) VALUES ('r', '2026-01-01T00:00:00+00:00')")
        first.close()
    return path


def test_runs_of_the_first_journals_have_no_course_and_count_as_the_accounts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was not kept then is not known now; the run itself is there."""
    path = of_the_first_version(tmp_path, monkeypatch)
    journal = Journal.open(path)
    ((number, name, _, _),) = journal.runs()
    assert (name, journal.setting_of(number), journal.timeline_of(number)) == ("r", ("", "account"), None)
    journal.close()


def test_a_journal_of_an_older_version_can_be_looked_at_and_is_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After an upgrade `runs`, `check` and `fields` work before the first run has brought it up to date."""
    path = of_the_first_version(tmp_path, monkeypatch)
    before = path.read_bytes()
    with reading(path) as journal:
        ((number, name, _, _),) = journal.runs()
        assert (name, journal.setting_of(number)) == ("r", ("", "account"))
    assert unfinished_runs(path) == frozenset()
    assert path.read_bytes() == before


def test_a_migration_that_fails_leaves_the_journal_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A migration and the number that says it ran are one transaction."""
    path = tmp_path / "j"
    Journal.open(path).close()
    known = journal_schema.MIGRATIONS
    with monkeypatch.context() as patch:
        patch.setattr(journal_schema, "MIGRATIONS", (*known, "CREATE TABLE half (x); CREATE TABLE half (x)"))
        with pytest.raises(UserMistake, match="cannot use the journal"):
            Journal.open(path)
    journal = Journal.open(path)
    assert journal._db.execute("SELECT count(*) FROM sqlite_master WHERE name = 'half'").fetchone() == (0,)
    journal.close()


def test_a_journal_of_a_newer_version_is_refused_and_left_alone(tmp_path: Path) -> None:
    """An older program does not touch what a newer one wrote."""
    path = tmp_path / "j"
    Journal.open(path).close()
    with sqlite3.connect(path) as db:
        db.execute("PRAGMA user_version = 999")
    db.close()
    for use in (Journal.open, scratch, lambda path: reading(path).__enter__()):
        with pytest.raises(UserMistake, match=r"newer pipedrive-cli") as refused:
            use(path)
        assert "--state" not in (refused.value.hint or ""), "with another journal all would be sent again"


@pytest.mark.parametrize("content", [b"not a database at all, but long enough to be read as one" * 20, b"{}\n"])
def test_a_file_that_is_no_journal_is_refused_and_kept(tmp_path: Path, content: bytes) -> None:
    """`--state` with a wrong file name destroys nothing."""
    path = tmp_path / "events.ndjson"
    path.write_bytes(content)
    with pytest.raises(UserMistake, match="cannot use the journal") as refused:
        Journal.open(path)
    assert refused.value.hint is not None
    assert path.read_bytes() == content


def test_a_database_of_somebody_else_is_refused_and_kept(tmp_path: Path) -> None:
    """Our tables are not put into another program's database."""
    path = tmp_path / "cookies.sqlite"
    with sqlite3.connect(path) as db:
        db.execute("CREATE TABLE cookies (name TEXT)")
    db.close()
    with pytest.raises(UserMistake, match="cannot use the journal"):
        Journal.open(path)
    with sqlite3.connect(path) as db:
        assert [row[0] for row in db.execute("SELECT name FROM sqlite_master")] == ["cookies"]
    db.close()


def test_a_transaction_is_all_or_nothing() -> None:
    """What an exception interrupts is not there, whatever kind of exception it is."""
    journal = Journal.open()

    def interrupted(kind: type[BaseException]) -> None:
        with journal.transaction():
            journal.set_fact("half", 1)
            raise kind

    for kind in (ValueError, KeyboardInterrupt, SystemExit):
        with pytest.raises(kind):
            interrupted(kind)
        assert journal.fact("half", int) is None
    journal.close()


def test_only_delivered_and_unchanged_make_a_later_copy_a_duplicate() -> None:
    """Rejected, failed, pending and skipped events are taken up again whenever they are read."""
    journal = Journal.open()
    keys = {outcome: digest(outcome.value) for outcome in Outcome}
    with journal.transaction():
        journal.settle_events(1, [(key, outcome) for outcome, key in keys.items()])
    assert journal.recall(list(keys.values())).handled == {keys[Outcome.DELIVERED], keys[Outcome.UNCHANGED]}
    journal.close()


def test_the_last_outcome_of_an_event_counts() -> None:
    """An event that failed once and was delivered later is delivered, and its body is not kept any longer."""
    journal = Journal.open()
    key = digest("m1")
    with journal.transaction():
        journal.settle_events(1, [(key, Outcome.FAILED)])
        journal.keep_unfinished(1, [(key, "a.ndjson", 3, None, "m", b"{}")])
    assert [event.digest for event in journal.unfinished()] == [key]
    with journal.transaction():
        journal.settle_events(2, [(key, Outcome.DELIVERED)])
    assert journal.recall([key]).handled == {key}
    assert journal.unfinished() == []
    journal.close()


def test_thousands_of_events_are_found_again(tmp_path: Path) -> None:
    """More events than one SELECT can name are all known after the journal was closed and opened."""
    journal = Journal.open(tmp_path / "j")
    keys = [digest(f"m{n}") for n in range(7_001)]
    with journal.transaction():
        journal.settle_events(1, [(key, Outcome.DELIVERED) for key in keys[:-1]])
    journal.close()
    journal = Journal.open(tmp_path / "j")
    assert journal.recall(keys).handled == set(keys[:-1])
    journal.close()


def test_a_record_is_known_by_all_its_keys_and_forgotten_as_one() -> None:
    """Several keys may name one record; a record that is gone takes all of them with it."""
    journal = Journal.open()
    state = RecordState(fields={"name": FieldState(0, 5, "Ann", "Ann")}, key="u1")
    with journal.transaction():
        journal.save_record("persons", 7, ["u1", "anon-1"], state)
        journal.save_record("organizations", 7, ["u1"], RecordState())
        journal.see("persons", [SeenRecord(7, "u1", None, {"emails": [{"value": " A@b.Test "}]})])
    assert journal.known("persons", ["u1", "anon-1", "u2"]) == {"u1": 7, "anon-1": 7}
    assert sorted(journal.keys_of("persons", 7)) == ["anon-1", "u1"]
    assert journal.state("persons", 7) == state
    assert journal.free_by_email("a@B.test") == []
    with journal.transaction():
        for number, key in ((7, None), (8, "u8"), (9, ""), (10, None)):
            journal.see("persons", [SeenRecord(number, key, None, {"emails": [{"value": " A@b.Test "}]})])
    assert journal.free_by_email("a@B.test") == [9, 10]
    with journal.transaction():
        journal.forget_record("persons", 7)
        journal.unsee("persons", [9, 10])
    assert journal.known("persons", ["u1", "anon-1"]) == {}
    assert journal.state("persons", 7) is None
    assert journal.seen_ids("persons", "u1") == journal.free_by_email("a@b.test") == []
    assert journal.known("organizations", ["u1"]) == {"u1": 7}
    journal.close()


def test_who_is_free_among_many_of_one_email_is_found_without_looking_at_all() -> None:
    """A thousand users of one address; those who come without a key, or lose it, are found among them."""

    def cost(n: int) -> int:
        journal, steps = Journal.open(), [0]
        emails = {"emails": [{"value": "front@desk.test"}]}
        with journal.transaction():
            journal.see("persons", [SeenRecord(number, f"u{number}", None, emails) for number in range(1, n)])
        journal.connection.set_progress_handler(lambda: steps.__setitem__(0, steps[0] + 1), 10)
        for _ in range(20):
            assert journal.free_by_email("Front@desk.test") == []
        journal.connection.set_progress_handler(None, 0)
        with journal.transaction():
            journal.see("persons", [SeenRecord(7, None, None, emails), SeenRecord(5000, "", None, emails)])
        assert journal.free_by_email("front@desk.test") == [7, 5000]
        with journal.transaction():
            journal.see("persons", [SeenRecord(7, "u7", None, emails)])
            journal.save_record("persons", 5000, ["u"], RecordState())
        assert journal.free_by_email("front@desk.test") == []
        return steps[0]

    assert cost(800) < 3 * cost(400)


def test_a_merged_record_leaves_its_keys_to_the_survivor() -> None:
    """After a merge all that named the loser names the survivor, and the loser is not seen any more."""
    journal = Journal.open()
    with journal.transaction():
        journal.save_record("persons", 1, ["old", "older"], RecordState())
        journal.save_record("persons", 2, ["new"], RecordState())
        journal.see("persons", [SeenRecord(1, "old", None, {})])
        journal.merge_records("persons", 1, 2)
    assert journal.known("persons", ["old", "older", "new"]) == {"old": 2, "older": 2, "new": 2}
    assert journal.state("persons", 1) is None
    assert journal.seen_ids("persons", "old") == []
    journal.close()


def test_counts_add_up_over_transactions_and_are_kept_per_run() -> None:
    """Numbers are added to, never overwritten, and one run's are not another's."""
    journal = Journal.open()
    for run, n in ((1, 2), (1, 3), (2, 7)):
        with journal.transaction():
            journal.count(run, {"outcome": {"delivered": n, "failed": 0}})
    assert journal.counts(1, "outcome") == {"delivered": 5}
    assert journal.counts(2, "outcome") == {"delivered": 7}
    journal.close()


def test_text_that_no_utf8_can_hold_is_still_an_identity() -> None:
    """Half of a surrogate pair in a messageId is no error."""
    assert digest("\ud800") != digest("?")
    assert len(digest("")) == 16


def test_a_key_is_absent_until_something_bears_it() -> None:
    """What was asked for a window at once is not asked again, and no longer believed once a record has the key."""
    journal = Journal.open()
    with journal.transaction():
        journal.save_record("persons", 1, ["ours"], RecordState())
        journal.see("persons", [SeenRecord(3, "twin", None, {}), SeenRecord(2, "twin", None, {})])
    assert journal.find_keys("persons", ["ours", "twin", "named", "shown", "nobody"]) == ({"ours": 1}, {"twin": 2})
    with journal.transaction():
        journal.save_record("persons", 4, ["named"], RecordState())
        journal.see("persons", [SeenRecord(5, "shown", None, {})])
    keys = ("ours", "twin", "named", "shown", "nobody")
    assert [key for key in keys if journal.is_absent("persons", key)] == ["nobody"]
    assert not journal.is_absent("organizations", "nobody")
    journal.close()


def test_the_highest_id_goes_along_with_what_comes() -> None:
    """Records that are shown or named after the first question count, and so do those that are gone since."""
    journal = Journal.open()
    assert journal.highest_id("persons") == 0
    with journal.transaction():
        journal.see("persons", [SeenRecord(7, "u7", None, {"emails": [{"value": "a@x.org"}]})])
        assert journal.highest_id("persons") == 7
        journal.see("persons", [SeenRecord(7, "", None, {"emails": [{"value": "b@x.org"}]})])
        journal.save_record("persons", 9, ["u9"], RecordState())
        journal.forget_record("persons", 9)
    assert journal.highest_id("persons") == 9
    assert [journal.free_by_email(email) for email in ("a@x.org", "b@x.org")] == [[], [7]]
    journal.close()
