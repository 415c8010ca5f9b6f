"""Limit of load tests against a stack, so that nobody loads one by mistake with what another one can carry."""

from components.settings.base import Settings, setting


class LoadTestSettings(Settings):
    """Most load that `altlas loadtest` makes against the stack, from one machine and against one address at a time."""

    max_users: int = setting("capacity", "Most users at a time.", ge=1, le=10_000, unit="users")
    max_requests_per_second: int = setting(
        "capacity", "Most requests of all users together.", ge=1, le=10_000, unit="requests per second"
    )
