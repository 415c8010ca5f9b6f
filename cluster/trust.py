"""Trust in a control plane: its authorities and the certificate of each participant."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from cluster.certificates import CertificateAuthority, CertificateRequest, KeyPair, ensure_signing_key
from cluster.ports import LOOPBACK

# The first address of the service range: the Service "kubernetes" of the default namespace.
API_SERVICE_ADDRESS = "10.96.0.1"
API_SERVER_NAMES = (
    "localhost",
    "kubernetes",
    "kubernetes.default",
    "kubernetes.default.svc",
    "kubernetes.default.svc.cluster.local",
    LOOPBACK,
    API_SERVICE_ADDRESS,
)
ADMINISTRATORS = "system:masters"
FRONT_PROXY_NAME = "front-proxy-client"


@dataclass(frozen=True)
class Trust:
    """Certificates and keys, each by the participant that uses it.

    Three authorities, so that a certificate for one purpose is worth nothing for another: a client of the
    API cannot open the database, and cannot pose as the front proxy.
    """

    authority: Path
    api_server: KeyPair
    administrator: KeyPair
    controller_manager: KeyPair
    scheduler: KeyPair
    kwok: KeyPair
    kubelet_client: KeyPair
    etcd_authority: Path
    etcd_server: KeyPair
    etcd_client: KeyPair
    front_proxy_authority: Path
    front_proxy: KeyPair
    front_proxy_name: str
    service_account_key: Path
    service_account_public_key: Path


def administrator_files(directory: Path) -> tuple[Path, KeyPair]:
    """Return the authority's certificate and the administrator's files; says nothing about their being there."""
    return directory / "ca.crt", KeyPair(directory / "administrator.crt", directory / "administrator.key")


def cluster_authority(directory: Path) -> CertificateAuthority:
    """Return the authority of the API server and of everybody who talks to it."""
    return CertificateAuthority(directory, "ca", "alt-las-sim-ca")


def ensure_trust(directory: Path, server_names: tuple[str, ...] = ()) -> Trust:
    """Make what is missing and renew what is near its end, all below the given directory.

    Args:
        directory: where the files are.
        server_names: names and addresses of the API server beside `API_SERVER_NAMES`.
    """
    kubernetes = cluster_authority(directory)
    etcd = CertificateAuthority(directory, "etcd-ca", "alt-las-sim-etcd-ca")
    front_proxy = CertificateAuthority(directory, "front-proxy-ca", "alt-las-sim-front-proxy-ca")
    private_key, public_key = ensure_signing_key(directory, "service-account")
    loopback = ("localhost", LOOPBACK)
    return Trust(
        authority=kubernetes.files.certificate,
        api_server=kubernetes.ensure(
            CertificateRequest("api-server", "kube-apiserver", server_names=API_SERVER_NAMES + server_names),
        ),
        administrator=kubernetes.ensure(CertificateRequest("administrator", "administrator", ADMINISTRATORS)),
        controller_manager=kubernetes.ensure(
            CertificateRequest("controller-manager", "system:kube-controller-manager")
        ),
        scheduler=kubernetes.ensure(CertificateRequest("scheduler", "system:kube-scheduler")),
        # It plays the part of every node's kubelet, and may be given stages for any kind of object.
        kwok=kubernetes.ensure(CertificateRequest("kwok", "kwok", ADMINISTRATORS)),
        # By which the API server opens logs and shells of pods at the kubelets.
        kubelet_client=kubernetes.ensure(
            CertificateRequest("kubelet-client", "kube-apiserver-kubelet-client", ADMINISTRATORS)
        ),
        etcd_authority=etcd.files.certificate,
        etcd_server=etcd.ensure(CertificateRequest("etcd-server", "etcd", server_names=loopback)),
        etcd_client=etcd.ensure(CertificateRequest("etcd-client", "kube-apiserver")),
        front_proxy_authority=front_proxy.files.certificate,
        front_proxy=front_proxy.ensure(CertificateRequest("front-proxy", FRONT_PROXY_NAME)),
        front_proxy_name=FRONT_PROXY_NAME,
        service_account_key=private_key,
        service_account_public_key=public_key,
    )
