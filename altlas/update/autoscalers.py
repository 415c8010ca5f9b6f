"""Autoscalers of services that get a fixed number of pods, removed before the update that sets this number.

The engine deletes at the end of an update: until then the autoscaler would set its own number again, for good.
"""

from collections.abc import Mapping
from typing import Any

from altlas.session.console import Report
from altlas.session.exported_state import kubernetes_resources
from altlas.session.kubectl import Kubectl
from components.settings import PlatformSettings


def remove_autoscalers(kubectl: Kubectl, state: Mapping[str, Any], platform: PlatformSettings, report: Report) -> None:
    """Delete the autoscaler of each service whose number of pods the settings fix; the update then forgets it.

    Args:
        kubectl: The cluster.
        state: What `Engine.exported_state` returned before the update.
        platform: The new settings.
        report: Is given a line for each.

    Raises:
        CommandError: The cluster refuses.
    """
    fixed = {name for name, service in platform.services.by_name().items() if service.replicas is not None}
    for resource in kubernetes_resources(state):
        inputs = resource["inputs"]
        if inputs["kind"] != "HorizontalPodAutoscaler" or inputs["spec"]["scaleTargetRef"]["name"] not in fixed:
            continue
        name, namespace = inputs["metadata"]["name"], inputs["metadata"]["namespace"]
        kubectl.text("delete", "horizontalpodautoscaler", name, "--namespace", namespace, "--ignore-not-found")
        report(f"Removed the autoscaler of {name}, which gets a fixed number of pods.")
