"""`test CASE...`: a config's own tests, run in the sandbox."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree as Xml

import pytest

from tests.cli.desk_for_commands import Ended, pipedrive_cli

CONFIG = """\
identity: {user_id_field: User id, group_id_field: Group id}
fields: {persons: {role: Role, tier: Tier, born: Born}}
"""
GIVEN = """\
# What sales agreed on in March.
given:
  fields: {persons: {Tier: "enum:Pro,Free", Born: date}}
  records:
    organizations: [{name: Acme}]
    persons: [{name: Ada, emails: [ada@example.com], organization: Acme, Tier: Free}]
  events:
    - {type: identify, messageId: m1, userId: u1, traits: {email: ada@example.com, tier: Pro, role: CTO}}
    - {type: identify, userId: u2, traits: {name: Bo, born: nonsense}}
    - {type: track, userId: u1, event: Asked, properties: {value: 3, currency: EUR}}
"""
EXPECT = """\
expect:
  outcomes: {m1: delivered, event-2: rejected bad_value}
  records:
    persons:
      - {name: Bo, Born: null}
      - {name: Ada, Tier: Pro, Role: CTO, organization: Acme, User id: u1, emails: [ada@example.com]}
    leads: [{title: Asked, person: Ada, value: {amount: 3, currency: EUR}}]
  requests:
    - {action: update, record: person of user u1, fields: {Tier: Pro}}
    - {action: create, record: person of user u2}
    - {action: create, record: lead of event event-3}
