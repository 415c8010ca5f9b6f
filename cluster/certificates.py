"""Certificates and keys of a simulated control plane.

Owns the files of one directory. Authorities, certificates and keys are made once and renewed when they
are near their end, when they do not belong together any more, or when the names they must carry change.
"""

from __future__ import annotations

import datetime
import ipaddress
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from cluster.files import private_directory, write_private

VALIDITY = datetime.timedelta(days=3650)
RENEW_BEFORE = datetime.timedelta(days=30)
# A certificate must also be valid for a reader whose clock is a little behind.
CLOCK_TOLERANCE = datetime.timedelta(minutes=5)


@dataclass(frozen=True)
class KeyPair:
    """The files of a certificate and of its private key (mode 0600)."""

    certificate: Path
    key: Path


@dataclass(frozen=True)
class CertificateRequest:
    """Subject of a certificate.

    Attributes:
        file_name: name of the files, without ending.
        common_name: the user name, as Kubernetes reads it.
        organization: the group, as Kubernetes reads it.
        server_names: host names and addresses; a certificate with none cannot serve.
    """

    file_name: str
    common_name: str
    organization: str | None = None
    server_names: tuple[str, ...] = ()


class CertificateAuthority:
    """An authority with its key in a directory; made if it is missing or near its end."""

    def __init__(self, directory: Path, file_name: str, common_name: str) -> None:
        """Load the authority or make a new one.

        Args:
            directory: where the files are; created with mode 0700.
            file_name: name of the files, without ending.
            common_name: the authority's own name.
        """
        self._directory = private_directory(directory)
        self.files = _files(directory, file_name)
        loaded = _load(self.files)
        if loaded is None or _ends_soon(loaded[0]):
            loaded = _make_authority(common_name)
            _store(self.files, *loaded)
        self._certificate, self._key = loaded

    def ensure(self, request: CertificateRequest) -> KeyPair:
        """Return the files of a valid certificate for the request, issued now if necessary."""
        files = _files(self._directory, request.file_name)
        loaded = _load(files)
        if loaded is None or not self._still_good(loaded[0], request):
            key = ec.generate_private_key(ec.SECP256R1())
            _store(files, self._issue(request, key), key)
        return files

    def _still_good(self, certificate: x509.Certificate, request: CertificateRequest) -> bool:
        try:
            certificate.verify_directly_issued_by(self._certificate)
        except (ValueError, TypeError, InvalidSignature):
            return False
        matches = certificate.subject == _subject(request) and _names_of(certificate) == _general_names(request)
        return matches and not _ends_soon(certificate)

    def _issue(self, request: CertificateRequest, key: ec.EllipticCurvePrivateKey) -> x509.Certificate:
        usages = [ExtendedKeyUsageOID.CLIENT_AUTH]
        if request.server_names:
            usages.append(ExtendedKeyUsageOID.SERVER_AUTH)
        builder = (
            _builder(_subject(request), self._certificate.subject, key, is_authority=False)
            .add_extension(x509.ExtendedKeyUsage(usages), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()),
                critical=False,
            )
        )
        if request.server_names:
            names = x509.SubjectAlternativeName(_general_names(request))
            builder = builder.add_extension(names, critical=False)
        return builder.sign(self._key, hashes.SHA256())


def ensure_signing_key(directory: Path, file_name: str) -> tuple[Path, Path]:
    """Return the files of a private and of a public key that sign service account tokens; made once.

    It is kept for ever, because tokens signed with it stay valid as long as it does.
    """
    private_directory(directory)
    private_file, public_file = directory / f"{file_name}.key", directory / f"{file_name}.pub"
    key = _load_key(private_file) or ec.generate_private_key(ec.SECP256R1())
    write_private(private_file, _key_text(key))
    public_text = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    write_private(public_file, public_text)
    return private_file, public_file


def _make_authority(common_name: str) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
    return _builder(name, name, key, is_authority=True).sign(key, hashes.SHA256()), key


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, *, is_authority: bool
) -> x509.CertificateBuilder:
    now = _now()
    usage = x509.KeyUsage(
        digital_signature=True,
        key_cert_sign=is_authority,
        crl_sign=is_authority,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - CLOCK_TOLERANCE)
        .not_valid_after(now + VALIDITY)
        .add_extension(x509.BasicConstraints(ca=is_authority, path_length=0 if is_authority else None), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def _subject(request: CertificateRequest) -> x509.Name:
    attributes = [x509.NameAttribute(NameOID.COMMON_NAME, request.common_name)]
    if request.organization:
        attributes.insert(0, x509.NameAttribute(NameOID.ORGANIZATION_NAME, request.organization))
    return x509.Name(attributes)


def _general_names(request: CertificateRequest) -> list[x509.GeneralName]:
    return [_general_name(name) for name in request.server_names]


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _names_of(certificate: x509.Certificate) -> list[x509.GeneralName]:
    try:
        return list(certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value)
    except x509.ExtensionNotFound:
        return []


def _ends_soon(certificate: x509.Certificate) -> bool:
    return certificate.not_valid_after_utc - _now() < RENEW_BEFORE


def _files(directory: Path, file_name: str) -> KeyPair:
    return KeyPair(directory / f"{file_name}.crt", directory / f"{file_name}.key")


def _load(files: KeyPair) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey] | None:
    key = _load_key(files.key)
    try:
        certificate = x509.load_pem_x509_certificate(files.certificate.read_bytes())
    except (FileNotFoundError, ValueError):
        return None
    return (certificate, key) if key and certificate.public_key() == key.public_key() else None


def _load_key(path: Path) -> ec.EllipticCurvePrivateKey | None:
    try:
        key = serialization.load_pem_private_key(path.read_bytes(), password=None)
    except (FileNotFoundError, ValueError):
        return None
    return key if isinstance(key, ec.EllipticCurvePrivateKey) else None


def _store(files: KeyPair, certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> None:
    write_private(files.key, _key_text(key))
    write_private(files.certificate, certificate.public_bytes(serialization.Encoding.PEM))


def _key_text(key: ec.EllipticCurvePrivateKey) -> bytes:
    # The service account signer of the API server reads the SEC 1 form ("EC PRIVATE KEY") in every version.
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    )


def _now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)
