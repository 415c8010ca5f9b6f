"""The installed Go: is it there, is it new enough, and how it is started so that the result is reproducible."""

import json
import os
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from tools.errors import WayFailedError
from tools.manifest import GoModule

_SHOWN_LINES = 8

# GOTOOLCHAIN=local: a silent download of another Go would hide why a build is slow or fails behind a proxy.
# GOGC: compilers are short-lived, and collecting their garbage less often saves a tenth of a cold build.
# GOFLAGS=-mod=readonly: what go.mod and go.sum pin is built, or nothing.
_FIXED_SETTINGS = {
    "CGO_ENABLED": "0",
    "GO111MODULE": "on",
    "GOFLAGS": "-mod=readonly",
    "GOGC": "400",
    "GOTOOLCHAIN": "local",
    "GOWORK": "off",
}


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".") if part.isdigit())


@dataclass(frozen=True)
class GoToolchain:
    """An installed Go.

    Attributes:
        program: the `go` command.
        version: for example `1.26.8`.
        inherited: file descriptors that every started process keeps open.
        build_cache: GOCACHE where the user sets none; None leaves it to Go.
    """

    program: Path
    version: str
    inherited: tuple[int, ...]
    build_cache: Path | None = None

    @classmethod
    def locate(cls, inherited: Sequence[int], build_cache: Path | None = None) -> Self:
        """Find the first `go` on PATH.

        Raises:
            WayFailedError: there is none, or it does not answer.
        """
        found = shutil.which("go")
        if found is None:
            raise WayFailedError("Go is not installed (no `go` on PATH)")
        unchecked = cls(Path(found), "", tuple(inherited))
        answer = unchecked.ask(["env", "GOVERSION"], Path.cwd()).strip()
        version = answer.removeprefix("go").split()[0] if answer else "0"
        return cls(Path(found), version, tuple(inherited), build_cache)

    def require(self, module: GoModule) -> None:
        """Check that this Go may build a module.

        Raises:
            WayFailedError: it is older than the module's go.mod demands.
        """
        needed = module.go_version()
        if _numbers(self.version) < _numbers(needed):
            raise WayFailedError(f"{self.program} is Go {self.version}, but at least Go {needed} is needed")

    def ask(self, arguments: Sequence[str], folder: Path, experiments: Sequence[str] = ()) -> str:
        """Run a short `go` command in a folder and return its standard output.

        Args:
            arguments: what follows `go`.
            folder: where it runs.
            experiments: experiments of the toolchain that are switched on; none but these.

        Raises:
            WayFailedError: it does not start, or ends with an error; the text holds the last lines of its message.
        """
        try:
            answer = subprocess.run(
                [self.program, *arguments],
                cwd=folder,
                env=self._environment(experiments),
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                check=False,
                pass_fds=self.inherited,
            )
        except OSError as error:
            raise WayFailedError(f"{self.program} does not start: {error}") from error
        if answer.returncode != 0:
            raise WayFailedError(_failure(arguments, answer.returncode, answer.stderr or answer.stdout))
        return answer.stdout

    def _environment(self, experiments: Sequence[str]) -> dict[str, str]:
        own = {"GOCACHE": str(self.build_cache)} if self.build_cache else {}
        return {**own, **os.environ, **_FIXED_SETTINGS, "GOEXPERIMENT": ",".join(experiments)}

    def module_folder(self, path: str, folder: Path) -> Path:
        """Return where Go keeps the source of a module, at the version that the go.mod in `folder` pins.

        Raises:
            WayFailedError: the module cannot be had.
        """
        answer = json.loads(self.ask(["mod", "download", "-json", path], folder))
        return Path(answer["Dir"])


def _failure(arguments: Sequence[str], status: int, output: str) -> str:
    lines = output.strip().splitlines()[-_SHOWN_LINES:]
    return "\n".join([f"`go {arguments[0]}` ended with status {status}:", *lines])
