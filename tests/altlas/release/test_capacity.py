"""The command `altlas capacity` and its report."""

import json
from collections.abc import Callable
from typing import Any

from altlas.preflight.nodes import described_nodes
from altlas.release.capacity import as_document, as_text, capacity
from components.kubernetes.load import stack_load
from components.settings.quota import QuotaSettings
from components.settings.quota import most as quota_sum
from rendering.recorder import record
from tests.support.documents import alpha_settings

Altlas = Callable[..., Any]
SETTINGS = alpha_settings()
LOAD = stack_load(record("alpha", SETTINGS).objects)


def quota(**hard: str) -> dict[str, Any]:
    """A ResourceQuota named `q`."""
    return {"metadata": {"name": "q"}, "spec": {"hard": {key.replace("_", "."): value for key, value in hard.items()}}}


def test_a_cluster_s_quota_is_compared_with_what_a_quota_of_the_stack_counts() -> None:
    """Exactly as much suffices, one less does not; keys that the stack does not use are left out."""
    most = quota_sum(LOAD, QuotaSettings())
    enough = [quota(pods=str(most.pods), requests_cpu=f"{most.requests.cpu}m", services="9")]
    found = capacity("alpha", SETTINGS, LOAD, quotas=enough)
    assert [each.what for each in found.uses][-2:] == ["quota q: pods", "quota q: requests.cpu"]
    assert found.suffices
    less = capacity("alpha", SETTINGS, LOAD, quotas=[quota(limits_memory=f"{most.limits.memory - 1}Mi")])
    assert not less.suffices
    assert "TOO LITTLE" in as_text(less)


def test_connections_and_volumes_are_those_of_the_settings() -> None:
    """PostgreSQL at the largest scale, and what retention needs of the volumes."""
    found = {each["what"]: each for each in as_document(capacity("alpha", SETTINGS, LOAD))["uses"]}
    # A pool of 5 for each of 6 pods of the two services, with those that an update adds, and the reserve.
    assert found["connections of PostgreSQL"]["used"] == 5 * (5 + 1) + 5 * (5 + 1) + 20
    assert found["connections of PostgreSQL"]["limit"] == 100
    assert found["logs on the volume of Loki"]["used"] == 7 * 512
    assert found["streams on a volume of NATS"] | {"what": ""} == {
        "what": "",
        "used": 1024,
        "limit": 4608,
        "unit": "Mi",
        "fits": True,
    }


def test_rest_and_update_must_fit_and_the_largest_scale_need_not() -> None:
    """The report says which scale does not fit."""
    small = capacity("alpha", SETTINGS, LOAD, described_nodes("1x5x64"))
    assert small.fits == {
        "at rest": True,
        "during an update": True,
        "at maximum scale": False,
        "during an update at maximum scale": False,
    }
    assert small.suffices
    assert not capacity("alpha", SETTINGS, LOAD, described_nodes("1x1x64")).suffices


def test_the_command_compares_two_stacks_with_the_same_nodes(altlas: Altlas) -> None:
    """And ends with 1, naming the one without room."""
    done = altlas("capacity", "alpha", "beta", "--nodes", "2x5x16")
    assert done.code == 1
    assert done.error == "error: no room for beta; add nodes or lower what is short above\n"
    assert done.out.startswith("Capacity of alpha\n\ncores  at rest ")
    assert "\nCapacity of beta\n" in done.out
    listed = json.loads(altlas("capacity", "alpha", "beta", "--nodes", "2x5x16", "--json").out)
    assert [(each["stack"], each["suffices"]) for each in listed] == [("alpha", True), ("beta", False)]


def test_without_nodes_it_says_how_to_name_them(altlas: Altlas) -> None:
    """Growth, connections and volumes are shown all the same."""
    done = altlas("capacity", "alpha")
    assert done.code == 0
    assert "Nodes are not known: name them by --nodes 3x4x16 or a cluster by --target." in done.out
    assert "api-gateway at its maximum of 5 pods" in done.out


def test_two_ways_to_name_nodes_are_bad_input(altlas: Altlas) -> None:
    """Before anything is read."""
    done = altlas("capacity", "alpha", "--nodes", "3x4x16", "--target", "sim")
    assert (done.code, "name one" in done.error) == (2, True)
