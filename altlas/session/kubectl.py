"""Access to a cluster by the pinned kubectl."""

import json
import re
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from altlas.session.transient import READING_PAUSES_SECONDS, is_passing
from cluster.target import KUBECONFIG, SIM
from cluster.waiting import wait_for
from rendering.errors import CommandError, ExitCode

_KUBECTL_TIMEOUT = "--request-timeout=10s"
_UNANSWERED_SECONDS = 120
_REFUSALS = ("(Forbidden)", "(Unauthorized)", "(NotFound)")
_POLL_SECONDS = 0.5
_LOG_LINE = re.compile(r"[EIW]\d{4} [\d:.]+ +\d+ \S+\.go:\d+\]")
"""Line of client-go's log, which repeats with a time what kubectl says at the end."""

_NOT_REACHED = re.compile(r"connection to the server|unable to connect to the server: (dial|net/http)", re.IGNORECASE)

Answer = TypeVar("Answer")


@dataclass(frozen=True)
class Kubectl:
    """The pinned kubectl with a kubeconfig.

    Attributes:
        program: The kubectl to run.
        kubeconfig: The cluster.
        target: Name of its target, which decides what helps where the cluster does not answer.
    """

    program: Path
    kubeconfig: Path
    target: str = field(default=SIM, kw_only=True)

    def items(self, kind: str, namespace: str, *options: str) -> list[dict[str, Any]]:
        """Objects of a kind.

        Raises:
            CommandError: The cluster does not answer or refuses.
        """
        found: list[dict[str, Any]] = json.loads(
            self._get(f"{kind} in {namespace}", kind, "--namespace", namespace, *options)
        )["items"]
        return found

    def named(self, kind: str, *names: str) -> list[dict[str, Any]]:
        """Those of the named cluster-scoped objects that exist.

        Raises:
            CommandError: The cluster does not answer or refuses.
        """
        # kubectl prints an object instead of a list for one name, and nothing where none exists.
        document = json.loads(self._get(kind, kind, *names, "--ignore-not-found") or '{"items": []}')
        found: list[dict[str, Any]] = document.get("items", [document])
        return found

    def find(self, kind: str, namespace: str, name: str) -> dict[str, Any] | None:
        """One object of a namespace, or None where it does not exist.

        Raises:
            CommandError: The cluster does not answer or refuses.
        """
        what = f"{kind} {namespace}/{name}"
        text = self._get(what, kind, name, "--namespace", namespace, "--ignore-not-found")
        found: dict[str, Any] | None = json.loads(text) if text.strip() else None
        return found

    def existing(self, manifests: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """Those of the given objects that exist, as the cluster has them.

        Args:
            manifests: Objects; kind and name count.

        Raises:
            CommandError: The cluster does not answer or refuses.
        """
        names = [
            {key: each[key] for key in ("apiVersion", "kind")}
            | {"metadata": {key: each["metadata"][key] for key in ("name", "namespace") if key in each["metadata"]}}
            for each in manifests
        ]
        if not names:
            return []
        wanted = json.dumps({"apiVersion": "v1", "kind": "List", "items": names})
        text = self.text("get", "--filename", "-", "--ignore-not-found", "--output", "json", stdin=wanted)
        document = json.loads(text or '{"items": []}')
        found: list[dict[str, Any]] = document.get("items", [document])
        return found

    def text(self, *arguments: str, stdin: str | None = None) -> str:
        """Standard output of a kubectl command.

        Raises:
            CommandError: The command failed; holds its message.
        """
        done = self._run(arguments, stdin)
        if done.returncode:
            raise CommandError(
                f"`kubectl {' '.join(arguments)}` failed: {self._said(done.stderr)}", ExitCode.NO_CLUSTER
            )
        return done.stdout

    def create(self, manifest: Mapping[str, Any]) -> bool:
        """Create an object; False where one of its name exists, which is not changed.

        Raises:
            CommandError: The cluster does not answer or refuses.
        """
        try:
            self.text("create", "--filename", "-", stdin=json.dumps(manifest))
        except CommandError as error:
            if "(AlreadyExists)" in str(error):
                return False
            raise
        return True

    def _get(self, what: str, *arguments: str) -> str:
        done = self._run(("get", *arguments, "--output=json"))
        if done.returncode:
            raise CommandError(f"cannot read {what}: {self._said(done.stderr)}", ExitCode.NO_CLUSTER)
        return done.stdout

    def _run(self, arguments: Sequence[str], stdin: str | None = None) -> subprocess.CompletedProcess[str]:
        """Run kubectl, and again after a failure of the API server that passes, unless that could do a thing twice."""
        command = [str(self.program), f"--kubeconfig={self.kubeconfig}", _KUBECTL_TIMEOUT, *arguments]
        pauses = () if arguments[0] == "create" else READING_PAUSES_SECONDS
        for seconds in (*pauses, None):
            done = subprocess.run(command, input=stdin, capture_output=True, text=True, check=False)
            if not done.returncode or seconds is None or not is_passing(done.stderr):
                break
            time.sleep(seconds)
        return done

    def _said(self, stderr: str) -> str:
        """Message of kubectl, each line once, with the cure where the cluster is not reachable."""
        start = f"`altlas up STACK --target {self.target}` starts it"
        if f"stat {self.kubeconfig}: no such file" in stderr:
            return f"no such cluster has been started in this checkout, as there is no {self.kubeconfig}; {start}"
        lines = dict.fromkeys(stderr.strip().splitlines())
        text = "\n".join([line for line in lines if not _LOG_LINE.match(line)] or lines)
        if not _NOT_REACHED.search(text):
            return text
        if self.target == KUBECONFIG:
            return f"{text}\nstart the cluster of {self.kubeconfig}, or name another file by KUBECONFIG"
        return f"{text}\nthe cluster of this checkout does not run; {start}"


def when_answered(read: Callable[[], Answer]) -> Answer:
    """Result of a read, repeated for two minutes while the cluster is not reachable.

    Raises:
        CommandError: The cluster has refused, or has not answered for two minutes.
    """

    def is_passing(error: BaseException) -> bool:
        return isinstance(error, CommandError) and not any(refusal in str(error) for refusal in _REFUSALS)

    seconds, pause = _UNANSWERED_SECONDS, _POLL_SECONDS
    return wait_for(read, lambda _: True, seconds=seconds, poll_seconds=pause, is_passing=is_passing)
