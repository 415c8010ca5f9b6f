"""The SDK's own debug messages are not sent, outputs are waited for together, and the program ends at once."""

import asyncio
import logging
import subprocess
import sys
from collections.abc import Coroutine
from typing import Any

import pulumi
import pytest
from pulumi.runtime import stack
from pulumi.runtime.settings import SETTINGS

from components.kubernetes.object import KubernetesObject
from components.stack.engine_tuning import KEEP, drop_debug_messages, wait_for_outputs_at_once
from rendering.root import ROOT
from tests.support.program import build

MANIFEST = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "texts"}}


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    """Messages to the engine's stand-in, with the SDK's own function in place before and after."""
    engine_sends = pulumi.log.warn

    def as_the_sdk_has_it(msg: str, *_: object) -> None:
        engine_sends(f"debug: {msg}")

    monkeypatch.setattr(pulumi.log, "debug", as_the_sdk_has_it)
    caplog.set_level(logging.DEBUG)
    return caplog


def program() -> None:
    """A message of the program's own, then an object."""
    drop_debug_messages()
    pulumi.log.info("of the program")
    KubernetesObject("texts", MANIFEST, pulumi.ResourceOptions())


def debug_messages(said: pytest.LogCaptureFixture) -> int:
    """Number of the SDK's debug messages sent once the program had begun."""
    messages = [record.getMessage() for record in said.records]
    return sum(text.startswith("debug: ") for text in messages[messages.index("of the program") :])


def test_only_what_the_program_says_is_sent(said: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each message of the SDK would be waited for."""
    monkeypatch.delenv(KEEP, raising=False)
    assert len(build(program).requests) == 1
    assert debug_messages(said) == 0


def test_they_are_kept_on_request(said: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    """The control: where they are not dropped there are three or more for the object."""
    monkeypatch.setenv(KEEP, "1")
    build(program)
    assert debug_messages(said) >= 3


def test_python_ends_without_a_last_search_for_garbage() -> None:
    """By the time of what was registered earlier all objects are set aside, however often that was asked for."""
    script = (
        "import atexit, gc\n"
        "from components.stack.engine_tuning import end_at_once\n"
        "atexit.register(lambda: print(gc.get_freeze_count() > 10_000))\n"
        "end_at_once()\nend_at_once()\n"
        "print(gc.get_freeze_count())\n"
    )
    done = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True, cwd=ROOT)
    assert done.stdout.split() == ["0", "True"]


OUTPUTS = 50


async def _ends_after(turns: int, error: Exception | None = None) -> None:
    """An output that is there, or fails, after so many turns of the event loop."""
    for _ in range(turns):
        await asyncio.sleep(0)
    if error:
        raise error


@pytest.fixture
def looked(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Number of outputs that the SDK looks at, each time that it waits; its module is restored afterwards."""
    counts, wait = list[int](), asyncio.wait

    async def counting(tasks: list[asyncio.Task[None]], **options: Any) -> object:
        counts.append(len(tasks))
        return await wait(tasks, **options)

    monkeypatch.setattr(asyncio, "wait", counting)
    monkeypatch.setattr(stack, "asyncio", asyncio)
    return counts


def wait_for(outputs: list[Coroutine[Any, Any, None]], monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the SDK wait for outputs as it does at the end of a program."""

    async def run() -> None:
        monkeypatch.setattr(SETTINGS, "outputs", set(map(asyncio.ensure_future, outputs)))
        await stack.wait_for_rpcs()

    asyncio.run(run())


@pytest.mark.parametrize(("tuned", "most"), [(True, OUTPUTS), (False, OUTPUTS * OUTPUTS)])
def test_each_output_is_waited_for_once(
    looked: list[int], monkeypatch: pytest.MonkeyPatch, *, tuned: bool, most: int
) -> None:
    """The control: the SDK alone looks at all that are left whenever one is there, a square of their number."""
    if tuned:
        wait_for_outputs_at_once()
    wait_for([_ends_after(turn) for turn in range(OUTPUTS)], monkeypatch)
    assert most // 4 < sum(looked) <= most


def test_a_failed_output_ends_the_program_and_a_failed_registration_does_not(
    looked: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Behaviour stays: the others are still waited for after a registration that the engine reports itself."""
    wait_for_outputs_at_once()
    ended: list[int] = []

    async def last() -> None:
        await _ends_after(20)
        ended.append(1)

    wait_for([_ends_after(2, stack.ResourceRegistrationFailed()), last()], monkeypatch)
    assert (ended, looked) == ([1], [2, 1])
    with pytest.raises(ValueError, match="no such output"):
        wait_for([_ends_after(2, ValueError("no such output")), last()], monkeypatch)
    assert ended == [1]
