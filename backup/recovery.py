"""Point-in-time recovery of PostgreSQL from a base backup and a folder of write-ahead log.

PostgreSQL itself accepts a moment before the end of the base backup and then silently recovers to a later one; so the
earliest moment is checked here.
"""

import re
import shlex
from datetime import UTC, datetime, timedelta
from pathlib import Path

from backup.errors import BackupError

_STOPPED = re.compile(r"^STOP TIME: (\d{4}-\d\d-\d\d \d\d:\d\d:\d\d) (?:UTC|GMT|Etc/UTC)$", re.MULTILINE)


def earliest_moment(archive: Path) -> datetime:
    """The first moment that can be recovered: the end of the oldest base backup, in whole seconds.

    Raises:
        BackupError: The archive knows no base backup that ended, or its server's `log_timezone` is not UTC.
    """
    ended = []
    for history in archive.glob("*.backup"):
        found = _STOPPED.search(history.read_text(encoding="utf-8"))
        if found:
            ended.append(datetime.fromisoformat(found[1]).replace(tzinfo=UTC) + timedelta(seconds=1))
    if not ended:
        raise BackupError(
            f"{archive} holds no base backup that ended, with times in UTC; take one, then recovery is possible "
            "from its end on"
        )
    return min(ended)


def recovery_configuration(archive: Path, moment: datetime) -> dict[str, str]:
    """Settings under which a copy of the base backup recovers to a moment and then opens for use.

    Raises:
        BackupError: The moment lies before the first that can be recovered.
    """
    earliest = earliest_moment(archive)
    if moment < earliest:
        raise BackupError(
            f"{moment.isoformat()} lies before the first write-ahead log; the earliest moment is {earliest.isoformat()}"
        )
    return {
        "restore_command": f"cp {shlex.quote(str(archive))}/%f %p",
        "recovery_target_time": moment.isoformat(),
        "recovery_target_action": "promote",
    }
