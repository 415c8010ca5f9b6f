"""Rules for traffic to pods: Services, Ingresses, and the NetworkPolicies that must cover every pod and namespace."""

from collections.abc import Iterator

from policy.manifests import Manifest, ManifestSet, Pod, kind_of, name_of, namespace_of
from policy.operator_pods import OPERATOR_KINDS, operator_pod_of
from policy.paths import read
from policy.rules.base import Finding, ObjectRule, Parameters, SetRule
from policy.selectors import matches

_APPLICATION = "app.kubernetes.io/name"
_DIRECTIONS = ("Ingress", "Egress")
_ENFORCE = "pod-security.kubernetes.io/enforce"


def policy_directions(policy: Manifest) -> tuple[str, ...]:
    """Directions that a NetworkPolicy isolates; without any in `policyTypes` Kubernetes derives them from its rules."""
    declared = read(policy, "spec.policyTypes")
    if declared:
        return tuple(declared)
    return _DIRECTIONS if read(policy, "spec.egress") else ("Ingress",)


def _selected(service: Manifest, manifests: ManifestSet) -> list[Pod]:
    selector, namespace = {"matchLabels": read(service, "spec.selector")}, namespace_of(service)
    return [pod for pod in manifests.pods if pod.namespace == namespace and matches(selector, pod.labels)]


def _selected_of_operators(service: Manifest, manifests: ManifestSet) -> Iterator[Pod]:
    selector, namespace = {"matchLabels": read(service, "spec.selector")}, namespace_of(service)
    for manifest in manifests.of(*(kind for _, kind in OPERATOR_KINDS)):
        pod = operator_pod_of(manifest)
        if pod and namespace_of(manifest) == namespace and matches(selector, pod.labels):
            yield pod


def _exposed_services(manifest: Manifest, parameters: Parameters) -> Iterator[Finding]:
    if kind_of(manifest) != "Service" or f"{namespace_of(manifest)}/{name_of(manifest)}" in parameters.exposed_services:
        return
    service_type = read(manifest, "spec.type", "ClusterIP")
    if service_type != "ClusterIP":
        yield Finding(manifest, "spec.type", f"is {service_type}")
    if read(manifest, "spec.externalIPs"):
        yield Finding(manifest, "spec.externalIPs", "is set")


def _idle_services(manifests: ManifestSet, _: Parameters) -> Iterator[Finding]:
    for service in manifests.of("Service"):
        if read(service, "spec.type") == "ExternalName":
            continue
        if not read(service, "spec.selector"):
            yield Finding(
                service, "spec.selector", "is not set, so anybody who may write Endpoints directs its traffic"
            )
            continue
        pods = (*_selected(service, manifests), *_selected_of_operators(service, manifests))
        applications = {pod.labels.get(_APPLICATION) for pod in pods}
        if not applications:
            yield Finding(service, "spec.selector", "selects no pod")
        elif len(applications) > 1:
            names = ", ".join(sorted(map(str, applications)))
            yield Finding(service, "spec.selector", f"selects the pods of several applications ({names})")


def _has_port(pod: Pod, target: object, protocol: str) -> bool:
    ports = [port for container in pod.containers for port in container.spec.get("ports") or ()]
    key = "containerPort" if isinstance(target, int) else "name"
    return any(port.get(key) == target and port.get("protocol", "TCP") == protocol for port in ports)


def _lost_target_ports(manifests: ManifestSet, _: Parameters) -> Iterator[Finding]:
    for service in manifests.of("Service"):
        pods = _selected(service, manifests) if read(service, "spec.selector") else []
        for index, port in enumerate(read(service, "spec.ports", [])):
            target, protocol = port.get("targetPort", port.get("port")), port.get("protocol", "TCP")
            for pod in pods:
                if not _has_port(pod, target, protocol):
                    problem = f"is {target}, which no container of {name_of(pod.owner)} has for {protocol}"
                    yield Finding(service, f"spec.ports[{index}].targetPort", problem)


def _nameless_ports(manifest: Manifest, _: Parameters) -> Iterator[Finding]:
    if kind_of(manifest) == "Service":
        for index, port in enumerate(read(manifest, "spec.ports", [])):
            if not port.get("name"):
                yield Finding(manifest, f"spec.ports[{index}].name", "is not set")


def _plain_hosts(manifest: Manifest, _: Parameters) -> Iterator[Finding]:
    if kind_of(manifest) != "Ingress":
        return
    covered = {host for entry in read(manifest, "spec.tls", []) if entry.get("secretName") for host in entry["hosts"]}
    if read(manifest, "spec.defaultBackend"):
        yield Finding(manifest, "spec.defaultBackend", "answers for hosts that nobody named")
    for index, rule in enumerate(read(manifest, "spec.rules", [])):
        host = rule.get("host")
        if not host:
            yield Finding(manifest, f"spec.rules[{index}].host", "is not set")
        elif host not in covered:
            yield Finding(manifest, f"spec.rules[{index}].host", f"is {host}, which no entry of spec.tls covers")


