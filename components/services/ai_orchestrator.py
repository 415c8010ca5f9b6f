"""ai-orchestrator: runs and calls models."""

from components.services.service import Service, ServiceArgs
from components.settings.services import AiOrchestratorSettings


class AiOrchestrator(Service[AiOrchestratorSettings]):
    """Runs and calls models (Python); the only service that may reach the internet.

    Owns its workload. Does not own model files.
    """

    service_name = "ai-orchestrator"
    component = "ai"
    reaches_internet = True
    writable_paths = ("/app/logs", "/app/cache", "/app/models", "/tmp")  # noqa: S108  # mount paths

    @classmethod
    def scratch_sizes(cls, settings: AiOrchestratorSettings) -> dict[str, str]:
        """Room for models that are downloaded; a pod that needs more is evicted."""
        return {"/app/models": settings.models_size}

    @classmethod
    def environment(cls, args: ServiceArgs[AiOrchestratorSettings]) -> dict[str, str]:
        """Folders of its models and its cache, and the services that its code knows."""
        return {
            "PYTHONUNBUFFERED": "1",
            "PORT": str(args.settings.port),
            "LOG_LEVEL": args.settings.log_level.upper(),
            "DEBUG": "true" if args.settings.log_level == "debug" else "false",
            "MODEL_DIR": "/app/models",
            # The code reads the first name, the documentation has the second.
            "CACHE_DIR": "/app/cache",
            "MODEL_CACHE_DIR": "/app/cache",
            # Of the libraries, which else write below HOME.
            "HF_HOME": "/app/models",
            "XDG_CACHE_HOME": "/app/cache",
            "CACHE_SIZE_LIMIT": str(args.settings.cache_size_limit_mebibytes),
            "USE_GPU": "true" if args.settings.gpu_enabled else "false",
            "RUNNER_SERVICE_URL": args.addresses["runner-service"],
            "SEGMENTATION_SERVICE_URL": args.addresses["segmentation-service"],
        }
