"""All checks of a cluster, in the order in which an update needs what they look at."""

from collections.abc import Callable, Iterable, Iterator

from altlas.preflight import enforcement, network, services
from altlas.preflight.capacity import capacity
from altlas.preflight.check import Check, answered, is_refusal
from altlas.preflight.images import images
from altlas.preflight.operators import operators
from altlas.preflight.registries import registries
from altlas.session.kubectl import Kubectl
from components.settings import PlatformSettings
from rendering.errors import CommandError
from rendering.recorder import record

Look = tuple[str, Callable[[], Iterable[Check]]]


def checks(kubectl: Kubectl, stack: str, platform: PlatformSettings, *, with_operators: bool = True) -> Iterator[Check]:
    """Look at what a stack needs of the cluster, without changing anything.

    Args:
        kubectl: The cluster.
        stack: Name of the stack.
        platform: Its settings.
        with_operators: Look at operators, too; not where they are installed right afterwards.

    Raises:
        CommandError: The cluster does not answer.
    """
    objects = record(stack, platform).objects
    looks: tuple[Look, ...] = (
        ("API server", lambda: network.api_server(kubectl, platform.egress)),
        ("cluster DNS", lambda: network.dns(kubectl, platform.egress.dns)),
        ("StorageClass", lambda: services.storage_classes(kubectl, objects)),
        ("metrics API", lambda: services.metrics(kubectl)),
        (f"class {platform.ingress.class_name}", lambda: services.ingress_class(kubectl, platform)),
        ("ingress controller", lambda: services.controller(kubectl, platform)),
        ("certificates", lambda: services.certificates(kubectl, platform)),
        ("issuer", lambda: services.issuer(kubectl, platform)),
        ("cert-manager", lambda: services.gateway_shim(kubectl, platform)),
        ("mesh", lambda: services.mesh(kubectl, platform)),
        # Simulated nodes run no image.
        *(() if is_simulated(kubectl) else _of_real_nodes(kubectl, platform)),
        ("capacity", lambda: capacity(kubectl, objects)),
        *((("operators", lambda: operators(kubectl, platform)),) if with_operators else ()),
    )
    for name, look in looks:
        yield from answered(name, look)


def _of_real_nodes(kubectl: Kubectl, platform: PlatformSettings) -> tuple[Look, ...]:
    return (
        ("network plugin", lambda: enforcement.installed(kubectl)),
        ("images", lambda: images(kubectl, platform)),
        ("registries", lambda: registries(kubectl, platform)),
    )


def is_simulated(kubectl: Kubectl) -> bool:
    """True if the nodes are simulated: then no traffic flows, and nothing of a network can be looked at."""
    what = r"--output=jsonpath={.items[*].metadata.annotations.kwok\.x-k8s\.io/node}"
    try:
        return bool(kubectl.text("get", "nodes", what).strip())
    except CommandError as error:
        if is_refusal(error):
            return False
        raise
