"""What is written is never lost: no option writes onto what is read, links are followed, devices are left alone."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from .desk_for_commands import Ended, event_file, pipedrive_cli, written_config

JANE = {"type": "identify", "messageId": "m-1", "userId": "jane", "traits": {"name": "Jane"}}
BAD = {"type": "identify", "messageId": "m-2", "traits": {"name": "Nobody"}}
OPTIONS = {"--report": ".json", "--rejects": ".ndjson", "--results": ".ndjson", "--metrics": ".prom"}
TARGETS = ("source", "config", "key", "journal", "its log", "its lock")
WAYS = ("itself", "symbolic link", "hard link", "dots", "link in a linked folder")


def slowly(rows: Iterable[tuple[str, ...]]) -> list[Any]:
    """These rows are not tried in a hurry."""
    return [pytest.param(*row, marks=pytest.mark.slow) for row in rows]


class Place:
    """A folder with everything that a run reads."""

    def __init__(self, folder: Path, end: str) -> None:
        self.folder = folder
        self.source = event_file(folder, JANE, BAD, name=f"events{end}")
        self.key = folder / f"key{end}"
        self.key.write_text("0123456789012345678901234567890123456789\n")
        self.config = folder / f"config{end}"
        text = (
            f"pipedrive: {{company_domain: acme, api_token_file: '{self.key}'}}\nidentity: {{user_id_field: Our id}}\n"
        )
        self.config.write_text(text)
        self.state = folder / f"state{end}"
        assert self.run("--limit", "1").code == 0
        for name in ("-wal", ".lock"):
            Path(f"{self.state}{name}").touch()

    def run(self, *more: str | Path, sandbox: bool = True) -> Ended:
        words: list[str | Path] = ["-c", self.config, "--state", self.state, "--json"]
        words += ["--sandbox"] if sandbox else []
        return pipedrive_cli("replay", self.source, *words, *more)

    def target(self, what: str) -> Path:
        journal = {"journal": "", "its log": "-wal", "its lock": ".lock"}
        return Path(f"{self.state}{journal[what]}") if what in journal else getattr(self, what)


def reached(path: Path, way: str) -> Path:
    """Another way to a file."""
    other = path.parent / f"other{path.suffix}"
    match way:
        case "itself":
            return path
        case "symbolic link":
            other.symlink_to(path.name)
        case "hard link":
            other.hardlink_to(path)
        case "dots":
            return path.parent / ".." / path.parent.name / path.name
        case _:
            (folder := path.parent.with_name("linked")).symlink_to(path.parent, target_is_directory=True)
            other.symlink_to(path)
            return folder / other.name
    return other


@pytest.mark.parametrize(
    ("option", "target", "way"),
    [
        *((option, target, "itself") for option in OPTIONS for target in TARGETS),
        *slowly((option, "source", way) for option in OPTIONS for way in WAYS[1:]),
        *(("--report", target, "symbolic link") for target in TARGETS),
    ],
)
def test_no_option_writes_onto_what_is_read(tmp_path: Path, option: str, target: str, way: str) -> None:
    """Exit code 2 before anything is read, with the option and the file; not a byte is changed."""
    (tmp_path / "x").mkdir()
    place = Place(tmp_path / "x", OPTIONS[option])
    file = place.target(target)
    if target.startswith("its"):  # a name that no suffix of ours fits is refused in any case
        path = file if option in {"--rejects", "--results"} else None
        if path is None:
            return
    else:
        path = reached(file, way)
    before = {each: each.read_bytes() for each in place.folder.iterdir()}
    ended = place.run(option, path, sandbox=target != "key")  # which reads no key
    assert (ended.code, ended.json["exit_code"]) == (2, 2)
    assert f"{option} {path}: " in ended.json["problems"][0]["message"]
    assert {each: each.read_bytes() for each in place.folder.iterdir()} == before


@pytest.mark.parametrize("option", ["--rejects", "--results"])
def test_journals_and_lists_stay_in_a_sandbox_too(tmp_path: Path, option: str) -> None:
    """The account's own, that of another one, and the list of suppressed people; `-` names no file."""
    place = Place(tmp_path, ".ndjson")
    (people := tmp_path / "people.txt").write_text("u9\n")
    (other := tmp_path / "other.db").write_bytes(place.state.read_bytes())
    config = written_config(tmp_path, f"state: '{place.state}'\nprivacy: {{suppress: '{people}'}}\n")
    before = {each: each.read_bytes() for each in tmp_path.iterdir()}
    for path in (place.state, people, other, "-"):
        ended = pipedrive_cli("replay", place.source, "-c", config, "--sandbox", option, path)
        assert (ended.code, f"{option} {path}: that is" in ended.err) == (2, True)
    assert {each: each.read_bytes() for each in tmp_path.iterdir()} == before


