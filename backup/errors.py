"""What a dump or a restore can end with."""


class BackupError(Exception):
    """A dump or a restore cannot go on; the message holds cause and cure. Live data is untouched."""
