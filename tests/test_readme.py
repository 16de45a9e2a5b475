"""The README and the pages of `pipedrive_cli/docs` held against the code: commands, tables and recorded sessions cannot
drift apart from what they tell.

`python tests/test_readme.py` writes the tables of commands and of config keys and the sessions anew.
"""

from __future__ import annotations

import re
import shlex
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
import typer.main
import yaml

from pipedrive_cli import __version__, errors
from pipedrive_cli.cli.app import app
from pipedrive_cli.config import KeyRow, reference
from pipedrive_cli.model import Outcome
from pipedrive_cli.pipedrive.catalog import ARCHIVED_LEADS, CURRENCIES, FACTS, LEAD_LABELS, ME, MERGE, USERS
from pipedrive_cli.pipedrive.fields import TYPES
from pipedrive_cli.report.metrics import RUN, Ended, exposition
from pipedrive_cli.report.problems import PROBLEMS
from pipedrive_cli.report.summary import Summary
from tests.cli.desk_for_commands import pipedrive_cli
from tests.report.report_scenes import eventful

ROOT = Path(__file__).parent.parent
README = ROOT / "README.md"
DOCS = ROOT / "pipedrive_cli" / "docs"
CHANGELOG = DOCS / "changelog.md"
PAGES = [README, *sorted(DOCS.glob("*.md"))]
COMMANDS: Any = typer.main.get_command(app)
SIGNALS = {130, 143}  # 128 and the signal's number, as shells have it


def pages() -> str:
    """What the pages say of the tool as it is today, one after the other: of the changelog what is not released yet."""
    texts = [page.read_text(encoding="utf-8") for page in PAGES if page != CHANGELOG]
    return "\n".join([*texts, CHANGELOG.read_text(encoding="utf-8").split(f"\n## {__version__}\n")[0]])


def between(start: str, end: str) -> str:
    """What stands between two markers, each of which is there exactly once, on whichever page."""
    text = pages()
    assert text.count(start) == text.count(end) == 1, (start, end)
    return text.split(start)[1].split(end)[0]


def marked(name: str) -> str:
    return between(f"<!-- {name} -->\n", f"<!-- /{name} -->\n")


def section(title: str) -> str:
    (_, found) = pages().split(f"\n## {title}\n")
    return re.split(r"^##? ", found, flags=re.MULTILINE)[0]


def first_cells(table: str) -> list[str]:
    """The first cell of every row, without the heading and the line below it."""
    return [row.split(" | ")[0].removeprefix("| ") for row in table.splitlines() if row.startswith("| ")][1:]


def code_words(cells: list[str]) -> list[str]:
    return [word for cell in cells for word in re.findall(r"`([^`]+)`", cell)]


def blocks(marker: str) -> list[str]:
    """The code blocks that stand right below a marker, of all pages."""
    return re.findall(rf"<!-- {re.escape(marker)} -->\n```\w+\n(.*?)```\n", pages(), re.DOTALL)


def invocations() -> list[str]:
    """The arguments of every `pipedrive-cli` in the pages that is given a command, and of `runs show` and its like."""
    found = re.findall(r"(?<!keyring set )pipedrive-cli\"? +([a-z-][^`\n]*)", "\n".join(code_texts()))
    commands = COMMANDS.commands
    found += [text for text in code_texts() if "\n" not in text and text.split()[0] in commands]
    assert len(found) > 10
    return [re.split(r" (?:\|\||&&|[|;>&]) ?|; ", line)[0] for line in found]


def code_texts() -> list[str]:
    text = pages()
    fenced = re.findall(r"^ *```\w+\n(.*?)^ *```$", text, re.DOTALL | re.MULTILINE)
    return [*fenced, *re.findall(r"`([^`\n]+)`", without_blocks(text))]


def without_blocks(text: str) -> str:
    return re.sub(r"^ *```\w+\n.*?^ *```$", "", text, flags=re.DOTALL | re.MULTILINE)


def command_named(words: list[str]) -> tuple[Any, list[str]]:
    """The click command that the words lead to, and the words that are left for it."""
    command: Any = COMMANDS
    while words and hasattr(command, "commands") and not words[0].startswith(("-", "[")):
        assert words[0] in command.commands, f"there is no command {words[0]}"
        command, words = command.commands[words[0]], words[1:]
    return command, words


