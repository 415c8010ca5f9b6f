"""The ALT_LAS platform, one stack per phase: reads the settings, composes the components, exports where they are."""

import pulumi

from components.services import SERVICES, ServiceArgs, service_graph
from components.shared.namespace import PlatformNamespace
from components.stack_configuration import load

configuration = load()
platform = configuration.platform

namespace = PlatformNamespace("namespace", platform.namespace)
args = ServiceArgs(
    configuration=configuration,
    graph=service_graph(SERVICES, platform),
    namespace=namespace.resource,
)
services = [service(args) for service in SERVICES]

pulumi.export("namespace", namespace.name)
pulumi.export("host", platform.ingress.host)
pulumi.export("services", {service.service_name: service.url for service in services})
