"""The objects of Loki and Alloy: who may reach what, what Alloy may read, and what never changes later."""

import json
from collections.abc import Mapping
from typing import Any

import pulumi
import pytest

from components.observability.logs.loki_configuration import FIRST_DAY
from components.settings.secrets import SECRETS
from rendering.recorder import Recorder, record
from tests.support.certificates import AUTHORITY
from tests.support.documents import STACKS, alpha_with, platform_of
from tests.support.program import find, scraped_on

BUCKET = {"endpoint": "https://s3.example.com", "bucket": "logs", "since": "2027-01-01"}
KEYS = {"lokiS3AccessKeyId": "key-id-of-the-bucket", "lokiS3SecretAccessKey": "key-of-the-bucket"}
REQUIRED = {secret.key: f"<{secret.key}>" for secret in SECRETS if secret.required}


def loki_configuration(objects: list[dict[str, Any]]) -> dict[str, Any]:
    """The configuration of Loki."""
    found: dict[str, Any] = json.loads(find(objects, "ConfigMap", "loki-configuration")["data"]["config.yaml"])
    return found


@pytest.mark.parametrize("stack", STACKS)
def test_alloy_may_read_pods_and_their_logs_in_its_namespace_and_nothing_else(
    programs: Mapping[str, Recorder], stack: str
) -> None:
    """A Role, no ClusterRole; no Secret, no write, no exec."""
    objects = programs[stack].objects
    rules = [{"apiGroups": [""], "resources": ["pods", "pods/log"], "verbs": ["get", "list", "watch"]}]
    assert find(objects, "Role", "alloy")["rules"] == rules
    binding = find(objects, "RoleBinding", "alloy")
    assert binding["roleRef"]["name"] == "alloy"
    namespace = platform_of(stack)["namespace"]
    assert binding["subjects"] == [{"kind": "ServiceAccount", "name": "alloy", "namespace": namespace}]
    assert "ClusterRole" not in {each["kind"] for each in objects}


@pytest.mark.parametrize("stack", STACKS)
def test_only_those_who_ask_the_api_server_have_a_token_and_nobody_mounts_the_node(
    programs: Mapping[str, Recorder], stack: str
) -> None:
    """Its ServiceAccount hands none out by itself, so the pod's own word is what counts."""
    objects = programs[stack].objects
    assert find(objects, "ServiceAccount", "alloy")["automountServiceAccountToken"] is False
    workloads = [each for each in objects if each["kind"] in {"Deployment", "StatefulSet"}]
    pods = {each["metadata"]["name"]: each["spec"]["template"]["spec"] for each in workloads}
    asking = {name for name, pod in pods.items() if pod["automountServiceAccountToken"]}
    assert asking == {"alloy", "backup-metrics", "kube-state-metrics"}
    assert "hostPath" not in json.dumps(pods)


def test_loki_is_reached_by_alloy_and_grafana_and_reaches_nobody_but_dns(programs: Mapping[str, Recorder]) -> None:
    """Alloy brings logs, Grafana shows them, and Prometheus watches both."""
    spec = find(programs["alpha"].objects, "NetworkPolicy", "loki")["spec"]
    ((rule, scraped), (dns,)) = spec["ingress"], spec["egress"]
    assert scraped == scraped_on(3100)
    callers = [peer["podSelector"]["matchLabels"]["app.kubernetes.io/name"] for peer in rule["from"]]
    assert callers == ["alloy", "grafana"]
    assert [port["port"] for port in rule["ports"]] == [3100]
    assert {port["port"] for port in dns["ports"]} == {53}


def test_every_service_sends_to_alloy_by_otlp_and_alloy_reaches_loki_and_the_api_server(
    programs: Mapping[str, Recorder],
) -> None:
    """Both ends of each connection."""
    objects = programs["alpha"].objects
    spec = find(objects, "NetworkPolicy", "alloy")["spec"]
    services = platform_of("alpha")["services"]
    entrance, scraped = spec["ingress"]
    assert scraped == scraped_on(12345)
    callers = [peer["podSelector"]["matchLabels"]["app.kubernetes.io/name"] for peer in entrance["from"]]
    assert (sorted(callers), [port["port"] for port in entrance["ports"]]) == (sorted(services), [4318, 4317])
    reached = {tuple(port["port"] for port in rule["ports"]) for rule in spec["egress"]}
    assert reached == {(3100,), (9090,), (53, 53), (443, 6443)}
    for service in services:
        rules = find(objects, "NetworkPolicy", service)["spec"]["egress"]
        assert [4318, 4317] in [[port["port"] for port in rule["ports"]] for rule in rules]


