"""The pods that operators make, as far as their custom resources say what they will be like.

What an operator adds of its own (users, capabilities, probes) stands in no manifest and is not guessed here.
"""

from collections.abc import Callable

from policy.manifests import Container, Manifest, Pod, group_of, kind_of, name_of
from policy.paths import read

_CONTEXT = "securityContext"


def _database_server(manifest: Manifest) -> Pod:
    """A server of CloudNativePG. Its labels are the operator's and those that the Cluster lets it inherit."""
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


IMAGE_FIELDS = {"Cluster": "imageName", "Prometheus": "image", "Alertmanager": "image"}
"""Path below `spec` of the image of a custom resource's pods."""

OPERATOR_KINDS: dict[tuple[str, str], Callable[[Manifest], Pod]] = {
    ("postgresql.cnpg.io", "Cluster"): _database_server,
    ("monitoring.coreos.com", "Prometheus"): _monitoring_server,
    ("monitoring.coreos.com", "Alertmanager"): _monitoring_server,
}
"""API group and kind of every custom resource of which an operator makes pods."""


def operator_pod_of(manifest: Manifest) -> Pod | None:
    """The pods that an operator makes of a custom resource, or None for an object that is none of those."""
    make = OPERATOR_KINDS.get((group_of(manifest), kind_of(manifest)))
    return make(manifest) if make else None


def described_container(manifest: Manifest) -> Container | None:
    """Main container of a custom resource's pods, with its path; None for other objects."""
    if (group_of(manifest), kind_of(manifest)) not in OPERATOR_KINDS:
        return None
    return Container("spec", manifest.get("spec") or {}, "containers")
