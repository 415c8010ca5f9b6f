"""LogQL without Loki: a query written as PromQL, so that Prometheus' own parser reads everything around the lines.

Owns the forms that dashboards use: a stream selector, line filters, label filters, and range aggregations. Does not
own the rest of LogQL: what is not of these forms stays as it is, and Prometheus' parser refuses it.
"""

import re

_TEXT = r'"(?:\\.|[^"\\])*"|`[^`]*`'
_MATCHER = rf"\w+\s*(?:=~|!~|!=|=)\s*(?:{_TEXT})"
_SELECTOR = rf"\{{\s*({_MATCHER}(?:\s*,\s*{_MATCHER})*)\s*\}}"
_LINE_FILTER = rf"\s*(\|=|!=|\|~|!~)\s*({_TEXT})"
_LABEL_FILTER = rf"\s*\|\s*({_MATCHER})"
_LINES = re.compile(rf"{_SELECTOR}((?:{_LINE_FILTER}|{_LABEL_FILTER})*)")
_STAGE = re.compile(rf"{_LINE_FILTER}|{_LABEL_FILTER}")
_LABEL = re.compile(rf"(\w+)\s*(?:=~|!~|!=|=)\s*(?:{_TEXT})")
_OPERATORS = {"|=": "=", "!=": "!=", "|~": "=~", "!~": "!~"}
_LINE = "line"


def as_promql(query: str) -> str:
    """The query with each pipeline as a selector of series: a filter becomes a matcher with the same expression."""
    written = _LINES.sub(lambda found: f"lines{{{', '.join(_matchers(found))}}}", query)
    return re.sub(r"\bbytes_rate\(", "rate(", written)


def labels(query: str) -> set[str]:
    """Labels by which a query selects streams or filters lines."""
    return {name for found in _LINES.finditer(query) for each in _matchers(found) for name in _LABEL.findall(each)} - {
        _LINE
    }


def _matchers(found: re.Match[str]) -> list[str]:
    filters = [
        label or f"{_LINE}{_OPERATORS[operator]}{text}" for operator, text, label in _STAGE.findall(found.group(2))
    ]
    return [found.group(1), *filters]
