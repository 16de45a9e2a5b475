"""The first case that `init` writes: events of each kind with made-up values, and what they come to."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipedrive_cli.config.cases import load_case
from pipedrive_cli.config.model import Fields
from pipedrive_cli.errors import UserMistake
from pipedrive_cli.pipedrive.account import Account, Field, Option
from pipedrive_cli.run.case import run_case
from pipedrive_cli.run.first_case import Mask, first_case
from tests.examples import examples
from tests.harness import CONFIG, group, identify, lines, track, viewed

TIER = Field("a" * 40, "Tier", "enum", options=(Option(1, "Pro"), Option(2, "Free")))
BORN = Field("b" * 40, "Born", "date")
ACCOUNT = Account(fields={"persons": (TIER, BORN)})
MAPPED = msgspec.structs.replace(CONFIG, fields=Fields(persons={"role": "Role", "tier": "Tier", "born": "b" * 40}))


def written(folder: Path) -> Path:
    events = [
        identify("user-secret", 1, name="Ada Secretname", email="ada@secret.example", tier="Free", born="1815-12-10"),
        identify("another-secret", 2, name="Bo"),
        group("user-secret", "group-secret", 3, name="Secret Ltd"),
        track("user-secret", "Asked", 4, value=17, currency="EUR", note="a secret note"),
        viewed("user-secret", "code-secret", 5, name="Secret bike"),
    ]
    source = folder / "events.ndjson"
    source.write_bytes(lines(events))
    path = folder / "cases" / "first.yaml"
    assert first_case([str(source)], MAPPED, "config.yaml", ACCOUNT, path)
    return path


def test_the_case_holds_nothing_of_the_events_and_passes(tmp_path: Path) -> None:
    """One event of each type and name; ids and texts are made up, mapped values fit their fields."""
    path = written(tmp_path)
    text = path.read_text()
    assert "ecret" not in text.replace("# A case", "") and "1815" not in text
    case = load_case(path)
    assert isinstance(case.events, tuple)
    assert [(row["type"], row.get("event")) for row in case.events] == [
        ("identify", None),
        ("group", None),
        ("track", "Asked"),
        ("track", "Product Viewed"),
    ]
    assert "Tier: Pro" in text and "delivered" in text and "rejected" not in text
    assert run_case(case, MAPPED, "config.yaml").differences == []


def test_an_event_that_is_not_quite_json_is_no_example(tmp_path: Path) -> None:
    """NaN, as Python SDKs write it: the next one of that type is taken."""
    source = tmp_path / "events.ndjson"
    odd = b'{"type":"identify","messageId":"m","userId":"odd-user","traits":{"score":NaN}}\n'
    source.write_bytes(odd + lines([identify("plain-user", 1, name="Ada")]))
    path = tmp_path / "first.yaml"
    assert first_case([str(source)], MAPPED, "config.yaml", ACCOUNT, path)
    assert "score" not in path.read_text() and "identify" in path.read_text()


def test_a_case_that_is_there_stays(tmp_path: Path) -> None:
    """Somebody may have changed it."""
    path = written(tmp_path)
    path.write_text("mine")
    assert not first_case([str(tmp_path / "events.ndjson")], MAPPED, "config.yaml", ACCOUNT, path)
    assert path.read_text() == "mine"


def test_where_no_case_can_be_written_that_is_said(tmp_path: Path) -> None:
    """A file stands in the folder's place: no fault of the tool."""
    (tmp_path / "cases").write_text("mine")
    with pytest.raises(UserMistake, match="cases: no folder can be made there"):
        written(tmp_path)
    assert (tmp_path / "cases").read_text() == "mine"


_TEXTS = st.text(alphabet="QXZÄÖ漢\x1b@", min_size=5, max_size=12)  # of no word that a mask makes up


@settings(max_examples=examples(100))
@given(st.dictionaries(st.sampled_from(["role", "note", "deep"]), _TEXTS | st.lists(_TEXTS, max_size=2)), _TEXTS)
def test_no_text_of_an_event_is_left_and_equal_ones_stay_equal(traits: dict[str, Any], user: str) -> None:
    """Whatever an event says; `made up` words are the trait's name and a number."""
    mask = Mask(CONFIG, None)
    masked = mask.event({"type": "identify", "userId": user, "traits": traits})
    assert mask.event({"type": "identify", "userId": user, "traits": traits}) == masked
    shown = repr(masked)
    for text in (user, *(item for value in traits.values() for item in ([value] if isinstance(value, str) else value))):
        assert text not in shown or text in {"user 1", "role 1", "note 1", "deep 1"}
