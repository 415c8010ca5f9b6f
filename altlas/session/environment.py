"""Environment variables by which `pulumi` and `kubectl` find the pinned programs, the state and the cluster."""

import os
import secrets
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from urllib.parse import quote

from altlas.session.workspace import Workspace
from cluster import Target
from tools import Toolbox, link_plugins

_PASSPHRASE_BYTES = 32
_API_REQUESTS_PER_SECOND = 200
_API_REQUEST_BURST = 400
_PARALLEL_OPERATIONS = 32
_HEAP_GROWTH_PERCENT = 400
_WHY_NO_LOGS = """\
This file keeps Pulumi from logging every step of each command to a folder of this name, which took a third of the
time of a preview. `pulumi -v=9 --logtostderr` prints the same. To get the logs, replace this file by a folder.
"""


def environment(
    workspace: Workspace, toolbox: Toolbox, target: Target, kubeconfig: Path, outside: Mapping[str, str]
) -> dict[str, str]:
    """Variables to set in addition to `outside`; a backend, a passphrase or a Pulumi home of the user's own is kept."""
    local = "PULUMI_BACKEND_URL" not in outside
    variables = {
        "PATH": os.pathsep.join(
            [*map(str, toolbox.directories()), str(workspace.root / ".venv" / "bin"), outside.get("PATH", os.defpath)]
        ),
        "TARGET": target.name,
        "KUBECONFIG": str(kubeconfig),
        "PULUMI_SKIP_UPDATE_CHECK": "true",
        "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
        # The provider's default limits would slow down a whole stack.
        "PULUMI_K8S_CLIENT_QPS": outside.get("PULUMI_K8S_CLIENT_QPS", str(_API_REQUESTS_PER_SECOND)),
        "PULUMI_K8S_CLIENT_BURST": outside.get("PULUMI_K8S_CLIENT_BURST", str(_API_REQUEST_BURST)),
        # The CLI writes the whole state with every step; with Go's default a fifth of its time was garbage collection.
        "GOGC": outside.get("GOGC", str(_HEAP_GROWTH_PERCENT)),
        "PULUMI_PARALLEL": outside.get("PULUMI_PARALLEL", str(_PARALLEL_OPERATIONS)),
    }
    if local:
        workspace.create()
        variables["PULUMI_BACKEND_URL"] = f"file://{quote(str(workspace.state))}"
        variables["PULUMI_HOME"] = outside.get("PULUMI_HOME", str(workspace.pulumi_home))
        _without_logs(workspace.pulumi_home)
        if not {"PULUMI_CONFIG_PASSPHRASE", "PULUMI_CONFIG_PASSPHRASE_FILE"} & outside.keys():
            variables["PULUMI_CONFIG_PASSPHRASE_FILE"] = str(_passphrase_file(workspace))
    home = variables.get("PULUMI_HOME") or outside.get("PULUMI_HOME") or Path.home() / ".pulumi"
    link_plugins(toolbox, Path(home))
    return variables


def as_shell(variables: Mapping[str, str]) -> str:
    """Lines that a POSIX shell can evaluate."""
    quoted = {name: "'" + value.replace("'", "'\\''") + "'" for name, value in variables.items()}
    return "".join(f"export {name}={value}\n" for name, value in sorted(quoted.items()))


def _without_logs(home: Path) -> None:
    """Block Pulumi's own logs, which no setting turns off. An existing folder of logs is kept."""
    with suppress(FileExistsError):
        (home / "logs").touch(mode=0o600, exist_ok=False)
        (home / "logs").write_text(_WHY_NO_LOGS, encoding="utf-8")


def _passphrase_file(workspace: Workspace) -> Path:
    path = workspace.passphrase_file
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return path
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(secrets.token_urlsafe(_PASSPHRASE_BYTES))
    return path
