"""Alloy's configuration: validated by Alloy itself, and no part of the pipeline hangs in the air.

The program is Alloy's own runtime with the components of this pipeline and no others (tools/go/alloy).
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from components.observability.alloy_configuration import Pipeline, configuration_file
from tests.data.figures import Figures
from tests.observability.programs import objects, run
from tests.stacks.documents import STACKS
from tests.unit.program import find

pytestmark = pytest.mark.data
Block = dict[str, Any]

EXPORTS = {"targets", "output", "receiver", "input"}
"""What a component gives others to refer to (Alloy v1.18.1, its own reference)."""


def parse(text: str, folder: Path) -> Block:
    """The configuration as Alloy's own parser reads it."""
    path = folder / "config.alloy"
    path.write_text(text, encoding="utf-8")
    found: Block = json.loads(run("alloy-syntax", str(path)))
    return found


def references(block: Block) -> Iterator[str]:
    """Components and exports that a configuration refers to."""
    for text in block["arguments"].values():
        if not text.startswith('"'):
            yield from re.findall(r"\b[a-z_0-9]+(?:\.[a-z_0-9]+){3,}\b", re.sub(r'"(\\.|[^"\\])*"', "", text))
    for each in block["blocks"]:
        yield from references(each)


def configuration(stack: str) -> str:
    """What Alloy is told in a stack."""
    text: str = find(objects(stack), "ConfigMap", "alloy-configuration")["data"]["config.alloy"]
    return text


@pytest.mark.parametrize("stack", STACKS)
def test_alloy_itself_takes_the_configuration(tmp_path: Path, stack: str, figures: Figures) -> None:
    """Its own command `validate`: components, arguments, their types, and what refers to what."""
    path = tmp_path / "config.alloy"
    path.write_text(configuration(stack), encoding="utf-8")
    assert run("alloy", "validate", str(path)) == ""
    blocks = parse(configuration(stack), tmp_path)["blocks"]
    assert len(blocks) >= 12
    figures.add(f"observability: 6 Alloy, {stack}", f"{len(blocks)} blocks taken by `alloy validate`")


@pytest.mark.parametrize("stack", STACKS)
def test_every_reference_leads_to_a_component_and_every_component_is_used(tmp_path: Path, stack: str) -> None:
    """A pipeline with a gap would drop everything without a word."""
    whole = parse(configuration(stack), tmp_path)
    made = {f"{block['name']}.{block['label']}" for block in whole["blocks"] if block["label"]}
    used = set(references(whole))
    assert {each.rpartition(".")[0] for each in used} <= made
    assert {each.rpartition(".")[2] for each in used} <= EXPORTS
    sources = {"otelcol.receiver.otlp.services", "loki.source.kubernetes.pods"}
    assert made - {each.rpartition(".")[0] for each in used} == sources


def test_labels_of_what_services_send_come_from_the_pod_and_not_from_the_sender(tmp_path: Path) -> None:
    """First what it claims is forgotten, then the pod is found by its connection, then the labels are set."""
    pipeline = Pipeline(
        namespace="space",
        phase="some",
        labels=("service", "phase", "pod", "node"),
        loki="http://loki:3100",
        memory_mebibytes=512,
        max_streams=100,
        remote_write="http://prometheus:9090/api/v1/write",
    )
    whole = parse(configuration_file(pipeline), tmp_path)
    run("alloy", "validate", str(tmp_path / "config.alloy"))
    by_name = {f"{block['name']}.{block['label']}": block for block in whole["blocks"]}
    forgotten, settled = (
        json.loads(by_name[f"otelcol.processor.transform.{name}"]["blocks"][0]["arguments"]["statements"])
        for name in ("claims", "labels")
    )
    names = ("service", "phase", "pod", "node", "k8s.pod.name", "k8s.node.name")
    assert forgotten == [f'delete_key(attributes, "{name}")' for name in names]
    assert settled == [
        'set(attributes["pod"], attributes["k8s.pod.name"])',
        'set(attributes["node"], attributes["k8s.node.name"])',
        'set(attributes["phase"], "some")',
    ]
    kept = by_name["loki.process.pods"]["blocks"][1]["arguments"]["values"]
    assert json.loads(kept) == ["service", "phase", "pod", "node"]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("max_streams", "max_streans", 'unrecognized attribute name "max_streans"'),
        ("stage.label_keep", "stage.label_hold", 'unrecognized block name "stage.label_hold"'),
        ('loki.write "', 'loki.wright "', 'cannot find the definition of component name "loki.wright"'),
        (
            "[loki.process.pods.receiver]",
            "[loki.process.pots.receiver]",
            'component "loki.process.pots.receiver" does not exist',
        ),
        ("= 5000", '= "many"', "expected number, got string"),
    ],
)
def test_a_wrong_configuration_is_refused(tmp_path: Path, old: str, new: str, message: str) -> None:
    """The control: an argument, a block, a component, a reference and a value."""
    path = tmp_path / "config.alloy"
    assert old in configuration("alpha")
    path.write_text(configuration("alpha").replace(old, new), encoding="utf-8")
    text = run("alloy", "validate", str(path), code=1)
    assert message in text
    assert "validation failed" in text


def test_wrong_syntax_is_refused_by_the_parser(tmp_path: Path) -> None:
    """The control of the parser."""
    path = tmp_path / "config.alloy"
    path.write_text(configuration("alpha").replace("{", "(", 1))
    assert "expected block label, got (" in run("alloy-syntax", str(path), code=1)
