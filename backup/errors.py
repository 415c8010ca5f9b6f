"""Errors of backups and restores."""


class BackupError(Exception):
    """A dump or a restore cannot go on; the message holds cause and cure. Live data is untouched."""
