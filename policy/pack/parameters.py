"""Parameters of the rules, from a stack's settings."""

from components.settings import PlatformSettings
from components.settings.operator_images import operator_repositories
from components.traffic.observers import declared_observers
from policy.rules import Parameters


def parameters_of(stack: str | None, platform: PlatformSettings, *, require_digests: bool = False) -> Parameters:
    """The parameters of a stack: its own images' repositories, and digests where its settings require them.

    Args:
        stack: Name of the stack, or None where it is not known.
        platform: Its settings.
        require_digests: Require digests whatever the settings say.
    """
    own = {image.repository for _, image in platform.images()}
    # Those that ask the API server, and no others.
    asking = {each.name for each in declared_observers(platform) if each.reads_api_server and each.namespace is None}
    fewest = {
        name: service.autoscaling.min_replicas if service.autoscaling else service.replicas or 1
        for name, service in platform.services.by_name().items()
    }
    return Parameters(
        stack=stack,
        require_digests=require_digests or platform.admission.require_digests,
        single=frozenset(name for name, number in fewest.items() if number == 1),
        given_up=frozenset(platform.tombstones),
        token_service_accounts=frozenset(f"{platform.namespace}/{name}" for name in asking),
        allowed_repositories=tuple(sorted(own | operator_repositories(platform))),
    )
