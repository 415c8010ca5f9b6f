"""Probes of stores: what they ask, and that they ask the pod's own servers without resolving a name."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from components.stores.redis.scripts import SCRIPTS
from rendering.recorder import Recorder
from tests.support.documents import STACKS
from tests.support.program import find

PROBES = ("startupProbe", "readinessProbe", "livenessProbe")
_HOST = re.compile(r"redis-cli -h (\S+)")


def containers(program: Recorder, name: str) -> list[dict[str, Any]]:
    """Containers of a store's servers."""
    found: list[dict[str, Any]] = find(program.objects, "StatefulSet", name)["spec"]["template"]["spec"]["containers"]
    return found


def probe_scripts(program: Recorder) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    """Name, text and variables of each script that a probe of Redis runs."""
    for container in containers(program, "redis"):
        variables = {each["name"]: each.get("value") for each in container.get("env", ())}
        for script in {container.get(probe, {}).get("exec", {}).get("command", [""])[-1] for probe in PROBES} - {""}:
            name = script.rpartition("/")[2]
            yield name, SCRIPTS[name], variables


@pytest.mark.parametrize("stack", STACKS)
def test_a_probe_of_redis_needs_no_name(programs: Mapping[str, Recorder], stack: str) -> None:
    """Seconds without DNS would make every healthy server unready; a single one is its Service's only endpoint."""
    found = list(probe_scripts(programs[stack]))
    wanted = {"is-ready.sh"} if stack == "alpha" else {"is-ready.sh", "is-sentinel-ready.sh"}
    assert {name for name, _, _ in found} == wanted
    for name, text, variables in found:
        assert (_HOST.findall(text), variables["LOCAL"]) == (['"$LOCAL"'], "127.0.0.1"), name


def test_users_are_read_again_without_a_name() -> None:
    """The server that has them is the one in the pod."""
    assert _HOST.findall(SCRIPTS["follow-users.sh"]) == ['"$LOCAL"']


@pytest.mark.parametrize("stack", STACKS)
def test_nats_is_started_when_its_streams_have_caught_up(programs: Mapping[str, Recorder], stack: str) -> None:
    """Before that the next server must not be restarted, or two of three would be behind; it gets ten minutes."""
    (server,) = (each for each in containers(programs[stack], "nats") if each["name"] == "nats")
    assert {probe: server[probe]["httpGet"]["path"] for probe in PROBES} == {
        "startupProbe": "/healthz",
        "readinessProbe": "/healthz?js-server-only=true",
        "livenessProbe": "/healthz?js-enabled-only=true",
    }
    startup = server["startupProbe"]
    assert startup["periodSeconds"] * startup["failureThreshold"] == 600


def test_a_sentinel_has_processor_time_for_the_shell_that_probes_it(programs: Mapping[str, Recorder]) -> None:
    """Both share its limit, every five seconds."""
    (sentinel,) = (each for each in containers(programs["beta"], "redis") if each["name"] == "sentinel")
    assert sentinel["resources"]["limits"]["cpu"] == "200m"
