"""Objects that a stack has once: namespace, quota, admission, mesh, ingress, images."""

from components.platform.admission import AdmissionArgs, PlatformAdmission
from components.platform.canaries import CanariesArgs, PlatformCanaries
from components.platform.images import service_images
from components.platform.ingress import IngressArgs, PlatformIngress
from components.platform.load_test import LoadTestArgs, PlatformLoadTest
from components.platform.mesh import MeshArgs, PlatformMesh
from components.platform.namespace import NamespaceArgs, PlatformNamespace
from components.platform.quota import PlatformQuota, QuotaArgs

__all__ = [
    "AdmissionArgs",
    "CanariesArgs",
    "IngressArgs",
    "LoadTestArgs",
    "MeshArgs",
    "NamespaceArgs",
    "PlatformAdmission",
    "PlatformCanaries",
    "PlatformIngress",
    "PlatformLoadTest",
    "PlatformMesh",
    "PlatformNamespace",
    "PlatformQuota",
    "QuotaArgs",
    "service_images",
]
