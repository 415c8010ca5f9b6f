"""segmentation-service: splits commands into tasks."""

from components.services.service import Service, ServiceArgs
from components.settings.services import SegmentationServiceSettings


class SegmentationService(Service[SegmentationServiceSettings]):
    """Splits commands into tasks (Python). Does not own the language data: the image brings it or nltk fetches none."""

    service_name = "segmentation-service"
    component = "segmentation"
    calls = ("ai-orchestrator",)
    # The code opens a log file in its working directory when it is imported, so it starts in a writable one.
    working_directory = "/app/run"
    writable_paths = ("/app/run", "/app/logs", "/tmp")  # noqa: S108  # mount paths inside the container

    @classmethod
    def environment(cls, args: ServiceArgs[SegmentationServiceSettings]) -> dict[str, str]:
        """Services that it asks and when it frees memory."""
        return {
            "PYTHONUNBUFFERED": "1",
            "PYTHONPATH": "/app",
            "PORT": str(args.settings.port),
            "AI_ORCHESTRATOR_URL": args.addresses["ai-orchestrator"],
            "NLTK_DATA": "/app/nltk_data",
            "DISABLE_SPACY": "false" if args.settings.spacy_enabled else "true",
            "MEMORY_THRESHOLD_MB": str(args.settings.memory_threshold_mebibytes),
            "HIGH_MEMORY_THRESHOLD_MB": str(args.settings.high_memory_threshold_mebibytes),
            "GC_INTERVAL": str(args.settings.garbage_collection_interval_seconds),
            "MAX_CACHE_SIZE": str(args.settings.max_cache_size),
        }
