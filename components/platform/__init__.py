"""Objects that a stack has once: namespace, admission, mesh, ingress, images."""

from components.platform.admission import AdmissionArgs, PlatformAdmission
from components.platform.canaries import CanariesArgs, PlatformCanaries
from components.platform.images import service_images
from components.platform.ingress import IngressArgs, PlatformIngress
from components.platform.mesh import MeshArgs, PlatformMesh
from components.platform.namespace import NamespaceArgs, PlatformNamespace

__all__ = [
    "AdmissionArgs",
    "CanariesArgs",
    "IngressArgs",
    "MeshArgs",
    "NamespaceArgs",
    "PlatformAdmission",
    "PlatformCanaries",
    "PlatformIngress",
    "PlatformMesh",
    "PlatformNamespace",
    "service_images",
]
