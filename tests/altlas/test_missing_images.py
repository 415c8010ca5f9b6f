"""Parts whose images cannot be had on real nodes: left out in the stack file where the stack agrees."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from altlas.session.engine import Engine
from altlas.update.missing_images import leave_out_missing, missing_parts
from cluster.node.images import MISSING
from components.stack.loading import parse_platform
from components.stack.problems import PLATFORM_KEY
from tests.support.documents import ROOT, platform_of, stack_text


class WritingEngine(Engine):
    """Reads and writes the platform in a stack file as `pulumi config` does."""

    def capture(self, *arguments: str, text: str | None = None) -> str:  # noqa: ARG002  # as in the class
        """All configuration as JSON, or a new value of one key."""
        file = self.root / f"Pulumi.{arguments[arguments.index('--stack') + 1]}.yaml"
        document: dict[str, Any] = yaml.safe_load(file.read_text())
        settings = document["config"][PLATFORM_KEY]
        if arguments[1] == "--json":
            value = {"value": json.dumps(settings), "objectValue": settings, "secret": False}
            return json.dumps({PLATFORM_KEY: value})
        assert arguments[1] == "set-all"
        (document["config"][PLATFORM_KEY],) = (each["objectValue"] for each in json.loads(arguments[-1]).values())
        file.write_text(yaml.safe_dump(document))
        return ""


def left_out(folder: Path, stack: str) -> list[str]:
    """Lines that are printed when a copy of a stack file has been through it."""
    file = folder / f"Pulumi.{stack}.yaml"
    file.write_text(stack_text(stack))
    said: list[str] = []
    leave_out_missing(WritingEngine(folder, {}), stack, file, said.append)
    return said


def test_the_stack_local_becomes_the_stack_node_and_says_so(tmp_path: Path) -> None:
    """Only the namespace and the agreement are different; a second run changes and says nothing."""
    said = left_out(tmp_path, "local")
    assert [line.partition("`")[2].partition(":")[0] for line in said] == [each.setting for each in MISSING]
    assert said[0].startswith("Left out, as `grafana: null` in Pulumi.local.yaml: grafana/grafana:13.2.2; ")
    file = tmp_path / "Pulumi.local.yaml"
    found = yaml.safe_load(file.read_text())["config"][PLATFORM_KEY]
    changes = {"namespace": "alt-las-node", "rollout": {}}
    assert parse_platform(found | changes) == parse_platform(platform_of("node") | changes)
    again: list[str] = []
    leave_out_missing(WritingEngine(ROOT, {}), "local", file, again.append)
    assert again == []


@pytest.mark.parametrize(("stack", "count"), [("alpha", 6), ("beta", 6), ("node", 0)])
def test_nothing_is_written_into_a_stack_that_does_not_agree(tmp_path: Path, stack: str, count: int) -> None:
    """Preflight then refuses it by the names of its parts; the stack node asks for none of them."""
    assert left_out(tmp_path, stack) == []
    assert (tmp_path / f"Pulumi.{stack}.yaml").read_text() == stack_text(stack)
    assert len(missing_parts(parse_platform(platform_of(stack)))) == count
