"""What becomes of an addon's files: its definitions, and the objects of its operator."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from cluster.addons.manifest import Addon, AddonNamespace

PART_OF = "alt-las-addons"
"""Value of `app.kubernetes.io/part-of` on everything that is installed from here; without it an object is not ours."""

_Object = dict[str, Any]
_DEFINITION = "CustomResourceDefinition"
_WEBHOOKS = ("MutatingWebhookConfiguration", "ValidatingWebhookConfiguration")
_POD_SECURITY = {"pod-security.kubernetes.io/enforce": "restricted"}


class _Loader(yaml.CSafeLoader):
    """Reads YAML as Kubernetes does: a lone `=` is a text, where YAML 1.1 has a special value."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:value"]
    for first, resolvers in yaml.CSafeLoader.yaml_implicit_resolvers.items()
}


@dataclass(frozen=True)
class AddonObjects:
    """The objects of one addon.

    Attributes:
        definitions: Its CustomResourceDefinitions.
        operator: Everything else, namespaces first.
    """

    definitions: tuple[_Object, ...]
    operator: tuple[_Object, ...]


def addon_objects(addon: Addon, files: Iterable[Path], *, webhooks: bool) -> AddonObjects:
    """Read an addon's files and make them ours: labelled, in the addon's own namespace.

    Args:
        addon: Says which namespace.
        files: What `AddonFiles` provided.
        webhooks: Whether something answers the operator's admission webhooks. Where none does, they would make the API
            server refuse the operator's custom resources, so they are left out.
    """
    objects = [_labelled(each) for path in files for each in _documents(path)]
    if not webhooks:
        objects = [each for each in objects if each["kind"] not in _WEBHOOKS]
    if addon.namespace:
        objects = _in_namespace(objects, addon.namespace)
    return AddonObjects(
        tuple(each for each in objects if each["kind"] == _DEFINITION),
        tuple(each for each in objects if each["kind"] != _DEFINITION),
    )


def _documents(path: Path) -> Iterator[_Object]:
    with path.open("rb") as file:
        yield from filter(None, yaml.load_all(file, Loader=_Loader))


def _labelled(manifest: _Object) -> _Object:
    metadata = manifest["metadata"]
    labels = {**metadata.get("labels", {}), "app.kubernetes.io/part-of": PART_OF}
    return {**manifest, "metadata": {**metadata, "labels": labels}}


def _in_namespace(objects: list[_Object], namespace: AddonNamespace) -> list[_Object]:
    metadata = {"name": namespace.name, "labels": _POD_SECURITY}
    own = _labelled({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata})
    rest = [each for each in objects if (each["kind"], each["metadata"]["name"]) != ("Namespace", namespace.upstream)]
    return [own, *(each if each["kind"] == _DEFINITION else _moved(each, namespace) for each in rest)]


def _moved(value: Any, namespace: AddonNamespace) -> Any:  # Any: the tree of a manifest
    """Put another namespace wherever an object names the upstream one by a key `namespace`."""
    if isinstance(value, dict):
        return {
            key: namespace.name if key == "namespace" and inner == namespace.upstream else _moved(inner, namespace)
            for key, inner in value.items()
        }
    return [_moved(item, namespace) for item in value] if isinstance(value, list) else value
