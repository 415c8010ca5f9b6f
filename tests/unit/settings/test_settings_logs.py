"""Settings of logs and dashboards, and the messages about all other input."""

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.settings.loki import FURTHER_LABELS, REQUIRED_LABELS
from tests.support.documents import REMOVED, alpha_settings, alpha_with, only_problem

BUCKET = {"endpoint": "https://s3.example.com", "bucket": "logs", "since": "2027-01-01"}
RESOURCES = {"requests": {"cpu": "50m", "memory": "64Mi"}, "limits": {"cpu": "100m", "memory": "128Mi"}}
CERTIFICATE = {"tls": {"additional": [{"host": "grafana.alt-las.local", "secretName": "grafana-tls"}]}}


@pytest.mark.parametrize(
    ("changes", "path", "message"),
    [
        (
            {"loki.labels": ["user_id"]},
            "loki.labels[0]",
            "'user_id' is not among the labels whose number of values is bounded (service, phase, pod, component, "
            "container, node, version); each value of a label opens a stream of its own, so write what differs from "
            "request to request into the line, and search it there",
        ),
        (
            {"loki.retentionDays": 60},
            "loki",
            "retentionDays (60) at ingestMebibytesPerDay (512) is 30720Mi, but of storageSize (20Gi) only 18432Mi are "
            "for logs; lower retentionDays to 36, raise storageSize, or name an objectStore",
        ),
        (
            {"loki.ingestMebibytesPerDay": 20000},
            "loki",
            "retentionDays (7) at ingestMebibytesPerDay (20000) is 140000Mi, but of storageSize (20Gi) only 18432Mi "
            "are for logs; raise storageSize, or name an objectStore",
        ),
        (
            {"loki.objectStore": BUCKET, "loki.ingestMebibytesPerDay": 20000},
            "loki",
            "one day at ingestMebibytesPerDay (20000) is 20000Mi, but of storageSize (20Gi) only 18432Mi are for logs; "
            "raise storageSize",
        ),
        (
            {"loki.objectStore": {key: value for key, value in BUCKET.items() if key != "bucket"}},
            "loki.objectStore.bucket",
            "is missing; it says: Bucket, which must exist.",
        ),
        (
            {"loki.objectStore": BUCKET | {"since": "soon"}},
            "loki.objectStore.since",
            "is not a day; write it as 2026-01-31",
        ),
        (
            {"loki.limits": {"ingestionRateMebibytes": 10}},
            "loki.limits",
            "ingestionBurstMebibytes (8) is below ingestionRateMebibytes (10), so a second's lines could never come at "
            "once; raise the burst",
        ),
        (
            {"loki.limits": {"maxStreams": 100}},
            "",
            "loki.limits.maxStreams (100) is below the 152 streams that the 38 pods of the services may have open at "
            "their largest scale; raise it or lower maxReplicas",
        ),
        (
            {"loki": REMOVED},
            "",
            "alloy is set, but loki is not, so nobody would keep what it reads; set loki or remove alloy",
        ),
        (
            {"prometheus": None, "alertmanager": None, "grafana": {"resources": RESOURCES}},
            "",
            "grafana is set, but prometheus is not, so its dashboards would stay empty; set prometheus (mode managed, "
            "or external for the cluster's own) or remove grafana",
        ),
        (
            {"prometheus": {}, "grafana": {"resources": RESOURCES, "host": "grafana.alt-las.local"}},
            "",
            "grafana.host is grafana.alt-las.local, which has no certificate, and nothing is served without TLS; add "
            "{host: grafana.alt-las.local, secretName: <secret>} to ingress.tls.additional",
        ),
        (
            {"prometheus": {}, "grafana": {"resources": RESOURCES, "host": "alt-las.local"}},
            "",
            "grafana.host is alt-las.local, which leads to a service already; give Grafana a host of its own",
        ),
    ],
)
def test_what_cannot_work_is_refused_with_path_and_cure(changes: Mapping[str, Any], path: str, message: str) -> None:
    """Before anything is registered."""
    assert only_problem(alpha_with(changes)) == (path, message)


def test_every_bounded_label_may_be_added_and_none_is_there_twice() -> None:
    """The required ones come first, also where a stack names them again."""
    loki = alpha_settings({"loki.labels": ["node", *FURTHER_LABELS, "service"]}).loki
    assert loki is not None
    assert loki.stream_labels == (*REQUIRED_LABELS, "node", "component", "container", "version")


@given(st.text(max_size=20))
def test_no_other_label_is_ever_accepted(name: str) -> None:
    """Whatever it is called: the list is closed."""
    document = alpha_with({"loki.labels": [name]})
    if name in (*REQUIRED_LABELS, *FURTHER_LABELS):
        return
    path, message = only_problem(document)
    assert path == "loki.labels[0]"
    assert "is not among the labels whose number of values is bounded" in message


def test_with_a_bucket_the_volume_holds_one_day_whatever_the_retention() -> None:
    """The rest lies behind the S3 interface."""
    loki = alpha_settings({"loki.objectStore": BUCKET, "loki.retentionDays": 365}).loki
    assert loki is not None
    assert loki.volume_mebibytes == 18432


def test_a_host_of_its_own_is_one_more_route_to_grafana_and_leaves_the_settings_alone() -> None:
    """The route table gets it; the stack file's own routes stay what they are."""
    grafana = {"resources": RESOURCES, "host": "grafana.alt-las.local"}
    platform = alpha_settings({"prometheus": {}, "grafana": grafana, "ingress.tls": CERTIFICATE["tls"]})
    assert [(each.service, platform.entry.host_of(each)) for each in platform.entry.routes] == [
        ("api-gateway", "alt-las.local"),
        ("grafana", "grafana.alt-las.local"),
    ]
    assert len(platform.ingress.routes) == 1
