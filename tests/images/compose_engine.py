"""Docker Compose with podman behind it, in namespaces of their own: starts a file, waits for health, asks the gateway.

Run as process 1 of new mount, network and process namespaces: `python -m tests.images.compose_engine SPECIFICATION`.
The answer is JSON on standard output. When it ends, the kernel removes its interfaces, rules, mounts and processes.
"""

import json
import os
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from tests.images import namespaces as linux

_SECONDS = 240
_ANSWER_SECONDS = 10
_POLL_SECONDS = 0.2
_CONFIGURATION = """\
[containers]
default_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]
[network]
network_backend = "netavark"
network_config_dir = "{folder}/networks"
[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
runtime = "runc"
"""
# Containers' processes join the root of their mounts, so the engine's folder must be that root: a chroot is not enough.
_AS_ROOT = """
cd "$1"; shift
mkdir -p .before
pivot_root . .before
exec "$@"
"""


@dataclass(frozen=True, kw_only=True)
class Specification:
    """Engine and the file that it brings up.

    Attributes:
        root: Folder into which podman was unpacked with all that it needs.
        folder: Folder with compose.yaml and .env, and for all that the engine keeps.
        visible: Further folders that the engine reads.
        images: OCI layout by reference.
        compose: The program docker-compose.
        url: Address that is asked in the end.
    """

    root: str
    folder: str
    visible: list[str]
    images: dict[str, str]
    compose: str
    url: str

    def write(self, file: Path) -> None:
        """Keep the specification in a file."""
        file.write_text(json.dumps(asdict(self)))


class Engine:
    """podman in the folder into which it was unpacked; ends with its namespaces."""

    def __init__(self, specification: Specification) -> None:
        """Mount what it needs and start its API."""
        self._specification = specification
        self._folder = Path(specification.folder)
        self._socket = self._folder / "podman.sock"
        self._mount()
        self._service = self._start("unshare", "--mount", "sh", "-ec", _AS_ROOT, "sh", specification.root)
        while not self._socket.exists():
            if self._service.poll() is not None:
                raise SystemExit("podman's service ended at once")
            time.sleep(_POLL_SECONDS)

    def _mount(self) -> None:
        root = Path(self._specification.root)
        linux.mount(str(root), root, flags=linux.MS_BIND)
        for path in ("/dev", "/sys", self._specification.folder, *self._specification.visible):
            inside = root / path.lstrip("/")
            inside.mkdir(parents=True, exist_ok=True)
            linux.mount(path, inside, flags=linux.MS_BIND | linux.MS_REC)
        for name in ("proc", "run"):
            (root / name).mkdir(exist_ok=True)
        linux.mount("proc", root / "proc", "proc")
        linux.mount("tmpfs", root / "run", "tmpfs")
        linux.bring_loopback_up()
        configuration = root / "run/containers.conf"
        configuration.write_text(_CONFIGURATION.format(folder=self._folder))
        policy = root / "etc/containers/policy.json"
        policy.write_text(json.dumps({"default": [{"type": "insecureAcceptAnything"}]}))

    def _start(self, *before: str, arguments: Sequence[str] = ()) -> subprocess.Popen[str]:
        places = ("--root", f"{self._folder}/graph", "--runroot", "/run/storage", "--tmpdir", "/run/libpod")
        environment = {
            "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
            "CONTAINERS_CONF": "/run/containers.conf",
            "HOME": str(self._folder),
            "TMPDIR": str(self._folder),
        }
        served = ("system", "service", "--time=0", f"unix://{self._socket}")
        command = [*before, "podman", *places, *(arguments or served)]
        return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE if arguments else None, text=True)

    def podman(self, *arguments: str, codes: Sequence[int] = (0,)) -> str:
        """Standard output of one command of podman, where its service runs."""
        mounts = f"{self._specification.root}/proc/{self._service.pid}/ns/mnt"
        with self._start("nsenter", f"--mount={mounts}", arguments=arguments) as process:
            output, _ = process.communicate()
        if process.returncode not in codes:
            raise SystemExit(f"podman {arguments[0]} ended with {process.returncode}")
        return output.strip()

    def compose(self, *arguments: str) -> None:
        """Run Docker Compose against podman."""
        environment = os.environ | {"DOCKER_HOST": f"unix://{self._socket}", "HOME": str(self._folder)}
        command = [self._specification.compose, "--project-directory", str(self._folder), *arguments]
        subprocess.run(command, env=environment, stdout=sys.stderr, check=True, timeout=_SECONDS)

    def load(self) -> None:
        """Take the images from their layouts, under their names."""
        for reference, layout in self._specification.images.items():
            self.podman("tag", self.podman("pull", "--quiet", f"oci:{layout}"), reference)

    def check_health(self, ended: threading.Event) -> None:
        """Run the health checks as systemd's timers would, which podman needs for them."""
        while not ended.wait(_POLL_SECONDS):
            for container in self.podman("ps", "--quiet").split():
                # It ends with 1 where the check fails, and with 125 where the container has ended meanwhile.
                self.podman("healthcheck", "run", container, codes=(0, 1, 125))

    def explain(self) -> None:
        """Print the last lines of each container, and what its health check says."""
        for container in self.podman("ps", "--all", "--quiet").split():
            for command in (
                ("inspect", "--format", "{{.Name}} {{json .State.Healthcheck}}", container),
                ("logs", "--tail", "5", container),
            ):
                print(self.podman(*command), file=sys.stderr)

    def states(self) -> dict[str, str]:
        """State of health of each container, by the service's name."""
        shown = '{{index .Config.Labels "com.docker.compose.service"}} {{.State.Healthcheck.Status}}'
        names = self.podman("ps", "--all", "--quiet").split()
        return dict(line.split() for line in self.podman("inspect", "--format", shown, *names).splitlines())


def _answer(url: str) -> int:
    try:
        with urllib.request.urlopen(url, timeout=_ANSWER_SECONDS) as answer:  # noqa: S310  # loopback
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


def main() -> None:
    """Bring the file up, print what was seen, and take it down."""
    specification = Specification(**json.loads(Path(sys.argv[1]).read_text()))
    engine = Engine(specification)
    engine.load()
    ended = threading.Event()
    checks = threading.Thread(target=engine.check_health, args=(ended,))
    checks.start()
    try:
        began = time.monotonic()
        engine.compose("up", "--detach", "--wait", "--quiet-pull")
        seconds = time.monotonic() - began
        seen = {"health": engine.states(), "status": _answer(specification.url), "seconds": seconds}
    except subprocess.SubprocessError:
        engine.explain()
        raise
    finally:
        ended.set()
        checks.join()
        engine.compose("down", "--volumes", "--timeout", "5")
    print(json.dumps(seen | {"left": engine.podman("ps", "--all", "--quiet").split()}))


if __name__ == "__main__":
    main()
