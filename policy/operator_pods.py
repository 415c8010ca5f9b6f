"""The pods that operators make, as far as their custom resources say what they will be like.

What an operator adds of its own (users, capabilities, probes) stands in no manifest and is not guessed here.
"""

from collections.abc import Callable

from policy.manifests import Manifest, Pod, kind_of, name_of
from policy.paths import read

_CONTEXT = "securityContext"


def _database_server(manifest: Manifest) -> Pod:
    """A server of CloudNativePG. Its labels are the operator's and those that it is told to hand down."""
    spec = manifest.get("spec") or {}
    container = {"name": "postgres", "image": spec.get("imageName")}
    container |= {key: spec[key] for key in ("imagePullPolicy", "resources", "env") if key in spec}
    pod = {
        _CONTEXT: {"seccompProfile": spec.get("seccompProfile") or {}},
        "topologySpreadConstraints": spec.get("topologySpreadConstraints") or [],
        "containers": [container],
    }
    labels = {"cnpg.io/cluster": name_of(manifest)} | dict(read(spec, "inheritedMetadata.labels", {}))
    return Pod(manifest, "spec", labels, pod)


def _monitoring_server(manifest: Manifest) -> Pod:
    """A Prometheus or an Alertmanager of the Prometheus Operator."""
    spec = manifest.get("spec") or {}
    program = kind_of(manifest).lower()
    container = {"name": program, "image": spec.get("image")}
    container |= {key: spec[key] for key in ("imagePullPolicy", "resources") if key in spec}
    pod = {"containers": [container]} | {
        key: spec[key]
        for key in (
            _CONTEXT,
            "automountServiceAccountToken",
            "hostNetwork",
            "serviceAccountName",
            "topologySpreadConstraints",
            "volumes",
        )
        if key in spec
    }
    labels = {
        "app.kubernetes.io/name": program,
        "app.kubernetes.io/instance": name_of(manifest),
        program: name_of(manifest),
    }
    return Pod(manifest, "spec", labels | dict(read(spec, "podMetadata.labels", {})), pod)


OPERATOR_KINDS: dict[tuple[str, str], Callable[[Manifest], Pod]] = {
    ("postgresql.cnpg.io", "Cluster"): _database_server,
    ("monitoring.coreos.com", "Prometheus"): _monitoring_server,
    ("monitoring.coreos.com", "Alertmanager"): _monitoring_server,
}
"""API group and kind of every custom resource of which an operator makes pods."""


def group_of(manifest: Manifest) -> str:
    """API group of an object; empty for the core one."""
    group, slash, _ = str(manifest.get("apiVersion", "")).partition("/")
    return group if slash else ""


def operator_pod_of(manifest: Manifest) -> Pod | None:
    """The pods that an operator makes of a custom resource, or None for an object that is none of those."""
    make = OPERATOR_KINDS.get((group_of(manifest), kind_of(manifest)))
    return make(manifest) if make else None
