"""Limit of load tests against a stack, so that nobody loads one by mistake with what another one can carry."""

from components.settings.base import Settings, section, setting
from components.settings.image import ImageSettings
from components.settings.workload import QuantitySettings, ResourceSettings


class LoadTestSettings(Settings):
    """Most load that `altlas loadtest` makes against the stack, and what makes it inside the cluster."""

    max_users: int = setting("capacity", "Most users at a time.", ge=1, le=10_000, unit="users")
    max_requests_per_second: int = setting(
        "capacity", "Most requests of all users together.", ge=1, le=10_000, unit="requests per second"
    )
    image: ImageSettings | None = section(
        "Image with Python 3.11 or later and Locust, such as locustio/locust, for load tests by a Job of the cluster; "
        "null for none. With it the gateway lets the Job's pods in.",
        None,
    )
    resources: ResourceSettings = section(
        "What the Job's pod is guaranteed and may use; one processor makes about a thousand requests per second.",
        ResourceSettings(
            requests=QuantitySettings(cpu="500m", memory="256Mi"), limits=QuantitySettings(cpu="1", memory="512Mi")
        ),
    )
