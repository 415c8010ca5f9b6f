"""Alloy's configuration: read by Alloy's own parser, checked against its reference, no component unconnected.

Where Alloy is installed it also validates the configuration itself.
"""

import json
import re
from pathlib import Path

import pytest

from components.observability.logs.alloy_configuration import Pipeline, configuration_file
from tests.observability.alloy_reference import Block, names, problems, references
from tests.support.documents import STACKS
from tests.support.figures import Figures
from tests.support.program import find
from tests.support.programs import objects, run

pytestmark = pytest.mark.data

EXPORTS = {"targets", "output", "receiver", "input"}
"""What a component gives others to refer to (Alloy v1.18.1, its own reference)."""


def parse(text: str, folder: Path) -> Block:
    """The configuration as Alloy's own parser reads it."""
    path = folder / "config.alloy"
    path.write_text(text, encoding="utf-8")
    found: Block = json.loads(run("alloy-syntax", str(path)))
    return found


def configuration(stack: str) -> str:
    """Alloy's configuration in a stack."""
    text: str = find(objects(stack), "ConfigMap", "alloy-configuration")["data"]["config.alloy"]
    return text


@pytest.mark.parametrize("stack", STACKS)
def test_the_configuration_keeps_to_alloys_syntax_and_reference(tmp_path: Path, stack: str, figures: Figures) -> None:
    """By Alloy's parser; components, blocks, arguments and their types by the list of its reference."""
    whole = parse(configuration(stack), tmp_path)
    assert list(problems(whole)) == []
    assert len(whole["blocks"]) >= 12
    figures.add(f"observability: 6 Alloy, {stack}", f"{len(whole['blocks'])} blocks read by Alloy's parser")


@pytest.mark.parametrize("stack", STACKS)
def test_alloy_itself_takes_the_configuration(tmp_path: Path, stack: str) -> None:
    """Its own command `validate`, where Alloy is installed."""
    path = tmp_path / "config.alloy"
    path.write_text(configuration(stack), encoding="utf-8")
    assert run("alloy", "validate", str(path)) == ""


@pytest.mark.parametrize("stack", STACKS)
def test_every_reference_leads_to_a_component_and_every_component_is_used(tmp_path: Path, stack: str) -> None:
    """A pipeline with a gap would drop everything without an error."""
    whole = parse(configuration(stack), tmp_path)
    used = set(references(whole))
    assert {each.rpartition(".")[2] for each in used} <= EXPORTS
    sources = {"otelcol.receiver.otlp.services", "loki.source.kubernetes.pods"}
    assert names(whole) - {each.rpartition(".")[0] for each in used} == sources


@pytest.mark.parametrize(("stack", "servers"), [("alpha", 1), ("beta", 2)])
def test_metrics_of_services_are_written_to_every_server_of_prometheus(stack: str, servers: int) -> None:
    """A headless Service would lead all of them to one server, and the other would know nothing of them."""
    hosts = re.findall(r'url = "http://([^"/]+)/api/v1/write"', configuration(stack))
    assert hosts == [f"prometheus-prometheus-{index}.prometheus-operated:9090" for index in range(servers)]
    service = find(objects(stack), "Service", "prometheus")
    assert service["spec"]["sessionAffinity"] == "ClientIP", "a reader stays with one server: two differ"


def test_labels_of_what_services_send_come_from_the_pod_and_not_from_the_sender(tmp_path: Path) -> None:
    """First what it claims is forgotten, then the pod is found by its connection, then the labels are set."""
    pipeline = Pipeline(
        namespace="space",
        phase="some",
        labels=("service", "phase", "pod", "node"),
        loki="http://loki:3100",
        memory_mebibytes=512,
        max_streams=100,
        remote_write=("http://prometheus:9090/api/v1/write",),
    )
    whole = parse(configuration_file(pipeline), tmp_path)
    assert list(problems(whole)) == []
    by_name = {f"{block['name']}.{block['label']}": block for block in whole["blocks"]}
    forgotten, settled = (
        json.loads(by_name[f"otelcol.processor.transform.{name}"]["blocks"][0]["arguments"]["statements"])
        for name in ("claims", "labels")
    )
    claims = ("service", "phase", "pod", "node", "k8s.pod.name", "k8s.node.name")
    assert forgotten == [f'delete_key(attributes, "{name}")' for name in claims]
    assert settled == [
        'set(attributes["pod"], attributes["k8s.pod.name"])',
        'set(attributes["node"], attributes["k8s.node.name"])',
        'set(attributes["phase"], "some")',
    ]
    kept = by_name["loki.process.pods"]["blocks"][1]["arguments"]["values"]
    assert json.loads(kept) == ["service", "phase", "pod", "node"]


WRONG = [
    ("max_streams", "max_streans", 'unrecognized attribute name "max_streans"'),
    ("stage.label_keep", "stage.label_hold", 'unrecognized block name "stage.label_hold"'),
    ('loki.write "', 'loki.wright "', 'cannot find the definition of component name "loki.wright"'),
    (
        "[loki.process.pods.receiver]",
        "[loki.process.pots.receiver]",
        'component "loki.process.pots.receiver" does not exist',
    ),
    ("= 5000", '= "many"', "expected number, got "),
]
"""An argument, a block, a component, a reference and a value; Alloy's messages."""


def wrong(old: str, new: str) -> str:
    """Alpha's configuration with a mistake."""
    assert old in configuration("alpha")
    return configuration("alpha").replace(old, new)


@pytest.mark.parametrize(("old", "new", "message"), WRONG)
def test_a_wrong_configuration_is_found_without_alloy(tmp_path: Path, old: str, new: str, message: str) -> None:
    """The control of the list."""
    found = list(problems(parse(wrong(old, new), tmp_path)))
    assert any(message in each for each in found), found


@pytest.mark.parametrize(("old", "new", "message"), WRONG)
def test_alloy_itself_refuses_a_wrong_configuration(tmp_path: Path, old: str, new: str, message: str) -> None:
    """The control of `alloy validate`, where Alloy is installed."""
    path = tmp_path / "config.alloy"
    path.write_text(wrong(old, new), encoding="utf-8")
    text = run("alloy", "validate", str(path), code=1)
    assert message in text
    assert "validation failed" in text


def test_wrong_syntax_is_refused_by_the_parser(tmp_path: Path) -> None:
    """The control of the parser."""
    path = tmp_path / "config.alloy"
    path.write_text(configuration("alpha").replace("{", "(", 1))
    assert "expected block label, got (" in run("alloy-syntax", str(path), code=1)
