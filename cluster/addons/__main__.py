"""The operators of one cluster, and at last the record that they are there. The definitions come before (docs/adr)."""

from collections.abc import Mapping, Sequence
from typing import Any

import pulumi

from cluster.addons import PART_OF, RECORD_NAME, RECORD_NAMESPACE, AddonFiles, addon_objects, load_manifest, record_of
from components.kubernetes.object import KubernetesObject
from components.kubernetes.provider import KubernetesProvider

_ANNOTATIONS = {
    # The same owner from every checkout, so that an update from another one is not a conflict.
    "pulumi.com/patchFieldManager": "alt-las-addons",
    # An operator's Service has no endpoints until it runs; its Deployment is waited for.
    "pulumi.com/skipAwait": "true",
}


def _register(
    name: str, manifest: Mapping[str, Any], provider: KubernetesProvider, after: Sequence[pulumi.Resource]
) -> KubernetesObject:
    metadata = manifest["metadata"]
    wanted = dict(_ANNOTATIONS)
    if manifest["kind"] != "Service":
        del wanted["pulumi.com/skipAwait"]
    annotated = {**manifest, "metadata": {**metadata, "annotations": {**metadata.get("annotations", {}), **wanted}}}
    return KubernetesObject(name, annotated, pulumi.ResourceOptions(provider=provider, depends_on=list(after)))


def main() -> None:
    """Register what the stack's settings say.

    They are `webhooks` (whether operators run here), `external` (addons left alone) and `optional` (addons asked for).
    """
    settings = pulumi.Config()
    webhooks, external = settings.require_bool("webhooks"), set(settings.require_object("external"))
    manifest = load_manifest()
    record_data = record_of(manifest, external, webhooks=webhooks, optional=settings.require_object("optional"))
    own = [name for name in record_data if name not in external]
    provider = KubernetesProvider("cluster")
    # Of all addons before too: one may run in another one's namespace.
    namespaces: list[pulumi.Resource] = []
    registered: list[pulumi.Resource] = []
    for name, files in AddonFiles(manifest).provide(own).items():
        for each in addon_objects(manifest.addons[name], files, webhooks=webhooks).operator:
            resource = _register(f"{name}/{each['kind']}/{each['metadata']['name']}", each, provider, namespaces)
            if each["kind"] == "Namespace":
                namespaces.append(resource)
            registered.append(resource)
    record = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": RECORD_NAME,
            "namespace": RECORD_NAMESPACE,
            "labels": {"app.kubernetes.io/part-of": PART_OF},
        },
        "data": record_data,
    }
    _register("record", record, provider, registered)


main()
