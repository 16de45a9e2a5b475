"""403: one record's, one value's, a constant of the config's, or the whole kind's."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from pipedrive_cli.config.model import Leads
from pipedrive_cli.sandbox.wire import Request, Response, refusal
from tests.harness import CONFIG, Event, Scene, alias, group, identify, outcomes, track, viewed, with_delivery

ONE_WORKER = with_delivery(concurrency=1)


def leads(number: int, guarded: int | None = None) -> list[Event]:
    return [
        *(identify(f"u{n}", n, name=f"N{n}") for n in range(number)),
        *(track(f"u{n}", "Guarded" if n == guarded else "Demo Requested", 100 + n) for n in range(number)),
    ]


@pytest.mark.parametrize("concurrency", [1, "auto"])
def test_one_forbidden_record_is_rejected_alone(tmp_path: Path, concurrency: int | str) -> None:
    """Eleven leads arrive, one is rejected with Pipedrive's words; the next run says the same of it."""
    scene = Scene(tmp_path, config=with_delivery(concurrency=concurrency))
    scene.refusals("forbidden@leads:title=Guarded")
    events = leads(12, guarded=3)
    for delivered, duplicate in ((23, 0), (0, 23)):
        summary = scene.run(events)
        assert (summary.exit_code, summary.events.rejected) == (1, 1)
        assert (summary.events.delivered, summary.events.duplicate) == (delivered, duplicate)
        (problem,) = summary.problems
        assert "You do not have permission" in (problem.examples[0].message or "")
    assert len(scene.names("leads")) == 11


def test_three_in_a_row_stop_the_kind(tmp_path: Path) -> None:
    """The same 403 for three records and no success between them: it is about the kind, and the others go on."""
    scene = Scene(tmp_path, config=ONE_WORKER)
    scene.refusals("forbidden@leads:title=Demo Requested")
    summary = scene.run(leads(12))
    assert (summary.exit_code, summary.reason) == (4, "kind_refused")
    assert outcomes(summary) == {"delivered": 12, "rejected": 2, "pending": 10}
    assert scene.writes.count("POST /api/v1/leads") == 3


def test_a_success_between_them_keeps_the_kind_going(tmp_path: Path) -> None:
    """Every other lead is somebody else's."""
    scene = Scene(tmp_path, config=ONE_WORKER)
    scene.refusals("forbidden@leads:title=Guarded")
    events = [identify("u1", 0, name="Ann"), *(track("u1", ("Guarded", "Open")[n % 2], 1 + n) for n in range(20))]
    assert outcomes(scene.run(events)) == {"delivered": 11, "rejected": 10}


@pytest.mark.parametrize("there", [False, True], ids=["created", "updated"])
def test_a_value_that_this_user_may_not_set_is_left_out(tmp_path: Path, there: bool) -> None:
    """The rest of the person is written; the event is rejected with that value, so that it can be mended."""
    scene = Scene(tmp_path)
    if there:
        scene.run([identify("u1", 0, name="Ann")])
    scene.refusals("forbidden@persons:visible_to=5")
    summary = scene.run([identify("u1", 1, name="Ann Lee", visible_to=5), identify("u2", 2, name="Ben", visible_to=3)])
    assert outcomes(summary) == {"delivered": 1, "rejected": 1}
    (problem,) = summary.problems
    assert (problem.code, problem.examples[0].value) == ("refused_value", "5")
    assert scene.names("persons") == ["Ann Lee", "Ben"]


def test_many_such_values_do_not_stop_the_kind(tmp_path: Path) -> None:
    """Each is tried again without the value, however many are under way at once."""
    scene = Scene(tmp_path)
    scene.refusals("forbidden@persons:visible_to=5")
    summary = scene.run([identify(f"u{n}", n, name=f"N{n}", visible_to=5) for n in range(30)])
    assert (summary.exit_code, outcomes(summary)) == (1, {"rejected": 30})
    assert len(scene.names("persons")) == 30


CONSTANTS = {
    # key of the config: its section, and what the account says to it
    "leads.owner_id": (Leads(owner_id=99), ""),
    "leads.visible_to": (Leads(visible_to=5), "forbidden@leads:visible_to=5"),
}


