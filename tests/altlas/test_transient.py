"""Failures of an API server that pass, told from lasting ones, by messages of kubectl and of the provider."""

from pathlib import Path

import pytest

from altlas.session.kubectl import Kubectl
from altlas.session.transient import READING_PAUSES_SECONDS, is_passing, is_passing_or_unreachable
from rendering.errors import CommandError

PASSING = (
    'Patch "https://127.0.0.1:42949/api/v1/namespaces/a/configmaps/b?fieldManager=pulumi-kubernetes-f7c5e23b": EOF',
    'Delete "https://127.0.0.1:42949/api/v1/namespaces/a/configmaps/b": read tcp: connection reset by peer',
    "Error from server (TooManyRequests): the server has received too many requests and has asked us to try again",
    "Error from server (ServiceUnavailable): the server is currently unable to handle the request",
    'Error from server (InternalError): an error on the server ("injected") has prevented the request from succeeding',
    "Error from server: etcdserver: request timed out",
    "Unable to connect to the server: net/http: TLS handshake timeout",
)
UNREACHABLE = (
    "The connection to the server 127.0.0.1:6443 was refused: dial tcp 127.0.0.1:6443: connect: connection refused",
    "configured Kubernetes cluster is unreachable: unable to load schema information from the API server",
    "failed to read resource state due to unreachable cluster. If the cluster was deleted, you can remove",
)
LASTING = (
    'Error from server (Forbidden): pods is forbidden: User "deployer" cannot list resource "pods"',
    'ConfigMap "EOFFSET" is invalid: metadata.name: Invalid value',
    'admission webhook "validate" denied the request: no',
    "2 of 3 pods are ready after 300 seconds: image cannot be pulled",
)


@pytest.mark.parametrize("message", PASSING)
def test_an_answer_that_passes(message: str) -> None:
    """Worth a second try at once."""
    assert is_passing(message)
    assert is_passing_or_unreachable(message)


@pytest.mark.parametrize("message", UNREACHABLE)
def test_an_api_server_that_is_not_reached(message: str) -> None:
    """Worth waiting for in an update that has begun; a first question says at once that the cluster does not run."""
    assert not is_passing(message)
    assert is_passing_or_unreachable(message)


@pytest.mark.parametrize("message", LASTING)
def test_a_failure_that_a_person_must_mend(message: str) -> None:
    """Never repeated."""
    assert not is_passing_or_unreachable(message)


def _kubectl(folder: Path, failures: int, message: str) -> Kubectl:
    """A kubectl that fails so often and then prints its input."""
    program = folder / "kubectl"
    said = message.replace("'", "")
    program.write_text(
        f"#!/bin/sh\ncd '{folder}'\necho call >> calls\n"
        f"if [ $(wc -l < calls) -le {failures} ]; then echo '{said}' >&2; exit 1; fi\ncat\n"
    )
    program.chmod(0o755)
    return Kubectl(program, folder / "kubeconfig")


@pytest.fixture
def waited(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Pauses, which are not waited for."""
    seconds: list[float] = []
    monkeypatch.setattr("altlas.session.kubectl.time.sleep", seconds.append)
    return seconds


def test_a_request_is_repeated_while_its_failure_may_pass(tmp_path: Path, waited: list[float]) -> None:
    """With its whole input each time."""
    kubectl = _kubectl(tmp_path, len(READING_PAUSES_SECONDS), PASSING[0])
    assert kubectl.text("apply", "--filename", "-", stdin="{}") == "{}"
    assert waited == list(READING_PAUSES_SECONDS)


@pytest.mark.parametrize(
    ("arguments", "message", "calls"),
    [
        (("apply", "--filename", "-"), PASSING[0], len(READING_PAUSES_SECONDS) + 1),
        (("apply", "--filename", "-"), LASTING[0], 1),
        (("apply", "--filename", "-"), UNREACHABLE[0], 1),
        (("create", "--filename", "-"), PASSING[0], 1),
    ],
    ids=["does not pass", "refused", "no cluster", "may have been created"],
)
def test_a_request_is_given_up(
    tmp_path: Path, waited: list[float], arguments: tuple[str, ...], message: str, calls: int
) -> None:
    """A lost answer to a creation is not followed by a second one, which would find the object of the first."""
    with pytest.raises(CommandError, match="failed: "):
        _kubectl(tmp_path, 99, message).text(*arguments, stdin="{}")
    assert len((tmp_path / "calls").read_text().splitlines()) == calls
    assert len(waited) == calls - 1
