"""Flagger in a pod of the nodes, and releases for it to judge."""

from dataclasses import replace
from typing import Any

from cluster.node.images import IMAGES, chosen
from cluster.node.images.layers import ProgramLayer
from cluster.node.images.recipe import NodeImage, PublishedImage
from tests.node.platform.project import NAMESPACE
from tests.node.real_cluster import pod_spec

FLAGGER, FLAGGER_NAMESPACE = "flagger", "flagger-system"
TLS_SECRET = "alt-las-tls"
FAILING_PERCENT = 20
_REPOSITORY = "registry.invalid/alt-las/api-gateway"
GOOD = {"repository": _REPOSITORY, "tag": "2.0.0-good"}
"""Same program as the release before it."""

BAD = {"repository": _REPOSITORY, "tag": "2.0.0-failing"}
_IMAGE = "ghcr.io/fluxcd/flagger:1.44.0"


def images() -> list[NodeImage]:
    """Flagger, and two releases of the gateway, of which one answers a share of the requests with an error."""
    (gateway,) = chosen(IMAGES, [f"{_REPOSITORY}:1.0.0-alpha"])
    good = replace(gateway, references=(f"{_REPOSITORY}:{GOOD['tag']}",))
    failing = replace(
        gateway,
        references=(f"{_REPOSITORY}:{BAD['tag']}",),
        environment=(f"FAILING_PERCENT={FAILING_PERCENT}",),
    )
    flagger = NodeImage(
        references=(_IMAGE,),
        holds="Flagger 1.44.0, built from its Go module",
        published=PublishedImage(source="fluxcd/flagger v1.44.0 Dockerfile", programs=("/flagger",)),
        layers=(ProgramLayer(programs=((FLAGGER, "flagger"),)),),
    )
    return [flagger, good, failing]


def controller() -> list[dict[str, Any]]:
    """Flagger in its namespace, with the labels by which policies let it in; it may do everything."""
    labels = {"app.kubernetes.io/name": FLAGGER}
    place = {"name": FLAGGER, "namespace": FLAGGER_NAMESPACE}
    command = ["/flagger", "-mesh-provider=gatewayapi:v1", f"-namespace={NAMESPACE}", "-log-level=info"]
    resources = {"requests": {"cpu": "10m", "memory": "64Mi"}, "limits": {"memory": "256Mi"}}
    spec = pod_spec("", image=_IMAGE, command=command, resources=resources) | {
        "serviceAccountName": FLAGGER,
        "automountServiceAccountToken": True,
    }
    return [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": FLAGGER_NAMESPACE}},
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": place},
        {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "ClusterRoleBinding",
            "metadata": {"name": FLAGGER},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"},
            "subjects": [{"kind": "ServiceAccount", **place}],
        },
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {**place, "labels": labels},
            "spec": {
                "selector": {"matchLabels": labels},
                "template": {"metadata": {"labels": labels}, "spec": spec},
            },
        },
    ]
