"""Types of the tables: an image that its publisher documents, and what stands for it on a node.

Does not own the tables (cluster.node.images.published, cluster.node.images.table).
"""

from __future__ import annotations

from dataclasses import dataclass

from cluster.node.images.layers import Layer, WrittenFile, WrittenLayer

_DOCKER_HUB = "docker.io"


def full_name(reference: str) -> str:
    """Return a reference with the host and path that a node asks: `redis:8` is `docker.io/library/redis:8`."""
    host, slash, _ = reference.partition("/")
    if slash and ("." in host or ":" in host or host == "localhost"):
        return reference
    return f"{_DOCKER_HUB}/{reference}" if slash else f"{_DOCKER_HUB}/library/{reference}"


@dataclass(frozen=True, kw_only=True)
class PublishedImage:
    """Facts of an image, as its publisher's Dockerfile or documentation states them.

    Attributes:
        source: Where they stand.
        user: User of the image as it is written there; empty for root.
        entry_point: Program and arguments before those of the command.
        command: Arguments where a pod names none.
        working_directory: Folder in which it starts.
        is_relative: True if its own command is found in that folder only.
        path: Folders in which a program without a path is looked for.
        programs: Absolute paths of programs in it; those that pods start, and those that their scripts call.
    """

    source: str
    user: str = ""
    entry_point: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    working_directory: str = "/"
    is_relative: bool = False
    path: str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    programs: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class ServiceBuild:
    """Build of a service's stand-in by the Dockerfile of its runtime.

    Attributes:
        service: Name of the service.
        runtime: Name of the Dockerfile in `images/` and of the stand-in in `images/standins/`.
        port: Port on which it listens.
        health_path: Path of its health check.
    """

    service: str
    runtime: str
    port: int
    health_path: str


@dataclass(frozen=True, kw_only=True)
class NodeImage:
    """An image that is put together here and stands for a published one: its user, entry point and paths are equal.

    Attributes:
        references: Names by which pods ask for it.
        holds: Program and version that are really in it, and where they come from.
        published: Facts of the image that it stands for.
        layers: Content, the lowest first.
        build: Build whose layers and variables come before; None for none.
        environment: Variables besides PATH.
    """

    references: tuple[str, ...]
    holds: str
    published: PublishedImage
    layers: tuple[Layer, ...] = ()
    build: ServiceBuild | None = None
    environment: tuple[str, ...] = ()

    @property
    def content(self) -> tuple[Layer, ...]:
        """All layers that are put together, the lowest first: its working directory, then those of the recipe."""
        directory = self.published.working_directory.strip("/")
        return (*([WrittenLayer((WrittenFile(directory),))] if directory and not self.build else []), *self.layers)

    @property
    def labels(self) -> dict[str, str]:
        """Labels of the image: what it holds, and that it is not the published one."""
        stands_for = f"stands for {', '.join(self.references)}; not its publisher's image"
        return {"org.opencontainers.image.title": self.holds, "org.opencontainers.image.description": stands_for}


@dataclass(frozen=True)
class MissingImage:
    """An image for which nothing stands on a node.

    Attributes:
        reference: Name by which pods ask for it.
        setting: Path below `alt-las:platform` of the block that asks for it; null leaves it out of a stack.
        reason: Why.
    """

    reference: str
    setting: str
    reason: str
