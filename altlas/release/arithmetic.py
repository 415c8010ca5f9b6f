"""Arithmetic of a stack: what its settings add up to at rest, at maximum and during an update, against their limits.

Owns the sums over several settings, and the page that shows them. Does not own the load of the objects
(`components.kubernetes.load`), nor the refusal: settings whose sum is above a limit are refused when a stack file is
read.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from components.kubernetes.load import Load, StackLoad
from components.kubernetes.quantities import mebibytes
from components.settings import PlatformSettings
from components.settings.loki import STREAMS_OF_A_POD
from components.settings.postgres import RESERVED_CONNECTIONS, connections_needed
from components.settings.quota import FIGURES, QuotaSettings, hard
from components.settings.redis import MEMORY_SHARE, VOLUME_FACTOR
from components.settings.rollout import ROLLOUT_SURGE

SCALES = ("at rest", "update at rest", "at maximum", "update at maximum")


@dataclass(frozen=True)
class Balance:
    """One sum and its limit.

    Attributes:
        what: Its name.
        unit: Unit of all numbers.
        amounts: The sum at each of `SCALES`.
        limit: Its limit; None where only the cluster has one.
        setting: Setting that holds the limit.
    """

    what: str
    unit: str
    amounts: tuple[float, float, float, float]
    limit: float | None = None
    setting: str = ""

    @property
    def most(self) -> float:
        """The largest of the sums."""
        return max(self.amounts)


def settings_balances(platform: PlatformSettings) -> tuple[Balance, ...]:
    """Sums of settings that other settings limit."""
    return (*_postgres(platform), *_redis(platform), *_nats(platform), *_logs(platform), *_metrics(platform))


def load_balances(load: StackLoad) -> tuple[Balance, ...]:
    """Sums of the objects, with all Jobs at once: a quota or nodes that have room for the largest one suffice."""
    scales = [each + load.jobs for each in (load.rest, load.update, load.peak, load.peak_update)]

    def balance(what: str, unit: str, read: Callable[[Load], float]) -> Balance:
        rest, update, peak, peak_update = map(read, scales)
        return Balance(what, unit, (rest, update, peak, peak_update))

    return (
        balance("pods", "", lambda each: each.pods),
        balance("requests of CPU", "m", lambda each: each.requests.cpu),
        balance("requests of memory", "Mi", lambda each: each.requests.memory),
        balance("limits of CPU", "m", lambda each: each.limits.cpu),
        balance("limits of memory", "Mi", lambda each: each.limits.memory),
        balance("volume claims", "", lambda each: each.volumes),
        balance("size of all volumes", "Mi", lambda each: each.storage),
    )


def arithmetic_page(stacks: Sequence[tuple[str, PlatformSettings, StackLoad]]) -> str:
    """The page of the documents, one section for each stack."""
    parts = [_PAGE.format(surge=ROLLOUT_SURGE, reserve=RESERVED_CONNECTIONS)]
    for name, platform, load in stacks:
        rows = [*settings_balances(platform), *load_balances(load)]
        figures = hard(load, platform.quota or QuotaSettings())
        quota = ", ".join(f"`{key}` {figures[key]}" for key in (each.key for each in FIGURES))
        parts.append(f"## {name}\n\n" + "\n".join([_HEAD, *map(_row, rows)]) + f"\n\nA quota of its own: {quota}.\n")
    return "\n".join(parts)


def _same(number: float) -> tuple[float, float, float, float]:
    return number, number, number, number


def _pods(platform: PlatformSettings) -> tuple[tuple[dict[str, int], int], ...]:
    """Pods of each service at each of `SCALES`, and those that an update adds to each service."""
    services = platform.services.by_name().items()
    found: list[tuple[dict[str, int], int]] = []
    for end in (0, 1):
        found.append(({name: each.scale[end] for name, each in services}, 0))
        found.append(({name: each.scale[end] * each.sets_in_update for name, each in services}, ROLLOUT_SURGE))
    return tuple(found)


def _postgres(platform: PlatformSettings) -> Iterator[Balance]:
    if (database := platform.postgres) is None:
        return
    rest, update, peak, peak_update = (
        sum(connections_needed(database, pods, surge).values()) + RESERVED_CONNECTIONS
        for pods, surge in _pods(platform)
    )
    parameters, limit = database.parameters, int(mebibytes(database.resources.limits.memory))
    yield Balance(
        "connections of PostgreSQL",
        "",
        (rest, update, peak, peak_update),
        parameters.max_connections,
        "postgres.parameters.maxConnections",
    )
    used = _same(parameters.memory_mebibytes)
    yield Balance("memory of PostgreSQL", "Mi", used, limit, "postgres.resources.limits.memory")


def _redis(platform: PlatformSettings) -> Iterator[Balance]:
    if (cache := platform.redis) is None:
        return
    data = int(mebibytes(cache.max_memory))
    limit = int(MEMORY_SHARE * mebibytes(cache.resources.limits.memory))
    yield Balance("data in the memory of Redis", "Mi", _same(data), limit, "redis.resources.limits.memory")
    volume = int(mebibytes(cache.storage_size))
    yield Balance("rewrite on a volume of Redis", "Mi", _same(VOLUME_FACTOR * data), volume, "redis.storageSize")


def _nats(platform: PlatformSettings) -> Iterator[Balance]:
    if queue := platform.nats:
        streams = sum(int(mebibytes(each.max_bytes)) for each in queue.streams)
        limit = queue.max_file_store_mebibytes
        yield Balance("streams on a volume of NATS", "Mi", _same(streams), limit, "nats.storageSize")


def _logs(platform: PlatformSettings) -> Iterator[Balance]:
    if (logs := platform.loki) is None:
        return
    rest, update, peak, peak_update = (
        STREAMS_OF_A_POD * sum(each + surge for each in pods.values()) for pods, surge in _pods(platform)
    )
    yield Balance(
        "streams of logs", "", (rest, update, peak, peak_update), logs.limits.max_streams, "loki.limits.maxStreams"
    )
    days = 1 if logs.object_store else logs.retention_days
    used = _same(days * logs.ingest_mebibytes_per_day)
    yield Balance("logs on the volume of Loki", "Mi", used, logs.volume_mebibytes, "loki.storageSize")


def _metrics(platform: PlatformSettings) -> Iterator[Balance]:
    if (metrics := platform.prometheus) and metrics.is_managed:
        used = _same(metrics.needed_mebibytes)
        limit = metrics.retention_mebibytes
        yield Balance("metrics on a volume of Prometheus", "Mi", used, limit, "prometheus.storageSize")


_HEAD = f"| what | {' | '.join(SCALES)} | limit | of |\n|---|---|---|---|---|---|---|"
_PAGE = """<!-- Written by `make capacity-page`; a test compares it with the stack files. -->