@pytest.mark.parametrize("source", ["gw", "gw/*/*.json"])
def test_what_since_leaves_out_is_not_written_onto_either(tmp_path: Path, source: str) -> None:
    """It lies among the events, and is read another time; a new file beside is made."""
    place = Place(tmp_path, ".ndjson")
    old = tmp_path / "gw" / "2026-01-01"
    old.mkdir(parents=True)
    (old / "a.json").write_bytes(place.source.read_bytes())
    words = ("replay", tmp_path / source, "--since", "2026-03-01", "-c", place.config, "--sandbox")
    for option in ("--report", "--results"):
        ended = pipedrive_cli(*words, option, old / "a.json")
        assert (ended.code, "lies among the events" in ended.err) == (2, True)
    assert (old / "a.json").read_bytes() == place.source.read_bytes()
    assert pipedrive_cli(*words, "--report", old / "new.json").code == 0


@pytest.mark.parametrize("first", OPTIONS)
@pytest.mark.parametrize("second", OPTIONS)
def test_two_options_do_not_write_one_file(tmp_path: Path, first: str, second: str) -> None:
    """The second would replace what the first has written."""
    if first == second or {OPTIONS[first], OPTIONS[second]} != {".ndjson"}:
        return  # their names end differently, unless one is a link
    place = Place(tmp_path, ".ndjson")
    ended = place.run(first, tmp_path / "out", second, tmp_path / "." / "out")
    assert ended.code == 2
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(("option", "end"), OPTIONS.items())
@pytest.mark.parametrize("there", [True, False])
def test_links_are_followed(tmp_path: Path, option: str, end: str, *, there: bool) -> None:
    """The link stays a link, and what it points to is written, also where nothing was yet."""
    place = Place(tmp_path, end)
    (folder := tmp_path / "elsewhere").mkdir()
    real, link = folder / f"real{end}", tmp_path / f"link{end}"
    link.symlink_to(real)
    if there:
        real.write_bytes(b"")
    assert place.run(option, link).code in {0, 1}
    assert link.is_symlink()
    assert real.read_bytes()


@pytest.mark.parametrize(("option", "end"), [*list(OPTIONS.items())[:2], *slowly(list(OPTIONS.items())[2:])])
@pytest.mark.parametrize("what", ["device", "pipe", "folder", "loop", "standard output", "no folder"])
def test_what_is_no_file_is_refused(tmp_path: Path, option: str, end: str, what: str) -> None:
    """Exit code 2, nobody waits for a reader, and what stands there still stands there."""
    place = Place(tmp_path, end)
    path = tmp_path / f"out{end}"
    match what:
        case "device":
            path.symlink_to("/dev/null")
        case "pipe":
            os.mkfifo(path)
        case "folder":
            path.mkdir()
        case "loop":
            path.symlink_to(path)
        case "standard output":
            path.symlink_to("/dev/stdout")
        case _:
            path = tmp_path / "none" / path.name
    ended = place.run(option, path)
    assert (ended.code, ended.json["exit_code"]) == (2, 2)
    assert f"{option} {path}: " in ended.json["problems"][0]["message"]
    assert stat.S_ISCHR(Path("/dev/null").stat().st_mode)
    assert what == "no folder" or not stat.S_ISREG(os.lstat(path).st_mode)


