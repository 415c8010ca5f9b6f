"""Measures that make the Pulumi SDK quicker in this program: fewer messages, outputs awaited together, a quick end."""

import asyncio
import atexit
import gc
import os
from types import SimpleNamespace

import pulumi
from pulumi.runtime import stack

KEEP = "ALT_LAS_SDK_MESSAGES"
"""Environment variable that, when set, keeps the SDK's debug messages, for `pulumi up --debug`."""


def drop_debug_messages() -> None:
    """Stop the SDK from sending its own debug messages, which are shown by `pulumi --debug` alone.

    It sends three for each object and waits for an answer to each, while nothing else of the program goes on: an
    eighth of the processor time of a preview. Warnings, errors and what the program says are sent as before.
    """
    if not os.environ.get(KEEP):
        pulumi.log.debug = _drop


def end_at_once() -> None:
    """Let Python end without a last search for garbage among all that the program has loaded.

    It took a tenth of a preview's processor time, for memory that the system takes back in any case.
    """
    atexit.unregister(gc.freeze)
    atexit.register(gc.freeze)


def wait_for_outputs_at_once() -> None:
    """Let the SDK wait until all outputs are there or one has failed, instead of for the next one of all that are left.

    After each output it looked at all the others again, so that the time grew with the square of the objects.
    """
    vars(stack)["asyncio"] = SimpleNamespace(**vars(asyncio) | {"FIRST_COMPLETED": asyncio.FIRST_EXCEPTION})


def _drop(
    msg: str, resource: pulumi.Resource | None = None, stream_id: int | None = None, ephemeral: bool | None = None
) -> None:
    """Take a debug message as the SDK's own function does, and send nothing."""
