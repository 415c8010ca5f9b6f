"""Changes to the stack files of a project's copy."""

import re
from typing import Any

import yaml

from components.stack.problems import PLATFORM_KEY
from tests.e2e.conftest import Project
from tests.support.documents import BESIDE_SERVICES, MONITORING_BLOCKS


def change(project: Project, stack: str, changes: dict[str, Any]) -> None:
    """Write settings into a stack file; None takes a key out."""
    stack_file = project.stack_file(stack)
    document = yaml.safe_load(stack_file.read_text())
    platform = document["config"][PLATFORM_KEY]
    for key, value in changes.items():
        if value is None:
            platform.pop(key, None)
        else:
            platform[key] = value
    stack_file.write_text(yaml.safe_dump(document))


def without_stores(project: Project, stack: str) -> None:
    """Let a stack bring its own stores, so that a test of something else needs no operator and no volume."""
    change(project, stack, dict.fromkeys(BESIDE_SERVICES))


def without_monitoring(project: Project, stack: str) -> None:
    """Let a stack leave out what watches it, so that a test of something else waits for half as many objects.

    By text: comments and formatting stay, and with them the changes that such a test makes by text.
    """
    path = project.stack_file(stack)
    text = path.read_text()
    for block in MONITORING_BLOCKS:
        text, count = re.subn(rf"^    {block}:(?:\n|.*\n)(?:^     .*\n|^\n)*", "", text, flags=re.MULTILINE)
        assert count == 1, block
    path.write_text(text)
