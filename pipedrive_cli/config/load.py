"""Loads the config file and the environment into a `Config`, or reports every mistake at once. No network."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec
from msgspec import inspect

from pipedrive_cli.config.model import Config
from pipedrive_cli.config.plain_file import read_small
from pipedrive_cli.config.values import BadValue, secret
from pipedrive_cli.config.variables import TOKEN_VARIABLE
from pipedrive_cli.errors import ConfigProblem, ConfigProblems
from pipedrive_cli.secret import Secret

if TYPE_CHECKING:
    from pipedrive_cli.config.document import Node

CREDENTIALS: Final = ("api_token", "api_token_file", "oauth_token", "keyring")
BYTES_AT_MOST: Final = 1 << 20
NOT_TAKEN: Final = Secret("not taken")  # replaces an oauth_token that the sandbox does not need


def load(path: Path, environ: Mapping[str, str], *, sandbox: bool = False) -> Config:
    """The checked config in the file `path`. Raises only ConfigProblems, with every mistake.

    Paths in the config become absolute, from its folder. If the config names no credential, the API token comes from
    PIPEDRIVE_API_TOKEN. A missing token is no mistake here, because previews and the sandbox need none. With `sandbox`
    no credential is read (an `oauth_token` in the file becomes `NOT_TAKEN`), and variables that only an account needs
    may be missing.
    """
    problems: list[ConfigProblem] = []
    config = Config()
    Secret(environ.get(TOKEN_VARIABLE, ""))  # hidden wherever it got to, whichever credential the config names
    text = read_text(path, problems)
    if text is not None:
        config = checked_config(text, environ, sandbox=sandbox, problems=problems)
    if problems:
        raise ConfigProblems(str(path), sorted(problems, key=lambda problem: (problem.line or 0, problem.path)))
    return with_absolute_paths(config, path)


def read_text(path: Path, problems: list[ConfigProblem]) -> str | None:
    """The file's text; None if it cannot be read and `problems` now has the reason."""
    try:
        raw = read_small(path, BYTES_AT_MOST)
    except FileNotFoundError:
        hint = "`pipedrive-cli init` writes one, and asks for what it needs; -c names another"
        problems.append(ConfigProblem("", "there is no such file", hint=hint))
        return None
    except IsADirectoryError:
        problems.append(ConfigProblem("", "is a folder", hint="name the file in it"))
        return None
    except OSError as error:
        problems.append(ConfigProblem("", f"cannot be read: {error.strerror or 'the system refuses'}"))
        return None
    except ValueError:
        problems.append(ConfigProblem("", "is no file name"))
        return None
    if len(raw) > BYTES_AT_MOST:
        problems.append(ConfigProblem("", "is larger than 1 MiB: that is no config file"))
        return None
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        problems.append(ConfigProblem("", "is not UTF-8", line, "save it as UTF-8 in your editor"))
        return None


def checked_config(text: str, environ: Mapping[str, str], *, sandbox: bool, problems: list[ConfigProblem]) -> Config:
    """The Config of a text; mistakes are added to `problems`."""
    # Every command imports this module, but only those with a config file should load YAML.
    from pipedrive_cli.config.check import ValueCheck  # noqa: PLC0415 - see above
    from pipedrive_cli.config.document import Node, parse  # noqa: PLC0415 - as above
    from pipedrive_cli.config.rules import broken_rules  # noqa: PLC0415 - as above

    root = parse(text, problems)
    if root is None or root.data is None:  # empty or unreadable: check the defaults
        root = Node({}, 1, 1)
    if not isinstance(root.data, dict):
        message = "must hold sections such as pipedrive: and fields:"
        problems.append(ConfigProblem("", message, root.line, "config.example.yaml shows them"))
        return Config()
    info = inspect.type_info(Config)
    assert isinstance(info, inspect.StructType)  # noqa: S101 - tells the type checker what Config is
    config: Config = ValueCheck(environ, sandbox=sandbox, problems=problems).section(info, root, "")
    given = [name for name in CREDENTIALS if getattr(config.pipedrive, name) is not None]
    if len(given) > 1 and "api_token" in given and repeats_default(root):
        given.remove("api_token")
        config = with_pipedrive(config, api_token=None)
    problems.extend(broken_rules(config, root, given))
    if sandbox:
        config = with_pipedrive(config, **dict.fromkeys(CREDENTIALS))
        # With OAuth the requests look different and the limits are others, also in the sandbox.
        return with_pipedrive(config, oauth_token=NOT_TAKEN) if given_line(root, "oauth_token") is not None else config
    if not given:
        return with_pipedrive(config, api_token=environment_token(environ, problems))
    return config


def repeats_default(root: Node) -> bool:
    """Whether the api_token line only repeats the default. Then another credential takes precedence."""
    line = given_line(root, "api_token")
    return line is not None and isinstance(line.data, str) and line.data.strip() == f"${{{TOKEN_VARIABLE}}}"


def given_line(root: Node, name: str) -> Node | None:
    """The line with that key in the section `pipedrive`; None where there is none or it has no value."""
    section = root.data.get("pipedrive") if isinstance(root.data, dict) else None
    line: Node | None = section.data.get(name) if section is not None and isinstance(section.data, dict) else None
    return None if line is None or line.data is None else line


def environment_token(environ: Mapping[str, str], problems: list[ConfigProblem]) -> Secret | None:
    """The API token of the environment, for a config that names no credential."""
    found = environ.get(TOKEN_VARIABLE, "")
    if not found.strip():
        return None
    try:
        return secret(found)
    except BadValue as refusal:
        message = f"the environment variable {TOKEN_VARIABLE} {refusal.message}"
        problems.append(ConfigProblem("pipedrive.api_token", message, hint=refusal.hint))
        return None


def with_pipedrive(config: Config, **changes: Any) -> Config:
    return msgspec.structs.replace(config, pipedrive=msgspec.structs.replace(config.pipedrive, **changes))


def with_absolute_paths(config: Config, path: Path) -> Config:
    """The config with its paths made absolute, from the config file's folder."""
    folder = path.absolute().parent
    token_file = config.pipedrive.api_token_file
    if token_file is not None:
        config = with_pipedrive(config, api_token_file=folder / token_file)
    suppress = config.privacy.suppress
    if suppress is not None:
        privacy = msgspec.structs.replace(config.privacy, suppress=folder / suppress)
        config = msgspec.structs.replace(config, privacy=privacy)
    return config if config.state is None else msgspec.structs.replace(config, state=folder / config.state)
