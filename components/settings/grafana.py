"""Grafana of a stack: where people look at its metrics and logs. Never a password."""

from components.settings.base import Settings, section, setting
from components.settings.image import ImageSettings
from components.settings.names import DnsName
from components.settings.workload import Memory, ResourceSettings


class GrafanaSettings(Settings):
    """One pod without a volume: everything it shows is provisioned, so a new pod shows the same."""

    image: ImageSettings = section("Image of Grafana.", ImageSettings(repository="grafana/grafana", tag="13.2.2"))
    resources: ResourceSettings = section("What the pod is guaranteed and may use.")
    scratch_size: Memory = setting(
        "capacity", "Room for its own small database and for what it renders.", "256Mi", unit="Mi or Gi"
    )
    host: DnsName | None = setting(
        "security",
        "DNS name under which it is reached through the ingress, with a certificate in `ingress.tls.additional`; "
        "null where it is reached by `kubectl port-forward` only.",
        None,
    )