def _uncovered_pods(manifests: ManifestSet, _: Parameters) -> Iterator[Finding]:
    for pod in manifests.pods:
        # The default deny closes a pod but opens nothing for it; every pod needs a policy of its own.
        own = [
            policy
            for policy in manifests.of("NetworkPolicy")
            if namespace_of(policy) == pod.namespace
            and read(policy, "spec.podSelector")
            and matches(read(policy, "spec.podSelector"), pod.labels)
        ]
        covered = {direction for policy in own for direction in policy_directions(policy)}
        for direction in _DIRECTIONS:
            if direction not in covered:
                path = f"{pod.path.removesuffix('spec')}metadata.labels"
                yield Finding(pod.owner, path, f"are selected by no NetworkPolicy for {direction.lower()}")


def _denies_all(policy: Manifest, direction: str) -> bool:
    return (
        read(policy, "spec.podSelector") == {}
        and direction in policy_directions(policy)
        and not read(policy, f"spec.{direction.lower()}")
    )


def _open_namespaces(manifests: ManifestSet, _: Parameters) -> Iterator[Finding]:
    for namespace in manifests.of("Namespace"):
        policies = [p for p in manifests.of("NetworkPolicy") if namespace_of(p) == name_of(namespace)]
        for direction in _DIRECTIONS:
            if not any(_denies_all(policy, direction) for policy in policies):
                yield Finding(namespace, "metadata.name", f"has no NetworkPolicy that denies all {direction.lower()}")


def _unrestricted_namespaces(manifest: Manifest, _: Parameters) -> Iterator[Finding]:
    if kind_of(manifest) != "Namespace":
        return
    labels = read(manifest, "metadata.labels", {})
    if labels.get(_ENFORCE) != "restricted":
        problem = f"is {labels.get(_ENFORCE) or 'not set'}"
        yield Finding(manifest, f'metadata.labels["{_ENFORCE}"]', problem)
    version = str(labels.get(f"{_ENFORCE}-version") or "")
    if not version.startswith("v1."):
        yield Finding(manifest, f'metadata.labels["{_ENFORCE}-version"]', f"is {version or 'not set'}")


RULES = (
    ObjectRule(
        id="services-stay-inside",
        title="No Service can be reached from outside or leads outside unless it is on the list.",
        reason="It bypasses the ingress with its TLS, and the NetworkPolicies of the namespace.",
        fix="use ClusterIP, or put the Service on exposed_services",
        check=_exposed_services,
    ),
    SetRule(
        id="services-select-pods",
        title="Every Service selects pods of the set, and of one application only.",
        reason="Requests to it would be refused, or go where others decide.",
        fix="use the selector labels of the workload",
        check=_idle_services,
    ),
    SetRule(
        id="service-target-port-exists",
        title="Every port of a Service leads to a port of the pods.",
        reason="Requests would be refused although everything looks ready.",
        fix="use the name or number of a container port",
        check=_lost_target_ports,
    ),
    ObjectRule(
        id="service-ports-are-named",
        title="Every port of a Service has a name.",
        reason="Monitors and the mesh find ports and their protocols by name.",
        fix="name the port, such as http",
        check=_nameless_ports,
    ),
    ObjectRule(
        id="ingress-has-tls",
        title="Every host of an Ingress is served with TLS, and nothing is served without a host.",
        reason="Tokens would cross the network in clear text.",
        fix="add the host to spec.tls with a secretName",
        check=_plain_hosts,
    ),
    SetRule(
        id="pods-have-a-network-policy",
        title="A NetworkPolicy of its own selects every pod in both directions.",
        reason="What a pod may send and receive must be written down for it.",
        fix="add a NetworkPolicy with policyTypes [Ingress, Egress] that selects the pods",
        check=_uncovered_pods,
    ),
    SetRule(
        id="namespaces-deny-by-default",
        title="Every namespace denies all traffic in both directions unless a policy allows it.",
        reason="A pod without a policy would be open to everybody.",
        fix="add a NetworkPolicy with podSelector {} and policyTypes [Ingress, Egress] without rules",
        check=_open_namespaces,
    ),
    ObjectRule(
        id="namespaces-enforce-restricted",
        title="Every namespace enforces the restricted Pod Security Standard of a fixed version.",
        reason="Objects that come from elsewhere than this program would not be held to it.",
        fix=f"set {_ENFORCE}: restricted and {_ENFORCE}-version to a minor version",
        check=_unrestricted_namespaces,
    ),
)
"""Rules about Services, Ingresses, NetworkPolicies and namespaces."""
