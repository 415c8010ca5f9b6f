"""Alloy's configuration: read by Alloy's own parser, and every argument compared with the reference of its version.

Alloy itself cannot be built here (a module that it replaces is not served), so that it runs is not proven here.
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

REFERENCE: dict[str, tuple[set[str], set[str]]] = {
    "logging": ({"level", "format", "write_to", "destination"}, set()),
    "discovery.kubernetes": ({"role", "api_server", "kubeconfig_file"}, {"namespaces", "selectors", "attach_metadata"}),
    "discovery.kubernetes/namespaces": ({"names", "own_namespace"}, set()),
    "discovery.relabel": ({"targets"}, {"rule"}),
    "discovery.relabel/rule": (
        {"action", "modulus", "regex", "replacement", "separator", "source_labels", "target_label"},
        set(),
    ),
    "loki.source.kubernetes": ({"targets", "forward_to"}, {"client", "clustering"}),
    "loki.process": ({"forward_to"}, {"stage.static_labels", "stage.label_keep"}),
    "loki.process/stage.static_labels": ({"values"}, set()),
    "loki.process/stage.label_keep": ({"values"}, set()),
    "loki.write": ({"external_labels", "max_streams"}, {"endpoint", "wal"}),
    "loki.write/endpoint": ({"url", "batch_size", "batch_wait", "remote_timeout", "tenant_id"}, set()),
    "otelcol.receiver.otlp": (set(), {"grpc", "http", "output", "debug_metrics"}),
    "otelcol.receiver.otlp/grpc": ({"endpoint", "transport", "max_recv_msg_size"}, {"tls", "keepalive"}),
    "otelcol.receiver.otlp/http": ({"endpoint", "max_request_body_size", "logs_url_path"}, {"tls", "cors"}),
    "otelcol.processor.memory_limiter": (
        {"check_interval", "limit", "limit_percentage", "spike_limit", "spike_limit_percentage"},
        {"output", "debug_metrics"},
    ),
    "otelcol.processor.transform": ({"error_mode"}, {"log_statements", "metric_statements", "output"}),
    "otelcol.processor.transform/log_statements": ({"context", "statements", "conditions", "error_mode"}, set()),
    "otelcol.processor.k8sattributes": (
        {"auth_type", "passthrough", "wait_for_metadata"},
        {"filter", "extract", "pod_association", "exclude", "output"},
    ),
    "otelcol.processor.k8sattributes/filter": ({"node", "namespace"}, {"field", "label"}),
    "otelcol.processor.k8sattributes/extract": (
        {"metadata", "otel_annotations", "deployment_name_from_replicaset"},
        {"annotation", "label"},
    ),
    "otelcol.processor.k8sattributes/extract/label": ({"from", "key", "key_regex", "tag_name"}, set()),
    "otelcol.processor.k8sattributes/pod_association": (set(), {"source"}),
    "otelcol.processor.k8sattributes/pod_association/source": ({"from", "name"}, set()),
    "otelcol.processor.batch": ({"timeout", "send_batch_size", "send_batch_max_size"}, {"output", "debug_metrics"}),
    "otelcol.exporter.otlphttp": ({"encoding", "logs_endpoint"}, {"client", "sending_queue", "retry_on_failure"}),
    "otelcol.exporter.otlphttp/client": ({"endpoint", "compression", "headers", "timeout"}, {"tls"}),
    "otelcol.exporter.prometheus": ({"forward_to", "add_metric_suffixes", "resource_to_telemetry_conversion"}, set()),
    "prometheus.remote_write": ({"external_labels"}, {"endpoint", "wal"}),
    "prometheus.remote_write/endpoint": ({"url", "name", "remote_timeout"}, {"queue_config", "metadata_config"}),
}
"""Arguments and blocks of each component, as far as they may be used here (Alloy v1.18.1, its own reference)."""

OUTPUT = {"logs", "metrics", "traces"}
EXPORTS = {"targets", "output", "receiver", "input"}
"""What a component gives others to refer to (the same reference)."""


def parse(text: str, folder: Path) -> Block:
    """The configuration as Alloy's own parser reads it."""
    path = folder / "config.alloy"
    path.write_text(text, encoding="utf-8")
    found: Block = json.loads(run("alloy-syntax", str(path)))
    return found


def problems(blocks: list[Block], above: str = "") -> Iterator[str]:
    """Blocks and arguments that the reference does not name."""
    for block in blocks:
        place = f"{above}/{block['name']}" if above else block["name"]
        arguments, inner = (OUTPUT, set()) if block["name"] == "output" else REFERENCE.get(place, (None, set()))
        if arguments is None:
            yield f"{place} is no component"
            continue
        yield from (f"{place} has no argument {name}" for name in block["arguments"].keys() - arguments)
        yield from (f"{place} has no block {each['name']}" for each in block["blocks"] if each["name"] not in inner)
        yield from problems([each for each in block["blocks"] if each["name"] in inner], place)


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
def test_alloy_s_parser_reads_the_configuration_and_the_reference_names_every_argument(
    tmp_path: Path, stack: str, figures: Figures
) -> None:
    """What the parser takes may still be no argument of a component; both are checked."""
    blocks = parse(configuration(stack), tmp_path)["blocks"]
    assert list(problems(blocks)) == []
    assert len(blocks) >= 12
    figures.add(f"observability: 6 Alloy, {stack}", f"{len(blocks)} components parsed; running it: not proven here")


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
    by_name = {f"{block['name']}.{block['label']}": block for block in whole["blocks"]}
    assert list(problems(whole["blocks"])) == []
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
        ("max_streams", "max_streans", "loki.write has no argument max_streans"),
        ("stage.label_keep", "stage.label_hold", "loki.process has no block stage.label_hold"),
        ("loki.write", "loki.wright", "loki.wright is no component"),
    ],
)
def test_a_wrong_name_is_noticed(tmp_path: Path, old: str, new: str, message: str) -> None:
    """The control of the comparison."""
    found = list(problems(parse(configuration("alpha").replace(old, new), tmp_path)["blocks"]))
    assert message in found


def test_wrong_syntax_is_refused_by_the_parser(tmp_path: Path) -> None:
    """The control of the parser."""
    path = tmp_path / "config.alloy"
    path.write_text(configuration("alpha").replace("{", "(", 1))
    assert "expected block label, got (" in run("alloy-syntax", str(path), code=1)
