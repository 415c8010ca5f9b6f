"""Every pod of the platform in use, and every pod that it stands on, is killed: what users notice, what comes back."""

from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest

from tests.faults.cases import Cases
from tests.node.platform.changes import late, settled
from tests.node.platform.faults import LOSES_NOTHING, MOST_SECONDS, ended, everywhere, noticed
from tests.node.platform.project import NAMESPACE, NodeProject
from tests.node.platform.users import CLIENT, NOTHING_LOST, Users
from tests.support.figures import Figures

pytestmark = [pytest.mark.node, pytest.mark.usefixtures("three_servers")]


def pods_by_workload(project: NodeProject, *, is_platform: bool) -> Iterator[tuple[str, dict[str, Any]]]:
    """Pods of the platform or all others, without the users' and those of Jobs, each with a name that is the same in
    every cluster: of its workload, and its number there.
    """
    numbers: Counter[str] = Counter()
    for item in everywhere(project):
        metadata = item["metadata"]
        owners = {owner["kind"] for owner in metadata.get("ownerReferences", ())}
        if metadata["namespace"] == CLIENT or "Job" in owners or (metadata["namespace"] == NAMESPACE) != is_platform:
            continue
        made_by = metadata.get("generateName", metadata["name"].rstrip("0123456789")).removesuffix("-")
        workload = made_by.removesuffix(f"-{metadata['labels'].get('pod-template-hash')}")
        numbers[workload] += 1
        yield f"{workload} {numbers[workload]}", item


@pytest.mark.parametrize("part", ["of the platform", "beside the platform"])
def test_a_killed_pod_comes_back_and_nothing_is_lost(
    part: str,
    project: NodeProject,
    busy: Users,
    figures: Figures,
    cases_of: Callable[..., Cases],
    *,
    all_faults: bool,
) -> None:
    """One after the other: services and stores; operators, the cluster's DNS, Traefik, and whatever else there is."""
    cases = cases_of(f"on real nodes: each pod {part} killed", f"ready again by itself, {LOSES_NOTHING}", "node")
    pods = dict(pods_by_workload(project, is_platform=part == "of the platform"))
    assert len(pods) > 1
    for key in cases.left(list(pods) if all_faults else list(pods)[:1]):
        settled(project)
        with cases.trying(key):
            found = noticed(busy, partial(ended, project, pods[key]))
            figures.add(f"fault of a pod: {key} killed", f"ready again after {found}")
            assert found.lost == NOTHING_LOST
            assert late(found.away, dict.fromkeys(found.away, MOST_SECONDS)) == {}
