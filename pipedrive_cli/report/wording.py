"""The report's sentences and figures, which terminal and browser share. Pure text: knows neither of the two."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final, Literal, TypeAlias

from pipedrive_cli.errors import EXIT_CREDENTIALS
from pipedrive_cli.model import FILE_PROBLEMS, UNSETTLED, Outcome
from pipedrive_cli.report.problems import words_for
from pipedrive_cli.report.summary import Example, ProblemGroup, Summary, worst_first

# Where the run of a summary took place: in the account, in a sandbox of our own, or only in a forecast.
Scene: TypeAlias = Literal["account", "sandbox", "foretold"]

_MEANING: dict[Outcome, str] = {
    Outcome.DELIVERED: "written to Pipedrive",
    Outcome.UNCHANGED: "Pipedrive had it, or something newer; nothing was sent",
    Outcome.DUPLICATE: "copies of events that were handled",
    Outcome.SKIPPED: "not for Pipedrive",
    Outcome.REJECTED: "will not work as it is",
    Outcome.FAILED: "gave up after several attempts",
    Outcome.PENDING: "not done yet",
}
_ELSEWHERE: dict[Scene, dict[Outcome, str]] = {
    "account": {},
    "sandbox": {
        Outcome.DELIVERED: "written to the sandbox, not to Pipedrive, whose fields may refuse more",
        Outcome.UNCHANGED: "the sandbox had it, or something newer; nothing was sent",
    },
    "foretold": {
        Outcome.DELIVERED: "would be written to Pipedrive",
        Outcome.UNCHANGED: "it would be there, or something newer; nothing would be sent",
        Outcome.FAILED: "would be given up after several attempts",
        Outcome.PENDING: "would not be done yet",
    },
}

_FINISHED: dict[Scene, str] = {
    "account": "Finished in",
    "sandbox": "Finished in the sandbox in",
    "foretold": "Would be finished after",
}


# What a forecast that asks no account and has no journal leaves out of its figures.
UNLOOKED: Final = "the account and earlier runs are not looked at"


def meaning(outcome: Outcome, scene: Scene = "account") -> str:
    """The meaning of an outcome, in words."""
    return _ELSEWHERE[scene].get(outcome, _MEANING[outcome])


def duration_words(seconds: float) -> str:
    """A duration for people: `0.4 s`, `42 s`, `3 min 5 s`, `2 h 10 min`, `3 d 4 h`."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    units = (("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1))
    first = next(place for place, (_, size) in enumerate(units) if whole >= size)
    (big, big_size), (small, small_size) = units[first], units[first + 1]
    rest = whole % big_size // small_size
    return f"{whole // big_size} {big}" + (f" {rest} {small}" if rest else "")


