"""The choice of ports."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from cluster import ports
from cluster.errors import ClusterError
from cluster.options import requested_ports
from cluster.ports import LOOPBACK, choose_free_port, is_free, settle_ports

NAMES = ("api", "database")


@pytest.fixture
def taken() -> Iterator[int]:
    """A port on which another program listens."""
    with socket.create_server((LOOPBACK, 0)) as server:
        yield server.getsockname()[1]


def _free_ports() -> dict[str, int]:
    first = choose_free_port(())
    return {"api": first, "database": choose_free_port((first,))}


def test_a_listening_port_is_not_free(taken: int) -> None:
    """A server could not listen there."""
    assert not is_free(taken)


def test_new_ports_are_free_and_all_different() -> None:
    """A first start finds a port for everybody."""
    settled = settle_ports({}, (), NAMES, {}, pytest.fail)
    assert len(set(settled.values())) == len(NAMES)
    assert all(is_free(port) for port in settled.values())


def test_kept_ports_stay() -> None:
    """The kubeconfig stays valid across restarts."""
    kept = _free_ports()
    assert settle_ports(kept, (), NAMES, {}, pytest.fail) == kept


def test_a_port_in_use_by_our_own_process_stays(taken: int) -> None:
    """Of course it is taken: by us."""
    kept = {**_free_ports(), "api": taken}
    assert settle_ports(kept, {"api"}, NAMES, {}, pytest.fail) == kept


def test_a_kept_port_that_another_program_took_is_replaced_and_reported(taken: int) -> None:
    """The cluster still starts, and the user learns why the address changed."""
    reports: list[str] = []
    settled = settle_ports({**_free_ports(), "api": taken}, (), NAMES, {}, reports.append)
    assert settled["api"] != taken
    assert reports == [f"Port {taken} of api is now used by another program; api moves to port {settled['api']}."]


def test_a_requested_port_wins_over_a_kept_one() -> None:
    """The user's word counts more than habit."""
    wanted = choose_free_port(())
    assert settle_ports(_free_ports(), (), NAMES, {"api": wanted}, pytest.fail)["api"] == wanted


@pytest.mark.parametrize("running", [(), ("api",)])
def test_a_requested_port_that_is_taken_is_an_error_with_a_cure(taken: int, running: tuple[str, ...]) -> None:
    """Also while the cluster runs on another port: the one that is asked for is not ours."""
    with pytest.raises(ClusterError, match=rf"Port {taken} .* of api, is used by another program. End that program"):
        settle_ports(_free_ports(), running, NAMES, {"api": taken}, pytest.fail)


def test_no_free_port_at_all_is_a_clear_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """The search ends."""
    monkeypatch.setattr(ports, "is_free", lambda _: False)
    with pytest.raises(ClusterError, match="No free port between"):
        choose_free_port(())


@pytest.mark.parametrize(
    ("option", "variable", "expected"),
    [
        (None, None, {}),
        (None, "", {}),
        (None, "6443", {"kube-apiserver": 6443}),
        (7443, "6443", {"kube-apiserver": 7443}),
    ],
)
def test_the_api_port_comes_from_option_or_environment(
    monkeypatch: pytest.MonkeyPatch, option: int | None, variable: str | None, expected: dict[str, int]
) -> None:
    """The option wins; with neither, a port is chosen."""
    monkeypatch.delenv("ALT_LAS_API_PORT", raising=False)
    if variable is not None:
        monkeypatch.setenv("ALT_LAS_API_PORT", variable)
    assert requested_ports(option) == expected


@pytest.mark.parametrize("value", ["http", "0", "70000", "-1", "64.43"])
def test_a_requested_port_that_is_no_port_is_refused(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    """The message names the variable and the range."""
    monkeypatch.setenv("ALT_LAS_API_PORT", value)
    with pytest.raises(ClusterError, match=rf"ALT_LAS_API_PORT is '{value}'; it must be a number from 1 to 65535"):
        requested_ports(None)
