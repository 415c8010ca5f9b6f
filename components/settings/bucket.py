"""A bucket behind an S3 interface, as every part of the platform that uses one names it. Never a key."""

from typing import Annotated

from cryptography import x509
from pydantic import AfterValidator

from components.settings.base import Settings, setting
from components.settings.names import NetworkRange

_HTTPS_PORT = 443


def _certificates(text: str) -> str:
    try:
        x509.load_pem_x509_certificates(text.encode())
    except ValueError:
        raise ValueError("is not a certificate in PEM; write the file of the private CA, from BEGIN to END") from None
    if "PRIVATE KEY" in text:
        raise ValueError("holds a private key, which nobody here needs; write the CA's certificates only")
    return text


Certificates = Annotated[str, AfterValidator(_certificates)]


class BucketSettings(Settings):
    """A bucket, how its endpoint is reached, and whom to trust there."""

    endpoint: str = setting(
        "data",
        "Address of the S3 interface.",
        pattern=r"^https://[^/\s:]+(:[1-9][0-9]{0,4})?$",
        examples=["https://s3.example.com"],
    )
    bucket: str = setting(
        "data",
        "Bucket, which must exist.",
        pattern=r"^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$",
        examples=["alt-las-backups"],
    )
    region: str = setting("data", "Region of the bucket.", "us-east-1", pattern=r"^[a-z0-9-]{1,32}$")
    ranges: tuple[NetworkRange, ...] = setting(
        "security", "IPv4 ranges in which the endpoint is; empty for public addresses.", ()
    )
    endpoint_ca: Certificates | None = setting(
        "security",
        "Certificates (PEM) of the private CA that signs the endpoint's certificate; null for public CAs.",
        None,
    )

    @property
    def port(self) -> int:
        """TCP port of the endpoint."""
        _, _, port = self.endpoint.removeprefix("https://").partition(":")
        return int(port or _HTTPS_PORT)
