"""List the images of a node, or push them: `python -m cluster.node.images push ADDRESS [NAME ...]`."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence

from cluster.errors import ClusterError
from cluster.node.images import IMAGES, MISSING, chosen, push, short_name
from cluster.node.images.builder import BuildFailedError
from tools import ToolsError

_MEBIBYTE = 1 << 20


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code."""
    options = _parser().parse_args(arguments)
    try:
        if options.command == "list":
            _list()
        else:
            _push(options.address, options.names)
    except (BuildFailedError, ClusterError, ToolsError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m cluster.node.images", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("list", help="print every image, what it holds, and which ones are missing")
    pushing = commands.add_parser("push", help="put images together and push them into a registry")
    pushing.add_argument("address", help="host and port of a registry without TLS, such as 10.89.0.1:5000")
    pushing.add_argument("names", nargs="*", help="references, or the last parts of repositories; default: all images")
    return parser


def _list() -> None:
    print(f"{'NAME':<22}{'REFERENCE':<64}HOLDS")
    for image in IMAGES:
        for reference in image.references:
            print(f"{short_name(image):<22}{reference:<64}{image.holds}")
    for missing in MISSING:
        print(f"{'missing':<22}{missing.reference:<64}{missing.reason}; `{missing.setting}: null` leaves it out")


def _push(address: str, names: Sequence[str]) -> None:
    began, count, size = time.monotonic(), 0, 0
    for pushed in push(address, chosen(IMAGES, names)):
        count, size = count + 1, size + pushed.size
        state = "pushed" if pushed.sent else "there  "
        print(f"{state} {pushed.size / _MEBIBYTE:>7.1f} MiB  {pushed.reference}@{pushed.digest}", flush=True)
    print(f"{count} images, {size / _MEBIBYTE:.0f} MiB, {time.monotonic() - began:.1f} s")


if __name__ == "__main__":
    sys.exit(main())
