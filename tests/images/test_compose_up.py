"""Compose by a real engine: both phases' files come up with stand-ins, every health check passes, the gateway answers.

The engine is podman from Debian, unpacked and not installed, in namespaces of its own.
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

import tools
from altlas.compose.compose import compose
from cluster.errors import ClusterError
from cluster.node.cgroups import hierarchies, remove_groups
from cluster.node.images import IMAGES, NodeImage
from cluster.node.images.assembling import assemble, default_cache
from cluster.node.images.builder import default_cache as builder_cache
from cluster.node.images.builder import locked
from cluster.node.images.layers import WrittenFile, WrittenLayer
from cluster.node.images.recipe import PublishedImage
from components.stack.image_build import RUNTIME_OF
from components.stack.loading import read_platform
from rendering.recorder import Recorder
from tests.images.compose_engine import Specification
from tests.images.test_compose import STORES
from tests.support.documents import ROOT, STACKS
from tests.support.figures import Figures
from tools.debian import PackageCache, default_folder
from tools.errors import ToolsError

pytestmark = pytest.mark.data

POSTGRES_START = """\
#!/bin/sh
set -eu
if [ ! -s "$PGDATA/PG_VERSION" ]; then
  printf %s "$POSTGRES_PASSWORD" >/tmp/password
  initdb --username=postgres --pwfile=/tmp/password --auth-local=trust --auth-host=scram-sha-256 --pgdata="$PGDATA"
  rm /tmp/password
  printf "%s\\n" "listen_addresses = '*'" >>"$PGDATA/postgresql.conf"
  echo "host all all all scram-sha-256" >>"$PGDATA/pg_hba.conf"
  pg_ctl --wait --pgdata="$PGDATA" --options="-c listen_addresses=''" start
  for script in /docker-entrypoint-initdb.d/*; do . "$script"; done
  pg_ctl --wait --pgdata="$PGDATA" stop
fi
exec "$@"
"""
"""What the publisher's entry point does as far as compose.yaml needs it: first start, passwords, scripts."""
_PATH = "/usr/lib/postgresql/18/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_PACKAGES = ("podman", "netavark", "aardvark-dns", "conmon", "crun", "runc", "iptables")
_GROUP = "alt-las-compose-{pid}"
_SECONDS = 400
_OWN = ("--mount", "--net", "--pid", "--ipc", "--fork", "--kill-child", "--propagation", "private")


@pytest.fixture(scope="module")
def engine() -> Path:
    """Folder with podman and all that it needs, unpacked from Debian's packages."""
    if os.geteuid():
        pytest.skip("not proven here: a container engine in namespaces of its own needs root")
    root = builder_cache() / "podman"
    with locked(builder_cache()):
        if not (root / "complete").exists():
            shutil.rmtree(root, ignore_errors=True)
            try:
                PackageCache(default_folder()).unpack(_PACKAGES, root)
            except ToolsError as error:
                pytest.skip(f"not proven here: {error}")
            # Debian makes these names when the package is installed.
            for name in ("iptables", "ip6tables"):
                for end in ("", "-save", "-restore"):
                    (root / "usr/sbin" / f"{name}{end}").symlink_to("xtables-nft-multi")
            (root / "complete").touch()
    return root


def postgres_image(reference: str) -> NodeImage:
    """PostgreSQL's own image, which no cluster uses: the server of the operator's, started by a script."""
    (operated,) = (each for each in IMAGES if "cloudnative-pg/postgresql:" in each.references[0])
    passwd = "root:x:0:0:root:/:/bin/sh\npostgres:x:70:70:postgres:/:/bin/sh\n"
    files = (
        WrittenFile("etc/passwd", passwd, mode=0o644),
        WrittenFile("usr/local/bin/docker-entrypoint.sh", POSTGRES_START),
        WrittenFile("var/lib/postgresql", owner=70),
    )
    return NodeImage(
        references=(reference,),
        holds=operated.holds,
        published=PublishedImage(
            source="docker-library/postgres", entry_point=("docker-entrypoint.sh",), command=("postgres",), path=_PATH
        ),
        layers=(*operated.layers, WrittenLayer(files)),
        environment=operated.environment,
    )


def images_of(document: Mapping[str, Any]) -> dict[str, NodeImage]:
    """Stand-ins of all images that start without a profile."""
    known = {reference: image for image in IMAGES for reference in image.references}
    wanted = [each["image"] for each in document["services"].values() if "profiles" not in each]
    return {each: known.get(each) or postgres_image(each) for each in wanted}


def for_podman(document: dict[str, Any], group: str) -> dict[str, Any]:
    """The file as podman 4.3 takes it: it knows no owner of a tmpfs; all else is as people start it.

    Args:
        document: What `altlas stack compose` writes.
        group: Control group of the containers.
    """
    for service in document["services"].values():
        service["cgroup_parent"] = group
        service["tmpfs"] = [
            ",".join(["mode=1777", *(each for each in options.split(",") if each.startswith("size="))]).join(
                [f"{path}:", ""]
            )
            for path, _, options in (text.partition(":") for text in service.get("tmpfs", ()))
        ]
    return document


def brought_up(document: dict[str, Any], example: str, engine: Path, folder: Path) -> subprocess.CompletedProcess[str]:
    """Start a file with the stand-ins of its images, ask the gateway, and take it down again."""
    images, layouts = images_of(document), folder / "layouts"
    layouts.mkdir()
    try:
        made = assemble(images.values(), layouts, default_cache())
        compose_program = tools.ensure(["docker-compose"]).path("docker-compose")
    except (ClusterError, ToolsError) as error:
        pytest.skip(f"not proven here: {error}")
    group = _GROUP.format(pid=os.getpid())
    (folder / "compose.yaml").write_text(yaml.safe_dump(for_podman(document, f"/{group}")))
    variables = [line for line in example.splitlines() if line.endswith("=")]
    (folder / ".env").write_text("".join(f"{name}value-{number}\n" for number, name in enumerate(variables)))
    specification = folder / "specification.json"
    Specification(
        root=str(engine),
        folder=str(folder),
        visible=[str(builder_cache())],
        images={name: str(each.folder) for name, each in zip(images, made, strict=True)},
        compose=str(compose_program),
        url="http://127.0.0.1:3000/health",
    ).write(specification)
    command = ["unshare", *_OWN, sys.executable, "-m", "tests.images.compose_engine", str(specification)]
    try:
        return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=_SECONDS, check=False)
    finally:
        # A gigabyte of files, which pytest would keep for three runs.
        shutil.rmtree(folder / "graph", ignore_errors=True)
        remove_groups(group)
        assert not [each.folder / group for each in hierarchies() if (each.folder / group).exists()]


@pytest.mark.parametrize("stack", STACKS)
def test_a_phase_comes_up_on_one_machine(
    programs: Mapping[str, Recorder], engine: Path, tmp_path: Path, stack: str, figures: Figures
) -> None:
    """Five services and three stores, by Docker Compose itself; a request reaches the gateway over its public port."""
    text, example = compose(stack, read_platform(ROOT / f"Pulumi.{stack}.yaml"), programs[stack].objects)
    done = brought_up(yaml.safe_load(text), example, engine, tmp_path)
    assert done.returncode == 0, done.stderr[-3000:]
    seen = json.loads(done.stdout.splitlines()[-1])
    assert seen["health"] == dict.fromkeys((*RUNTIME_OF, *STORES), "healthy")
    assert (seen["status"], seen["left"]) == (200, [])
    figures.add(f"Compose, {stack}, all containers healthy", f"{seen['seconds']:.0f} s")


def test_a_container_that_is_not_healthy_is_told(
    programs: Mapping[str, Recorder], engine: Path, tmp_path: Path
) -> None:
    """So the green checks above mean something: NATS asked on a port where nothing listens."""
    text, example = compose("alpha", read_platform(ROOT / "Pulumi.alpha.yaml"), programs["alpha"].objects)
    document = yaml.safe_load(text.replace("127.0.0.1:8222", "127.0.0.1:8223"))
    document["services"] = {"nats": document["services"]["nats"]}
    document["services"]["nats"]["healthcheck"] |= {"retries": 2, "start_period": "0s"}
    done = brought_up(document, example, engine, tmp_path)
    assert done.returncode == 1
    assert "nats-1 is unhealthy" in done.stderr, done.stderr[-3000:]
