"""Programs of a node that come from Debian's packages, and the environment in which the node's daemons run."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path

from cluster.errors import ClusterError
from tools.errors import WayFailedError
from tools.pinned_debian import library_path, unpacked

PACKAGES = {
    "containerd=1.6.20~ds1-1+deb12u3": "8669d264eeb0fcdb4a0b1ba436ab88ec5dafde4a66e1278ec279d830db4c2216",
    "runc=1.1.5+ds1-1+deb12u1": "a00351f8c0318de0b424ecf5cd0fdb69880a89f3511cae4f6fff7de3e57881c5",
    "containernetworking-plugins=1.1.1+ds1-3+b5": "4cac8143474d1249b19f7b0e80b8d0daaa6dfdaa8bd514bc468d38d4a108099f",
    "iptables=1.8.9-2": "2928d3ca6ca8a3dc3f423f6752822b1f3614a5ba609ff7806bcba4449ffe90e1",
    "ipset=7.17-1": "4bcc86f6658ca92fe2e21a6a7d4fd162d3b94ec3cdc709a9cf05f0a8ad9c7725",
    "conntrack=1:1.4.7-1+b2": "9827d60b60c1b5673e97f34db48d9db79e9f9ef807ee998320f6dafc80711e82",
    "libxtables12=1.8.9-2": "cb841d66950a43af4a398625313d2f3da9065299c9738538de6c2c3495857040",
    "libip4tc2=1.8.9-2": "f2c48b367f9ec13f9aa577e7ccf81b371ce5d5fe22dddf9d7aa99f1e0bb7cfc4",
    "libip6tc2=1.8.9-2": "be88db3dfa2fe3345ea343207f7c75345602686121e579023d021c348b9b4f4d",
    "libnftnl11=1.2.4-2": "9e619e1470a1915264e906020f3bfc046fd8458043b1342686d997b5078213af",
    "libmnl0=1.0.4-3": "4581f42e3373cb72f9ea4e88163b17873afca614a6c6f54637e95aa75983ea7c",
    "libipset13=7.17-1": "67fe7a8366878b0431b6e247c04b131b43df90f8090000a2681e63d4c22d02ca",
    "libnfnetlink0=1.0.2-2": "ae5cbba417ea48f34c1f72c27e8146a81f20614c1296bca2cd7234c8215fddcc",
    "libnetfilter-conntrack3=1.0.9-3": "65f1539238f60fcc85d115acd640474f45c77bfddcf402eb7d75965a783c2bc8",
    "libseccomp2=2.5.4-1+deb12u1": "108fe67957ca7cf9ba51d801118a1b37d404bea7b6e365025cd00779e9eca38d",
}
"""Package and version, and the SHA-256 of its file for amd64, from Debian 12's signed index."""

_FILTERS = {
    name: "xtables-nft-multi" for ip in ("iptables", "ip6tables") for name in (ip, f"{ip}-save", f"{ip}-restore")
}
_USUAL_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class NodePackages:
    """The unpacked packages of a node; owns nothing, the folder is shared by all clusters of this user."""

    def __init__(self, folder: Path) -> None:
        """Use a folder made by `unpacked`."""
        self.folder = folder

    def program(self, name: str) -> Path:
        """Return the path of a program of these packages."""
        places = (self.folder / place / name for place in ("usr/bin", "usr/sbin"))
        return next(path for path in places if path.exists())

    @property
    def plugins(self) -> Path:
        """Folder of the CNI plugins."""
        return self.folder / "usr/lib/cni"

    def environment(self, home: Path, others: Mapping[str, Path]) -> dict[str, str]:
        """Return all variables of a node's daemons.

        Args:
            home: a folder that they may write to.
            others: further programs that must be on PATH.
        """
        folders = [self.folder / "filters", self.folder / "usr/bin", self.folder / "usr/sbin"]
        folders += [path.parent for path in others.values()]
        return {
            "PATH": os.pathsep.join([*map(str, dict.fromkeys(folders)), _USUAL_PATH]),
            "LD_LIBRARY_PATH": str(library_path(self.folder)),
            "XTABLES_LIBDIR": str(library_path(self.folder) / "xtables"),
            "HOME": str(home),
        }


def node_packages() -> NodePackages:
    """Return the packages, unpacked at the first call.

    Raises:
        ClusterError: they cannot be had here.
    """
    digest = hashlib.sha256(repr(sorted(PACKAGES.items())).encode()).hexdigest()[:12]
    try:
        folder = unpacked(f"node-{digest}", PACKAGES)
    except WayFailedError as error:
        raise ClusterError(
            f"A node needs containerd, runc and iptables of Debian 12, and {error}. Use a machine with Debian 12, "
            "run `apt-get update` there once, or choose TARGET=sim."
        ) from error
    # Debian makes these names when the package is installed.
    filters = folder / "filters"
    filters.mkdir(exist_ok=True)
    for name, program in _FILTERS.items():
        link = filters / name
        if not link.is_symlink():
            link.symlink_to(folder / "usr/sbin" / program)
    return NodePackages(folder)
