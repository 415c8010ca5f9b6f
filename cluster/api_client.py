"""A very small client of the Kubernetes API: JSON over HTTPS with a client certificate, nothing more."""

from __future__ import annotations

import http.client
import json
import ssl
from pathlib import Path
from typing import Any

from cluster.certificates import KeyPair
from cluster.errors import ClusterError
from cluster.ports import LOOPBACK

FIELD_MANAGER = "alt-las-simulator"
NOT_FOUND = 404
FIRST_ERROR_STATUS = 400


class ApiClient:
    """Requests to one server of a control plane on this machine; owns one connection, kept open between requests."""

    def __init__(
        self, port: int, authority: Path, user: KeyPair, timeout_seconds: float = 10, host: str = LOOPBACK
    ) -> None:
        """Prepare, without connecting.

        Args:
            port: the server's port.
            authority: the certificate authority that its certificate must be issued by.
            user: client certificate and key.
            timeout_seconds: limit for each request.
            host: where it listens.
        """
        context = ssl.create_default_context(cafile=str(authority))
        context.load_cert_chain(str(user.certificate), str(user.key))
        self._connection = http.client.HTTPSConnection(host, port, timeout=timeout_seconds, context=context)

    def says_ok(self, path: str) -> bool:
        """Tell whether the server answers that all is well at one of its health paths."""
        try:
            return self._request("GET", path)[0] == http.client.OK
        except (OSError, http.client.HTTPException):
            return False

    def get(self, path: str) -> dict[str, Any] | None:
        """Return an object or a list, or None if there is none.

        Raises:
            ClusterError: if the API server refuses or cannot be reached.
        """
        return self._checked("GET", path, missing_is_fine=True)

    def apply(self, path: str, manifest: dict[str, Any]) -> None:
        """Create or correct an object by server-side apply.

        Raises:
            ClusterError: if the API server refuses or cannot be reached.
        """
        self._checked("PATCH", f"{path}?fieldManager={FIELD_MANAGER}&force=true", manifest)

    def delete(self, path: str) -> None:
        """Delete an object; one that is not there is fine.

        Raises:
            ClusterError: if the API server refuses or cannot be reached.
        """
        self._checked("DELETE", path, missing_is_fine=True)

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def _checked(
        self, method: str, path: str, body: dict[str, Any] | None = None, *, missing_is_fine: bool = False
    ) -> dict[str, Any] | None:
        try:
            status, text = self._request(method, path, body)
        except (OSError, http.client.HTTPException) as error:
            message = f"The API server on port {self._connection.port} does not answer {method} {path}: {error}."
            raise ClusterError(f"{message} Start the cluster again; its data is kept.") from error
        if status == NOT_FOUND and missing_is_fine:
            return None
        if status >= FIRST_ERROR_STATUS:
            raise ClusterError(f"The API server refused {method} {path} with status {status}: {text.strip()}")
        content: dict[str, Any] = json.loads(text)
        return content

    def _request(self, method: str, path: str, body: dict[str, Any] | None = None) -> tuple[int, str]:
        headers = {"Accept": "application/json", "Content-Type": "application/apply-patch+yaml"}
        try:
            self._connection.request(method, path, json.dumps(body) if body else None, headers)
            response = self._connection.getresponse()
            return response.status, response.read().decode(errors="replace")
        except (OSError, http.client.HTTPException):
            # The next request must open a new connection instead of failing on the remains of this one.
            self._connection.close()
            raise
