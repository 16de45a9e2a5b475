"""Writes an hourly import down for cron, systemd, Kubernetes and GitHub. Pure text.

Paths are the user's and may hold anything that is no control character. Each form has its own way of quoting, and each
word of a command goes through it.
"""

from __future__ import annotations

import re
import shlex
from posixpath import dirname

from pipedrive_cli.errors import UserMistake
from pipedrive_cli.setup.schedule import HELD, MINUTE, REJECTED, STOPPED, ScheduledImport, Scheduler, WrittenFile

LONGEST_LINE = 998  # of a crontab: older crons cut what is longer
PLAIN = re.compile(r"[A-Za-z0-9@+:,./_-]+")


def written_schedule(scheduler: Scheduler, job: ScheduledImport, image: str) -> tuple[WrittenFile, ...]:
    """The files of a schedule. Raises UserMistake for what this scheduler cannot do."""
    match scheduler:
        case "cron":
            return (_crontab(job),)
        case "systemd":
            return _units(job)
        case "kubernetes":
            return (_manifest(job, image),)
        case "github":
            return (_workflow(job),)


# --- cron


def _crontab(job: ScheduledImport) -> WrittenFile:
    log = cron_word(job.file(".log"))
    settings = f"set -a && . {cron_word(job.settings)} && set +a && " if job.variables else ""
    words = " ".join(map(cron_word, job.words))
    line = f"{MINUTE} * * * * {settings}{words} >>{log} 2>&1 || [ $? -eq {HELD} ] || tail -n 50 {log}"
    if len(line.encode()) > LONGEST_LINE:
        raise UserMistake(
            f"the line would have {len(line):,} characters, and crontabs take {LONGEST_LINE}",
            code="usage",
            hint="name a folder in place of many files, or use `schedule systemd`",
        )
    comments = [
        "# Customer events into Pipedrive, every hour: add these lines with `crontab -e`.",
        "# All that a run has to say goes to the log. cron mails its end, save where all went well or another run is",
        f"# under way (exit code {HELD}).",
        *_settings_comment(job),
    ]
    return WrittenFile(f"{job.name}.crontab", "\n".join([*comments, line, ""]))


def cron_word(word: str) -> str:
    """A word of the shell as it stands in a crontab, where a percent sign would end the command.

    cron takes a backslash before `%` away, within quotes too. A backslash that is there already must not stand right
    before it, so the quotes are closed for it.
    """
    if PLAIN.fullmatch(word):
        return word
    closed = word.replace("'", "'\\''").replace("%", "'\\%'")
    return f"'{closed}'"


def _settings_comment(job: ScheduledImport) -> list[str]:
    if not job.variables:
        return []
    return [
        f"# {', '.join(job.variables)}: one line each, NAME='value', in a file that only you can read (chmod 600):",
        f"# {job.settings}",
    ]


# --- systemd


# systemd takes no program whose path has one of these; the shell does.
NO_PROGRAM = re.compile(r"""['"\\]""")
BY_SHELL = ("/bin/sh", "-c", 'exec "$0" "$@"')


def _units(job: ScheduledImport) -> tuple[WrittenFile, WrittenFile]:
    words = (*BY_SHELL, *job.words) if NO_PROGRAM.search(job.tool[0]) else job.words
    user = [] if job.user is None else [f"User={job.user}"]
    settings = [f"EnvironmentFile={_pattern(systemd_text(job.settings))}"] if job.variables else []
    service = [
        "# Customer events into Pipedrive. `systemctl enable --now "
        f"{job.name}.timer` starts it every hour; its log: journalctl -u {job.name}",
        *_settings_comment(job),
        "[Unit]",
        f"Description=Customer events into Pipedrive ({job.name})",
        "Wants=network-online.target",
        "After=network-online.target",
        "",
        "[Service]",
        "Type=oneshot",
        *user,
        *settings,
        # The colon: no word is searched for variables.
        f"ExecStart=:{' '.join(map(systemd_word, words))}",
        f"# {REJECTED}: some events were rejected, as the log says. {HELD}: another run is under way. "
        f"{STOPPED}: it was stopped, in order.",
        f"SuccessExitStatus={REJECTED} {HELD} {STOPPED}",
        "NoNewPrivileges=yes",
        "",
    ]
    timer = [
        "[Unit]",
        f"Description=Customer events into Pipedrive every hour ({job.name})",
        "",
        "[Timer]",
        f"OnCalendar=*-*-* *:{MINUTE}:00",
        "RandomizedDelaySec=5min",
        "Persistent=true",
        "",
        "[Install]",
        "WantedBy=timers.target",
        "",
    ]
    return WrittenFile(f"{job.name}.service", "\n".join(service)), WrittenFile(f"{job.name}.timer", "\n".join(timer))


