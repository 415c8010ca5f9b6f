"""Alloy's configuration: which pods' logs to read, what to take from services, where all of it goes. Pure functions.

In the tests Alloy's own parser reads it; where Alloy is installed, it validates it and ships logs and metrics with it.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from components.traffic.observers import OTLP_GRPC_PORT, OTLP_HTTP_PORT

_MEMORY_SHARE = 0.5
_POD_LABEL = "__meta_kubernetes_pod_label_app_kubernetes_io"
_SOURCES = {
    "service": f"{_POD_LABEL}_name",
    "pod": "__meta_kubernetes_pod_name",
    "component": f"{_POD_LABEL}_component",
    "version": f"{_POD_LABEL}_version",
    "container": "__meta_kubernetes_pod_container_name",
    "node": "__meta_kubernetes_pod_node_name",
}
"""What the API server knows of a pod, by stream label."""

_ATTRIBUTES = {
    "service": "app.kubernetes.io/name",
    "component": "app.kubernetes.io/component",
    "version": "app.kubernetes.io/version",
}
"""Pod label behind each stream label of what a service sends."""

_METADATA = {"pod": "k8s.pod.name", "node": "k8s.node.name"}
"""Pod metadata behind each stream label of what a service sends."""

_PHASE = "phase"


@dataclass(frozen=True, kw_only=True)
class Pipeline:
    """Pipeline of one Alloy.

    Attributes:
        namespace: Namespace whose pods' logs are read.
        phase: Value of the label `phase`: the name of the stack.
        labels: Labels of a stream.
        loki: Address of Loki.
        memory_mebibytes: What the pod may use.
        max_streams: Streams that may be open at once.
        remote_write: Where metrics that services send go, to each of them; empty where nobody keeps them.
    """

    namespace: str
    phase: str
    labels: Sequence[str]
    loki: str
    memory_mebibytes: int
    max_streams: int
    remote_write: Sequence[str] = ()


def configuration_file(pipeline: Pipeline) -> str:
    """The whole configuration in Alloy's own syntax."""
    parts = [
        _block("logging", {"level": '"info"', "format": '"json"'}),
        *_printed(pipeline),
        *_sent(pipeline),
        *(_metrics(pipeline.remote_write) if pipeline.remote_write else ()),
    ]
    return "\n\n".join(parts) + "\n"


def _printed(pipeline: Pipeline) -> list[str]:
    """Logs that pods print: discovered and read through the API server, labelled, sent to Loki."""
    names = _block("namespaces", {"names": _list([pipeline.namespace])})
    rules = [
        _block("rule", {"source_labels": _list([_SOURCES[label]]), "target_label": _text(label)})
        for label in pipeline.labels
        if label in _SOURCES
    ]
    endpoint = _block("endpoint", {"url": _text(f"{pipeline.loki}/loki/api/v1/push")})
    return [
        _block('discovery.kubernetes "pods"', {"role": '"pod"'}, names),
        _block('discovery.relabel "pods"', {"targets": "discovery.kubernetes.pods.targets"}, *rules),
        _block(
            'loki.source.kubernetes "pods"',
            {"targets": "discovery.relabel.pods.output", "forward_to": "[loki.process.pods.receiver]"},
        ),
        _block(
            'loki.process "pods"',
            {"forward_to": "[loki.write.loki.receiver]"},
            _block("stage.static_labels", {"values": _map({_PHASE: pipeline.phase})}),
            # The source adds labels of its own, one of them as long as a pod's name.
            _block("stage.label_keep", {"values": _list(pipeline.labels)}),
        ),
        _block('loki.write "loki"', {"max_streams": str(pipeline.max_streams)}, endpoint),
    ]


