"""Messages of the Pulumi SDK to the engine, apart from the objects."""

import os

import pulumi

KEEP = "ALT_LAS_SDK_MESSAGES"
"""Environment variable that, when set, keeps the SDK's debug messages, for `pulumi up --debug`."""


def drop_debug_messages() -> None:
    """Stop the SDK from sending its own debug messages, which are shown by `pulumi --debug` alone.

    It sends three for each object and waits for an answer to each, while nothing else of the program goes on: an
    eighth of the processor time of a preview. Warnings, errors and what the program says are sent as before.
    """
    if not os.environ.get(KEEP):
        pulumi.log.debug = _drop


def _drop(
    msg: str, resource: pulumi.Resource | None = None, stream_id: int | None = None, ephemeral: bool | None = None
) -> None:
    """Take a debug message as the SDK's own function does, and send nothing."""
