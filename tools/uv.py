"""`python3 -m tools.uv ARGUMENT ...`: run uv, which installs the pinned Python packages.

Owns the choice of uv: the one on PATH if it is at least the pinned version, else the pinned one, which pip installs
once into the cache, by checksum. Does not own the packages that uv installs (uv.lock). Standard library only.
"""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from tools.cache import Cache, default_root
from tools.errors import ToolsError, ToolsUnavailableError
from tools.path_lookup import reported_version
from tools.progress import Reporter

REQUIREMENTS = Path(__file__).with_name("python") / "uv.txt"
"""The pinned uv with its checksums; `make lock` exports it from uv.lock."""

_SHOWN_LINES = 12


def pinned_version() -> str:
    """Version of uv that the project installs where there is none."""
    first_line = REQUIREMENTS.read_text(encoding="utf-8").splitlines()[0]
    return first_line.removeprefix("uv==").partition(" ")[0]


def program() -> Path:
    """Path of a uv of at least the pinned version.

    Raises:
        ToolsUnavailableError: There is none, and it cannot be installed.
    """
    found = shutil.which("uv")
    if found and _numbers(reported_version(Path(found), ["--version"]) or "0") >= _numbers(pinned_version()):
        return Path(found)
    folder = default_root().parent / "uv" / pinned_version()
    uv = folder / "bin" / "uv"
    if not uv.exists():
        with Cache(default_root()).lock("uv", Reporter()):
            if not uv.exists():
                _install(folder)
    return uv


def run(arguments: Sequence[str | Path], **variables: str) -> str:
    """Run uv in the background and return what it prints.

    Args:
        arguments: The command line after `uv`.
        variables: Environment variables to set.

    Raises:
        ToolsUnavailableError: uv failed; holds its last lines.
    """
    return _quietly([str(program()), *map(str, arguments)], variables)


def _install(folder: Path) -> None:
    partial = folder.with_name(f"{folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    # The folder gets its name when it is complete. pip stays behind: only the program is needed.
    _quietly([sys.executable, "-m", "venv", str(partial)], {})
    pip = [str(partial / "bin" / "pip"), "install", "--quiet", "--disable-pip-version-check", "--only-binary", ":all:"]
    _quietly([*pip, "--require-hashes", "--requirement", str(REQUIREMENTS)], {})
    partial.rename(folder)


def _quietly(command: Sequence[str], variables: dict[str, str]) -> str:
    environment = {key: value for key, value in os.environ.items() if key not in ("PYTHONPATH", "VIRTUAL_ENV")}
    answer = subprocess.run(
        command, env={**environment, **variables}, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    if answer.returncode != 0:
        last = "\n".join((answer.stderr or answer.stdout).strip().splitlines()[-_SHOWN_LINES:])
        raise ToolsUnavailableError(
            f"These Python packages could not be installed:\n{last}\n\nWhat you can do:\n"
            "  - behind a proxy, set HTTPS_PROXY\n  - install uv yourself, and let PATH name it"
        )
    return answer.stdout


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", version)[:3])


def main() -> NoReturn:
    """Become uv; exit 3 where it cannot be had."""
    try:
        uv = program()
    except ToolsError as error:
        print(f"tools: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
    os.execv(uv, ["uv", *sys.argv[1:]])  # noqa: S606  # no shell on purpose


if __name__ == "__main__":
    main()
