"""Facts of the published images, from their publishers' Dockerfiles: what a pod may rely on.

Keys are repositories with their hosts. Owns what is documented. Does not own what stands for an image on a node
(cluster.node.images.table). Nothing was pulled: no registry could be asked, so a fact is as good as its source.
"""

from collections.abc import Mapping

from cluster.node.images.recipe import PublishedImage

_TOOLS = (
    "awk",
    "basename",
    "cat",
    "cut",
    "date",
    "grep",
    "head",
    "ls",
    "mv",
    "rm",
    "sed",
    "sleep",
    "sort",
    "tail",
    "touch",
    "tr",
)
_SHELL = ("/bin/sh", *(f"/bin/{name}" for name in _TOOLS))
_OUR_USER = "10001:10001"
_OUR_PATH = "/usr/local/bin:/usr/bin:/bin"


def _scratch(source: str, program: str, user: str, *arguments: str) -> PublishedImage:
    """An image with one program and no shell."""
    return PublishedImage(source=source, user=user, entry_point=(program, *arguments), programs=(program,))


def _prometheus(source: str, program: str, user: str, directory: str, *command: str, also: str = "") -> PublishedImage:
    """An image over Prometheus' busybox."""
    return PublishedImage(
        source=source,
        user=user,
        entry_point=(program,),
        command=command,
        working_directory=directory,
        programs=tuple(filter(None, (program, also, "/bin/sh"))),
    )


def _service(runtime: str, *entry_point: str, command: tuple[str, ...] = (), path: str = _OUR_PATH) -> PublishedImage:
    """A service in an image by this project's Dockerfile of its runtime."""
    return PublishedImage(
        source=f"images/{runtime}.Dockerfile",
        user=_OUR_USER,
        entry_point=entry_point,
        command=command,
        working_directory="/app",
        path=path,
        programs=("/app/service",) if runtime in {"go", "rust"} else (f"/usr/bin/{entry_point[0]}",),
    )


def _original(file: str, *command: str, program: str) -> PublishedImage:
    """A service's image of the original platform; which build of the Dockerfile was pushed is not known."""
    return PublishedImage(
        source=f"krozenking/ALT_LAS docker/{file}",
        user="appuser",
        command=command,
        working_directory="/app",
        is_relative=True,
        programs=(program,),
    )


_NODE = _service("node", "node", command=("/app",), path=f"/nodejs/bin:{_OUR_PATH}")
_PYTHON = _service("python", "python3", command=("/app",))

