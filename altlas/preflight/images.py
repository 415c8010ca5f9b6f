"""Images of a stack that no registry has: a node must have been given them. Names only; no registry is asked."""

import json
from collections.abc import Iterator

from altlas.preflight.check import Check
from altlas.session.kubectl import Kubectl
from components.settings import PlatformSettings
from components.settings.image import NO_REGISTRY, has_no_registry
from rendering.errors import ExitCode

_NAME = "images"
_NAMES = '{range .items[*]}{.status.images[*].names}{"\\n"}{end}'
_OFFERED = ("configmap", "kube-public", "local-images")
"""Images of a registry that the cluster brings itself, as that of the target `node`; nodes name what they pulled."""

_MOST_NAMED = 50
"""Images that a kubelet names at most (nodeStatusMaxImages); a node with as many may have others."""


def images(kubectl: Kubectl, platform: PlatformSettings) -> Iterator[Check]:
    """Compare the stack's images that no registry has with those that the nodes name."""
    wanted = {path: image.reference for path, image in platform.images() if has_no_registry(image.repository)}
    if not wanted:
        yield Check(name=_NAME, state="ok", found="every image has a registry")
        return
    nodes = [_listed(line) for line in kubectl.text("get", "nodes", f"--output=jsonpath={_NAMES}").splitlines()]
    missing = [path for path, reference in wanted.items() if not any(reference in names for names in nodes)]
    if missing:
        offered = offered_images(kubectl) or ()
        missing = [path for path in missing if wanted[path] not in offered]
    if not missing:
        yield Check(name=_NAME, state="ok", found=f"nodes have been given the {len(wanted)} images of {NO_REGISTRY}")
        return
    unsure = any(len(names) >= _MOST_NAMED for names in nodes)
    yield Check(
        name=_NAME,
        state="warning" if unsure else "failed",
        found=f"{NO_REGISTRY} stands for no registry, and no node names the images of {', '.join(missing)}",
        cure="push images to a registry of yours and write its repositories into the stack file (docs/images.md)",
        code=ExitCode.BAD_INPUT,
    )


def offered_images(kubectl: Kubectl) -> tuple[str, ...] | None:
    """Images of a registry that the cluster brings itself, from which its nodes pull; None where it brings none."""
    found = kubectl.find(*_OFFERED)
    return None if found is None else tuple(found.get("data", {}).get("references", "").split())


def _listed(line: str) -> list[str]:
    """Names of a node's images, which kubectl prints as lists of JSON next to each other."""
    return [name for names in json.loads(f"[{line.replace('] [', '],[')}]") for name in names]