def systemd_text(text: str) -> str:
    """A text in a unit: a percent sign begins a specifier."""
    return text.replace("%", "%%")


def systemd_word(word: str) -> str:
    """A word of ExecStart."""
    if PLAIN.fullmatch(word):
        return word
    escaped = systemd_text(word).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _pattern(path: str) -> str:
    """A path where systemd takes a pattern."""
    return re.sub(r"([\\*?\[])", r"\\\1", path)


# --- Kubernetes

OWN_FOLDERS = ("/", "/config", "/state", "/tmp")  # noqa: S108 - of the container alone
# The shell decides which exit codes fail the job, and hands SIGTERM on to the tool, which then ends in order. The words
# of the tool are its arguments, and need no quotes.
# A SIGTERM that comes before the shell knows the tool's number is handed on as soon as it does.
DECIDES = (
    'tool= stop=; trap "stop=1; [ -z \\"\\$tool\\" ] || kill -TERM \\$tool" TERM; '
    '"$@" & tool=$!; [ -z "$stop" ] || kill -TERM $tool; '
    "while wait $tool; code=$?; kill -0 $tool 2>/dev/null; do :; done; "
    f"case $code in {REJECTED}|{HELD}) exit 0;; *) exit $code;; esac"
)


def _manifest(job: ScheduledImport, image: str) -> WrittenFile:
    _refuse_for_cluster(job)
    # Each file of the config: the key that it has in the secret, and its path from the config's folder.
    files = {"config.yaml": "config.yaml"} | {f"file-{number}": file for number, file in enumerate(job.files, 1)}
    folders = dict.fromkeys(source.folder for source in job.sources if source.folder is not None)
    claims = {f"events-{number}": folder for number, folder in enumerate(folders, 1)}
    lines = [
        *_cluster_steps(job, image, files, claims),
        *_state_claim(job),
        "---",
        *_cron_job(job, image, files, claims),
    ]
    return WrittenFile(f"{job.name}.yaml", "\n".join([*lines, ""]))


def _refuse_for_cluster(job: ScheduledImport) -> None:
    """Raises UserMistake for what a cluster does not have."""
    if job.keyring:
        raise UserMistake(
            "pipedrive.keyring: a cluster has no keyring",
            code="usage",
            hint="use api_token_file or ${PIPEDRIVE_API_TOKEN}",
        )
    if outside := [file for file in job.files if file.startswith(("/", "../"))]:
        raise UserMistake(
            f"the config names a file outside of its folder, which a cluster does not have: {', '.join(outside)}",
            code="usage",
            hint="put it beside the config",
        )
    for source in job.sources:
        if source.folder is not None and (":" in source.folder or source.folder in OWN_FOLDERS):
            raise UserMistake(
                f"{source.folder}: no volume with events can be mounted there in a cluster",
                code="usage",
                hint="name events in another folder, whose path has no colon",
            )


def _cluster_steps(job: ScheduledImport, image: str, files: dict[str, str], claims: dict[str, str]) -> list[str]:
    """What must be there before the manifest is applied, as comments."""
    folder = dirname(job.config)
    lies_at = {key: job.config if key == "config.yaml" else f"{folder}/{file}" for key, file in files.items()}
    given = " ".join(shlex.quote(f"--from-file={key}={path}") for key, path in lies_at.items())
    steps = [
        "# Customer events into Pipedrive, every hour. Before `kubectl apply`:",
        f"#   kubectl create secret generic {job.name}-config {given}",
    ]
    if job.variables:
        steps += [
            f"#   kubectl create secret generic {job.name}-env --from-env-file={job.name}.env",
            f"#   with {', '.join(job.variables)} in that file: NAME=value, one a line, without quotes",
        ]
    return [
        *steps,
        *(f"#   the claim {job.name}-{claim}, a volume with the events of {path}" for claim, path in claims.items()),
        f"#   an image with pipedrive-cli in it: {image}",
        "# The log is the pod's; the figures and the rejected events lie beside the journal, in /state.",
    ]


def _state_claim(job: ScheduledImport) -> list[str]:
    """The volume on which the journal stays from run to run."""
    return [
        "apiVersion: v1",
        "kind: PersistentVolumeClaim",
        "metadata:",
        f"  name: {job.name}-state",
        "spec:",
        "  accessModes: [ReadWriteOnce]",
        "  resources: {requests: {storage: 1Gi}}",
    ]