"""


def with_case(folder: Path, case: str, *options: str) -> Ended:
    (folder / "config.yaml").write_text(CONFIG)
    (folder / "cases").mkdir(exist_ok=True)
    (folder / "cases" / "case.yaml").write_text(case)
    return pipedrive_cli("test", folder / "cases", "-c", folder / "config.yaml", *options)


def test_a_case_is_as_expected_with_links_options_outcomes_and_requests(tmp_path: Path) -> None:
    """Fields by name, options by label, links by name, requests in the words of previews: exit code 0."""
    ended = with_case(tmp_path, GIVEN + EXPECT)
    assert (ended.code, ended.err) == (0, "")
    assert "1 case, all as expected" in ended.out


@pytest.mark.parametrize(
    ("right", "wrong", "told"),
    [
        ("Tier: Pro, Role", "Tier: Free, Role", 'persons[1] (Ada): Tier is "Pro", and "Free" was expected'),
        ("Born: null", "Born: 2020-01-01", 'persons[0] (Bo): Born is blank, and "2020-01-01" was expected'),
        ("{m1: delivered", "{m1: unchanged", "outcomes: m1 is delivered, and unchanged was expected"),
        ("{m1: ", "{m9: ", "outcomes: there is no event m9"),
        ("rejected bad_value", "rejected bad_json", "event-2 is rejected bad_value, and rejected bad_json was"),
        ("title: Asked", "title: Sold", 'leads[0] (Asked): title is "Asked", and "Sold" was expected'),
        ("      - {name: Bo, Born: null}\n", "", "persons: Bo is there, and was not expected"),
        ("fields: {Tier: Pro}", "fields: {Tier: Free}", 'requests[0] (person of user u1): Tier is "Pro"'),
        (
            "    - {action: create, record: lead of event event-3}\n",
            "",
            "create lead of event event-3 was not expected",
        ),
        ("leads: [", "organizations: [{name: Acme}, {name: Globex}]\n    leads: [", "Globex was expected, and is not"),
    ],
)
def test_each_difference_is_told_by_record_and_field(tmp_path: Path, right: str, wrong: str, told: str) -> None:
    """Exit code 1, and what is instead of what was expected."""
    assert right in EXPECT
    ended = with_case(tmp_path, GIVEN + EXPECT.replace(right, wrong, 1))
    assert ended.code == 1
    assert told in ended.out and "1 with differences" in ended.out


def test_update_writes_what_there_is_and_leaves_the_rest_as_it_was(tmp_path: Path) -> None:
    """Comments and what is given stay; afterwards the case passes; what was not compared is not added."""
    case = GIVEN + "expect:\n  records:\n    persons: [{name: Somebody}]\n"
    ended = with_case(tmp_path, case, "--update")
    assert ended.code == 0 and "was: " in ended.out and "1 updated" in ended.out
    text = (tmp_path / "cases/case.yaml").read_text()
    assert text.startswith(GIVEN) and "Role: CTO" in text and "outcomes" not in text
    again = with_case(tmp_path, text)
    assert (again.code, (tmp_path / "cases/case.yaml").read_text()) == (0, text)


def test_a_case_without_expectations_is_filled_by_update(tmp_path: Path) -> None:
    """So one begins: the events, then `--update`, then a look at what was written. Until then nothing is tested."""
    untested = with_case(tmp_path, GIVEN)
    assert untested.code == 1 and "nothing is expected" in untested.out
    assert with_case(tmp_path, GIVEN, "--update").code == 0
    text = (tmp_path / "cases/case.yaml").read_text()
    assert "m1: delivered" in text and "title: Asked" in text
    assert with_case(tmp_path, text.replace("m1: delivered", "m1: failed")).code == 1


def test_the_results_are_json_and_junit(tmp_path: Path) -> None:
    """For scripts and for CI servers; hostile text is escaped in both."""
    case = GIVEN.replace("name: Bo", 'name: "<b>\\u001b[2J"') + EXPECT.replace("name: Bo", "name: Bo2")
    ended = with_case(tmp_path, case, "--json", "--junit", str(tmp_path / "results.xml"))
    assert ended.code == 1 and not ended.json["ok"]
    assert ended.json["cases"][0]["differences"]
    suite = Xml.fromstring((tmp_path / "results.xml").read_bytes())
    assert (suite.get("tests"), suite.get("failures")) == ("1", "1")
    assert "<b>\\x1b[2J" in str(suite[0][0].text)


@pytest.mark.parametrize(
    ("case", "told"),
    [
        ("expect: {}\n", "given.events"),
        ("given: {events: []}\nexpekt: {}\n", "expekt: has no place"),
        (GIVEN + "expect: {outcomes: {m1: done}}\n", "is no outcome"),
        (GIVEN.replace("Born: date", "Born: dates"), "there is no type dates"),
        (
            GIVEN.replace("organization: Acme, ", "organization: Globex, "),
            "organizations is called Globex",
        ),
        (GIVEN.replace("[{name: Acme}]", "{name: Acme}"), "must be a list of sections"),
    ],
)
def test_a_case_that_makes_no_sense_is_a_mistake_with_its_place(tmp_path: Path, case: str, told: str) -> None:
    """Exit code 2: nothing was compared. It is told as a case's, not as the config's."""
    ended = with_case(tmp_path, case)
    assert ended.code == 2 and told in ended.err
    assert "in the config" not in ended.err


def test_what_is_no_case_is_called_so_in_one_line(tmp_path: Path) -> None:
    """A config in the folder of cases, a case that is not there, events that are not there."""
    ended = with_case(tmp_path, "pipedrive: {}\nidentity: {}\n")
    assert ended.code == 2 and "is no case" in ended.err and "1 problem in the case" in ended.err
    ended = with_case(tmp_path, "given: {events: gone.ndjson}\n")
    assert ended.code == 2 and "given.events: there is no file" in ended.err
    ended = pipedrive_cli("test", tmp_path / "gone.yaml", "-c", tmp_path / "config.yaml")
    assert ended.code == 2 and "there is no such case" in ended.err


def test_events_may_lie_in_a_file_beside_the_case(tmp_path: Path) -> None:
    """An export is not copied into YAML."""
    (tmp_path / "cases").mkdir()
    (tmp_path / "cases" / "a.ndjson").write_text(
        '{"type":"identify","messageId":"m","userId":"u","traits":{"role":"R"}}\n'
    )
    case = "given: {events: a.ndjson}\nexpect: {records: {persons: [{User id: u, Role: R}]}}\n"
    assert with_case(tmp_path, case).code == 0


def test_the_cases_of_a_folder_are_run_together(tmp_path: Path) -> None:
    """All cases of a team are run at each change of the config, each in an account of its own."""
    (tmp_path / "cases").mkdir()
    for number in range(10):
        (tmp_path / "cases" / f"c{number:03}.yaml").write_text(GIVEN + EXPECT)
    ended = with_case(tmp_path, GIVEN + EXPECT)
    assert ended.code == 0 and "11 cases, all as expected" in ended.out
