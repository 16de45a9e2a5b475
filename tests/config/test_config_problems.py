"""A config that is wrong is refused whole: every mistake, each with its path and line, none with a token in it."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from pipedrive_cli.config import Config, load
from pipedrive_cli.config.load import checked_config
from pipedrive_cli.errors import ConfigProblem, ConfigProblems
from tests.examples import examples

CANARY = "f123456789abcdef0123456789abcdefcanary42"


def problems_of(text: str, environ: dict[str, str] | None = None) -> list[ConfigProblem]:
    found: list[ConfigProblem] = []
    checked_config(text, environ or {}, sandbox=False, problems=found)
    return found


ROWS = [
    # unknown keys
    ("piepdrive: {}", "piepdrive", 1, "no key of the config", "did you mean pipedrive?"),
    ("identity:\n  userIdField: x", "identity.userIdField", 2, "no key", "did you mean user_id_field?"),
    ("user_id_field: x", "user_id_field", 1, "no key", "belongs into the section identity"),
    ("pipedrive:\n  fields:\n    persons:", "pipedrive.fields", 2, "no key", "section of its own"),
    ("delivery:\n  zzz: 1", "delivery.zzz", 2, "no key", "known here: lookahead"),
    ("delivery: {timeout:30s}", "delivery.timeout:…", 1, "no key", "space"),
    # types and ranges
    ("fields: 3", "fields", 1, "must be a section", "space"),
    ("delivery:\n  lookahead: many", "delivery.lookahead", 2, "a whole number from 1 to 10,000,000", ""),
    ("delivery:\n  lookahead: 0", "delivery.lookahead", 2, "from 1 to", ""),
    ("delivery:\n  concurrency: 257", "delivery.concurrency", 2, "from 1 to 256", ""),
    ("delivery:\n  lookahead: 1.5", "delivery.lookahead", 2, "a whole number", ""),
    ('delivery:\n  lookahead: "5"', "delivery.lookahead", 2, "a whole number", "without quotes"),
    ("delivery:\n  lookahead: yes", "delivery.lookahead", 2, "a whole number", "YAML reads yes"),
    ("delivery:\n  concurrency: atuo", "delivery.concurrency", 2, "auto or a whole number from 1 to 256", "auto?"),
    ("delivery:\n  timeout: 0s", "delivery.timeout", 2, "more than 0", ""),
    ("delivery:\n  timeout: 2h", "delivery.timeout", 2, "at most an hour", ""),
    ("delivery:\n  settle: soon", "delivery.settle", 2, "a duration", ""),
    ("delivery:\n  settle: 1:30", "delivery.settle", 2, "as it is written", "plainly"),
    ("delivery:\n  leave_tokens: 0.1", "delivery.leave_tokens", 2, "percentage", ""),
    ("delivery:\n  leave_tokens: 100%", "delivery.leave_tokens", 2, "percentage", ""),
    ("delivery: {daily_tokens: 10,\n  leave_tokens: 10}", "delivery.leave_tokens", 2, "leaves nothing", ""),
    ("identity:\n  alias: mrge", "identity.alias", 2, "merge, rekey or skip", "did you mean merge?"),
    ("identity:\n  anonymous: no", "identity.anonymous", 2, "skip or use", "YAML reads"),
    ("identity:\n  match_email:", "identity.match_email", 2, "has no value", "default"),
    ('identity:\n  match_email: "yes"', "identity.match_email", 2, "true or false", "without quotes"),
    ("identity:\n  name_fallback: [email, nmae]", "identity.name_fallback[1]", 2, "email or user_id", ""),
    ("identity:\n  user_id_field: 12", "identity.user_id_field", 2, "must be text", "quotes"),
    ("identity:\n  user_id_field: ' '", "identity.user_id_field", 2, "blank", ""),
    ("identity:\n  user_id_field: id", "identity.user_id_field", 2, "must be a custom field", ""),
    ("events:\n  include: Order*", "events.include", 2, "a list of texts", "brackets"),
    ("events:\n  integrations:", "events.integrations", 2, "has no value", "[]"),
    ("events:\n  exclude: [a,\n    3]", "events.exclude[1]", 3, "must be text", "quotes"),
    ("leads:\n  visible_to: 2", "leads.visible_to", 2, "1, 3, 5 or 7", ""),
    ("leads:\n  default_currency: euro", "leads.default_currency", 2, "three letters", ""),
    ('leads:\n  title: "{ }"', "leads.title", 2, "without a name", "{event}"),
    ('leads:\n  title: "{event"', "leads.title", 2, "a brace", "{event}"),
    ('leads:\n  title: "{$.contxt.page}"', "leads.title", 2, "no contxt at its top", "$.context.page"),
    ('leads:\n  title: "{context.page.url}"', "leads.title", 2, "part of the event", "{$.context.page.url}"),
    ("pipedrive:\n  plan: premum", "pipedrive.plan", 2, "one of lite, growth", "did you mean premium?"),
    ("pipedrive:\n  seats: 0100", "pipedrive.seats", 2, "leading zero", ""),
    ("pipedrive:\n  seats: !!python/name:os.system x", "pipedrive.seats", 2, "YAML tag", "leave the tag out"),
    # the account
    ("pipedrive:\n  company_domain: https://acme.example.com", "pipedrive.company_domain", 2, "company's name", "acme"),
    ("pipedrive:\n  company_domain: acme\n  base_url: https://x.io", "pipedrive.base_url", 3, "company_domain", "keep"),
    ("pipedrive:\n  base_url: http://x.io", "pipedrive.base_url", 2, "this machine alone", "https://"),
    ("pipedrive:\n  base_url: http://127.evil.io", "pipedrive.base_url", 2, "this machine alone", "https://"),
    ("pipedrive:\n  base_url: https://a:b@x.io", "pipedrive.base_url", 2, "user name or password", ""),
    ("pipedrive:\n  base_url: https://x.io/?api_token=1", "pipedrive.base_url", 2, "query", "api_token"),
    ("pipedrive:\n  base_url: https://x.io/v1", "pipedrive.base_url", 2, "without a path", ""),
    ("pipedrive:\n  base_url: x.io", "pipedrive.base_url", 2, "https:// before it", ""),
    ("pipedrive:\n  base_url: https://x.io:99999", "pipedrive.base_url", 2, "no address", ""),
    ("pipedrive:\n  oauth_token: a\n  keyring: b", "pipedrive.keyring", 3, "beside oauth_token", "keep one"),
    ("pipedrive:\n  api_token: a b", "pipedrive.api_token", 2, "characters that no key has", "copy it again"),
    # variables
    ("identity:\n  user_id_field: ${FIELD}", "identity.user_id_field", 2, "environment variable FIELD", ""),
    ("pipedrive:\n  api_token: ${MY_TOKEN}", "pipedrive.api_token", 2, "environment variable MY_TOKEN", ""),
    ("leads:\n  label_ids: ['a${']", "leads.label_ids[0]", 2, "without a variable's name", "$${"),
    # mappings
    ("fields:\n  persons: [role]", "fields.persons", 2, "trait: field", "role: Role"),
    ("fields:\n  persons:\n    role: ''", "fields.persons.role", 3, "blank", ""),
    ("fields:\n  persons: {a: {b: C}}", "fields.persons.a", 2, "not a section", "dots"),
    ("fields:\n  persons: {a: {feild: C}}", "fields.persons.a", 2, "not a section", "did you mean field for feild"),
    ("fields:\n  persons:\n    a: {map: {b: c}}", "fields.persons.a", 3, "names no field", "field: NAME"),
    ("fields:\n  persons:\n    a: {field: X, mpa: 3}", "fields.persons.a.mpa", 3, "no key", "did you mean map?"),
    ("fields:\n  persons:\n    a: {field: X,\n      mask: md5}", "fields.persons.a.mask", 4, "must be sha256", ""),
    ("fields:\n  persons:\n    a: {field: X, other: never}", "fields.persons.a.other", 3, "drop, keep or reject", ""),
    ("fields:\n  persons:\n    a: {field: X,\n      other: keep}", "fields.persons.a.other", 4, "without map", "map"),
    ("fields:\n  persons:\n    a: {field: 3}", "fields.persons.a.field", 3, "must be text", ""),
    ("fields:\n  persons:\n    a: {field: X, map: 3}", "fields.persons.a.map", 3, "lines of name: value", ""),
    ("fields:\n  persons:\n    a: {field: X, map: {b: {}}}", "fields.persons.a.map.b", 3, "a single value", ""),
    ("fields:\n  persons:\n    userId:", "fields.persons.userId", 3, "names the record", "take this line out"),
    # paths of the event
    ("fields:\n  leads:\n    $.contxt.ip: X", "fields.leads.$.contxt.ip", 3, "no contxt", "did you mean $.context.ip?"),
    ("fields:\n  leads:\n    $.plan: X", "fields.leads.$.plan", 3, "no plan at its top", "$.properties.plan"),
    ("fields:\n  leads:\n    $.timestamp.day: X", "fields.leads.$.timestamp.day", 3, "single value", "$.timestamp"),
    ("fields:\n  leads:\n    $.context: X", "fields.leads.$.context", 3, "a whole object", "$.context.name"),
    ("fields:\n  leads:\n    $.context..ip: X", "fields.leads.$.context..ip", 3, "a name is missing", ""),
    ("fields:\n  leads:\n    $.properties.a[0]: X", "fields.leads.$.properties.a[0]", 3, "dots alone", "lists"),
    ("fields:\n  leads:\n    $.context.ip:", "fields.leads.$.context.ip", 3, "without a field", "take this line out"),
    ("fields:\n  leads:\n    context.ip: X", "fields.leads.context.ip", 3, "part of the event", "write $.context.ip"),
    ("fields:\n  persons:\n    timestamp: X", "fields.persons.timestamp", 3, "part of the event", "$.timestamp"),
    # masks that hide nothing
    (
        "fields:\n  persons:\n    a: {field: X, mask: sha256}\n    $.traits.a: Y",
        "fields.persons.a.mask",
        3,
        "shown",
        "",
    ),
    ("fields:\n  persons:\n    a.b: {field: X, mask: sha256}\n    a: Y", "fields.persons.a.b.mask", 3, "shown by", ""),
    ("fields:\n  persons:\n    firstName: {field: X, mask: sha256}", "fields.persons.firstName.mask", 3, "shown", ""),
    (
        "fields:\n  persons:\n    $.traits.email: {field: X, mask: sha256}",
        "fields.persons.$.traits.email.mask",
        3,
        "",
        "",
    ),
    ("fields:\n  leads:\n    $.userId: {field: X, mask: sha256}", "fields.leads.$.userId.mask", 3, "reports", ""),
    (
        "fields:\n  leads:\n    a: {field: X, mask: sha256}\nleads: {title: '{a}'}",
        "fields.leads.a.mask",
        3,
        "leads.title",
        "",
    ),
    # what new records get
    ("new_records:\n  persons: [Source]", "new_records.persons", 2, "name: value", "Source: Website"),
    ("new_records:\n  persons:\n    Source:", "new_records.persons.Source", 3, "no value", ""),
    ("new_records:\n  persons:\n    name: Ada", "new_records.persons.name", 3, "no config can set", "out"),
    ("new_records: {leads: {owner_id: 3}}\nleads: {owner_id: 4}", "new_records.leads.owner_id", 1, "beside", "one"),
    (
        "identity:\n  create_persons: none\n  create_missing_persons: true",
        "identity.create_missing_persons",
        3,
        "contradicts",
        "old name",
    ),
    ("fields:\n  persons:\n    email: Mail", "fields.persons.email", 3, "place of its own", "out"),
    ("fields:\n  leads:\n    owner_id: Owner", "fields.leads.owner_id", 3, "never taken", "out"),
    ("fields:\n  persons:\n    mail: email", "fields.persons.mail", 3, "no mapping can set", "trait email"),
    ("fields:\n  persons:\n    tel: {field: phone, mask: sha256}", "fields.persons.tel", 3, "phone numbers", "mask"),
    ("new_records:\n  persons:\n    phone: 1", "new_records.persons.phone", 3, "no config can set", "out"),
    ("fields:\n  persons:\n    boss: owner_id", "fields.persons.boss", 3, "no mapping can set", "custom"),
    ("fields: {persons: {a: U}}\nidentity: {user_id_field: U}", "fields.persons.a", 1, "identity.user_id_field", ""),
    ("fields:\n  leads:\n    a..b: X", "fields.leads.a..b", 3, "between the dots", ""),
    # keys that YAML does not read as text
    ("fields:\n  persons:\n    no: Norway", "fields.persons", 3, "the key no is not read as text", 'quotes: "no"'),
    ("fields:\n  persons:\n    010: Ten", "fields.persons", 3, "the key 010", 'quotes: "010"'),
    ("fields:\n  persons:\n    ~: Ten", "fields.persons", 3, "as nothing", 'quotes: "~"'),
    ("fields:\n  persons:\n    ? [a]\n    : Ten", "fields.persons", 3, "a key must be text", ""),
    ("fields:\n  persons:\n    a: X\n    a: Y", "fields.persons.a", 4, "twice; the first is in line 3", "keep one"),
    ("leads:\nleads:\n", "leads", 2, "twice; the first is in line 1", ""),
    ("fields:\n  persons:\n    <<: 3", "fields.persons", 3, "<< takes in", ""),
    # no YAML, or none of ours
    ("- a\n- b", "", 1, "must hold sections", "config.example.yaml"),
    ("just text", "", 1, "must hold sections", ""),
    ("leads:\n  title: [", "", 2, "is no YAML", ""),
    ("leads:\n  label_ids: [a,\n    b\n", "", 4, "begins in line 2", "brackets"),
    ("leads:\n\ttitle: x", "", 2, "is no YAML", "spaces"),
    ("leads: {title: ${X}}", "", 1, "is no YAML", "quotes"),
    ("a: *b", "", 1, "is no YAML", ""),
    ("a: 1\n---\nb: 2", "", 2, "is no YAML", ""),
    ("a: 1\nb: \x00", "", 2, "character that YAML does not allow", ""),
    ('a: "\\UFFFFFFFF"', "", None, "is no YAML", ""),
    ("a: &a [*a]", "", None, "more than 20,000", "aliases"),
    ("[" * 5_000, "", None, "nested too deeply", ""),
]


@pytest.mark.parametrize(("text", "path", "line", "message", "hint"), ROWS, ids=range(len(ROWS)))
def test_one_mistake_is_one_problem(text: str, path: str, line: int | None, message: str, hint: str) -> None:
    """Each row's mistake is told once, with its path, its line, what is wrong and where it helps what to do."""
    problems = problems_of(text)
    assert len(problems) == 1, problems
    assert (problems[0].path, problems[0].line) == (path, line)
    assert message in problems[0].message
    assert hint in (problems[0].hint or "")


