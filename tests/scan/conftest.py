"""The scanners of this machine, and folders with rendered objects."""

import copy
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from policy.manifests import Manifest
from policy.scan.programs import Programs
from policy.stacks import Stack, load_stack
from rendering.files import render

Write = Callable[[Sequence[Manifest]], Path]


@pytest.fixture(scope="session")
def scanners() -> Programs:
    """All scanners; built and installed once."""
    return Programs.provide()


@pytest.fixture(scope="session")
def alpha() -> Stack:
    """A stack of the platform; copy what you change."""
    return load_stack("alpha")


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Renders objects into a folder of the test."""

    def rendered(manifests: Sequence[Manifest]) -> Path:
        folder = tmp_path / "objects"
        render(manifests, folder)
        return folder

    return rendered


def one_of(stack: Stack, kind: str, name: str) -> Manifest:
    """A copy of one object of a stack."""
    found = (each for each in stack.manifests if each["kind"] == kind and each["metadata"]["name"].startswith(name))
    return copy.deepcopy(next(found))
