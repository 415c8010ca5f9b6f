"""The SDK's own debug messages are not sent, nothing else is lost, and the program ends at once."""

import logging
import subprocess
import sys

import pulumi
import pytest

from components.kubernetes.object import KubernetesObject
from components.stack.engine_tuning import KEEP, drop_debug_messages
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