@pytest.mark.parametrize("content", [b"my notes", b"# HELP node_cpu_seconds_total\n", b"\x00"])
def test_metrics_replace_figures_alone(tmp_path: Path, content: bytes) -> None:
    """Whatever else has that name stays, whether the run goes well or the command line is wrong."""
    file = tmp_path / "notes.prom"
    file.write_bytes(content)
    place = Place(tmp_path, ".ndjson")
    assert place.run("--metrics", file).code == 2
    assert place.run("--metrics", file, "--nope").code == 2
    assert file.read_bytes() == content


def test_the_page_of_a_past_run_is_kept_apart(tmp_path: Path) -> None:
    """`runs show --html` writes neither onto the journal nor onto the config."""
    place = Place(tmp_path, ".ndjson")
    before = place.state.read_bytes()
    for path in (place.state, place.config):
        ended = pipedrive_cli("runs", "show", "-c", place.config, "--state", place.state, "--html", path, "--json")
        assert ended.code == 2
    assert place.state.read_bytes() == before


def test_a_rehearsal_is_kept_apart_too(tmp_path: Path) -> None:
    """The same options, the same rule."""
    place = Place(tmp_path, ".json")
    before = place.source.read_bytes()
    ended = pipedrive_cli("rehearse", place.source, "-c", place.config, "--report", place.source, "--json")
    assert (ended.code, place.source.read_bytes()) == (2, before)


# --- The rejects file of an earlier run -------------------------------------------------------------------------------


