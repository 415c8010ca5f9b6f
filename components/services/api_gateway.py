"""api-gateway: the only service that is reached from outside. Checks tokens and passes requests on."""

from components.services.service import Service, ServiceArgs
from components.settings.services import ApiGatewaySettings


class ApiGateway(Service[ApiGatewaySettings]):
    """Public entry point (Node.js). Owns its workload; does not own the ingress in front of it, nor Redis."""

    service_name = "api-gateway"
    component = "gateway"
    calls = ("segmentation-service", "runner-service", "archive-service", "ai-orchestrator")
    service_port = 80
    writable_paths = ("/app/logs", "/tmp")  # noqa: S108  # mount paths inside the container

    @classmethod
    def environment(cls, args: ServiceArgs[ApiGatewaySettings]) -> dict[str, str]:
        """Addresses of the services it calls, and where browsers may call it from."""
        return {
            "NODE_ENV": "production",
            "PORT": str(args.settings.port),
            "LOG_LEVEL": args.settings.log_level,
            "CORS_ORIGIN": f"https://{args.public_host}",
            "SEGMENTATION_SERVICE_URL": args.addresses["segmentation-service"],
            "RUNNER_SERVICE_URL": args.addresses["runner-service"],
            "ARCHIVE_SERVICE_URL": args.addresses["archive-service"],
            "AI_ORCHESTRATOR_URL": args.addresses["ai-orchestrator"],
        }
