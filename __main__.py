"""The ALT_LAS platform, one stack per phase: reads the settings, composes the components, exports where they are."""

from pathlib import Path

import pulumi

from components import observability as watch
from components import platform
from components.backups.build import build_backups
from components.kubernetes.provider import KubernetesProvider
from components.services import SERVICES, message_flows, service_args, service_ports
from components.stack.cluster_identity import check_cluster
from components.stack.configuration import load
from components.stack.engine_tuning import drop_debug_messages, end_at_once, wait_for_outputs_at_once
from components.stores.stores import build_stores
from components.traffic.stack_graph import stack_graph
from components.workloads.component import Surroundings

drop_debug_messages()
end_at_once()
wait_for_outputs_at_once()
root = Path(__file__).resolve().parent
stack = load(root)
settings, ports = stack.platform, service_ports(SERVICES, stack.platform)
check_cluster(settings.cluster_uid)
# First: what cannot be built is said before anything is registered.
images = platform.service_images(settings, root)
opts = pulumi.ResourceOptions(provider=KubernetesProvider("cluster"))

namespace = platform.PlatformNamespace("namespace", platform.NamespaceArgs.of(settings), opts)
around = Surroundings.of(settings, namespace.resource, stack_graph(SERVICES, settings))
stores = build_stores(stack, around, message_flows(SERVICES), opts)
build_backups(stack, around, stores.backup_sources, opts)

alertmanager = watch.Alertmanager.optional("alertmanager", watch.AlertmanagerArgs.of(stack, around), opts)
prometheus = watch.Prometheus.optional("prometheus", watch.PrometheusArgs.of(settings, around, alertmanager), opts)
loki = watch.Loki.optional("loki", watch.LokiArgs.of(stack, around), opts)
alloy = watch.Alloy.optional("alloy", watch.AlloyArgs.of(settings, around, loki, prometheus), opts)

telemetry = alloy.otlp_endpoint if alloy else None
args = service_args(SERVICES, stack, around, stores=stores.environment, images=images, telemetry_endpoint=telemetry)
services = [service(service.service_name, args[service.service_name], opts) for service in SERVICES]
ingress = platform.PlatformIngress("ingress", platform.IngressArgs.of(settings, around, ports), opts)
platform.build_canaries(settings, around, (*services, ingress), opts)
platform.PlatformLoadTest.optional("load-test", platform.LoadTestArgs.of(settings, around), opts)
platform.PlatformMesh("mesh", platform.MeshArgs.of(settings, around), opts)
platform.PlatformAdmission("admission", platform.AdmissionArgs.of(settings), opts)

# Last, because they are long texts: Pulumi writes all that is there already with every step that follows.
blackbox = watch.BlackboxExporter.optional("blackbox-exporter", watch.BlackboxArgs.of(settings, around), opts)
watch.KubeStateMetrics.optional("kube-state-metrics", watch.KubeStateArgs.of(settings, around), opts)
watch.Monitoring.optional("monitoring", watch.MonitoringArgs.of(settings, around, blackbox), opts)
watch.Grafana.optional("grafana", watch.GrafanaArgs.of(stack, around, prometheus, loki), opts)
# Counts what stands above, and exists before it.
platform.PlatformQuota.optional("quota", platform.QuotaArgs.of(settings, around), opts)

pulumi.export("namespace", namespace.name)
pulumi.export("host", settings.ingress.host)
pulumi.export("url", ingress.url)
pulumi.export("services", {service.service_name: service.url for service in services})
