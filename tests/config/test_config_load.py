"""A good config file becomes a Config; the environment and defaults fill in what it leaves out."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from pipedrive_cli.config import Config, Reserve, load
from pipedrive_cli.secret import Secret

EXAMPLE = Path(__file__).parents[2] / "config.example.yaml"


def loaded(tmp_path: Path, text: str, environ: Mapping[str, str] | None = None, *, sandbox: bool = False) -> Config:
    file = tmp_path / "config.yaml"
    file.write_text(text, encoding="utf-8")
    return load(file, environ or {}, sandbox=sandbox)


def test_the_example_needs_no_environment() -> None:
    """The example loads for a preview without the variable that its api_token names, and takes it where it is set."""
    config = load(EXAMPLE, {})
    assert config.pipedrive.api_token is None
    assert config.fields.persons == {
        "role": "Role",
        "Role": "Role",
        "plan": "Plan",
        "address.city": "City",
        "$.context.campaign.source": "Source",
        "company": None,
    }
    assert load(EXAMPLE, {"PIPEDRIVE_API_TOKEN": "abc"}).pipedrive.api_token == Secret("abc")


def test_the_example_states_the_defaults() -> None:
    """What the example writes for identity, events, leads, products and delivery is what holds without it."""
    config = load(EXAMPLE, {})
    assert (config.delivery, config.leads, config.products) == (Config().delivery, Config().leads, Config().products)
    assert config.events.include == Config().events.include
    assert config.events.integrations == Config().events.integrations
    assert config.identity.alias == Config().identity.alias
    assert config.identity.name_fallback == Config().identity.name_fallback


@pytest.mark.parametrize(
    "text", ["", "# nothing\n", "---\n", "~", "\ufefffields:\n", "pipedrive:\nfields:\n  persons:\n"]
)
def test_an_empty_file_or_section_is_all_defaults(tmp_path: Path, text: str) -> None:
    """Sections whose lines are all commented out, and a file without any, mean the defaults."""
    assert loaded(tmp_path, text) == Config()


def test_every_kind_of_value_is_read(tmp_path: Path) -> None:
    """Names, numbers, lists, durations, shares and words in any case come out typed."""
    config = loaded(
        tmp_path,
        """