def _cron_job(job: ScheduledImport, image: str, files: dict[str, str], claims: dict[str, str]) -> list[str]:
    words = ["pipedrive-cli", "replay", *job.arguments, "-c", "/config/config.yaml", "--state", "/state/journal.sqlite"]
    words += job.outputs("/state")
    return [
        "apiVersion: batch/v1",
        "kind: CronJob",
        "metadata:",
        f"  name: {job.name}",
        "spec:",
        f'  schedule: "{MINUTE} * * * *"',
        "  concurrencyPolicy: Forbid",
        "  startingDeadlineSeconds: 1800",
        "  jobTemplate:",
        "    spec:",
        "      backoffLimit: 0  # the next hour goes on from there",
        "      template:",
        "        spec:",
        "          restartPolicy: Never",
        "          automountServiceAccountToken: false",
        "          terminationGracePeriodSeconds: 90  # what is in flight is finished and recorded",
        "          securityContext:",
        "            {runAsNonRoot: true, runAsUser: 10001, runAsGroup: 10001, fsGroup: 10001,",
        "             seccompProfile: {type: RuntimeDefault}}",
        "          containers:",
        "            - name: import",
        f"              image: {yaml_text(image)}",
        f"              # {REJECTED}: some events were rejected, as the log says. {HELD}: another run is under way.",
        f"              command: [sh, -c, {yaml_text(DECIDES)}, import]",
        "              args:",
        *(f"                - {kubernetes_text(word)}" for word in words),
        "              env: [{name: TMPDIR, value: /tmp}]",
        *([f"              envFrom: [{{secretRef: {{name: {job.name}-env}}}}]"] if job.variables else []),
        "              securityContext:",
        "                {readOnlyRootFilesystem: true, allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}}",
        "              volumeMounts:",
        "                - {name: config, mountPath: /config, readOnly: true}",
        "                - {name: state, mountPath: /state}",
        "                - {name: tmp, mountPath: /tmp}",
        *(
            f"                - {{name: {claim}, mountPath: {yaml_text(path)}, readOnly: true}}"
            for claim, path in claims.items()
        ),
        "          volumes:",
        "            - name: config",
        "              secret:",
        f"                secretName: {job.name}-config",
        "                defaultMode: 0440",
        "                items:",
        *(f"                  - {{key: {key}, path: {yaml_text(file)}}}" for key, file in files.items()),
        f"            - {{name: state, persistentVolumeClaim: {{claimName: {job.name}-state}}}}",
        "            - {name: tmp, emptyDir: {}}",
        *(
            f"            - {{name: {claim}, persistentVolumeClaim: {{claimName: {job.name}-{claim}, readOnly: true}}}}"
            for claim in claims
        ),
    ]


def kubernetes_text(word: str) -> str:
    """A word of a container's command, where `$(NAME)` stands for a variable and `$$` for a dollar sign."""
    return yaml_text(word.replace("$", "$$"))


def yaml_text(text: str) -> str:
    """A text for YAML, in double quotes."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


# --- GitHub


def _workflow(job: ScheduledImport) -> WrittenFile:
    if job.keyring:
        raise UserMistake(
            "pipedrive.keyring: a runner has no keyring",
            code="usage",
            hint="use api_token_file or ${PIPEDRIVE_API_TOKEN}",
        )
    lines = [
        "# Customer events into Pipedrive, every hour: .github/workflows/" + f"{job.name}.yml of a repository.",
        "# It runs on a runner of your own, on this machine: the journal must stay from run to run, and GitHub's",
        "# machines keep nothing. The log is that of the workflow.",
    ]
    if job.variables:
        lines += [f"# {', '.join(job.variables)}: secrets of the repository."]
    lines += [
        f"name: {job.name}",
        "on:",
        "  schedule:",
        f'    - cron: "{MINUTE} * * * *"',
        "  workflow_dispatch: {}",
        "permissions: {}",
        "concurrency:",
        f"  group: {job.name}",
        "  cancel-in-progress: false",
        "jobs:",
        "  import:",
        "    runs-on: [self-hosted]",
        "    steps:",
        "      - name: replay",
        "        shell: bash",
    ]
    if job.variables:
        lines += ["        env:", *(f"          {name}: ${{{{ secrets.{name} }}}}" for name in job.variables)]
    lines += [
        "        run: |",
        "          code=0",
        "          # What the log shows of events is no command of the workflow.",
        "          mute=$(od -An -N16 -tx1 /dev/urandom | tr -d ' ')",
        '          echo "::stop-commands::$mute"',
        f"          {github_text(shlex.join(job.words))} || code=$?",
        '          echo "::$mute::"',
        "          case $code in",
        f"            {HELD}) echo '::notice::another run is under way' ;;",
        f"            {REJECTED}) echo '::warning::some events were rejected or failed: the log says which' ;;",
        "            *) exit $code ;;",
        "          esac",
        "",
    ]
    return WrittenFile(f"{job.name}.yml", "\n".join(lines))


def github_text(text: str) -> str:
    """A text in a workflow: GitHub puts values in place of what stands in double braces after a dollar sign."""
    return text.replace("${{", "${{ '${{' }}")
