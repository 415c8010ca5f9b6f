"""PostgreSQL of a stack: how many instances, how big, with which databases. Never a password."""

import re
from fractions import Fraction
from typing import Annotated, Any, Self

from pydantic import AfterValidator, Field, create_model, model_validator

from components.kubernetes.quantities import mebibytes
from components.settings.base import Settings, section, setting
from components.settings.image import ImageSettings
from components.settings.services import ServicesSettings, short_name
from components.settings.store import Voters
from components.settings.workload import EphemeralStorageSettings, Memory, ResourceSettings

SUPPORTED_MAJORS = (17, 18)
RESERVED_CONNECTIONS = 20
"""Connections kept for the operator, its replicas and its metrics, the backup, and a person in need."""

_IDENTIFIER = re.compile(r"[a-z][a-z0-9_]{0,60}")
"""PostgreSQL's 63 characters, less two for the second role of a service."""

_OPERATORS_OWN = ("postgres", "template0", "template1", "streaming_replica", "backup", "restore", "platform")


def _database_name(text: str) -> str:
    if not _IDENTIFIER.fullmatch(text) or text in _OPERATORS_OWN:
        raise ValueError(
            "is not a free database name; use at most 61 lower-case letters, digits and '_', such as archive, but none "
            f"of {', '.join(_OPERATORS_OWN)}"
        )
    return text


class PostgresParameterSettings(Settings):
    """Parameters of the server; everything else is the operator's."""

    max_connections: int = setting("capacity", "Connections that the server accepts.", ge=25, le=5000)
    shared_buffers_mebibytes: int = setting("capacity", "Cache of the server.", ge=64, unit="Mi")
    work_mem_mebibytes: int = setting("capacity", "Memory of one sort or hash of one connection.", 4, ge=1, unit="Mi")
    maintenance_work_mem_mebibytes: int = setting(
        "capacity", "Memory of one maintenance worker, such as a vacuum.", 64, ge=16, unit="Mi"
    )

    @property
    def memory_mebibytes(self) -> int:
        """MiB that these settings let the server use: its cache, one sort of each connection, three vacuum workers."""
        vacuum_workers = 3
        connections = self.max_connections * self.work_mem_mebibytes
        return self.shared_buffers_mebibytes + connections + vacuum_workers * self.maintenance_work_mem_mebibytes

    def as_configuration(self) -> dict[str, str]:
        """The settings as postgresql.conf has them."""
        return {
            "max_connections": str(self.max_connections),
            "shared_buffers": f"{self.shared_buffers_mebibytes}MB",
            "work_mem": f"{self.work_mem_mebibytes}MB",
            "maintenance_work_mem": f"{self.maintenance_work_mem_mebibytes}MB",
            # On nodes that have some, a pod without a limit for them ends with a bus error.
            "huge_pages": "off",
        }


class DatabaseSettings(Settings):
    """The database of one service. Its role has the same name and owns nothing else."""

    name: Annotated[str, AfterValidator(_database_name)] = setting("data", "Name of the database and of its role.")
    pool_size: int = setting("capacity", "Connections that one pod of the service may hold.", 5, ge=1, le=200)


class _ByService(Settings):
    def by_service(self) -> dict[str, DatabaseSettings]:
        """The databases by the name of the service that owns each."""
        return {str(field.alias): getattr(self, name) for name, field in type(self).model_fields.items()}

    @model_validator(mode="after")
    def _each_has_its_own(self) -> Self:
        names = [database.name for database in self.by_service().values()]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(
                    f"both services have the database {name!r}; give each a name of its own, so that neither can read "
                    "the other's rows"
                )
            if f"{name}_2" in names:
                raise ValueError(
                    f"the name '{name}_2' is that of the second role of {name!r}, so one service would be the other; "
                    "give it another name"
                )
        return self


def _database_of(service: str) -> tuple[type[DatabaseSettings], Any]:
    default = DatabaseSettings(name=short_name(service))
    return DatabaseSettings, Field(default, alias=service, description=f"The database of {service}.")


_FIELDS: Any = {each.replace("-", "_"): _database_of(each) for each in ServicesSettings.with_store("postgres")}
_OF_SERVICES: Any = create_model("_OfServices", __base__=_ByService, **_FIELDS)


class DatabasesSettings(_OF_SERVICES, _ByService):
    """A database for each service that keeps rows."""


class PostgresSettings(Settings):
    """A PostgreSQL cluster that the operator CloudNativePG runs."""

    image: ImageSettings = section(
        "Image of the server.",
        ImageSettings(repository="ghcr.io/cloudnative-pg/postgresql", tag="18.6-standard-trixie"),
    )
    instances: Voters = setting(
        "capacity", "Servers; from 3 on each commit waits for a second one.", ge=1, le=7, unit="pods"
    )
    storage_size: Memory = setting("data", "Volume of each server. It can grow, never shrink.", unit="Gi")
    storage_class: str | None = setting("data", "StorageClass of the volumes; null for the cluster's default.", None)
    resources: ResourceSettings = section("What each server is guaranteed and may use.")
    parameters: PostgresParameterSettings = section("Parameters of the server.")
    databases: DatabasesSettings = section("The databases, by service.", DatabasesSettings())
    operator_namespace: str = setting("security", "Namespace of the operator CloudNativePG.", "cnpg-system")

    @property
    def major(self) -> int:
        """Major version of the server."""
        return major_version(self.image.tag)

    @property
    def synchronous(self) -> bool:
        """True if a commit waits until a second server has it."""
        return self.instances > 1

    @model_validator(mode="after")
    def _version_is_supported(self) -> Self:
        if major_version(self.image.tag) not in SUPPORTED_MAJORS:
            known = " or ".join(map(str, SUPPORTED_MAJORS))
            raise ValueError(
                f"image.tag {self.image.tag!r} does not begin with a supported version; use PostgreSQL {known}, "
                "such as 18.6-standard-trixie"
            )
        return self

    @model_validator(mode="after")
    def _asks_for_nothing_that_the_operator_does_not_take(self) -> Self:
        if self.resources.ephemeral_storage != EphemeralStorageSettings():
            raise ValueError(
                "resources.ephemeralStorage has no effect here, for the pods are the operator's; leave it out"
            )
        return self

    @model_validator(mode="after")
    def _memory_suffices(self) -> Self:
        limit, used = mebibytes(self.resources.limits.memory), self.parameters.memory_mebibytes
        if used > limit:
            raise ValueError(
                f"parameters let the server use {used}Mi, but resources.limits.memory is "
                f"{self.resources.limits.memory}, so the kernel would kill it; raise the limit or lower sharedBuffers, "
                "workMem or maxConnections"
            )
        return self


def major_version(tag: str) -> int:
    """Major version that an image tag begins with, 0 where it begins with none."""
    found = re.match(r"(\d+)(?=[.-]|$)", tag)
    return int(found[1]) if found else 0


def volume_mebibytes(text: str) -> Fraction:
    """Size of a volume in Mi, to compare two of them.

    Raises:
        ValueError: The text is not a size.
    """
    return mebibytes(text)


def connections_needed(postgres: PostgresSettings, most_pods: dict[str, int], surge: int) -> dict[str, int]:
    """Connections that each role may hold at the largest scale, by service.

    Args:
        postgres: The settings that hold the pools.
        most_pods: Largest number of pods of each service.
        surge: Pods that a rollout adds on top.
    """
    return {
        service: (most_pods[service] + surge) * database.pool_size
        for service, database in postgres.databases.by_service().items()
    }
