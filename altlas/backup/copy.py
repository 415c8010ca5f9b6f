"""A second Redis or NATS as the target of a restore, with one server and an empty volume.

Derived from the objects that the program would deploy for one server. It has the live users and passwords, but no
service knows its address.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from components.kubernetes.naming import NAME

Manifest = dict[str, Any]

MANAGER_LABEL = "app.kubernetes.io/managed-by"
_KINDS = ("ServiceAccount", "ConfigMap", "Service", "StatefulSet")
_PORTS = {"redis": 6379, "nats": 4222}


def single_server(document: Mapping[str, Any], store: str) -> dict[str, Any]:
    """Settings of a stack with one server of a store, and streams with one replica."""
    settings: dict[str, Any] = {**document[store], "replicas": 1}
    if "streams" in settings:
        settings["streams"] = [{**stream, "replicas": 1} for stream in settings["streams"]]
    return {**document, store: settings}


def copied_objects(
    objects: Iterable[Mapping[str, Any]], store: str, into: str, secrets: Mapping[str, str]
) -> list[Manifest]:
    """The objects of the copy, in the order of their creation.

    Args:
        objects: Objects of the program with one server of the store.
        store: The store.
        into: Name of the copy.
        secrets: Names of the live Secrets by the names that the program's objects have for them.
    """
    own = [each for each in objects if _label(each) == store]
    renamed = [_renamed(each, store, into, secrets) for kind in _KINDS for each in own if each["kind"] == kind]
    return [*_policies(renamed[0]["metadata"], store, into), *renamed]


def secret_names(stateful_set: Mapping[str, Any]) -> list[str]:
    """Names of the Secrets that a StatefulSet's pods use, in the order of their first use."""
    found: dict[str, None] = {}
    for key, value in _leaves(stateful_set["spec"]["template"]["spec"]):
        if key[-2:] in (("secretKeyRef", "name"), ("secret", "secretName"), ("secret", "name")):
            found[value] = None
    return list(found)


def _leaves(tree: Any, path: tuple[str, ...] = ()) -> Iterable[tuple[tuple[str, ...], str]]:
    if isinstance(tree, dict):
        for key, value in tree.items():
            yield from _leaves(value, (*path, key))
    elif isinstance(tree, list):
        for value in tree:
            yield from _leaves(value, path)
    elif isinstance(tree, str):
        yield path, tree


def _label(manifest: Mapping[str, Any]) -> str:
    return str(manifest["metadata"].get("labels", {}).get(NAME, ""))


def _renamed(manifest: Mapping[str, Any], store: str, into: str, secrets: Mapping[str, str]) -> Manifest:
    """The manifest under another name: the object's, its selectors' and its host names'."""

    def walk(tree: Any, path: tuple[str, ...]) -> Any:
        if isinstance(tree, dict):
            return {key: walk(value, (*path, key)) for key, value in tree.items()}
        if isinstance(tree, list):
            return [walk(value, path) for value in tree]
        return text(tree, path) if isinstance(tree, str) else tree

    def text(value: str, path: tuple[str, ...]) -> str:
        if value in secrets and path[-1] in ("name", "secretName"):
            return secrets[value]
        if value == store and path[-1] in (NAME, "serviceAccountName"):
            return into
        if path[-2:] == ("configMap", "name"):
            return into + value.removeprefix(store)
        return value.replace(f"{store}-0.", f"{into}-0.").replace(f"{store}-servers", f"{into}-servers")

    result: Manifest = walk(dict(manifest), ())
    name = str(manifest["metadata"]["name"])
    result["metadata"]["name"] = into + name.removeprefix(store) if name.startswith(store) else name
    result["metadata"]["labels"][MANAGER_LABEL] = "altlas"
    return result


def _policies(metadata: Mapping[str, Any], store: str, into: str) -> Sequence[Manifest]:
    """The backup pods of the store may connect to the copy; the copy connects to nothing."""
    ports = [{"protocol": "TCP", "port": _PORTS[store]}]
    copied, dumps = ({"matchLabels": {NAME: name}} for name in (into, f"{store}-backup"))
    inward: Manifest = {
        "podSelector": copied,
        "policyTypes": ["Ingress", "Egress"],
        "ingress": [{"from": [{"podSelector": dumps}], "ports": ports}],
        "egress": [],
    }
    outward: Manifest = {
        "podSelector": dumps,
        "policyTypes": ["Egress"],
        "egress": [{"to": [{"podSelector": copied}], "ports": ports}],
    }
    return [
        {
            "apiVersion": "networking.k8s.io/v1",
            "kind": "NetworkPolicy",
            "metadata": {**metadata, "name": name},
            "spec": spec,
        }
        for name, spec in ((into, inward), (f"{into}-restore", outward))
    ]
