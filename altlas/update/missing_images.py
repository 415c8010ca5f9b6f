"""Parts of a stack whose images cannot be had on real nodes of this machine, left out in its stack file.

Owns what is written for them. Does not own which images are missing (cluster.node.images) nor the refusal of a stack
that leaves nothing out (altlas.preflight.images).
"""

import copy
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from altlas.session.console import Report
from altlas.session.engine import Engine
from cluster.node.images import MISSING
from cluster.node.images.recipe import MissingImage
from components.settings import PlatformSettings
from components.stack.loading import read_platform
from components.stack.problems import PLATFORM_KEY


def leave_out_missing(engine: Engine, stack: str, stack_file: Path, report: Report) -> None:
    """Write null for each part whose image is missing, where the stack's `rollout.missingImages` says `leaveOut`.

    Args:
        engine: Writes the stack file, whose comments stay.
        stack: The stack, which the backend knows.
        stack_file: Its file.
        report: Is given a line for each part.

    Raises:
        CommandError: The stack file cannot be written.
    """
    platform = read_platform(stack_file)
    parts = missing_parts(platform)
    if not parts or platform.rollout.missing_images != "leaveOut":
        return
    configuration = json.loads(engine.capture("config", "--json", "--stack", stack))
    settings = without(configuration[PLATFORM_KEY]["objectValue"], parts)
    # The only way by which the engine writes a null; as with single values, the rest of the file stays as it is.
    value = {PLATFORM_KEY: {"value": json.dumps(settings), "objectValue": settings, "secret": False}}
    engine.capture("config", "set-all", "--stack", stack, "--json", json.dumps(value))
    for part in parts:
        report(f"Left out, as `{part.setting}: null` in {stack_file.name}: {part.reference}; {part.reason}.")


def missing_parts(platform: PlatformSettings) -> Sequence[MissingImage]:
    """Return the missing images that a stack asks for."""
    images = [(path, image.reference) for path, image in platform.images()]
    return [
        missing
        for missing in MISSING
        if any(path.startswith(f"{missing.setting}.") and name == missing.reference for path, name in images)
    ]


def without(platform: Mapping[str, Any], parts: Sequence[MissingImage]) -> dict[str, Any]:
    """Return what stands below `alt-las:platform` with null for each part; a block above it that is null stays so."""
    changed = copy.deepcopy(dict(platform))
    for part in parts:
        *path, last = part.setting.split(".")
        block: Any = changed
        for name in path:
            # Defaults are not written in a stack file, so an inner block may be missing.
            block = block.get(name) if name == path[0] else block.setdefault(name, {})
            if block is None:
                break
        else:
            block[last] = None
    return changed
