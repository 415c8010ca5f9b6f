"""Label selectors, evaluated as the API server does."""

from collections.abc import Mapping
from typing import Any

Labels = Mapping[str, str]


def matches(selector: Mapping[str, Any], labels: Labels) -> bool:
    """Tell whether a label selector (`matchLabels`, `matchExpressions`) selects `labels`; an empty one selects all.

    Raises:
        ValueError: An expression has an operator that Kubernetes does not know.
    """
    if any(labels.get(key) != value for key, value in (selector.get("matchLabels") or {}).items()):
        return False
    return all(_expression_holds(expression, labels) for expression in selector.get("matchExpressions") or ())


def selector_keys(selector: Mapping[str, Any]) -> frozenset[str]:
    """Every label that a selector looks at."""
    expressions = selector.get("matchExpressions") or ()
    return frozenset(selector.get("matchLabels") or {}) | {expression["key"] for expression in expressions}


def _expression_holds(expression: Mapping[str, Any], labels: Labels) -> bool:
    key, operator, values = expression["key"], expression["operator"], expression.get("values") or ()
    if operator == "In":
        return labels.get(key) in values
    if operator == "NotIn":
        return labels.get(key) not in values
    if operator == "Exists":
        return key in labels
    if operator == "DoesNotExist":
        return key not in labels
    raise ValueError(f"{operator!r} is no operator of a label selector")
