"""Reads the plain environment that a service's pods get."""

from collections.abc import Mapping

from components.services import SERVICES, service_args
from components.stack.configuration import StackConfiguration
from tests.support.documents import alpha_settings
from tests.support.program import surroundings_without_engine

EVERY_SERVICE = {
    "HOME": "/tmp",  # noqa: S108  # in the container
    "OTEL_EXPORTER_OTLP_ENDPOINT": "http://alloy:4318",
    "OTEL_TRACES_EXPORTER": "none",
}
"""What every service of a stack with Alloy gets on top of its own."""


def environment_of(service: str, changes: Mapping[str, object] | None = None) -> dict[str, str]:
    """Plain environment of a service with alpha's settings, changed at paths below the service or the platform.

    Args:
        service: Name of the service.
        changes: Values by path; a path that starts with a dot is the service's own.
    """
    paths = {f"services.{service}{key}" if key[0] == "." else key: value for key, value in (changes or {}).items()}
    platform = alpha_settings(paths)
    (component,) = (each for each in SERVICES if each.service_name == service)
    args = service_args(
        SERVICES,
        StackConfiguration(platform=platform, secrets={}),
        surroundings_without_engine(platform),
        stores={},
        images={},
        telemetry_endpoint=None,
    )
    return dict(component.environment(args[service]))
