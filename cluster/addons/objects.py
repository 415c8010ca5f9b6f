"""Objects of an addon's files: its CRDs, and the objects of its operator."""

import base64
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from cluster.addons.manifest import Addon, AddonNamespace, HelmRelease

PART_OF = "alt-las-addons"
"""Value of `app.kubernetes.io/part-of` on everything that is installed from here; without it an object is not ours."""

_Object = dict[str, Any]
_DEFINITION = "CustomResourceDefinition"
_WEBHOOKS = ("MutatingWebhookConfiguration", "ValidatingWebhookConfiguration")
_CERTIFICATES = "cert-manager.io/"
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
            server refuse the operator's custom resources, so they are left out; so are its certificates, which nobody
            would issue.
    """
    objects = [
        _owned(_labelled(_released(each, addon.images)), addon.helm) for path in files for each in _documents(path)
    ]
    if not webhooks:
        objects = [each for each in objects if not _needs_an_operator(each)]
    if addon.namespace:
        objects = _in_namespace(objects, addon.namespace)
    return AddonObjects(
        tuple(each for each in objects if each["kind"] == _DEFINITION),
        tuple(each for each in objects if each["kind"] != _DEFINITION),
    )


def _documents(path: Path) -> Iterator[_Object]:
    with path.open("rb") as file:
        yield from filter(None, yaml.load_all(file, Loader=_Loader))


def _needs_an_operator(manifest: _Object) -> bool:
    return manifest["kind"] in _WEBHOOKS or manifest["apiVersion"].startswith(_CERTIFICATES)


def _released(manifest: _Object, images: Mapping[str, str]) -> _Object:
    """Put the released images where a project's file names those of its development, also in a Secret's data."""
    if not images or manifest["kind"] == _DEFINITION:
        return manifest
    replaced: _Object = _with_texts(manifest, lambda _, text: images.get(text, text))
    if manifest["kind"] == "Secret":
        decoded = {key: base64.b64decode(value).decode() for key, value in manifest.get("data", {}).items()}
        return {**replaced, "data": {key: _encoded(images.get(value, value)) for key, value in decoded.items()}}
    return replaced


def _encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def _labelled(manifest: _Object) -> _Object:
    metadata = manifest["metadata"]
    labels = {**metadata.get("labels", {}), "app.kubernetes.io/part-of": PART_OF}
    return {**manifest, "metadata": {**metadata, "labels": labels}}


def _owned(manifest: _Object, release: HelmRelease | None) -> _Object:
    """A definition that a release of Helm may take over."""
    if release is None or manifest["kind"] != _DEFINITION:
        return manifest
    metadata = manifest["metadata"]
    labels = {**metadata["labels"], "app.kubernetes.io/managed-by": "Helm"}
    owner = {"meta.helm.sh/release-name": release.name, "meta.helm.sh/release-namespace": release.namespace}
    annotations = {**metadata.get("annotations", {}), **owner}
    return {**manifest, "metadata": {**metadata, "labels": labels, "annotations": annotations}}


def _in_namespace(objects: list[_Object], namespace: AddonNamespace) -> list[_Object]:
    metadata = {"name": namespace.name, "labels": _POD_SECURITY}
    own = _labelled({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata})
    rest = [each for each in objects if (each["kind"], each["metadata"]["name"]) != ("Namespace", namespace.upstream)]
    return [own, *(each if each["kind"] == _DEFINITION else _moved(each, namespace) for each in rest)]


def _moved(manifest: _Object, namespace: AddonNamespace) -> _Object:
    """Put another namespace wherever an object names the upstream one by a key `namespace`."""
    here = ("namespace", namespace.upstream)
    moved: _Object = _with_texts(manifest, lambda key, text: namespace.name if (key, text) == here else text)
    return moved


def _with_texts(value: Any, change: Callable[[str, str], str], key: str = "") -> Any:  # Any: the tree of a manifest
    """A tree in which every text is what becomes of it and of the key that it stands at, which an item has not."""
    if isinstance(value, dict):
        return {name: _with_texts(inner, change, name) for name, inner in value.items()}
    if isinstance(value, list):
        return [_with_texts(item, change) for item in value]
    return change(key, value) if isinstance(value, str) else value