def test_five_mistakes_are_five_problems(tmp_path: Path) -> None:
    """All mistakes come at once, in the order of the file, whatever their kind."""
    file = tmp_path / "config.yaml"
    file.write_text(
        "pipedrive:\n  plan: gold\n  company_domian: acme\n"
        "fields:\n  persons:\n    role: Role\n    rank..x: Role\n    yes: Agreed\n"
        "delivery:\n  timeout: never\n"
    )
    with pytest.raises(ConfigProblems) as refusal:
        load(file, {})
    assert [(problem.line, problem.path) for problem in refusal.value.problems] == [
        (2, "pipedrive.plan"),
        (3, "pipedrive.company_domian"),
        (7, "fields.persons.rank..x"),
        (8, "fields.persons"),
        (10, "delivery.timeout"),
    ]
    assert refusal.value.exit_code == 2
    assert str(file) in str(refusal.value)


def test_a_bad_row_hides_no_other_of_its_mapping() -> None:
    """A row that is no text does not keep the rules from being told about the rows beside it."""
    found = problems_of("fields:\n  persons:\n    a: 1\n    email: Mail\n    b: X\n    c..d: X\n")
    assert [problem.line for problem in found] == [3, 4, 6]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda file: None, "no such file"),
        (lambda file: file.mkdir(), "is a folder"),
        (lambda file: file.write_bytes(b"a: \xff"), "not UTF-8"),
        (lambda file: file.write_bytes(b"#" * (1 << 20) + b"#"), "larger than 1 MiB"),
    ],
)
def test_a_file_that_cannot_be_read_is_a_problem(tmp_path: Path, make: object, message: str) -> None:
    """No file, a folder, bytes that are no text: told like any other mistake."""
    file = tmp_path / "config.yaml"
    assert callable(make)
    make(file)
    with pytest.raises(ConfigProblems) as refusal:
        load(file, {})
    assert message in refusal.value.problems[0].message


