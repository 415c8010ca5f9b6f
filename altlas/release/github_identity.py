"""Identity of a job of GitHub Actions as a credential of kubectl: a short token by OIDC instead of a stored secret.

Owns the request for the token and the two forms. Does not own who may do what with it: the cluster decides that by
the claims of the token (repository, branch, environment). The token goes to standard output alone, where kubectl and
the provider read it.
"""

import json
import urllib.error
import urllib.parse
import urllib.request
from base64 import b64encode, urlsafe_b64decode
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from rendering.errors import CommandError, ExitCode

_API = "client.authentication.k8s.io/v1"
_SECONDS = 30


def credential(variables: Mapping[str, str], audience: str) -> dict[str, Any]:
    """ExecCredential with a token of this job.

    Args:
        variables: Environment of the job.
        audience: Audience that the cluster asks for.

    Raises:
        CommandError: The job may ask for none, or GitHub does not answer.
    """
    address, secret = (variables.get(f"ACTIONS_ID_TOKEN_REQUEST_{name}", "") for name in ("URL", "TOKEN"))
    if not address or not secret:
        raise CommandError("no identity of a job here: give the job the permission id-token: write", ExitCode.BAD_INPUT)
    separator = "&" if "?" in address else "?"
    query = urllib.parse.urlencode({"audience": audience})
    headers = {"Authorization": f"Bearer {secret}"}
    request = urllib.request.Request(f"{address}{separator}{query}", headers=headers)  # noqa: S310  # given by the runner
    try:
        with urllib.request.urlopen(request, timeout=_SECONDS) as answer:  # noqa: S310  # given by the runner
            token = str(json.load(answer)["value"])
        expires = datetime.fromtimestamp(_claims(token)["exp"], UTC)
    except urllib.error.HTTPError as error:
        raise CommandError(f"GitHub gives no identity: {error.code}", ExitCode.NO_CLUSTER) from None
    except (OSError, ValueError, KeyError, TypeError):
        raise CommandError(
            "GitHub gives no identity: it does not answer, or not with a token", ExitCode.NO_CLUSTER
        ) from None
    status = {"token": token, "expirationTimestamp": expires.isoformat().replace("+00:00", "Z")}
    return {"apiVersion": _API, "kind": "ExecCredential", "status": status}


def kubeconfig(server: str, authority: bytes, command: str, audience: str) -> dict[str, Any]:
    """Kubeconfig that holds no secret: kubectl asks the command for a token whenever it needs one.

    Args:
        server: Address of the API server.
        authority: Certificates of its authority.
        command: Path of `altlas`.
        audience: Audience that the cluster asks for.

    Raises:
        CommandError: The server's address is not TLS.
    """
    if not server.startswith("https://"):
        raise CommandError("--server must begin with https://", ExitCode.BAD_INPUT)
    arguments = ["github", "credential", "--audience", audience]
    ask = {"apiVersion": _API, "command": command, "args": arguments, "interactiveMode": "Never"}
    cluster = {"server": server, "certificate-authority-data": b64encode(authority).decode("ascii")}
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "job",
        "clusters": [{"name": "job", "cluster": cluster}],
        "users": [{"name": "job", "user": {"exec": ask}}],
        "contexts": [{"name": "job", "context": {"cluster": "job", "user": "job"}}],
    }


def _claims(token: str) -> Any:
    """Claims of a token; not verified, because only their expiry is used."""
    part = token.split(".")[1]
    return json.loads(urlsafe_b64decode(part + "=" * (-len(part) % 4)))
