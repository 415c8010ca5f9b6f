"""`python -m backup.exporter`: metrics of the results of backups and restore tests, as Kubernetes recorded them.

Reads CronJobs, Jobs and the last messages of their pods from the API server at every scrape and keeps nothing, so it
needs no volume, and the jobs need no way to it. Its own ServiceAccount may list these three kinds in its namespace.

NAMESPACE says where, RECOVERY_POINT_SECONDS what the settings allow. Owns no names: see `backup.metrics`.
"""

import argparse
import json
import os
import ssl
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from backup import metrics
from backup.errors import BackupError

_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
_TIMEOUT_SECONDS = 8
_STORE, _ACTION = "alt-las.io/store", "alt-las.io/backup-action"
_SUCCESS = {"dump": metrics.DUMP_SUCCESS, "drill": metrics.DRILL_SUCCESS}
_LAST = {"dump": metrics.DUMP_LAST_SUCCESS, "drill": metrics.DRILL_LAST_SUCCESS}
_KINDS = {"cronjobs": "/apis/batch/v1", "jobs": "/apis/batch/v1", "pods": "/api/v1"}

Series = dict[tuple[str, str], float]
Found = Mapping[str, Sequence[Mapping[str, Any]]]
"""Objects by their plural, as the API server has them."""


def collect(found: Found, objective_seconds: float) -> Series:
    """The metrics of all stores, from the objects that Kubernetes keeps about their jobs."""
    series: Series = {}
    for schedule in found["cronjobs"]:
        store, action = _whose(schedule)
        if action == "dump":
            series[metrics.SCHEDULED_SINCE, store] = _seconds(schedule["metadata"]["creationTimestamp"])
            series[metrics.OBJECTIVE, store] = objective_seconds
        if ended := schedule.get("status", {}).get("lastSuccessfulTime"):
            _raise(series, _LAST[action], store, _seconds(ended))
    for ended, job, good in sorted(_ended_jobs(found["jobs"]), key=lambda each: each[0]):
        store, action = _whose(job)
        series[_SUCCESS[action], store] = float(good)
        if good:
            _raise(series, _LAST[action], store, ended)
    return series | _measured(found["pods"])


def _measured(pods: Iterable[Mapping[str, Any]]) -> Series:
    """Figures that the jobs themselves have measured; that they ended well is known from the Jobs."""
    known = metrics.NAMES.keys() - {*_SUCCESS.values(), *_LAST.values()}
    return {
        (name, report["store"]): float(value)
        for _, report in sorted(_reports(pods), key=lambda each: each[0])
        for name, value in report["figures"].items()
        if name in known
    }


def _whose(found: Mapping[str, Any]) -> tuple[str, str]:
    labels = found["metadata"]["labels"]
    return labels[_STORE], labels[_ACTION]


def _raise(series: Series, name: str, store: str, value: float) -> None:
    series[name, store] = max(value, series.get((name, store), 0.0))


def _ended_jobs(jobs: Iterable[Mapping[str, Any]]) -> Iterable[tuple[float, Mapping[str, Any], bool]]:
    for job in jobs:
        for condition in job.get("status", {}).get("conditions", ()):
            if condition["status"] == "True" and condition["type"] in ("Complete", "Failed"):
                yield _seconds(condition["lastTransitionTime"]), job, condition["type"] == "Complete"


def _reports(pods: Iterable[Mapping[str, Any]]) -> Iterable[tuple[float, Mapping[str, Any]]]:
    """Reports of the containers that ended well, each with the time at which it ended."""
    for pod in pods:
        for container in pod.get("status", {}).get("containerStatuses", ()):
            ended = container.get("state", {}).get("terminated") or {}
            report = _report(ended.get("message", ""))
            if ended.get("exitCode") == 0 and report and report.get("store") == _whose(pod)[0]:
                yield _seconds(ended["finishedAt"]), report


def _report(message: str) -> Mapping[str, Any] | None:
    try:
        report: object = json.loads(message)
    except ValueError:
        return None
    return report if isinstance(report, dict) and isinstance(report.get("figures"), dict) else None


def _seconds(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


class ApiServer:
    """The API server, asked for one namespace with the token of a ServiceAccount.

    Args:
        address: URL of the API server.
        namespace: Namespace to look at.
        token: File with the token, which is read each time, because it changes.
        authority: File with the certificate of the authority that the API server's is from.
    """

    def __init__(self, address: str, namespace: str, token: Path, authority: Path) -> None:
        self._address, self._namespace, self._token = address, namespace, token
        self._context = ssl.create_default_context(cafile=str(authority))

    def read(self) -> Found:
        """CronJobs, Jobs and pods of the dumps and drills.

        Raises:
            BackupError: The API server does not answer, or refuses; holds what it said.
        """
        return {kind: self._list(f"{root}/namespaces/{self._namespace}/{kind}") for kind, root in _KINDS.items()}

    def _list(self, path: str) -> Sequence[Mapping[str, Any]]:
        selector = urllib.parse.urlencode({"labelSelector": f"{_STORE},{_ACTION}"})
        headers = {"Authorization": f"Bearer {self._token.read_text(encoding='utf-8').strip()}"}
        request = urllib.request.Request(f"{self._address}{path}?{selector}", headers=headers)  # noqa: S310  # https
        try:
            with urllib.request.urlopen(request, timeout=_TIMEOUT_SECONDS, context=self._context) as answer:  # noqa: S310
                items: Sequence[Mapping[str, Any]] = json.load(answer)["items"]
        except (OSError, urllib.error.URLError) as error:
            raise BackupError(f"the API server does not list {path}: {error}") from None
        return items


def server(port: int, read: Callable[[], Found], objective_seconds: float, host: str = "") -> ThreadingHTTPServer:
    """The HTTP server of the metrics; anything but a full answer is an error, so that a scrape fails and is seen."""

    class Handler(BaseHTTPRequestHandler):
        """Answers a scrape, or a probe."""

        def do_GET(self) -> None:
            """Metrics, or the word that it runs."""
            if self.path == metrics.PATH:
                try:
                    self._answer(HTTPStatus.OK, metrics.exposition(collect(read(), objective_seconds)))
                except BackupError as error:
                    self._answer(HTTPStatus.SERVICE_UNAVAILABLE, f"{error}\n")
            elif self.path == "/healthz":
                self._answer(HTTPStatus.OK, "ok\n")
            else:
                self._answer(HTTPStatus.NOT_FOUND, "there is /metrics and /healthz\n")

        def _answer(self, status: HTTPStatus, text: str) -> None:
            body = text.encode()
            self.send_response(status)
            self.send_header("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Scrapes are no events."""

    return ThreadingHTTPServer((host, port), Handler)


def main() -> None:
    """Serve until ended."""
    parser = argparse.ArgumentParser(prog="python -m backup.exporter", description=__doc__)
    host, port = (os.environ.get(f"KUBERNETES_SERVICE_{name}", "") for name in ("HOST", "PORT"))
    parser.add_argument("--api-server", default=f"https://{host}:{port}")
    parser.add_argument("--token", type=Path, default=_ACCOUNT / "token")
    parser.add_argument("--authority", type=Path, default=_ACCOUNT / "ca.crt")
    parser.add_argument("--listen", default="")
    parser.add_argument("--port", type=int, required=True)
    given = parser.parse_args()
    api_server = ApiServer(given.api_server, os.environ["NAMESPACE"], given.token, given.authority)
    server(given.port, api_server.read, float(os.environ["RECOVERY_POINT_SECONDS"]), given.listen).serve_forever()


if __name__ == "__main__":
    main()
