"""Rules for labels, selectors and names."""

from collections import Counter
from collections.abc import Iterator

from policy.manifests import (
    CLUSTER_SCOPED,
    UNKNOWN,
    Manifest,
    ManifestSet,
    kind_of,
    labels_of,
    name_of,
    namespace_of,
    pod_of,
)
from policy.paths import join, read
from policy.rules.base import Finding, ObjectRule, Parameters, SetRule
from policy.selectors import selector_keys

_EVERYWHERE = ("app.kubernetes.io/part-of", "app.kubernetes.io/managed-by")
_OF_PODS = ("app.kubernetes.io/name", "app.kubernetes.io/component", *_EVERYWHERE)
_OF_NOBODY = ("Namespace", "NetworkPolicy")
_VERSION = "app.kubernetes.io/version"
_VERSION_LABELS = (_VERSION, "helm.sh/chart", "version")


def _missing_labels(manifest: Manifest, _: Parameters) -> Iterator[Finding]:
    # A namespace and its default policies belong to all workloads, so they have no name of one.
    shared = kind_of(manifest) in _OF_NOBODY and not read(manifest, "spec.podSelector")
    for label in _EVERYWHERE if shared else _OF_PODS:
        if not labels_of(manifest).get(label):
            yield Finding(manifest, join("metadata.labels", label), "is not set")
    pod = pod_of(manifest)
    if pod is not None and pod.path != "spec":
        for label in _OF_PODS:
            if not pod.labels.get(label):
                template = pod.path.removesuffix(".spec")
                yield Finding(manifest, join(f"{template}.metadata.labels", label), "is not set")


def _selectors(manifest: Manifest) -> Iterator[tuple[str, frozenset[str]]]:
    kind = kind_of(manifest)
    if kind == "NetworkPolicy":
        yield "spec.podSelector", selector_keys(read(manifest, "spec.podSelector", {}))
    elif kind in ("Service", "ReplicationController"):
        yield "spec.selector", frozenset(read(manifest, "spec.selector") or {})
    elif isinstance(read(manifest, "spec.selector"), dict):
        yield "spec.selector", selector_keys(read(manifest, "spec.selector"))


def _version_selectors(manifest: Manifest, _: Parameters) -> Iterator[Finding]:
    for path, keys in _selectors(manifest):
        for label in sorted(keys & set(_VERSION_LABELS)):
            yield Finding(manifest, path, f"selects by {label}")


def _cluster_scoped_names(manifest: Manifest, parameters: Parameters) -> Iterator[Finding]:
    # A namespace has its name from the settings, where two stacks cannot have the same one unnoticed.
    if parameters.stack is None or kind_of(manifest) not in CLUSTER_SCOPED - {"Namespace"}:
        return
    if kind_of(manifest) != "CustomResourceDefinition" and parameters.stack not in name_of(manifest).split("-"):
        yield Finding(manifest, "metadata.name", f"is {name_of(manifest)}, without the stack's name {parameters.stack}")


def _namespaces(manifests: ManifestSet, _: Parameters) -> Iterator[Finding]:
    known = {name_of(namespace) for namespace in manifests.of("Namespace")}
    for manifest in manifests.manifests:
        namespace = namespace_of(manifest)
        if kind_of(manifest) in CLUSTER_SCOPED:
            continue
        if not namespace:
            yield Finding(manifest, "metadata.namespace", "is not set")
        elif namespace not in known:
            yield Finding(manifest, "metadata.namespace", f"is {namespace}, which is no Namespace of the stack")


def _twins(manifests: ManifestSet, _: Parameters) -> Iterator[Finding]:
    identities = [
        (str(m.get("apiVersion")).partition("/")[0], kind_of(m), namespace_of(m), name_of(m))
        for m in manifests.manifests
    ]
    counts = Counter(identities)
    seen = set()
    for manifest, identity in zip(manifests.manifests, identities, strict=True):
        if counts[identity] > 1 and identity not in seen and identity[3] not in ("", UNKNOWN):
            seen.add(identity)
            yield Finding(manifest, "metadata.name", f"is used by {counts[identity]} objects")


RULES = (
    ObjectRule(
        id="recommended-labels",
        title="Every object and every pod carries the recommended labels.",
        reason="Policies, dashboards and people find what belongs together by them.",
        fix="set app.kubernetes.io/name, component, part-of and managed-by",
        check=_missing_labels,
    ),
    ObjectRule(
        id="no-version-in-selectors",
        title="No selector looks at a version.",
        reason="Selectors are immutable, so the next release could not be applied.",
        fix="select by app.kubernetes.io/name and app.kubernetes.io/part-of",
        check=_version_selectors,
    ),
    ObjectRule(
        id="cluster-scoped-names-carry-the-stack",
        title="The name of every cluster-scoped object carries the stack.",
        reason="Two stacks on one cluster would overwrite each other's objects.",
        fix="add the stack's name as a part between hyphens",
        check=_cluster_scoped_names,
    ),
    SetRule(
        id="namespace-belongs-to-the-stack",
        title="Every object lies in a Namespace of the stack.",
        reason="Elsewhere neither the restricted profile nor the default deny is certain.",
        fix="name the namespace of the stack",
        check=_namespaces,
    ),
    SetRule(
        id="objects-are-unique",
        title="No two objects have the same kind, namespace and name.",
        reason="The later one overwrites the earlier one without a word.",
        fix="rename or remove one of them",
        check=_twins,
    ),
)
"""Rules about labels, selectors and names."""
