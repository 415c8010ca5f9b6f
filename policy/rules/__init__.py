"""All rules, and the one way to run them over manifests."""

from collections.abc import Iterable, Sequence

from policy.manifests import Manifest, ManifestSet
from policy.rules import (
    availability,
    custom_resources,
    data,
    identity,
    images,
    jobs,
    labels,
    node_access,
    pod_security,
    references,
    resources,
    secret_values,
    traffic,
)
from policy.rules.base import Finding, ObjectRule, Parameters, Rule, SetRule, Violation

__all__ = ["RULES", "Finding", "ObjectRule", "Parameters", "Rule", "SetRule", "Violation", "evaluate", "rule"]

RULES: tuple[ObjectRule | SetRule, ...] = (
    *pod_security.RULES,
    *node_access.RULES,
    *images.RULES,
    *resources.RULES,
    *availability.RULES,
    *identity.RULES,
    *secret_values.RULES,
    *labels.RULES,
    *traffic.RULES,
    *references.RULES,
    *jobs.RULES,
    *data.RULES,
    *custom_resources.RULES,
)
"""Every rule, by theme."""


def rule(identifier: str) -> ObjectRule | SetRule:
    """The rule with an identifier.

    Raises:
        KeyError: There is none.
    """
    for known in RULES:
        if known.id == identifier:
            return known
    raise KeyError(identifier)


def evaluate(
    manifests: Sequence[Manifest], parameters: Parameters | None = None, rules: Iterable[Rule] = RULES
) -> list[Violation]:
    """Every violation of some rules in a set of manifests, in the order of the rules."""
    chosen = parameters or Parameters()
    of_set = ManifestSet(manifests)
    return [violation for each in rules for violation in each.violations(of_set, chosen)]
