"""Pods that no manifest shows and that a selector lets take part all the same: all with the labels it names."""

import ipaddress
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product

from policy.manifests import Manifest, ManifestSet, namespace_of
from policy.paths import read
from policy.proof.addresses import peers_of
from policy.proof.endpoints import NAMESPACE_NAME, OTHERS, Endpoint, namespace_labels
from policy.selectors import Labels, matches

_ADDRESS = ipaddress.IPv4Address("10.42.255.10")
_ELSEWHERE = "elsewhere"
_ANY_VALUE = "anything"
_UNLIKELY_PORT = 9


@dataclass(frozen=True)
class _Selection:
    """One selector of pods and the one of their namespaces; a namespace by name is a selector, too."""

    of_pods: Manifest
    of_namespaces: Manifest

    def selects(self, endpoint: Endpoint) -> bool:
        """Tell whether an endpoint is one of the selected pods."""
        return matches(self.of_pods, endpoint.labels) and matches(self.of_namespaces, endpoint.namespace_labels)


def strangers(manifests: ManifestSet, known: Sequence[Endpoint], policies: Sequence[Manifest]) -> tuple[Endpoint, ...]:
    """One pod for each choice of labels that a selector admits and for which nobody known stands.

    Without them a rule for all pods of another team's namespace would look as if it admitted nobody.

    Args:
        manifests: All objects of the stack.
        known: Everybody who is judged anyway.
        policies: Policies whose selectors are looked at.
    """
    pods = [endpoint for endpoint in known if endpoint.namespace is not None]
    own = {pod.namespace for pod in pods if pod.managed}
    found: dict[str, Endpoint] = {}
    for selection in _selections(policies):
        for in_namespace, of_pod in product(_choices(selection.of_namespaces), _choices(selection.of_pods)):
            if not any(_stands_for(pod, selection, in_namespace, of_pod) for pod in pods):
                stranger = _stranger(manifests, own, selection, in_namespace, of_pod)
                if selection.selects(stranger):
                    found.setdefault(stranger.name, stranger)
    return tuple(found.values())


def with_any_named_port(endpoints: Sequence[Endpoint], policies: Sequence[Manifest]) -> tuple[Endpoint, ...]:
    """The endpoints, where pods of others have every named port that a rule means: they may call any port so."""
    rules = (rule for policy in policies for key in ("ingress", "egress") for rule in read(policy, f"spec.{key}") or ())
    entries = [entry for rule in rules for entry in rule.get("ports") or () if isinstance(entry.get("port"), str)]
    names = {entry["port"]: (entry.get("protocol", "TCP"), _UNLIKELY_PORT) for entry in entries}
    return tuple(
        replace(each, named_ports={**names, **each.named_ports}) if names and _is_of_others(each) else each
        for each in endpoints
    )


def _is_of_others(endpoint: Endpoint) -> bool:
    return endpoint.namespace is not None and (not endpoint.managed or OTHERS in endpoint.groups)


def _selections(policies: Sequence[Manifest]) -> Iterator[_Selection]:
    for policy in policies:
        own = {"matchLabels": {NAMESPACE_NAME: namespace_of(policy)}}
        yield _Selection(read(policy, "spec.podSelector") or {}, own)
        for peer in peers_of([policy]):
            if "ipBlock" not in peer:
                of_namespaces = peer.get("namespaceSelector")
                yield _Selection(peer.get("podSelector") or {}, own if of_namespaces is None else of_namespaces)


def _choices(selector: Manifest) -> Iterator[dict[str, str]]:
    """Every choice of values that a selector names; a label that need only exist is in none of them."""
    fixed = dict(selector.get("matchLabels") or {})
    listed = [each for each in selector.get("matchExpressions") or () if each["operator"] == "In"]
    for values in product(*(each["values"] for each in listed)):
        yield fixed | {each["key"]: value for each, value in zip(listed, values, strict=True)}


def _stands_for(pod: Endpoint, selection: _Selection, in_namespace: Labels, of_pod: Labels) -> bool:
    """Tell whether one pod stands for every pod with some labels.

    Every namespace may carry the labels of the stack's own one but for its name, so a pod of the stack stands for none
    in another. Where pods need no label at all, one that has none is looked for.
    """
    if (pod.managed and NAMESPACE_NAME not in in_namespace) or (not selection.of_pods and pod.labels):
        return False
    has_them = of_pod.items() <= pod.labels.items() and in_namespace.items() <= pod.namespace_labels.items()
    return has_them and selection.selects(pod)


def _stranger(
    manifests: ManifestSet, own: set[str | None], selection: _Selection, in_namespace: Labels, of_pod: Labels
) -> Endpoint:
    of_namespace = {NAMESPACE_NAME: _ELSEWHERE} | _existing(selection.of_namespaces) | dict(in_namespace)
    namespace, labels = of_namespace[NAMESPACE_NAME], _existing(selection.of_pods) | dict(of_pod)
    place = f"{namespace} ({_text(of_namespace)})" if len(of_namespace) > 1 else namespace
    return Endpoint(
        name=f"a pod in {place} with the labels {_text(labels)}" if labels else f"a pod without labels in {place}",
        groups=frozenset({OTHERS}),
        address=_ADDRESS,
        namespace=namespace,
        labels=labels,
        namespace_labels=namespace_labels(manifests, namespace) | of_namespace,
        managed=namespace in own,
    )


def _existing(selector: Manifest) -> dict[str, str]:
    expressions = selector.get("matchExpressions") or ()
    return {each["key"]: _ANY_VALUE for each in expressions if each["operator"] == "Exists"}


def _text(labels: Labels) -> str:
    return ", ".join(f"{key}={value}" for key, value in labels.items() if key != NAMESPACE_NAME)
