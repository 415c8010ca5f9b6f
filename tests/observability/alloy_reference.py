"""Components, blocks and arguments of Alloy 1.18 that this project uses, as Alloy's own reference lists them.

Owns what can be checked of an Alloy configuration with Alloy's parser alone. Does not own whether Alloy accepts it:
Alloy itself says that where it is installed (test_alloy.py), and `alloy validate` 1.18.1 accepted all of this.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

Block = dict[str, Any]

STRING, NUMBER = "string", "number"
STRINGS, RECEIVERS, MAP, TARGETS = "list of strings", "list of receivers", "map", "targets"
_FORMS = {
    STRING: re.compile(r'"(\\.|[^"\\])*"'),
    NUMBER: re.compile(r"\d+(\.\d+)?"),
    STRINGS: re.compile(r'\[("(\\.|[^"\\])*"(,\s*)?)*\]'),
    RECEIVERS: re.compile(r"\[([a-z_0-9.]+\.(receiver|input)(,\s*)?)*\]"),
    MAP: re.compile(r'\{(\s*"?[\w.]+"?\s*=\s*"(\\.|[^"\\])*",?\s*)*\}'),
    TARGETS: re.compile(r"[a-z_0-9.]+\.(targets|output)"),
}
_REFERENCE = re.compile(r"\b[a-z_0-9]+(?:\.[a-z_0-9]+){3,}\b")
_QUOTED = re.compile(r'"(\\.|[^"\\])*"')


@dataclass(frozen=True)
class Form:
    """Arguments and inner blocks that a block takes."""

    arguments: Mapping[str, str] = field(default_factory=dict)
    blocks: Mapping[str, "Form"] = field(default_factory=dict)


_OUTPUT = Form({"logs": RECEIVERS, "metrics": RECEIVERS, "traces": RECEIVERS})
_ENDPOINT = {"endpoint": Form({"url": STRING})}
_EXTRACT = Form({"metadata": STRINGS}, {"label": Form({"from": STRING, "key": STRING, "tag_name": STRING})})

COMPONENTS: Mapping[str, Form] = {
    "logging": Form({"level": STRING, "format": STRING}),
    "discovery.kubernetes": Form({"role": STRING}, {"namespaces": Form({"names": STRINGS})}),
    "discovery.relabel": Form({"targets": TARGETS}, {"rule": Form({"source_labels": STRINGS, "target_label": STRING})}),
    "loki.source.kubernetes": Form({"targets": TARGETS, "forward_to": RECEIVERS}),
    "loki.process": Form(
        {"forward_to": RECEIVERS},
        {"stage.static_labels": Form({"values": MAP}), "stage.label_keep": Form({"values": STRINGS})},
    ),
    "loki.write": Form({"max_streams": NUMBER}, _ENDPOINT),
    "otelcol.receiver.otlp": Form(
        blocks={"grpc": Form({"endpoint": STRING}), "http": Form({"endpoint": STRING}), "output": _OUTPUT}
    ),
    "otelcol.processor.memory_limiter": Form({"check_interval": STRING, "limit": STRING}, {"output": _OUTPUT}),
    "otelcol.processor.transform": Form(
        {"error_mode": STRING},
        {"log_statements": Form({"context": STRING, "statements": STRINGS}), "output": _OUTPUT},
    ),
    "otelcol.processor.k8sattributes": Form(
        blocks={
            "filter": Form({"namespace": STRING}),
            "extract": _EXTRACT,
            "pod_association": Form(blocks={"source": Form({"from": STRING})}),
            "output": _OUTPUT,
        }
    ),
    "otelcol.processor.batch": Form(blocks={"output": _OUTPUT}),
    "otelcol.exporter.otlphttp": Form(blocks={"client": Form({"endpoint": STRING})}),
    "otelcol.exporter.prometheus": Form({"forward_to": RECEIVERS}),
    "prometheus.remote_write": Form(blocks=_ENDPOINT),
}


def references(block: Block) -> Iterator[str]:
    """Components and exports that a configuration refers to."""
    for text in block["arguments"].values():
        yield from _REFERENCE.findall(_QUOTED.sub("", text))
    for each in block["blocks"]:
        yield from references(each)


def names(whole: Block) -> set[str]:
    """Components that a configuration defines."""
    return {f"{block['name']}.{block['label']}" for block in whole["blocks"] if block["label"]}


def problems(whole: Block) -> Iterator[str]:
    """Unknown components, blocks and arguments, values of another type, and references to nothing."""
    for block in whole["blocks"]:
        form = COMPONENTS.get(block["name"])
        if form is None:
            yield f'cannot find the definition of component name "{block["name"]}"'
        else:
            yield from _misfits(block, form)
    for reference in sorted(set(references(whole))):
        if reference.rpartition(".")[0] not in names(whole):
            yield f'component "{reference}" does not exist'


def _misfits(block: Block, form: Form) -> Iterator[str]:
    for name, text in block["arguments"].items():
        if name not in form.arguments:
            yield f'unrecognized attribute name "{name}"'
        elif not _FORMS[form.arguments[name]].fullmatch(text):
            yield f"{name}: expected {form.arguments[name]}, got {text}"
    for each in block["blocks"]:
        if each["name"] in form.blocks:
            yield from _misfits(each, form.blocks[each["name"]])
        else:
            yield f'unrecognized block name "{each["name"]}"'
