"""What the benchmarks measure with: runs in virtual time, runs as processes of their own, and a served sandbox."""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipedrive_cli import virtual_time
from pipedrive_cli.config import Config
from pipedrive_cli.config.model import Delivery, Fields, Identity
from pipedrive_cli.pipedrive.catalog import PRICE_PLANS
from pipedrive_cli.pipedrive.client import Client
from pipedrive_cli.report.summary import Summary
from pipedrive_cli.run.options import RunOptions
from pipedrive_cli.run.replay import Replay
from pipedrive_cli.sandbox import Sandbox, SandboxOptions, SandboxTransport
from pipedrive_cli.secret import Secret

_NOT_DONE = (2, 70)  # exit codes of a command that was given wrongly, or has a fault: its time says nothing
COMMAND = (sys.executable, "-m", "pipedrive_cli")
YAML = """\
pipedrive: {{base_url: "{url}", api_token: sandbox, plan: {plan}}}
identity: {{user_id_field: User id, group_id_field: Group id}}
fields:
  persons: {{role: Role, plan: Plan}}
  organizations: {{industry: Branch, employees: Size}}
  leads: {{source: Source}}
delivery: {{lookahead: {lookahead}}}
"""


def config(**delivery: Any) -> Config:
    """The mapping of `YAML`, as a value."""
    return Config(
        identity=Identity(user_id_field="User id", group_id_field="Group id"),
        fields=Fields(
            persons={"role": "Role", "plan": "Plan"},
            organizations={"industry": "Branch", "employees": "Size"},
            leads={"source": "Source"},
        ),
        delivery=Delivery(**delivery),
    )


class Account:
    """A sandbox in this process, over several runs."""

    def __init__(self, **options: Any) -> None:
        chosen: dict[str, Any] = {"plan": "unlimited", "search_lag": 0.0, **options}
        self.sandbox = Sandbox(SandboxOptions(**chosen))
        self.keys: dict[str, str] = {}
        for kind, name in (
            ("persons", "User id"),
            ("persons", "Role"),
            ("persons", "Plan"),
            ("organizations", "Group id"),
            ("organizations", "Branch"),
            ("organizations", "Size"),
            ("deals", "Source"),
        ):
            self.keys[name] = self.sandbox.add_field(kind, name=name)

    def replay(self, source: Path, given: Config, state: Path | None = None, **asked: Any) -> Summary:
        """One run in virtual time, with an empty journal in memory unless `state` is given."""
        options = RunOptions((str(source),), sandbox=state is None, state=state, **asked)
        job = Replay(given, "config.yaml", options, connect=lambda: self._connect(given))
        return virtual_time.run(job.run()).summary

    def _connect(self, given: Config) -> tuple[Client, int]:
        options = self.sandbox.options
        key = ("x-api-token", Secret(options.api_token))
        transport = SandboxTransport(self.sandbox)
        client = Client("http://127.0.0.1", key, timeout=given.delivery.timeout, transport=transport)
        return client, PRICE_PLANS[options.plan].requests


@dataclass(frozen=True)
class Ran:
    """A process that has ended: real and CPU seconds, peak memory in MB, and what it wrote to stdout."""

    seconds: float
    cpu: float
    peak_mb: float
    out: str
    code: int

    @property
    def json(self) -> Any:
        return json.loads(self.out)


def ran(*command: str | Path) -> Ran:
    """Runs a command in a process of its own; its stderr goes nowhere. A wrong call ends the benchmark."""
    with tempfile.TemporaryFile() as out:
        began = time.monotonic()
        process = subprocess.Popen([str(word) for word in command], stdout=out, stderr=subprocess.DEVNULL)
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.monotonic() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        text = out.read().decode()
    if process.returncode in _NOT_DONE:
        raise SystemExit(f"ended with {process.returncode}: {shlex.join(map(str, command))}")
    cpu = usage.ru_utime + usage.ru_stime
    # Linux counts kilobytes, macOS bytes.
    peak = usage.ru_maxrss / (1e6 if sys.platform == "darwin" else 1e3)
    return Ran(seconds, cpu, peak, text, process.returncode)


@contextlib.contextmanager
def served(folder: Path, *options: str) -> Iterator[str]:
    """A sandbox in a process of its own that has the fields of `YAML`; its address."""
    fields = written(folder / "fields.yaml", "http://127.0.0.1")
    command = [*COMMAND, "sandbox", "-c", str(fields), "--port", "0", *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().split()[0]
        finally:
            process.terminate()


def written(path: Path, url: str, *, plan: str = "lite", lookahead: int = 100_000) -> Path:
    """A config file for this address."""
    path.write_text(YAML.format(url=url, plan=plan, lookahead=lookahead), encoding="utf-8")
    return path


def event_file(path: Path, events: Iterable[dict[str, Any]], *, added: bool = False) -> Path:
    """A file of events; `added`: behind those that are there."""
    with path.open("a" if added else "w", encoding="utf-8") as file:
        for event in events:
            file.write(json.dumps(event, ensure_ascii=False) + "\n")
    return path


def told(what: str, figure: str, target: str, kept: bool) -> None:
    """One line of the result."""
    sys.stdout.write(f"{'ok ' if kept else 'NOT'}  {what}: {figure}  (target: {target})\n")
    sys.stdout.flush()
