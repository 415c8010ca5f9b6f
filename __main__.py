"""The ALT_LAS platform, one stack per phase: reads the settings, composes the components, exports where they are."""

from pathlib import Path

import pulumi

from components.backups.build import build_backups
from components.observability.build import build_logs_and_dashboards, telemetry_environment
from components.observability.metrics.build import build_metrics
from components.platform.admission import AdmissionArgs, PlatformAdmission
from components.platform.images import service_images
from components.platform.ingress import IngressArgs, PlatformIngress
from components.platform.mesh import MeshArgs, PlatformMesh, namespace_labels
from components.platform.namespace import NamespaceArgs, PlatformNamespace
from components.services import SERVICES, ServiceArgs, message_flows, service_ports
from components.stack.configuration import load
from components.stack.engine_tuning import drop_debug_messages
from components.stores.stores import build_stores
from components.traffic.observers import GRAFANA, GRAFANA_PORT
from components.traffic.routes import RouteTable
from components.traffic.stack_graph import stack_graph
from components.workloads.component import Surroundings

drop_debug_messages()
root = Path(__file__).resolve().parent
configuration = load(root)
platform = configuration.platform
# First: what cannot be built is said before anything is registered.
images = service_images(platform, root)

namespace = PlatformNamespace(
    "namespace", NamespaceArgs(namespace=platform.namespace, labels=namespace_labels(platform.mesh))
)
graph = stack_graph(SERVICES, platform)
surroundings = Surroundings.of(platform, namespace.resource, graph)
stores = build_stores(configuration, surroundings, message_flows(SERVICES))
build_backups(configuration, stores.backup_sources, surroundings)
args = ServiceArgs(
    configuration=configuration,
    surroundings=surroundings,
    store_environment=stores.environment,
    images=images,
    further_environment=telemetry_environment(platform),
)
services = [service(args) for service in SERVICES]
ports = service_ports(SERVICES, platform)
routes = RouteTable(
    settings=platform.entry, namespace=platform.namespace, service_ports={**ports, GRAFANA: GRAFANA_PORT}
)
ingress = PlatformIngress("ingress", IngressArgs(surroundings=surroundings, routes=routes))
PlatformMesh("mesh", MeshArgs.of(platform, surroundings))
PlatformAdmission("admission", AdmissionArgs.of(platform))
# Last, because they are long texts: Pulumi writes all that is there already with every step that follows.
build_metrics(configuration, graph, ports, namespace.resource)
build_logs_and_dashboards(configuration, graph, namespace.resource)

pulumi.export("namespace", namespace.name)
pulumi.export("host", platform.ingress.host)
pulumi.export("url", ingress.url)
pulumi.export("services", {service.service_name: service.url for service in services})
