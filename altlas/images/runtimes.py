"""Runtime of each image, and the last day of its support."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from components.settings import PlatformSettings
from components.stack.image_build import RUNTIME_OF

RECORDED: Mapping[str, str] = {
    "frozen68/api-gateway:beta.v9": "18",
    "frozen68/runner-service:beta.final": "1.75",
    "frozen68/segmentation-service:beta": "3.9",
    "frozen68/ai-orchestrator:beta": "3.10",
    "frozen68/archive-service:beta": "1.20",
}
"""Version of the runtime in the images that exist already (beta image status report, section 2; Rust: its build)."""

END_OF_LIFE: Mapping[str, Mapping[str, date]] = {
    "node": {"18": date(2025, 4, 30), "20": date(2026, 4, 30), "22": date(2027, 4, 30), "24": date(2028, 4, 30)},
    "python": {
        "3.9": date(2025, 10, 31),
        "3.10": date(2026, 10, 31),
        "3.11": date(2027, 10, 31),
        "3.12": date(2028, 10, 31),
        "3.13": date(2029, 10, 31),
        "3.14": date(2030, 10, 31),
    },
    "go": {"1.18": date(2023, 2, 1), "1.20": date(2024, 2, 6)},
    "rust": {"1.75": date(2024, 2, 8)},
}
"""Last day of support by runtime and line (endoflife.date). Go and Rust have none until newer releases come out."""


@dataclass(frozen=True, kw_only=True)
class RuntimeReport:
    """The runtime in one service's image.

    Attributes:
        service: Name of the service.
        runtime: node, rust, python or go.
        version: Its version.
        is_recorded: Whether the image exists already; otherwise this is what its next build gets.
        end_of_life: Last day of support, None where none is known.
    """

    service: str
    runtime: str
    version: str
    is_recorded: bool
    end_of_life: date | None

    def is_past(self, today: date) -> bool:
        """True if the runtime's publisher has ended its support."""
        return self.end_of_life is not None and today > self.end_of_life

    def as_row(self, today: date) -> tuple[str, ...]:
        """Cells of a table: service, runtime, version, origin and support."""
        origin = "in the image" if self.is_recorded else "of the next build"
        if self.end_of_life is None:
            state = "no end of life known here"
        elif self.is_past(today):
            state = f"END OF LIFE since {self.end_of_life}: build a new image with a supported version"
        else:
            state = f"supported until {self.end_of_life}"
        return self.service, self.runtime, self.version, origin, state


def runtime_reports(platform: PlatformSettings) -> tuple[RuntimeReport, ...]:
    """The runtime of every service's image: the recorded one where the image is known, else the settings'."""
    reports = []
    for name, service in platform.services.by_name().items():
        runtime = RUNTIME_OF[name]
        recorded = RECORDED.get(f"{service.image.repository}:{service.image.tag}")
        version = recorded or str(getattr(platform.builds.runtimes, runtime))
        reports.append(
            RuntimeReport(
                service=name,
                runtime=runtime,
                version=version,
                is_recorded=recorded is not None,
                end_of_life=end_of_life(runtime, version),
            )
        )
    return tuple(reports)


def end_of_life(runtime: str, version: str) -> date | None:
    """Last day of support of the line that a version belongs to, None where none is known."""
    lines = END_OF_LIFE[runtime]
    parts = version.split(".")
    candidates = (".".join(parts[:count]) for count in range(len(parts), 0, -1))
    return next((lines[line] for line in candidates if line in lines), None)
