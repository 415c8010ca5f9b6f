"""Passwords in pods: as files where a program can read them, as variables where it cannot."""

import functools
import hashlib
import hmac
from collections.abc import Sequence
from typing import Any

import pulumi

PASSWORDS_VOLUME = "passwords"
PASSWORDS_FOLDER = "/etc/passwords"
PASSWORD_MOUNT = {PASSWORDS_FOLDER: f"{PASSWORDS_VOLUME}:ro"}
READ_PASSWORDS = """\
# Each password is a file, so that it stands in no manifest and no description of a pod; here it becomes a variable.
for file in "$PASSWORDS_DIR"/*; do export "${file##*/}=$(cat "$file")"; done
"""
"""Shell lines; PASSWORDS_DIR names the folder."""


def derived_password(secret: str, user: str) -> str:
    """Password of a user that no service is, such as a server's own. Nobody can derive it from another user's."""
    return hmac.new(secret.encode(), user.encode(), hashlib.sha256).hexdigest()


def password_output(secret: pulumi.Output[str], user: str) -> pulumi.Output[str]:
    """Password of such a user, from a secret that is known only when the program runs."""
    return secret.apply(functools.partial(_derived_for, user))


def _derived_for(user: str, secret: str) -> str:
    return derived_password(secret, user)


def secret_value(secret: Any, key: str) -> dict[str, Any]:  # Any: the name is an output
    """Value of an environment variable from a Secret, for programs that cannot read a file."""
    return {"valueFrom": {"secretKeyRef": {"name": secret, "key": key}}}


def password_volume(secret: Any, keys: Sequence[str] = ()) -> dict[str, Any]:  # Any: the name is an output
    """Volume of a Secret with passwords, a file for each key, named like the variable that it becomes.

    Args:
        secret: Name of the Secret.
        keys: The keys that the pod needs; all when empty.
    """
    items = {"items": [{"key": key, "path": key} for key in keys]} if keys else {}
    return {"name": PASSWORDS_VOLUME, "secret": {"secretName": secret, "defaultMode": 0o440, **items}}
