"""Steps of an update that come before all others, because the number of servers of a store changes.

Owns which they are, for a state and for rendered objects. Does not own how they are done (`preparation`): a comparison
of two stacks needs neither an engine nor a cluster.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from altlas.update import data_loss
from components.settings import PlatformSettings
from components.traffic.stores import NATS, NATS_USERS, POSTGRES_HOST, REDIS
from rendering.errors import CommandError, ExitCode
from rendering.recorder import Registration


@dataclass(frozen=True)
class FirstStep:
    """One object that changes before the others.

    Attributes:
        urn: Pulumi's name of the object.
        store: The store.
        says: What is done, for people.
    """

    urn: str
    store: str
    says: str


def steps(state: Mapping[str, Any], platform: PlatformSettings) -> tuple[FirstStep, ...]:
    """The steps between what is deployed and what the settings say; none where no number of servers changes.

    Args:
        state: What `Engine.exported_state` returned.
        platform: The new settings.
    """
    urns = [each["urn"] for each in state.get("deployment", {}).get("resources") or ()]
    return tuple(_steps(urns, specs(state), platform))


def steps_between(before: Iterable[Registration], platform: PlatformSettings) -> tuple[FirstStep, ...]:
    """The steps from rendered objects to other settings, without a cluster.

    Args:
        before: Objects as they are rendered now.
        platform: The new settings.
    """
    found = {f"{each.type}::{each.name}": each.inputs for each in before if each.type.startswith("kubernetes:")}
    by_title = {
        f"{each['kind']} {each['metadata']['name']}": (urn, each.get("spec") or {}) for urn, each in found.items()
    }
    return tuple(_steps(tuple(found), by_title, platform))


def check_none(state: Mapping[str, Any], stack: str, platform: PlatformSettings) -> None:
    """Check that an update needs no step before it, for an update that must be exactly what was planned.

    Raises:
        CommandError: A number of servers changes; names the stores and the cure.
    """
    if stores := ", ".join(step.store for step in steps(state, platform)):
        raise CommandError(
            f"the plan changes the number of servers of {stores}, which takes steps that a plan cannot hold. Nothing "
            f"was changed. Make that change by `altlas up {stack}`, and plan what else there is after it",
            ExitCode.REFUSED,
        )


def specs(state: Mapping[str, Any]) -> dict[str, tuple[str, Any]]:
    """Pulumi's name and the specification of each deployed object that holds data, by kind and name."""
    deployed = data_loss.deployed_data(state)
    return {each.title: (urn, each.manifest.get("spec", {})) for urn, each in deployed.items()}


def _steps(
    urns: Sequence[str], by_title: Mapping[str, tuple[str, Any]], platform: PlatformSettings
) -> Iterator[FirstStep]:
    urn, spec = by_title.get(f"Cluster {POSTGRES_HOST}", ("", {}))
    if urn and platform.postgres and platform.postgres.synchronous and spec["instances"] < platform.postgres.instances:
        count = platform.postgres.instances
        yield FirstStep(
            urn, POSTGRES_HOST, f"PostgreSQL gets {count} servers; after that, commits wait for a second one."
        )
    urn, spec = by_title.get(f"StatefulSet {REDIS}", ("", {}))
    if urn and platform.redis and spec["replicas"] > platform.redis.replicas == 1:
        yield FirstStep(urn, REDIS, "The first server of Redis gets everything; the others end.")
    _, spec = by_title.get(f"StatefulSet {NATS}", ("", {}))
    if spec and platform.nats and (spec["replicas"] > 1) != platform.nats.is_clustered:
        (urn,) = (urn for urn in urns if urn.endswith(f"kubernetes:core/v1:Secret::{NATS_USERS}"))
        yield FirstStep(
            urn, NATS, "Services publish no messages until those in NATS are read and its servers have changed."
        )
