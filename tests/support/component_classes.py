"""The component classes of the program, found by walking its package, and their identity in the state."""

import importlib
import inspect
import pkgutil
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar, get_origin

import pulumi

import components

Component = type[pulumi.ComponentResource]

TYPE_TOKENS: Mapping[str, str] = {
    "AiOrchestrator": "alt-las:services:AiOrchestrator",
    "Alertmanager": "alt-las:observability:Alertmanager",
    "Alloy": "alt-las:observability:Alloy",
    "ApiGateway": "alt-las:services:ApiGateway",
    "ArchiveService": "alt-las:services:ArchiveService",
    "BackupMetrics": "alt-las:shared:BackupMetrics",
    "BlackboxExporter": "alt-las:observability:BlackboxExporter",
    "Grafana": "alt-las:observability:Grafana",
    "KubeStateMetrics": "alt-las:observability:KubeStateMetrics",
    "Loki": "alt-las:observability:Loki",
    "Monitoring": "alt-las:observability:Monitoring",
    "Nats": "alt-las:shared:Nats",
    "PlatformAdmission": "alt-las:platform:Admission",
    "PlatformCanaries": "alt-las:platform:Canaries",
    "PlatformCanaryApprovals": "alt-las:platform:CanaryApprovals",
    "PlatformImages": "alt-las:platform:Images",
    "PlatformIngress": "alt-las:platform:Ingress",
    "PlatformLoadTest": "alt-las:platform:LoadTest",
    "PlatformMesh": "alt-las:platform:Mesh",
    "PlatformNamespace": "alt-las:platform:Namespace",
    "PlatformQuota": "alt-las:platform:Quota",
    "Postgres": "alt-las:shared:Postgres",
    "Prometheus": "alt-las:observability:Prometheus",
    "Redis": "alt-las:shared:Redis",
    "RunnerService": "alt-las:services:RunnerService",
    "SegmentationService": "alt-las:services:SegmentationService",
    "StoreBackup": "alt-las:shared:StoreBackup",
    "Workload": "alt-las:platform:Workload",
    "WriteAheadLog": "alt-las:shared:WriteAheadLog",
}
"""Type token of every component. The tokens are identity: another one would replace what stands below a component."""


def found_components() -> dict[str, Component]:
    """Every component class below `components` that is no base of another one, by its name."""
    for found_module in pkgutil.walk_packages(components.__path__, "components."):
        importlib.import_module(found_module.name)
    found: list[Component] = list(_subclasses(pulumi.ComponentResource))
    own = [each for each in found if each.__module__.startswith("components.")]
    return {each.__name__: each for each in own if not any(other.__base__ is each for other in own)}


def _subclasses(base: type) -> Iterator[type[Any]]:
    below: list[type[Any]] = base.__subclasses__()
    for each in below:
        yield each
        yield from _subclasses(each)


def annotated_outputs(component: Component) -> set[str]:
    """Public attributes that a component class, or a base of it here, declares, but for resources."""
    found: dict[str, object] = {}
    for base in component.__mro__:
        if base.__module__.startswith("components."):
            found |= inspect.get_annotations(base)
    return {name for name, annotation in found.items() if not name.startswith("_") and _is_output(annotation)}


def _is_output(annotation: object) -> bool:
    is_resource = isinstance(annotation, type) and issubclass(annotation, pulumi.Resource)
    return get_origin(annotation) is not ClassVar and not is_resource


COMPONENTS: Mapping[str, Component] = found_components()
"""Every component class by its name."""
