"""Annotations for the autoscaler of the nodes, on every pod of the program."""

from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from rendering.recorder import Recorder, record
from tests.support.documents import alpha_with

_LOCAL = "cluster-autoscaler.kubernetes.io/safe-to-evict-local-volumes"


def _templates(recorder: Recorder) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Kind of each workload with the template of its pods."""
    for manifest in recorder.objects:
        spec = manifest.get("spec", {})
        spec = spec["jobTemplate"]["spec"] if manifest["kind"] == "CronJob" else spec
        if manifest["kind"] in {"Deployment", "StatefulSet", "CronJob", "Job"}:
            yield manifest["kind"], spec["template"]


@pytest.mark.parametrize(
    ("autoscaler", "of_jobs"),
    [
        ("clusterAutoscaler", {"cluster-autoscaler.kubernetes.io/safe-to-evict": "false"}),
        ("karpenter", {"karpenter.sh/do-not-disrupt": "true"}),
    ],
)
def test_jobs_end_and_all_other_pods_may_be_moved(autoscaler: str, of_jobs: dict[str, str]) -> None:
    """The names of scratch directories are those of the pod itself."""
    found = {"job": 0, "scratch": 0, "none": 0}
    for kind, template in _templates(record("alpha", alpha_with({"autoscaling.nodes": autoscaler}))):
        annotations = template["metadata"].get("annotations", {})
        scratch = [each["name"] for each in template["spec"]["volumes"] if "emptyDir" in each]
        if kind in {"CronJob", "Job"}:
            assert annotations == of_jobs
            found["job"] += 1
        elif scratch and autoscaler == "clusterAutoscaler":
            assert annotations == {_LOCAL: ",".join(scratch)}
            found["scratch"] += 1
        else:
            assert annotations == {}
            found["none"] += 1
    assert found["job"] == 7
    assert found["scratch" if autoscaler == "clusterAutoscaler" else "none"] >= 9


def test_without_an_autoscaler_of_nodes_no_pod_is_annotated(programs: Mapping[str, Recorder]) -> None:
    """So that a stack whose cluster has a fixed size rolls nothing."""
    for recorder in programs.values():
        assert [template for _, template in _templates(recorder) if "annotations" in template["metadata"]] == []
