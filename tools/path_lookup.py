"""Programs that the user already has on PATH at the pinned version."""

import contextlib
import json
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tools.errors import WayFailedError
from tools.manifest import Package

_VERSION = re.compile(r"(?<![\d.])v?(\d+\.\d+(?:\.\d+)?(?:-[0-9A-Za-z.-]+)?)")
_QUESTION_TIMEOUT_SECONDS = 20


def reported_version(program: Path, arguments: Sequence[str]) -> str | None:
    """Start a program, ask for its version and return the first thing that looks like one.

    Returns:
        The version without a leading `v`; None when the program does not start, does not end in 20 seconds or names
        no version.
    """
    environment = {**os.environ, "PULUMI_SKIP_UPDATE_CHECK": "true"}
    try:
        answer = subprocess.run(
            [program, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=_QUESTION_TIMEOUT_SECONDS,
            check=False,
            env=environment,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    match = _VERSION.search(answer.stdout.decode("utf-8", "replace"))
    return match.group(1) if match else None


class PathLookup:
    """Owns a memo file: which version a program file answered, valid while its size and modification time stay.

    Without the memo every run would start every program once.
    """

    def __init__(self, memo: Path, skip: Path) -> None:
        """Use a memo file, and never take a program from below `skip`, which is the cache itself."""
        self._memo = memo
        self._skip = skip
        self._answers: dict[str, list[object]] | None = None

    def find(self, package: Package) -> Path:
        """Return the folder in which all of a package's programs lie.

        Raises:
            WayFailedError: the first program is not on PATH, has another version, or a companion is not beside it.
        """
        if not package.version_arguments:
            raise WayFailedError("not looked for, because it cannot be asked for its version")
        found = shutil.which(package.name)
        if found is None:
            raise WayFailedError("not found")
        program = Path(found)
        real = program.resolve()
        if real.is_relative_to(self._skip):
            raise WayFailedError(f"{program} belongs to the cache")
        version = self._version(real, package)
        if version != package.version:
            raise WayFailedError(f"{program} has version {version or 'unknown'}")
        if len(package.programs) == 1:
            return program.parent
        absent = [name for name in package.programs if not os.access(real.parent / name, os.X_OK)]
        if absent:
            raise WayFailedError(f"{program} has the right version, but not beside it: {', '.join(absent)}")
        return real.parent

    def _version(self, program: Path, package: Package) -> str | None:
        status = program.stat()
        stamp = [status.st_size, status.st_mtime_ns]
        answers = self._load()
        known = answers.get(str(program))
        if known and known[:2] == stamp:
            return None if known[2] is None else str(known[2])
        version = reported_version(program, package.version_arguments)
        answers[str(program)] = [*stamp, version]
        self._save(answers)
        return version

    def _load(self) -> dict[str, list[object]]:
        if self._answers is None:
            try:
                self._answers = dict(json.loads(self._memo.read_text("utf-8")))
            except (OSError, ValueError):
                self._answers = {}
        return self._answers

    def _save(self, answers: dict[str, list[object]]) -> None:
        # The memo only saves time: where it cannot be written, the next run asks again.
        with contextlib.suppress(OSError):
            self._memo.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile("w", dir=self._memo.parent, delete=False, encoding="utf-8") as file:
                json.dump(answers, file)
            Path(file.name).replace(self._memo)
