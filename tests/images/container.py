"""Starts an image the way the platform's pods start it: read-only root, numeric user, nothing but named paths writable.

Run as `python -m tests.images.container SPECIFICATION`; the process of the image is process 1 of its own namespaces.
"""

import json
import os
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

from rendering.root import ROOT
from tests.images import namespaces as linux

_DEVICES = ("null", "zero", "full", "random", "urandom")
_READ_ONLY = linux.MS_REMOUNT | linux.MS_BIND | linux.MS_RDONLY


@dataclass(frozen=True, kw_only=True)
class Specification:
    """Process to start.

    Attributes:
        root: Unpacked file system of the image.
        command: Entry point and arguments.
        environment: Variables, as `NAME=value`.
        working_directory: Where it starts.
        user: Number of user and group.
        writable: Paths that get an empty file system of their own.
        pid_file: Gets the number of the process, as this machine sees it.
        shares_network: Whether it sees this machine's loopback instead of one of its own.
        writable_mebibytes: Size of each writable path.
    """

    root: str
    command: list[str]
    environment: list[str]
    working_directory: str
    user: int
    writable: list[str]
    pid_file: str
    shares_network: bool = False
    writable_mebibytes: int = 64

    def variables(self) -> dict[str, str]:
        """The variables by name."""
        return dict(text.split("=", 1) for text in self.environment)

    def write(self, file: Path) -> None:
        """Keep the specification in a file."""
        file.write_text(json.dumps(asdict(self)))

    def run(self, file: Path, seconds: float) -> subprocess.CompletedProcess[str]:
        """Run the process until its end.

        Args:
            file: Where to keep the specification.
            seconds: How long it may take.
        """
        self.write(file)
        return subprocess.run(
            [sys.executable, "-m", "tests.images.container", str(file)],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )


def main() -> None:
    """Start the image that the first argument specifies, wait for its end, and end as it did."""
    specification = Specification(**json.loads(Path(sys.argv[1]).read_text()))
    network = 0 if specification.shares_network else linux.CLONE_NEWNET
    linux.unshare(linux.CLONE_NEWNS | network | linux.CLONE_NEWPID | linux.CLONE_NEWIPC | linux.CLONE_NEWUTS)
    linux.mount("none", Path("/"), flags=linux.MS_REC | linux.MS_PRIVATE)
    child = os.fork()
    if child == 0:
        _become_the_image(specification)
    Path(specification.pid_file).write_text(str(child))
    sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) & 0xFF)


def _become_the_image(specification: Specification) -> None:
    if not specification.shares_network:
        linux.bring_loopback_up()
    root = Path(specification.root)
    for path in (*specification.writable, "/dev", "/proc"):
        (root / path.lstrip("/")).mkdir(parents=True, exist_ok=True)
    linux.mount(str(root), root, flags=linux.MS_BIND)
    linux.mount(str(root), root, flags=_READ_ONLY)
    linux.mount("proc", root / "proc", "proc", linux.MS_NOSUID | linux.MS_NODEV)
    linux.mount("tmpfs", root / "dev", "tmpfs", linux.MS_NOSUID, "mode=755,size=64k")
    for name in _DEVICES:
        (root / "dev" / name).touch()
        linux.mount(f"/dev/{name}", root / "dev" / name, flags=linux.MS_BIND)
    user = specification.user
    for path in specification.writable:
        options = f"mode=770,uid={user},gid={user},size={specification.writable_mebibytes}m"
        linux.mount("tmpfs", root / path.lstrip("/"), "tmpfs", linux.MS_NOSUID | linux.MS_NODEV, options)
    os.chroot(root)
    os.chdir(specification.working_directory)
    linux.become(user, user)
    os.execvpe(specification.command[0], specification.command, specification.variables())  # noqa: S606


if __name__ == "__main__":
    main()