def options_of(command: Any) -> set[str]:
    known = {name for parameter in command.params for name in parameter.opts if name.startswith("-")} | {"--help", "-h"}
    for below in getattr(command, "commands", {}).values():  # `runs --json` is `runs list --json`
        known |= options_of(below)
    return known


def test_every_command_line_of_the_pages_exists_with_its_options() -> None:
    """What is pasted from a page is understood by the command line as it is."""
    for line in sorted(set(invocations())):
        command, words = command_named(shlex.split(line))
        options = {word.partition("=")[0] for word in words if re.match(r"--?[a-z]", word)}
        assert options <= options_of(command), line


def test_every_option_that_the_prose_names_exists() -> None:
    """An option that was renamed is renamed in the pages too."""
    known = options_of(COMMANDS)
    named = {found for text in code_texts() for found in re.findall(r"^(--[a-z-]+)", text)}
    assert named
    assert named <= known


def test_the_reference_is_the_one_in_the_code() -> None:
    """The table of config keys has every key with its type, default and words; this module writes it anew."""
    assert marked("reference") == reference_table(reference())


def test_the_commands_are_those_in_the_code() -> None:
    """Whoever looks for a command or an option finds every one there is, with the words of its help."""
    assert marked("commands") == commands_table()


def test_the_exit_codes_are_those_in_the_code() -> None:
    """Every exit code is in the table and the table has no other."""
    in_code = {value for name, value in vars(errors).items() if name.startswith("EXIT_")}
    in_page = {int(code) for cell in first_cells(marked("exit codes")) for code in cell.split(", ")}
    assert in_page == in_code | SIGNALS


def test_every_problem_code_in_the_table_exists() -> None:
    """Scripts match on codes: those that the page names are real."""
    codes = code_words(first_cells(marked("codes")))
    assert codes
    assert set(codes) <= set(PROBLEMS)


def test_every_field_type_is_explained() -> None:
    """The table of conversions has every type that has a converter, each once."""
    assert sorted(code_words(first_cells(marked("field types")))) == sorted(TYPES)


def test_every_outcome_is_explained() -> None:
    """The seven outcomes stand in the table, in their order."""
    cells = first_cells(section("How events become records"))
    assert cells[-len(Outcome) - 1 :] == ["outcome", *(outcome.value for outcome in Outcome)]


def test_every_key_of_the_summary_is_explained() -> None:
    """The JSON object that scripts read has the keys that the page lists, in that order."""
    keys = first_cells(section("For scripts: the summary"))
    assert code_words(keys) == [field.encode_name for field in msgspec.structs.fields(Summary)]


def test_the_token_costs_are_those_in_the_code() -> None:
    """What requests cost is what the budget reckons with."""
    rows = re.findall(r"^\| ([^|]+) \| (\d+) \|$", section("Limits and cost"), re.MULTILINE)
    persons, leads = FACTS["persons"], FACTS["leads"]
    costs = {
        (kind.create.tokens, kind.update.tokens, kind.list.tokens, kind.get.tokens)
        for name, kind in FACTS.items()
        if name != "leads"
    }
    assert costs == {(persons.create.tokens, persons.update.tokens, persons.list.tokens, persons.get.tokens)}
    assert len({(kind.search.tokens, kind.list_fields.tokens) for kind in FACTS.values()}) == 1
    assert persons.create.tokens == persons.update.tokens
    assert leads.create.tokens == leads.update.tokens
    assert {what: int(tokens) for what, tokens in rows} == {
        "create or update a person, organization or product": persons.create.tokens,
        "create or update a lead": leads.create.tokens,
        "list 500 persons, organizations or products": persons.list.tokens,
        "list 500 leads": leads.list.tokens,
        "list 500 archived leads": ARCHIVED_LEADS.tokens,
        "look up one record by its key": persons.search.tokens,
        "read one person, organization or product by Pipedrive's id": persons.get.tokens,
        "read one lead by Pipedrive's id": leads.get.tokens,
        "merge two persons": MERGE.tokens,
        "delete a person": persons.delete.tokens,
        "delete a lead": leads.delete.tokens,
        "list the custom fields of one kind": persons.list_fields.tokens,
        "list the lead labels": LEAD_LABELS.tokens,
        "list the currencies": CURRENCIES.tokens,
        "list the users, where a field or a constant names one": USERS.tokens,
        "ask whose key it is": ME.tokens,
    }


