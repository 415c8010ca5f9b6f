"""Each kind of object, and the hardening of pods, is written out in one place."""

import ast
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from rendering.root import ROOT

COMPONENTS = sorted((ROOT / "components").rglob("*.py"))
OF_PODS = {"securityContext", "seccompProfile", "automountServiceAccountToken", "topologySpreadConstraints", "affinity"}
"""Keys of pods that only `components/workloads` writes."""


def literals(path: Path) -> Iterator[dict[str, ast.expr]]:
    """Every dictionary that a file writes out, by its constant keys."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Dict):
            pairs = zip(node.keys, node.values, strict=True)
            yield {str(key.value): value for key, value in pairs if isinstance(key, ast.Constant)}


def written_kinds(path: Path) -> list[str]:
    """Kinds of the objects that a file writes out. One whose kind is a variable counts as `*`."""
    objects = (each for each in literals(path) if {"apiVersion", "kind", "metadata"} <= each.keys())
    return [str(each["kind"].value) if isinstance(each["kind"], ast.Constant) else "*" for each in objects]


def test_each_kind_of_object_is_written_out_once() -> None:
    """One place has each field of a Deployment, and what is mended there is mended everywhere."""
    places = defaultdict(list)
    for path in COMPONENTS:
        for kind in written_kinds(path):
            places[kind].append(str(path.relative_to(ROOT)))
    several = {kind: found for kind, found in places.items() if len(found) > 1 and kind != "*"}
    assert several == {}
    assert len(places) > 20
    for kind in ("Deployment", "StatefulSet", "Secret", "CronJob", "NetworkPolicy", "PersistentVolumeClaim", "Role"):
        assert places[kind] == ["components/workloads/objects.py"]


def test_only_the_workloads_harden_and_spread_pods() -> None:
    """A pod that another package makes by itself would be a second idea of what is safe."""
    found = {
        f"{path.relative_to(ROOT)}: {key}"
        for path in COMPONENTS
        if path.parent.name != "workloads"
        for written in literals(path)
        for key in OF_PODS & written.keys()
    }
    assert found == set()
    inside = {key for path in COMPONENTS if path.parent.name == "workloads" for each in literals(path) for key in each}
    assert inside >= OF_PODS
