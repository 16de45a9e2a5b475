"""The page of recipes: each one's config and case, as somebody would copy them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from tests.cli.desk_for_commands import pipedrive_cli
from tests.test_readme import DOCS

PAGE = (DOCS / "recipes.md").read_text(encoding="utf-8")
RECIPES = [part.split("\n", 1) for part in PAGE.split("\n## ")[1:]]
IDS = {"user_id_field": "RudderStack user id", "group_id_field": "RudderStack group id"}


def test_there_are_twelve() -> None:
    """As the page says, and all are in its list."""
    assert len(RECIPES) == 12
    assert all(f"[{title}](#" in PAGE for title, _ in RECIPES)


@pytest.mark.parametrize(("title", "text"), RECIPES, ids=[title for title, _ in RECIPES])
def test_a_recipe_does_what_it_says(title: str, text: str, tmp_path: Path) -> None:
    """Its case is as expected under its config; only the fields for the ids are added."""
    config, case = re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)
    sections = yaml.safe_load(config)
    sections["identity"] = {**IDS, **sections.get("identity", {})}
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(sections, sort_keys=False), encoding="utf-8")
    (tmp_path / "case.yaml").write_text(case, encoding="utf-8")
    ended = pipedrive_cli("test", tmp_path / "case.yaml", "-c", tmp_path / "config.yaml")
    assert (ended.code, ended.err) == (0, ""), f"{title}\n{ended.out}"
