"""Nodes and growing load: what fits, and what gives way first."""

import pytest

from altlas.preflight.growth import Limit, fits_at, limits, pods_at
from altlas.preflight.nodes import ClusterNode, described_nodes, fit, memory_mebibytes, total
from components.kubernetes.load import Amount, Load, StackLoad, WorkloadLoad
from rendering.errors import CommandError, ExitCode

NODE = ClusterNode(Amount(1000, 1024))


def load(*workloads: tuple[str, int, int]) -> StackLoad:
    """Workloads with minimum and maximum, whose pods want 400 millicores and 100 Mi each; one more pod in an update."""
    pod = Load(1, Amount(400, 100))
    return StackLoad(
        tuple(WorkloadLoad("Deployment", name, pod, low, high, 1, 1) for name, low, high in workloads), Load()
    )


def test_pods_must_fit_one_by_one() -> None:
    """Two nodes have 2 cores together, and no room for 1.2 in one piece; memory and places count as well."""
    assert fit([NODE, NODE], [Amount(400, 1)] * 4)
    assert not fit([NODE, NODE], [Amount(400, 1)] * 5)
    assert not fit([NODE, NODE], [Amount(1200, 1)])
    assert not fit([NODE], [Amount(1, 600)] * 2)
    assert not fit([ClusterNode(Amount(1000, 1024), pods=1)], [Amount(1, 1)] * 2)
    assert fit([], [])


def test_pods_follow_the_load_between_minimum_and_maximum() -> None:
    """In proportion, rounded up; thirds are not rounded up twice."""
    (each,) = load(("a", 3, 10)).workloads
    assert [pods_at(each, factor) for factor in (0.1, 1, 4 / 3, 1.4, 7 / 3, 99)] == [3, 3, 4, 5, 7, 10]


def test_the_first_limit_is_named_first() -> None:
    """Autoscalers by the ratio of maximum to minimum, and nodes where their room ends."""
    both = load(("a", 1, 3), ("b", 2, 4), ("fixed", 1, 1))
    assert limits(both) == (Limit(2, "b at its maximum of 4 pods"), Limit(3, "a at its maximum of 3 pods"))
    # Four pods at rest take two nodes; at 1.5 times there are 2 + 3 + 1 = 6, for which there are three.
    found = limits(both, [NODE] * 2)
    assert found[0] == Limit(1, "2 nodes have no room for another pod")
    assert limits(both, [NODE] * 3)[0] == Limit(1.5, "3 nodes have no room for another pod")
    assert limits(both, [NODE] * 9) == limits(both)
    assert limits(both, [NODE])[0] == Limit(0, "1 nodes have no room for another pod")


def test_an_update_needs_its_surge() -> None:
    """Four pods fit two nodes; three more do not."""
    both = load(("a", 1, 3), ("b", 2, 4), ("fixed", 1, 1))
    assert fits_at(both, [NODE] * 2, 1)
    assert not fits_at(both, [NODE] * 2, 1, updating=True)
    assert fits_at(both, [NODE] * 4, 1, updating=True)


def test_nodes_are_described_by_number_cores_and_gibibytes() -> None:
    """Everything else is bad input."""
    assert total(described_nodes("3x4x16")) == Amount(12_000, 3 * 16 * 1024)
    for text in ("", "3x4", "0x4x16", "3x4x16Gi", "-1x4x4", "99999x1x1"):
        with pytest.raises(CommandError, match="describes no nodes") as refused:
            described_nodes(text)
        assert refused.value.code is ExitCode.BAD_INPUT


def test_memory_is_read_as_a_cluster_writes_it() -> None:
    """With a unit, or in plain bytes."""
    assert [memory_mebibytes(text) for text in ("2048Ki", "3Mi", "1Gi", "1Ti", "1073741824")] == [
        2,
        3,
        1024,
        2**20,
        1024,
    ]
