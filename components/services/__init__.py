"""The five services of the platform, one module each."""

from typing import Any

from components.services.ai_orchestrator import AiOrchestrator
from components.services.api_gateway import ApiGateway
from components.services.archive_service import ArchiveService
from components.services.runner_service import RunnerService
from components.services.segmentation_service import SegmentationService
from components.services.service import Service, ServiceArgs, message_flows, service_args, service_ports

SERVICES: tuple[type[Service[Any]], ...] = (
    ApiGateway,
    RunnerService,
    SegmentationService,
    AiOrchestrator,
    ArchiveService,
)
"""All services of the platform, in the order of the stack files."""

__all__ = [
    "SERVICES",
    "AiOrchestrator",
    "ApiGateway",
    "ArchiveService",
    "RunnerService",
    "SegmentationService",
    "Service",
    "ServiceArgs",
    "message_flows",
    "service_args",
    "service_ports",
]