def count(number: int, one: str, many: str | None = None) -> str:
    """`1 event`, `12,345 events`."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def data_size(size: int) -> str:
    """A number of bytes for people: `512 B`, `1.2 MB`."""
    amount = float(size)
    for unit in ("B", "kB", "MB", "GB"):
        if amount < 1000:
            return f"{amount:.0f} {unit}" if unit == "B" else f"{amount:.1f} {unit}"
        amount /= 1000
    return f"{amount:.1f} TB"


def headline(summary: Summary, *, scene: Scene = "account", passed_over: int = 0) -> str:
    """What happened, in one or two sentences. `passed_over` is the number of files that earlier runs had read."""
    known = ""
    if passed_over:
        why = "read to the end before, and unchanged since; --reread reads them."
        known = f" {count(passed_over, 'file')} passed over: {why}"
    return _outcome(summary, scene) + known


def _outcome(summary: Summary, scene: Scene) -> str:
    events, length = summary.events, duration_words(summary.seconds)
    read = count(events.read, "event")
    if summary.status == "stopped":
        after = f" after {length}" if summary.seconds else ""  # the duration of a run without a report is unknown
        first = f"{'Would stop' if scene == 'foretold' else 'Stopped'}{after}: {reason(summary)}."
        if not events.read:
            return f"{first} Nothing was read."
        left = f", {events.pending:,} of them not done yet" if events.pending else ", all of them settled"
        rest = "" if summary.input_complete else ", and the input was not read to its end"
        return f"{first} {read} read{left}{rest}."
    wrong = [
        f"{number:,} {_were(number, scene)} {outcome.value}"
        if outcome is Outcome.REJECTED
        else f"{number:,} {outcome.value}"
        for outcome, number in events.by_outcome().items()
        if number and outcome in UNSETTLED
    ]
    if files := sum(problem.count for problem in summary.problems if problem.code in FILE_PROBLEMS):
        wrong.append(f"{count(files, 'file')} not read to the end")
    verb = _FINISHED[scene]
    if wrong:
        return f"{verb} {length}: {read} read; {_list(wrong)}."
    if not events.read:
        return f"{verb} {length}: there was nothing to do."
    return f"{verb} {length}: {read} read, every one accounted for."


def reason(summary: Summary) -> str:
    """Why the run stopped: the message of the problem with that code, else the message in `problems`."""
    code = summary.reason or "stopped"
    return next((problem.message for problem in summary.problems if problem.code == code), words_for(code).message)


def next_steps(
    summary: Summary, *, rejects: Path | None = None, resume_in: float | None = None, scene: Scene = "account"
) -> list[str]:
    """The next steps, of one or two sentences each; none for a run that went well."""
    events, steps = summary.events, []
    if rejects is not None and events.rejected:
        # The file may hold more, from earlier runs.
        kept = f"This run's {count(events.rejected + events.failed, 'rejected or failed event')}"
        are = "is" if events.rejected + events.failed == 1 else "are"
        steps.append(f"{kept} {are} in {rejects}: mend them there, or the config or Pipedrive, and replay it.")
    elif events.rejected:
        again = "Replay" if scene == "foretold" else "Run again"
        # Without --reread, a folder's files that were read to their end are passed over and give no rejects.
        reread = " (of a folder: --reread, too)" if scene == "account" else ""
        steps.append(f"{again} with --rejects FILE{reread} to get the rejected events as a file to mend and replay.")
    if resume_in is not None:
        steps.append(f"Come back in {duration_words(resume_in)}.")
    if scene != "account":
        return steps  # nothing can be continued: the next run begins with an empty Pipedrive again
    if summary.exit_code == EXIT_CREDENTIALS:
        steps.append("Put the API token right, then run the same command again; what is done is not sent twice.")
    elif summary.status == "partial" and any(problem.code in FILE_PROBLEMS for problem in summary.problems):
        steps.append("Mend the files that were not read, or move them away; then run the same command again.")
    elif summary.reason is not None and summary.reason not in CURED_BY_REPEATING:
        steps.append(_before_repeating(summary))
    elif summary.status != "stopped" and not summary.input_complete:
        steps.append("Not all was read, as --limit says: run without it for the rest; what is done is not sent twice.")
    elif not summary.input_complete:
        steps.append("Run the same command again to continue; what is done is not sent twice.")
    elif events.failed or events.pending:
        steps.append(
            f"{count(events.failed + events.pending, 'failed or pending event')}: "
            "running the same command again sends what is left; so does `pipedrive-cli retry`, which needs no files "
            "(and the same -c and --state, where you gave them)."
        )
    return steps


# What stops a run that the same command goes on from; whatever else stops one would do so again.
CURED_BY_REPEATING = frozenset(
    {
        "asked_to_wait",
        "day_spent",
        "deadline",
        "firewall",
        "input_left",
        "interrupted",
        "max_tokens",
        "output",
        "stopped",
    }
    | {"source_unreachable", "unreachable"}
)


def _before_repeating(summary: Summary) -> str:
    """The next step after a stop that the same command would meet again."""
    if summary.reason == "plan_changed":
        return "Look at what `preview --online` shows now, and replay with the name that it ends with."
    if summary.reason == "brake":
        return (
            "The same command would stop here again. See with `preview --online` whether so much is meant: raise the "
            "brake, or mend the events or the config first."
        )
    unread = [problem for problem in summary.problems if problem.code in FILE_PROBLEMS]
    if summary.reason == "input_unread" and all(problem.code != "source_unreachable" for problem in unread):
        return "Mend or convert the file that was not read, or leave it out, before you replay; what is done is kept."
    return "Put right what stopped the run, then run the same command again; what is done is not sent twice."


def place_words(example: Example) -> str:
    """The event's place: `file:line`, with `[index]` within a batch; `-` for a problem without an event."""
    if example.file is None:
        return "-"
    within = "" if example.index is None else f"[{example.index}]"
    line = "" if example.line is None else f":{example.line}"
    return f"{example.file}{line}{within}"


def split_skipped(problems: Iterable[ProblemGroup]) -> tuple[list[ProblemGroup], list[ProblemGroup]]:
    """The groups of problems, without and with the outcome skipped. A good run may have skipped events."""
    ordered = worst_first(problems)
    skipped = [problem for problem in ordered if problem.outcome is Outcome.SKIPPED]
    return [problem for problem in ordered if problem.outcome is not Outcome.SKIPPED], skipped


def skipped(group: ProblemGroup) -> str:
    """The number of skipped events and the reason, in one line."""
    hint = f". {group.hint}" if group.hint else ""
    return f"{group.count:,} × {group.message}{hint}"


def problem_label(problem: ProblemGroup) -> str:
    """The outcome of the problem's events; `noticed` if it is only counted; `stopped` if it stopped the run."""
    if problem.outcome is Outcome.PENDING and not problem.count:
        return "stopped"
    if problem.code in FILE_PROBLEMS:
        return "not read"
    return problem.outcome.value if problem.outcome else "noticed"


def whereabouts(problem: ProblemGroup, rejects: str | None) -> str:
    """Where all events of a problem are of which a page shows some."""
    every = f"All {problem.count:,} {'are' if problem.count > 1 else 'is'}"
    if problem.outcome in {Outcome.REJECTED, Outcome.FAILED}:
        return f"{every} in {rejects}." if rejects is not None else f"{every} in the file that --rejects FILE names."
    return f"{every} in the file that --results FILE names."


def first_of(items: Sequence[str], most: int, *, whole: int | None = None, between: str = ", ") -> str:
    """`a, b and 3 more`: the first of some. `whole` is how many there are, where `items` are not all of them."""
    more = (len(items) if whole is None else whole) - min(most, len(items))
    return between.join(items[:most]) + (f" and {more:,} more" if more > 0 else "")


def top_traits(counts: dict[str, int], most: int = 10) -> tuple[list[tuple[str, int]], int]:
    """The most frequent traits, and the number of the others."""
    ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return ranked[:most], max(0, len(ranked) - most)


def _were(number: int, scene: Scene) -> str:
    return "would be" if scene == "foretold" else "was" if number == 1 else "were"


def _list(parts: list[str]) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"