def test_a_file_name_that_cannot_be_one_is_a_problem() -> None:
    """A NUL in the name is refused as the mistake it is."""
    with pytest.raises(ConfigProblems):
        load(Path("a\0b"), {})


def test_a_few_lines_that_stand_for_millions_are_refused() -> None:
    """Nested aliases are counted as what they stand for."""
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]
    (problem,) = problems_of("\n".join(lines))
    assert "more than 20,000 values" in problem.message


LEAKS = [
    "pipedrive: {api_token: '%s x'}",
    "pipedrive: {api_token:%s}",
    "pipedrive:\n  api_token: ${%s}",
    "pipedrive:\n  api_token: [%s]",
    "pipedrive:\n  api_token: *%s",
    "pipedrive:\n  api_token: &%s\n *b",
    "pipedrive:\n  api_token: '%s",
    "pipedrive:\n  api_token: !%s x",
    "pipedrive:\n  api_token: %%%s",
    "pipedrive:\n  api_token: %s\n  oauth_token: %s",
    "pipedrive:\n  api_tokn: %s",
    "pipedrive:\n  plan: %s",
    "pipedrive:\n  seats: %s",
    "pipedrive:\n  base_url: https://x.io/?api_token=%s",
    "pipedrive:\n  base_url: https://%s@x.io",
    "pipedrive:\n  company_domain: acme %s",
    "pipedrive: %s",
    "%s",
    "api_token: %s",
    "delivery: {timeout: %s, concurrency: %s, leave_tokens: %s}",
    "delivery: {timeout: '${TOKEN}', alias: '${TOKEN}'}",
    "state: ~%s/x",
]