pipedrive: {company_domain: "https://Acme.pipedrive.com/", plan: Premium, seats: 5, oauth_token: tok}
identity: {name_fallback: [], anonymous: use, create_missing_persons: no}
events: {exclude: [" Heartbeat* "], integrations: []}
leads: {title: "Lead: {event}", default_currency: eur, visible_to: 3, label_ids: [Hot]}
delivery: {concurrency: 4, timeout: 1.5m, settle: 250ms, leave_tokens: 5_000, daily_tokens: 30000}
state: journals/acme
""",
    )
    assert config.pipedrive.company_domain == "acme"
    assert config.pipedrive.plan == "premium"
    assert config.identity.name_fallback == ()
    assert config.identity.create_missing_persons is False
    assert config.events.exclude == ("Heartbeat*",)
    assert config.events.integrations == ()
    assert (config.leads.default_currency, config.leads.visible_to) == ("EUR", 3)
    assert (config.delivery.concurrency, config.delivery.timeout, config.delivery.settle) == (4, 90.0, 0.25)
    assert config.delivery.leave_tokens == Reserve(tokens=5_000)
    assert config.state == tmp_path / "journals" / "acme"


def test_paths_are_the_config_files_neighbours(tmp_path: Path) -> None:
    """cron starts elsewhere than the shell: a relative path counts from the config file, an absolute one stays."""
    config = loaded(tmp_path, "pipedrive: {api_token_file: key.txt}\nstate: /var/lib/journal")
    assert config.pipedrive.api_token_file == tmp_path / "key.txt"
    assert config.state == Path("/var/lib/journal")


def test_variables_stand_for_text_anywhere_in_a_value(tmp_path: Path) -> None:
    """Alone, inside longer text, in lists and mappings, and where a number is wanted; $${ escapes; nothing is expanded
    twice."""
    config = loaded(
        tmp_path,
        """
pipedrive: {company_domain: "${TEAM}-crm", seats: "${SEATS}", oauth_token: "${KEY}"}
identity: {match_email: "${OFF}"}
fields: {persons: {role: "${TEAM} role"}}
events: {include: ["${TEAM}*", "$${TEAM}"]}
""",
        {"TEAM": "acme", "SEATS": "5", "OFF": "false", "KEY": "${TEAM}"},
    )
    assert config.pipedrive.company_domain == "acme-crm"
    assert config.pipedrive.seats == 5
    assert config.pipedrive.oauth_token == Secret("${TEAM}")
    assert config.identity.match_email is False
    assert config.fields.persons == {"role": "acme role"}
    assert config.events.include == ("acme*", "${TEAM}")


def test_anchors_and_merged_sections_work(tmp_path: Path) -> None:
    """YAML's own means against repetition: what stands in the section itself wins over what it merges."""
    config = loaded(
        tmp_path,
        "fields:\n  persons: &both {role: Role, plan: Plan}\n  leads:\n    <<: *both\n    plan: Deal plan\n",
    )
    assert config.fields.leads == {"role": "Role", "plan": "Deal plan"}


def test_the_environment_gives_the_token_that_no_file_names(tmp_path: Path) -> None:
    """PIPEDRIVE_API_TOKEN counts where no credential stands in the file, blank counts as unset."""
    environ = {"PIPEDRIVE_API_TOKEN": " tok \n"}
    assert loaded(tmp_path, "", environ).pipedrive.api_token == Secret("tok")
    assert loaded(tmp_path, "pipedrive: {keyring: acme}", environ).pipedrive.api_token is None
    assert loaded(tmp_path, "", {"PIPEDRIVE_API_TOKEN": " "}).pipedrive.api_token is None
    blank = loaded(tmp_path, "pipedrive:\n  api_token: ${PIPEDRIVE_API_TOKEN}", {"PIPEDRIVE_API_TOKEN": ""})
    assert blank.pipedrive.api_token is None


def test_the_default_token_line_yields_to_another_credential(tmp_path: Path) -> None:
    """A copied example with one more credential in it uses that one, whether the variable is set or not."""
    text = "pipedrive:\n  api_token: ${PIPEDRIVE_API_TOKEN}\n  oauth_token: oauth\n"
    for environ in ({}, {"PIPEDRIVE_API_TOKEN": "tok"}):
        pipedrive = loaded(tmp_path, text, environ).pipedrive
        assert (pipedrive.api_token, pipedrive.oauth_token) == (None, Secret("oauth"))


def test_the_sandbox_takes_no_credential_and_needs_no_variable(tmp_path: Path) -> None:
    """With sandbox=True a config for production loads on a machine that has none of its secrets, and carries none."""
    text = "pipedrive:\n  company_domain: ${TEAM}\n  api_token: ${SECRET_TOKEN}\n"
    bare = loaded(tmp_path, text, sandbox=True)
    full = loaded(tmp_path, text, {"TEAM": "acme", "SECRET_TOKEN": "t", "PIPEDRIVE_API_TOKEN": "u"}, sandbox=True)
    assert bare.pipedrive.api_token is None
    assert (full.pipedrive.company_domain, full.pipedrive.api_token) == ("acme", None)


def test_a_config_is_frozen() -> None:
    """What was checked stays as it was checked."""
    with pytest.raises(AttributeError):
        Config().delivery.lookahead = 1  # type: ignore[misc]  # the point of the test


def test_a_reserve_is_part_of_a_day() -> None:
    """A ratio is rounded, a number never exceeds the day."""
    assert Reserve(ratio=0.1).of(30_000) == 3_000
    assert Reserve(tokens=500).of(30_000) == 500
    assert Reserve(tokens=500).of(100) == 100


def test_the_types_alone_load_no_yaml() -> None:
    """Commands that only name the types start without paying for YAML, HTTP or Rich."""
    code = "import sys, pipedrive_cli.config; print([m for m in ('yaml', 'httpx', 'rich') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
