"""runner-service: runs tasks and asks the AI orchestrator."""

from components.services.service import Service, ServiceArgs
from components.settings.services import RunnerServiceSettings


class RunnerService(Service[RunnerServiceSettings]):
    """Runs tasks (Rust). Its files are lost with the pod: services share no volume.

    Owns its workload. Does not own the queue to which it publishes.
    """

    service_name = "runner-service"
    component = "runner"
    publishes = ("last.files",)
    calls = ("ai-orchestrator",)
    writable_paths = ("/data/alt", "/data/last", "/data/artifacts", "/tmp")  # noqa: S108  # mount paths

    @classmethod
    def environment(cls, args: ServiceArgs[RunnerServiceSettings]) -> dict[str, str]:
        """Its address, the service that it asks, and its folders."""
        ai_orchestrator = args.addresses["ai-orchestrator"]
        return {
            "RUST_LOG": args.settings.log_level,
            "BIND_ADDRESS": f"0.0.0.0:{args.settings.port}",
            # The code reads the first name, the documentation has the second.
            "AI_SERVICE_URL": ai_orchestrator,
            "RUNNER_AI_SERVICE_URL": ai_orchestrator,
            "AI_TIMEOUT_SECONDS": str(args.settings.ai_timeout_seconds),
            "MAX_CONCURRENT_TASKS": str(args.settings.max_concurrent_tasks),
            "MAX_CONCURRENT_AI_TASKS": str(args.settings.max_concurrent_ai_tasks),
            "ALT_FILES_DIR": "/data/alt",
            "LAST_FILES_DIR": "/data/last",
            "ARTIFACTS_DIR": "/data/artifacts",
        }
