"""Certificates of the simulated control plane."""

from __future__ import annotations

import datetime
import stat
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from cluster import certificates
from cluster.certificates import CertificateAuthority, CertificateRequest, ensure_signing_key
from cluster.trust import ensure_trust

SERVER = CertificateRequest("server", "server", server_names=("localhost", "127.0.0.1"))
CLIENT = CertificateRequest("client", "administrator", "system:masters")


def _read(path: Path) -> x509.Certificate:
    return x509.load_pem_x509_certificate(path.read_bytes())


def test_a_certificate_says_whom_it_is_for_and_is_issued_by_its_authority(tmp_path: Path) -> None:
    """Kubernetes reads user and group from it."""
    authority = CertificateAuthority(tmp_path, "ca", "authority")
    certificate = _read(authority.ensure(CLIENT).certificate)
    certificate.verify_directly_issued_by(_read(authority.files.certificate))
    assert [entry.value for entry in certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)] == [
        "administrator"
    ]
    assert [entry.value for entry in certificate.subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)] == [
        "system:masters"
    ]
    key = certificate.public_key()
    assert isinstance(key, ec.EllipticCurvePublicKey)
    assert key.curve.name == "secp256r1"


def test_only_a_server_certificate_can_serve(tmp_path: Path) -> None:
    """A client's certificate cannot be used to pose as the API server."""
    authority = CertificateAuthority(tmp_path, "ca", "authority")
    usages = [
        len(
            _read(authority.ensure(request).certificate).extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
        )
        for request in (CLIENT, SERVER)
    ]
    assert usages == [1, 2]


def test_certificates_are_kept_while_they_are_good(tmp_path: Path) -> None:
    """A restart does not change them, so kubeconfigs stay valid."""
    first = ensure_trust(tmp_path)
    contents = {path: path.read_bytes() for path in tmp_path.iterdir()}
    assert ensure_trust(tmp_path) == first
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == contents


def test_certificates_last_ten_years(tmp_path: Path) -> None:
    """Nobody has to think of them."""
    certificate = _read(CertificateAuthority(tmp_path, "ca", "authority").ensure(CLIENT).certificate)
    assert certificate.not_valid_after_utc - datetime.datetime.now(datetime.UTC) > datetime.timedelta(days=3640)


def test_what_is_near_its_end_is_renewed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cluster that is old enough still starts."""
    with monkeypatch.context() as patched:
        patched.setattr(certificates, "VALIDITY", datetime.timedelta(days=10))
        old = CertificateAuthority(tmp_path, "ca", "authority")
        old_authority, old_client = _read(old.files.certificate), _read(old.ensure(CLIENT).certificate)
    new = CertificateAuthority(tmp_path, "ca", "authority")
    assert _read(new.files.certificate).serial_number != old_authority.serial_number
    assert _read(new.ensure(CLIENT).certificate).serial_number != old_client.serial_number


def test_a_certificate_of_another_authority_is_replaced(tmp_path: Path) -> None:
    """A lost authority takes its certificates with it."""
    first = CertificateAuthority(tmp_path, "ca", "authority")
    lost = _read(first.ensure(SERVER).certificate)
    first.files.key.unlink()
    second = CertificateAuthority(tmp_path, "ca", "authority")
    assert _read(second.ensure(SERVER).certificate).serial_number != lost.serial_number


def test_a_certificate_with_other_names_is_replaced(tmp_path: Path) -> None:
    """A new name of a server takes effect at the next start."""
    authority = CertificateAuthority(tmp_path, "ca", "authority")
    before = _read(authority.ensure(SERVER).certificate)
    wider = CertificateRequest("server", "server", server_names=("localhost", "127.0.0.1", "10.96.0.1"))
    assert _read(authority.ensure(wider).certificate).serial_number != before.serial_number


def test_the_signing_key_is_never_replaced(tmp_path: Path) -> None:
    """Tokens that were signed with it stay valid."""
    private_file, public_file = ensure_signing_key(tmp_path, "service-account")
    before = private_file.read_bytes(), public_file.read_bytes()
    ensure_signing_key(tmp_path, "service-account")
    assert (private_file.read_bytes(), public_file.read_bytes()) == before


def test_nobody_else_can_read_keys(tmp_path: Path) -> None:
    """Directories are 0700 and files 0600."""
    directory = tmp_path / "pki"
    ensure_trust(directory)
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in directory.iterdir()} == {0o600}


def test_the_three_authorities_do_not_vouch_for_each_other(tmp_path: Path) -> None:
    """A client of the API can neither open the database nor pose as the front proxy."""
    trust = ensure_trust(tmp_path)
    administrator = _read(trust.administrator.certificate)
    for authority in (trust.etcd_authority, trust.front_proxy_authority):
        with pytest.raises(ValueError, match=r"[Ii]ssuer"):
            administrator.verify_directly_issued_by(_read(authority))
