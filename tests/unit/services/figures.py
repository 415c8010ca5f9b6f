"""Figures of each service, by phase: written out from the facts about the original platform, not from our files.

Section numbers in comments are those of the facts sheet.
"""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Resources:
    """CPU and memory of one pod: request, then limit."""

    cpu: tuple[str, str]
    memory: tuple[str, str]


@dataclass(frozen=True, kw_only=True)
class Probes:
    """HTTP path of readiness, HTTP path of liveness (None: TCP), period and timeout, and periods of 5 s to start."""

    readiness: str
    liveness: str | None
    period: int
    timeout: int
    startup_failures: int
    liveness_failures: int = 3


# Section 1: container port, Service port, role and directories that the code writes.
PORTS = {
    "api-gateway": (3000, 80),
    "runner-service": (8080, 8080),
    "segmentation-service": (8000, 8000),
    "ai-orchestrator": (8001, 8001),
    "archive-service": (9000, 9000),
}
ROLES = {
    "api-gateway": "gateway",
    "runner-service": "runner",
    "segmentation-service": "segmentation",
    "ai-orchestrator": "ai",
    "archive-service": "archive",
}
TMP = "/tmp"  # noqa: S108  # mount path inside the container
WRITABLE_PATHS = {
    "api-gateway": ["/app/logs", TMP],
    "runner-service": ["/data/alt", "/data/last", "/data/artifacts", TMP],
    "segmentation-service": ["/app/run", "/app/logs", TMP],
    "ai-orchestrator": ["/app/logs", "/app/cache", "/app/models", TMP],
    "archive-service": ["/app/logs", TMP],
}

# Section 1.1: paths that really exist, timings of the beta requirements; liveness asks the port, except that of the
# gateway, whose client never recovers from an outage of Redis by itself.
PROBES = {
    "api-gateway": Probes(
        readiness="/health", liveness="/health", period=10, timeout=5, startup_failures=12, liveness_failures=12
    ),
    "runner-service": Probes(readiness="/api/v1/health", liveness=None, period=15, timeout=10, startup_failures=18),
    "segmentation-service": Probes(readiness="/health", liveness=None, period=15, timeout=10, startup_failures=24),
    "ai-orchestrator": Probes(readiness="/health", liveness=None, period=15, timeout=10, startup_failures=24),
    "archive-service": Probes(readiness="/health", liveness=None, period=10, timeout=5, startup_failures=12),
}

# Section 1: alpha as it ran, beta as the full beta profile requires.
_SMALL = Resources(cpu=("100m", "500m"), memory=("128Mi", "512Mi"))
_MIDDLE = Resources(cpu=("500m", "1"), memory=("512Mi", "1Gi"))
_LARGE = Resources(cpu=("1", "2"), memory=("1Gi", "2Gi"))
RESOURCES = {
    "alpha": {
        "api-gateway": _SMALL,
        "runner-service": _SMALL,
        "segmentation-service": _SMALL,
        "ai-orchestrator": _MIDDLE,
        "archive-service": _SMALL,
    },
    "beta": {
        "api-gateway": _MIDDLE,
        "runner-service": _MIDDLE,
        "segmentation-service": _LARGE,
        "ai-orchestrator": _LARGE,
        "archive-service": _MIDDLE,
    },
}

# Section 1: range of replicas. Section 4: targets and speed. In alpha gateway and segmentation do not scale on memory,
# because their idle memory is above 80 % of 128Mi (section 6.1, row 17).
REPLICAS = {
    "alpha": {
        "api-gateway": (2, 5),
        "runner-service": (2, 8),
        "segmentation-service": (2, 5),
        "ai-orchestrator": (2, 10),
        "archive-service": (2, 5),
    },
    "beta": {
        "api-gateway": (3, 20),
        "runner-service": (3, 16),
        "segmentation-service": (3, 15),
        "ai-orchestrator": (2, 10),
        "archive-service": (2, 12),
    },
}
CPU_TARGET = {"alpha": 70, "beta": 70}
MEMORY_TARGET = {
    "alpha": {"runner-service": 80, "ai-orchestrator": 80, "archive-service": 80},
    "beta": dict.fromkeys(PORTS, 70),
}
BEHAVIOR: dict[str, dict[str, Any]] = {
    "alpha": {
        "scaleUp": {
            "stabilizationWindowSeconds": 60,
            "selectPolicy": "Max",
            "policies": [{"type": "Percent", "value": 100, "periodSeconds": 60}],
        },
        "scaleDown": {
            "stabilizationWindowSeconds": 300,
            "selectPolicy": "Max",
            "policies": [{"type": "Percent", "value": 25, "periodSeconds": 60}],
        },
    },
    "beta": {
        "scaleUp": {
            "stabilizationWindowSeconds": 0,
            "selectPolicy": "Max",
            "policies": [
                {"type": "Percent", "value": 100, "periodSeconds": 60},
                {"type": "Pods", "value": 4, "periodSeconds": 60},
            ],
        },
        "scaleDown": {
            "stabilizationWindowSeconds": 300,
            "selectPolicy": "Max",
            "policies": [{"type": "Percent", "value": 10, "periodSeconds": 60}],
        },
    },
}

# Section 7: images. Alpha's mutable tag is replaced by the version that alpha was released as (section 4).
# Alpha has no published image, so its repositories stand for the ones that its operator chooses.
REPOSITORY = {"alpha": "registry.invalid/alt-las", "beta": "frozen68"}
TAGS = {
    "alpha": dict.fromkeys(PORTS, "1.0.0-alpha"),
    "beta": {
        "api-gateway": "beta.v9",
        "runner-service": "beta.final",
        "segmentation-service": "beta",
        "ai-orchestrator": "beta",
        "archive-service": "beta",
    },
}

# Section 3.1: who calls whom, as far as there is code that does it or a flow that was decided.
CALLERS = {
    "api-gateway": [],
    "runner-service": ["api-gateway"],
    "segmentation-service": ["api-gateway"],
    "ai-orchestrator": ["api-gateway", "runner-service", "segmentation-service"],
    "archive-service": ["api-gateway"],
}
