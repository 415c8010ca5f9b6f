"""Facts of the published images, from their publishers' Dockerfiles: what a pod may rely on.

Keys are repositories with their hosts. Owns what is documented. Does not own what stands for an image on a node
(cluster.node.images.table). Nothing was pulled: no registry could be asked, so a fact is as good as its source.
"""

from collections.abc import Mapping

from cluster.node.images.recipe import PublishedImage

PUBLISHED: Mapping[str, PublishedImage] = {
    "registry.k8s.io/pause": PublishedImage(
        source="kubernetes/kubernetes v1.35.4 build/pause/Dockerfile",
        user="65535:65535",
        entry_point=("/pause",),
        programs=("/pause",),
    ),
    "docker.io/library/busybox": PublishedImage(
        source="docker-library/busybox latest/glibc/Dockerfile", command=("sh",), programs=("/bin/sh", "/bin/busybox")
    ),
    "registry.k8s.io/coredns/coredns": PublishedImage(
        source="coredns/coredns v1.12.4 Dockerfile",
        user="nonroot:nonroot",
        entry_point=("/coredns",),
        programs=("/coredns",),
    ),
    "registry.k8s.io/metrics-server/metrics-server": PublishedImage(
        source="kubernetes-sigs/metrics-server Dockerfile",
        user="65534",
        entry_point=("/metrics-server",),
        programs=("/metrics-server",),
    ),
}
