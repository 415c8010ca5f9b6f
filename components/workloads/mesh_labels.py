"""Labels by which pods stay out of the service mesh."""

from components.settings import PlatformSettings


def opt_out_labels(platform: PlatformSettings) -> dict[str, str]:
    """Label that keeps pods of the namespace out of the mesh; none without a mesh.

    For stores whose operator talks to them from outside the mesh, or whose protocol has its own TLS.
    """
    return {"istio.io/dataplane-mode": "none"} if platform.mesh.is_on else {}