def test_ci_runs_the_readmes_commands() -> None:
    """The two commands are tried word for word: CI takes them from the README by their markers and has no copy."""
    used = re.findall(r"^run_readme_command (\w+)", (ROOT / ".ci" / "run").read_text(encoding="utf-8"), re.MULTILINE)
    assert used == ["first", "tests"]
    for name in used:
        (command,) = blocks(f"command: {name}")
        assert command in README.read_text(encoding="utf-8"), "the page that CI looks at"
        assert command.count("\n") == 1, "one line, so that it can be pasted"


@pytest.mark.parametrize("session", blocks("session"), ids=lambda text: " ".join(commands_of(str(text))))
def test_the_recorded_session_still_happens(session: str) -> None:
    """Each command of a session ends well and says what it said: the lines at the margin, whatever their numbers."""
    for command in commands_of(session):
        recorded = session.partition(f"$ {command}\n")[2].partition("\n$ ")[0]
        assert shape(said(command)) == shape(recorded)


def commands_of(session: str) -> list[str]:
    return re.findall(r"^\$ (.+)$", session, re.MULTILINE)


def said(command: str) -> str:
    """What a command line prints that ends well, or with rejected events, and complains of nothing."""
    words = shlex.split(command)
    assert words.pop(0) == "pipedrive-cli"
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT)
        for name, value in {"COLUMNS": "96", "NO_COLOR": "1"}.items():
            patch.setenv(name, value)
        ran = pipedrive_cli(*words)
    assert ran.code in {errors.EXIT_OK, errors.EXIT_PARTIAL}
    assert ran.err == ""
    return ran.out.rstrip("\n") + "\n"


def shape(output: str) -> list[str]:
    """The lines that begin at the margin, with # for numbers."""
    return [re.sub(r"[\d.,]*\d", "#", line.rstrip()) for line in output.splitlines() if line[:1].strip()]


def reference_table(rows: list[KeyRow]) -> str:
    lines = ["| key | takes | default | what it is for |", "|---|---|---|---|"]
    for row in rows:
        default = f"`{row.default}`" if row.default else ""
        cells = (f"`{row.path}`", row.type, default, row.description)
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(lines) + "\n"


def commands_table() -> str:
    """Every command with the first sentence of its help, and its options."""
    lines = ["| command | does | options |", "|---|---|---|"]
    for name, command in leaves(COMMANDS):
        arguments = [parameter.metavar for parameter in command.params if parameter.param_type_name == "argument"]
        options = [parameter.opts[0] for parameter in command.params if parameter.param_type_name == "option"]
        cells = (
            f"`{' '.join([name, *arguments])}`",
            re.split(r"(?<=\.) ", " ".join(command.help.split()))[0],
            " ".join(f"`{option}`" for option in options),
        )
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def leaves(group: Any) -> Iterator[tuple[str, Any]]:
    """The commands that do something, each by the words one types: `runs` for `runs list`."""
    for name in group.list_commands(None):
        command = group.commands[name]
        if hasattr(command, "commands"):
            yield from ((name if below == "list" else f"{name} {below}", leaf) for below, leaf in leaves(command))
        else:
            yield name, command


def write_anew() -> None:
    made = {f"<!-- {name} -->\n{marked(name)}": f"<!-- {name} -->\n{table}" for name, table in made_tables().items()}
    for session in blocks("session"):
        made[session] = "".join(f"$ {command}\n{said(command)}" for command in commands_of(session))
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        for old, new in made.items():
            text = text.replace(old, new)
        page.write_text(text, encoding="utf-8")


def made_tables() -> dict[str, str]:
    return {"reference": reference_table(reference()), "commands": commands_table()}


@pytest.mark.parametrize(
    "page", [*PAGES, ROOT / "sample-events" / "README.md"], ids=lambda page: str(page.relative_to(ROOT))
)
def test_links_lead_somewhere(page: Path) -> None:
    """Each relative link meets a file of the project, and where it names a heading that page has it."""
    for link in links_of(page):
        path, _, heading = link.partition("#")
        target = page.parent / path if path else page
        assert target.exists(), link
        assert not heading or heading in anchors_of(target), link


def test_the_pages_that_are_shipped_need_no_others() -> None:
    """They lie side by side in the package, where there is no README and no sample."""
    assert [link for page in PAGES if page != README for link in links_of(page) if "/" in link] == []


def test_every_page_can_be_found_from_the_readme() -> None:
    """Whoever starts there misses none."""
    links = {(ROOT / link.partition("#")[0]).resolve() for link in links_of(README)}
    assert [page.name for page in PAGES if page != README and page.resolve() not in links] == []


