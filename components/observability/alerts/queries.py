"""What a PromQL query asks for, and the refusal of one that asks for what nobody exports."""

import re

_STRING = re.compile(r"\"(?:\\.|[^\"\\])*\"|'(?:\\.|[^'\\])*'|`[^`]*`")
_GROUPING = re.compile(r"\b(?:by|without|on|ignoring|group_left|group_right)\s*\([^)]*\)")
_MATCHERS = re.compile(r"\{[^}]*\}")
_DURATION = re.compile(r"\[[^\]]*\]|\b(?:offset|@)\s*-?[0-9a-z.]+")
_VARIABLE = re.compile(r"\$\{?[A-Za-z_][A-Za-z0-9_:]*\}?")
_WORD = re.compile(r"(?<![0-9.])[a-zA-Z_:][a-zA-Z0-9_:]*(?![a-zA-Z0-9_:])(?!\s*\()")
_OPERATORS = ("and", "or", "unless", "bool", "offset", "by", "without", "on", "ignoring", "group_left", "group_right")
_KEYWORDS = frozenset((*_OPERATORS, "inf", "nan", "atan2"))


def metric_names(expression: str) -> frozenset[str]:
    """Names of the series that a PromQL expression asks for, as far as they stand outside of braces.

    A quick reading for the program itself; the tests compare it with Prometheus' own parser.
    """
    text = _STRING.sub('""', expression)
    for pattern in (_MATCHERS, _DURATION, _VARIABLE, _GROUPING):
        text = pattern.sub(" ", text)
    return frozenset(word for word in _WORD.findall(text) if word.lower() not in _KEYWORDS)


class UnknownMetricError(ValueError):
    """A query asks for what nobody exports."""


def require_known(where: str, expression: str, known: frozenset[str]) -> None:
    """Refuse a query on a metric that nobody exports.

    Args:
        where: Path of the query, for the message.
        expression: The query in PromQL.
        known: What `known_series` returned.

    Raises:
        UnknownMetricError: Names the metric and its place.
    """
    unknown = sorted(metric_names(expression) - known)
    if unknown:
        raise UnknownMetricError(
            f"{where}: asks for {', '.join(unknown)}, which no exporter of the stack has; correct the name, or add the "
            "metric with its exporter and source to components/observability/alerts/known_metrics.py"
        )