@pytest.mark.parametrize("concurrency", [1, "auto"])
@pytest.mark.parametrize("key", CONSTANTS)
def test_a_constant_that_the_account_refuses_costs_no_event(tmp_path: Path, key: str, concurrency: int | str) -> None:
    """An owner who left: the config's key is named, the leads are made without it."""
    section, refusals = CONSTANTS[key]
    config = msgspec.structs.replace(with_delivery(CONFIG, concurrency=concurrency, lookahead=40), leads=section)
    scene = Scene(tmp_path, config=config)
    scene.refusals(refusals)
    summary = scene.run(leads(60))
    assert summary.exit_code == 0
    assert set(outcomes(summary)) == {"delivered"}
    (problem,) = summary.problems
    assert (problem.code, problem.outcome, problem.examples[0].field) == ("refused_setting", None, key)
    assert len(scene.names("leads")) == 60
    refused = len([status for call, status in scene.answers if call == "POST /api/v1/leads" and status >= 400])
    assert refused <= (1 if concurrency == 1 else 40)  # not for every lead


def test_a_label_of_the_config_that_is_gone_is_named_and_the_leads_wait(tmp_path: Path) -> None:
    """The account's labels are kept for a day: a refusal makes them be read again, and no event is rejected for it."""
    scene = Scene(tmp_path, config=msgspec.structs.replace(CONFIG, leads=Leads(label_ids=("Hot",))))
    scene.run(leads(1))
    scene.sandbox.account.lead_labels.clear()
    for lead in scene.sandbox.account.stores["leads"].living():
        lead.values["label_ids"] = []
    summary = scene.run(leads(60))
    assert (summary.exit_code, summary.reason, summary.events.rejected) == (2, "config", 0)
    assert "leads.label_ids" in summary.problems[0].message
    assert summary.events.pending


@pytest.mark.parametrize("status", ["409", "423", "425"])
def test_a_conflict_is_tried_again(tmp_path: Path, status: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing was done: the same may be right in a moment, for a creation too."""

    scene = Scene(tmp_path)
    real, times = scene.sandbox._dispatch, 0

    def dispatch(request: Request, *rest: object) -> Response:
        nonlocal times
        times += request.method == "POST"
        if request.method == "POST" and times < 3:
            raise refusal(2, int(status), "Locked by another request", "ERR_LOCKED")
        return real(request, *rest)  # type: ignore[arg-type] # passed through

    monkeypatch.setattr(scene.sandbox, "_dispatch", dispatch)
    assert outcomes(scene.run([identify("u1", 1, name="Ann")])) == {"delivered": 1}
    assert scene.names("persons") == ["Ann"]


def test_merges_that_are_forbidden_do_not_stop_persons(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not everybody who may write persons may merge them."""
    scene = Scene(tmp_path, config=ONE_WORKER)
    people = [identify(f"{side}{n}", n, name=f"{side}{n}") for n in range(6) for side in ("old", "new")]
    scene.run(people)
    real = scene.sandbox._dispatch

    def dispatch(request: Request, *rest: object) -> Response:
        if request.method == "PUT":
            raise refusal(1, 403, "No permission to merge", "ERR_FORBIDDEN")
        return real(request, *rest)  # type: ignore[arg-type] # passed through

    monkeypatch.setattr(scene.sandbox, "_dispatch", dispatch)
    summary = scene.run([*(alias(f"old{n}", f"new{n}", 50 + n) for n in range(6)), identify("u9", 90, name="Zoe")])
    assert outcomes(summary) == {"rejected": 6, "delivered": 1}


NEW_RECORDS = {
    # kind: what the config gives to new ones, and what the account says to it
    "persons": ({"visible_to": 7}, "forbidden@persons:visible_to=7"),
    "organizations": ({"visible_to": 7}, "forbidden@organizations:visible_to=7"),
    "products": ({"visible_to": 7}, "forbidden@products:visible_to=7"),
}


@pytest.mark.parametrize("kind", NEW_RECORDS)
def test_what_new_records_get_and_the_account_refuses_costs_no_event(tmp_path: Path, kind: str) -> None:
    """The config's key is named, the records are made without it, and it is not sent again."""
    given, refusals = NEW_RECORDS[kind]
    several: dict[str, list[Event]] = {
        "persons": [identify(f"u{n}", n, name=f"N{n}") for n in range(20)],
        "organizations": [group(None, f"g{n}", n, name=f"O{n}") for n in range(20)],
        "products": [viewed("u1", f"p{n}", n, name=f"P{n}") for n in range(20)],
    }
    new_records = msgspec.structs.replace(CONFIG.new_records, **{kind: given})
    scene = Scene(tmp_path, config=msgspec.structs.replace(ONE_WORKER, new_records=new_records))
    scene.refusals(refusals)
    summary = scene.run(several[kind])
    assert (summary.exit_code, outcomes(summary)) == (0, {"delivered": 20})
    (problem,) = summary.problems
    (address,) = given
    assert (problem.code, problem.examples[0].field) == ("refused_setting", f"new_records.{kind}.{address}")
    # Once with it, once more after the account was read again, and from then on without.
    assert (len(scene.names(kind)), len(scene.writes)) == (20, 22)
