"""JSON Schemas for kubeconform: Kubernetes' own from a package, those of custom resources from their definitions."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from cluster.addons.manifest import load_manifest
from cluster.addons.objects import addon_objects
from cluster.addons.sources import AddonFiles
from policy.manifests import Manifest, kind_of
from policy.scan.programs import Programs

TEMPLATE = "{{.Group}}/{{.ResourceAPIVersion}}/{{.ResourceKind}}.json"
"""Path of a schema in a folder of schemas, as a template of kubeconform."""

_PACKAGE_FOLDER = Path("kubernetes_validate") / "kubernetes-json-schema"
# From outside the file of definitions, and from inside.
_REFERENCE = re.compile(r"(?:/api/_definitions\.json)?#/\$defs/")
_ANYTHING = "x-kubernetes-preserve-unknown-fields"


def write_schemas(programs: Programs, minor: str, manifests: Iterable[Manifest], folder: Path) -> None:
    """Write the schemas of all kinds that occur, strict ones: unknown fields are refused.

    A kind that neither Kubernetes nor an addon defines gets no schema, which kubeconform reports.

    Args:
        programs: The scanners; the package of schemas lies beside them.
        minor: Kubernetes version, such as `1.35`.
        manifests: What will be judged.
        folder: Where the schemas go.
    """
    packages = programs.environment.packages
    kinds = {(str(manifest["apiVersion"]), kind_of(manifest)) for manifest in manifests}
    definitions = definitions_of(packages, minor)
    for api_version, kind in kinds:
        source = _folder(packages, minor) / f"{kind.lower()}-{_suffix(api_version)}.json"
        if source.is_file():
            _write(folder, api_version, kind, _self_contained(json.loads(source.read_text("utf-8")), definitions))
    own = custom_resources()
    for api_version, kind in kinds & own.keys():
        _write(folder, api_version, kind, strict(own[api_version, kind]))


def definitions_of(packages: Path, minor: str) -> dict[str, Any]:
    """Everything that Kubernetes defines in a minor version, by the name in its OpenAPI document.

    Args:
        packages: Folder of the installed Python packages.
        minor: Kubernetes version, such as `1.35`.
    """
    return dict(json.loads((_folder(packages, minor) / "_definitions.json").read_text("utf-8"))["$defs"])


def _folder(packages: Path, minor: str) -> Path:
    return packages / _PACKAGE_FOLDER / f"v{minor}.0-local-strict"


def _suffix(api_version: str) -> str:
    """Name of a version in the package: `apps/v1` is `apps-v1`, and only the first word of a group counts."""
    group, _, version = api_version.rpartition("/")
    return f"{group.split('.')[0]}-{version}" if group else version


def _write(folder: Path, api_version: str, kind: str, schema: Any) -> None:
    group, _, version = api_version.rpartition("/")
    # kubeconform calls the core group, which has no name, by its version.
    file = folder / (group or version) / version / f"{kind.lower()}.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(schema), "utf-8")


@cache
def custom_resources() -> Mapping[tuple[str, str], Any]:
    """Schema of all custom resources that the pinned addons define, by API version and kind.

    Raises:
        tools.ToolsUnavailableError: The addons' files cannot be had.
    """
    manifest, schemas = load_manifest(), {}
    for name, files in AddonFiles(manifest).provide(tuple(manifest.addons)).items():
        for definition in addon_objects(manifest.addons[name], files, webhooks=False).definitions:
            spec = definition["spec"]
            for version in spec["versions"]:
                key = f"{spec['group']}/{version['name']}", spec["names"]["kind"]
                schemas[key] = version["schema"]["openAPIV3Schema"]
    return schemas


def strict(schema: Any, *, is_root: bool = True) -> Any:
    """The same schema, with fields that it does not name refused wherever the API server would drop them."""
    if isinstance(schema, list):
        return [strict(item, is_root=False) for item in schema]
    if not isinstance(schema, dict):
        return schema
    copy = {key: _strict_part(key, value) for key, value in schema.items()}
    if is_root:
        # The API server adds these three to every definition.
        metadata = {"apiVersion": {"type": "string"}, "kind": {"type": "string"}, "metadata": {"type": "object"}}
        copy["properties"] = metadata | {k: v for k, v in copy.get("properties", {}).items() if k not in metadata}
    if "properties" in copy and "additionalProperties" not in copy and not copy.get(_ANYTHING):
        copy["additionalProperties"] = False
    return copy


def _strict_part(key: str, value: Any) -> Any:
    if key in ("properties", "patternProperties"):
        return {name: strict(schema, is_root=False) for name, schema in value.items()}
    if key in ("items", "additionalProperties"):
        return strict(value, is_root=False)
    # Schemas below allOf, anyOf and oneOf repeat some fields only, so they must not refuse the others.
    return value


def _self_contained(schema: Any, definitions: dict[str, Any]) -> Any:
    """A schema of the package together with all definitions that it refers to, in one document."""
    needed: dict[str, Any] = {}
    waiting = list(_references(schema))
    while waiting:
        name = waiting.pop()
        if name not in needed:
            needed[name] = definitions[name]
            waiting.extend(_references(needed[name]))
    document = {key: value for key, value in schema.items() if key not in ("$schema", "$id")}
    text = json.dumps({**document, "definitions": needed})
    return json.loads(_REFERENCE.sub("#/definitions/", text))


def _references(tree: Any) -> Iterator[str]:
    if isinstance(tree, dict):
        reference = tree.get("$ref")
        if isinstance(reference, str):
            yield _REFERENCE.sub("", reference)
        for value in tree.values():
            yield from _references(value)
    elif isinstance(tree, list):
        for value in tree:
            yield from _references(value)
