"""Command line: `python3 -m tools ensure|list|path|clean`."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from tools.cache import Cache, default_root
from tools.errors import ToolsError
from tools.manifest import DEFAULT_MANIFEST, Manifest, current_platform
from tools.progress import Reporter
from tools.search import Search

_INTERRUPTED = 130
_ENVIRONMENT = (
    "Environment: XDG_CACHE_HOME is where the cache lies (default ~/.cache); ALT_LAS_RELEASE_MIRROR is a base address"
    " from which https://HOST/PATH is taken as MIRROR/HOST/PATH; HTTPS_PROXY and GOPROXY have their usual meaning."
)
_KNOWN_PLATFORMS = ("linux/amd64", "linux/arm64")


def _ensure(manifest: Manifest, cache: Cache, arguments: argparse.Namespace) -> None:
    packages = manifest.packages_of(arguments.names or manifest.usual_programs())
    toolbox = Search(manifest, cache, Reporter()).provide(packages)
    for program in toolbox.versions:
        print(toolbox.path(program))


def _list(manifest: Manifest, cache: Cache, _: argparse.Namespace) -> None:
    toolbox = Search(manifest, cache, Reporter()).look(tuple(manifest.packages.values()))
    rows = [("PROGRAM", "VERSION", "FOUND", "PATH")]
    for package in manifest.packages.values():
        location = toolbox.locations.get(package.name)
        for program in package.programs:
            how = location.how if location else "missing"
            rows.append((program, package.version, how, str(location.folder / program) if location else "-"))
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    for row in rows:
        print("  ".join([*(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), row[-1]]))


def _path(manifest: Manifest, cache: Cache, arguments: argparse.Namespace) -> None:
    toolbox = Search(manifest, cache, Reporter()).provide(manifest.packages_of([arguments.name]))
    print(toolbox.path(arguments.name))


def _clean(manifest: Manifest, cache: Cache, _: argparse.Namespace) -> None:
    platforms = {*_KNOWN_PLATFORMS, current_platform()}
    packages = manifest.packages.values()
    keys = {manifest.key(package, platform) for package in packages for platform in platforms}
    releases = [release for package in packages for group in package.releases.values() for release in group]
    for item in cache.remove_others(keys, {release.sha256 for release in releases if release.sha256}):
        print(f"removed {item}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python3 -m tools", description="The pinned programs of this project.", epilog=_ENVIRONMENT
    )
    parser.add_argument("--manifest", type=Path, default=DEFAULT_MANIFEST, help="another list of pinned programs")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    ensure = commands.add_parser("ensure", help="find, download or build programs, and print their paths")
    ensure.add_argument("names", nargs="*", metavar="NAME", help="programs; none means all but those on demand")
    ensure.set_defaults(run=_ensure)
    commands.add_parser("list", help="show what is pinned and what is there").set_defaults(run=_list)
    path = commands.add_parser("path", help="provide one program and print its path")
    path.add_argument("name", metavar="NAME")
    path.set_defaults(run=_path)
    clean = commands.add_parser("clean", help="remove what is no longer needed from the cache")
    clean.add_argument("--older", action="store_true", required=True, help="versions that the manifest does not name")
    clean.set_defaults(run=_clean)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return the exit code: 0, 2 for a wrong request, 3 when a program cannot be had."""
    parsed = _parser().parse_args(arguments)
    try:
        parsed.run(Manifest.load(parsed.manifest), Cache(default_root()), parsed)
    except ToolsError as error:
        print(f"tools: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print("tools: interrupted; the next run continues from here", file=sys.stderr)
        return _INTERRUPTED
    return 0


if __name__ == "__main__":
    sys.exit(main())
