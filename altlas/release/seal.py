"""Seal of a plan: digests of everything that an update depends on, part by part, so that a difference can be named.

Owns what is sealed and how two seals are compared. Does not own the plan (`plan`) nor who signs it (`approval`). Values
of secrets are in no seal: of the stack file only their ciphertext counts, of a Secret its UID and resource version.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from altlas.images.findings import EXCEPTIONS_NAME
from altlas.images.lock import refused
from altlas.release.canonical import digest
from altlas.release.settings_diff import leaves
from altlas.session.exported_state import kubernetes_resources
from altlas.session.kubectl import Kubectl
from components.settings import PlatformSettings
from components.stack.image_lock import LOCK_NAME, read_lock
from components.stack.loading import read_stack_document
from components.stack.problems import PLATFORM_KEY

PROGRAM = ("Pulumi.yaml", "__main__.py", "components", LOCK_NAME, "uv.lock")
"""Files and folders that Pulumi runs or reads, besides the stack file."""


Part = dict[str, str]
"""Digest or text by the name of the thing."""


@dataclass(frozen=True)
class Seal:
    """Everything that an update depends on.

    Attributes:
        settings: Leaves of the platform's settings, as canonical JSON.
        configuration: Digests of everything else in the stack file, by key; secrets by their ciphertext.
        program: Digests of the program's files.
        evidence: Digests of what the image lock knows of each image: SBOM, reports and findings of the scanners; and of
            the file of accepted findings.
        images: References of the images, with their digests where they are known, by setting.
        signers: Digest of the file of allowed signers.
        state: Digests of the resources in Pulumi's state, by URN, and of its pending operations.
        objects: Digests of the deployed objects as they are on the cluster, by kind and name.
    """

    settings: Part
    configuration: Part
    evidence: Part
    program: Part
    images: Part
    signers: Part
    state: Part
    objects: Part


TITLES = {
    "settings": "the setting",
    "configuration": "the key of the stack file",
    "evidence": "the",
    "program": "the program's file",
    "images": "the image of",
    "signers": "the file of allowed signers",
    "state": "the state of",
    "objects": "the object on the cluster",
}
"""Description of a thing in each part of a seal; the order in which parts are compared."""


def promotion_lock(stack_file: Path) -> str:
    """Name of the file beside a stack file that says what was promoted into the stack."""
    return f"promotion.{stack_file.name.removeprefix('Pulumi.').removesuffix('.yaml')}.lock.json"


def program_files(root: Path, *more: str) -> Part:
    """Digests of the program's files, and of more files or folders, by path below the root."""
    found = {}
    for name in (*PROGRAM, *more):
        path = root / name
        files = sorted(path.rglob("*")) if path.is_dir() else [path] if path.is_file() else []
        for file in files:
            if file.is_file() and "__pycache__" not in file.parts:
                found[str(file.relative_to(root))] = _file_digest(file)
    return found


def seal_files(root: Path, stack_file: Path, platform: PlatformSettings) -> dict[str, Part]:
    """Parts of a seal that need neither the engine nor the cluster."""
    document = dict(read_stack_document(stack_file))
    configuration = dict(document.pop("config"))
    configuration.pop(PLATFORM_KEY)
    signers = root / platform.release.allowed_signers
    return {
        "settings": {path: json.dumps(leaf.value, sort_keys=True) for path, leaf in leaves(platform)},
        "configuration": {key: digest(value) for key, value in {**document, **configuration}.items()},
        "evidence": dict(_evidence(root)),
        "program": program_files(root, promotion_lock(stack_file)),
        "images": {path: image.reference for path, image in platform.images()},
        "signers": {signers.name: _file_digest(signers)} if signers.is_file() else {},
    }


def seal_state(state: Mapping[str, Any]) -> Part:
    """Digest of each resource in an exported state."""
    deployment = state.get("deployment") or {}
    # A resource that is to be deleted has the URN of its replacement.
    found: Part = {}
    for each in deployment.get("resources") or ():
        urn = f"{each['urn']}{' (to be deleted)' if each.get('delete') else ''}"
        found[urn] = digest([found.get(urn, ""), _numbers(each)])
    pending = deployment.get("pending_operations") or ()
    return found | ({"pending operations": digest(_numbers(pending))} if pending else {})


def seal_objects(kubectl: Kubectl, state: Mapping[str, Any]) -> Part:
    """Digest of each deployed object as the cluster has it: the fields that the program sets, and its UID.

    Fields that other owners add (autoscalers, operators, defaults) do not count: an update leaves them alone.

    Raises:
        CommandError: The cluster does not answer or refuses.
    """
    inputs = [each["inputs"] for each in kubernetes_resources(state) if "kind" in (each.get("inputs") or {})]
    live = {object_title(each): each for each in kubectl.existing(inputs)}
    return {
        title: _live_digest(each, live[title]) if title in live else "missing"
        for each in inputs
        for title in (object_title(each),)
    }


def object_title(manifest: Mapping[str, Any]) -> str:
    """Kind, namespace and name."""
    metadata = manifest["metadata"]
    namespace = f"{metadata['namespace']}/" if metadata.get("namespace") else ""
    return f"{manifest['kind']} {namespace}{metadata['name']}"


def differences(planned: Mapping[str, Part], found: Mapping[str, Part]) -> Iterator[str]:
    """Descriptions of everything in which two seals differ, part by part.

    Args:
        planned: Parts as the plan holds them.
        found: Parts as they are; a part that is missing is not compared.
    """
    for part, title in TITLES.items():
        if part in found:
            before, after = planned.get(part, {}), found[part]
            for name in sorted(before.keys() | after.keys()):
                if before.get(name) != after.get(name):
                    yield f"{title} {name} {_change(before.get(name), after.get(name))}"


def _change(before: str | None, after: str | None) -> str:
    if before is None:
        return "is new"
    return "is gone" if after in (None, "missing") else "has changed"


def _evidence(root: Path) -> Iterator[tuple[str, str]]:
    """Digests of what is known of the locked images, by name."""
    with refused():
        lock = read_lock(root / LOCK_NAME)
    for service, image in (lock.images if lock else {}).items():
        yield f"SBOM of {service}", image.sbom.digest
        for scan in image.scans:
            yield f"{scan.scanner} scan of {service}", digest([scan.report, scan.findings, scan.accepted])
    exceptions = root / EXCEPTIONS_NAME
    if exceptions.is_file():
        yield f"file {exceptions.name}", _file_digest(exceptions)


def _file_digest(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def _live_digest(inputs: Mapping[str, Any], live: Mapping[str, Any]) -> str:
    metadata = live["metadata"]
    if inputs["kind"] == "Secret":
        return digest([metadata["uid"], metadata["resourceVersion"]])
    return digest([metadata["uid"], _numbers(_projected(inputs, live))])


def _projected(wanted: Any, found: Any) -> Any:
    """The part of `found` whose fields `wanted` has; lists of another length count whole."""
    if isinstance(wanted, Mapping) and isinstance(found, Mapping):
        return {key: _projected(value, found.get(key)) for key, value in wanted.items()}
    if isinstance(wanted, list) and isinstance(found, list) and len(wanted) == len(found):
        return [_projected(*pair) for pair in zip(wanted, found, strict=True)]
    return found


def _numbers(value: Any) -> Any:
    """The value with integers beyond canonical JSON as text."""
    if isinstance(value, Mapping):
        return {str(key): _numbers(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_numbers(each) for each in value]
    large = isinstance(value, int) and not isinstance(value, bool) and abs(value) > 2**53 - 1
    return str(value) if large else value
