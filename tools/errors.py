"""The errors this package raises; none of them is shown with a traceback."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field


class ToolsError(Exception):
    """A failure whose text is written for the user.

    Attributes:
        exit_code: the status with which the command line ends.
    """

    exit_code = 2


class ToolsUnavailableError(ToolsError):
    """At least one program could not be provided by any way."""

    exit_code = 3


class WayFailedError(Exception):
    """One way of getting one program did not work; its text is the reason, and the next way is tried."""


@dataclass
class Attempts:
    """Owns what was tried for one package, in the order in which it was tried.

    Attributes:
        title: name and version, as the user reads them.
        reasons: one pair (way, why it failed) for each try.
    """

    title: str
    reasons: list[tuple[str, str]] = field(default_factory=list)

    def add(self, way: str, reason: str) -> None:
        """Remember that a way failed."""
        self.reasons.append((way, reason))

    def render(self) -> str:
        """Return the title and one indented line for each try; further lines of a reason are indented too."""
        lines = [self.title]
        for way, reason in self.reasons:
            first, *rest = reason.splitlines() or [""]
            lines.append(f"  {way + ':':<10}{first}")
            lines.extend(" " * 12 + line for line in rest)
        return "\n".join(lines)


def unavailable(attempts: Sequence[Attempts], go_versions: Mapping[str, str]) -> ToolsUnavailableError:
    """Return the one error that lists every program, every try and what the user can do.

    Args:
        attempts: the failed packages.
        go_versions: the oldest Go version that builds each of them, by title; packages without a recipe are absent.
    """
    advice = ["put the program on PATH at exactly the version named above"]
    needed = [go_versions[item.title] for item in attempts if item.title in go_versions]
    if needed:
        newest = max(needed, key=lambda text: tuple(int(part) for part in text.split(".")))
        advice.append(f"install Go {newest} or newer (https://go.dev/dl/), so that missing programs can be built")
    advice.append(
        "behind a proxy, set HTTPS_PROXY (and GOPROXY for Go modules), or point ALT_LAS_RELEASE_MIRROR to a mirror"
    )
    parts = ["These programs could not be provided:"]
    parts.extend(item.render() for item in attempts)
    parts.append("What you can do:\n" + "\n".join(f"  - {line}" for line in advice))
    return ToolsUnavailableError("\n\n".join(parts))