def test_retention_labels_and_limits_come_from_the_settings() -> None:
    """And a sender can add no label of its own."""
    limits = {"ingestionRateMebibytes": 2, "ingestionBurstMebibytes": 3, "maxStreams": 900, "maxLineKibibytes": 16}
    document = alpha_with({"loki.retentionDays": 9, "loki.labels": ["node"], "loki.limits": limits})
    found = loki_configuration(record("alpha", document).objects)["limits_config"]
    assert (found["retention_period"], found["reject_old_samples_max_age"]) == ("216h", "216h")
    assert (found["ingestion_rate_mb"], found["ingestion_burst_size_mb"]) == (2, 3)
    assert (found["max_global_streams_per_user"], found["max_line_size"]) == (900, "16KB")
    attributes = found["otlp_config"]["resource_attributes"]
    assert attributes["ignore_defaults"] is True
    labels = [{"action": "index_label", "attributes": ["service", "phase", "pod", "node"]}]
    assert attributes["attributes_config"] == labels
    assert found["discover_service_name"] == []


def test_one_index_of_schema_13_and_a_second_from_the_day_of_the_bucket_on(programs: Mapping[str, Recorder]) -> None:
    """Earlier logs are still found where they were written."""
    own = loki_configuration(programs["alpha"].objects)["schema_config"]["configs"]
    assert [(each["from"], each["store"], each["schema"], each["object_store"]) for each in own] == [
        (FIRST_DAY, "tsdb", "v13", "filesystem")
    ]
    both = loki_configuration(with_bucket())["schema_config"]["configs"]
    assert [(each["from"], each["object_store"]) for each in both] == [(FIRST_DAY, "filesystem"), ("2027-01-01", "s3")]


def with_bucket() -> list[dict[str, Any]]:
    """Alpha with its logs in a bucket."""
    return record("alpha", alpha_with({"loki.objectStore": BUCKET}), REQUIRED | KEYS).objects


def test_a_bucket_is_reached_over_the_internet_with_keys_from_a_secret_alone() -> None:
    """They stand in the Secret and in no other object."""
    objects = with_bucket()
    secret = find(objects, "Secret", "loki-secrets")
    assert secret["stringData"] == {
        "AWS_ACCESS_KEY_ID": KEYS["lokiS3AccessKeyId"],
        "AWS_SECRET_ACCESS_KEY": KEYS["lokiS3SecretAccessKey"],
    }
    others = json.dumps([each for each in objects if each is not secret and each["kind"] != "Secret"])
    assert not [value for value in KEYS.values() if value in others]
    (container,) = find(objects, "StatefulSet", "loki")["spec"]["template"]["spec"]["containers"]
    from_secret = [each["name"] for each in container["env"] if "valueFrom" in each]
    assert from_secret == ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"]
    reached = [
        port["port"] for rule in find(objects, "NetworkPolicy", "loki")["spec"]["egress"] for port in rule["ports"]
    ]
    assert reached == [53, 53, 443]


def test_a_bucket_s_private_authority_is_trusted() -> None:
    """Its certificates lie beside the configuration that names them."""
    objects = record(
        "alpha", alpha_with({"loki.objectStore": BUCKET | {"endpointCa": AUTHORITY}}), REQUIRED | KEYS
    ).objects
    assert loki_configuration(objects)["storage_config"]["aws"]["http_config"] == {"ca_file": "/etc/loki/ca.crt"}
    (data,) = (
        each["data"]
        for each in objects
        if each["kind"] == "ConfigMap" and "loki-configuration" in each["metadata"]["name"]
    )
    assert data["ca.crt"] == AUTHORITY
    assert "http_config" not in loki_configuration(with_bucket())["storage_config"]["aws"]


def test_a_bucket_without_keys_is_refused_with_the_way_to_set_them() -> None:
    """Both are named at once, before anything is registered."""
    with pytest.raises(pulumi.RunError) as caught:
        record("alpha", alpha_with({"loki.objectStore": BUCKET}), REQUIRED)
    message = str(caught.value)
    assert message.startswith("2 problems in the stack configuration, nothing was changed:")
    for key in KEYS:
        assert (
            f"alt-las:{key}: is missing, and loki.objectStore needs it; set it with `pulumi config set --secret "
            f"--stack alpha alt-las:{key}`, or remove loki.objectStore."
        ) in message


def test_a_longer_retention_changes_neither_the_volume_nor_the_identity_of_the_server(
    programs: Mapping[str, Recorder],
) -> None:
    """Fields that Kubernetes cannot change are the same in both phases."""
    first, second = (find(programs[stack].objects, "StatefulSet", "loki")["spec"] for stack in STACKS)
    for field in ("volumeClaimTemplates", "selector", "serviceName", "podManagementPolicy", "replicas"):
        assert first[field] == second[field]
    assert first["persistentVolumeClaimRetentionPolicy"] == {"whenDeleted": "Retain", "whenScaled": "Retain"}
    retention = [loki_configuration(programs[stack].objects)["limits_config"]["retention_period"] for stack in STACKS]
    assert retention == ["168h", "336h"]
