"""The image builder buildah, from a Debian package that is unpacked, not installed."""

import fcntl
import json
import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tools.cache import default_root
from tools.debian import PackageCache
from tools.errors import ToolsUnavailableError

ROOT = Path(__file__).resolve().parents[3]
_SECONDS = 600
_MOST_IMAGES = 1000
# buildah starts itself again with an empty environment, so it must find its libraries in their usual place: it runs in
# the folder into which its package was unpacked, in mounts of its own.
_IN_OWN_ROOT = """
root=$1; visible=$2; shift 2
mount --bind "$root" "$root"
for path in /dev /proc /sys $visible; do
  mkdir -p "$root$path"
  mount --rbind "$path" "$root$path"
done
exec chroot "$root" /usr/bin/buildah "$@"
"""


def default_cache() -> Path:
    """Return the folder that keeps packages, the builder and its images between runs."""
    return default_root().parent / "images"


@contextmanager
def locked(cache: Path) -> Iterator[None]:
    """Let no other run use the cache at the same time."""
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


class BuildFailedError(Exception):
    """The builder works, and a build failed: a defect of what is built, never a reason to leave the proof out."""


def find_builder(cache: Path) -> "Buildah":
    """Make buildah usable below a cache folder.

    Raises:
        ToolsUnavailableError: It cannot be had here; the text says why.
    """
    if os.geteuid():
        raise ToolsUnavailableError(
            f"building without Docker needs root, and this is user {os.geteuid()}; run `sudo make images`, or do it in "
            "a virtual machine or a privileged container with Debian"
        )
    program = cache / "buildah"
    if not (program / "complete").exists():
        PackageCache(cache / "apt").unpack(("buildah",), program)
        # What scripts of the packages would have made.
        (program / "etc/passwd").write_text("root:x:0:0:root:/root:/bin/sh\n")
        (program / "etc/group").write_text("root:x:0:\n")
        (program / "complete").touch()
    # Where it keeps what it converts.
    (program / "var/tmp").mkdir(parents=True, exist_ok=True)
    found = Buildah(program, cache / "storage")
    found.restart_when_full()
    try:
        found.run("images")
    except BuildFailedError as error:
        raise ToolsUnavailableError(
            f"this machine does not let the builder mount what it needs; use a virtual machine or a privileged "
            f"container: {error}"
        ) from None
    return found


@dataclass(frozen=True)
class Buildah:
    """Builds and mounts images in a storage of its own.

    Attributes:
        program: Folder into which the package is unpacked.
        storage: Folder of images and containers.
    """

    program: Path
    storage: Path

    def restart_when_full(self) -> None:
        """Drop all images once there are more than a thousand.

        A build leaves an image for every instruction. Builders slow down with their number, and take longer to remove
        a thousand one by one than to make the few that are needed.
        """
        images, full = self.storage / "graph", self.storage / "graph.full"
        if sum(1 for _ in images.glob("overlay-images/*/manifest")) > _MOST_IMAGES:
            shutil.rmtree(full, ignore_errors=True)
            # All or nothing: half of a storage would be taken for a whole one.
            images.rename(full)
        shutil.rmtree(full, ignore_errors=True)

    @property
    def version(self) -> str:
        """Version that it prints."""
        return self.run("--version").split()[2]

    def run(self, *arguments: str, seconds: int = _SECONDS) -> str:
        """Run one command and return its standard output.

        Raises:
            BuildFailedError: The command failed; the text ends with what it said.
        """
        (self.storage / "work").mkdir(parents=True, exist_ok=True)
        # Only images of this machine are used, so there is no signature to ask for, and no registry.
        policy = self.program / "etc/containers/policy.json"
        policy.parent.mkdir(parents=True, exist_ok=True)
        policy.write_text(json.dumps({"default": [{"type": "insecureAcceptAnything"}]}))
        environment = {
            "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
            "HOME": str(self.storage / "work"),
            "TMPDIR": str(self.storage / "work"),
            "CONTAINERS_REGISTRIES_CONF": os.devnull,
        }
        visible = f"{self.storage} {ROOT}"
        mounted = ("unshare", "--mount", "--propagation", "private", "sh", "-ec", _IN_OWN_ROOT, "sh")
        places = ("--root", str(self.storage / "graph"), "--runroot", str(self.storage / "run"))
        done = subprocess.run(
            [*mounted, str(self.program), visible, *places, "--storage-driver", "overlay", *arguments],
            env=environment,
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )
        if done.returncode:
            raise BuildFailedError(f"buildah {arguments[0]} failed:\n{(done.stdout + done.stderr).strip()[-3000:]}")
        return done.stdout

    def build(
        self,
        dockerfile: Path,
        context: Path,
        tag: str,
        arguments: Mapping[str, str] | None = None,
        *,
        further: Sequence[str] = (),
        epoch: int = 0,
    ) -> None:
        """Build an image whose files and history all bear the time `epoch`, in seconds since 1970.

        A later option wins over an earlier one, so `further` can change the format.
        """
        values = [part for name, value in (arguments or {}).items() for part in ("--build-arg", f"{name}={value}")]
        # HEALTHCHECK is not in the OCI format.
        self.run(
            *("build", "--format", "docker", "--isolation", "chroot", "--layers"),
            *("--pull=never", "--timestamp", str(epoch), "--file", str(dockerfile), "--tag", tag),
            *(*values, *further, str(context)),
        )

    def has(self, tag: str) -> bool:
        """True if an image is in the storage."""
        return tag in self.run("images", "--format", "{{.Name}}:{{.Tag}}").split()

    def digest(self, tag: str) -> str:
        """Digest of an image's manifest."""
        return self.run("images", "--format", "{{.Digest}}", tag).split()[0]
