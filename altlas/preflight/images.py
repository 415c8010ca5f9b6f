"""Images that nodes must have been given, because no registry has them or because the cluster brings its own registry.

Names only; no registry is asked.
"""

import json
from collections.abc import Iterator, Sequence

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
    """Compare the images that nodes cannot pull from a registry with those that they name or the cluster offers."""
    offered = offered_images(kubectl)
    wanted = {
        path: image.reference
        for path, image in platform.images()
        if offered is not None or has_no_registry(image.repository)
    }
    if not wanted:
        yield Check(name=_NAME, state="ok", found="every image has a registry")
        return
    nodes = [_listed(line) for line in kubectl.text("get", "nodes", f"--output=jsonpath={_NAMES}").splitlines()]
    given = {*(offered or ()), *(name for names in nodes for name in names)}
    missing = [path for path, reference in wanted.items() if reference not in given]
    if not missing:
        where = "the cluster's own registry has" if offered is not None else "nodes have been given"
        yield Check(name=_NAME, state="ok", found=f"{where} the {len(wanted)} images of the stack")
    elif offered is not None:
        yield _not_offered(missing)
    else:
        yield _not_given(missing, unsure=any(len(names) >= _MOST_NAMED for names in nodes))


def _not_offered(missing: Sequence[str]) -> Check:
    return Check(
        name=_NAME,
        state="failed",
        found=f"the registry that the cluster brings itself has no images for {', '.join(missing)}",
        cure="write null instead of the block of each optional part (`rollout.missingImages: leaveOut` does so), or "
        "bring up the stack node, which has none of them (STACK=node)",
        code=ExitCode.BAD_INPUT,
    )


def _not_given(missing: Sequence[str], *, unsure: bool) -> Check:
    return Check(
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
