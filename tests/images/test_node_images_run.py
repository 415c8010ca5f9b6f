"""Programs of a node's images, really started in them: read-only root, a user without rights, nothing of this machine.

Services' stand-ins are left out: tests/images/test_built_images.py runs them.
"""

import functools
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from cluster.errors import ClusterError
from cluster.node.images import IMAGES, NodeImage, short_name
from cluster.node.images.assembling import assemble, default_cache
from policy.manifests import Manifest, ManifestSet
from policy.stacks import load_stack
from tests.images.container import Specification
from tools.errors import ToolsError

pytestmark = pytest.mark.data

POSTGRES = "/usr/lib/postgresql/18/bin"
STARTED = {
    "busybox": [["sh", "-c", "echo ready"]],
    "coredns": [["/coredns", "-version"]],
    "metrics-server": [["/metrics-server", "--version"]],
    "redis": [["redis-server", "--version"], ["redis-cli", "--version"], ["docker-entrypoint.sh", "redis-cli", "-v"]],
    "haproxy": [["haproxy", "-v"]],
    "nats": [["nats-server", "--version"]],
    "nats-box": [["nats", "--version"]],
    "cloudnative-pg": [["/manager", "version"]],
    "postgresql": [
        [f"{POSTGRES}/{name}", "--version"] for name in ("postgres", "initdb", "pg_rewind", "psql", "pg_dump")
    ],
    "prometheus": [["/bin/prometheus", "--version"], ["/bin/promtool", "--version"]],
    "alertmanager": [["/bin/alertmanager", "--version"], ["/bin/amtool", "--version"]],
    "blackbox-exporter": [["/bin/blackbox_exporter", "--version"]],
    "prometheus-operator": [["/bin/operator", "--version"]],
    "prometheus-config-reloader": [["/bin/prometheus-config-reloader", "--version"]],
    "traefik": [["/entrypoint.sh", "traefik", "version"]],
    "backup": [
        ["python", "-m", "backup", "--help"],
        ["python", "-c", "import boto3, cryptography, nats, redis; print('ready')"],
        ["pg_dump", "--version"],
        ["redis-cli", "--version"],
        ["nats-server", "--version"],
        ["nats", "--version"],
    ],
}
"""Commands that print something and end, by the last part of the repository."""
NEVER_END = {"pause"}
_SECONDS = 60
_USER = 10_001


def test_every_image_that_no_other_test_starts_is_started_here() -> None:
    """So that a new image of the table is, too."""
    assert {short_name(image) for image in IMAGES if not image.build} == STARTED.keys() | NEVER_END


@pytest.fixture(scope="module", params=STARTED)
def root(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[NodeImage, Path]]:
    """An image with its file system, unpacked as a node would."""
    if os.geteuid():
        pytest.skip("not proven here: images are run in namespaces of their own, which needs root")
    (image,) = (each for each in IMAGES if short_name(each) == request.param and not each.build)
    folder = tmp_path_factory.mktemp(str(request.param))
    try:
        (made,) = assemble([image], folder, default_cache())
    except (ClusterError, ToolsError) as error:
        pytest.skip(f"not proven here: {error}")
    unpacked = folder / "root"
    unpacked.mkdir()
    for digest in made.layers:
        file = made.folder / "blobs/sha256" / digest.removeprefix("sha256:")
        subprocess.run(
            ["tar", "--extract", "--keep-directory-symlink", "--file", str(file), "--directory", str(unpacked)],
            check=True,
        )
    yield image, unpacked
    subprocess.run(["rm", "-rf", str(folder)], check=True)


def test_the_programs_start_and_find_their_libraries(root: tuple[NodeImage, Path]) -> None:
    """Each prints its version or its help, and ends with 0."""
    image, folder = root
    failed = {}
    for command in STARTED[short_name(image)]:
        specification = Specification(
            root=str(folder),
            command=command,
            environment=[f"PATH={image.published.path}", *image.environment, *_environment(image)],
            working_directory=image.published.working_directory,
            user=_USER,
            writable=["/tmp"],  # noqa: S108  # a path in the image
            pid_file=str(folder.with_name("pid")),
        )
        done = specification.run(folder.with_name("specification.json"), _SECONDS)
        if done.returncode or not (done.stdout + done.stderr).strip():
            failed[" ".join(command)] = (done.returncode, done.stderr[-500:])
    assert failed == {}


def _environment(image: NodeImage) -> list[str]:
    """Variables of the first container of beta that has this image, without those that only a cluster knows."""
    asked = (each.spec for pod in ManifestSet(_beta()).pods for each in pod.containers)
    container = next((each for each in asked if each["image"] in image.references), {})
    return [f"{each['name']}={each['value']}" for each in container.get("env") or () if "value" in each]


@functools.cache
def _beta() -> list[Manifest]:
    return load_stack("beta").manifests