@pytest.mark.parametrize("text", LEAKS)
def test_no_problem_shows_a_token(text: str) -> None:
    """Wherever a token was pasted by mistake, what is told about it leaves it out."""
    found = problems_of(text.replace("%s", CANARY).replace("%%", "%"), {"TOKEN": CANARY})
    assert found
    assert "canary" not in repr(found)


def test_a_token_in_the_environment_that_is_none_is_told_without_it() -> None:
    """The variable is named, its text is not."""
    (problem,) = problems_of("", {"PIPEDRIVE_API_TOKEN": f"{CANARY}\nx"})
    assert "PIPEDRIVE_API_TOKEN" in problem.message
    assert "canary" not in repr(problem)


def test_keys_are_shown_harmlessly() -> None:
    """A key with an escape sequence in it reaches no message as such, and an endless one is cut."""
    found = problems_of('"\\e[31mred\\n": 1\n"' + "k" * 500 + '": 2\n')
    for problem in found:
        assert (problem.path + problem.message + (problem.hint or "")).isprintable()
        assert len(problem.path) < 100


SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.dates()
WORDS = (
    "pipedrive identity fields events leads products delivery state persons api_token base_url company_domain timeout "
    "leave_tokens include title plan seats concurrency <<"
)
KEYS = st.sampled_from(WORDS.split()) | st.text(max_size=8)
TREES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4), max_leaves=12
)


@settings(max_examples=examples(150))
@given(st.dictionaries(KEYS, TREES, max_size=5))
def test_any_mapping_is_read_or_refused_with_problems(tree: dict[str, object]) -> None:
    """Whatever a file holds, there is a Config or there are problems; nothing else is raised."""
    found: list[ConfigProblem] = []
    config = checked_config(yaml.safe_dump(tree, allow_unicode=True), {}, sandbox=False, problems=found)
    assert isinstance(config, Config)
    assert all(problem.message.isprintable() and problem.path.isprintable() for problem in found)


@settings(max_examples=examples(150))
@given(st.text(max_size=60))
def test_any_text_is_read_or_refused_with_problems(text: str) -> None:
    """The same for text that was never meant to be YAML."""
    found: list[ConfigProblem] = []
    assert isinstance(checked_config(text, {}, sandbox=True, problems=found), Config)