def _sent(pipeline: Pipeline) -> list[str]:
    """Data that services send by OTLP: it gets the labels of the pod that it comes from, whatever it says of itself."""
    metrics = bool(pipeline.remote_write)
    wanted = [label for label in pipeline.labels if label != _PHASE]
    metadata = [_METADATA[label] for label in wanted if label in _METADATA]
    claimed = [*pipeline.labels, *metadata]
    forget = [f'delete_key(attributes, "{name}")' for name in claimed]
    settled = [
        f'set(attributes["{label}"], attributes["{_METADATA[label]}"])' for label in wanted if label in _METADATA
    ]
    settled.append(f'set(attributes["{_PHASE}"], "{pipeline.phase}")')
    limit = f'"{int(pipeline.memory_mebibytes * _MEMORY_SHARE)}MiB"'
    listening = [
        _block("grpc", {"endpoint": f'"0.0.0.0:{OTLP_GRPC_PORT}"'}),
        _block("http", {"endpoint": f'"0.0.0.0:{OTLP_HTTP_PORT}"'}),
    ]
    limiter = _to("otelcol.processor.memory_limiter.services", metrics)
    return [
        _block('otelcol.receiver.otlp "services"', {}, *listening, limiter),
        _block(
            'otelcol.processor.memory_limiter "services"',
            {"check_interval": '"1s"', "limit": limit},
            _to("otelcol.processor.transform.claims", metrics),
        ),
        _transform("claims", forget, "otelcol.processor.k8sattributes.services", metrics),
        _k8sattributes(pipeline, wanted, metadata, metrics),
        _transform("labels", settled, "otelcol.processor.batch.services", metrics),
        _block(
            'otelcol.processor.batch "services"',
            {},
            _block(
                "output",
                {"logs": "[otelcol.exporter.otlphttp.loki.input]"}
                | ({"metrics": "[otelcol.exporter.prometheus.services.input]"} if metrics else {}),
            ),
        ),
        _block('otelcol.exporter.otlphttp "loki"', {}, _block("client", {"endpoint": _text(f"{pipeline.loki}/otlp")})),
    ]


def _k8sattributes(pipeline: Pipeline, wanted: Sequence[str], metadata: Sequence[str], metrics: bool) -> str:
    labels = [
        _block("label", {"from": '"pod"', "key": _text(_ATTRIBUTES[label]), "tag_name": _text(label)})
        for label in wanted
        if label in _ATTRIBUTES
    ]
    return _block(
        'otelcol.processor.k8sattributes "services"',
        {},
        _block("filter", {"namespace": _text(pipeline.namespace)}),
        _block("extract", {"metadata": _list(metadata)}, *labels),
        _block("pod_association", {}, _block("source", {"from": '"connection"'})),
        _to("otelcol.processor.transform.labels", metrics),
    )


def _metrics(remote_write: Sequence[str]) -> list[str]:
    """Metrics that services send, written to every server of Prometheus."""
    endpoints = (_block("endpoint", {"url": _text(url)}) for url in remote_write)
    return [
        _block('otelcol.exporter.prometheus "services"', {"forward_to": "[prometheus.remote_write.services.receiver]"}),
        _block('prometheus.remote_write "services"', {}, *endpoints),
    ]


def _transform(name: str, statements: Sequence[str], after: str, metrics: bool) -> str:
    return _block(
        f'otelcol.processor.transform "{name}"',
        {"error_mode": '"ignore"'},
        _block("log_statements", {"context": '"resource"', "statements": _list(statements)}),
        _to(after, metrics),
    )


def _to(component: str, metrics: bool) -> str:
    """Output to a component: logs, and metrics where a Prometheus keeps them."""
    signals = ("logs", "metrics") if metrics else ("logs",)
    return _block("output", dict.fromkeys(signals, f"[{component}.input]"))


def _block(header: str, arguments: Mapping[str, str], *blocks: str) -> str:
    width = max(map(len, arguments), default=0)
    lines = [f"{name.ljust(width)} = {value}" for name, value in arguments.items()]
    for block in blocks:
        lines += ["", *block.splitlines()] if lines else block.splitlines()
    if not lines:
        return f"{header} {{ }}"
    inner = "\n".join(f"  {line}" if line else "" for line in lines)
    return f"{header} {{\n{inner}\n}}"


def _text(value: str) -> str:
    return json.dumps(value)


def _list(values: Sequence[str]) -> str:
    return f"[{', '.join(map(_text, values))}]"


def _map(values: Mapping[str, str]) -> str:
    return "{" + ", ".join(f"{_text(key)} = {_text(value)}" for key, value in values.items()) + "}"
