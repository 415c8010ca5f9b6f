"""The stack files as documents, and documents that differ from them in named places."""

import copy
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from components.settings import PlatformSettings
from components.stack.loading import parse_platform
from components.stack.problems import PLATFORM_KEY, Problem, SettingsError

ROOT = Path(__file__).resolve().parents[2]
STACKS = ("alpha", "beta")
"""Phases of the platform."""

STACK_FILES = (*STACKS, "local", "node")
"""All stacks that have a file: the phases, and those for a machine of a developer."""

MONITORING_BLOCKS = ("loki", "alloy", "grafana", "prometheus", "alertmanager")
"""Blocks of a stack file that watch the others."""

BESIDE_SERVICES = ("postgres", "redis", "nats", "backup", *MONITORING_BLOCKS)
"""Blocks of a stack file that run something beside the services; each may be left out."""

REMOVED = object()
"""Stands for a key that is taken out of a document."""


def stack_text(stack: str) -> str:
    """The stack file as it is checked in."""
    return (ROOT / f"Pulumi.{stack}.yaml").read_text(encoding="utf-8")


_DOCUMENTS: dict[str, Any] = {stack: yaml.safe_load(stack_text(stack)) for stack in STACK_FILES}


def platform_of(stack: str) -> dict[str, Any]:
    """Settings below `alt-las:platform`, for the caller to change."""
    document: dict[str, Any] = copy.deepcopy(_DOCUMENTS[stack]["config"][PLATFORM_KEY])
    return document


def alpha_with(changes: Mapping[str, Any]) -> dict[str, Any]:
    """Alpha's document with other values at dotted paths; REMOVED takes a key out."""
    document = platform_of("alpha")
    for path, value in changes.items():
        *parents, last = path.split(".")
        block = document
        for key in parents:
            block = block.setdefault(key, {})
        if value is REMOVED:
            del block[last]
        else:
            block[last] = value
    return document


def alpha_settings(changes: Mapping[str, Any] | None = None) -> PlatformSettings:
    """Alpha's settings, with other values at dotted paths."""
    return parse_platform(alpha_with(changes or {}))


def problems_of(document: object) -> tuple[Problem, ...]:
    """Problems of a document, which must not be usable."""
    with pytest.raises(SettingsError) as caught:
        parse_platform(document)
    return caught.value.problems


def only_problem(document: object) -> tuple[str, str]:
    """Path below the platform's key and message of the only thing that is wrong with a document."""
    (problem,) = problems_of(document)
    return problem.path.removeprefix(PLATFORM_KEY).removeprefix("."), problem.message
