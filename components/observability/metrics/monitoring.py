"""Monitoring of a stack: monitors, probes, recording rules and alerts."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import pulumi

from components.kubernetes.object import Manifest
from components.observability.alerts.rules import rule_objects
from components.observability.metrics.exporters import BlackboxExporter
from components.observability.metrics.monitors import jobs, monitors
from components.settings import PlatformSettings
from components.workloads.component import ObjectComponent, Surroundings


@dataclass(frozen=True, kw_only=True)
class MonitoringArgs:
    """Monitoring of a stack.

    Attributes:
        surroundings: The stack around it.
        monitors: What is scraped and probed.
        rules: What is recorded, and what is an alert.
    """

    surroundings: Surroundings
    monitors: Sequence[Manifest]
    rules: Sequence[Manifest]

    @classmethod
    def of(
        cls,
        platform: PlatformSettings,
        surroundings: Surroundings,
        prober: BlackboxExporter | None,
    ) -> Self | None:
        """Take from the settings of a stack what is to be watched; None without metrics.

        Args:
            platform: The settings.
            surroundings: The stack around it.
            prober: Probes health paths and the certificate.
        """
        if prober is None:
            return None
        made = monitors(platform, prober.address)
        return cls(surroundings=surroundings, monitors=made, rules=tuple(rule_objects(platform, jobs(made))))


class Monitoring(ObjectComponent):
    """Monitors, probes and rules. Owns targets, objectives and alerts. Does not own the Prometheus that reads them."""

    def __init__(self, name: str, args: MonitoringArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("alt-las:observability:Monitoring", name, args.surroundings, opts)
        for manifest in (*args.monitors, *args.rules):
            self._register(f"{name}-{manifest['metadata']['name']}", manifest)
        self.register_outputs({})
