"""Start of a rehearsal from a real cluster: its objects, and that they are afterwards as they were.

Owns the reading of the real cluster, which is only asked and never written to, and the comparison with it afterwards.
Does not own what the scratch takes from it (`live_overlay`) nor the rehearsal (`rehearsal`).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from altlas.release.live_objects import live_objects
from altlas.release.returned import Object
from altlas.session.kubectl import Kubectl
from rendering.errors import CommandError, ExitCode
from rendering.recorder import Registration

VOLUMES = "persistentvolumeclaims"
Place = tuple[str, str, str]
"""Kind, namespace and name of an object."""


@dataclass(frozen=True)
class Taken:
    """One thing that the scratch took from the real cluster.

    Attributes:
        object: Kind and name.
        what: What was done, such as `changed spec.replicas`.
        writer: Who wrote it there; empty where that is not recorded.
        problem: Why the scratch could not take it; empty where it did.
    """

    object: str
    what: str
    writer: str
    problem: str = ""


@dataclass(frozen=True)
class LiveStart:
    """Start of a rehearsal, as it was done.

    Attributes:
        objects: Number of objects that were read.
        taken: What the scratch took from there, beyond what FROM deploys.
        meanwhile: Objects of the real cluster whose resourceVersion is another one than before; a rehearsal writes
            nothing there, so others did.
    """

    objects: int
    taken: tuple[Taken, ...]
    meanwhile: tuple[str, ...] = ()


@dataclass(frozen=True)
class LiveCluster:
    """A real cluster as it was read.

    Attributes:
        kubectl: Access to it; nothing but `get` is sent.
        deployed: Objects as the last update sent them.
        namespace: Namespace of the stack.
        objects: Objects as they were read.
    """

    kubectl: Kubectl
    deployed: tuple[Registration, ...]
    namespace: str
    objects: tuple[Object, ...]

    def changed(self) -> tuple[str, ...]:
        """Objects that are no longer as they were read, by their resourceVersion.

        Raises:
            CommandError: The cluster does not answer or refuses.
        """
        before, now = (_versions(each) for each in (self.objects, stack_objects(*self._place)))
        return tuple(
            f"{kind} {name}"
            for kind, namespace, name in sorted(before.keys() | now.keys())
            if before.get((kind, namespace, name)) != now.get((kind, namespace, name))
        )

    @property
    def _place(self) -> tuple[Kubectl, tuple[Registration, ...], str]:
        return self.kubectl, self.deployed, self.namespace


def stack_objects(kubectl: Kubectl, deployed: Iterable[Registration], namespace: str) -> list[dict[str, Any]]:
    """Objects of a stack and everything of their kinds in its namespace, with the claims of volumes.

    Raises:
        CommandError: The cluster does not answer or refuses.
    """
    found = live_objects(kubectl, deployed, namespace)
    known = {place_of(each) for each in found}
    return [*found, *(each for each in kubectl.items(VOLUMES, namespace) if place_of(each) not in known)]


def read_live(kubectl: Kubectl, stack: str, deployed: Sequence[Registration], namespace: str) -> LiveCluster:
    """Read the objects of a deployed stack.

    Raises:
        CommandError: The stack has no objects, or the cluster does not answer or refuses.
    """
    if not deployed:
        raise CommandError(f"the stack {stack} has no objects; deploy it by `altlas up {stack}`", ExitCode.BAD_INPUT)
    found = stack_objects(kubectl, deployed, namespace)
    return LiveCluster(kubectl, tuple(deployed), namespace, tuple(found))


def _versions(objects: Iterable[Object]) -> dict[Place, str]:
    return {place_of(each): each["metadata"]["resourceVersion"] for each in objects}


def place_of(manifest: Object) -> Place:
    """Place of an object."""
    metadata = manifest["metadata"]
    return manifest["kind"], metadata.get("namespace") or "", metadata["name"]