def links_of(page: Path) -> list[str]:
    """All links but those to other sites."""
    prose = without_blocks(page.read_text(encoding="utf-8"))
    return [link for link in re.findall(r"\]\(([^)]+)\)", prose) if not link.startswith("https://")]


def anchors_of(page: Path) -> set[str]:
    return {anchor(heading) for heading in headings(page, "#+")}


def headings(page: Path, level: str) -> list[str]:
    return re.findall(rf"^{level} (.+)$", without_blocks(page.read_text(encoding="utf-8")), re.MULTILINE)


def anchor(heading: str) -> str:
    """As GitHub makes them: small letters, no punctuation, hyphens for spaces."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


@pytest.mark.parametrize("page", [page for page in PAGES if page != CHANGELOG], ids=lambda page: str(page.stem))
def test_every_section_is_in_the_table_of_contents(page: Path) -> None:
    """In the order in which they come."""
    contents = page.read_text(encoding="utf-8").split("\n## ")[0]
    assert re.findall(r"\]\(#([^)]+)\)", contents) == [anchor(title) for title in headings(page, "##")]


def test_the_readme_is_read_in_one_sitting() -> None:
    """It is the guide; what one looks up stands on the other pages."""
    assert len(README.read_text(encoding="utf-8").splitlines()) <= 350


def test_the_changelog_knows_the_version() -> None:
    """What is to come stands above the version that the tool names, and older ones below it."""
    unreleased, *versions = headings(CHANGELOG, "##")
    assert unreleased == "Unreleased"
    assert versions[0] == __version__
    assert versions == sorted(versions, key=lambda version: [int(part) for part in version.split(".")], reverse=True)


def test_every_benchmark_is_explained() -> None:
    """Whoever wants to measure something finds the script for it."""
    scripts = sorted(file.name for file in (ROOT / "tests" / "benchmarks").glob("bench_*.py"))
    assert sorted(code_words(first_cells(section("Benchmarks")))) == scripts


def test_extras_that_the_pages_name_can_be_installed() -> None:
    """`pip install '.[cloud]'` asks for an extra that there is."""
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    named = {extra for found in re.findall(r"\.\[([a-z,-]+)\]", pages()) for extra in found.split(",")}
    assert {"keyring", "cloud", "test"} <= named <= set(extras)


def test_keys_of_the_config_that_the_prose_names_exist() -> None:
    """`delivery.lookahead` in a sentence is a key, and what it is said to be set to is allowed."""
    keys = {row.path: row for row in reference()}
    sections = {path.rpartition(".")[0] for path in keys if "." in path}
    parts = {section.replace(".", r"\.") for section in sections}
    named = re.findall(rf"`((?:{'|'.join(sorted(parts))})\.[a-z_]+)(?:: ([a-z]+))?`", pages())
    assert len(set(named)) > len(keys)  # in the table, and besides
    assert {path for path, _ in named} <= set(keys) | sections
    choices = {(path, value) for path, value in named if value}
    assert choices
    assert [(path, value) for path, value in choices if value not in keys[path].type.replace(",", "").split()] == []


def test_the_example_config_has_every_key() -> None:
    """Each stands there, in use or as a comment, so that a config is made by crossing out."""
    text = (ROOT / "config.example.yaml").read_text(encoding="utf-8")
    assert [
        row.path for row in reference() if not re.search(rf"^[ #]*{row.path.rpartition('.')[2]}:", text, re.M)
    ] == []


def test_alerts_ask_for_figures_that_there_are() -> None:
    """The rules are YAML, and every name on the pages is one that `--metrics` writes."""
    (rules,) = blocks("alerts")
    expressions = [rule["expr"] for group in yaml.safe_load(rules)["groups"] for rule in group["rules"]]
    written = exposition("orders", Ended(eventful(), 1, 1.0)).decode()
    named = re.findall(r"pipedrive_cli_[a-z_]+", pages())
    named += [f"{RUN}{end}" for end in re.findall(r"`\.\.\.(_[a-z_]+)`", pages())]
    known = set(re.findall(r"^# TYPE (\S+)", written, re.MULTILINE))
    assert len(expressions) > 1
    assert {name for name in named if name.startswith(("pipedrive_cli_last", "pipedrive_cli_tokens"))} <= known
    assert known <= set(named)


if __name__ == "__main__":
    write_anew()