PUBLISHED: Mapping[str, PublishedImage] = {
    "registry.k8s.io/pause": _scratch("kubernetes/kubernetes v1.35.4 build/pause/Dockerfile", "/pause", "65535:65535"),
    "docker.io/library/busybox": PublishedImage(
        source="docker-library/busybox latest/glibc/Dockerfile", command=("sh",), programs=_SHELL
    ),
    "registry.k8s.io/coredns/coredns": _scratch("coredns/coredns v1.12.4 Dockerfile", "/coredns", "nonroot:nonroot"),
    "registry.k8s.io/metrics-server/metrics-server": _scratch(
        "kubernetes-sigs/metrics-server Dockerfile", "/metrics-server", "65534"
    ),
    "docker.io/library/redis": PublishedImage(
        source="redis/docker-library-redis alpine/Dockerfile",
        entry_point=("docker-entrypoint.sh",),
        command=("redis-server",),
        working_directory="/data",
        programs=("/usr/local/bin/redis-server", "/usr/local/bin/redis-cli", *_SHELL, "/usr/bin/timeout"),
    ),
    "docker.io/library/haproxy": PublishedImage(
        source="docker-library/haproxy 3.2/alpine/Dockerfile",
        user="haproxy",
        entry_point=("docker-entrypoint.sh",),
        command=("haproxy", "-f", "/usr/local/etc/haproxy/haproxy.cfg"),
        working_directory="/var/lib/haproxy",
        programs=("/usr/local/sbin/haproxy", *_SHELL),
    ),
    "docker.io/library/nats": PublishedImage(
        source="nats-io/nats-docker 2.12.x/alpine3.22/Dockerfile",
        entry_point=("docker-entrypoint.sh",),
        command=("nats-server", "--config", "/etc/nats/nats-server.conf"),
        programs=("/usr/local/bin/nats-server", *_SHELL),
    ),
    "docker.io/natsio/nats-box": PublishedImage(
        source="nats-io/nats-box Dockerfile",
        user="root",
        entry_point=("/bin/sh", "-l"),
        working_directory="/root",
        programs=("/usr/local/bin/nats", *_SHELL),
    ),
    "docker.io/natsio/prometheus-nats-exporter": _scratch(
        "nats-io/prometheus-nats-exporter docker/linux/Dockerfile", "/prometheus-nats-exporter", ""
    ),
    "docker.io/oliver006/redis_exporter": _scratch(
        "oliver006/redis_exporter docker/Dockerfile", "/redis_exporter", "59000:59000"
    ),
    "ghcr.io/cloudnative-pg/cloudnative-pg": _scratch(
        "cloudnative-pg/cloudnative-pg v1.30.0 Dockerfile", "/manager", "65532:65532"
    ),
    "ghcr.io/cloudnative-pg/postgresql": PublishedImage(
        source="cloudnative-pg/postgres-containers Dockerfile",
        user="26",
        path="/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/usr/lib/postgresql/18/bin",
        programs=tuple(
            f"/usr/lib/postgresql/18/bin/{name}"
            for name in (
                "postgres",
                "initdb",
                "pg_basebackup",
                "pg_rewind",
                "pg_ctl",
                "pg_controldata",
                "psql",
                "pg_dump",
            )
        ),
    ),
    "docker.io/prom/prometheus": _prometheus(
        "prometheus/prometheus v3.7.3 Dockerfile",
        "/bin/prometheus",
        "nobody",
        "/prometheus",
        "--config.file=/etc/prometheus/prometheus.yml",
        "--storage.tsdb.path=/prometheus",
        also="/bin/promtool",
    ),
    "docker.io/prom/alertmanager": _prometheus(
        "prometheus/alertmanager v0.28.1 Dockerfile",
        "/bin/alertmanager",
        "nobody",
        "/alertmanager",
        "--config.file=/etc/alertmanager/alertmanager.yml",
        "--storage.path=/alertmanager",
        also="/bin/amtool",
    ),
    "docker.io/prom/blackbox-exporter": _prometheus(
        "prometheus/blackbox_exporter v0.27.0 Dockerfile",
        "/bin/blackbox_exporter",
        "",
        "/",
        "--config.file=/etc/blackbox_exporter/config.yml",
    ),
    "quay.io/prometheus-operator/prometheus-operator": _prometheus(
        "prometheus-operator/prometheus-operator v0.85.0 Dockerfile", "/bin/operator", "65534", "/"
    ),
    "quay.io/prometheus-operator/prometheus-config-reloader": _prometheus(
        "prometheus-operator/prometheus-operator v0.85.0 cmd/prometheus-config-reloader/Dockerfile",
        "/bin/prometheus-config-reloader",
        "nobody",
        "/",
    ),
    "registry.k8s.io/kube-state-metrics/kube-state-metrics": _scratch(
        "kubernetes/kube-state-metrics Dockerfile",
        "/kube-state-metrics",
        "nobody",
        "--port=8080",
        "--telemetry-port=8081",
    ),
    "docker.io/library/traefik": PublishedImage(
        source="traefik/traefik-library-image v3.7/alpine/Dockerfile",
        entry_point=("/entrypoint.sh",),
        command=("traefik",),
        programs=("/entrypoint.sh", "/usr/local/bin/traefik", "/bin/sh"),
    ),
    "docker.io/grafana/grafana": PublishedImage(
        source="grafana/grafana Dockerfile",
        user="472",
        entry_point=("/run.sh",),
        working_directory="/usr/share/grafana",
        path="/usr/share/grafana/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        programs=("/run.sh", "/usr/share/grafana/bin/grafana"),
    ),
    "docker.io/grafana/loki": PublishedImage(
        source="grafana/loki cmd/loki/Dockerfile",
        user="10001",
        entry_point=("/usr/bin/loki",),
        command=("-config.file=/etc/loki/local-config.yaml",),
        programs=("/usr/bin/loki",),
    ),
    "docker.io/grafana/alloy": PublishedImage(
        source="grafana/alloy Dockerfile",
        entry_point=("/bin/alloy",),
        command=("run", "/etc/alloy/config.alloy", "--storage.path=/var/lib/alloy/data"),
        programs=("/bin/alloy",),
    ),
    "docker.io/frozen68/api-gateway": _original(
        "Dockerfile.beta.api-gateway.v8", "node", "src/index.js", program="/usr/local/bin/node"
    ),
    "docker.io/frozen68/runner-service": _original(
        "Dockerfile.prod.runner-service", "./runner-service", program="/app/runner-service"
    ),
    "docker.io/frozen68/segmentation-service": _original(
        "Dockerfile.prod.segmentation-service", "python", "main.py", program="/usr/local/bin/python"
    ),
    "docker.io/frozen68/ai-orchestrator": _original(
        "Dockerfile.beta.ai-orchestrator",
        *("uvicorn", "src.main:app", "--host", "0.0.0.0", "--port", "8001"),  # noqa: S104  # its own words
        program="/usr/local/bin/uvicorn",
    ),
    "docker.io/frozen68/archive-service": _original(
        "Dockerfile.prod.archive-service", "./archive-service", program="/app/archive-service"
    ),
    "registry.invalid/alt-las/api-gateway": _NODE,
    "registry.invalid/alt-las/runner-service": _service("rust", "/app/service"),
    "registry.invalid/alt-las/segmentation-service": _PYTHON,
    "registry.invalid/alt-las/ai-orchestrator": _PYTHON,
    "registry.invalid/alt-las/archive-service": _service("go", "/app/service"),
    "registry.invalid/alt-las/backup": PublishedImage(
        source="images/backup/Dockerfile",
        user=_OUR_USER,
        command=("python", "-m", "backup", "--help"),
        working_directory="/app",
        path="/usr/lib/postgresql/18/bin:/usr/local/bin:/usr/bin:/bin",
        programs=(
            "/usr/bin/python",
            "/bin/sh",
            "/usr/lib/postgresql/18/bin/pg_dump",
            "/usr/lib/postgresql/18/bin/postgres",
            "/usr/bin/redis-server",
            "/usr/bin/redis-cli",
            "/usr/local/bin/nats-server",
            "/usr/local/bin/nats",
        ),
    ),
}
