"""Images that operators put into pods of the stack by themselves: known without anybody naming them."""

from components.settings import PlatformSettings

_POSTGRES_OPERATOR = "ghcr.io/cloudnative-pg/cloudnative-pg"
"""CloudNativePG copies its instance manager into each server by an init container of its own image."""

_WAL_ARCHIVER = "ghcr.io/cloudnative-pg/plugin-barman-cloud-sidecar"
"""The Barman Cloud plugin adds a container that archives the log, and reads it in a recovery."""


def operator_repositories(platform: PlatformSettings) -> frozenset[str]:
    """Repositories of images that operators choose: those that the settings imply, and those that a stack names.

    Their digests are the operators' affair.
    """
    uploads = platform.backup is not None and platform.backup.object_store is not None
    implied = {_POSTGRES_OPERATOR} if platform.postgres else set()
    implied |= {_WAL_ARCHIVER} if platform.postgres and uploads else set()
    return frozenset(implied | {*platform.admission.additional_repositories})
