"""The bounds that every line of `make images` has to keep."""

from collections.abc import Iterator

from tests.images.backup_image import BackupImage
from tests.images.proof import Seen

MOST_MEBIBYTES = {
    "api-gateway": 48,
    "runner-service": 7,
    "segmentation-service": 22,
    "ai-orchestrator": 22,
    "archive-service": 6,
}
"""A fifth above what was measured with Debian 12's packages."""
MOST_LAYERS = 4
MOST_BACKUP_MEBIBYTES, MOST_BACKUP_LAYERS = 99, 8
"""Of the image of the dumps, which holds three stores' programs."""
MOST_START_MS = 10_000
MOST_STOP_MS = 5_000
USER = "10001:10001"
_OK = 200


def violations(seen: Seen) -> Iterator[str]:
    """Every figure of an image that is worse than its bound, in words."""
    yield from (problem for problem, is_worse in _judged(seen).items() if is_worse)


def backup_violations(image: BackupImage) -> Iterator[str]:
    """The same for the image of the dumps, which is started for one command and then ends."""
    first, second = image.builds
    mebibytes, layers = first.size / (1 << 20), len(first.layers)
    judged = {
        f"size {mebibytes:.1f} MiB is above {MOST_BACKUP_MEBIBYTES} MiB": mebibytes > MOST_BACKUP_MEBIBYTES,
        f"{layers} layers are more than {MOST_BACKUP_LAYERS}": layers > MOST_BACKUP_LAYERS,
        f"user is {image.user}, not {USER}": image.user != USER,
        f"two builds differ: {first.digest} and {second.digest}": first.digest != second.digest,
    }
    yield from (problem for problem, is_worse in judged.items() if is_worse)


def _judged(seen: Seen) -> dict[str, bool]:
    mebibytes, most = seen.size / (1 << 20), MOST_MEBIBYTES[seen.service]
    number = int(USER.partition(":")[0])
    return {
        f"size {mebibytes:.1f} MiB is above {most} MiB": mebibytes > most,
        f"{seen.layers} layers are more than {MOST_LAYERS}": seen.layers > MOST_LAYERS,
        f"user {seen.user} runs as {seen.process_user}, not as {USER}": (seen.user, seen.process_user)
        != (USER, number),
        f"health path answers {seen.health}, the image's own check ends with {seen.health_check}": (
            (seen.health, seen.health_check) != (_OK, 0)
        ),
        f"start takes {seen.start_ms} ms, more than {MOST_START_MS} ms": seen.start_ms > MOST_START_MS,
        f"SIGTERM ends it with {seen.stop_code}, not with 0": seen.stop_code != 0,
        f"SIGTERM takes {seen.stop_ms} ms, more than {MOST_STOP_MS} ms": seen.stop_ms > MOST_STOP_MS,
        f"two builds differ: {' and '.join(seen.digests)}": len(set(seen.digests)) > 1,
    }