class Hourly:
    """A folder that is imported every hour, with one name for the rejects."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.exports, self.rejects = folder, folder / "exports", folder / "bad.rejects.ndjson"
        self.exports.mkdir()
        self.config = written_config(folder, "identity: {user_id_field: Our id}\nevents: {exclude: [Heartbeat]}\n")

    def run(
        self, *more: str, command: str = "replay", source: Path | None = None, rejects: Path | None = None
    ) -> Ended:
        words: list[str | Path] = ["-c", self.config, "--rejects", rejects or self.rejects, *more]
        if command == "replay":
            words += ["--sandbox", "--state", self.folder / "journal.sqlite"]
        return pipedrive_cli(command, source or self.exports, *words)

    def add(self, name: str, *events: Any) -> Path:
        return event_file(self.exports, *events, name=name)

    def lines(self) -> list[bytes]:
        return self.rejects.read_bytes().splitlines(keepends=True) if self.rejects.exists() else []

    def ids(self) -> list[str | None]:
        return [json.loads(line).get("messageId") for line in self.lines()]


def bad(number: int) -> Any:
    return {**BAD, "messageId": f"bad-{number}"}


@pytest.fixture
def hourly(tmp_path: Path) -> Hourly:
    return Hourly(tmp_path)


def test_rejects_of_an_earlier_run_stay_until_they_are_handled(hourly: Hourly) -> None:
    """A second run with other rejects adds its own; a run without rejects changes nothing, not even the time."""
    hourly.add("1.ndjson", bad(1), JANE)
    assert hourly.run().code == 1
    hourly.add("2.ndjson", bad(2))
    assert hourly.run().code == 1
    assert hourly.ids() == ["bad-1", "bad-2"]
    before = hourly.rejects.stat()
    hourly.add("3.ndjson", {**JANE, "messageId": "m-3"})
    assert hourly.run().code == 0
    after = hourly.rejects.stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_a_line_that_somebody_is_mending_stays_as_it_is(hourly: Hourly) -> None:
    """The event is rejected again by a run over its source, and its line in the file keeps every byte."""
    hourly.add("1.ndjson", bad(1), bad(2))
    hourly.run()
    first, second = hourly.lines()
    half = first.replace(b'"Nobody"', b'"Nobody" ,  "half": "mended"')
    hourly.rejects.write_bytes(half + second.rstrip(b"\n"))  # an editor has left out the last line end
    hourly.add("2.ndjson", bad(3))
    hourly.run("--reread")
    assert hourly.lines()[:2] == [half, second]
    assert hourly.ids() == ["bad-1", "bad-2", "bad-3"]


def test_a_line_goes_once_its_event_is_handled(hourly: Hourly) -> None:
    """Mended and replayed under another name, an event leaves the file at the next run; the last takes it along."""
    hourly.add("1.ndjson", bad(1), bad(2))
    hourly.run()
    for number, left in ((1, ["bad-2"]), (2, [])):
        mended = hourly.folder / "mended.ndjson"
        line = next(line for line in hourly.lines() if b"bad-%d" % number in line)
        mended.write_bytes(line.replace(b'"traits"', b'"userId": "u%d", "traits"' % number))
        assert hourly.run(source=mended, rejects=hourly.folder / "still.ndjson").code == 0
        assert hourly.run().code == 0
        assert hourly.ids() == left
    assert not hourly.rejects.exists()


def test_a_source_that_is_mended_takes_its_lines_along(hourly: Hourly) -> None:
    """The same run that delivers an event takes it out of the file; so it is with a line that was no JSON."""
    hourly.add("1.ndjson", bad(1), "{broken", "{broken too")
    hourly.run()
    assert hourly.ids() == ["bad-1", None, None]
    hourly.add("1.ndjson", {**bad(1), "userId": "u"}, json.dumps({**JANE, "messageId": "m-4"}), "{broken too")
    assert hourly.run().code == 1
    assert [json.loads(line)["_pipedrive_cli"]["line"] for line in hourly.lines()] == [3]


def test_an_event_that_is_not_for_us_any_more_leaves_the_file(hourly: Hourly) -> None:
    """It is skipped: nobody needs to mend it."""
    lead = {"type": "track", "messageId": "m-9", "userId": "u", "event": "Heartbeat 2"}
    hourly.add("1.ndjson", {**lead, "properties": {"value": "much", "currency": "EUR"}})
    hourly.run()
    assert hourly.ids() == ["m-9"]
    written_config(hourly.folder, "identity: {user_id_field: Our id}\nevents: {exclude: ['Heartbeat*']}\n")
    assert hourly.run("--reread").code == 0
    assert hourly.ids() == []


def test_an_event_whose_user_refuses_leaves_the_file(hourly: Hourly) -> None:
    """With a config that asks for consent nothing of the event is kept."""
    denied = {**bad(1), "context": {"consentManagement": {"deniedConsentIds": ["crm"]}}}
    hourly.add("1.ndjson", denied, bad(2))
    hourly.run()
    assert hourly.ids() == ["bad-1", "bad-2"]
    consent = "privacy: {consent: {purposes: [crm]}}\n"
    written_config(hourly.folder, f"identity: {{user_id_field: Our id}}\n{consent}")
    hourly.run()
    assert hourly.ids() == ["bad-2"]


def test_a_rehearsal_handles_nothing(hourly: Hourly) -> None:
    """What would be delivered is still to be mended; what would be rejected comes in."""
    hourly.add("1.ndjson", bad(1))
    hourly.run()
    hourly.add("1.ndjson", {**bad(1), "userId": "u"}, bad(2))
    hourly.run(command="rehearse")
    assert hourly.ids() == ["bad-1", "bad-2"]


def test_text_of_somebody_else_is_not_lost(hourly: Hourly) -> None:
    """Whoever names a file of notes by mistake finds the notes above the rejects, whatever they are."""
    notes = b'my notes\n\n[1, 2]\n\xff\xfe\n{"a": 1e999}\nno end'
    hourly.rejects.write_bytes(notes)
    hourly.add("1.ndjson", bad(1))
    hourly.run()
    content = hourly.rejects.read_bytes()
    assert content.startswith(notes + b"\n")
    assert len(content.splitlines()) == len(notes.splitlines()) + 1


def test_all_problems_of_an_event_stand_with_it(hourly: Hourly) -> None:
    """Who mends an event mends all of it at once."""
    traits = {"name": "Jane", "visible_to": "nobody", "add_time": "soon"}
    hourly.add("1.ndjson", {**JANE, "traits": traits}, "{broken")
    hourly.run()
    for line in hourly.lines():
        own = json.loads(line)["_pipedrive_cli"]
        assert {"code": own["code"], "message": own["message"], "field": own["field"]} in own["problems"]
        assert all(problem.keys() == {"code", "message", "field"} for problem in own["problems"])
    first = json.loads(hourly.lines()[-1])["_pipedrive_cli"]["problems"]
    assert {problem["field"] for problem in first} == {"traits.visible_to", "traits.add_time"}
