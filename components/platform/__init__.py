"""Objects that a stack has once: namespace, quota, admission, mesh, ingress, images."""

from components.platform.admission import AdmissionArgs, PlatformAdmission
from components.platform.canaries import CanariesArgs, PlatformCanaries, build_canaries
from components.platform.canary_approvals import CanaryApprovalsArgs, PlatformCanaryApprovals
from components.platform.images import service_images
from components.platform.ingress import IngressArgs, PlatformIngress
from components.platform.load_test import LoadTestArgs, PlatformLoadTest
from components.platform.mesh import MeshArgs, PlatformMesh
from components.platform.namespace import NamespaceArgs, PlatformNamespace
from components.platform.quota import PlatformQuota, QuotaArgs

__all__ = [
    "AdmissionArgs",
    "CanariesArgs",
    "CanaryApprovalsArgs",
    "IngressArgs",
    "LoadTestArgs",
    "MeshArgs",
    "NamespaceArgs",
    "PlatformAdmission",
    "PlatformCanaries",
    "PlatformCanaryApprovals",
    "PlatformIngress",
    "PlatformLoadTest",
    "PlatformMesh",
    "PlatformNamespace",
    "PlatformQuota",
    "QuotaArgs",
    "build_canaries",
    "service_images",
]
