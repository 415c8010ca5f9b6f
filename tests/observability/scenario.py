"""Trial of an alert: series under which it fires, and series, close to them, under which it keeps quiet."""

from collections.abc import Mapping
from dataclasses import dataclass, field

NAMESPACE = 'namespace="alt-las"'
Series = Mapping[str, str]
"""Values by series, as promtool writes them: `1x60` is sixty more of the same."""

Cases = tuple[Series, Series]


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """When an alert fires and when it does not.

    Attributes:
        alert: Its name.
        cases: Series under which it fires, and series under which it does not.
        minute: When it is looked at.
        step: Minutes between two values.
        severity: Its severity.
        where: Further labels of the alert that is meant, where there are several of the name.
    """

    alert: str
    cases: Cases
    minute: int = 30
    step: int = 1
    severity: str = "ticket"
    where: Mapping[str, str] = field(default_factory=dict)

    @property
    def firing(self) -> Series:
        """Series under which it fires."""
        return self.cases[0]

    @property
    def quiet(self) -> Series:
        """Series under which it does not."""
        return self.cases[1]


def series(name: str, *labels: str) -> str:
    """A series of the stack."""
    return f"{name}{{{','.join((NAMESPACE, *labels))}}}"


def constant(name: str, labels: str, bad: float, good: float) -> Cases:
    """One series with a value that is bad, and with one that is good."""
    one = series(name, *([labels] if labels else []))
    return {one: f"{bad:g}x1500"}, {one: f"{good:g}x1500"}


def pair(first: str, second: str, bad: tuple[str, str], good: tuple[str, str]) -> Cases:
    """Two series with values that are bad together, and with values that are good."""
    return {first: bad[0], second: bad[1]}, {first: good[0], second: good[1]}
