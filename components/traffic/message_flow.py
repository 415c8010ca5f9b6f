"""Traffic through the message queue, as services declare it."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class MessageFlow:
    """Subjects of the message queue that a service publishes and consumes.

    Attributes:
        service: Name of the service.
        publishes: Subjects that it publishes.
        consumes: Subjects that its pods consume together, each message by one of them.
    """

    service: str
    publishes: tuple[str, ...] = ()
    consumes: tuple[str, ...] = ()
