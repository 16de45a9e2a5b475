"""People who said no: `python tests/benchmarks/bench_people.py [NAME...] [EVENTS]`. Minutes with 100,000 events.

`nowhere`: of refused and suppressed events, what no allowed event says stands in no record, request, journal, rejects
file or report. `cpu`: what asking for consent and for suppressed people costs a replay, best of five, side by side.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
from measuring import COMMAND, Account, config, event_file, ran, served, told, written
from workload import Mix, events

from pipedrive_cli.config import Config
from pipedrive_cli.config.privacy import ConsentAsked, Privacy
from pipedrive_cli.report.summary import to_json

MARK = "gone-user"  # in all that the tenth of the users says who said no
ROUNDS = 5
CONSENT = {"provider": "oneTrust", "deniedConsentIds": ["Sales"], "resolutionStrategy": "and"}


def said_no(number: int) -> Iterator[tuple[dict[str, Any], bool]]:
    """Events, and whether each is of the tenth of the users who said no."""
    for made in events(Mix(number, max(10, number // 20))):
        user = str(made.get("userId", ""))
        event, gone = made, user.endswith("7")
        if gone:
            event = json.loads(json.dumps(made).replace(user, f"{MARK}-{user}"))
            event["messageId"] = f"{MARK}-{event.get('messageId')}"
            event["context"] = {**event.get("context", {}), "traits": {"email": f"{MARK}-{user}@private.test"}}
        yield event, gone


def nowhere(folder: Path, number: int) -> None:
    """By consent in the long form, and by a list of emails alone, which the events themselves tie to ids."""
    for how in ("consent", "suppression"):
        account, state, rejects = Account(), folder / f"{how}.sqlite", folder / f"{how}.rejects.ndjson"
        source, given = _prepared(folder, number, how)
        summary = account.replay(source, given, state, rejects=rejects)
        texts = [to_json(summary), json.dumps(account.sandbox.contents()).encode()]
        texts += [path.read_bytes() for path in folder.iterdir() if path.name.startswith(f"{how}.")]
        texts += [repr(request).encode() for request in account.sandbox.requests]
        found = sum(text.count(MARK.encode()) for text in texts)
        skipped = summary.events.skipped
        told(f"{how}: {skipped:,} of {number:,} events skipped", f"{found} traces", "0", found == 0 and skipped > 0)


def _prepared(folder: Path, number: int, how: str) -> tuple[Path, Config]:
    rows = []
    for event, gone in said_no(number):
        if gone and how == "consent":
            event["context"]["consentManagement"] = CONSENT
        rows.append(event)
    listed = folder / "listed.txt"
    listed.write_text("".join(f"{MARK}-user-{user}@private.test\n" for user in range(max(10, number // 20))))
    privacy = Privacy(listed) if how == "suppression" else Privacy(None, ConsentAsked(("Sales",)))
    return event_file(folder / "events.ndjson", rows), msgspec.structs.replace(config(), privacy=privacy)


def cpu(folder: Path, number: int) -> None:
    """The same events without anybody who said no: what is measured is the asking."""
    source = event_file(folder / "events.ndjson", events(Mix(number, max(10, number // 20))))
    (folder / "listed.txt").write_text("".join(f"nobody-{user}@private.test\n" for user in range(10_000)))
    asked = {
        "without": "",
        "consent": "privacy: {consent: {purposes: [Sales]}}\n",
        "suppression": "privacy: {suppress: listed.txt}\n",
    }
    best = dict.fromkeys(asked, float("inf"))
    for _ in range(ROUNDS):
        for how, text in asked.items():
            with served(folder, "--plan", "unlimited") as url:
                path = written(folder / f"{how}.yaml", url, plan="ultimate")
                path.write_text(path.read_text() + text)
                state = folder / f"{how}.journal"
                state.unlink(missing_ok=True)
                one = ran(*COMMAND, "replay", source, "-c", path, "--state", state, "--quiet")
                best[how] = min(best[how], one.cpu)
    for how in ("consent", "suppression"):
        share = best[how] / best["without"]
        figure = f"{share:.3f} of {best['without']:.1f} s"
        told(f"CPU of a replay of {number:,} events with {how}", figure, "1.05", share <= 1.05)


if __name__ == "__main__":
    chosen = [name for name in sys.argv[1:] if not name.isdigit()] or ["nowhere", "cpu"]
    size = next((int(name) for name in sys.argv[1:] if name.isdigit()), 100_000)
    for name in chosen:
        with tempfile.TemporaryDirectory() as made:
            {"nowhere": nowhere, "cpu": cpu}[name](Path(made), size)
