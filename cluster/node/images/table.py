"""The images of a node: one recipe for each, and those that cannot be had, with the reason.

Owns which image is made of what. Does not own the facts of the published ones (cluster.node.images.published).
"""

from cluster.node.images.layers import DebianLayer, Layer, ProgramLayer, WrittenFile, WrittenLayer
from cluster.node.images.published import PUBLISHED
from cluster.node.images.recipe import MissingImage, NodeImage, PublishedImage, full_name

_USERS = WrittenLayer(
    (
        WrittenFile(
            "etc/passwd",
            "root:x:0:0:root:/root:/sbin/nologin\nnobody:x:65534:65534:nobody:/:/sbin/nologin\n"
            "nonroot:x:65532:65532:nonroot:/:/sbin/nologin\n",
            mode=0o644,
        ),
        WrittenFile("etc/group", "root:x:0:\nnobody:x:65534:\nnonroot:x:65532:\n", mode=0o644),
        WrittenFile("tmp", mode=0o1777),
    )
)
_SHELL = DebianLayer(packages=("busybox",), applets="bin")


def _program(reference: str, holds: str, program: str, path: str) -> NodeImage:
    """An image of one static program."""
    return _image(reference, holds, _USERS, ProgramLayer(programs=((program, path),)))


def _image(reference: str, holds: str, *layers: Layer) -> NodeImage:
    return NodeImage(references=(reference,), holds=holds, published=_published(reference), layers=layers)


def _published(reference: str) -> PublishedImage:
    return PUBLISHED[full_name(reference).rpartition(":")[0]]


IMAGES: tuple[NodeImage, ...] = (
    _program("registry.k8s.io/pause:3.10", "a program of this project that waits", "pause", "pause"),
    _image("busybox:1.35.0", "busybox 1.35.0 of Debian 12", _USERS, _SHELL),
    _program("registry.k8s.io/coredns/coredns:v1.12.4", "CoreDNS 1.12.4, built here", "coredns", "coredns"),
    _program(
        "registry.k8s.io/metrics-server/metrics-server:v0.9.0",
        "metrics-server 0.9.0, built here",
        "metrics-server",
        "metrics-server",
    ),
)

MISSING: tuple[MissingImage, ...] = ()
