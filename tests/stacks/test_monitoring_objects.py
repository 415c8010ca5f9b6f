"""Changes of monitoring by a transition, and that it keeps what has been measured."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

from rendering.recorder import Recorder, record
from tests.stacks.test_programs import by_key, transitioned
from tests.support.documents import alpha_with
from tests.support.monitoring import MONITORING, is_monitoring


def test_monitoring_is_exactly_these_objects(programs: Mapping[str, Recorder]) -> None:
    """By name; the kinds are counted with all the others."""
    for stack, expected in MONITORING.items():
        found = [key for key in by_key(programs[stack]) if is_monitoring(key)]
        assert Counter(kind for kind, _ in found) == expected
        assert len(found) == {"alpha": 56, "beta": 55}[stack]


def test_a_transition_changes_retention_and_replicas_and_no_volume(programs: Mapping[str, Recorder]) -> None:
    """The claim of each server is the very same, so no volume is replaced."""
    before, after = by_key(programs["alpha"]), by_key(transitioned())
    keys = [key for key in before.keys() & after.keys() if is_monitoring(key)]
    changed = {key for key in keys if before[key].inputs != after[key].inputs}
    assert Counter(kind for kind, _ in changed) == {
        "Prometheus": 1,
        "Alertmanager": 1,
        "PrometheusRule": 4,
        "NetworkPolicy": 2,
    }
    for key, replicas in ((("Prometheus", "prometheus"), 2), (("Alertmanager", "alertmanager"), 2)):
        old, new = before[key].inputs["spec"], after[key].inputs["spec"]
        assert (old["replicas"], new["replicas"]) == (1, replicas)
        assert old["storage"] == new["storage"]
        assert new["persistentVolumeClaimRetentionPolicy"] == {"whenDeleted": "Retain", "whenScaled": "Retain"}
    kept = [each[("Prometheus", "prometheus")].inputs["spec"]["retention"] for each in (before, after)]
    assert kept == ["15d", "30d"]


def test_the_mode_external_brings_monitors_and_rules_and_no_server() -> None:
    """With the labels by which the cluster's own Prometheus selects them; our own labels win."""
    external = {"mode": "external", "external": {"monitorLabels": {"release": "stack"}}}
    document: dict[str, Any] = alpha_with({"prometheus": external, "alertmanager": None})
    objects = record("alpha", document).objects
    kinds = {each["kind"] for each in objects}
    assert not kinds & {"Prometheus", "Alertmanager"}
    selected = [each for each in objects if each["apiVersion"].startswith("monitoring.coreos.com")]
    assert {each["kind"] for each in selected} == {"ServiceMonitor", "PodMonitor", "Probe", "PrometheusRule"}
    assert {each["metadata"]["labels"]["release"] for each in selected} == {"stack"}
    (gateway,) = (e for e in objects if (e["kind"], e["metadata"]["name"]) == ("NetworkPolicy", "api-gateway"))
    peers = [peer for rule in gateway["spec"]["ingress"] for peer in rule["from"] if "namespaceSelector" in peer]
    assert {"kubernetes.io/metadata.name": "monitoring"} in [p["namespaceSelector"]["matchLabels"] for p in peers]
