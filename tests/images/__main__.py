"""`python -m tests.images`: build and run the stand-in images here and print what was seen as a table."""

import os
import platform
import sys
import time

from cluster.node.images.builder import BuildFailedError, default_cache
from tests.images.backup_image import NAME, BackupImage, built
from tests.images.bounds import backup_violations, violations
from tests.images.proof import Seen, prove
from tools.errors import ToolsUnavailableError

_MEBIBYTE = 1 << 20
_NOT_PROVEN = 3


def row(seen: Seen) -> str:
    """One image as a line of the table."""
    equal = "yes" if len(set(seen.digests)) == 1 else "NO"
    return (
        f"{seen.service:<22}{seen.size / _MEBIBYTE:>7.1f}  {seen.layers:>6}  {seen.user:<12}{seen.start_ms:>9}"
        f"{seen.stop_ms:>12}  {seen.stop_code:>4}  {equal:<11}{seen.digests[0]}"
    )


def backup_row(image: BackupImage) -> str:
    """The image of the dumps as a line of the table; it serves nothing, so it has no start and no end to measure."""
    first, second = image.builds
    equal = "yes" if first.digest == second.digest else "NO"
    return (
        f"{NAME:<22}{first.size / _MEBIBYTE:>7.1f}  {len(first.layers):>6}  {image.user:<12}{'-':>9}"
        f"{'-':>12}  {'-':>4}  {equal:<11}{first.digest}"
    )


def main() -> int:
    """Print the table; end with 1 if a line is worse than its bound, with 3 where nothing can be built."""
    began = time.monotonic()
    try:
        version, images = prove(default_cache())
        with built(default_cache()) as backup:
            jobs = [backup_row(backup)]
            worse = [f"{NAME}: {each}" for each in backup_violations(backup)]
    except ToolsUnavailableError as error:
        print(f"not proven here: the images are not built and not run, because {error}", file=sys.stderr)
        return _NOT_PROVEN
    except BuildFailedError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(
        "image                 size MiB  layers  user         start ms SIGTERM ms  code  same twice digest\n"
        + "\n".join([*map(row, images), *jobs])
    )
    print(
        f"\nStand-in programs over base images put together here from Debian packages, built with buildah {version} on "
        f"{os.cpu_count()} cores ({platform.machine()}) in {time.monotonic() - began:.0f} s.\n"
        "not proven here: the published base images and the services' own source, which need a registry."
    )
    worse += [f"{seen.service}: {each}" for seen in images for each in violations(seen)]
    for line in worse:
        print(line, file=sys.stderr)
    return 1 if worse else 0


if __name__ == "__main__":
    sys.exit(main())
