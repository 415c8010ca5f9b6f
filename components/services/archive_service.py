"""archive-service: keeps results."""

from components.services.service import Service, ServiceArgs
from components.settings.services import ArchiveServiceSettings


class ArchiveService(Service[ArchiveServiceSettings]):
    """Keeps results (Go). Does not own its database or the queue it reads from."""

    service_name = "archive-service"
    component = "archive"
    consumes = ("last.files",)
    writable_paths = ("/app/logs", "/tmp")  # noqa: S108  # mount paths inside the container

    @classmethod
    def environment(cls, args: ServiceArgs[ArchiveServiceSettings]) -> dict[str, str]:
        """Port on which it listens. NODE_ENV is documented for it although it is not a Node.js program."""
        return {"NODE_ENV": "production", "PORT": str(args.settings.port)}
