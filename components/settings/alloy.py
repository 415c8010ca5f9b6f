"""Alloy of a stack: the one that reads the pods' logs and takes what services send. Never a token."""

from components.settings.base import Settings, section, setting
from components.settings.image import ImageSettings
from components.settings.workload import Memory, ResourceSettings


class AlloySettings(Settings):
    """Reads the logs of the stack's pods through the API server, and takes logs and metrics by OTLP."""

    image: ImageSettings = section("Image of Alloy.", ImageSettings(repository="grafana/alloy", tag="v1.18.1"))
    resources: ResourceSettings = section("What the pod is guaranteed and may use.")
    scratch_size: Memory = setting(
        "capacity", "Room for what has been read and not been taken yet.", "256Mi", unit="Mi or Gi"
    )