# Arithmetic of the stacks

Sums of what the settings ask for: at rest, with autoscalers at their maximum, and while all Deployments roll at once.
A sum above its limit is refused when the stack file is read, with the path of the setting.

- Each rollout of a service adds {surge} pod. Connections include a reserve of {reserve} for the operator, its replicas,
  backups and a person in need.
- Limits are what is left for the purpose: a share of a volume or of memory that the server itself needs is taken off.
- Pods, CPU, memory and volumes count all Jobs at once. They have no limit here: nodes and quotas are the cluster's.
- A quota counts pods until they have ended, and Jobs and servers of restores, too. The quota of the stack's own
  (`quota` in the stack file, [ADR 28](adr/0028-quota-by-choice.md)) has room for all of that and a headroom;
  `altlas capacity STACK --target kubeconfig` compares with the quotas of a cluster.
- An update of a service with a canary has twice its pods: those that serve and those that are judged, and {surge} more
  while the judged release is taken over. Those that Flagger makes are counted as if the program did.
"""


def _row(each: Balance) -> str:
    amounts = " | ".join(f"{amount:.0f}{each.unit}" for amount in each.amounts)
    limit = f"{each.limit:.0f}{each.unit} | `{each.setting}`" if each.limit is not None else "- | the cluster"
    return f"| {each.what} | {amounts} | {limit} |"
