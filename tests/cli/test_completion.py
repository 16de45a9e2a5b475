"""What the shell is given when somebody presses Tab."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest

from tests.harness import identify

from .desk_for_commands import event_file, pipedrive_cli, written_config

FIELDS = "identity: {user_id_field: User id}\n"


def offered(line: str, folder: Path) -> list[str]:
    """What bash would show for the last word of a line."""
    words = line.split(" ")
    asked = {
        "_PIPEDRIVE_CLI_COMPLETE": "complete_bash",
        "COMP_WORDS": line,
        "COMP_CWORD": str(len(words) - 1),
        "XDG_STATE_HOME": str(folder),
    }
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for name, value in asked.items():
            patch.setenv(name, value)
        ended = pipedrive_cli()
    assert ended.err == ""
    return ended.out.split()


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("pipedrive-cli re", ["rehearse", "replay", "retry"]),
        ("pipedrive-cli preview --format n", ["ndjson"]),
        ("pipedrive-cli replay --type t", ["track"]),
        ("pipedrive-cli replay --log-format ", ["text", "json"]),
        ("pipedrive-cli rehearse --plan g", ["growth"]),
        ("pipedrive-cli sandbox --plan u", ["ultimate", "unlimited"]),
        ("pipedrive-cli fields list o", ["organizations"]),
        ("pipedrive-cli fields p", ["persons", "products"]),
        ("pipedrive-cli fields c", ["create"]),
        ("pipedrive-cli fields --j", ["--json"]),
        ("pipedrive-cli fields --json o", ["organizations"]),
        ("pipedrive-cli fields persons --c", ["--config"]),
        ("pipedrive-cli runs ", ["list", "show", "events", "undo", "prune"]),  # `list` may be left unsaid
        ("pipedrive-cli runs s", ["show"]),
        ("pipedrive-cli runs show ", []),
    ],
)
def test_words_that_are_known_are_offered(tmp_path: Path, line: str, words: list[str]) -> None:
    """Commands, formats, types, plans, kinds; nothing, and no error, where there are no runs yet."""
    assert offered(line, tmp_path) == words


@pytest.mark.slow
def test_names_of_runs_are_offered(tmp_path: Path) -> None:
    """Those of the journal that the line, the config in the folder, or the state folder has; the newest first."""
    config, events = written_config(tmp_path, FIELDS + "state: there.sqlite\n"), event_file(tmp_path, identify("u1"))
    state = tmp_path / "here.sqlite"
    names = [
        pipedrive_cli("replay", events, "-c", config, "--sandbox", "--state", state, "--json").json["run"]
        for _ in range(2)
    ]
    newest_first = sorted(names, reverse=True)
    assert offered(f"pipedrive-cli runs show --state {state} ", tmp_path) == newest_first
    assert offered(f"pipedrive-cli retry --state {state} {names[0]}", tmp_path) == [names[0]]
    assert offered("pipedrive-cli runs show ", tmp_path) == []
    shutil.copy(state, tmp_path / "there.sqlite")
    assert offered("pipedrive-cli runs show ", tmp_path) == newest_first
    config.write_text("nonsense: 1\n")
    assert offered("pipedrive-cli runs show ", tmp_path) == []
    config.unlink()
    (tmp_path / "pipedrive-cli").mkdir()
    shutil.copy(state, tmp_path / "pipedrive-cli" / "7.sqlite")
    assert sys.platform != "linux" or offered("pipedrive-cli runs show 2", tmp_path) == newest_first


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_shell_has_its_script(shell: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """`--show-completion` prints it, for whoever installs by hand."""
    monkeypatch.setattr("shellingham.detect_shell", lambda: (shell, f"/bin/{shell}"))
    shown = pipedrive_cli("--show-completion")
    assert shown.code == 0
    assert "_PIPEDRIVE_CLI_COMPLETE" in shown.out
